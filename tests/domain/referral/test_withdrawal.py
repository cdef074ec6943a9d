"""What must not leave: after a withdrawn consent, under a hold, and at the moment that would tell why (INV-03, INV-08)."""

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

TO_LETTERS = frozenset({"embassy-nga", "embassy-nga-2", "exit-authority"})


def leaves(told: CaseScenario, kind: str, name: str = SENT) -> bool:
    """Whether a message about the newest referral of a kind may still be delivered."""
    return may_be_delivered(told.case, name, told.referral(kind).referral_id, told.now)


def letters(told: CaseScenario, since: int = 0) -> list[tuple[str, str, str]]:
    """Whom something was sent to, what, and when, from an event on."""
    found = ((event, notifications_of(told.case, event)) for event in told.events[since:])
    return [(one.partner_id, one.name, f"{event.timestamp:%m-%d %H:%M}") for event, one in found if one is not None]


def hold(told: CaseScenario, hold_type: str = "PROTECTION") -> CaseScenario:
    return told.having("PlaceHold", hold_type=hold_type, reason="x")


# What is decided again at the last moment


def test_what_was_sent_may_leave_while_nothing_has_changed() -> None:
    told = a_screened_case()
    assert all(leaves(told, kind, name) for kind in (CLINIC, EMBASSY) for name in (SENT, REMINDER, AMENDED, ENDING))


def test_nothing_is_said_of_a_referral_that_is_not_there() -> None:
    told = a_registered_case()
    assert not may_be_delivered(told.case, SENT, told.case.id, told.now)


@pytest.mark.parametrize("name", [SENT, REMINDER, AMENDED])
def test_without_a_consent_in_force_nothing_leaves(name: str) -> None:
    told = a_screened_case().heard(CLINIC, "ACCEPTED").having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert told.referral(CLINIC).status == "ACCEPTED"
    assert not leaves(told, CLINIC, name)


@pytest.mark.parametrize("name", [SENT, REMINDER, AMENDED, ENDING])
def test_an_organisation_that_the_person_excludes_is_told_nothing_not_even_the_end(name: str) -> None:
    told = a_screened_case()
    told.having(
        "RecordConsent", purpose="SHARE_CLINIC", form_version="2", language="en", excluded_partners=("clinic-misrata",)
    )
    assert not may_be_delivered(told.case, name, told.referral(CLINIC, 0).referral_id, told.now)


@pytest.mark.parametrize("hold_type", list(HoldType))
@pytest.mark.parametrize("kind", [CLINIC, EMBASSY])
def test_a_hold_stops_what_it_stops_and_no_more(hold_type: str, kind: str) -> None:
    told = hold(a_screened_case(), hold_type)
    stopped = kind == EMBASSY and hold_type in ("PROTECTION", "CONSENT")
    assert leaves(told, kind) is not stopped


def test_when_a_consent_hold_is_lifted_what_was_held_back_may_leave() -> None:
    told = hold(a_screened_case(), "CONSENT")
    assert not leaves(told, EMBASSY)
    told.case.holds.clear()
    assert leaves(told, EMBASSY)


@pytest.mark.parametrize("how", ["CancelReferral", "MarkReferralEnteredInError"])
@pytest.mark.parametrize("name", [SENT, REMINDER, AMENDED])
def test_what_has_ended_does_not_leave_any_more(how: str, name: str) -> None:
    told = a_screened_case()
    told.having(how, referral_id=told.referral(CLINIC).referral_id, reason="x")
    assert not leaves(told, CLINIC, name)
    assert leaves(told, CLINIC, ENDING)


def test_a_request_that_does_not_stand_any_more_does_not_leave() -> None:
    told = a_screened_case()
    stands = told.referral(CLINIC).dues["stands"]
    assert may_be_delivered(told.case, SENT, told.referral(CLINIC).referral_id, stands)
    assert not may_be_delivered(told.case, SENT, told.referral(CLINIC).referral_id, stands + timedelta(seconds=1))


def test_a_reminder_of_what_is_not_owed_any_more_does_not_leave() -> None:
    told = a_screened_case().heard(CLINIC, "PAUSED")
    assert not leaves(told, CLINIC, REMINDER)


