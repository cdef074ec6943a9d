"""Escalation of referrals without a response: due dates, reminders, levels, and confirmation of expiry by staff.

See rules ESCALATION.LADDER, ESCALATION.LEVELS, CALENDAR.ANNOUNCED_HOLIDAY.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.case.referral import SAID, Referral
from domain.casework.deadlines import deadlines
from domain.kernel.policy import NEWEST, ResponseTimes
from domain.kernel.vocabulary import PUBLIC_KIND, ReferralKind, ReferralStatus
from domain.kernel.working_time import LIBYA
from domain.referral.escalation import due_date, next_escalation_step
from tests.support.assertions import assert_in_order
from tests.support.builders import PARTNERS, CaseScenario, a_registered_case, a_screened_case

EMBASSY = "CONSULAR_IDENTITY"

STEPS = ("ack", "accept", "start", "complete")


def steps_of(scenario: CaseScenario, kind: str = EMBASSY) -> list[tuple[str, str]]:
    """The escalation steps recorded for one referral, and when."""
    mine = scenario.referral(kind).referral_id
    return [
        (f"{event.timestamp:%m-%d %H:%M}", str(event.facts["rung"]))
        for event in scenario.events
        if event.facts.get("rung") and event.facts["referral_id"] == mine
    ]


def names(scenario: CaseScenario, kind: str = EMBASSY) -> list[str]:
    return [step for _, step in steps_of(scenario, kind)]


# Due dates

EVERY_ANSWER = [*NEWEST.pinned.answers.items(), *NEWEST.pinned.urgent.items()]


@pytest.mark.parametrize(("kind", "answer"), EVERY_ANSWER, ids=lambda found: str(found)[:30])
def test_each_step_is_due_after_the_one_before_it_and_the_request_stands_longest(
    kind: ReferralKind, answer: ResponseTimes
) -> None:
    due = [LIBYA.after(datetime(2026, 11, 23, 8, 0, tzinfo=UTC), span) for span in answer.spans().values()]
    assert due == sorted(due)


@pytest.mark.parametrize(("kind", "answer"), EVERY_ANSWER, ids=lambda found: str(found)[:30])
def test_where_a_life_may_be_at_risk_only_clock_time_counts(kind: ReferralKind, answer: ResponseTimes) -> None:
    if answer.life:
        spans = [*answer.spans().values(), *NEWEST.pinned.life_escalations.values()]
        assert {span.unit for span in spans} <= {"h", "d"}


@pytest.mark.parametrize("kind", sorted(set(NEWEST.pinned.urgent) - {ReferralKind.MEDICAL_EVACUATION}))
def test_urgent_referrals_are_due_sooner(kind: ReferralKind) -> None:
    urgent, usual = NEWEST.pinned.answer(kind, urgent=True), NEWEST.pinned.answer(kind, urgent=False)
    monday = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert LIBYA.after(monday, urgent.complete) <= LIBYA.after(monday, usual.complete)
    assert LIBYA.after(monday, urgent.ack) <= LIBYA.after(monday, usual.ack)


@pytest.mark.parametrize("kind", sorted(set(ReferralKind)))
@pytest.mark.parametrize("urgent", [False, True])
def test_no_deadline_tells_the_true_kind_of_a_referral(kind: ReferralKind, urgent: bool) -> None:
    public = PUBLIC_KIND.get(kind, kind)
    assert NEWEST.pinned.answer(kind, urgent=urgent) == NEWEST.pinned.answer(public, urgent=urgent)


def test_a_sent_referral_has_all_five_due_dates() -> None:
    assert set(a_screened_case().referral(EMBASSY).dues) == {*STEPS, "stands"}


@pytest.mark.parametrize(
    ("signals", "owed"),
    [
        ((), "ack"),
        (("ACKNOWLEDGED",), "accept"),
        (("ACCEPTED",), "start"),
        (("STARTED",), "complete"),
        (("ACCEPTED", "PAUSED"), None),
        (("ACCEPTED", "PAUSED", "RESUMED"), "complete"),
        (("REJECTED",), None),
    ],
)
def test_each_step_makes_the_next_one_owed(signals: tuple[str, ...], owed: str | None) -> None:
    scenario = a_screened_case()
    for signal in signals:
        scenario.having_signal(EMBASSY, signal)
    assert scenario.referral(EMBASSY).awaited == owed


def test_a_partner_that_never_reports_the_start_still_owes_the_completion() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED").after(days=26)
    assert {"start.overdue", "start.L1", "complete.overdue"} <= set(names(scenario))
    assert not {"start.L2", "start.L3"} & set(names(scenario)), "the start is escalated to the first level only"


def test_a_kind_without_a_start_step_owes_the_completion() -> None:
    assert (
        a_screened_case().having_signal("MEDICAL_ASSESSMENT", "ACCEPTED").referral("MEDICAL_ASSESSMENT").awaited
        == "complete"
    )


# Escalation steps


def test_the_escalation_steps_of_an_embassy_that_never_acknowledges() -> None:
    """Three working days from Monday, then three more, then five more with the digest of the next morning."""
    scenario = a_screened_case().after(days=26)
    assert steps_of(scenario) == [
        ("11-24 23:30", "ack.reminder-50"),
        ("11-26 15:00", "ack.overdue"),
        ("11-26 15:00", "ack.reminder-100"),
        ("12-01 15:00", "ack.L1"),
        ("12-06 07:00", "ack.L2"),
    ]
    assert_in_order(
        scenario.events,
        "ReferralReminderSent[embassy-nga ack ack.reminder-50]",
        "ReferralOverdue[embassy-nga ack]",
        "ReferralReminderSent[embassy-nga ack ack.reminder-100]",
        "ReferralEscalated[embassy-nga L1 CASE_SUPERVISOR]",
        "ReferralEscalated[embassy-nga L2 PROGRAMME_MANAGER]",
    )


def test_a_partner_abroad_has_its_own_working_days() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="RECEPTION").after(days=5)
    assert steps_of(scenario, "RECEPTION")[1:] == [("11-25 16:00", "ack.overdue"), ("11-25 16:00", "ack.reminder-100")]


def test_a_holiday_is_no_working_day_in_its_country() -> None:
    """24 December is a holiday in Libya; the Friday and Saturday after it are the weekend."""
    scenario = a_screened_case().at("2026-12-21T08:00:00Z").having("CreateReferral", kind="EXIT_PERMIT").after(days=7)
    assert ("12-27 15:00", "ack.overdue") in steps_of(scenario, "EXIT_PERMIT")


@pytest.mark.parametrize("why", ["urgent", "P1_LIFE_SAVING", "P2_HIGHLY_VULNERABLE"])
def test_an_urgent_referral_is_escalated_after_one_working_day(why: str) -> None:
    scenario = a_screened_case()
    if why != "urgent":
        scenario.having("SetPriority", priority=why, basis="need")
    scenario.having("CreateReferral", kind="EXIT_PERMIT", urgent=why == "urgent").after(days=26)
    assert ("11-29 15:00", "ack.L1") in steps_of(scenario, "EXIT_PERMIT")


def test_the_first_level_raises_a_task_per_referral_and_the_second_raises_none() -> None:
    scenario = a_screened_case().after(days=30)
    tasks = [task for task in scenario.case.tasks.values() if task.task == "a partner does not answer"]
    assert len(tasks) == len({step for step in names(scenario) if step.endswith(".L1")}) + len(
        {step for step in names(scenario, "MEDICAL_ASSESSMENT") if step.endswith(".L1")}
    )
    assert {task.queue for task in tasks} == {"CASE_SUPERVISOR"}
    assert "PROGRAMME_MANAGER" not in {task.queue for task in scenario.case.tasks.values()}


def test_levels_above_the_first_are_escalated_together_in_the_morning() -> None:
    scenario = a_screened_case().after(days=30)
    second = {
        when[6:] for kind in (EMBASSY, "MEDICAL_ASSESSMENT") for when, step in steps_of(scenario, kind) if ".L2" in step
    }
    assert second == {"07:00"}, "nine o'clock in Tripoli"


def test_the_third_level_is_reached_only_where_a_life_is_at_risk() -> None:
    scenario = a_screened_case().after(days=400)
    assert "L3" not in "".join(names(scenario))
    assert scenario.referral(EMBASSY).timeliness == "ESCALATED_L2"


def a_survivor() -> CaseScenario:
    scenario = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    return scenario.having("CreateReferral", kind="VOT_ASSISTANCE")


def test_a_life_at_risk_is_escalated_to_the_third_level_by_clock_time() -> None:
    scenario = a_survivor().after(days=4)
    assert steps_of(scenario, "VOT_ASSISTANCE") == [
        ("11-23 10:00", "ack.reminder-50"),
        ("11-23 12:00", "ack.overdue"),
        ("11-23 12:00", "ack.reminder-100"),
        ("11-23 16:00", "ack.L1"),
        ("11-24 12:00", "ack.L2"),
        ("11-25 12:00", "ack.L3"),
    ]
    tasks = [(task.task, task.queue) for task in scenario.case.tasks.values()]
    assert ("a life may be at risk: nobody answers", "CHIEF_OF_MISSION") in tasks


def test_a_life_saving_case_is_escalated_to_the_third_level_for_any_kind() -> None:
    scenario = a_screened_case().having("SetPriority", priority="P1_LIFE_SAVING", basis="need").after(days=30)
    assert "ack.L3" in names(scenario)


@pytest.mark.parametrize("kind", ["VOT_ASSISTANCE", "GBV_SERVICES", "MEDICAL_EVACUATION"])
def test_some_kinds_never_wait_their_turn(kind: str) -> None:
    scenario = a_screened_case()
    scenario.directory = replace(
        PARTNERS, partners={"p": replace(PARTNERS.partners["partner-012"], kinds=frozenset(ReferralKind))}
    )
    assert scenario.having("CreateReferral", kind=kind).referral(kind).urgent


def test_a_survivors_due_dates_count_from_the_first_partner() -> None:
    """SC-21: the second safe house has the remaining time of the first, and never less than the time to accept."""
    scenario = a_survivor().after(hours=30)
    first = scenario.referral("VOT_ASSISTANCE")
    began = first.sent_at
    scenario.having_signal("VOT_ASSISTANCE", "REJECTED", "NO_CAPACITY")
    scenario.having("ReassignReferral", referral_id=first.referral_id, partner_id="partner-047", reason="full")
    second = scenario.referral("VOT_ASSISTANCE")
    assert began is not None
    assert second.dues["complete"] == began + timedelta(days=7)
    assert second.dues["ack"] == scenario.now + timedelta(hours=4)
    assert due_date(scenario.case, second, "complete", LIBYA) == second.dues["complete"], (
        "a holiday does not extend clock time"
    )
    scenario.after(days=10).having_signal("VOT_ASSISTANCE", "REJECTED", "NO_CAPACITY")
    scenario.having("ReassignReferral", referral_id=second.referral_id, partner_id="partner-046", reason="full")
    assert scenario.referral("VOT_ASSISTANCE").dues["complete"] == scenario.now + timedelta(hours=8)


# Late steps


def test_the_awaited_step_resets_timeliness_and_starts_the_next() -> None:
    scenario = a_screened_case().after(days=5)
    assert scenario.referral(EMBASSY).timeliness == "OVERDUE"
    scenario.having_signal(EMBASSY, "ACKNOWLEDGED").having_signal(EMBASSY, "ACCEPTED").having_signal(EMBASSY, "STARTED")
    assert scenario.referral(EMBASSY).timeliness == "ON_TIME"
    assert scenario.after(days=20).referral(EMBASSY).timeliness == "OVERDUE"
    assert steps_of(scenario)[-2:] == [("12-17 08:00", "complete.overdue"), ("12-17 08:00", "complete.reminder-100")]


def test_a_partner_late_with_one_step_has_the_time_of_the_first_for_the_next() -> None:
    scenario = a_screened_case().after(days=14).having_signal(EMBASSY, "ACKNOWLEDGED")
    assert scenario.referral(EMBASSY).timeliness == "ON_TIME"
    assert scenario.referral(EMBASSY).dues["accept"] == LIBYA.after(
        scenario.now, NEWEST.pinned.answers[ReferralKind(EMBASSY)].ack
    )


def test_the_start_does_not_reset_an_overdue_completion() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED").after(days=25)
    assert scenario.referral(EMBASSY).timeliness in ("OVERDUE", "ESCALATED_L1")
    scenario.having_signal(EMBASSY, "STARTED")
    assert scenario.referral(EMBASSY).timeliness == "OVERDUE", "the completion is still owed"


def test_a_file_that_went_to_the_capital_takes_longer() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED").after(days=10)
    scenario.having_signal(EMBASSY, "PROGRESS", "VERIFICATION_IN_CAPITAL")
    assert scenario.referral(EMBASSY).dues["complete"] == scenario.now + timedelta(days=45)
    assert "complete.overdue" not in names(scenario.after(days=44))
    assert "complete.overdue" in names(scenario.after(days=1))


# Pauses


def test_a_pause_stops_the_due_dates_and_is_reviewed() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED").having_signal(EMBASSY, "PAUSED", reason="strike")
    due = scenario.referral(EMBASSY).dues["complete"]
    scenario.after(days=15)
    assert names(scenario) == ["pause-1.again-1"]
    assert [task.task for task in scenario.case.tasks.values()][-1] == "ask about a paused referral"
    scenario.having_signal(EMBASSY, "RESUMED")
    assert scenario.referral(EMBASSY).dues["complete"] == due + timedelta(days=15)
    assert scenario.referral(EMBASSY).timeliness == "ON_TIME"


def test_a_pause_past_its_announced_end_is_reviewed_the_next_morning() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED").having_signal(EMBASSY, "PAUSED", until="2026-11-25")
    assert steps_of(scenario.after(days=9)) == [("11-26 07:00", "pause-1.over")]


def test_a_step_overdue_before_a_pause_is_overdue_after_it() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "STARTED").after(days=25)
    assert scenario.referral(EMBASSY).timeliness == "OVERDUE"
    assert scenario.having_signal(EMBASSY, "PAUSED").referral(EMBASSY).timeliness == "ON_TIME"
    assert scenario.after(days=3).having_signal(EMBASSY, "RESUMED").referral(EMBASSY).timeliness == "OVERDUE"


def test_staff_may_pause_and_resume_a_referral_in_progress() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED")
    order = {"referral_id": scenario.referral(EMBASSY).referral_id}
    scenario.having("PauseReferral", **order, reason="she is in hospital").after(days=4)
    assert scenario.referral(EMBASSY).status == "ON_HOLD"
    assert scenario.named("ReferralPaused")[-1].say() == "Consular identity verification: referral paused by IOM."
    scenario.having("ResumeReferral", **order)
    assert scenario.referral(EMBASSY).status == "IN_PROGRESS"
    assert scenario.refused("ResumeReferral", **order).rule == "REFERRAL.NOT_PAUSED"


def test_only_a_referral_in_progress_is_paused() -> None:
    scenario = a_screened_case()
    order = {"referral_id": scenario.referral(EMBASSY).referral_id, "reason": "x"}
    assert scenario.refused("PauseReferral", **order).rule == "REFERRAL.NOT_UNDER_WAY"


# Expiry


def test_no_referral_ends_automatically_without_a_response() -> None:
    assert a_screened_case().after(days=400).referral(EMBASSY).status == "SENT"


def test_the_task_to_confirm_expiry_is_raised_again() -> None:
    scenario = a_screened_case().after(days=110)
    assert [task.task for task in scenario.case.tasks.values()].count("confirm that nobody answers") >= 3


def test_expiry_can_be_confirmed_only_when_overdue() -> None:
    scenario = a_screened_case().after(days=2)
    assert scenario.referral(EMBASSY).timeliness == "REMINDED"
    order = {"referral_id": scenario.referral(EMBASSY).referral_id, "reason": "x"}
    assert scenario.refused("ConfirmReferralExpiry", **order).rule == "REFERRAL.NOT_OVERDUE"
    scenario.after(days=2).having("ConfirmReferralExpiry", **order)
    assert scenario.referral(EMBASSY).status == "EXPIRED"
    assert list(scenario.case.tasks.values())[-1].task == "reassign a referral"
    assert scenario.named("ReferralExpired")[-1].facts["reason"] == "x"


def test_an_ended_referral_gets_no_reminders() -> None:
    scenario = a_screened_case()
    scenario.having("CancelReferral", referral_id=scenario.referral(EMBASSY).referral_id, reason="x").after(days=60)
    assert names(scenario) == []


# A message and a deadline at the same moment


def test_a_response_at_the_due_time_is_in_time() -> None:
    scenario = a_screened_case()
    due = scenario.referral(EMBASSY).dues["ack"]
    scenario.at(due - timedelta(seconds=1))
    scenario.now = due
    scenario.having_signal(EMBASSY, "ACKNOWLEDGED").after(hours=1)
    assert "ack.overdue" not in names(scenario)


def test_a_response_one_second_after_the_due_time_is_late() -> None:
    scenario = a_screened_case()
    scenario.at(scenario.referral(EMBASSY).dues["ack"]).after(seconds=1).having_signal(EMBASSY, "ACKNOWLEDGED")
    assert_in_order(scenario.events, "ReferralOverdue[CONSULAR_IDENTITY]", "ReferralAcknowledged[CONSULAR_IDENTITY]")


# Holidays announced the evening before


def announced(scenario: CaseScenario, *days: str) -> CaseScenario:
    scenario.directory = replace(scenario.directory, holidays={"LBY": frozenset(map(date.fromisoformat, days))})
    return scenario


def test_a_new_holiday_moves_open_deadlines() -> None:
    scenario = announced(a_screened_case().after(days=1), "2026-11-25", "2026-11-26").after(days=7)
    assert ("11-30 15:00", "ack.overdue") in steps_of(scenario), "two days later, with a weekend in between"


def test_a_new_holiday_changes_no_recorded_step() -> None:
    scenario = a_screened_case().after(days=5)
    before = steps_of(scenario)
    announced(scenario, "2026-11-24", "2026-11-25")
    assert steps_of(scenario) == before
    assert [due for due in deadlines(scenario.case, scenario.directory) if due.due < scenario.now] == []


def test_a_withdrawn_holiday_makes_nothing_due_sooner() -> None:
    scenario = announced(a_screened_case(), "2026-11-26").having("CreateReferral", kind="EXIT_PERMIT")
    announced(scenario).after(days=7)
    assert ("11-29 15:00", "ack.overdue") in steps_of(scenario, "EXIT_PERMIT")


def test_a_holiday_moves_no_deadline_in_clock_time() -> None:
    scenario = a_survivor()
    due = scenario.referral("VOT_ASSISTANCE").dues["ack"]
    assert (f"{due:%m-%d %H:%M}", "ack.overdue") in steps_of(
        announced(scenario, "2026-11-23", "2026-11-24").after(hours=6), "VOT_ASSISTANCE"
    )


def test_a_partners_calendar_has_the_holidays_of_its_country() -> None:
    scenario = announced(a_screened_case().having("CreateReferral", kind="RECEPTION"), "2026-11-24", "2026-11-25")
    assert ("11-25 16:00", "ack.overdue") in steps_of(scenario.after(days=5), "RECEPTION"), (
        "Libya's holiday is not Nigeria's"
    )


# Long periods without a response


@pytest.mark.parametrize("status", ["SENT", "ACKNOWLEDGED", "ACCEPTED", "STARTED", "PAUSED"])
@pytest.mark.parametrize("passed", [0, 3, 30, 300])
def test_a_referral_without_a_response_always_has_a_deadline(status: str, passed: int) -> None:
    scenario = a_screened_case()
    if status != "SENT":
        scenario.having_signal(EMBASSY, status)
    scenario.after(days=passed)
    mine = str(scenario.referral(EMBASSY).referral_id)
    assert [
        due
        for due in deadlines(scenario.case, scenario.directory)
        if due.subject.startswith(mine) and due.due > scenario.now
    ]


class UnresponsivePartner(RuleBasedStateMachine):
    """A partner that sends few signals while time passes in steps of any length: each step is recorded once, in order."""

    @initialize()
    def a_case_is_screened(self) -> None:
        self.scenario = a_screened_case()
        self.mine = self.scenario.referral(EMBASSY).referral_id

    @property
    def referral(self) -> Referral:
        return self.scenario.case.referrals[self.mine]

    @rule(hours=st.integers(1, 24 * 30))
    def time_passes(self, hours: int) -> None:
        self.scenario.after(hours=hours)

    @rule()
    def a_month_passes_day_by_day(self) -> None:
        for _ in range(30):
            self.scenario.after(days=1)

    @precondition(lambda self: not self.referral.over)
    @rule(signal=st.sampled_from(["ACKNOWLEDGED", "ACCEPTED", "STARTED", "PROGRESS", "PAUSED", "RESUMED"]))
    def the_partner_sends_a_signal(self, signal: str) -> None:
        self.scenario.having_signal(EMBASSY, signal)

    @precondition(lambda self: not self.referral.over)
    @rule(days=st.sets(st.dates(date(2026, 11, 24), date(2027, 6, 1)), max_size=3))
    def holidays_are_announced(self, days: set[date]) -> None:
        known = self.scenario.directory.holidays.get("LBY", frozenset())
        self.scenario.directory = replace(self.scenario.directory, holidays={"LBY": known | frozenset(days)})

    @property
    def recorded(self) -> list[Any]:
        return [
            event
            for event in self.scenario.events
            if event.facts.get("referral_id") == self.mine and "rung" in event.facts
        ]

    @invariant()
    def each_step_is_recorded_once(self) -> None:
        names = [event.facts["rung"] for event in self.recorded]
        assert len(names) == len(set(names))

    @invariant()
    def steps_are_in_order(self) -> None:
        at = [event.timestamp for event in self.recorded]
        assert at == sorted(at)
        for step in STEPS:
            levels = [
                event.facts["rung"].partition(".")[2] for event in self.recorded if event.facts["rung"].startswith(step)
            ]
            known = [list(SAID).index(level) for level in levels if level in SAID]
            assert known == sorted(known)
            assert known == list(range(len(known))), "no step is left out"

    @invariant()
    def a_next_step_is_always_due(self) -> None:
        if self.referral.over or self.referral.status is ReferralStatus.DRAFT:
            return
        step = next_escalation_step(self.scenario.case, self.referral, self.scenario.directory)
        assert step is not None
        assert step[1] >= self.scenario.now


UnresponsivePartner.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)

TestEachEscalationStepIsRecordedOnceAndInOrder = UnresponsivePartner.TestCase


def test_no_escalation_step_is_recorded_twice() -> None:
    """A step that starts late may have the same due time again; each escalation step is still recorded once."""
    scenario = a_screened_case().after(days=40)
    scenario.having_signal(EMBASSY, "ACCEPTED").after(days=2)
    scenario.having_signal(EMBASSY, "STARTED").after(days=10)
    found = [(event.facts["referral_id"], event.facts["rung"]) for event in scenario.events if "rung" in event.facts]
    assert len(found) == len(set(found))
