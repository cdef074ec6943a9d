"""What a partner may say, row by row.

See rules SIGNAL.DISPOSITION, SIGNAL.STATEMENT, SIGNAL.RESTRICTS_AT_ONCE, SIGNAL.SAME_OUTCOME.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clearance.nationality import nationality_confirmed
from domain.kernel.errors import Unroutable
from domain.signals.handler import line_of
from tests.support.assertions import assert_in_order, neutral
from tests.support.builders import (
    FLIGHT,
    NAMESPACE,
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_closed_case,
    a_departed_case,
    a_frozen_case,
    a_received_case,
    a_screened_case,
    a_seated_case,
    an_arrived_case,
)

CLINIC = "MEDICAL_ASSESSMENT"

EMBASSY = "CONSULAR_IDENTITY"

GOOD = "NO_SIGNIFICANT_CONDITION"

ONE = uuid5(NAMESPACE, "one signal")


def causes(events: list[Any]) -> list[tuple[str, str]]:
    """What became of a signal, and why."""
    word = {"PartnerSignalIgnored": "cause", "PartnerSignalQuarantined": "cause", "LateSignalRecorded": "disposition"}
    return [(event.name, event.facts[word[event.name]]) for event in events if event.name in word]


# The same signal again


def test_the_same_signal_again_changes_nothing() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD, signal_id=ONE)
    before = told.referral(CLINIC).outcome_version
    assert causes(told.partner_says(CLINIC, "COMPLETED", GOOD, signal_id=ONE)) == [
        ("PartnerSignalIgnored", "ALREADY_HEARD")
    ]
    assert told.referral(CLINIC).outcome_version == before


def test_progress_that_comes_twice_under_its_id_is_recorded_once() -> None:
    told = a_screened_case()
    for _ in range(3):
        told.heard(EMBASSY, "PROGRESS", "MORE_INFO", signal_id=ONE, payload={"file_no": "7"})
    assert told.names.count("ReferralProgressReported") == 1
    assert told.names.count("PartnerSignalIgnored") == 2


@pytest.mark.parametrize(
    "other",
    [
        {"signal": "COMPLETED", "outcome": "TREATMENT_REQUIRED"},
        {"signal": "COMPLETED", "outcome": GOOD, "payload": {"mobility_class": "2"}},
        {"signal": "COMPLETED", "outcome": GOOD, "reason": "another person"},
        {"signal": "FAILED", "outcome": GOOD},
    ],
)
def test_the_same_id_for_something_else_waits_for_a_person(other: dict[str, Any]) -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD, signal_id=ONE)
    said = told.partner_says(CLINIC, signal_id=ONE, **other)
    assert causes(said) == [("PartnerSignalQuarantined", "CONFLICTING_DUPLICATE")]
    assert told.referral(CLINIC).outcome == GOOD
    assert "GATE.SIGNAL.IN_DOUBT" in told.failures()


def test_one_id_for_two_steps_is_no_repeat() -> None:
    told = a_screened_case().heard(EMBASSY, "ACKNOWLEDGED", signal_id=ONE)
    assert causes(told.partner_says(EMBASSY, "ACCEPTED", signal_id=ONE)) == [
        ("PartnerSignalQuarantined", "CONFLICTING_DUPLICATE")
    ]


# The same meaning again, and another one


def test_the_same_outcome_under_a_new_id_is_noise() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD)
    assert causes(told.partner_says(CLINIC, "COMPLETED", GOOD)) == [
        ("PartnerSignalIgnored", "ALREADY_TERMINAL_SAME_OUTCOME")
    ]


def test_what_was_ignored_keeps_what_it_said() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD)
    ignored = told.partner_says(CLINIC, "PROGRESS", payload={"mobility_class": "2"})[0]
    assert ignored.name == "PartnerSignalIgnored"
    assert ignored.facts["care_answer"]["payload"] == {"mobility_class": "2"}
    assert "mobility_class" not in neutral(ignored)


def test_an_amendment_that_repeats_what_counts_is_noise() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD).heard(CLINIC, "AMENDED", "TREATMENT_REQUIRED")
    signal = next(iter(told.referral(CLINIC).disputed))
    told.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the doctor called")
    assert causes(told.partner_says(CLINIC, "AMENDED", "TREATMENT_REQUIRED")) == [
        ("PartnerSignalIgnored", "ALREADY_TERMINAL_SAME_OUTCOME")
    ]


def test_another_outcome_waits_for_a_person_and_the_first_one_stands() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD)
    assert causes(told.partner_says(CLINIC, "COMPLETED", "TREATMENT_REQUIRED")) == [
        ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    ]
    assert told.referral(CLINIC).outcome == GOOD


def test_a_doubt_that_waits_already_is_not_put_to_a_person_twice() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD).heard(CLINIC, "COMPLETED", "TREATMENT_REQUIRED")
    assert causes(told.partner_says(CLINIC, "COMPLETED", "TREATMENT_REQUIRED")) == [
        ("PartnerSignalIgnored", "ALREADY_IN_QUARANTINE")
    ]
    assert len(told.referral(CLINIC).disputed) == 1
    assert causes(told.partner_says(CLINIC, "COMPLETED", "UNFIT_LONG_TERM")) == [
        ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    ]


# 00, rule 5: "the same" is judged by content


def a_delivered_item(**payload: Any) -> CaseScenario:
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    told = a_received_case().having("DraftPlan", items=(item,), signed_by_returnee=True).having("ApprovePlan")
    return told.heard("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload=payload)


def test_a_delivery_with_a_date_of_its_own_is_a_second_fact_and_is_shown() -> None:
    told = a_delivered_item(delivered_on="2026-12-13")
    said = told.partner_says("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": "2026-12-14"})
    assert [event.name for event in said] == ["ReferralReportedAgain", "AssistanceItemDelivered", "TaskRaised"]
    assert told.names.count("AssistanceItemDelivered") == 2
    assert [task.task for task in told.case.tasks.values()] == ["item delivered twice"]
    assert not told.referral("REINTEGRATION_SERVICE").disputed, "the person is not punished for it"


def test_a_delivery_reported_again_with_nothing_of_its_own_is_noise() -> None:
    told = a_delivered_item(delivered_on="2026-12-13")
    for _ in range(2):
        said = told.partner_says(
            "REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": "2026-12-13"}
        )
        assert causes(said) == [("PartnerSignalIgnored", "ALREADY_TERMINAL_SAME_OUTCOME")]


def test_a_second_delivery_that_is_reported_twice_is_one_delivery() -> None:
    told = a_delivered_item(delivered_on="2026-12-13")
    for _ in range(3):
        told.heard("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": "2026-12-14"})
    assert told.names.count("AssistanceItemDelivered") == 2


# Out of order


def test_done_before_yes_is_applied_and_the_missing_steps_are_inferred() -> None:
    told = a_screened_case()
    completed = told.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")[0]
    assert completed.facts["inferred_steps"] == ("ACCEPTED", "STARTED")
    assert nationality_confirmed(told.case)


def test_begun_before_yes_is_applied_and_the_yes_is_inferred() -> None:
    assert a_screened_case().partner_says(EMBASSY, "STARTED")[0].facts["inferred_steps"] == ("ACCEPTED",)


def test_yes_after_done_is_ignored_with_its_reason() -> None:
    told = a_screened_case().heard(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert causes(told.partner_says(EMBASSY, "ACCEPTED")) == [("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")]


def test_a_yes_with_a_word_of_its_own_counts_although_the_partner_had_begun() -> None:
    """Whatever the order, reception is confirmed; a bare yes that was overtaken is only noise."""
    told = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    told.at("2026-12-01T08:00:00Z").heard("RECEPTION", "STARTED")
    assert told.clearance("RECEPTION_CONFIRMED") is None
    assert causes(told.partner_says("RECEPTION", "ACCEPTED")) == [("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")]
    told.heard("RECEPTION", "ACCEPTED", "CONFIRMED")
    granted = told.clearance("RECEPTION_CONFIRMED")
    assert granted is not None
    assert granted.status == "VALID"
    assert told.referral("RECEPTION").status == "IN_PROGRESS"


@pytest.mark.parametrize("seq", [1, 2])
def test_older_progress_is_kept_and_changes_nothing(seq: int) -> None:
    told = a_screened_case().heard(EMBASSY, "STARTED").heard(EMBASSY, "PROGRESS", partner_seq=2)
    said = told.partner_says(EMBASSY, "PROGRESS", "MORE_INFO", partner_seq=seq, payload={"file_no": "7"})
    assert causes(said) == [("PartnerSignalIgnored", "STALE_SEQUENCE")]
    assert said[0].facts["answer"]["payload"] == {"file_no": "7"}
    assert told.referral(EMBASSY).last_seq == 2


def test_a_refusal_of_what_has_begun_contradicts_and_waits_for_a_person() -> None:
    told = a_screened_case().heard(EMBASSY, "STARTED").heard(EMBASSY, "REJECTED", "NOT_ELIGIBLE")
    signal = next(iter(told.referral(EMBASSY).disputed))
    told.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="they stopped")
    assert told.referral(EMBASSY).status == "FAILED"


def test_a_partner_that_gives_up_is_told_apart_from_one_that_failed() -> None:
    assert a_screened_case().partner_says(EMBASSY, "PARTNER_CANCELLED")[0].facts["why"] == "PARTNER_WITHDREW"
    assert a_screened_case().partner_says(EMBASSY, "FAILED")[0].facts["why"] == "PARTNER_FAILED"


# Outcomes that end nothing, and services that come after the flight


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (EMBASSY, "VERIFICATION_IN_CAPITAL"),
        ("TRAVEL_DOCUMENT", "REQUIRES_ITINERARY"),
        ("TRAVEL_DOCUMENT", "FEE_REQUIRED"),
        ("EXIT_PERMIT", "MORE_INFO"),
    ],
)
def test_done_with_an_outcome_that_ends_nothing_is_progress(kind: str, code: str) -> None:
    told = a_screened_case()
    if kind != EMBASSY:
        told.having("CreateReferral", kind=kind)
    assert told.partner_says(kind, "COMPLETED", code)[0].name == "ReferralProgressReported"
    assert told.referral(kind).status == "SENT"


@pytest.mark.parametrize("outcome", [None, "RECEIVED", "CONFIRMED"])
def test_done_before_the_flight_of_what_comes_after_it_is_a_yes(outcome: str | None) -> None:
    told = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    told.at("2026-12-01T08:00:00Z").heard("RECEPTION", "COMPLETED", outcome)
    granted = told.clearance("RECEPTION_CONFIRMED")
    assert granted is not None
    assert granted.status == "VALID"
    assert told.referral("RECEPTION").status == "ACCEPTED"
    assert causes(told.partner_says("RECEPTION", "COMPLETED", outcome)) == [
        ("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")
    ]


@pytest.mark.parametrize("outcome", ["NOT_ARRIVED", "REFUSED_ASSISTANCE"])
def test_what_can_only_be_true_after_the_flight_is_in_doubt_before_it(outcome: str) -> None:
    told = a_seated_case()
    assert causes(told.partner_says("RECEPTION", "COMPLETED", outcome)) == [
        ("PartnerSignalQuarantined", "BEFORE_DEPARTURE")
    ]


def test_done_after_the_flight_completes() -> None:
    assert an_arrived_case().heard("RECEPTION", "COMPLETED", "RECEIVED").referral("RECEPTION").status == "COMPLETED"


# For a referral that we have ended, for a case that is closed


def ended(how: str, kind: str = CLINIC) -> CaseScenario:
    told = a_screened_case()
    fields = {"referral_id": told.referral(kind).referral_id, "reason": "wrong person"}
    return told.having(how, **fields)


def test_any_signal_for_a_cancelled_referral_is_recorded_and_moves_nothing() -> None:
    told = ended("CancelReferral")
    said = told.partner_says(CLINIC, "COMPLETED", GOOD)
    assert causes(said) == [("LateSignalRecorded", "REFERRAL_CANCELLED")]
    assert len(said) == 1
    assert told.referral(CLINIC).status == "CANCELLED"


@pytest.mark.parametrize("outcome", ["TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"])
@pytest.mark.parametrize("how", ["CancelReferral", "MarkReferralEnteredInError"])
def test_a_grave_result_that_comes_too_late_holds_the_journey_and_reaches_a_doctor(how: str, outcome: str) -> None:
    told = ended(how)
    told.heard(CLINIC, "COMPLETED", outcome)
    assert told.has_hold("MEDICAL")
    task = list(told.case.tasks.values())[-1]
    assert (task.queue, (task.due - told.now).total_seconds()) == ("MEDICAL_OFFICER", 4 * 3600)


def test_an_answer_after_expiry_is_put_to_a_person() -> None:
    told = a_screened_case().after(days=40)
    told.having("ConfirmReferralExpiry", referral_id=told.referral(EMBASSY).referral_id, reason="silence")
    said = told.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert causes(said) == [("LateSignalRecorded", "REFERRAL_EXPIRED")]
    assert said[1].facts["task"] == "use a late answer, or ask again"
    assert not nationality_confirmed(told.case)


def test_any_signal_after_closing_is_recorded_and_what_is_not_material_proposes_nothing() -> None:
    said = a_closed_case().partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert causes(said) == [("LateSignalRecorded", "CASE_CLOSED")]
    assert "CaseReopenProposed" not in [event.name for event in said]


def test_what_is_material_after_closing_proposes_reopening_once() -> None:
    told = a_closed_case().heard(CLINIC, "COMPLETED", "UNFIT_LONG_TERM").heard(CLINIC, "COMPLETED", "UNFIT_TEMPORARY")
    assert told.names.count("CaseReopenProposed") == 1
    assert not told.case.holds


# Who may say it


def test_an_unknown_token_is_for_a_person_and_leaves_the_case_as_it_was() -> None:
    told = a_screened_case()
    before = repr(told.case)
    with pytest.raises(Unroutable, match="UNKNOWN_REFERRAL"):
        told.partner_says(CLINIC, "COMPLETED", GOOD, token="a token that was never given")
    assert repr(told.case) == before


def test_another_partners_referral_is_not_spoken_of() -> None:
    with pytest.raises(Unroutable, match="NOT_OWNER"):
        a_screened_case().partner_says(CLINIC, "COMPLETED", GOOD, partner_id="embassy-nga")


@pytest.mark.parametrize(("said", "held"), [("WITHDRAWAL_REPORTED", "CONSENT"), ("CONCERN_REPORTED", "PROTECTION")])
def test_the_persons_own_word_counts_from_any_partner_on_any_token(said: str, held: str) -> None:
    told = a_screened_case().heard(CLINIC, said, partner_id="embassy-nga", reason="she told the clerk")
    assert told.has_hold(held)


@pytest.mark.parametrize("beginning", [a_screened_case, a_frozen_case, a_departed_case, a_received_case])
def test_the_persons_own_word_is_recorded_in_every_phase(beginning: Any) -> None:
    told = beginning().heard(EMBASSY, "WITHDRAWAL_REPORTED", reason="no longer")
    assert told.names.count("WITHDRAWAL_REPORTED") == 1
    assert told.has_hold("CONSENT") is not told.case.departed
    task = list(told.case.tasks.values())[-1]
    assert (task.task, (task.due - told.now).total_seconds()) == ("contact the person", 24 * 3600)


def test_what_the_person_said_after_closing_is_kept_under_its_own_seal_only() -> None:
    told = a_closed_case().heard(EMBASSY, "CONCERN_REPORTED", reason="beaten in detention")
    late = told.named("LateSignalRecorded")[-1]
    assert "beaten" not in repr(late.facts["answer"])
    assert "beaten" in repr(told.named("CONCERN_REPORTED")[-1].facts["content"])


def test_a_concern_through_a_partner_ends_the_clearance_like_any_concern() -> None:
    told = a_screened_case().heard(CLINIC, "CONCERN_REPORTED", reason="afraid")
    cleared = told.clearance("PROTECTION_CLEARANCE")
    assert cleared is not None
    assert cleared.status == "REVOKED"


def test_whom_the_partner_spoke_of_is_kept_with_the_doubt() -> None:
    doubt = a_screened_case().partner_says(CLINIC, "COMPLETED", GOOD, subject_check={"given_name": "Fatou"})[0]
    assert (doubt.facts["cause"], doubt.facts["about"]) == (
        "IDENTITY_MISMATCH",
        {"given_name": "Fatou", "year_of_birth": None},
    )
    assert "FATOU" not in neutral(doubt).upper()


# 00, rule 3: restrictive acts on receipt, permissive waits


def test_whatever_is_in_doubt_stops_whoever_has_boarded() -> None:
    told = a_frozen_case().having("CheckInPassenger").having("BoardPassenger")
    told.heard(CLINIC, "AMENDED", "UNFIT_TEMPORARY")
    assert "PassengerOffloaded" in told.names
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.status == "VALID", "until a person has decided, nothing is taken back"


def test_a_grave_word_on_the_way_holds_the_journey_at_once() -> None:
    told = a_screened_case().having("CreateReferral", kind="SPECIALIST_CARE")
    told.heard("SPECIALIST_CARE", "PROGRESS", "ADMITTED")
    assert told.has_hold("MEDICAL")
    told.heard("SPECIALIST_CARE", "PROGRESS", "DIED")
    assert len(told.case.holds) == 1, "one hold is enough for what is still going on"


def paused() -> CaseScenario:
    return a_screened_case().heard(CLINIC, "PAUSED", reason="the doctor is away")


def begun() -> CaseScenario:
    return a_screened_case().heard(CLINIC, "STARTED").heard(CLINIC, "PROGRESS", partner_seq=7)


def refused() -> CaseScenario:
    return a_screened_case().heard(CLINIC, "REJECTED", "NO_CAPACITY")


UNSAFE: dict[str, Any] = {"payload": {"recommended_hold": True}}

OVERTAKEN: tuple[tuple[Callable[[], CaseScenario], dict[str, Any], str, str], ...] = (
    (a_frozen_case, {"signal": "PROGRESS", "outcome": "UNFIT_LONG_TERM"}, "OUT_OF_ORDER_SUPERSEDED", "MEDICAL"),
    (a_frozen_case, {"signal": "PAUSED", "outcome": "UNFIT_TEMPORARY"}, "OUT_OF_ORDER_SUPERSEDED", "MEDICAL"),
    (a_frozen_case, {"signal": "ACKNOWLEDGED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (a_frozen_case, {"signal": "ACCEPTED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (a_frozen_case, {"signal": "STARTED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (a_frozen_case, {"signal": "RESUMED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (paused, {"signal": "PROGRESS", "outcome": "TREATMENT_REQUIRED"}, "OUT_OF_ORDER_SUPERSEDED", "MEDICAL"),
    (begun, {"signal": "STARTED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (begun, {"signal": "PROGRESS", "outcome": "UNFIT_TEMPORARY", "partner_seq": 3}, "STALE_SEQUENCE", "MEDICAL"),
    (
        refused,
        {"signal": "REJECTED", "outcome": "NO_CAPACITY", **UNSAFE},
        "ALREADY_TERMINAL_SAME_OUTCOME",
        "PROTECTION",
    ),
)


@pytest.mark.parametrize(("beginning", "said", "cause", "kind"), OVERTAKEN)
def test_a_grave_word_that_moves_nothing_any_more_holds_the_journey_and_reaches_a_person(
    beginning: Callable[[], CaseScenario], said: dict[str, Any], cause: str, kind: str
) -> None:
    told = beginning()
    status = told.referral(CLINIC).status
    assert causes(told.partner_says(CLINIC, **said)) == [("PartnerSignalIgnored", cause)]
    assert told.has_hold(kind)
    assert told.referral(CLINIC).status == status
    task = list(told.case.tasks.values())[-1]
    assert (task.task, task.queue) == ("look at a late result", "MEDICAL_OFFICER")
    assert (task.due - told.now).total_seconds() == 4 * 3600


def test_a_grave_word_out_of_order_takes_off_whoever_has_boarded() -> None:
    told = a_boarded_case().heard(CLINIC, "PROGRESS", "UNFIT_LONG_TERM")
    assert "PassengerOffloaded" in told.names
    assert told.case.seat is None


def test_a_grave_word_that_was_heard_before_holds_nothing_anew() -> None:
    told = refused()
    told.heard(CLINIC, "REJECTED", "NO_CAPACITY").heard(CLINIC, "PROGRESS", "UNFIT_TEMPORARY", signal_id=ONE)
    told.having("LiftHold", hold_id=told.held("MEDICAL").hold_id, reason="looked at")
    assert causes(told.partner_says(CLINIC, "PROGRESS", "UNFIT_TEMPORARY", signal_id=ONE)) == [
        ("PartnerSignalIgnored", "ALREADY_HEARD")
    ]
    assert not told.case.holds


def test_the_same_no_again_is_noise_even_where_it_was_grave() -> None:
    told = a_screened_case().heard(CLINIC, "REJECTED", "NO_CAPACITY", **UNSAFE)
    told.having("LiftHold", hold_id=told.held("PROTECTION").hold_id, reason="looked at")
    told.heard(CLINIC, "REJECTED", "NO_CAPACITY", **UNSAFE)
    assert not told.case.holds


@pytest.mark.parametrize("overtaking", [("PAUSED", None), ("COMPLETED", GOOD), ("REJECTED", None)])
def test_a_grave_word_in_doubt_holds_once_a_person_says_that_it_counts(overtaking: tuple[str, str | None]) -> None:
    told = a_screened_case()
    told.heard(CLINIC, "PROGRESS", "UNFIT_LONG_TERM", signal_id=ONE, subject_check={"given_name": "Fatou"})
    told.heard(CLINIC, *overtaking)
    told.having("ResolveQuarantinedSignal", signal_id=ONE, decision="AMEND", reason="it is her")
    assert told.has_hold("MEDICAL")


def test_what_becomes_good_by_a_persons_decision_counts_from_receipt_and_starts_with_the_decision() -> None:
    told = a_screened_case().heard(CLINIC, "COMPLETED", GOOD, subject_check={"given_name": "Fatou"})
    received = told.now
    signal = next(iter(told.referral(CLINIC).disputed))
    told.after(days=5).having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="same person")
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_from == told.now
    assert granted.valid_until == received + timedelta(days=90)
    assert told.named("ReferralCompleted")[-1].facts["received_at"] == received


# 00, rule 4: a wrong clock loses nothing


@pytest.mark.parametrize(
    ("off", "skew"),
    [
        (timedelta(minutes=5), None),
        (timedelta(minutes=5, seconds=1), 301),
        (timedelta(days=400), 400 * 86400),
        (timedelta(days=-30), None),
        (timedelta(days=-31), -31 * 86400),
    ],
)
def test_a_clock_that_is_off_is_noted_and_its_signal_counts(off: timedelta, skew: int | None) -> None:
    told = a_screened_case()
    said = told.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", occurred_at=told.now + off)
    assert (said[0].name, said[0].facts["skew_s"]) == ("ReferralCompleted", skew)
    assert nationality_confirmed(told.case)


def test_a_clock_that_is_ahead_makes_no_permission_last_longer() -> None:
    told = a_screened_case()
    told.heard(CLINIC, "COMPLETED", GOOD, occurred_at=told.now + timedelta(days=60))
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_from == told.now
    assert granted.valid_until == told.now + timedelta(days=90)


def test_what_happened_earlier_counts_from_then() -> None:
    told = a_screened_case()
    told.heard(CLINIC, "COMPLETED", GOOD, occurred_at=told.now - timedelta(days=20))
    granted = told.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_until == told.now + timedelta(days=70)


def test_what_had_lapsed_before_it_came_grants_nothing_and_is_looked_at() -> None:
    told = a_screened_case()
    told.heard(CLINIC, "COMPLETED", GOOD, occurred_at="1970-01-01T00:00:00Z")
    assert told.clearance("MEDICAL_ASSESSMENT") is None
    assert [task.task for task in told.case.tasks.values()] == ["look at an answer that was out of date"]
    assert told.referral(CLINIC).status == "COMPLETED"
    assert len(told.asked(CLINIC)) == 1, "a broken clock is not asked again and again"


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_no_clock_is_too_wrong_to_be_heard(when: str) -> None:
    told = a_screened_case().heard(EMBASSY, "ACKNOWLEDGED", occurred_at=when)
    assert told.referral(EMBASSY).status == "ACKNOWLEDGED"


# A list that came as one signal


def test_a_line_of_a_list_is_one_signal_however_often_the_list_comes() -> None:
    told = a_cleared_case()
    told.having("CreateReferral", kind="EXIT_PERMIT")
    listed = uuid5(NAMESPACE, "a collective exit permit")
    for _ in range(2):
        told.heard(
            "EXIT_PERMIT", "COMPLETED", "GRANTED", signal_id=line_of(listed, 3), payload={"permit_number": "X-8"}
        )
    assert told.names.count("ExitPermitGranted") == 2, "one for each referral"
    assert told.named("PartnerSignalIgnored")[-1].facts["cause"] == "ALREADY_HEARD"


@given(st.uuids(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_each_line_of_a_list_has_an_identity_of_its_own(listed: UUID, one: int, other: int) -> None:
    assert (line_of(listed, one) == line_of(listed, other)) is (one == other)


# More than was asked for


def test_what_an_embassy_tells_of_health_is_a_medical_secret_and_is_on_record() -> None:
    told = a_screened_case()
    payload = {"file_no": "7", "diagnosis": "TB", "remark": "she fears her uncle"}
    said = told.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", payload=payload)
    answer = said[0]
    assert answer.facts["answer"]["payload"] == {"file_no": "7"}
    assert answer.facts["care_answer"] == {"stripped": {"diagnosis": "TB"}}
    assert answer.facts["protection_answer"] == {"stripped": {"remark": "she fears her uncle"}}
    told_in = next(event for event in said if event.name == "DisclosureRecorded")
    assert (told_in.facts["direction"], told_in.facts["stripped"]) == ("IN", True)
    assert told_in.facts["not_asked_for"] == ("diagnosis", "remark")
    assert all("diagnosis" not in neutral(event) and "uncle" not in neutral(event) for event in said)


def test_what_a_clinic_adds_stays_a_medical_secret_and_is_nothing_to_note() -> None:
    said = a_screened_case().partner_says(CLINIC, "COMPLETED", GOOD, payload={"haemoglobin": 11})
    assert said[0].facts["care_answer"]["payload"] == {"haemoglobin": 11}
    assert "DisclosureRecorded" not in [event.name for event in said]


def test_a_second_fact_may_hide_in_what_was_not_asked_for() -> None:
    told = a_screened_case().heard(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", payload={"remark": "a"})
    assert causes(told.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", payload={"remark": "b"})) == [
        ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    ]


def test_what_was_attached_is_kept_with_the_answer() -> None:
    scan = {"sha256": "a" * 64, "media_type": "application/pdf"}
    said = a_screened_case().partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", attachments=(scan,))
    assert said[0].facts["answer"]["attachments"] == [scan]


# Answers that no stage reads


@pytest.mark.parametrize(
    ("kind", "outcome", "queue"),
    [
        ("SPECIALIST_CARE", "TREATED", "MEDICAL_OFFICER"),
        ("SHELTER_DIRECT_ASSISTANCE", "PROVIDED", "CASE_SUPERVISOR"),
        ("VOT_ASSISTANCE", "ADMITTED", "PROTECTION_OFFICER"),
    ],
)
def test_an_answer_that_no_stage_reads_is_looked_at_by_a_person(kind: str, outcome: str, queue: str) -> None:
    told = a_screened_case()
    for purpose in ("SHELTER", "SHARE_PROTECTION"):
        told.having("RecordConsent", purpose=purpose, form_version="1", language="en")
    told.having("CreateReferral", kind=kind)
    said = told.partner_says(kind, "COMPLETED", outcome)
    assert [(event.facts["task"], event.facts["queue"]) for event in said[1:]] == [
        ("look at what a partner answered", queue)
    ]
    assert kind not in "".join(map(neutral, said)) or kind == "SHELTER_DIRECT_ASSISTANCE"


def test_the_rows_agree_with_the_order_in_which_an_embassy_may_speak() -> None:
    """SC-03."""
    told = a_screened_case().heard(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    told.heard(EMBASSY, "ACKNOWLEDGED").heard(EMBASSY, "ACCEPTED")
    assert_in_order(
        told.events,
        "ReferralSent[CONSULAR_IDENTITY]",
        "ReferralCompleted[CONSULAR_IDENTITY ACCEPTED STARTED]",
        "NationalityConfirmed",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED]",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED]",
    )
