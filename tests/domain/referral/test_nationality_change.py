"""Another nationality than the one on record: what ends, who is asked what first, and which embassy then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from domain.clearance.actions import soon
from domain.clearance.nationality import nationality_confirmed
from domain.decider import may_open
from domain.kernel.directory import ABROAD, Partner
from domain.kernel.event import Event
from domain.kernel.message import MESSAGES
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, Phase, Purpose, Stage
from domain.kernel.vocabulary import ReferralKind as Kind
from domain.kernel.working_time import LIBYA
from domain.referral.disclosure import RECIPIENT_OF, minimum_data
from domain.referral.notifications import ENDING, SENT, may_be_delivered, notifications_of
from domain.signals.precedence import Precedence, precedence, restricts
from domain.stages.documents import DOCUMENTS
from tests.support.assertions import assert_in_order, neutral, public, redacted
from tests.support.builders import (
    AMINATA,
    FLIGHT,
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_closed_case,
    a_departed_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
    an_arrived_case,
)

IDENTITY, PAPER, PERMIT = "CONSULAR_IDENTITY", "TRAVEL_DOCUMENT", "EXIT_PERMIT"

LP = {"kind": "LAISSEZ_PASSER", "number": "LP-GN-1", "expires_on": "2027-01-22"}

PASSPORT = {"kind": "PASSPORT", "number": "A1234567", "expires_on": "2030-01-01", "authenticity": "CHECKED"}

TO_EMBASSIES = {"purpose": "SHARE_EMBASSY", "form_version": "C-2", "language": "en"}

FREE = {"understood": True, "free_of_pressure": True, "in_private": True}

SETTLES: dict[str, tuple[str, dict[str, Any]]] = {
    "STAFF.PRIVATE_INTERVIEW": ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"}),
    "STAFF.VOLUNTARINESS": ("AssessVoluntariness", FREE),
    "PERSON.DECLARATION": (
        "SignVoluntaryReturnDeclaration",
        {"country": "GIN", "form_version": "VRD-1", "language": "en"},
    ),
    "PERSON.SHARE_EMBASSY": ("RecordConsent", TO_EMBASSIES),
}
"""What is asked anew, by what a case says that it waits for."""

BY_WHOEVER_IS_ASKED = tuple(SETTLES)[:3]
"""What comes before any word to that country; the fourth before a word to its embassy only."""


def changed(told: CaseScenario, to: str = "GIN") -> CaseScenario:
    return told.after(hours=1).having("ChangeNationality", nationality=to)


def asked_anew(told: CaseScenario, *but: str, country: str = "GIN") -> CaseScenario:
    """Everything is asked anew, apart from ``but``."""
    for code, (name, fields) in SETTLES.items():
        if code not in but:
            told.having(name, **(fields | {"country": country} if "country" in fields else fields))
    return told


def embassies(told: CaseScenario) -> list[str]:
    """Which embassies were told of the person, in their order."""
    sent = (event for event in told.events if event.name == "DisclosureRecorded")
    return [event.facts["recipient"] for event in sent if event.facts["recipient"].startswith("embassy")]


def to_ask(told: CaseScenario) -> list[str]:
    """What of all that is asked anew the case still waits for; two stages may wait for the same."""
    return list(dict.fromkeys(code for code in told.waits_for() if code in SETTLES))


def ended(told: CaseScenario) -> dict[str, str]:
    return {kind: held.cause for kind, held in told.case.clearances.items() if held.status == "REVOKED"}


# SC-08


def from_mali() -> CaseScenario:
    """Claims Mali, and the embassy of Mali does not know him."""
    person = AMINATA.model_copy(update={"nationality": "MLI"})
    told = a_screened_case(person=person, country_of_return="MLI").having(
        "AssessSafetyOfReturn", area="ML-BKO", result="SAFE", advisory_version="2026-3"
    )
    return told.heard(IDENTITY, "COMPLETED", "NOT_CONFIRMED")


def then_from_guinea(told: CaseScenario) -> CaseScenario:
    told.having("RecordCounselling", topics=("NATIONALITY",), language="fr")
    return asked_anew(changed(told)).heard(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")


def test_sc_08_whoever_names_guinea_after_malis_no_is_asked_anew_before_guineas_embassy_is() -> None:
    told = then_from_guinea(from_mali())
    assert_in_order(
        told.events,
        "NationalityNotConfirmed[embassy-mli]",
        "CounsellingSessionHeld",
        "NationalityChanged[MLI GIN]",
        "ClearanceRevoked[SAFETY_OF_RETURN NATIONALITY_CHANGED]",
        "ClearanceRevoked[CONSENT_RETURN NATIONALITY_CHANGED]",
        "NonRefoulementScreened[NO_CLAIM]",
        "VoluntaryReturnDeclared[GIN]",
        "ReferralCreated[CONSULAR_IDENTITY embassy-gin]",
        "ReferralCompleted[CONSULAR_IDENTITY NATIONALITY_CONFIRMED]",
        "NationalityConfirmed[embassy-gin]",
        "ReferralSent[TRAVEL_DOCUMENT embassy-gin]",
    )
    assert embassies(told) == ["embassy-mli", "embassy-gin", "embassy-gin"]


@pytest.mark.parametrize(("outcome", "cause"), [("ISSUED", "SCHEMA"), ("NATIONALITY_CONFIRMED", "CONFLICTING_OUTCOME")])
@pytest.mark.parametrize("so_far", [lambda told: told, changed, then_from_guinea], ids=["no", "changed", "confirmed"])
def test_sc_08_what_malis_embassy_says_late_waits_for_a_person_and_is_not_applied(
    so_far: Callable[[CaseScenario], CaseScenario], outcome: str, cause: str
) -> None:
    told = so_far(from_mali()).after(days=1)
    before, confirmed = public(told.case)["clearances"], nationality_confirmed(told.case)
    said = told.partner_says(IDENTITY, "COMPLETED", outcome, which=0, payload=LP if outcome == "ISSUED" else {})
    assert (said[0].name, said[0].facts["cause"]) == ("PartnerSignalQuarantined", cause)
    assert nationality_confirmed(told.case) is confirmed
    assert public(told.case)["clearances"] == before
    assert told.referral(IDENTITY, 0).outcome == "NOT_CONFIRMED"
    assert "GATE.SIGNAL.IN_DOUBT" in told.failures()


def resolved(told: CaseScenario, which: int, kind: str = IDENTITY) -> list[Event]:
    """A person decides that the doubtful signal counts."""
    signal = next(iter(told.referral(kind, which).disputed))
    return told.send("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the consul called")


def test_sc_08_nor_does_it_confirm_the_other_nationality_once_a_person_lets_it_count() -> None:
    told = changed(from_mali()).heard(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED", which=0)
    decided = resolved(told, 0)
    assert not nationality_confirmed(told.case)
    assert decided[-1].facts["task"] == "look at an answer about a nationality that was changed since"
    assert "NationalityConfirmed" not in [event.name for event in decided]


def test_sc_08_nor_does_malis_no_undo_what_guinea_confirmed() -> None:
    person = AMINATA.model_copy(update={"nationality": "MLI"})
    told = a_screened_case(person=person, country_of_return="MLI").heard(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")
    told = then_from_guinea(told).heard(PAPER, "COMPLETED", "ISSUED", payload=LP)
    for signal, outcome in (("AMENDED", "NOT_CONFIRMED"), ("RETRACTED", None)):
        told.heard(IDENTITY, signal, outcome, which=0, reason="another person's file")
        resolved(told, 0)
    assert nationality_confirmed(told.case)
    assert told.case.clearances["TRAVEL_DOCUMENT"].status == "VALID"  # type: ignore[index]  # by its code


def test_a_paper_of_the_former_embassy_that_a_person_lets_count_permits_and_ends_nothing() -> None:
    told = changed(a_cleared_case())
    before = public(told.case)["clearances"]
    told.heard(PAPER, "AMENDED", "ISSUED", payload=LP)
    resolved(told, 0, PAPER)
    told.heard(PERMIT, "AMENDED", "REFUSED")
    resolved(told, 0, PERMIT)
    assert {"TravelDocumentRefused", "ExitPermitRefused"}.isdisjoint(told.names)
    assert public(told.case)["clearances"] == before


# What ends


def test_what_rested_on_the_former_nationality_ends_and_the_seat_goes_back() -> None:
    told = changed(a_seated_case())
    assert ended(told) == dict.fromkeys(
        ("CONSENT_RETURN", "SAFETY_OF_RETURN", PAPER, PERMIT, "RECEPTION_CONFIRMED"), "NATIONALITY_CHANGED"
    )
    assert told.case.seat is None
    assert told.named("SeatReleased")[-1].facts["cause"] == "NATIONALITY_CHANGED"
    assert told.referral("RECEPTION").status == "CANCELLED"
    assert not nationality_confirmed(told.case)
    assert not told.case.holds, "nothing is held: what is missing is asked for"


def test_whoever_waits_for_a_seat_waits_no_longer() -> None:
    told = changed(a_cleared_case().having("NominatePassenger", **FLIGHT))
    assert told.case.nomination is None


@pytest.mark.parametrize("beginning", [a_frozen_case, a_boarded_case])
def test_nobody_boards_or_stays_on_board_after_naming_another_nationality(
    beginning: Callable[[], CaseScenario],
) -> None:
    aboard = beginning is a_boarded_case
    told = beginning().having("ChangeNationality", nationality="GIN")
    assert ("PassengerOffloaded" in told.names) is aboard
    assert told.refused("BoardPassenger").rule == "SEAT.NONE"
    gone = ("CONSENT_RETURN", "SAFETY_OF_RETURN", PAPER, PERMIT, "RECEPTION_CONFIRMED")
    assert set(told.failures()) == {*(f"GATE.{kind}.REVOKED" for kind in gone), "GATE.REAFFIRMATION.WITHDRAWN"}
    refusal = told.refused("NominatePassenger", **FLIGHT)
    assert "GATE.TRAVEL_DOCUMENT.NATIONALITY_NOT_CONFIRMED" in refusal.failures
    assert {told.status(stage) for stage in ("PROTECTION", "DOCUMENTS")} == {"REOPENED"}


@pytest.mark.parametrize("kind", [IDENTITY, PAPER, PERMIT])
def test_what_is_under_way_with_the_former_embassy_ends_and_it_hears_with_its_next_letters(kind: str) -> None:
    told = a_screened_case()
    for asked, outcome, payload in ((IDENTITY, "NATIONALITY_CONFIRMED", {}), (PAPER, "ISSUED", LP)):
        if asked != kind and not told.asked(kind):
            told.heard(asked, "COMPLETED", outcome, payload=payload)
    partner = told.referral(kind).partner_id
    before = len(changed(told).events)
    assert told.referral(kind).status == "CANCELLED"
    assert notifications_of(told.case, told.events[-1]) is None, "not at this moment"
    told.after(days=2)
    letters = [letter for event in told.events[before:] if (letter := notifications_of(told.case, event))]
    assert [letter.name for letter in letters if letter.partner_id == partner] == [ENDING]
    late = told.partner_says(kind, "COMPLETED", {IDENTITY: "NATIONALITY_CONFIRMED", PAPER: "ISSUED"}.get(kind))
    assert late[0].facts["disposition"] == "REFERRAL_CANCELLED"
    assert not nationality_confirmed(told.case)


# Who is asked what first


def test_no_embassy_is_asked_before_everything_was_asked_anew_whichever_is_missing() -> None:
    for missing, (name, fields) in SETTLES.items():
        told = asked_anew(changed(from_mali()), missing, *(("PERSON.DECLARATION",) if "VOLUN" in missing else ()))
        told.after(days=7)
        assert embassies(told) == ["embassy-mli"], missing
        assert missing in told.waits_for()
        assert "EMBASSY.NATIONALITY" not in told.waits_for()
        told.having(name, **fields)
        asked_anew(told, *set(SETTLES) - {"STAFF.VOLUNTARINESS": {"PERSON.DECLARATION"}}.get(missing, set()))
        assert embassies(told) == ["embassy-mli", "embassy-gin"], missing


def test_a_case_says_step_by_step_what_is_to_be_asked_anew() -> None:
    told = changed(from_mali())
    for step, (name, fields) in enumerate(SETTLES.values()):
        assert to_ask(told) == list(SETTLES)[step:]
        told.having(name, **fields)
    assert told.waits_for()[-1] == "EMBASSY.NATIONALITY"


@pytest.mark.parametrize("outcome", ["CLAIM", "UNSURE"])
def test_whoever_fears_the_country_now_named_is_spoken_of_to_no_embassy(outcome: str) -> None:
    told = changed(from_mali()).having("RecordNonRefoulementScreen", outcome=outcome)
    asked_anew(told, "STAFF.PRIVATE_INTERVIEW").having("LiftHold", hold_id=told.held("PROTECTION").hold_id, reason="x")
    assert embassies(told.after(days=7)) == ["embassy-mli"]
    told.having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    assert embassies(told) == ["embassy-mli", "embassy-gin"]


def test_what_was_assessed_and_signed_before_says_nothing_of_the_country_now_named() -> None:
    told = from_mali()
    signed = told.now
    changed(told)
    declaration = SETTLES["PERSON.DECLARATION"][1]
    assert told.refused("SignVoluntaryReturnDeclaration", **declaration).rule == "VRD.VOLUNTARINESS"
    told.having("AssessVoluntariness", **FREE)
    refusal = told.refused("SignVoluntaryReturnDeclaration", **declaration, signed_at=signed)
    assert refusal.rule == "VRD.SIGNED_BEFORE"


THERE = {*ABROAD, *(Kind(kind) for kind in (IDENTITY, PAPER, PERMIT, "COMMUNITY_LIAISON"))} | {
    *(Kind.MEDICAL_HANDOVER, Kind.PROTECTION_HANDOVER),
}
"""Whoever is in that country, or speaks for it."""


@pytest.mark.parametrize("kind", sorted(THERE))
def test_nor_is_anybody_there_asked_by_order_before_that(kind: str) -> None:
    told = changed(a_cleared_case())
    refusal = told.refused("CreateReferral", kind=kind)
    assert (refusal.rule, refusal.failures) == ("NATIONALITY.ASK_FIRST", BY_WHOEVER_IS_ASKED)
    asked_anew(told).having("CreateReferral", kind=kind)


@pytest.mark.parametrize("kind", sorted(set(RECIPIENT_OF) - THERE))
def test_care_and_all_that_is_done_here_waits_for_none_of_it(kind: str) -> None:
    told = changed(a_cleared_case())
    assert told.send("CreateReferral", kind=kind), "a referral, or a task where nobody takes that kind"
    assert to_ask(told) == list(SETTLES), "and all of it is still to be asked"


MINISTRY = Partner("ministry-gin", frozenset({Kind.FAMILY_TRACING}))

HOSPITAL = Partner("hospital-nga", frozenset({Kind.MEDICAL_HANDOVER}))

TRACING = {"purpose": "TRACING", "form_version": "C-1", "language": "en"}


def knowing(told: CaseScenario, partner: Partner) -> CaseScenario:
    told.directory = replace(told.directory, partners={**told.directory.partners, partner.partner_id: partner})
    return told


def with_a_draft() -> CaseScenario:
    """The family is to be looked for, and the person has not consented to it yet."""
    told = knowing(a_screened_case(), MINISTRY).having("CreateReferral", kind="FAMILY_TRACING")
    assert told.referral("FAMILY_TRACING").status == "DRAFT"
    return told


def test_nor_does_a_draft_of_before_leave_with_a_consent_or_by_order() -> None:
    told = changed(with_a_draft()).having("RecordConsent", **TRACING)
    draft = told.referral("FAMILY_TRACING")
    refusal = told.refused("SendReferral", referral_id=draft.referral_id)
    assert (refusal.rule, refusal.failures) == ("NATIONALITY.ASK_FIRST", BY_WHOEVER_IS_ASKED)
    assert draft.status == "DRAFT"
    asked_anew(told)
    assert told.referral("FAMILY_TRACING").status == "SENT"


def test_nor_does_a_letter_that_has_not_been_delivered_yet() -> None:
    told = with_a_draft().having("RecordConsent", **TRACING)
    asked = told.referral("FAMILY_TRACING").referral_id
    assert may_be_delivered(told.case, SENT, asked, told.now)
    assert not may_be_delivered(changed(told).case, SENT, asked, told.now)


# Consent


def test_the_consent_for_the_former_embassy_is_none_for_the_next() -> None:
    told = asked_anew(changed(from_mali()), "PERSON.SHARE_EMBASSY")
    assert to_ask(told.after(days=7)) == ["PERSON.SHARE_EMBASSY"]
    told.having("CreateReferral", kind=IDENTITY)
    order = {"referral_id": told.referral(IDENTITY).referral_id}
    assert told.refused("SendReferral", **order).rule == "CONSENT.SHARE_EMBASSY"
    assert embassies(told) == ["embassy-mli"]
    assert embassies(told.having("RecordConsent", **TO_EMBASSIES)) == ["embassy-mli", "embassy-gin"]


def test_whom_the_person_excluded_hears_nothing_while_consent_is_asked_anew() -> None:
    told = a_screened_case().having("RecordConsent", **TO_EMBASSIES, excluded_partners=("embassy-gin",))
    assert changed(told).case.excluded_for(Purpose.SHARE_EMBASSY) == {"embassy-gin"}


def test_whoever_has_a_passport_of_that_country_and_wants_no_embassy_told_needs_none() -> None:
    told = asked_anew(changed(from_mali()), "PERSON.SHARE_EMBASSY")
    told.having("RecordTravelDocument", **PASSPORT, issued_by="GIN")
    assert not to_ask(told)
    assert told.referral(PERMIT).status == "SENT"


def test_nor_is_a_referral_given_to_another_embassy_before_that() -> None:
    told = changed(a_screened_case().heard(IDENTITY, "REJECTED", reason="not ours"))
    order = {"referral_id": told.referral(IDENTITY).referral_id, "partner_id": "embassy-gin", "reason": "x"}
    assert told.refused("ReassignReferral", **order).rule == "NATIONALITY.ASK_FIRST"


def test_care_and_other_help_go_on() -> None:
    told = changed(from_mali())
    assert told.referral("MEDICAL_ASSESSMENT").status == "SENT"
    assert told.having("CreateReferral", kind="MHPSS").asked("MHPSS")


def test_a_passport_of_the_country_now_named_asks_no_authority_before_that_either() -> None:
    told = changed(from_mali()).having("RecordTravelDocument", **PASSPORT, issued_by="GIN")
    assert nationality_confirmed(told.case)
    assert not told.asked(PERMIT)
    assert to_ask(told) == list(BY_WHOEVER_IS_ASKED)
    assert asked_anew(told).referral(PERMIT).status == "SENT"


def test_a_passport_of_the_former_nationality_confirms_nothing_of_the_present_one() -> None:
    told = changed(from_mali())
    for issued_by, rule in ((None, "DOCUMENT.ISSUER"), ("MLI", "DOCUMENT.OTHER_NATIONALITY")):
        refusal = told.refused("RecordTravelDocument", **PASSPORT, issued_by=issued_by)
        assert (refusal.rule, refusal.field) == (rule, "issued_by")
        assert not {"MLI", "GIN"} & set(refusal.detail.split())


def test_a_passport_says_whose_it_is_only_if_somebody_asks_or_says_so() -> None:
    assert nationality_confirmed(a_screened_case().having("RecordTravelDocument", **PASSPORT).case)
    told = a_screened_case()
    assert told.refused("RecordTravelDocument", **PASSPORT, issued_by="GIN").rule == "DOCUMENT.OTHER_NATIONALITY"
    told.having("RecordTravelDocument", **PASSPORT, issued_by="NGA")
    assert not any("NGA" in str(event.facts) for event in told.events[-4:] if event.name != "DisclosureRecorded")


def test_what_is_asked_anew_is_asked_since_the_newest_change_and_because_of_it() -> None:
    told = changed(changed(from_mali().after(days=2)).after(days=3), "SEN")
    newest = told.named("NationalityChanged")[-1]
    waits = [lack for lack in DOCUMENTS.missing(told.case, told.moment()) if lack.code in SETTLES]
    assert {(lack.since, lack.after) for lack in waits} == {(newest.timestamp, "NationalityChanged")}
    assert len(waits) == len(SETTLES)


def test_whoever_names_another_country_in_screening_is_asked_in_private_again_before_documents_open() -> None:
    told = a_registered_case().having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    changed(told)
    assert "STAFF.PRIVATE_INTERVIEW" in told.waits_for()
    told.having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    told.send("ReopenCase", target_phase="PRE_DEPARTURE", reason="came back")
    assert Stage.DOCUMENTS not in may_open(told.case, told.moment())


# Which embassy then

A_NO = {
    "the paper refused": ((PAPER, "COMPLETED", "REFUSED"),),
    "not theirs": ((PAPER, "REJECTED", None),),
    "the permit refused": ((PAPER, "COMPLETED", "ISSUED"), (PERMIT, "COMPLETED", "REFUSED")),
}


@pytest.mark.parametrize("answers", A_NO.values(), ids=A_NO)
def test_a_no_to_the_former_papers_keeps_nobody_from_asking_for_the_others(
    answers: tuple[tuple[str, str, str | None], ...],
) -> None:
    told = a_screened_case().heard(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")
    for kind, signal, outcome in answers:
        told.heard(kind, signal, outcome, payload={"number": "LP-100"} if outcome == "ISSUED" else {})
    told = asked_anew(changed(told)).heard(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert (told.referral(PAPER).partner_id, told.referral(PAPER).status) == ("embassy-gin", "SENT")
    told.heard(PAPER, "COMPLETED", "ISSUED", payload=LP)
    assert told.referral(PERMIT).status == "SENT"


def test_the_other_embassys_no_is_a_no() -> None:
    told = asked_anew(changed(from_mali())).heard(IDENTITY, "COMPLETED", "NOT_CONFIRMED")
    assert len(told.after(days=7).asked(IDENTITY)) == 2
    assert told.waits_for()[-1] == "EMBASSY.NATIONALITY"


def test_the_embassy_of_the_former_nationality_is_not_asked_by_itself_for_who_still_wants_to_go_there() -> None:
    told = asked_anew(changed(from_mali()), country="MLI")
    assert embassies(told) == ["embassy-mli"]
    assert "find a partner for CONSULAR_IDENTITY" in [task.task for task in told.case.tasks.values()]
    told.having("CreateReferral", kind=IDENTITY, partner_id="embassy-gin")
    assert embassies(told) == ["embassy-mli", "embassy-gin"]


def test_whoever_returns_to_the_first_nationality_is_asked_anew_and_its_embassy_too() -> None:
    told = changed(changed(from_mali()), "MLI")
    assert to_ask(told) == list(SETTLES)
    assert embassies(asked_anew(told, country="MLI")) == ["embassy-mli", "embassy-mli"]


def test_after_two_changes_the_embassy_of_neither_former_nationality_is_asked_by_itself() -> None:
    told = asked_anew(changed(changed(a_screened_case(), "MLI")), country="NGA")
    assert embassies(told) == ["embassy-nga"], "as at the beginning, and not again"
    assert "find a partner for CONSULAR_IDENTITY" in [task.task for task in told.case.tasks.values()]


# After departure


def after_departure(beginning: Callable[[], CaseScenario]) -> CaseScenario:
    return beginning().having("ChangeNationality", nationality="GIN")


@pytest.mark.parametrize("beginning", [a_departed_case, an_arrived_case])
def test_what_is_said_after_departure_is_recorded_and_looked_at_and_ends_nothing(
    beginning: Callable[[], CaseScenario],
) -> None:
    told = beginning()
    before, waited = public(told.case), told.waits_for()
    said = told.send("ChangeNationality", nationality="GIN")
    assert [event.name for event in said] == ["NationalityChanged", "TaskRaised"]
    assert (said[1].facts["queue"], said[1].facts["due"]) == (
        "PROTECTION_OFFICER",
        LIBYA.after(told.now, soon(told.case, told.moment())),
    )
    after = public(told.case)
    assert {name: after[name] for name in after if name not in ("tasks", "version")} == {
        name: before[name] for name in before if name not in ("tasks", "version")
    }
    assert told.waits_for() == waited


def test_nobody_is_asked_again_and_help_goes_on_after_departure() -> None:
    told = after_departure(a_departed_case)
    for kind in ("RECEPTION", "REINTEGRATION_COUNSELLING"):
        told.having("CreateReferral", kind=kind)
        assert told.referral(kind).status == "SENT"
    told.having("CreateReferral", kind=IDENTITY, partner_id="embassy-gin")
    assert told.referral(IDENTITY).status == "DRAFT", "an embassy needs a consent of its own, now as ever"


def test_no_embassy_is_asked_for_papers_that_were_never_finished_once_the_person_has_left() -> None:
    told = a_screened_case()
    told.case.phase = Phase.TRANSIT
    said = told.send("ChangeNationality", nationality="GIN")
    assert [event.name for event in said] == ["NationalityChanged", "TaskRaised"]
    assert "EMBASSY.NATIONALITY" in told.waits_for()
    assert {"PERSON.DECLARATION", "PERSON.SHARE_EMBASSY"}.isdisjoint(told.waits_for())


def test_care_that_was_handed_over_goes_on_after_the_case_is_closed() -> None:
    told = after_departure(an_arrived_case)
    knowing(told, HOSPITAL).having("CreateReferral", kind="MEDICAL_HANDOVER")
    told.having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    assert may_be_delivered(told.case, SENT, told.referral("MEDICAL_HANDOVER").referral_id, told.now)


def test_whose_wish_lapsed_on_the_way_is_received_all_the_same() -> None:
    told = asked_anew(changed(from_mali()))
    told.case.clearances[ClearanceKind.CONSENT_RETURN].status = ClearanceStatus.EXPIRED
    assert told.refused("CreateReferral", kind="RECEPTION").failures == ("PERSON.DECLARATION",)
    for phase in (Phase.TRANSIT, Phase.POST_ARRIVAL):
        told.case.phase = phase
        told.again().having("CreateReferral", kind="RECEPTION")


def test_a_case_that_is_reopened_after_arrival_asks_whoever_helps_there() -> None:
    told = after_departure(an_arrived_case).having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    told.having("ReopenCase", target_phase="POST_ARRIVAL", reason="called again")
    told.having("RecordConsent", purpose="SHARE_REINTEGRATION", form_version="C-1", language="en")
    told.having("CreateReferral", kind="REINTEGRATION_COUNSELLING")
    assert told.referral("REINTEGRATION_COUNSELLING").status == "SENT"


# What is recorded


def test_partners_are_told_the_nationality_now_named() -> None:
    told = asked_anew(changed(from_mali()))
    assert told.case.person == AMINATA.model_copy(update={"nationality": "GIN"})
    assert minimum_data(told.case, told.referral(IDENTITY))["nationality"] == "GIN"


def test_both_nationalities_are_sealed() -> None:
    recorded = changed(from_mali()).named("NationalityChanged")[-1]
    assert recorded.say() == "Nationality changed from MLI to GIN."
    assert not {"MLI", "GIN"} & set(neutral(recorded).split('"'))
    assert redacted(recorded).say() == "Nationality changed from [erased] to [erased]."


def test_the_nationality_on_record_is_no_change() -> None:
    refusal = a_screened_case().refused("ChangeNationality", nationality="NGA")
    assert (refusal.rule, refusal.field) == ("NATIONALITY.SAME", "nationality")
    assert "NGA" not in refusal.detail


@pytest.mark.parametrize(
    ("beginning", "rule"),
    [(a_closed_case, "INV-18"), (CaseScenario, "CASE.NOT_REGISTERED")],
)
def test_it_is_refused_where_it_changes_nothing_any_more(beginning: Callable[[], CaseScenario], rule: str) -> None:
    assert beginning().refused("ChangeNationality", nationality="GIN").rule == rule


def test_it_waits_behind_nothing_and_goes_before_nothing_that_was_said_at_its_instant() -> None:
    message = MESSAGES["ChangeNationality"].model_validate({"nationality": "GIN"})
    assert restricts(message)
    assert precedence(message) is Precedence.ANYTHING
