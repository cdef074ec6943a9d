"""Messages are sent to this machine for made-up partners only; a worker of a real installation does not start."""

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

ClientFor: TypeAlias = Callable[[str], Awaitable[WebhookClient]]


@pytest.fixture
async def remote(database: Database, tmp_path: Path) -> AsyncIterator[ClientFor]:
    """Returns the client of a worker whose database reports that it is on another machine."""
    async with await open_pool(database.owner_dsn) as owner:
        await owner.execute(ELSEWHERE)
    path = {"search_path": "elsewhere, public, pg_catalog"}
    async with await open_pool(database.app_dsn, server_settings=path) as pool:

        def client_for(value: str) -> Awaitable[WebhookClient]:
            return partner_client(Settings.read({"AWDA_HOME": str(tmp_path), "AWDA_LOOPBACK_RECEIVERS": value}), pool)

        yield client_for


async def test_a_worker_whose_cases_are_elsewhere_refuses_to_call_its_own_machine(remote: ClientFor) -> None:
    with pytest.raises(InvalidSettingError, match="made-up partners only"):
        await remote("1")


async def test_a_demonstration_database_on_another_machine_allows_loopback_receivers(
    remote: ClientFor, database: Database
) -> None:
    async with await open_pool(database.owner_dsn) as owner:
        await clock.stop(owner, await clock.now(owner))
    assert (await remote("1")).loopback


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "11"])
async def test_loopback_receivers_are_refused_unless_the_setting_is_one(remote: ClientFor, value: str) -> None:
    assert not (await remote(value)).loopback


async def test_an_embedded_home_may_allow_loopback_receivers(database: Database, tmp_path: Path) -> None:
    async with await open_pool(database.app_dsn) as pool:
        assert (await partner_client(Settings(home=tmp_path, loopback_receivers=True), pool)).loopback


def test_the_supervisor_sets_it_only_for_made_up_partners() -> None:
    assert {command.env.get("AWDA_LOOPBACK_RECEIVERS") for command in commands()} == {None}
    assert {command.env.get("AWDA_LOOPBACK_RECEIVERS") for command in commands(made_up=True)} == {"1"}


def test_production_does_not_use_the_setting() -> None:
    assert "LOOPBACK" not in (ROOT / "docker-compose.yml").read_text()
