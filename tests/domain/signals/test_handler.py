"""Signals from partners, row by row.

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
from domain.signals.handler import line_id
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
    """The disposition of a signal, and its cause."""
    word = {"PartnerSignalIgnored": "cause", "PartnerSignalQuarantined": "cause", "LateSignalRecorded": "disposition"}
    return [(event.name, event.facts[word[event.name]]) for event in events if event.name in word]


# Repeated signals


def test_the_same_signal_again_changes_nothing() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "COMPLETED", GOOD, signal_id=ONE)
    before = scenario.referral(CLINIC).outcome_version
    assert causes(scenario.partner_says(CLINIC, "COMPLETED", GOOD, signal_id=ONE)) == [
        ("PartnerSignalIgnored", "ALREADY_HEARD")
    ]
    assert scenario.referral(CLINIC).outcome_version == before


def test_progress_received_twice_with_one_id_is_recorded_once() -> None:
    scenario = a_screened_case()
    for _ in range(3):
        scenario.having_signal(EMBASSY, "PROGRESS", "MORE_INFO", signal_id=ONE, payload={"file_no": "7"})
    assert scenario.names.count("ReferralProgressReported") == 1
    assert scenario.names.count("PartnerSignalIgnored") == 2


@pytest.mark.parametrize(
    "other",
    [
        {"signal": "COMPLETED", "outcome": "TREATMENT_REQUIRED"},
        {"signal": "COMPLETED", "outcome": GOOD, "payload": {"mobility_class": "2"}},
        {"signal": "COMPLETED", "outcome": GOOD, "reason": "another person"},
        {"signal": "FAILED", "outcome": GOOD},
    ],
)
def test_one_id_with_other_content_is_quarantined(other: dict[str, Any]) -> None:
    scenario = a_screened_case().having_signal(CLINIC, "COMPLETED", GOOD, signal_id=ONE)
    recorded = scenario.partner_says(CLINIC, signal_id=ONE, **other)
    assert causes(recorded) == [("PartnerSignalQuarantined", "CONFLICTING_DUPLICATE")]
    assert scenario.referral(CLINIC).outcome == GOOD
    assert "GATE.SIGNAL.IN_DOUBT" in scenario.failures()


def test_one_id_for_two_steps_is_not_a_repetition() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACKNOWLEDGED", signal_id=ONE)
    assert causes(scenario.partner_says(EMBASSY, "ACCEPTED", signal_id=ONE)) == [
        ("PartnerSignalQuarantined", "CONFLICTING_DUPLICATE")
    ]


# The same and another outcome


def test_the_same_outcome_under_a_new_id_is_ignored() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "COMPLETED", GOOD)
    assert causes(scenario.partner_says(CLINIC, "COMPLETED", GOOD)) == [
        ("PartnerSignalIgnored", "ALREADY_TERMINAL_SAME_OUTCOME")
    ]


def test_an_ignored_signal_keeps_its_content() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "COMPLETED", GOOD)
    ignored = scenario.partner_says(CLINIC, "PROGRESS", payload={"mobility_class": "2"})[0]
    assert ignored.name == "PartnerSignalIgnored"
    assert ignored.facts["care_answer"]["payload"] == {"mobility_class": "2"}
    assert "mobility_class" not in neutral(ignored)


def test_an_amendment_that_repeats_the_outcome_is_ignored() -> None:
    scenario = (
        a_screened_case()
        .having_signal(CLINIC, "COMPLETED", GOOD)
        .having_signal(CLINIC, "AMENDED", "TREATMENT_REQUIRED")
    )
    signal = next(iter(scenario.referral(CLINIC).disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the doctor called")
    assert causes(scenario.partner_says(CLINIC, "AMENDED", "TREATMENT_REQUIRED")) == [
        ("PartnerSignalIgnored", "ALREADY_TERMINAL_SAME_OUTCOME")
    ]


def test_another_outcome_is_quarantined_and_the_first_one_stays_in_effect() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "COMPLETED", GOOD)
    assert causes(scenario.partner_says(CLINIC, "COMPLETED", "TREATMENT_REQUIRED")) == [
        ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    ]
    assert scenario.referral(CLINIC).outcome == GOOD


def test_a_repetition_of_a_quarantined_signal_is_ignored() -> None:
    scenario = (
        a_screened_case()
        .having_signal(CLINIC, "COMPLETED", GOOD)
        .having_signal(CLINIC, "COMPLETED", "TREATMENT_REQUIRED")
    )
    assert causes(scenario.partner_says(CLINIC, "COMPLETED", "TREATMENT_REQUIRED")) == [
        ("PartnerSignalIgnored", "ALREADY_IN_QUARANTINE")
    ]
    assert len(scenario.referral(CLINIC).disputed) == 1
    assert causes(scenario.partner_says(CLINIC, "COMPLETED", "UNFIT_LONG_TERM")) == [
        ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    ]


# Repetitions are judged by content (rule SIGNAL.SAME_OUTCOME)


def a_delivered_item(**payload: Any) -> CaseScenario:
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    scenario = a_received_case().having("DraftPlan", items=(item,), signed_by_returnee=True).having("ApprovePlan")
    return scenario.having_signal("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload=payload)


def test_a_delivery_with_another_date_is_recorded_as_a_second_one() -> None:
    scenario = a_delivered_item(delivered_on="2026-12-13")
    recorded = scenario.partner_says(
        "REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": "2026-12-14"}
    )
    assert [event.name for event in recorded] == ["ReferralReportedAgain", "AssistanceItemDelivered", "TaskRaised"]
    assert scenario.names.count("AssistanceItemDelivered") == 2
    assert [task.task for task in scenario.case.tasks.values()] == ["item delivered twice"]
    assert not scenario.referral("REINTEGRATION_SERVICE").disputed, "the case is not blocked by it"


def test_a_delivery_reported_again_without_new_details_is_ignored() -> None:
    scenario = a_delivered_item(delivered_on="2026-12-13")
    for _ in range(2):
        recorded = scenario.partner_says(
            "REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": "2026-12-13"}
        )
        assert causes(recorded) == [("PartnerSignalIgnored", "ALREADY_TERMINAL_SAME_OUTCOME")]


def test_a_second_delivery_that_is_reported_twice_is_one_delivery() -> None:
    scenario = a_delivered_item(delivered_on="2026-12-13")
    for _ in range(3):
        scenario.having_signal(
            "REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": "2026-12-14"}
        )
    assert scenario.names.count("AssistanceItemDelivered") == 2


# Out of order


def test_a_completion_before_an_acceptance_is_applied_and_missing_steps_are_inferred() -> None:
    scenario = a_screened_case()
    completed = scenario.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")[0]
    assert completed.facts["inferred_steps"] == ("ACCEPTED", "STARTED")
    assert nationality_confirmed(scenario.case)


def test_a_start_before_an_acceptance_is_applied_and_the_acceptance_is_inferred() -> None:
    assert a_screened_case().partner_says(EMBASSY, "STARTED")[0].facts["inferred_steps"] == ("ACCEPTED",)


def test_an_acceptance_after_completion_is_ignored_with_its_reason() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert causes(scenario.partner_says(EMBASSY, "ACCEPTED")) == [("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")]


def test_a_late_acceptance_with_an_outcome_code_is_applied() -> None:
    """In either order reception is confirmed; a late acceptance without an outcome code is ignored."""
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    scenario.at("2026-12-01T08:00:00Z").having_signal("RECEPTION", "STARTED")
    assert scenario.clearance("RECEPTION_CONFIRMED") is None
    assert causes(scenario.partner_says("RECEPTION", "ACCEPTED")) == [
        ("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")
    ]
    scenario.having_signal("RECEPTION", "ACCEPTED", "CONFIRMED")
    granted = scenario.clearance("RECEPTION_CONFIRMED")
    assert granted is not None
    assert granted.status == "VALID"
    assert scenario.referral("RECEPTION").status == "IN_PROGRESS"


@pytest.mark.parametrize("seq", [1, 2])
def test_older_progress_is_recorded_and_changes_nothing(seq: int) -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "STARTED").having_signal(EMBASSY, "PROGRESS", partner_seq=2)
    recorded = scenario.partner_says(EMBASSY, "PROGRESS", "MORE_INFO", partner_seq=seq, payload={"file_no": "7"})
    assert causes(recorded) == [("PartnerSignalIgnored", "STALE_SEQUENCE")]
    assert recorded[0].facts["answer"]["payload"] == {"file_no": "7"}
    assert scenario.referral(EMBASSY).last_seq == 2


def test_a_rejection_after_the_start_is_quarantined() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "STARTED").having_signal(EMBASSY, "REJECTED", "NOT_ELIGIBLE")
    signal = next(iter(scenario.referral(EMBASSY).disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="they stopped")
    assert scenario.referral(EMBASSY).status == "FAILED"


def test_a_partner_that_withdraws_is_distinguished_from_one_that_failed() -> None:
    assert a_screened_case().partner_says(EMBASSY, "PARTNER_CANCELLED")[0].facts["why"] == "PARTNER_WITHDREW"
    assert a_screened_case().partner_says(EMBASSY, "FAILED")[0].facts["why"] == "PARTNER_FAILED"


# Non-final outcomes, and services after the flight


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (EMBASSY, "VERIFICATION_IN_CAPITAL"),
        ("TRAVEL_DOCUMENT", "REQUIRES_ITINERARY"),
        ("TRAVEL_DOCUMENT", "FEE_REQUIRED"),
        ("EXIT_PERMIT", "MORE_INFO"),
    ],
)
def test_a_completion_with_a_non_final_outcome_is_progress(kind: str, code: str) -> None:
    scenario = a_screened_case()
    if kind != EMBASSY:
        scenario.having("CreateReferral", kind=kind)
    assert scenario.partner_says(kind, "COMPLETED", code)[0].name == "ReferralProgressReported"
    assert scenario.referral(kind).status == "SENT"


@pytest.mark.parametrize("outcome", [None, "RECEIVED", "CONFIRMED"])
def test_a_completion_before_departure_of_a_later_service_is_an_acceptance(outcome: str | None) -> None:
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    scenario.at("2026-12-01T08:00:00Z").having_signal("RECEPTION", "COMPLETED", outcome)
    granted = scenario.clearance("RECEPTION_CONFIRMED")
    assert granted is not None
    assert granted.status == "VALID"
    assert scenario.referral("RECEPTION").status == "ACCEPTED"
    assert causes(scenario.partner_says("RECEPTION", "COMPLETED", outcome)) == [
        ("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")
    ]


@pytest.mark.parametrize("outcome", ["NOT_ARRIVED", "REFUSED_ASSISTANCE"])
def test_an_outcome_possible_only_after_departure_is_quarantined_before_it(outcome: str) -> None:
    scenario = a_seated_case()
    assert causes(scenario.partner_says("RECEPTION", "COMPLETED", outcome)) == [
        ("PartnerSignalQuarantined", "BEFORE_DEPARTURE")
    ]


def test_a_completion_after_departure_completes_the_referral() -> None:
    assert (
        an_arrived_case().having_signal("RECEPTION", "COMPLETED", "RECEIVED").referral("RECEPTION").status
        == "COMPLETED"
    )


# Signals for a referral ended by IOM, and for a closed case


def ended(how: str, kind: str = CLINIC) -> CaseScenario:
    scenario = a_screened_case()
    fields = {"referral_id": scenario.referral(kind).referral_id, "reason": "wrong person"}
    return scenario.having(how, **fields)


def test_any_signal_for_a_cancelled_referral_is_recorded_and_changes_nothing() -> None:
    scenario = ended("CancelReferral")
    recorded = scenario.partner_says(CLINIC, "COMPLETED", GOOD)
    assert causes(recorded) == [("LateSignalRecorded", "REFERRAL_CANCELLED")]
    assert len(recorded) == 1
    assert scenario.referral(CLINIC).status == "CANCELLED"


@pytest.mark.parametrize("outcome", ["TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"])
@pytest.mark.parametrize("how", ["CancelReferral", "MarkReferralEnteredInError"])
def test_a_late_grave_result_places_a_hold_and_reaches_a_doctor(how: str, outcome: str) -> None:
    scenario = ended(how)
    scenario.having_signal(CLINIC, "COMPLETED", outcome)
    assert scenario.has_hold("MEDICAL")
    task = list(scenario.case.tasks.values())[-1]
    assert (task.queue, (task.due - scenario.now).total_seconds()) == ("MEDICAL_OFFICER", 4 * 3600)


def test_a_response_after_expiry_raises_a_task() -> None:
    scenario = a_screened_case().after(days=40)
    scenario.having("ConfirmReferralExpiry", referral_id=scenario.referral(EMBASSY).referral_id, reason="silence")
    recorded = scenario.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert causes(recorded) == [("LateSignalRecorded", "REFERRAL_EXPIRED")]
    assert recorded[1].facts["task"] == "use a late answer, or ask again"
    assert not nationality_confirmed(scenario.case)


def test_any_signal_after_closing_is_recorded_and_an_immaterial_one_proposes_nothing() -> None:
    recorded = a_closed_case().partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert causes(recorded) == [("LateSignalRecorded", "CASE_CLOSED")]
    assert "CaseReopenProposed" not in [event.name for event in recorded]


def test_a_material_signal_after_closing_proposes_reopening_once() -> None:
    scenario = (
        a_closed_case()
        .having_signal(CLINIC, "COMPLETED", "UNFIT_LONG_TERM")
        .having_signal(CLINIC, "COMPLETED", "UNFIT_TEMPORARY")
    )
    assert scenario.names.count("CaseReopenProposed") == 1
    assert not scenario.case.holds


# Who may send it


def test_an_unknown_token_is_unroutable_and_leaves_the_case_unchanged() -> None:
    scenario = a_screened_case()
    before = repr(scenario.case)
    with pytest.raises(Unroutable, match="UNKNOWN_REFERRAL"):
        scenario.partner_says(CLINIC, "COMPLETED", GOOD, token="a token that was never given")
    assert repr(scenario.case) == before


def test_a_signal_on_another_partners_referral_is_unroutable() -> None:
    with pytest.raises(Unroutable, match="NOT_OWNER"):
        a_screened_case().partner_says(CLINIC, "COMPLETED", GOOD, partner_id="embassy-nga")


@pytest.mark.parametrize(("signal", "held"), [("WITHDRAWAL_REPORTED", "CONSENT"), ("CONCERN_REPORTED", "PROTECTION")])
def test_a_statement_of_the_person_counts_from_any_partner_on_any_token(signal: str, held: str) -> None:
    scenario = a_screened_case().having_signal(CLINIC, signal, partner_id="embassy-nga", reason="she told the clerk")
    assert scenario.has_hold(held)


@pytest.mark.parametrize("beginning", [a_screened_case, a_frozen_case, a_departed_case, a_received_case])
def test_a_statement_of_the_person_is_recorded_in_every_phase(beginning: Any) -> None:
    scenario = beginning().having_signal(EMBASSY, "WITHDRAWAL_REPORTED", reason="no longer")
    assert scenario.names.count("WITHDRAWAL_REPORTED") == 1
    assert scenario.has_hold("CONSENT") is not scenario.case.departed
    task = list(scenario.case.tasks.values())[-1]
    assert (task.task, (task.due - scenario.now).total_seconds()) == ("contact the person", 24 * 3600)


def test_a_statement_after_closing_is_kept_only_in_its_sealed_record() -> None:
    scenario = a_closed_case().having_signal(EMBASSY, "CONCERN_REPORTED", reason="beaten in detention")
    late = scenario.named("LateSignalRecorded")[-1]
    assert "beaten" not in repr(late.facts["answer"])
    assert "beaten" in repr(scenario.named("CONCERN_REPORTED")[-1].facts["content"])


def test_a_concern_reported_by_a_partner_revokes_the_clearance_like_any_concern() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "CONCERN_REPORTED", reason="afraid")
    cleared = scenario.clearance("PROTECTION_CLEARANCE")
    assert cleared is not None
    assert cleared.status == "REVOKED"


def test_the_person_named_by_the_partner_is_kept_with_the_quarantined_signal() -> None:
    quarantined = a_screened_case().partner_says(CLINIC, "COMPLETED", GOOD, subject_check={"given_name": "Fatou"})[0]
    assert (quarantined.facts["cause"], quarantined.facts["about"]) == (
        "IDENTITY_MISMATCH",
        {"given_name": "Fatou", "year_of_birth": None},
    )
    assert "FATOU" not in neutral(quarantined).upper()


# Restrictive signals take effect on receipt, permissive ones wait (rule SIGNAL.RESTRICTS_AT_ONCE)


def test_a_quarantined_signal_offloads_a_boarded_person() -> None:
    scenario = a_frozen_case().having("CheckInPassenger").having("BoardPassenger")
    scenario.having_signal(CLINIC, "AMENDED", "UNFIT_TEMPORARY")
    assert "PassengerOffloaded" in scenario.names
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.status == "VALID", "nothing is revoked until staff have decided"


def test_a_grave_response_before_the_end_places_a_hold_immediately() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="SPECIALIST_CARE")
    scenario.having_signal("SPECIALIST_CARE", "PROGRESS", "ADMITTED")
    assert scenario.has_hold("MEDICAL")
    scenario.having_signal("SPECIALIST_CARE", "PROGRESS", "DIED")
    assert len(scenario.case.holds) == 1, "the existing hold covers it"


def paused() -> CaseScenario:
    return a_screened_case().having_signal(CLINIC, "PAUSED", reason="the doctor is away")


def started() -> CaseScenario:
    return a_screened_case().having_signal(CLINIC, "STARTED").having_signal(CLINIC, "PROGRESS", partner_seq=7)


def refused() -> CaseScenario:
    return a_screened_case().having_signal(CLINIC, "REJECTED", "NO_CAPACITY")


UNSAFE: dict[str, Any] = {"payload": {"recommended_hold": True}}

OVERTAKEN: tuple[tuple[Callable[[], CaseScenario], dict[str, Any], str, str], ...] = (
    (a_frozen_case, {"signal": "PROGRESS", "outcome": "UNFIT_LONG_TERM"}, "OUT_OF_ORDER_SUPERSEDED", "MEDICAL"),
    (a_frozen_case, {"signal": "PAUSED", "outcome": "UNFIT_TEMPORARY"}, "OUT_OF_ORDER_SUPERSEDED", "MEDICAL"),
    (a_frozen_case, {"signal": "ACKNOWLEDGED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (a_frozen_case, {"signal": "ACCEPTED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (a_frozen_case, {"signal": "STARTED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (a_frozen_case, {"signal": "RESUMED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (paused, {"signal": "PROGRESS", "outcome": "TREATMENT_REQUIRED"}, "OUT_OF_ORDER_SUPERSEDED", "MEDICAL"),
    (started, {"signal": "STARTED", **UNSAFE}, "OUT_OF_ORDER_SUPERSEDED", "PROTECTION"),
    (started, {"signal": "PROGRESS", "outcome": "UNFIT_TEMPORARY", "partner_seq": 3}, "STALE_SEQUENCE", "MEDICAL"),
    (
        refused,
        {"signal": "REJECTED", "outcome": "NO_CAPACITY", **UNSAFE},
        "ALREADY_TERMINAL_SAME_OUTCOME",
        "PROTECTION",
    ),
)


@pytest.mark.parametrize(("beginning", "signal", "cause", "kind"), OVERTAKEN)
def test_a_superseded_grave_response_places_a_hold_and_raises_a_task(
    beginning: Callable[[], CaseScenario], signal: dict[str, Any], cause: str, kind: str
) -> None:
    scenario = beginning()
    status = scenario.referral(CLINIC).status
    assert causes(scenario.partner_says(CLINIC, **signal)) == [("PartnerSignalIgnored", cause)]
    assert scenario.has_hold(kind)
    assert scenario.referral(CLINIC).status == status
    task = list(scenario.case.tasks.values())[-1]
    assert (task.task, task.queue) == ("look at a late result", "MEDICAL_OFFICER")
    assert (task.due - scenario.now).total_seconds() == 4 * 3600


def test_a_grave_response_out_of_order_offloads_a_boarded_person() -> None:
    scenario = a_boarded_case().having_signal(CLINIC, "PROGRESS", "UNFIT_LONG_TERM")
    assert "PassengerOffloaded" in scenario.names
    assert scenario.case.seat is None


def test_a_repeated_grave_response_places_no_further_hold() -> None:
    scenario = refused()
    scenario.having_signal(CLINIC, "REJECTED", "NO_CAPACITY").having_signal(
        CLINIC, "PROGRESS", "UNFIT_TEMPORARY", signal_id=ONE
    )
    scenario.having("LiftHold", hold_id=scenario.held("MEDICAL").hold_id, reason="looked at")
    assert causes(scenario.partner_says(CLINIC, "PROGRESS", "UNFIT_TEMPORARY", signal_id=ONE)) == [
        ("PartnerSignalIgnored", "ALREADY_HEARD")
    ]
    assert not scenario.case.holds


def test_a_repeated_refusal_is_ignored_even_if_it_was_grave() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "REJECTED", "NO_CAPACITY", **UNSAFE)
    scenario.having("LiftHold", hold_id=scenario.held("PROTECTION").hold_id, reason="looked at")
    scenario.having_signal(CLINIC, "REJECTED", "NO_CAPACITY", **UNSAFE)
    assert not scenario.case.holds


@pytest.mark.parametrize("overtaking", [("PAUSED", None), ("COMPLETED", GOOD), ("REJECTED", None)])
def test_a_quarantined_grave_response_places_a_hold_once_staff_apply_it(overtaking: tuple[str, str | None]) -> None:
    scenario = a_screened_case()
    scenario.having_signal(CLINIC, "PROGRESS", "UNFIT_LONG_TERM", signal_id=ONE, subject_check={"given_name": "Fatou"})
    scenario.having_signal(CLINIC, *overtaking)
    scenario.having("ResolveQuarantinedSignal", signal_id=ONE, decision="AMEND", reason="it is her")
    assert scenario.has_hold("MEDICAL")


def test_a_clearance_granted_by_a_decision_counts_from_receipt_and_starts_with_the_decision() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "COMPLETED", GOOD, subject_check={"given_name": "Fatou"})
    received = scenario.now
    signal = next(iter(scenario.referral(CLINIC).disputed))
    scenario.after(days=5).having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="same person")
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_from == scenario.now
    assert granted.valid_until == received + timedelta(days=90)
    assert scenario.named("ReferralCompleted")[-1].facts["received_at"] == received


# Wrong clocks


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
def test_clock_skew_is_recorded_and_the_signal_counts(off: timedelta, skew: int | None) -> None:
    scenario = a_screened_case()
    recorded = scenario.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", occurred_at=scenario.now + off)
    assert (recorded[0].name, recorded[0].facts["skew_s"]) == ("ReferralCompleted", skew)
    assert nationality_confirmed(scenario.case)


def test_a_clock_that_is_ahead_does_not_extend_a_clearance() -> None:
    scenario = a_screened_case()
    scenario.having_signal(CLINIC, "COMPLETED", GOOD, occurred_at=scenario.now + timedelta(days=60))
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_from == scenario.now
    assert granted.valid_until == scenario.now + timedelta(days=90)


def test_an_earlier_event_counts_from_its_date() -> None:
    scenario = a_screened_case()
    scenario.having_signal(CLINIC, "COMPLETED", GOOD, occurred_at=scenario.now - timedelta(days=20))
    granted = scenario.clearance("MEDICAL_ASSESSMENT")
    assert granted is not None
    assert granted.valid_until == scenario.now + timedelta(days=70)


def test_a_response_expired_on_receipt_grants_nothing_and_is_reviewed() -> None:
    scenario = a_screened_case()
    scenario.having_signal(CLINIC, "COMPLETED", GOOD, occurred_at="1970-01-01T00:00:00Z")
    assert scenario.clearance("MEDICAL_ASSESSMENT") is None
    assert [task.task for task in scenario.case.tasks.values()] == ["look at an answer that was out of date"]
    assert scenario.referral(CLINIC).status == "COMPLETED"
    assert len(scenario.asked(CLINIC)) == 1, "the request is not repeated because of the wrong clock"


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_signal_is_accepted_with_any_clock_skew(when: str) -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACKNOWLEDGED", occurred_at=when)
    assert scenario.referral(EMBASSY).status == "ACKNOWLEDGED"


# A list sent as one signal


def test_a_line_of_a_list_is_one_signal_when_the_list_is_repeated() -> None:
    scenario = a_cleared_case()
    scenario.having("CreateReferral", kind="EXIT_PERMIT")
    listed = uuid5(NAMESPACE, "a collective exit permit")
    for _ in range(2):
        scenario.having_signal(
            "EXIT_PERMIT", "COMPLETED", "GRANTED", signal_id=line_id(listed, 3), payload={"permit_number": "X-8"}
        )
    assert scenario.names.count("ExitPermitGranted") == 2, "one for each referral"
    assert scenario.named("PartnerSignalIgnored")[-1].facts["cause"] == "ALREADY_HEARD"


@given(st.uuids(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_each_line_of_a_list_has_its_own_id(listed: UUID, one: int, other: int) -> None:
    assert (line_id(listed, one) == line_id(listed, other)) is (one == other)


# Unrequested data


def test_health_data_from_an_embassy_is_sealed_as_medical_and_recorded() -> None:
    scenario = a_screened_case()
    payload = {"file_no": "7", "diagnosis": "TB", "remark": "she fears her uncle"}
    recorded = scenario.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", payload=payload)
    answer = recorded[0]
    assert answer.facts["answer"]["payload"] == {"file_no": "7"}
    assert answer.facts["care_answer"] == {"stripped": {"diagnosis": "TB"}}
    assert answer.facts["protection_answer"] == {"stripped": {"remark": "she fears her uncle"}}
    disclosure = next(event for event in recorded if event.name == "DisclosureRecorded")
    assert (disclosure.facts["direction"], disclosure.facts["stripped"]) == ("IN", True)
    assert disclosure.facts["not_asked_for"] == ("diagnosis", "remark")
    assert all("diagnosis" not in neutral(event) and "uncle" not in neutral(event) for event in recorded)


def test_additional_data_from_a_clinic_stays_medical_and_is_not_recorded_separately() -> None:
    recorded = a_screened_case().partner_says(CLINIC, "COMPLETED", GOOD, payload={"haemoglobin": 11})
    assert recorded[0].facts["care_answer"]["payload"] == {"haemoglobin": 11}
    assert "DisclosureRecorded" not in [event.name for event in recorded]


def test_unrequested_data_is_compared_when_a_delivery_is_repeated() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", payload={"remark": "a"})
    assert causes(scenario.partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", payload={"remark": "b"})) == [
        ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    ]


def test_attachments_are_kept_with_the_response() -> None:
    scan = {"sha256": "a" * 64, "media_type": "application/pdf"}
    recorded = a_screened_case().partner_says(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED", attachments=(scan,))
    assert recorded[0].facts["answer"]["attachments"] == [scan]


# Responses that no stage handles


@pytest.mark.parametrize(
    ("kind", "outcome", "queue"),
    [
        ("SPECIALIST_CARE", "TREATED", "MEDICAL_OFFICER"),
        ("SHELTER_DIRECT_ASSISTANCE", "PROVIDED", "CASE_SUPERVISOR"),
        ("VOT_ASSISTANCE", "ADMITTED", "PROTECTION_OFFICER"),
    ],
)
def test_a_response_that_no_stage_handles_raises_a_task(kind: str, outcome: str, queue: str) -> None:
    scenario = a_screened_case()
    for purpose in ("SHELTER", "SHARE_PROTECTION"):
        scenario.having("RecordConsent", purpose=purpose, form_version="1", language="en")
    scenario.having("CreateReferral", kind=kind)
    recorded = scenario.partner_says(kind, "COMPLETED", outcome)
    assert [(event.facts["task"], event.facts["queue"]) for event in recorded[1:]] == [
        ("look at what a partner answered", queue)
    ]
    assert kind not in "".join(map(neutral, recorded)) or kind == "SHELTER_DIRECT_ASSISTANCE"


def test_acknowledgement_and_acceptance_after_completion_are_ignored() -> None:
    """SC-03."""
    scenario = a_screened_case().having_signal(EMBASSY, "COMPLETED", "NATIONALITY_CONFIRMED")
    scenario.having_signal(EMBASSY, "ACKNOWLEDGED").having_signal(EMBASSY, "ACCEPTED")
    assert_in_order(
        scenario.events,
        "ReferralSent[CONSULAR_IDENTITY]",
        "ReferralCompleted[CONSULAR_IDENTITY ACCEPTED STARTED]",
        "NationalityConfirmed",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED]",
        "PartnerSignalIgnored[OUT_OF_ORDER_SUPERSEDED]",
    )