# What a decision withdraws

ENDINGS: dict[str, Callable[[CaseScenario], Any]] = {
    "cancelled": lambda told: told.send("CancelReferral", referral_id=told.referral(CLINIC).referral_id, reason="x"),
    "in error": lambda told: told.send(
        "MarkReferralEnteredInError", referral_id=told.referral(CLINIC).referral_id, reason="x"
    ),
    "expired": lambda told: told.after(days=9).send(
        "ConfirmReferralExpiry", referral_id=told.referral(CLINIC).referral_id, reason="x"
    ),
    "completed": lambda told: told.partner_says(CLINIC, "COMPLETED", "NO_SIGNIFICANT_CONDITION"),
    "rejected": lambda told: told.partner_says(CLINIC, "REJECTED"),
    "failed": lambda told: told.partner_says(CLINIC, "FAILED"),
    "consent withdrawn": lambda told: told.send("WithdrawConsent", purpose="SHARE_CLINIC"),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_whatever_ends_a_referral_withdraws_what_of_it_has_not_been_delivered(how: str) -> None:
    told = a_screened_case()
    mine = told.referral(CLINIC).referral_id
    assert referrals_ended_by(told.case, ENDINGS[how](told)) == {mine}


def test_what_ends_nothing_withdraws_nothing() -> None:
    told = a_screened_case()
    assert referrals_ended_by(told.case, told.partner_says(CLINIC, "ACCEPTED")) == frozenset()
    assert referrals_ended_by(told.case, told.send("AddNote", note="x")) == frozenset()


def test_a_withdrawal_withdraws_all_that_served_the_journey_in_one_decision() -> None:
    told = a_seated_case()
    decided = told.send("WithdrawVoluntaryReturn", channel="PHONE")
    assert referrals_ended_by(told.case, decided) == {told.referral("RECEPTION").referral_id}
    told = a_screened_case()
    decided = told.send("WithdrawVoluntaryReturn", channel="PHONE")
    assert referrals_ended_by(told.case, decided) == {told.referral(EMBASSY).referral_id}
    assert leaves(told, CLINIC), "care is never stopped by it"


# A consent that is taken back


def test_what_the_partner_has_not_answered_ends_with_the_consent() -> None:
    told = a_screened_case().having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert told.referral(CLINIC, 0).status == "CANCELLED"
    assert told.named("ReferralCancelled")[-1].facts["by_rule"]


def test_what_a_partner_works_on_is_for_a_person_to_decide() -> None:
    told = a_screened_case().heard(CLINIC, "ACKNOWLEDGED").having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert told.referral(CLINIC).status == "ACKNOWLEDGED"
    assert "decide on a referral without consent" in [task.task for task in told.case.tasks.values()]


def test_a_refused_consent_counts_like_one_that_was_taken_back() -> None:
    told = a_screened_case()
    told.having("RecordConsent", purpose="SHARE_CLINIC", given=False, form_version="2", language="en")
    assert told.referral(CLINIC, 0).status == "CANCELLED"


def test_another_purposes_consent_ends_nothing() -> None:
    told = a_screened_case().having("WithdrawConsent", purpose="SHARE_RECEPTION")
    assert {referral.status for referral in told.case.referrals.values()} == {"SENT"}


def test_when_the_consent_is_given_again_the_clinic_is_asked_again() -> None:
    told = a_screened_case().having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert told.referral(CLINIC).status == "DRAFT"
    told.having("RecordConsent", purpose="SHARE_CLINIC", form_version="2", language="en")
    assert [referral.status for referral in told.asked(CLINIC)] == ["CANCELLED", "SENT"]


def test_instead_of_an_excluded_clinic_another_one_is_asked() -> None:
    told = a_screened_case()
    assert told.referral(CLINIC).partner_id == "clinic-misrata"
    told.having(
        "RecordConsent", purpose="SHARE_CLINIC", form_version="2", language="en", excluded_partners=("clinic-misrata",)
    )
    assert [(one.partner_id, one.status) for one in told.asked(CLINIC)] == [
        ("clinic-misrata", "CANCELLED"),
        ("clinic-tripoli", "SENT"),
    ]
    assert not [to for to, name, _ in letters(told) if (to, name) == ("clinic-misrata", ENDING)]


def test_a_consent_withdrawn_after_closing_stops_what_has_not_left() -> None:
    told = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    told.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="amaka")
    mine = told.referral(CLINIC).referral_id
    decided = told.send("WithdrawConsent", purpose="SHARE_CLINIC")
    assert referrals_ended_by(told.case, decided) == {mine}
    assert not leaves(told, CLINIC)


