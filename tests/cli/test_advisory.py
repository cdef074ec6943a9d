"""``awda advisory``: a change of a return advisory is registered once and sent to every case that it may affect."""

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
from tests.cli.conftest import RecordedCases
from tests.support.builders import a_cleared_case, a_frozen_case, an_arrived_case
from tests.support.databases import Database
from tests.support.journey_steps import a_screened_case, a_taken_message
from tests.support.running_worker import MASTER_KEY, RunningWorker, a_running_worker
from workers.embedded.installation import Servers

CHANGE = ("advisory", "change", "NGA", "--area", "NG-LA", "--level", "NO_RETURN", "--version", "2026-4")

BASIS = ("--basis", "UNHCR position of May")

PENDING = (
    "SELECT s.number FROM inbox JOIN streams s USING (stream_id) WHERE name = 'system.report' AND status = 'pending'"
)


def test_an_advisory_is_registered_once_with_its_source_and_user(recorded: RecordedCases) -> None:
    first = recorded.json(*CHANGE, *BASIS, "--as", "fatima")
    again = recorded.json(*CHANGE, "--basis", "something else", "--as", "omar")

    assert (first["news"], again["news"]) == (True, False)
    (kept,) = recorded.json("advisory", "list", "nga")
    expected = {"place": "NG-LA", "level": "NO_RETURN", "version": "2026-4", "basis": "UNHCR position of May"}
    assert expected.items() <= kept.items()
    assert kept["changed_by"] == "staff:fatima"
    assert recorded.json("advisory", "list", "SDN") == []


def test_a_version_of_a_place_has_one_level(recorded: RecordedCases) -> None:
    recorded.json(*CHANGE, *BASIS)
    other = tuple("OPEN" if word == "NO_RETURN" else word for word in CHANGE)
    done = recorded.run(*other, *BASIS)
    assert done.exit_code == ExitCode.CONFLICT
    assert (
        "Version 2026-4 of the advisory for NG-LA already has the level no return: choose another version"
        in done.output
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Nigeria",), "'Nigeria' is not a known country of return"),
        (("NGR",), "'NGR' is not a known country of return"),
        (("NGA", "--area", "Lagos"), "'Lagos' is not a part of NGA; write its code (ISO 3166-2), in the form NG-BO"),
        (("NGA", "--area", "NE-LA"), "'NE-LA' is not a part of NGA"),
        (("NGA", "--level", "DANGEROUS"), "is not one of"),
        (("NGA", "--as", "a b"), "'a b' is not a user name"),
        (("NGA", "--version", "May 2026"), "'May 2026' is not a version"),
        (("NGA", "--version", "x" * 41), "is not a version"),
        (("NGA", "--basis", " "), "give the source in 1 to 2000 characters"),
    ],
)
def test_invalid_arguments_are_usage_errors(recorded: RecordedCases, words: tuple[str, ...], message: str) -> None:
    done = recorded.run("advisory", "change", "--version", "2026-4", *BASIS, "--level", "OPEN", *words)
    assert done.exit_code == ExitCode.USAGE
    assert message in " ".join(done.output.replace("│", " ").split())
    assert recorded.json("advisory", "list") == []


def test_every_case_that_has_not_arrived_is_told_once_by_whomever(
    recorded: RecordedCases,
) -> None:
    async def kept(archive: Any) -> None:
        await archive.keep(an_arrived_case().events, number="LBY-2026-000001", open=True)
        await archive.keep(a_cleared_case().events, number="LBY-2026-000002", open=True)
        await archive.keep(a_frozen_case().events, number="LBY-2026-000003", open=True)
        await Projector(archive.pool).catch_up()
        await archive.keep(a_cleared_case().events, number="LBY-2026-000004", open=True)  # not in the list of cases yet

    recorded.record(kept)
    numbers = ["LBY-2026-000003", "LBY-2026-000002", "LBY-2026-000004"]  # passengers first
    for user in ("fatima", "omar"):
        done = recorded.run(*CHANGE, *BASIS, "--wait", "0", "--as", user, "--json")
        assert done.exit_code == ExitCode.PARTLY
        result = json.loads(done.stdout)
        assert (result["assess_anew"], result["untouched"], result["undecided"]) == ([], 0, numbers)
    assert sorted(_pending(recorded)) == sorted(numbers)


def test_an_erased_case_does_not_stop_the_others_from_being_notified(recorded: RecordedCases) -> None:
    async def kept(archive: Any) -> None:
        erased = await archive.keep(a_cleared_case().events, number="LBY-2026-000001", open=True)
        await archive.keep(a_cleared_case().events, number="LBY-2026-000002", open=True)
        await Projector(archive.pool).catch_up()
        await archive.keys.destroy(erased)

    recorded.record(kept)
    assert recorded.run(*CHANGE, *BASIS, "--wait", "0").exit_code == ExitCode.PARTLY
    assert _pending(recorded) == ["LBY-2026-000002"]


def test_a_change_that_was_replaced_is_sent_to_no_case(recorded: RecordedCases) -> None:
    recorded.json(*CHANGE, *BASIS)
    recorded.json("advisory", "change", "NGA", "--area", "NG-LA", "--level", "OPEN", "--version", "2026-5", *BASIS)
    done = recorded.run(*CHANGE, *BASIS)
    assert done.exit_code == ExitCode.CONFLICT
    assert "Version 2026-4 is no longer in force: the current version for NG-LA is 2026-5 (open)." in done.output


def test_verify_names_an_advisory_that_was_not_sent_to_all_cases(recorded: RecordedCases) -> None:
    async def kept(archive: Any) -> None:
        await archive.keep(a_cleared_case().events, number="LBY-2026-000001", open=True)
        await Projector(archive.pool).catch_up()
        place = ("NGA", "NG-LA", AdvisoryLevel.NO_RETURN, "2026-4")
        await change(archive.pool, *place, basis="UNHCR position of May", by="staff:fatima")

    recorded.record(kept)
    assert _unknown(recorded) == ["some cases may not have been notified of 2026-4; run `awda advisory change` again"]
    recorded.run(*CHANGE, *BASIS, "--wait", "0")
    assert _unknown(recorded) == []


def _unknown(recorded: RecordedCases) -> list[str]:
    found: list[str] = []

    async def look(archive: Any) -> None:
        report = await verify(archive.pool, archive.keys, None, workflows=False, patience_s=0)
        found.extend(each.detail for each in report.findings if each.kind == "advisory")

    recorded.record(look)
    return found


def _pending(recorded: RecordedCases) -> list[str]:
    found: list[str] = []

    async def look(archive: Any) -> None:
        found.extend(row["number"] for row in await archive.pool.fetch(PENDING))

    recorded.record(look)
    return found


async def test_sc_19_on_real_servers_who_returns_there_is_held_and_the_others_are_not_touched(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_running_worker(database, servers) as worker:
        there, elsewhere = [await _a_safe_case(worker, area) for area in ("NG-LA", "NG-KN")]
        await Projector(worker.pool).catch_up()

        done = await asyncio.to_thread(_run, database, tmp_path, *CHANGE, *BASIS, "--json")

        assert done.exit_code == ExitCode.DONE, done.output
        result = json.loads(done.stdout)
        assert (result["assess_anew"], result["untouched"], result["undecided"]) == (
            [await _number(worker, there)],
            1,
            [],
        )
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
