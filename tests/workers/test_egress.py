"""Messages go to this machine itself for made-up partners only; a worker of a real installation refuses to start."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from activities.webhook_client import WebhookClient
from store.postgres import clock
from store.postgres.database import open_pool
from tests.support.databases import Database
from workers.egress import partner_client
from workers.process_list import commands
from workers.settings import InvalidSettingError, Settings

ROOT = Path(__file__).parents[2]

ELSEWHERE = """
CREATE SCHEMA elsewhere;
CREATE FUNCTION elsewhere.inet_server_addr() RETURNS inet LANGUAGE sql AS $$ SELECT '10.0.0.5'::inet $$;
GRANT USAGE ON SCHEMA elsewhere TO awda_app;
"""

Told: TypeAlias = Callable[[str], Awaitable[WebhookClient]]


@pytest.fixture
async def far_away(database: Database, tmp_path: Path) -> AsyncIterator[Told]:
    """The way out of a worker whose database says it stands on another machine."""
    async with await open_pool(database.owner_dsn) as owner:
        await owner.execute(ELSEWHERE)
    path = {"search_path": "elsewhere, public, pg_catalog"}
    async with await open_pool(database.app_dsn, server_settings=path) as pool:

        def way(said: str) -> Awaitable[WebhookClient]:
            return partner_client(Settings.read({"AWDA_HOME": str(tmp_path), "AWDA_LOOPBACK_RECEIVERS": said}), pool)

        yield way


async def test_a_worker_whose_cases_are_elsewhere_refuses_to_call_its_own_machine(far_away: Told) -> None:
    with pytest.raises(InvalidSettingError, match="made-up partners only"):
        await far_away("1")


async def test_unless_time_stands_still_there(far_away: Told, database: Database) -> None:
    async with await open_pool(database.owner_dsn) as owner:
        await clock.stand_still(owner, await clock.now(owner))
    assert (await far_away("1")).loopback


@pytest.mark.parametrize("said", ["", "0", "true", "yes", "11"])
async def test_nobody_calls_their_own_machine_without_being_told_to(far_away: Told, said: str) -> None:
    assert not (await far_away(said)).loopback


async def test_an_embedded_home_may_be_told_to(database: Database, tmp_path: Path) -> None:
    async with await open_pool(database.app_dsn) as pool:
        assert (await partner_client(Settings(home=tmp_path, loopback_receivers=True), pool)).loopback


def test_the_supervisor_tells_its_processes_only_where_partners_are_made_up() -> None:
    assert {command.env.get("AWDA_LOOPBACK_RECEIVERS") for command in commands()} == {None}
    assert {command.env.get("AWDA_LOOPBACK_RECEIVERS") for command in commands(made_up=True)} == {"1"}


def test_production_does_not_know_the_setting() -> None:
    assert "LOOPBACK" not in (ROOT / "docker-compose.yml").read_text()
