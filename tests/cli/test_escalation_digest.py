"""``awda partner digest``: referrals escalated above level 1, by day, partner and kind."""

from __future__ import annotations

from store.projections.projector import Projector
from tests.cli.conftest import RecordedCases
from tests.support.builders import a_screened_case
from tests.support.recorded_archive import RecordedArchive


async def two_weeks_without_an_answer(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().after(days=14).events)
    await Projector(archive.pool).catch_up()


def test_escalated_referrals_are_listed_by_day_partner_and_kind(recorded: RecordedCases) -> None:
    recorded.record(two_weeks_without_an_answer)

    found = recorded.json("partner", "digest")

    assert [
        (each["day"], each["partner_id"], each["kind"], each["timeliness"], each["referrals"]) for each in found
    ] == [
        ("2026-12-06", "embassy-nga", "CONSULAR_IDENTITY", "ESCALATED_L2", 1),
        ("2026-12-03", "clinic-misrata", "MEDICAL_ASSESSMENT", "ESCALATED_L2", 1),
    ]
    assert recorded.json("partner", "digest", "--since", "2026-12-04") == found[:1]
