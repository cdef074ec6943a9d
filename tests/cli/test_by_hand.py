"""``awda partner handed-over``: a manual delivery is recorded with one command."""

from __future__ import annotations

from activities.recording import RecordingActivities
from cli.output import ExitCode
from domain.progress import RecordRequest
from tests.cli.conftest import RecordedCases
from tests.support.builders import a_screened_case
from tests.support.recorded_archive import RecordedArchive

CASE = "LBY-2026-000001"


async def a_case(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().events, number=CASE, open=True)


async def record(archive: RecordedArchive) -> None:
    stream = await archive.pool.fetchval("SELECT stream_id FROM streams")
    await RecordingActivities(archive.pool, archive.keys).catch_up(RecordRequest(stream_id=stream))


def test_a_manual_delivery_is_recorded_by_the_kind_of_referral(recorded: RecordedCases) -> None:
    recorded.record(a_case)

    done = recorded.run("partner", "handed-over", CASE, "paper", "--kind", "CONSULAR_IDENTITY", "--no-wait")
    recorded.record(record)

    assert done.exit_code == ExitCode.DONE, done.output
    sentences = [each["sentence"] for each in recorded.json("case", "history", CASE)]
    assert "Consular identity verification: referral delivered to embassy-nga manually (paper)." in sentences


def test_without_a_choice_among_several_referrals_the_error_lists_them(recorded: RecordedCases) -> None:
    recorded.record(a_case)
    done = recorded.run("partner", "handed-over", CASE, "PAPER", "--no-wait")
    assert done.exit_code == ExitCode.REFUSED
    assert "clinic-misrata" in done.stderr


def test_an_unknown_way_of_delivery_is_a_usage_error(recorded: RecordedCases) -> None:
    assert recorded.run("partner", "handed-over", CASE, "PIGEON").exit_code == ExitCode.USAGE
