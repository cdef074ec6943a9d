"""Silence is a fact: when each deadline falls, and that nothing is ever waited for without one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from domain.calendar import CALENDARS, LIBYA, calendar_of, days, hours, working_days
from domain.deadlines import deadlines
from domain.words import ReferralStatus
from tests.builders import (
    Told,
    a_cleared_case,
    a_closed_case,
    a_departed_case,
    a_registered_case,
    a_screened_case,
    folded,
)
from tests.domain.journeys import CASES
from tests.domain.reading import in_order

KIND = "CONSULAR_IDENTITY"
MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told_about(told: Told, kind: str = KIND) -> list[tuple[str, str]]:
    """What was said of one referral's silence, and when."""
    mine = told.referral(kind).referral_id
    return [
        (f"{event.timestamp:%m-%d %H:%M}", str(event.facts["rung"]))
        for event in told.events
        if event.facts.get("rung") and event.facts["referral_id"] == mine
    ]


# Working time


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ("2026-11-23 08:00", working_days(1), "2026-11-24 15:00"),  # Monday: Tuesday, closing time in Tripoli
        ("2026-11-23 08:00", working_days(3), "2026-11-26 15:00"),  # until Thursday
        ("2026-11-23 08:00", working_days(4), "2026-11-29 15:00"),  # Friday and Saturday do not count
        ("2026-11-27 08:00", working_days(1), "2026-11-29 15:00"),  # begun on the weekend
        ("2026-12-23 08:00", working_days(1), "2026-12-27 15:00"),  # 24 December is a holiday, then the weekend
        ("2026-11-23 23:30", working_days(1), "2026-11-25 15:00"),  # half past one on Tuesday in Tripoli
        ("2026-11-23 08:00", hours(72), "2026-11-26 08:00"),
        ("2026-11-26 08:00", days(2), "2026-11-28 08:00"),  # clock days pass on weekends too
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


# The ladder


def test_the_ladder_of_an_embassy_that_never_acknowledges() -> None:
    """Three working days from Monday; then three, five and ten more, Fridays and Saturdays not counted."""
    assert told_about(a_screened_case().after(days=26)) == [
        ("11-24 23:30", "ack.reminder-50"),
        ("11-26 15:00", "ack.overdue"),
        ("11-26 15:00", "ack.reminder-100"),
        ("12-01 15:00", "ack.L1"),
        ("12-03 15:00", "ack.L2"),
        ("12-10 15:00", "ack.L3"),
    ]


def test_a_partner_abroad_is_counted_in_its_own_working_days() -> None:
    told = a_screened_case().having("CreateReferral", kind="RECEPTION").after(days=5)
    assert told_about(told, "RECEPTION")[1:] == [
        ("11-25 16:00", "ack.overdue"),
        ("11-25 16:00", "ack.reminder-100"),
    ]


def test_a_holiday_counts_for_nobody_in_the_country() -> None:
    """24 December is a holiday in Libya; the Friday and Saturday after it are the weekend."""
    told = a_screened_case().at("2026-12-21T08:00:00Z").having("CreateReferral", kind="EXIT_PERMIT").after(days=7)
    assert ("12-27 15:00", "ack.overdue") in told_about(told, "EXIT_PERMIT")


def test_an_urgent_referral_is_escalated_after_one_working_day() -> None:
    told = a_screened_case().having("CreateReferral", kind="EXIT_PERMIT", urgent=True).after(days=26)
    assert ("11-29 15:00", "ack.L1") in told_about(told, "EXIT_PERMIT")


def test_the_awaited_step_puts_timeliness_right_and_begins_the_next() -> None:
    told = a_screened_case().after(days=5)
    assert told.referral(KIND).timeliness == "OVERDUE"
    told.heard(KIND, "ACKNOWLEDGED")
    assert told.referral(KIND).timeliness == "ON_TIME"
    assert told.after(days=21).referral(KIND).timeliness == "OVERDUE"
    assert told_about(told)[-2:] == [("12-17 08:00", "complete.overdue"), ("12-17 08:00", "complete.reminder-100")]


def test_silence_never_ends_a_referral_by_itself() -> None:
    told = a_screened_case().after(days=400)
    assert told.referral(KIND).status == "SENT"
    assert told.referral(KIND).timeliness == "ESCALATED_L3"


def test_silence_that_nobody_confirms_comes_up_again() -> None:
    asked = [
        task.since for task in a_screened_case().after(days=110).case.tasks.values() if "nobody answers" in task.task
    ]
    assert len(asked) >= 3


def test_a_pause_stops_the_clock_and_is_asked_about() -> None:
    told = a_screened_case().heard(KIND, "ACCEPTED").heard(KIND, "PAUSED", reason="strike")
    due = told.referral(KIND).dues["complete"]
    told.after(days=15)
    assert [rung for _, rung in told_about(told)] == ["pause.again-1"]
    told.heard(KIND, "RESUMED")
    assert told.referral(KIND).dues["complete"] == due + timedelta(days=15)
    assert told.referral(KIND).timeliness == "ON_TIME"


