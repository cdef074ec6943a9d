"""A holiday that is announced the evening before moves what is owed, and it is known who announced it."""

from __future__ import annotations

from datetime import datetime

import pytest

from cli.output import ExitCode
from tests.cli.conftest import Shelf
from tests.support.builders import a_screened_case

CASE = "LBY-2026-000001"

TUESDAY = ("LBY", "2026-11-24", "Day of mourning")


def next_deadline(shelf: Shelf) -> datetime:
    return datetime.fromisoformat(shelf.asked("case", "show", CASE)["next_deadline"])


def test_an_announced_holiday_moves_the_deadlines_of_a_case_that_is_open(shelf: Shelf) -> None:
    shelf.keep(lambda archive: archive.keep(a_screened_case().events, number=CASE))
    before = next_deadline(shelf)

    assert shelf.run("calendar", "announce", *TUESDAY).exit_code == ExitCode.DONE

    assert next_deadline(shelf) > before


def test_whoever_looks_at_the_case_reads_why_its_due_date_moved(shelf: Shelf) -> None:
    shelf.keep(lambda archive: archive.keep(a_screened_case().events, number=CASE))
    shelf.run("calendar", "announce", *TUESDAY)

    for word in ("show", "why"):
        told = shelf.run("case", word, CASE).stdout
        assert "2026-11-26 15:00 UTC (moved from 2026-11-25 15:00 UTC: closed on 2026-11-24)" in told


def test_an_announcement_is_kept_once_with_who_made_it(shelf: Shelf) -> None:
    first = shelf.asked("calendar", "announce", *TUESDAY, "--as", "fatima")
    again = shelf.run("calendar", "announce", "lby", "2026-11-24", "Something else", "--as", "omar")

    assert first["news"] is True
    assert again.exit_code == ExitCode.DONE
    assert "2026-11-24 is a public holiday in Libya (Day of mourning); staff:fatima announced it" in again.stdout
    listed = shelf.asked("calendar", "list", "LBY")
    assert [(each["day"], each["name"], each["announced_by"]) for each in listed] == [
        ("2026-11-24", "Day of mourning", "staff:fatima")
    ]
    assert shelf.asked("calendar", "list", "NGA") == []


@pytest.mark.parametrize(
    ("country", "day", "said"),
    [("Libya", "2026-11-24", "there is no calendar for 'Libya'"), ("LBY", "tomorrow", "is not a date")],
)
def test_a_country_or_a_day_that_nobody_knows_is_a_matter_of_usage(
    shelf: Shelf, country: str, day: str, said: str
) -> None:
    done = shelf.run("calendar", "announce", country, day, "x")
    assert done.exit_code == ExitCode.USAGE
    assert said in " ".join(done.output.split())


def test_whoever_announces_a_friday_is_told_that_nothing_moves(shelf: Shelf) -> None:
    done = shelf.run("calendar", "announce", "LBY", "2026-11-27", "Liberation Day")
    assert done.exit_code == ExitCode.DONE
    assert "no due date moves" in done.stderr
