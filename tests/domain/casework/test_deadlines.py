"""Deadlines: when each one falls, and that nothing is awaited without one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from domain.casework.deadlines import deadlines
from domain.kernel.vocabulary import ReferralStatus
from domain.kernel.working_time import CALENDARS, LIBYA, calendar_of, days, hours, working_days
from tests.support.builders import (
    CaseScenario,
    a_cleared_case,
    a_closed_case,
    a_departed_case,
    a_registered_case,
    a_screened_case,
    folded,
)
from tests.support.journeys import CASES

KIND = "CONSULAR_IDENTITY"

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Working time


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ("2026-11-23 08:00", working_days(1), "2026-11-24 15:00"),  # Monday: Tuesday, closing time in Tripoli
        ("2026-11-23 08:00", working_days(3), "2026-11-26 15:00"),  # until Thursday
        ("2026-11-23 08:00", working_days(4), "2026-11-29 15:00"),  # Friday and Saturday do not count
        ("2026-11-27 08:00", working_days(1), "2026-11-29 15:00"),  # starts on the weekend
        ("2026-12-23 08:00", working_days(1), "2026-12-27 15:00"),  # 24 December is a holiday, then the weekend
        ("2026-11-23 23:30", working_days(1), "2026-11-25 15:00"),  # half past one on Tuesday in Tripoli
        ("2026-11-23 08:00", hours(72), "2026-11-26 08:00"),
        ("2026-11-26 08:00", days(2), "2026-11-28 08:00"),  # calendar days include weekends
    ],
)
def test_a_span_ends_when_the_calendar_says(start: str, span: object, end: str) -> None:
    assert LIBYA.after(at(start), span) == at(end)  # type: ignore[arg-type]


def test_each_country_has_its_own_weekend_and_hour() -> None:
    assert CALENDARS["NGA"].after(at("2026-11-26 08:00"), working_days(1)) == at("2026-11-27 16:00")
    assert LIBYA.after(at("2026-11-26 08:00"), working_days(1)) == at("2026-11-29 15:00")


def test_a_country_without_a_calendar_works_in_libyas() -> None:
    assert calendar_of("XXX") is LIBYA
    assert calendar_of(None) is LIBYA


def test_working_days_are_not_counted_backwards() -> None:
    with pytest.raises(ValueError, match="before a moment is not defined"):
        LIBYA.before(MONDAY, working_days(2))


# Clearances, holds, retention


def test_a_permission_holds_to_the_second_and_ends_the_next() -> None:
    scenario = a_cleared_case()
    permit = scenario.clearance("EXIT_PERMIT")
    assert permit is not None
    assert permit.valid_until is not None
    scenario.at(permit.valid_until)
    before = permit.status
    scenario.after(seconds=1)
    assert [before, permit.status] == ["VALID", "EXPIRED"]
    assert scenario.status("DOCUMENTS") == "REOPENED"


def test_nothing_expires_after_departure() -> None:
    scenario = a_departed_case().after(days=200)
    assert "ClearanceExpired" not in scenario.names


def test_a_hold_comes_up_for_review_again_and_again() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="LEGAL", reason="x").after(days=43)
    assert Counter(task.task for task in scenario.case.tasks.values())["review a hold"] == 3


def test_a_reviewed_hold_comes_up_later() -> None:
    scenario = a_registered_case().having("PlaceHold", hold_type="PROTECTION", reason="x").after(days=6)
    scenario.having("ReviewHold", hold_id=scenario.held("PROTECTION").hold_id, decision="goes on").after(days=6)
    assert "TaskRaised" not in scenario.names
    assert "TaskRaised" in scenario.after(days=2).names


def test_five_years_after_closing_erasure_is_asked_for_once() -> None:
    scenario = a_closed_case().after(days=5 * 365)
    assert [task.task for task in scenario.case.tasks.values()].count("erase personal data") == 1
    assert deadlines(scenario.case, scenario.directory) == []


def test_a_closed_case_has_no_deadline_but_that() -> None:
    scenario = a_closed_case()
    assert [due.kind for due in deadlines(scenario.case, scenario.directory)] == ["retention"]


# P9


@pytest.mark.parametrize("journey", CASES)
def test_nothing_is_waited_for_without_a_deadline(journey: str) -> None:
    """P9: every open referral and every hold has a deadline, at every step of a journey."""
    events = CASES[journey]().events
    for length in range(1, len(events) + 1, 7):
        scenario = CaseScenario(folded(events[:length]))
        if scenario.case.closed:
            continue
        subjects = {due.subject.partition("/")[0] for due in deadlines(scenario.case, scenario.directory)}
        sent = [one for one in scenario.case.open_referrals() if one.status is not ReferralStatus.DRAFT]
        assert {str(one.referral_id) for one in sent} <= subjects
        assert {str(hold_id) for hold_id in scenario.case.holds} <= subjects
