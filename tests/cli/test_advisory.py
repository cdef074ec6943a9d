"""A place of return becomes unsafe: the protection unit says so once, and every case that rests on it is told."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import awda
from cli.talk import Code
from domain.case import Case
from domain.words import ClearanceKind, ClearanceStatus
from store.views.projector import Projector
from tests.builders import a_cleared_case, a_departed_case
from tests.cli.conftest import Shelf
from tests.conftest import Database
from tests.house import MASTER_KEY, House, a_house
from tests.journeys.steps import a_screened_case, a_taken_message
from workers.embedded import Servers

CHANGE = ("advisory", "change", "NGA", "--area", "NG-LA", "--level", "NO_RETURN", "--version", "2026-4")
BASIS = ("--basis", "UNHCR position of May")
TOLD = "SELECT s.number FROM inbox JOIN streams s USING (stream_id) WHERE name = 'staff.message' AND status = 'pending'"


def test_an_advisory_is_kept_once_with_its_basis_and_who_set_it(shelf: Shelf) -> None:
    first = shelf.asked(*CHANGE, *BASIS, "--as", "fatima")
    again = shelf.asked(*CHANGE, "--basis", "something else", "--as", "omar")

    assert (first["news"], again["news"]) == (True, False)
    (kept,) = shelf.asked("advisory", "list", "nga")
    wanted = {"place": "NG-LA", "level": "NO_RETURN", "version": "2026-4", "basis": "UNHCR position of May"}
    assert wanted.items() <= kept.items()
    assert kept["changed_by"] == "staff:fatima"
    assert shelf.asked("advisory", "list", "SDN") == []


def test_a_version_says_one_thing_about_a_place(shelf: Shelf) -> None:
    shelf.asked(*CHANGE, *BASIS)
    other = tuple("OPEN" if word == "NO_RETURN" else word for word in CHANGE)
    done = shelf.run(*other, *BASIS)
    assert done.exit_code == Code.CONFLICT
    assert "2026-4 says NO_RETURN about NG-LA already" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Nigeria", "--level", "OPEN"), "no country's code"),
        (("NGA", "--area", "Lagos", "--level", "OPEN"), "no part of a country"),
        (("NGA", "--level", "DANGEROUS"), "is not one of"),
        (("NGA", "--level", "OPEN", "--as", "a b"), "no user's name"),
    ],
)
def test_what_cannot_be_meant_is_a_matter_of_usage(shelf: Shelf, words: tuple[str, ...], said: str) -> None:
    done = shelf.run("advisory", "change", *words, "--version", "2026-4", *BASIS)
    assert done.exit_code == Code.USAGE
    assert said in " ".join(done.output.split())
    assert shelf.asked("advisory", "list") == []


def test_every_case_that_has_not_left_is_told_once(shelf: Shelf) -> None:
    async def kept(archive: Any) -> None:
        await archive.keep(a_cleared_case().events, number="LBY-2026-000001")
        await archive.keep(a_departed_case().events, number="LBY-2026-000002")
        await Projector(archive.pool).catch_up()

    shelf.keep(kept)
    for _ in range(2):
        said = shelf.asked(*CHANGE, *BASIS, "--wait", "0")
        assert (said["assess_anew"], said["untouched"], said["pending"]) == ([], 0, 1)
    assert _pending(shelf) == ["LBY-2026-000001"]


def _pending(shelf: Shelf) -> list[str]:
    found: list[str] = []

    async def look(archive: Any) -> None:
        found.extend(row["number"] for row in await archive.pool.fetch(TOLD))

    shelf.keep(look)
    return found


async def test_sc_19_on_real_servers_who_returns_there_is_held_and_the_others_are_not_touched(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_house(database, servers) as house:
        there, elsewhere = [await _a_safe_case(house, area) for area in ("NG-LA", "NG-KN")]
        await Projector(house.pool).catch_up()

        done = await asyncio.to_thread(_run, database, tmp_path, *CHANGE, *BASIS, "--json")

        assert done.exit_code == Code.DONE, done.output
        said = json.loads(done.stdout)
        assert (said["assess_anew"], said["untouched"], said["pending"]) == ([await _number(house, there)], 1, 0)
        assert (await house.names(there))[-5:].count("HoldPlaced") == 1
        assert await _safety(house, there) is ClearanceStatus.REVOKED
        assert await _safety(house, elsewhere) is ClearanceStatus.VALID

        old = {"area": "NG-LA", "result": "SAFE", "individual": True}
        assert (await house.told(there, "AssessSafetyOfReturn", **old, advisory_version="2026-3"))[
            "status"
        ] == "refused"
        await a_taken_message(house, there, "AssessSafetyOfReturn", **old, advisory_version="2026-4")
        assert await _safety(house, there) is ClearanceStatus.VALID


async def _a_safe_case(house: House, area: str) -> Any:
    case = await a_screened_case(house)
    await house.until(case, "ReferralSent")
    await a_taken_message(house, case, "AssessSafetyOfReturn", area=area, result="SAFE", advisory_version="2026-3")
    return case


async def _number(house: House, case: Any) -> str:
    return str(await house.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case))


async def _safety(house: House, case: Any) -> ClearanceStatus:
    state = await house.state(case)
    assert isinstance(state, Case)
    return state.clearances[ClearanceKind.SAFETY_OF_RETURN].status


def _run(database: Database, tmp_path: Path, *words: str) -> Result:
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": b64encode(MASTER_KEY).decode(),
    }
    return CliRunner(env=env).invoke(awda, words)
