"""Referrals and messages blocked after a withdrawn consent or under a hold, and neutral notices (INV-03, INV-08)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.casework.deadlines import deadlines
from domain.decider import progress_of
from domain.kernel.vocabulary import HoldType, ReferralKind
from domain.referral.disclosure import BY_LETTER, RECIPIENT_OF, Recipient
from domain.referral.notifications import (
    AMENDED,
    ENDING,
    NOTIFICATIONS,
    REMINDER,
    SENT,
    may_be_delivered,
    notifications_of,
    referrals_ended_by,
)
from domain.referral.requests import sending_blocked_by
from tests.support.assertions import assert_in_order, neutral
from tests.support.builders import (
    CaseScenario,
    a_cleared_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
)

CLINIC = "MEDICAL_ASSESSMENT"

EMBASSY = "CONSULAR_IDENTITY"

NOTIFIED_BY_LETTER = frozenset({"embassy-nga", "embassy-nga-2", "exit-authority"})


def deliverable(scenario: CaseScenario, kind: str, name: str = SENT) -> bool:
    """Whether a message about the latest referral of a kind may be delivered."""
    return may_be_delivered(scenario.case, name, scenario.referral(kind).referral_id, scenario.now)


def sent_messages(scenario: CaseScenario, since: int = 0) -> list[tuple[str, str, str]]:
    """The recipient, name and time of each message, from an event on."""
    found = ((event, notifications_of(scenario.case, event)) for event in scenario.events[since:])
    return [(one.partner_id, one.name, f"{event.timestamp:%m-%d %H:%M}") for event, one in found if one is not None]


def hold(scenario: CaseScenario, hold_type: str = "PROTECTION") -> CaseScenario:
    return scenario.having("PlaceHold", hold_type=hold_type, reason="x")


# Checks at delivery


def test_messages_may_be_delivered_while_nothing_has_changed() -> None:
    scenario = a_screened_case()
    assert all(
        deliverable(scenario, kind, name) for kind in (CLINIC, EMBASSY) for name in (SENT, REMINDER, AMENDED, ENDING)
    )


def test_no_message_is_delivered_for_an_unknown_referral() -> None:
    scenario = a_registered_case()
    assert not may_be_delivered(scenario.case, SENT, scenario.case.id, scenario.now)


@pytest.mark.parametrize("name", [SENT, REMINDER, AMENDED])
def test_no_message_is_delivered_without_a_consent_in_force(name: str) -> None:
    scenario = a_screened_case().having_signal(CLINIC, "ACCEPTED").having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert scenario.referral(CLINIC).status == "ACCEPTED"
    assert not deliverable(scenario, CLINIC, name)


@pytest.mark.parametrize("name", [SENT, REMINDER, AMENDED, ENDING])
def test_an_excluded_organisation_receives_no_message_not_even_of_the_end(name: str) -> None:
    scenario = a_screened_case()
    scenario.having(
        "RecordConsent", purpose="SHARE_CLINIC", form_version="2", language="en", excluded_partners=("clinic-misrata",)
    )
    assert not may_be_delivered(scenario.case, name, scenario.referral(CLINIC, 0).referral_id, scenario.now)


@pytest.mark.parametrize("hold_type", list(HoldType))
@pytest.mark.parametrize("kind", [CLINIC, EMBASSY])
def test_a_hold_stops_only_the_messages_that_it_blocks(hold_type: str, kind: str) -> None:
    scenario = hold(a_screened_case(), hold_type)
    stopped = kind == EMBASSY and hold_type in ("PROTECTION", "CONSENT")
    assert deliverable(scenario, kind) is not stopped


def test_messages_may_be_delivered_again_when_a_consent_hold_is_lifted() -> None:
    scenario = hold(a_screened_case(), "CONSENT")
    assert not deliverable(scenario, EMBASSY)
    scenario.case.holds.clear()
    assert deliverable(scenario, EMBASSY)


@pytest.mark.parametrize("how", ["CancelReferral", "MarkReferralEnteredInError"])
@pytest.mark.parametrize("name", [SENT, REMINDER, AMENDED])
def test_messages_of_an_ended_referral_are_not_delivered(how: str, name: str) -> None:
    scenario = a_screened_case()
    scenario.having(how, referral_id=scenario.referral(CLINIC).referral_id, reason="x")
    assert not deliverable(scenario, CLINIC, name)
    assert deliverable(scenario, CLINIC, ENDING)


def test_a_request_past_its_validity_is_not_delivered() -> None:
    scenario = a_screened_case()
    stands = scenario.referral(CLINIC).dues["stands"]
    assert may_be_delivered(scenario.case, SENT, scenario.referral(CLINIC).referral_id, stands)
    assert not may_be_delivered(
        scenario.case, SENT, scenario.referral(CLINIC).referral_id, stands + timedelta(seconds=1)
    )


def test_a_reminder_of_a_step_no_longer_owed_is_not_delivered() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "PAUSED")
    assert not deliverable(scenario, CLINIC, REMINDER)


# Withdrawal of undelivered messages

ENDINGS: dict[str, Callable[[CaseScenario], Any]] = {
    "cancelled": lambda scenario: scenario.send(
        "CancelReferral", referral_id=scenario.referral(CLINIC).referral_id, reason="x"
    ),
    "in error": lambda scenario: scenario.send(
        "MarkReferralEnteredInError", referral_id=scenario.referral(CLINIC).referral_id, reason="x"
    ),
    "expired": lambda scenario: scenario.after(days=9).send(
        "ConfirmReferralExpiry", referral_id=scenario.referral(CLINIC).referral_id, reason="x"
    ),
    "completed": lambda scenario: scenario.partner_says(CLINIC, "COMPLETED", "NO_SIGNIFICANT_CONDITION"),
    "rejected": lambda scenario: scenario.partner_says(CLINIC, "REJECTED"),
    "failed": lambda scenario: scenario.partner_says(CLINIC, "FAILED"),
    "consent withdrawn": lambda scenario: scenario.send("WithdrawConsent", purpose="SHARE_CLINIC"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_the_end_of_a_referral_withdraws_its_undelivered_messages(how: str) -> None:
    scenario = a_screened_case()
    mine = scenario.referral(CLINIC).referral_id
    assert referrals_ended_by(scenario.case, ENDINGS[how](scenario)) == {mine}


def test_messages_are_withdrawn_only_by_an_end() -> None:
    scenario = a_screened_case()
    assert referrals_ended_by(scenario.case, scenario.partner_says(CLINIC, "ACCEPTED")) == frozenset()
    assert referrals_ended_by(scenario.case, scenario.send("AddNote", note="x")) == frozenset()


def test_a_withdrawal_ends_all_referrals_for_the_journey_in_one_decision() -> None:
    scenario = a_seated_case()
    decided = scenario.send("WithdrawVoluntaryReturn", channel="PHONE")
    assert referrals_ended_by(scenario.case, decided) == {scenario.referral("RECEPTION").referral_id}
    scenario = a_screened_case()
    decided = scenario.send("WithdrawVoluntaryReturn", channel="PHONE")
    assert referrals_ended_by(scenario.case, decided) == {scenario.referral(EMBASSY).referral_id}
    assert deliverable(scenario, CLINIC), "a withdrawal never stops care"


# Withdrawn consent


def test_an_unacknowledged_referral_ends_with_the_consent() -> None:
    scenario = a_screened_case().having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert scenario.referral(CLINIC, 0).status == "CANCELLED"
    assert scenario.named("ReferralCancelled")[-1].facts["by_rule"]


def test_staff_decide_on_a_referral_that_a_partner_works_on() -> None:
    scenario = a_screened_case().having_signal(CLINIC, "ACKNOWLEDGED").having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert scenario.referral(CLINIC).status == "ACKNOWLEDGED"
    assert "decide on a referral without consent" in [task.task for task in scenario.case.tasks.values()]


def test_a_refused_consent_counts_like_a_withdrawn_one() -> None:
    scenario = a_screened_case()
    scenario.having("RecordConsent", purpose="SHARE_CLINIC", given=False, form_version="2", language="en")
    assert scenario.referral(CLINIC, 0).status == "CANCELLED"


def test_a_withdrawn_consent_for_another_purpose_ends_nothing() -> None:
    scenario = a_screened_case().having("WithdrawConsent", purpose="SHARE_RECEPTION")
    assert {referral.status for referral in scenario.case.referrals.values()} == {"SENT"}


def test_a_renewed_consent_sends_the_request_to_the_clinic_again() -> None:
    scenario = a_screened_case().having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert scenario.referral(CLINIC).status == "DRAFT"
    scenario.having("RecordConsent", purpose="SHARE_CLINIC", form_version="2", language="en")
    assert [referral.status for referral in scenario.asked(CLINIC)] == ["CANCELLED", "SENT"]


def test_another_clinic_replaces_an_excluded_one() -> None:
    scenario = a_screened_case()
    assert scenario.referral(CLINIC).partner_id == "clinic-misrata"
    scenario.having(
        "RecordConsent", purpose="SHARE_CLINIC", form_version="2", language="en", excluded_partners=("clinic-misrata",)
    )
    assert [(one.partner_id, one.status) for one in scenario.asked(CLINIC)] == [
        ("clinic-misrata", "CANCELLED"),
        ("clinic-tripoli", "SENT"),
    ]
    assert not [to for to, name, _ in sent_messages(scenario) if (to, name) == ("clinic-misrata", ENDING)]


def test_a_consent_withdrawn_after_closing_stops_undelivered_messages() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    scenario.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="amaka")
    mine = scenario.referral(CLINIC).referral_id
    decided = scenario.send("WithdrawConsent", purpose="SHARE_CLINIC")
    assert referrals_ended_by(scenario.case, decided) == {mine}
    assert not deliverable(scenario, CLINIC)


# Holds


def test_any_protection_hold_ends_open_referrals_to_embassies_and_authorities() -> None:
    """INV-03."""
    scenario = hold(a_screened_case().having_signal(EMBASSY, "ACCEPTED"))
    cancelled = scenario.named("ReferralCancelled")[-1]
    assert scenario.referral(EMBASSY).status == "CANCELLED"
    assert cancelled.facts["reason_external"] == "CASE_NOT_PROCEEDING"
    assert scenario.referral(CLINIC).status == "SENT"


CAUSES: dict[str, Callable[[CaseScenario], CaseScenario]] = {
    "fear": lambda scenario: scenario.having("RecordNonRefoulementScreen", outcome="CLAIM", account="afraid"),
    "concern": lambda scenario: scenario.having("RaiseProtectionConcern", risk_level="HIGH", concern="sold"),
    "through a partner": lambda scenario: scenario.having_signal(CLINIC, "CONCERN_REPORTED", reason="beaten"),
    "by an officer": hold,
    "withdrawal": lambda scenario: scenario.having("WithdrawVoluntaryReturn", channel="PHONE"),
    "closing": lambda scenario: scenario.having("CloseCase", reason="NO_CONTACT", approved_by="amaka"),
    "an order": lambda scenario: scenario.having(
        "CancelReferral", referral_id=scenario.referral(EMBASSY).referral_id, reason="x"
    ),
    "in error": lambda scenario: scenario.having(
        "MarkReferralEnteredInError", referral_id=scenario.referral(EMBASSY).referral_id, reason="x"
    ),
    "consent": lambda scenario: scenario.having("WithdrawConsent", purpose="SHARE_EMBASSY"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_an_embassy_is_notified_of_an_end_with_the_daily_letters_and_never_at_its_cause(cause: str) -> None:
    """The end, its reason and its hour are the same for every cause (rule PROTECTION.INDISTINGUISHABLE)."""
    scenario = a_screened_case().after(hours=28)
    known = len(scenario.events)
    CAUSES[cause](scenario)
    assert [letter for letter in sent_messages(scenario, known) if letter[0] in NOTIFIED_BY_LETTER] == []
    scenario.after(hours=24)
    assert [letter for letter in sent_messages(scenario, known) if letter[0] in NOTIFIED_BY_LETTER] == [
        ("embassy-nga", ENDING, "11-25 10:00")
    ]
    notice = [notifications_of(scenario.case, event) for event in scenario.named("ReferralCancellationNotified")][-1]
    assert notice is not None
    assert notice.data == {"referral_token": scenario.referral(EMBASSY, 0).token, "reason": "CASE_NOT_PROCEEDING"}


def test_daily_letters_are_sent_on_working_days_only() -> None:
    scenario = hold(a_screened_case().at("2026-11-26T12:00:00Z"))
    assert scenario.referral(EMBASSY).tell_end_at is not None
    scenario.after(days=5)
    assert ("embassy-nga", ENDING, "11-29 10:00") in sent_messages(scenario), (
        "Thursday's letters are sent before noon; Sunday is the next working day"
    )


def test_an_end_is_notified_once_also_when_the_case_is_closed_meanwhile() -> None:
    scenario = hold(a_screened_case())
    scenario.having("CloseCase", reason="REFERRED_TO_UNHCR", approved_by="amaka")
    assert [due.kind for due in deadlines(scenario.case, scenario.directory)] == ["ending", "retention"]
    scenario.after(days=30)
    assert [name for to, name, _ in sent_messages(scenario) if to == "embassy-nga"].count(ENDING) == 1


def test_the_log_without_sealed_fields_does_not_reveal_the_cause() -> None:
    def log(cause: str) -> list[str]:
        scenario = a_screened_case()
        known = len(scenario.events)
        CAUSES[cause](scenario).after(days=2)
        ends = ("ReferralCancelled", "ReferralCancellationNotified")
        placed = [
            event.placed_in(scenario.case.id, 0, event.timestamp)
            for event in scenario.events[known:]
            if event.name in ends
        ]
        return [neutral(event) for event in placed]

    assert log("fear") == log("by an officer") == log("concern") == log("through a partner")


ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

FROM: dict[str, Callable[[], CaseScenario]] = {
    "just registered": a_registered_case,
    "screened": a_screened_case,
    "with a seat": a_seated_case,
    "ready to board": a_frozen_case,
}

CONCERN = {"risk_level": "HIGH", "concern": "threatened by a smuggler"}


@pytest.mark.parametrize("begun", FROM)
def test_the_public_log_of_a_fear_claim_equals_that_of_any_other_protection_hold(begun: str) -> None:
    """Compares every neutral field of every event, what the case waits for, and how it continues."""

    def log(*messages: tuple[str, dict[str, Any]]) -> list[object]:
        scenario = FROM[begun]()
        for name, fields in messages:
            scenario.having(name, **fields)
        waits = [scenario.waits_for(), progress_of(scenario.case, scenario.moment()).waiting_on]
        scenario.after(days=30)
        return [*(ID.sub("an id", neutral(event)) for event in scenario.events), waits, scenario.waits_for()]

    afraid = log(("RecordNonRefoulementScreen", {"outcome": "CLAIM", "account": "they will kill me"}))
    unsure = log(("RecordNonRefoulementScreen", {"outcome": "UNSURE"}))
    concern_there = log(("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM", "concern": "she was sold"}))
    interview = ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"})
    assert afraid == unsure == concern_there == log(interview, ("RaiseProtectionConcern", CONCERN))


@pytest.mark.parametrize("reaffirmed", [True, False])
def test_fear_at_the_airport_looks_like_any_other_protection_concern_there(reaffirmed: bool) -> None:
    def log(**reported: Any) -> list[str]:
        scenario = a_frozen_case()
        scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=reaffirmed, **reported)
        return [ID.sub("an id", neutral(event)) for event in scenario.after(days=30).events]

    assert log(fear_expressed=True, account="they wait for me") == log(concern="she was sold")


@pytest.mark.parametrize("kind", sorted(set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}))
def test_only_embassies_and_authorities_are_notified_by_letter(kind: ReferralKind) -> None:
    waits = kind in ("CONSULAR_IDENTITY", "TRAVEL_DOCUMENT", "EXIT_PERMIT", "DETENTION_RELEASE")
    assert (RECIPIENT_OF[kind] in BY_LETTER) is waits


def test_other_partners_are_notified_of_an_end_immediately() -> None:
    scenario = a_seated_case()
    known = len(scenario.events)
    scenario.having("WithdrawVoluntaryReturn", channel="PHONE")
    assert [(to, name) for to, name, _ in sent_messages(scenario, known)] == [("reception-nga", ENDING)]


def test_the_embassy_is_contacted_again_when_the_hold_is_lifted() -> None:
    scenario = hold(a_screened_case()).after(days=3)
    assert len(scenario.asked(EMBASSY)) == 1
    scenario.having("LiftHold", hold_id=scenario.held("PROTECTION").hold_id, reason="settled")
    assert [referral.status for referral in scenario.asked(EMBASSY)] == ["CANCELLED", "SENT"]


def test_a_referral_cancelled_by_staff_is_not_repeated_automatically() -> None:
    scenario = a_screened_case()
    scenario.having("CancelReferral", referral_id=scenario.referral(EMBASSY).referral_id, reason="x").after(days=9)
    assert len(scenario.asked(EMBASSY)) == 1


def test_the_embassy_is_contacted_again_after_a_withdrawal_and_a_new_declaration() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE").after(days=2)
    scenario.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    scenario.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="VRD-1", language="en")
    assert len(scenario.asked(EMBASSY)) == 1
    scenario.having("LiftHold", hold_id=scenario.held("CONSENT").hold_id, reason="declared anew")
    assert [referral.status for referral in scenario.asked(EMBASSY)] == ["CANCELLED", "SENT"]


def test_a_hold_released_for_embassies_allows_new_referrals_to_them() -> None:
    scenario = hold(a_screened_case())
    scenario.having(
        "ReviewHold",
        hold_id=scenario.held("PROTECTION").hold_id,
        decision="letters may go",
        unblock=["EMBASSY_DISCLOSURE"],
    )
    assert scenario.referral(EMBASSY).status == "SENT"


def test_documents_issued_before_the_hold_stay_valid() -> None:
    scenario = hold(a_cleared_case())
    issued = scenario.clearance("TRAVEL_DOCUMENT")
    assert issued is not None
    assert issued.status == "VALID"
    assert "ReferralCancelled" not in scenario.names


# Reminders


def test_no_reminder_is_sent_while_disclosure_is_blocked() -> None:
    scenario = hold(a_screened_case().having_signal(CLINIC, "ACCEPTED"), "CONSENT")
    known = len(scenario.events)
    scenario.after(days=9)
    held_back = [event.facts["rung"] for event in scenario.named("ReferralReminderHeldBack")]
    assert held_back[:2] == ["ack.reminder-50", "ack.reminder-100"]
    assert not [one for one in sent_messages(scenario, known) if one[:2] == ("embassy-nga", REMINDER)]
    assert scenario.referral(EMBASSY).timeliness in ("OVERDUE", "ESCALATED_L1"), (
        "the missing response is still escalated"
    )


def test_a_reminder_held_back_does_not_change_timeliness() -> None:
    scenario = hold(a_screened_case(), "CONSENT").after(days=2)
    assert scenario.referral(EMBASSY).timeliness == "ON_TIME"


def test_reminders_continue_once_disclosure_is_allowed_again() -> None:
    scenario = hold(a_screened_case(), "CONSENT").after(days=2)
    scenario.case.holds.clear()
    scenario.after(days=2)
    assert ("embassy-nga", REMINDER) in [one[:2] for one in sent_messages(scenario)]


# Any sequence of messages

STEPS: dict[str, Callable[[CaseScenario], Any]] = {
    "hold": hold,
    "consent hold": lambda scenario: hold(scenario, "CONSENT"),
    "lift": lambda scenario: [
        scenario.having("LiftHold", hold_id=each, reason="x")
        for each in list(scenario.case.holds)
        if scenario.case.holds[each].type != "CONSENT"
    ],
    "withdraw embassy": lambda scenario: scenario.having("WithdrawConsent", purpose="SHARE_EMBASSY"),
    "consent embassy": lambda scenario: scenario.having(
        "RecordConsent", purpose="SHARE_EMBASSY", form_version="1", language="en"
    ),
    "exclude embassy": lambda scenario: scenario.having(
        "RecordConsent", purpose="SHARE_EMBASSY", form_version="1", language="en", excluded_partners=("embassy-nga",)
    ),
    "fear": CAUSES["fear"],
    "day": lambda scenario: scenario.after(days=1),
    "week": lambda scenario: scenario.after(days=7),
    "accept": lambda scenario: scenario.referral(EMBASSY).token and scenario.having_signal(EMBASSY, "ACCEPTED"),
    "ask": lambda scenario: scenario.having("CreateReferral", kind="EXIT_PERMIT"),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_no_blocked_referral_is_ever_sent_or_stays_open(steps: list[str]) -> None:
    scenario = a_screened_case()
    for step in steps:
        known = len(scenario.events)
        STEPS[step](scenario)
        assert_nothing_forbidden_left(scenario, known)
        closed = [
            one
            for one in scenario.case.open_referrals()
            if RECIPIENT_OF[one.asked_kind] in BY_LETTER and one.status != "DRAFT"
        ]
        blocked = {block for each in scenario.case.holds.values() for block in each.blocks}
        assert not [one for one in closed if _disclosure_block(one.asked_kind) in blocked]


def _disclosure_block(kind: ReferralKind) -> str:
    return "EMBASSY_DISCLOSURE" if RECIPIENT_OF[kind] is Recipient.EMBASSY else "AUTHORITY_DISCLOSURE"


def assert_nothing_forbidden_left(scenario: CaseScenario, known: int) -> None:
    """Asserts that the messages of the latest events are allowed in the current state of the case."""
    last = scenario.events[-1].timestamp if scenario.events else scenario.now
    for event in scenario.events[known:]:
        letter = NOTIFICATIONS.get(type(event))
        if letter is not None and letter[0] != ENDING and event.timestamp == last:
            referral = scenario.case.referrals[event.facts["referral_id"]]
            assert referral.over or sending_blocked_by(scenario.case, referral) is None


def test_the_order_of_events_of_a_claim_at_the_airport() -> None:
    """SC-13: the seat is released, and the end is notified with the daily letters without its reason."""
    scenario = a_seated_case().having("CreateReferral", kind="EXIT_PERMIT").at("2026-12-12T09:00:00Z")
    scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=False, fear_expressed=True)
    scenario.after(days=3)
    assert_in_order(
        scenario.events,
        "DepartureInterviewHeld",
        "ClearanceRevoked[PROTECTION_CLEARANCE]",
        "HoldPlaced[PROTECTION]",
        "ReferralCancelled[EXIT_PERMIT CASE_NOT_PROCEEDING]",
        "ReferralCancellationNotified[exit-authority CASE_NOT_PROCEEDING]",
    )
