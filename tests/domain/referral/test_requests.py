"""Life cycle of a referral: every row of the table of statuses, for partners and staff (rule REFERRAL.STATUS)."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.errors import Unroutable
from domain.kernel.vocabulary import TERMINAL, SignalType
from tests.support.builders import CaseScenario, a_closed_case, a_screened_case

KIND = "MEDICAL_ASSESSMENT"

GOOD = "NO_SIGNIFICANT_CONDITION"

PATH = {
    "DRAFT": (),
    "SENT": (),
    "ACKNOWLEDGED": ("ACKNOWLEDGED",),
    "ACCEPTED": ("ACCEPTED",),
    "IN_PROGRESS": ("STARTED",),
    "ON_HOLD": ("STARTED", "PAUSED"),
    "COMPLETED": ("COMPLETED",),
    "REJECTED": ("REJECTED",),
    "FAILED": ("STARTED", "FAILED"),
}


def a_referral(status: str) -> CaseScenario:
    """A screened case with a medical referral in a given status."""
    scenario = a_screened_case()
    for signal in PATH.get(status, ()):
        scenario.having_signal(KIND, signal, GOOD if signal == "COMPLETED" else None)
    referral_id = scenario.referral(KIND).referral_id
    if status == "CANCELLED":
        scenario.having("CancelReferral", referral_id=referral_id, reason="wrong person")
    if status == "ENTERED_IN_ERROR":
        scenario.having("MarkReferralEnteredInError", referral_id=referral_id, reason="wrong person")
    if status == "EXPIRED":
        scenario.after(days=40).having("ConfirmReferralExpiry", referral_id=referral_id, reason="silence")
    assert scenario.referral(KIND).status == status
    return scenario


#             signal              DRAFT is unroutable; then the next status, or why nothing changes
FLOW = {
    "ACKNOWLEDGED":      {"SENT": "ACKNOWLEDGED"},
    "ACCEPTED":          {"SENT": "ACCEPTED", "ACKNOWLEDGED": "ACCEPTED"},
    "REJECTED":          {"SENT": "REJECTED", "ACKNOWLEDGED": "REJECTED", "ACCEPTED": "REJECTED"},
    "STARTED":           {"SENT": "IN_PROGRESS", "ACKNOWLEDGED": "IN_PROGRESS", "ACCEPTED": "IN_PROGRESS"},
    "PROGRESS":          {"SENT": "SENT", "ACKNOWLEDGED": "ACKNOWLEDGED", "ACCEPTED": "ACCEPTED",
                          "IN_PROGRESS": "IN_PROGRESS"},
    "PAUSED":            {"SENT": "ON_HOLD", "ACKNOWLEDGED": "ON_HOLD", "ACCEPTED": "ON_HOLD", "IN_PROGRESS": "ON_HOLD"},
    "RESUMED":           {"ON_HOLD": "IN_PROGRESS"},
    "COMPLETED":         dict.fromkeys(("SENT", "ACKNOWLEDGED", "ACCEPTED", "IN_PROGRESS", "ON_HOLD"), "COMPLETED"),
    "FAILED":            dict.fromkeys(("SENT", "ACKNOWLEDGED", "ACCEPTED", "IN_PROGRESS", "ON_HOLD"), "FAILED"),
    "PARTNER_CANCELLED": dict.fromkeys(("SENT", "ACKNOWLEDGED", "ACCEPTED", "IN_PROGRESS", "ON_HOLD"), "FAILED"),
}  # fmt: skip

ALIVE = ("SENT", "ACKNOWLEDGED", "ACCEPTED", "IN_PROGRESS", "ON_HOLD")

MOVES = [(status, signal, FLOW[signal].get(status)) for signal in FLOW for status in ALIVE]

REFUSES_TOO_LATE = {("IN_PROGRESS", "REJECTED"), ("ON_HOLD", "REJECTED")}

EVENT_OF = {
    "ACKNOWLEDGED": "ReferralAcknowledged",
    "ACCEPTED": "ReferralAccepted",
    "REJECTED": "ReferralRejected",
    "STARTED": "ReferralStarted",
    "PROGRESS": "ReferralProgressReported",
    "PAUSED": "ReferralPaused",
    "RESUMED": "ReferralResumed",
    "COMPLETED": "ReferralCompleted",
    "FAILED": "ReferralFailed",
    "PARTNER_CANCELLED": "ReferralFailed",
}


@pytest.mark.parametrize(("status", "signal", "becomes"), MOVES)
def test_a_signal_changes_a_referral_as_the_table_says(status: str, signal: str, becomes: str | None) -> None:
    scenario = a_referral(status)
    first = scenario.partner_says(KIND, signal, GOOD if signal == "COMPLETED" else None)[0]
    assert scenario.referral(KIND).status == (becomes or status)
    if becomes:
        assert first.name == EVENT_OF[signal]
    elif (status, signal) in REFUSES_TOO_LATE:
        assert (first.name, first.facts["cause"]) == ("PartnerSignalQuarantined", "CONFLICTING_OUTCOME")
    else:
        assert (first.name, first.facts["cause"]) == ("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")


@pytest.mark.parametrize("status", ["COMPLETED", "REJECTED", "FAILED"])
@pytest.mark.parametrize("signal", ["ACKNOWLEDGED", "ACCEPTED", "STARTED", "PROGRESS", "PAUSED", "RESUMED"])
def test_an_earlier_step_after_the_end_changes_nothing(status: str, signal: str) -> None:
    scenario = a_referral(status)
    recorded = scenario.partner_says(KIND, signal)
    assert [(event.name, event.facts["cause"]) for event in recorded] == [
        ("PartnerSignalIgnored", "OUT_OF_ORDER_SUPERSEDED")
    ]
    assert scenario.referral(KIND).status == status


@pytest.mark.parametrize(
    ("status", "signal", "outcome"),
    [
        ("COMPLETED", "COMPLETED", GOOD),
        ("REJECTED", "REJECTED", None),
        ("FAILED", "FAILED", None),
        ("FAILED", "PARTNER_CANCELLED", None),
    ],
)
def test_a_repetition_is_ignored(status: str, signal: str, outcome: str | None) -> None:
    recorded = a_referral(status).partner_says(KIND, signal, outcome)
    assert [event.facts["cause"] for event in recorded] == ["ALREADY_TERMINAL_SAME_OUTCOME"]


@pytest.mark.parametrize(
    ("status", "signal", "outcome"),
    [
        ("COMPLETED", "COMPLETED", "TREATMENT_REQUIRED"),
        ("COMPLETED", "FAILED", None),
        ("COMPLETED", "REJECTED", None),
        ("REJECTED", "COMPLETED", GOOD),
        ("FAILED", "COMPLETED", GOOD),
        ("COMPLETED", "AMENDED", "TREATMENT_REQUIRED"),
        ("COMPLETED", "RETRACTED", None),
        ("IN_PROGRESS", "AMENDED", GOOD),
    ],
)
def test_a_contradiction_is_quarantined(status: str, signal: str, outcome: str | None) -> None:
    scenario = a_referral(status)
    before = {kind: held.status for kind, held in scenario.case.clearances.items()}
    recorded = scenario.partner_says(KIND, signal, outcome)
    assert [event.name for event in recorded] == ["PartnerSignalQuarantined", "TaskRaised"]
    assert scenario.referral(KIND).status == status
    assert scenario.referral(KIND).disputed
    assert {kind: held.status for kind, held in scenario.case.clearances.items()} == before


@pytest.mark.parametrize("status", ["CANCELLED", "EXPIRED", "ENTERED_IN_ERROR"])
def test_a_signal_for_a_referral_ended_by_iom_is_late(status: str) -> None:
    scenario = a_referral(status)
    recorded = scenario.partner_says(KIND, "COMPLETED", GOOD)
    assert (recorded[0].name, recorded[0].facts["disposition"]) == ("LateSignalRecorded", f"REFERRAL_{status}")
    assert [event.facts["task"] for event in recorded[1:]] == (
        ["use a late answer, or ask again"] if status == "EXPIRED" else []
    )
    assert scenario.referral(KIND).status == status
    assert scenario.clearance(KIND) is None


def test_the_same_outcome_with_another_content_is_a_second_fact() -> None:
    scenario = a_screened_case().having_signal(KIND, "COMPLETED", GOOD, payload={"lab": "A"})
    assert scenario.partner_says(KIND, "COMPLETED", GOOD, payload={"lab": "B"})[0].name == "PartnerSignalQuarantined"


def test_missing_steps_are_inferred() -> None:
    scenario = a_screened_case()
    scenario.having_signal(KIND, "COMPLETED", GOOD)
    assert scenario.named("ReferralCompleted")[-1].facts["inferred_steps"] == ("ACCEPTED", "STARTED")


@pytest.mark.parametrize(("seq", "applied"), [(4, True), (3, False), (2, False)])
def test_progress_that_is_older_than_what_is_known_changes_nothing(seq: int, applied: bool) -> None:
    scenario = a_referral("IN_PROGRESS").having_signal(KIND, "PROGRESS", partner_seq=3)
    recorded = scenario.partner_says(KIND, "PROGRESS", partner_seq=seq)
    assert recorded[0].name == ("ReferralProgressReported" if applied else "PartnerSignalIgnored")
    assert scenario.referral(KIND).last_seq == (seq if applied else 3)


def test_an_unknown_token_is_unroutable_and_leaves_the_case_unchanged() -> None:
    scenario = a_screened_case()
    before = repr(scenario.case)
    with pytest.raises(Unroutable, match="UNKNOWN_REFERRAL"):
        scenario.say(a_signal(scenario, token="another token, never given"), by="partner:clinic-tripoli")
    assert repr(scenario.case) == before


def a_signal(scenario: CaseScenario, *, token: str) -> ReceivePartnerSignal:
    return ReceivePartnerSignal(
        signal_id=UUID(int=1),
        referral_token=token,
        partner_id="clinic-tripoli",
        signal_type=SignalType.COMPLETED,
        occurred_at=scenario.now,
    )


def test_a_signal_on_another_partners_referral_is_unroutable() -> None:
    scenario = a_screened_case()
    with pytest.raises(Unroutable, match="NOT_OWNER"):
        scenario.partner_says(KIND, "COMPLETED", GOOD, partner_id="clinic-tripoli")


@pytest.mark.parametrize(
    ("check", "quarantined"),
    [
        ({"given_name": "Fatou"}, True),
        ({"given_name": "Aminata", "year_of_birth": 1990}, True),
        ({"given_name": "aminata", "year_of_birth": 1996}, False),
        ({"given_name": "Aminata"}, False),
    ],
)
def test_a_signal_about_another_person_is_quarantined(check: dict[str, object], quarantined: bool) -> None:
    scenario = a_screened_case()
    recorded = scenario.partner_says(KIND, "COMPLETED", GOOD, subject_check=check)
    assert (recorded[0].name == "PartnerSignalQuarantined") is quarantined
    assert (scenario.clearance(KIND) is None) is quarantined


STATES = (*ALIVE, "COMPLETED", "REJECTED", "FAILED", "CANCELLED", "EXPIRED", "ENTERED_IN_ERROR")


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize(("signal", "held"), [("WITHDRAWAL_REPORTED", "CONSENT"), ("CONCERN_REPORTED", "PROTECTION")])
def test_a_statement_of_the_person_is_never_late(status: str, signal: str, held: str) -> None:
    scenario = a_referral(status).having_signal(KIND, signal, reason="she told the nurse")
    assert scenario.has_hold(held)
    assert scenario.referral(KIND).status == status
    task = list(scenario.case.tasks.values())[-1]
    assert (task.due - scenario.now).total_seconds() == 24 * 3600


def test_a_changed_contact_raises_a_task() -> None:
    scenario = a_screened_case().having_signal(KIND, "CONTACT_CHANGED", payload={"phone": "+218910000002"})
    assert [task.queue for task in scenario.case.tasks.values()] == ["COUNSELLOR"]
    assert not scenario.case.holds


def test_a_statement_of_the_person_reaches_a_closed_case() -> None:
    scenario = a_closed_case().having_signal(KIND, "CONCERN_REPORTED", reason="threatened")
    assert scenario.case.reopen_proposed
    assert scenario.case.phase == "CLOSED"


# Commands of staff


def test_only_a_draft_is_sent() -> None:
    scenario = a_screened_case()
    assert (
        scenario.refused("SendReferral", referral_id=scenario.referral(KIND).referral_id).rule == "REFERRAL.NOT_A_DRAFT"
    )


def test_a_draft_without_consent_is_not_sent() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="SHELTER_DIRECT_ASSISTANCE")
    draft = scenario.referral("SHELTER_DIRECT_ASSISTANCE")
    assert draft.status == "DRAFT"
    assert scenario.refused("SendReferral", referral_id=draft.referral_id).rule == "CONSENT.SHELTER"


@pytest.mark.parametrize(
    ("kind", "purpose"), [("CONSULAR_IDENTITY", "SHARE_EMBASSY"), ("EXIT_PERMIT", "SHARE_AUTHORITY")]
)
def test_under_a_protection_hold_nothing_is_sent_to_embassies_or_authorities(kind: str, purpose: str) -> None:
    scenario = (
        a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="x").having("CreateReferral", kind=kind)
    )
    assert scenario.referral(kind).status == "DRAFT"
    refusal = scenario.refused("SendReferral", referral_id=scenario.referral(kind).referral_id)
    assert refusal.rule == "HOLD.PROTECTION"


def test_a_consent_hold_blocks_referrals_for_the_return_and_never_care() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    scenario.having("CreateReferral", kind="EXIT_PERMIT").having("CreateReferral", kind="SPECIALIST_CARE")
    assert scenario.referral("EXIT_PERMIT").status == "DRAFT"
    assert scenario.referral("SPECIALIST_CARE").status == "SENT"


def test_drafts_are_sent_when_the_hold_is_lifted() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="x")
    scenario.having("CreateReferral", kind="EXIT_PERMIT")
    scenario.having("LiftHold", hold_id=scenario.held("PROTECTION").hold_id, reason="settled")
    assert scenario.referral("EXIT_PERMIT").status == "SENT"


def test_a_disclosure_records_its_fields_and_consent() -> None:
    scenario = a_screened_case()
    disclosed = [
        event.facts for event in scenario.named("DisclosureRecorded") if event.facts["recipient"] == "embassy-nga"
    ]
    assert [facts["consent"] for facts in disclosed] == ["SHARE_EMBASSY"]
    assert disclosed[0]["fields"] == (
        "date_of_birth",
        "dob_precision",
        "family_name",
        "given_names",
        "nationality",
        "sex",
    )


@pytest.mark.parametrize("status", ALIVE)
def test_an_open_referral_is_cancelled_without_its_reason(status: str) -> None:
    scenario = a_referral(status)
    scenario.having("CancelReferral", referral_id=scenario.referral(KIND).referral_id, reason="she is afraid")
    assert scenario.names[-2:] == ["ReferralCancelled", "ReferralCancellationNotified"]
    assert scenario.named("ReferralCancellationNotified")[-1].facts["reason"] == "CASE_NOT_PROCEEDING"


def test_a_draft_is_cancelled_without_a_notice() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="SHELTER_DIRECT_ASSISTANCE")
    scenario.having(
        "CancelReferral", referral_id=scenario.referral("SHELTER_DIRECT_ASSISTANCE").referral_id, reason="x"
    )
    assert scenario.names[-1] == "ReferralCancelled"


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_referral_cannot_be_cancelled(status: str) -> None:
    scenario = a_referral(status)
    refusal = scenario.refused("CancelReferral", referral_id=scenario.referral(KIND).referral_id, reason="x")
    assert refusal.rule == "REFERRAL.OVER"


@pytest.mark.parametrize("status", sorted(TERMINAL | set(ALIVE)))
def test_only_a_rejected_failed_or_expired_referral_is_reassigned(status: str) -> None:
    scenario = a_referral(status)
    order = {"referral_id": scenario.referral(KIND).referral_id, "partner_id": "clinic-tripoli", "reason": "x"}
    if status in ("REJECTED", "FAILED", "EXPIRED"):
        scenario.having("ReassignReferral", **order)
        assert scenario.referral(KIND).partner_id == "clinic-tripoli"
        assert scenario.referral(KIND).replaces == order["referral_id"]
        assert scenario.referral(KIND).status == "SENT"
    else:
        assert scenario.refused("ReassignReferral", **order).rule == "REFERRAL.NOT_ENDED"


def test_a_public_kind_cannot_be_requested() -> None:
    refusal = a_screened_case().refused("CreateReferral", kind="HEALTH_SERVICE")
    assert (refusal.rule, refusal.field) == ("REFERRAL.PUBLIC_NAME", "kind")
    assert refusal.detail == (
        "health service is only the public name of other kinds; "
        "enter mental health and psychosocial support (MHPSS) or specialist care (SPECIALIST_CARE)"
    )


@pytest.mark.parametrize(
    ("partner", "rule"),
    [("nobody", "PARTNER.UNKNOWN"), ("embassy-nga", "PARTNER.KIND"), ("exit-authority", "PARTNER.KIND")],
)
def test_a_partner_must_be_known_and_take_the_kind(partner: str, rule: str) -> None:
    assert a_screened_case().refused("CreateReferral", kind=KIND, partner_id=partner).rule == rule
    scenario = a_referral("REJECTED")
    order = {"referral_id": scenario.referral(KIND).referral_id, "partner_id": partner, "reason": "x"}
    assert scenario.refused("ReassignReferral", **order).rule == rule


@pytest.mark.parametrize(
    "order",
    ["SendReferral", "CancelReferral", "ReassignReferral", "ConfirmReferralExpiry", "MarkReferralEnteredInError"],
)
def test_an_unknown_referral_is_named_in_the_rejection(order: str) -> None:
    fields = {"referral_id": UUID(int=7)} | ({} if order == "SendReferral" else {"reason": "x"})
    fields |= {"partner_id": "clinic-tripoli"} if order == "ReassignReferral" else {}
    assert a_screened_case().refused(order, **fields).rule == "REFERRAL.UNKNOWN"


def test_a_referral_entered_in_error_revokes_what_it_granted() -> None:
    scenario = a_referral("COMPLETED")
    scenario.having(
        "MarkReferralEnteredInError", referral_id=scenario.referral(KIND).referral_id, reason="another person"
    )
    granted = scenario.clearance(KIND)
    assert granted is not None
    assert granted.status == "REVOKED"


# Decisions on quarantined signals


def a_doubt(first: str, second: str) -> tuple[CaseScenario, UUID]:
    scenario = a_screened_case().having_signal(KIND, "COMPLETED", first).having_signal(KIND, "COMPLETED", second)
    return scenario, next(iter(scenario.referral(KIND).disputed))


def test_a_signal_set_aside_changes_nothing() -> None:
    scenario, signal = a_doubt(GOOD, "TREATMENT_REQUIRED")
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="IGNORE", reason="another patient")
    assert scenario.referral(KIND).outcome == GOOD
    assert not scenario.referral(KIND).disputed


def test_a_confirmed_worse_outcome_revokes_what_the_previous_one_granted() -> None:
    scenario, signal = a_doubt(GOOD, "TREATMENT_REQUIRED")
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the doctor called")
    granted = scenario.clearance(KIND)
    assert granted is not None
    assert granted.status == "REVOKED"
    assert scenario.has_hold("MEDICAL")


def test_a_confirmed_better_outcome_grants_its_clearance() -> None:
    scenario, signal = a_doubt("TREATMENT_REQUIRED", GOOD)
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the doctor called")
    granted = scenario.clearance(KIND)
    assert granted is not None
    assert granted.status == "VALID"
    assert scenario.referral(KIND).outcome_version == 2


def test_an_amendment_to_another_good_outcome_keeps_the_clearance() -> None:
    scenario, signal = a_doubt(GOOD, "SIGNIFICANT_CONDITION_STABLE")
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the doctor called")
    granted = scenario.clearance(KIND)
    assert granted is not None
    assert granted.status == "VALID"
    assert scenario.status("MEDICAL") == "COMPLETED"


def test_a_retracted_response_revokes_what_it_granted() -> None:
    scenario = a_referral("COMPLETED").having_signal(KIND, "RETRACTED", reason="wrong file")
    signal = next(iter(scenario.referral(KIND).disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the clinic called")
    granted = scenario.clearance(KIND)
    assert granted is not None
    assert granted.status == "REVOKED"
    assert scenario.status("MEDICAL") == "REOPENED"


def test_a_quarantined_signal_is_resolved_once() -> None:
    scenario, signal = a_doubt(GOOD, "TREATMENT_REQUIRED")
    order = {"signal_id": signal, "decision": "IGNORE", "reason": "x"}
    scenario.having("ResolveQuarantinedSignal", **order)
    assert scenario.refused("ResolveQuarantinedSignal", **order).rule == "SIGNAL.NOT_IN_QUARANTINE"


def test_every_type_of_signal_is_in_these_tables() -> None:
    named = set(FLOW) | {"AMENDED", "RETRACTED", "WITHDRAWAL_REPORTED", "CONCERN_REPORTED", "CONTACT_CHANGED"}
    assert named == set(SignalType)
