"""Somebody brought a partner its request, and says so with one command."""

from __future__ import annotations

from activities.recording import RecordingActivities
from cli.output import ExitCode
from domain.progress import RecordRequest
from tests.cli.conftest import Shelf
from tests.support.builders import a_screened_case
from tests.support.recorded_archive import RecordedArchive

CASE = "LBY-2026-000001"


async def a_case(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().events, number=CASE, open=True)


async def record(archive: RecordedArchive) -> None:
    stream = await archive.pool.fetchval("SELECT stream_id FROM streams")
    await RecordingActivities(archive.pool, archive.keys).catch_up(RecordRequest(stream_id=stream))


def test_a_request_that_was_brought_by_hand_is_reported_by_its_kind(shelf: Shelf) -> None:
    shelf.keep(a_case)

    done = shelf.run("partner", "handed-over", CASE, "paper", "--kind", "CONSULAR_IDENTITY", "--no-wait")
    shelf.keep(record)

    assert done.exit_code == ExitCode.DONE, done.output
    said = [each["sentence"] for each in shelf.asked("case", "history", CASE)]
    assert "CONSULAR_IDENTITY: brought to embassy-nga by a person (PAPER)." in said


def test_whoever_does_not_say_which_of_several_referrals_is_told_what_there_is(shelf: Shelf) -> None:
    shelf.keep(a_case)
    done = shelf.run("partner", "handed-over", CASE, "PAPER", "--no-wait")
    assert done.exit_code == ExitCode.REFUSED
    assert "clinic-misrata" in done.stderr


def test_a_way_that_nobody_goes_is_a_matter_of_usage(shelf: Shelf) -> None:
    assert shelf.run("partner", "handed-over", CASE, "PIGEON").exit_code == ExitCode.USAGE
