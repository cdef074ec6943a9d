"""``awda calendar``: an announced holiday moves due dates, and is registered with the user who announced it."""

from __future__ import annotations

from datetime import datetime

import pytest

from cli.output import ExitCode
from tests.cli.conftest import RecordedCases
from tests.support.builders import a_screened_case

CASE = "LBY-2026-000001"

TUESDAY = ("LBY", "2026-11-24", "Day of mourning")


def next_deadline(recorded: RecordedCases) -> datetime:
    return datetime.fromisoformat(recorded.json("case", "show", CASE)["next_deadline"])


def test_an_announced_holiday_moves_the_deadlines_of_an_open_case(recorded: RecordedCases) -> None:
    recorded.record(lambda archive: archive.keep(a_screened_case().events, number=CASE))
    before = next_deadline(recorded)

    assert recorded.run("calendar", "announce", *TUESDAY).exit_code == ExitCode.DONE

    assert next_deadline(recorded) > before


def test_case_show_and_why_explain_why_a_due_date_moved(recorded: RecordedCases) -> None:
    recorded.record(lambda archive: archive.keep(a_screened_case().events, number=CASE))
    recorded.run("calendar", "announce", *TUESDAY)

    for word in ("show", "why"):
        text = recorded.run("case", word, CASE).stdout
        assert "2026-11-26 15:00 UTC (moved from 2026-11-25 15:00 UTC: closed on 2026-11-24)" in text


def test_an_announcement_is_registered_once_with_its_user(recorded: RecordedCases) -> None:
    first = recorded.json("calendar", "announce", *TUESDAY, "--as", "fatima")
    again = recorded.run("calendar", "announce", "lby", "2026-11-24", "Something else", "--as", "omar")

    assert first["news"] is True
    assert again.exit_code == ExitCode.DONE
    assert "2026-11-24 is a public holiday in Libya (Day of mourning); staff:fatima announced it" in again.stdout
    listed = recorded.json("calendar", "list", "LBY")
    assert [(each["day"], each["name"], each["announced_by"]) for each in listed] == [
        ("2026-11-24", "Day of mourning", "staff:fatima")
    ]
    assert recorded.json("calendar", "list", "NGA") == []


@pytest.mark.parametrize(
    ("country", "day", "message"),
    [("Libya", "2026-11-24", "there is no calendar for 'Libya'"), ("LBY", "tomorrow", "is not a date")],
)
def test_an_unknown_country_or_an_invalid_date_is_a_usage_error(
    recorded: RecordedCases, country: str, day: str, message: str
) -> None:
    done = recorded.run("calendar", "announce", country, day, "x")
    assert done.exit_code == ExitCode.USAGE
    assert message in " ".join(done.output.split())


def test_a_holiday_on_a_friday_moves_no_due_date_and_the_command_says_so(recorded: RecordedCases) -> None:
    done = recorded.run("calendar", "announce", "LBY", "2026-11-27", "Liberation Day")
    assert done.exit_code == ExitCode.DONE
    assert "no due date moves" in done.stderr
