"""A place of return becomes unsafe: the protection unit says so once, and every case that rests on it is told."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from audit.verification.verify import verify
from cli.main import awda
from cli.output import ExitCode
from domain.case.aggregate import Case
from domain.kernel.vocabulary import AdvisoryLevel, ClearanceKind, ClearanceStatus
from store.projections.projector import Projector
from store.reference.advisories import change
from tests.cli.conftest import Shelf
from tests.support.builders import a_cleared_case, a_frozen_case, an_arrived_case
from tests.support.databases import Database
from tests.support.journey_steps import a_screened_case, a_taken_message
from tests.support.running_worker import MASTER_KEY, RunningWorker, a_running_worker
from workers.embedded.installation import Servers

CHANGE = ("advisory", "change", "NGA", "--area", "NG-LA", "--level", "NO_RETURN", "--version", "2026-4")

BASIS = ("--basis", "UNHCR position of May")

TOLD = "SELECT s.number FROM inbox JOIN streams s USING (stream_id) WHERE name = 'system.report' AND status = 'pending'"


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
    assert done.exit_code == ExitCode.CONFLICT
    assert "2026-4 says NO_RETURN about NG-LA already" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Nigeria",), "no country that anybody returns to"),
        (("NGR",), "no country that anybody returns to"),
        (("NGA", "--area", "Lagos"), "no part of NGA"),
        (("NGA", "--area", "NE-LA"), "no part of NGA"),
        (("NGA", "--level", "DANGEROUS"), "is not one of"),
        (("NGA", "--as", "a b"), "no user's name"),
        (("NGA", "--version", "May 2026"), "is no version"),
        (("NGA", "--version", "x" * 41), "is no version"),
        (("NGA", "--basis", " "), "say on what it rests"),
    ],
)
def test_what_cannot_be_meant_is_a_matter_of_usage(shelf: Shelf, words: tuple[str, ...], said: str) -> None:
    done = shelf.run("advisory", "change", "--version", "2026-4", *BASIS, "--level", "OPEN", *words)
    assert done.exit_code == ExitCode.USAGE
    assert said in " ".join(done.output.replace("│", " ").split())
    assert shelf.asked("advisory", "list") == []


def test_every_case_that_has_not_arrived_is_told_once_by_whomever(shelf: Shelf) -> None:
    async def kept(archive: Any) -> None:
        await archive.keep(an_arrived_case().events, number="LBY-2026-000001", open=True)
        await archive.keep(a_cleared_case().events, number="LBY-2026-000002", open=True)
        await archive.keep(a_frozen_case().events, number="LBY-2026-000003", open=True)
        await Projector(archive.pool).catch_up()
        await archive.keep(a_cleared_case().events, number="LBY-2026-000004", open=True)  # not in the list of cases yet

    shelf.keep(kept)
    wanted = ["LBY-2026-000003", "LBY-2026-000002", "LBY-2026-000004"]  # passengers first
    for user in ("fatima", "omar"):
        done = shelf.run(*CHANGE, *BASIS, "--wait", "0", "--as", user, "--json")
        assert done.exit_code == ExitCode.PARTLY
        said = json.loads(done.stdout)
        assert (said["assess_anew"], said["untouched"], said["undecided"]) == ([], 0, wanted)
    assert sorted(_pending(shelf)) == sorted(wanted)


def test_who_was_erased_keeps_nobody_else_from_being_told(shelf: Shelf) -> None:
    async def kept(archive: Any) -> None:
        erased = await archive.keep(a_cleared_case().events, number="LBY-2026-000001", open=True)
        await archive.keep(a_cleared_case().events, number="LBY-2026-000002", open=True)
        await Projector(archive.pool).catch_up()
        await archive.keys.destroy(erased)

    shelf.keep(kept)
    assert shelf.run(*CHANGE, *BASIS, "--wait", "0").exit_code == ExitCode.PARTLY
    assert _pending(shelf) == ["LBY-2026-000002"]


def test_a_change_that_was_replaced_is_told_to_nobody(shelf: Shelf) -> None:
    shelf.asked(*CHANGE, *BASIS)
    shelf.asked("advisory", "change", "NGA", "--area", "NG-LA", "--level", "OPEN", "--version", "2026-5", *BASIS)
    done = shelf.run(*CHANGE, *BASIS)
    assert done.exit_code == ExitCode.CONFLICT
    assert "2026-4 counts no more: 2026-5 says OPEN about NG-LA" in done.output


def test_verify_names_an_advisory_of_which_cases_have_not_been_told(shelf: Shelf) -> None:
    async def kept(archive: Any) -> None:
        await archive.keep(a_cleared_case().events, number="LBY-2026-000001", open=True)
        await Projector(archive.pool).catch_up()
        place = ("NGA", "NG-LA", AdvisoryLevel.NO_RETURN, "2026-4")
        await change(archive.pool, *place, basis="UNHCR position of May", by="staff:fatima")

    shelf.keep(kept)
    assert _unknown(shelf) == ["some cases may not have been notified of 2026-4; run `awda advisory change` again"]
    shelf.run(*CHANGE, *BASIS, "--wait", "0")
    assert _unknown(shelf) == []


def _unknown(shelf: Shelf) -> list[str]:
    found: list[str] = []

    async def look(archive: Any) -> None:
        report = await verify(archive.pool, archive.keys, None, workflows=False, patience_s=0)
        found.extend(each.detail for each in report.findings if each.kind == "advisory")

    shelf.keep(look)
    return found


def _pending(shelf: Shelf) -> list[str]:
    found: list[str] = []

    async def look(archive: Any) -> None:
        found.extend(row["number"] for row in await archive.pool.fetch(TOLD))

    shelf.keep(look)
    return found


async def test_sc_19_on_real_servers_who_returns_there_is_held_and_the_others_are_not_touched(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_running_worker(database, servers) as worker:
        there, elsewhere = [await _a_safe_case(worker, area) for area in ("NG-LA", "NG-KN")]
        await Projector(worker.pool).catch_up()

        done = await asyncio.to_thread(_run, database, tmp_path, *CHANGE, *BASIS, "--json")

        assert done.exit_code == ExitCode.DONE, done.output
        said = json.loads(done.stdout)
        assert (said["assess_anew"], said["untouched"], said["undecided"]) == ([await _number(worker, there)], 1, [])
        assert (await worker.names(there))[-5:].count("HoldPlaced") == 1
        assert await _safety(worker, there) is ClearanceStatus.REVOKED
        assert await _safety(worker, elsewhere) is ClearanceStatus.VALID

        again = {"result": "SAFE", "individual": True, "advisory_version": "2026-4"}
        refused = await worker.told(there, "AssessSafetyOfReturn", **again, area="NG-LA")
        assert (refused["status"], refused["rule"]) == ("refused", "SAFETY.NO_RETURN")
        await a_taken_message(worker, there, "AssessSafetyOfReturn", **again, area="NG-KN")
        assert await _safety(worker, there) is ClearanceStatus.VALID


async def _a_safe_case(worker: RunningWorker, area: str) -> Any:
    case = await a_screened_case(worker)
    await worker.until(case, "ReferralSent")
    await a_taken_message(worker, case, "AssessSafetyOfReturn", area=area, result="SAFE", advisory_version="2026-3")
    return case


async def _number(worker: RunningWorker, case: Any) -> str:
    return str(await worker.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case))


async def _safety(worker: RunningWorker, case: Any) -> ClearanceStatus:
    state = await worker.state(case)
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