def test_an_ended_referral_is_reminded_of_no_more() -> None:
    told = a_screened_case()
    told.having("CancelReferral", referral_id=told.referral(KIND).referral_id, reason="x").after(days=60)
    assert told_about(told) == []


# A message and a deadline at the same moment


def test_an_answer_at_the_very_moment_is_in_time() -> None:
    told = a_screened_case()
    due = told.referral(KIND).dues["ack"]
    told.at(due - timedelta(seconds=1))
    told.now = due
    told.heard(KIND, "ACKNOWLEDGED").after(hours=1)
    assert "ack.overdue" not in [rung for _, rung in told_about(told)]


def test_an_answer_a_second_later_is_late() -> None:
    told = a_screened_case()
    told.at(told.referral(KIND).dues["ack"]).after(seconds=1).heard(KIND, "ACKNOWLEDGED")
    in_order(told.events, "ReferralOverdue[CONSULAR_IDENTITY]", "ReferralAcknowledged[CONSULAR_IDENTITY]")


# Clearances, holds, retention


def test_a_permission_holds_to_the_second_and_ends_the_next() -> None:
    told = a_cleared_case()
    permit = told.clearance("EXIT_PERMIT")
    assert permit is not None
    assert permit.valid_until is not None
    told.at(permit.valid_until)
    before = permit.status
    told.after(seconds=1)
    assert [before, permit.status] == ["VALID", "EXPIRED"]
    assert told.status("DOCUMENTS") == "REOPENED"


def test_nothing_expires_after_departure() -> None:
    told = a_departed_case().after(days=200)
    assert "ClearanceExpired" not in told.names


def test_a_hold_comes_up_for_review_again_and_again() -> None:
    told = a_screened_case().having("PlaceHold", hold_type="LEGAL", reason="x").after(days=43)
    assert Counter(task.task for task in told.case.tasks.values())["review a hold"] == 3


def test_a_reviewed_hold_comes_up_later() -> None:
    told = a_registered_case().having("PlaceHold", hold_type="PROTECTION", reason="x").after(days=6)
    told.having("ReviewHold", hold_id=told.held("PROTECTION").hold_id, decision="goes on").after(days=6)
    assert "TaskRaised" not in told.names
    assert "TaskRaised" in told.after(days=2).names


def test_five_years_after_closing_erasure_is_asked_for_once() -> None:
    told = a_closed_case().after(days=5 * 365)
    assert [task.task for task in told.case.tasks.values()].count("erase personal data") == 1
    assert deadlines(told.case, told.directory) == []


def test_a_closed_case_has_no_deadline_but_that() -> None:
    told = a_closed_case()
    assert [due.kind for due in deadlines(told.case, told.directory)] == ["retention"]


# P9


@pytest.mark.parametrize("journey", CASES)
def test_nothing_is_waited_for_without_a_deadline(journey: str) -> None:
    """P9: every sent referral that has not ended, and every hold, comes up again, at every step of a journey."""
    events = CASES[journey]().events
    for length in range(1, len(events) + 1, 7):
        told = Told(folded(events[:length]))
        if told.case.closed:
            continue
        subjects = {due.subject.partition("/")[0] for due in deadlines(told.case, told.directory)}
        sent = [one for one in told.case.open_referrals() if one.status is not ReferralStatus.DRAFT]
        assert {str(one.referral_id) for one in sent} <= subjects
        assert {str(hold_id) for hold_id in told.case.holds} <= subjects


@pytest.mark.parametrize("status", ["SENT", "ACKNOWLEDGED", "ACCEPTED", "STARTED", "PAUSED"])
@pytest.mark.parametrize("passed", [0, 3, 30, 300])
def test_a_referral_has_a_deadline_however_long_it_is_silent(status: str, passed: int) -> None:
    told = a_screened_case()
    if status != "SENT":
        told.heard(KIND, status)
    told.after(days=passed)
    mine = str(told.referral(KIND).referral_id)
    assert [due for due in deadlines(told.case, told.directory) if due.subject.startswith(mine) and due.due > told.now]


def test_no_two_silences_of_a_journey_share_an_identity() -> None:
    """A step that starts late may have the same due moment lapse again; what is told is told once."""
    told = a_screened_case().after(days=40)
    told.heard("CONSULAR_IDENTITY", "ACCEPTED").after(days=2)
    told.heard("CONSULAR_IDENTITY", "STARTED").after(days=10)
    rungs = [(event.facts["referral_id"], event.facts["rung"]) for event in told.events if "rung" in event.facts]
    assert len(rungs) == len(set(rungs))
