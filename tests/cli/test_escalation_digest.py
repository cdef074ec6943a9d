"""The digest of a day is where people look: whom nobody has heard from although it was escalated."""

from __future__ import annotations

from store.projections.projector import Projector
from tests.cli.conftest import Shelf
from tests.support.builders import a_screened_case
from tests.support.recorded_archive import RecordedArchive


async def two_weeks_of_silence(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().after(days=14).events)
    await Projector(archive.pool).catch_up()


def test_the_command_shows_who_does_not_answer_by_day_partner_and_kind(shelf: Shelf) -> None:
    shelf.keep(two_weeks_of_silence)

    found = shelf.asked("partner", "digest")

    assert [
        (each["day"], each["partner_id"], each["kind"], each["timeliness"], each["referrals"]) for each in found
    ] == [
        ("2026-12-06", "embassy-nga", "CONSULAR_IDENTITY", "ESCALATED_L2", 1),
        ("2026-12-03", "clinic-misrata", "MEDICAL_ASSESSMENT", "ESCALATED_L2", 1),
    ]
    assert shelf.asked("partner", "digest", "--since", "2026-12-04") == found[:1]