# Under a hold


def test_any_protection_hold_ends_what_is_open_with_embassies_and_authorities() -> None:
    """INV-03."""
    told = hold(a_screened_case().heard(EMBASSY, "ACCEPTED"))
    cancelled = told.named("ReferralCancelled")[-1]
    assert told.referral(EMBASSY).status == "CANCELLED"
    assert cancelled.facts["reason_external"] == "CASE_NOT_PROCEEDING"
    assert told.referral(CLINIC).status == "SENT"


CAUSES: dict[str, Callable[[CaseScenario], CaseScenario]] = {
    "fear": lambda told: told.having("RecordNonRefoulementScreen", outcome="CLAIM", account="afraid"),
    "concern": lambda told: told.having("RaiseProtectionConcern", risk_level="HIGH", concern="sold"),
    "through a partner": lambda told: told.heard(CLINIC, "CONCERN_REPORTED", reason="beaten"),
    "by an officer": hold,
    "withdrawal": lambda told: told.having("WithdrawVoluntaryReturn", channel="PHONE"),
    "closing": lambda told: told.having("CloseCase", reason="NO_CONTACT", approved_by="amaka"),
    "an order": lambda told: told.having("CancelReferral", referral_id=told.referral(EMBASSY).referral_id, reason="x"),
    "in error": lambda told: told.having(
        "MarkReferralEnteredInError", referral_id=told.referral(EMBASSY).referral_id, reason="x"
    ),
    "consent": lambda told: told.having("WithdrawConsent", purpose="SHARE_EMBASSY"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_at_the_moment_itself_an_embassy_hears_nothing_and_the_end_comes_with_the_ordinary_letters(cause: str) -> None:
    """00, rule 9: the same end, the same reason and the same hour, whatever it was."""
    told = a_screened_case().after(hours=28)
    known = len(told.events)
    CAUSES[cause](told)
    assert [letter for letter in letters(told, known) if letter[0] in TO_LETTERS] == []
    told.after(hours=24)
    assert [letter for letter in letters(told, known) if letter[0] in TO_LETTERS] == [
        ("embassy-nga", ENDING, "11-25 10:00")
    ]
    notice = [notifications_of(told.case, event) for event in told.named("ReferralCancellationNotified")][-1]
    assert notice is not None
    assert notice.data == {"referral_token": told.referral(EMBASSY, 0).token, "reason": "CASE_NOT_PROCEEDING"}


def test_the_letters_go_out_on_working_days_only() -> None:
    told = hold(a_screened_case().at("2026-11-26T12:00:00Z"))
    assert told.referral(EMBASSY).tell_end_at is not None
    told.after(days=5)
    assert ("embassy-nga", ENDING, "11-29 10:00") in letters(told), "Thursday noon has passed; Sunday is the next"


def test_an_end_is_told_once_also_when_the_case_is_closed_meanwhile() -> None:
    told = hold(a_screened_case())
    told.having("CloseCase", reason="REFERRED_TO_UNHCR", approved_by="amaka")
    assert [due.kind for due in deadlines(told.case, told.directory)] == ["ending", "retention"]
    told.after(days=30)
    assert [name for to, name, _ in letters(told) if to == "embassy-nga"].count(ENDING) == 1


def test_no_cause_can_be_told_from_the_log_without_its_seals() -> None:
    def log(cause: str) -> list[str]:
        told = a_screened_case()
        known = len(told.events)
        CAUSES[cause](told).after(days=2)
        ends = ("ReferralCancelled", "ReferralCancellationNotified")
        placed = [
            event.placed_in(told.case.id, 0, event.timestamp) for event in told.events[known:] if event.name in ends
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
def test_the_whole_log_of_somebody_afraid_reads_as_that_of_somebody_held_for_another_reason(begun: str) -> None:
    """Every neutral field of every event, what the case waits for, and what it goes on with."""

    def log(*said: tuple[str, dict[str, Any]]) -> list[object]:
        told = FROM[begun]()
        for name, fields in said:
            told.having(name, **fields)
        waits = [told.waits_for(), progress_of(told.case, told.moment()).waiting_on]
        told.after(days=30)
        return [*(ID.sub("an id", neutral(event)) for event in told.events), waits, told.waits_for()]

    afraid = log(("RecordNonRefoulementScreen", {"outcome": "CLAIM", "account": "they will kill me"}))
    unsure = log(("RecordNonRefoulementScreen", {"outcome": "UNSURE"}))
    heard_there = log(("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM", "concern": "she was sold"}))
    asked_first = ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"})
    assert afraid == unsure == heard_there == log(asked_first, ("RaiseProtectionConcern", CONCERN))


@pytest.mark.parametrize("reaffirmed", [True, False])
def test_fear_at_the_airport_reads_as_any_matter_of_protection_heard_there(reaffirmed: bool) -> None:
    def log(**heard: Any) -> list[str]:
        told = a_frozen_case()
        told.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=reaffirmed, **heard)
        return [ID.sub("an id", neutral(event)) for event in told.after(days=30).events]

    assert log(fear_expressed=True, account="they wait for me") == log(concern="she was sold")


@pytest.mark.parametrize("kind", sorted(set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}))
def test_only_who_may_be_a_danger_waits_for_letters(kind: ReferralKind) -> None:
    waits = kind in ("CONSULAR_IDENTITY", "TRAVEL_DOCUMENT", "EXIT_PERMIT", "DETENTION_RELEASE")
    assert (RECIPIENT_OF[kind] in BY_LETTER) is waits


def test_other_partners_hear_of_an_end_at_once() -> None:
    told = a_seated_case()
    known = len(told.events)
    told.having("WithdrawVoluntaryReturn", channel="PHONE")
    assert [(to, name) for to, name, _ in letters(told, known)] == [("reception-nga", ENDING)]


def test_when_the_hold_is_lifted_the_embassy_is_asked_anew() -> None:
    told = hold(a_screened_case()).after(days=3)
    assert len(told.asked(EMBASSY)) == 1
    told.having("LiftHold", hold_id=told.held("PROTECTION").hold_id, reason="settled")
    assert [referral.status for referral in told.asked(EMBASSY)] == ["CANCELLED", "SENT"]


def test_what_staff_cancelled_is_not_asked_again_by_itself() -> None:
    told = a_screened_case()
    told.having("CancelReferral", referral_id=told.referral(EMBASSY).referral_id, reason="x").after(days=9)
    assert len(told.asked(EMBASSY)) == 1


def test_after_a_withdrawal_and_a_new_wish_the_embassy_is_asked_anew() -> None:
    told = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE").after(days=2)
    told.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    told.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="VRD-1", language="en")
    assert len(told.asked(EMBASSY)) == 1
    told.having("LiftHold", hold_id=told.held("CONSENT").hold_id, reason="declared anew")
    assert [referral.status for referral in told.asked(EMBASSY)] == ["CANCELLED", "SENT"]


def test_a_hold_released_for_embassies_lets_them_be_asked_again() -> None:
    told = hold(a_screened_case())
    told.having(
        "ReviewHold", hold_id=told.held("PROTECTION").hold_id, decision="letters may go", unblock=["EMBASSY_DISCLOSURE"]
    )
    assert told.referral(EMBASSY).status == "SENT"


def test_papers_that_came_before_the_hold_stay() -> None:
    told = hold(a_cleared_case())
    issued = told.clearance("TRAVEL_DOCUMENT")
    assert issued is not None
    assert issued.status == "VALID"
    assert "ReferralCancelled" not in told.names


# Reminders


def test_no_reminder_goes_out_while_nothing_may_be_told() -> None:
    told = hold(a_screened_case().heard(CLINIC, "ACCEPTED"), "CONSENT")
    known = len(told.events)
    told.after(days=9)
    held_back = [event.facts["rung"] for event in told.named("ReferralReminderHeldBack")]
    assert held_back[:2] == ["ack.reminder-50", "ack.reminder-100"]
    assert not [one for one in letters(told, known) if one[:2] == ("embassy-nga", REMINDER)]
    assert told.referral(EMBASSY).timeliness in ("OVERDUE", "ESCALATED_L1"), (
        "that nobody answers is told to us all the same"
    )


def test_a_reminder_that_was_held_back_makes_nothing_late() -> None:
    told = hold(a_screened_case(), "CONSENT").after(days=2)
    assert told.referral(EMBASSY).timeliness == "ON_TIME"


def test_once_it_may_be_told_again_reminders_go_on() -> None:
    told = hold(a_screened_case(), "CONSENT").after(days=2)
    told.case.holds.clear()
    told.after(days=2)
    assert ("embassy-nga", REMINDER) in [one[:2] for one in letters(told)]


# Whatever is said

STEPS: dict[str, Callable[[CaseScenario], Any]] = {
    "hold": hold,
    "consent hold": lambda told: hold(told, "CONSENT"),
    "lift": lambda told: [
        told.having("LiftHold", hold_id=each, reason="x")
        for each in list(told.case.holds)
        if told.case.holds[each].type != "CONSENT"
    ],
    "withdraw embassy": lambda told: told.having("WithdrawConsent", purpose="SHARE_EMBASSY"),
    "consent embassy": lambda told: told.having(
        "RecordConsent", purpose="SHARE_EMBASSY", form_version="1", language="en"
    ),
    "exclude embassy": lambda told: told.having(
        "RecordConsent", purpose="SHARE_EMBASSY", form_version="1", language="en", excluded_partners=("embassy-nga",)
    ),
    "fear": CAUSES["fear"],
    "day": lambda told: told.after(days=1),
    "week": lambda told: told.after(days=7),
    "accept": lambda told: told.heard(EMBASSY, "ACCEPTED"),
    "ask": lambda told: told.having("CreateReferral", kind="EXIT_PERMIT"),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
def test_nothing_is_ever_sent_that_may_not_be_told_and_nothing_that_may_not_stays_open(steps: list[str]) -> None:
    told = a_screened_case()
    for step in steps:
        known = len(told.events)
        STEPS[step](told)
        assert_nothing_forbidden_left(told, known)
        closed = [
            one
            for one in told.case.open_referrals()
            if RECIPIENT_OF[one.asked_kind] in BY_LETTER and one.status != "DRAFT"
        ]
        blocked = {block for each in told.case.holds.values() for block in each.blocks}
        assert not [one for one in closed if _door(one.asked_kind) in blocked]


def _door(kind: ReferralKind) -> str:
    return "EMBASSY_DISCLOSURE" if RECIPIENT_OF[kind] is Recipient.EMBASSY else "AUTHORITY_DISCLOSURE"


def assert_nothing_forbidden_left(told: CaseScenario, known: int) -> None:
    """What the newest events send may be told as the case stands now; or the very step that forbids it came later."""
    last = told.events[-1].timestamp if told.events else told.now
    for event in told.events[known:]:
        letter = NOTIFICATIONS.get(type(event))
        if letter is not None and letter[0] != ENDING and event.timestamp == last:
            referral = told.case.referrals[event.facts["referral_id"]]
            assert referral.over or sending_blocked_by(told.case, referral) is None


def test_the_order_of_a_claim_at_the_airport() -> None:
    """SC-13: the seat is given back, the end is told with the letters, and nobody is told why."""
    told = a_seated_case().having("CreateReferral", kind="EXIT_PERMIT").at("2026-12-12T09:00:00Z")
    told.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=False, fear_expressed=True)
    told.after(days=3)
    assert_in_order(
        told.events,
        "DepartureInterviewHeld",
        "ClearanceRevoked[PROTECTION_CLEARANCE]",
        "HoldPlaced[PROTECTION]",
        "ReferralCancelled[EXIT_PERMIT CASE_NOT_PROCEEDING]",
        "ReferralCancellationNotified[exit-authority CASE_NOT_PROCEEDING]",
    )
