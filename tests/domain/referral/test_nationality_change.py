"""A change of nationality: what it ends, what is repeated with the person first, and which embassy follows."""

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
"""The message that meets each requirement, by the code that a case waits for."""

BEFORE_ANY_DISCLOSURE = tuple(SETTLES)[:3]
"""The requirements before any disclosure to that country. The fourth applies to its embassy only."""


def changed(scenario: CaseScenario, to: str = "GIN") -> CaseScenario:
    return scenario.after(hours=1).having("ChangeNationality", nationality=to)


def repeated(scenario: CaseScenario, *but: str, country: str = "GIN") -> CaseScenario:
    """Meets all requirements again, except ``but``."""
    for code, (name, fields) in SETTLES.items():
        if code not in but:
            scenario.having(name, **(fields | {"country": country} if "country" in fields else fields))
    return scenario


def embassies(scenario: CaseScenario) -> list[str]:
    """The embassies that received data about the person, in order."""
    sent = (event for event in scenario.events if event.name == "DisclosureRecorded")
    return [event.facts["recipient"] for event in sent if event.facts["recipient"].startswith("embassy")]


def missing_requirements(scenario: CaseScenario) -> list[str]:
    """The requirements that the case still waits for. Two stages may wait for the same one."""
    return list(dict.fromkeys(code for code in scenario.waits_for() if code in SETTLES))


def ended(scenario: CaseScenario) -> dict[str, str]:
    return {kind: held.cause for kind, held in scenario.case.clearances.items() if held.status == "REVOKED"}


# SC-08


def from_mali() -> CaseScenario:
    """A person who states Mali as nationality, which the embassy of Mali does not confirm."""
    person = AMINATA.model_copy(update={"nationality": "MLI"})
    scenario = a_screened_case(person=person, country_of_return="MLI").having(
        "AssessSafetyOfReturn", area="ML-BKO", result="SAFE", advisory_version="2026-3"
    )
    return scenario.having_signal(IDENTITY, "COMPLETED", "NOT_CONFIRMED")


def then_from_guinea(scenario: CaseScenario) -> CaseScenario:
    scenario.having("RecordCounselling", topics=("NATIONALITY",), language="fr")
    return repeated(changed(scenario)).having_signal(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")


def test_sc_08_after_mali_declines_the_person_is_interviewed_again_before_the_embassy_of_guinea_is_contacted() -> None:
    scenario = then_from_guinea(from_mali())
    assert_in_order(
        scenario.events,
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
    assert embassies(scenario) == ["embassy-mli", "embassy-gin", "embassy-gin"]


@pytest.mark.parametrize(("outcome", "cause"), [("ISSUED", "SCHEMA"), ("NATIONALITY_CONFIRMED", "CONFLICTING_OUTCOME")])
@pytest.mark.parametrize(
    "so_far", [lambda scenario: scenario, changed, then_from_guinea], ids=["no", "changed", "confirmed"]
)
def test_sc_08_a_late_signal_from_the_embassy_of_mali_is_quarantined(
    so_far: Callable[[CaseScenario], CaseScenario], outcome: str, cause: str
) -> None:
    scenario = so_far(from_mali()).after(days=1)
    before, confirmed = public(scenario.case)["clearances"], nationality_confirmed(scenario.case)
    recorded = scenario.partner_says(IDENTITY, "COMPLETED", outcome, which=0, payload=LP if outcome == "ISSUED" else {})
    assert (recorded[0].name, recorded[0].facts["cause"]) == ("PartnerSignalQuarantined", cause)
    assert nationality_confirmed(scenario.case) is confirmed
    assert public(scenario.case)["clearances"] == before
    assert scenario.referral(IDENTITY, 0).outcome == "NOT_CONFIRMED"
    assert "GATE.SIGNAL.IN_DOUBT" in scenario.failures()


def resolved(scenario: CaseScenario, which: int, kind: str = IDENTITY) -> list[Event]:
    """Staff decide that the quarantined signal counts."""
    signal = next(iter(scenario.referral(kind, which).disputed))
    return scenario.send("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the consul called")


def test_sc_08_the_late_signal_confirms_no_other_nationality_even_when_staff_apply_it() -> None:
    scenario = changed(from_mali()).having_signal(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED", which=0)
    decided = resolved(scenario, 0)
    assert not nationality_confirmed(scenario.case)
    assert decided[-1].facts["task"] == "look at an answer about a nationality that was changed since"
    assert "NationalityConfirmed" not in [event.name for event in decided]


def test_sc_08_a_refusal_by_mali_does_not_undo_the_confirmation_by_guinea() -> None:
    person = AMINATA.model_copy(update={"nationality": "MLI"})
    scenario = a_screened_case(person=person, country_of_return="MLI").having_signal(
        IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED"
    )
    scenario = then_from_guinea(scenario).having_signal(PAPER, "COMPLETED", "ISSUED", payload=LP)
    for signal, outcome in (("AMENDED", "NOT_CONFIRMED"), ("RETRACTED", None)):
        scenario.having_signal(IDENTITY, signal, outcome, which=0, reason="another person's file")
        resolved(scenario, 0)
    assert nationality_confirmed(scenario.case)
    assert scenario.case.clearances["TRAVEL_DOCUMENT"].status == "VALID"  # type: ignore[index]  # by its code


def test_a_document_of_the_former_embassy_that_staff_apply_grants_and_revokes_nothing() -> None:
    scenario = changed(a_cleared_case())
    before = public(scenario.case)["clearances"]
    scenario.having_signal(PAPER, "AMENDED", "ISSUED", payload=LP)
    resolved(scenario, 0, PAPER)
    scenario.having_signal(PERMIT, "AMENDED", "REFUSED")
    resolved(scenario, 0, PERMIT)
    assert {"TravelDocumentRefused", "ExitPermitRefused"}.isdisjoint(scenario.names)
    assert public(scenario.case)["clearances"] == before


# What a change ends


def test_clearances_of_the_former_nationality_end_and_the_seat_is_released() -> None:
    scenario = changed(a_seated_case())
    assert ended(scenario) == dict.fromkeys(
        ("CONSENT_RETURN", "SAFETY_OF_RETURN", PAPER, PERMIT, "RECEPTION_CONFIRMED"), "NATIONALITY_CHANGED"
    )
    assert scenario.case.seat is None
    assert scenario.named("SeatReleased")[-1].facts["cause"] == "NATIONALITY_CHANGED"
    assert scenario.referral("RECEPTION").status == "CANCELLED"
    assert not nationality_confirmed(scenario.case)
    assert not scenario.case.holds, "no hold is placed: the case waits for what is missing"


def test_a_nomination_ends() -> None:
    scenario = changed(a_cleared_case().having("NominatePassenger", **FLIGHT))
    assert scenario.case.nomination is None


@pytest.mark.parametrize("beginning", [a_frozen_case, a_boarded_case])
def test_a_person_who_changes_nationality_cannot_board_or_stay_on_board(
    beginning: Callable[[], CaseScenario],
) -> None:
    aboard = beginning is a_boarded_case
    scenario = beginning().having("ChangeNationality", nationality="GIN")
    assert ("PassengerOffloaded" in scenario.names) is aboard
    assert scenario.refused("BoardPassenger").rule == "SEAT.NONE"
    gone = ("CONSENT_RETURN", "SAFETY_OF_RETURN", PAPER, PERMIT, "RECEPTION_CONFIRMED")
    assert set(scenario.failures()) == {*(f"GATE.{kind}.REVOKED" for kind in gone), "GATE.REAFFIRMATION.WITHDRAWN"}
    refusal = scenario.refused("NominatePassenger", **FLIGHT)
    assert "GATE.TRAVEL_DOCUMENT.NATIONALITY_NOT_CONFIRMED" in refusal.failures
    assert {scenario.status(stage) for stage in ("PROTECTION", "DOCUMENTS")} == {"REOPENED"}


@pytest.mark.parametrize("kind", [IDENTITY, PAPER, PERMIT])
def test_referrals_to_the_former_embassy_end_and_it_is_notified_with_the_daily_letters(kind: str) -> None:
    scenario = a_screened_case()
    for answered_kind, outcome, payload in ((IDENTITY, "NATIONALITY_CONFIRMED", {}), (PAPER, "ISSUED", LP)):
        if answered_kind != kind and not scenario.asked(kind):
            scenario.having_signal(answered_kind, "COMPLETED", outcome, payload=payload)
    partner = scenario.referral(kind).partner_id
    before = len(changed(scenario).events)
    assert scenario.referral(kind).status == "CANCELLED"
    assert notifications_of(scenario.case, scenario.events[-1]) is None, "not immediately"
    scenario.after(days=2)
    notifications = [
        notification for event in scenario.events[before:] if (notification := notifications_of(scenario.case, event))
    ]
    assert [notification.name for notification in notifications if notification.partner_id == partner] == [ENDING]
    late = scenario.partner_says(kind, "COMPLETED", {IDENTITY: "NATIONALITY_CONFIRMED", PAPER: "ISSUED"}.get(kind))
    assert late[0].facts["disposition"] == "REFERRAL_CANCELLED"
    assert not nationality_confirmed(scenario.case)


# What is required first


def test_no_embassy_is_contacted_while_any_requirement_is_missing() -> None:
    for missing, (name, fields) in SETTLES.items():
        scenario = repeated(changed(from_mali()), missing, *(("PERSON.DECLARATION",) if "VOLUN" in missing else ()))
        scenario.after(days=7)
        assert embassies(scenario) == ["embassy-mli"], missing
        assert missing in scenario.waits_for()
        assert "EMBASSY.NATIONALITY" not in scenario.waits_for()
        scenario.having(name, **fields)
        repeated(scenario, *set(SETTLES) - {"STAFF.VOLUNTARINESS": {"PERSON.DECLARATION"}}.get(missing, set()))
        assert embassies(scenario) == ["embassy-mli", "embassy-gin"], missing


def test_a_case_lists_the_missing_requirements_step_by_step() -> None:
    scenario = changed(from_mali())
    for step, (name, fields) in enumerate(SETTLES.values()):
        assert missing_requirements(scenario) == list(SETTLES)[step:]
        scenario.having(name, **fields)
    assert scenario.waits_for()[-1] == "EMBASSY.NATIONALITY"


@pytest.mark.parametrize("outcome", ["CLAIM", "UNSURE"])
def test_no_embassy_is_contacted_about_a_person_who_fears_the_country_now_named(outcome: str) -> None:
    scenario = changed(from_mali()).having("RecordNonRefoulementScreen", outcome=outcome)
    repeated(scenario, "STAFF.PRIVATE_INTERVIEW").having(
        "LiftHold", hold_id=scenario.held("PROTECTION").hold_id, reason="x"
    )
    assert embassies(scenario.after(days=7)) == ["embassy-mli"]
    scenario.having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    assert embassies(scenario) == ["embassy-mli", "embassy-gin"]


def test_earlier_assessments_and_signatures_do_not_count_for_the_country_now_named() -> None:
    scenario = from_mali()
    signed = scenario.now
    changed(scenario)
    declaration = SETTLES["PERSON.DECLARATION"][1]
    assert scenario.refused("SignVoluntaryReturnDeclaration", **declaration).rule == "VRD.VOLUNTARINESS"
    scenario.having("AssessVoluntariness", **FREE)
    refusal = scenario.refused("SignVoluntaryReturnDeclaration", **declaration, signed_at=signed)
    assert refusal.rule == "VRD.SIGNED_BEFORE"


THERE = {*ABROAD, *(Kind(kind) for kind in (IDENTITY, PAPER, PERMIT, "COMMUNITY_LIAISON"))} | {
    *(Kind.MEDICAL_HANDOVER, Kind.PROTECTION_HANDOVER),
}
"""Kinds of referral to recipients in that country, or that represent it."""


@pytest.mark.parametrize("kind", sorted(THERE))
def test_staff_cannot_refer_to_that_country_before_the_requirements_are_met(kind: str) -> None:
    scenario = changed(a_cleared_case())
    refusal = scenario.refused("CreateReferral", kind=kind)
    assert (refusal.rule, refusal.failures) == ("NATIONALITY.ASK_FIRST", BEFORE_ANY_DISCLOSURE)
    repeated(scenario).having("CreateReferral", kind=kind)


@pytest.mark.parametrize("kind", sorted(set(RECIPIENT_OF) - THERE))
def test_care_and_services_in_libya_do_not_wait(kind: str) -> None:
    scenario = changed(a_cleared_case())
    assert scenario.send("CreateReferral", kind=kind), "a referral, or a task where no partner takes that kind"
    assert missing_requirements(scenario) == list(SETTLES), "all requirements are still missing"


MINISTRY = Partner("ministry-gin", frozenset({Kind.FAMILY_TRACING}))

HOSPITAL = Partner("hospital-nga", frozenset({Kind.MEDICAL_HANDOVER}))

TRACING = {"purpose": "TRACING", "form_version": "C-1", "language": "en"}


def knowing(scenario: CaseScenario, partner: Partner) -> CaseScenario:
    scenario.directory = replace(
        scenario.directory, partners={**scenario.directory.partners, partner.partner_id: partner}
    )
    return scenario


def with_a_draft() -> CaseScenario:
    """A family tracing referral for which the person has not yet given consent."""
    scenario = knowing(a_screened_case(), MINISTRY).having("CreateReferral", kind="FAMILY_TRACING")
    assert scenario.referral("FAMILY_TRACING").status == "DRAFT"
    return scenario


def test_an_earlier_draft_is_not_sent_by_a_consent_or_by_staff() -> None:
    scenario = changed(with_a_draft()).having("RecordConsent", **TRACING)
    draft = scenario.referral("FAMILY_TRACING")
    refusal = scenario.refused("SendReferral", referral_id=draft.referral_id)
    assert (refusal.rule, refusal.failures) == ("NATIONALITY.ASK_FIRST", BEFORE_ANY_DISCLOSURE)
    assert draft.status == "DRAFT"
    repeated(scenario)
    assert scenario.referral("FAMILY_TRACING").status == "SENT"


def test_an_undelivered_message_may_no_longer_be_delivered() -> None:
    scenario = with_a_draft().having("RecordConsent", **TRACING)
    referral_id = scenario.referral("FAMILY_TRACING").referral_id
    assert may_be_delivered(scenario.case, SENT, referral_id, scenario.now)
    assert not may_be_delivered(changed(scenario).case, SENT, referral_id, scenario.now)


# Consent


def test_a_consent_for_the_former_embassy_does_not_cover_the_next() -> None:
    scenario = repeated(changed(from_mali()), "PERSON.SHARE_EMBASSY")
    assert missing_requirements(scenario.after(days=7)) == ["PERSON.SHARE_EMBASSY"]
    scenario.having("CreateReferral", kind=IDENTITY)
    order = {"referral_id": scenario.referral(IDENTITY).referral_id}
    assert scenario.refused("SendReferral", **order).rule == "CONSENT.SHARE_EMBASSY"
    assert embassies(scenario) == ["embassy-mli"]
    assert embassies(scenario.having("RecordConsent", **TO_EMBASSIES)) == ["embassy-mli", "embassy-gin"]


def test_an_exclusion_remains_after_a_change() -> None:
    scenario = a_screened_case().having("RecordConsent", **TO_EMBASSIES, excluded_partners=("embassy-gin",))
    assert changed(scenario).case.excluded_for(Purpose.SHARE_EMBASSY) == {"embassy-gin"}


def test_a_person_with_a_passport_needs_no_embassy() -> None:
    scenario = repeated(changed(from_mali()), "PERSON.SHARE_EMBASSY")
    scenario.having("RecordTravelDocument", **PASSPORT, issued_by="GIN")
    assert not missing_requirements(scenario)
    assert scenario.referral(PERMIT).status == "SENT"


def test_a_referral_is_not_reassigned_to_another_embassy_before_that() -> None:
    scenario = changed(a_screened_case().having_signal(IDENTITY, "REJECTED", reason="not ours"))
    order = {"referral_id": scenario.referral(IDENTITY).referral_id, "partner_id": "embassy-gin", "reason": "x"}
    assert scenario.refused("ReassignReferral", **order).rule == "NATIONALITY.ASK_FIRST"


def test_care_and_other_help_go_on() -> None:
    scenario = changed(from_mali())
    assert scenario.referral("MEDICAL_ASSESSMENT").status == "SENT"
    assert scenario.having("CreateReferral", kind="MHPSS").asked("MHPSS")


def test_a_passport_of_the_country_now_named_leads_to_no_exit_permit_request_before_that() -> None:
    scenario = changed(from_mali()).having("RecordTravelDocument", **PASSPORT, issued_by="GIN")
    assert nationality_confirmed(scenario.case)
    assert not scenario.asked(PERMIT)
    assert missing_requirements(scenario) == list(BEFORE_ANY_DISCLOSURE)
    assert repeated(scenario).referral(PERMIT).status == "SENT"


def test_a_passport_of_the_former_nationality_does_not_confirm_the_current_one() -> None:
    scenario = changed(from_mali())
    for issued_by, rule in ((None, "DOCUMENT.ISSUER"), ("MLI", "DOCUMENT.OTHER_NATIONALITY")):
        refusal = scenario.refused("RecordTravelDocument", **PASSPORT, issued_by=issued_by)
        assert (refusal.rule, refusal.field) == (rule, "issued_by")
        assert not {"MLI", "GIN"} & set(refusal.detail.split())


def test_the_issuer_of_a_passport_is_required_only_after_a_change_and_checked_when_stated() -> None:
    assert nationality_confirmed(a_screened_case().having("RecordTravelDocument", **PASSPORT).case)
    scenario = a_screened_case()
    assert scenario.refused("RecordTravelDocument", **PASSPORT, issued_by="GIN").rule == "DOCUMENT.OTHER_NATIONALITY"
    scenario.having("RecordTravelDocument", **PASSPORT, issued_by="NGA")
    assert not any("NGA" in str(event.facts) for event in scenario.events[-4:] if event.name != "DisclosureRecorded")


def test_requirements_count_from_the_latest_change_and_name_it_as_their_cause() -> None:
    scenario = changed(changed(from_mali().after(days=2)).after(days=3), "SEN")
    newest = scenario.named("NationalityChanged")[-1]
    waits = [lack for lack in DOCUMENTS.missing(scenario.case, scenario.moment()) if lack.code in SETTLES]
    assert {(lack.since, lack.after) for lack in waits} == {(newest.timestamp, "NationalityChanged")}
    assert len(waits) == len(SETTLES)


def test_a_change_during_screening_requires_a_new_private_interview_before_documents_open() -> None:
    scenario = a_registered_case().having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    changed(scenario)
    assert "STAFF.PRIVATE_INTERVIEW" in scenario.waits_for()
    scenario.having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    scenario.send("ReopenCase", target_phase="PRE_DEPARTURE", reason="came back")
    assert Stage.DOCUMENTS not in may_open(scenario.case, scenario.moment())


# Which embassy follows

A_NO = {
    "the paper refused": ((PAPER, "COMPLETED", "REFUSED"),),
    "not theirs": ((PAPER, "REJECTED", None),),
    "the permit refused": ((PAPER, "COMPLETED", "ISSUED"), (PERMIT, "COMPLETED", "REFUSED")),
}


@pytest.mark.parametrize("answers", A_NO.values(), ids=A_NO)
def test_a_refusal_of_former_documents_does_not_prevent_a_new_request(
    answers: tuple[tuple[str, str, str | None], ...],
) -> None:
    scenario = a_screened_case().having_signal(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")
    for kind, signal, outcome in answers:
        scenario.having_signal(kind, signal, outcome, payload={"number": "LP-100"} if outcome == "ISSUED" else {})
    scenario = repeated(changed(scenario)).having_signal(IDENTITY, "COMPLETED", "NATIONALITY_CONFIRMED")
    assert (scenario.referral(PAPER).partner_id, scenario.referral(PAPER).status) == ("embassy-gin", "SENT")
    scenario.having_signal(PAPER, "COMPLETED", "ISSUED", payload=LP)
    assert scenario.referral(PERMIT).status == "SENT"


def test_a_refusal_by_the_new_embassy_counts() -> None:
    scenario = repeated(changed(from_mali())).having_signal(IDENTITY, "COMPLETED", "NOT_CONFIRMED")
    assert len(scenario.after(days=7).asked(IDENTITY)) == 2
    assert scenario.waits_for()[-1] == "EMBASSY.NATIONALITY"


def test_the_embassy_of_the_former_nationality_is_not_contacted_automatically_for_a_return_to_its_country() -> None:
    scenario = repeated(changed(from_mali()), country="MLI")
    assert embassies(scenario) == ["embassy-mli"]
    assert "find a partner for CONSULAR_IDENTITY" in [task.task for task in scenario.case.tasks.values()]
    scenario.having("CreateReferral", kind=IDENTITY, partner_id="embassy-gin")
    assert embassies(scenario) == ["embassy-mli", "embassy-gin"]


def test_a_change_back_to_the_first_nationality_repeats_the_requirements_and_the_request() -> None:
    scenario = changed(changed(from_mali()), "MLI")
    assert missing_requirements(scenario) == list(SETTLES)
    assert embassies(repeated(scenario, country="MLI")) == ["embassy-mli", "embassy-mli"]


def test_after_two_changes_no_embassy_of_a_former_nationality_is_contacted_automatically() -> None:
    scenario = repeated(changed(changed(a_screened_case(), "MLI")), country="NGA")
    assert embassies(scenario) == ["embassy-nga"], "as before the changes, and not again"
    assert "find a partner for CONSULAR_IDENTITY" in [task.task for task in scenario.case.tasks.values()]


# After departure


def after_departure(beginning: Callable[[], CaseScenario]) -> CaseScenario:
    return beginning().having("ChangeNationality", nationality="GIN")


@pytest.mark.parametrize("beginning", [a_departed_case, an_arrived_case])
def test_a_change_after_departure_is_recorded_and_reviewed_and_ends_nothing(
    beginning: Callable[[], CaseScenario],
) -> None:
    scenario = beginning()
    before, waited = public(scenario.case), scenario.waits_for()
    recorded = scenario.send("ChangeNationality", nationality="GIN")
    assert [event.name for event in recorded] == ["NationalityChanged", "TaskRaised"]
    assert (recorded[1].facts["queue"], recorded[1].facts["due"]) == (
        "PROTECTION_OFFICER",
        LIBYA.after(scenario.now, soon(scenario.case, scenario.moment())),
    )
    after = public(scenario.case)
    assert {name: after[name] for name in after if name not in ("tasks", "version")} == {
        name: before[name] for name in before if name not in ("tasks", "version")
    }
    assert scenario.waits_for() == waited


def test_after_departure_nothing_is_repeated_and_assistance_continues() -> None:
    scenario = after_departure(a_departed_case)
    for kind in ("RECEPTION", "REINTEGRATION_COUNSELLING"):
        scenario.having("CreateReferral", kind=kind)
        assert scenario.referral(kind).status == "SENT"
    scenario.having("CreateReferral", kind=IDENTITY, partner_id="embassy-gin")
    assert scenario.referral(IDENTITY).status == "DRAFT", "an embassy always requires a consent of its own"


def test_after_departure_no_embassy_is_contacted_for_unfinished_documents() -> None:
    scenario = a_screened_case()
    scenario.case.phase = Phase.TRANSIT
    recorded = scenario.send("ChangeNationality", nationality="GIN")
    assert [event.name for event in recorded] == ["NationalityChanged", "TaskRaised"]
    assert "EMBASSY.NATIONALITY" in scenario.waits_for()
    assert {"PERSON.DECLARATION", "PERSON.SHARE_EMBASSY"}.isdisjoint(scenario.waits_for())


def test_care_handed_over_continues_after_the_case_is_closed() -> None:
    scenario = after_departure(an_arrived_case)
    knowing(scenario, HOSPITAL).having("CreateReferral", kind="MEDICAL_HANDOVER")
    scenario.having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    assert may_be_delivered(scenario.case, SENT, scenario.referral("MEDICAL_HANDOVER").referral_id, scenario.now)


def test_a_person_whose_declaration_lapsed_in_transit_is_received() -> None:
    scenario = repeated(changed(from_mali()))
    scenario.case.clearances[ClearanceKind.CONSENT_RETURN].status = ClearanceStatus.EXPIRED
    assert scenario.refused("CreateReferral", kind="RECEPTION").failures == ("PERSON.DECLARATION",)
    for phase in (Phase.TRANSIT, Phase.POST_ARRIVAL):
        scenario.case.phase = phase
        scenario.again().having("CreateReferral", kind="RECEPTION")


def test_a_case_reopened_after_arrival_refers_to_partners_there() -> None:
    scenario = after_departure(an_arrived_case).having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    scenario.having("ReopenCase", target_phase="POST_ARRIVAL", reason="called again")
    scenario.having("RecordConsent", purpose="SHARE_REINTEGRATION", form_version="C-1", language="en")
    scenario.having("CreateReferral", kind="REINTEGRATION_COUNSELLING")
    assert scenario.referral("REINTEGRATION_COUNSELLING").status == "SENT"


# Recording


def test_partners_receive_the_nationality_now_named() -> None:
    scenario = repeated(changed(from_mali()))
    assert scenario.case.person == AMINATA.model_copy(update={"nationality": "GIN"})
    assert minimum_data(scenario.case, scenario.referral(IDENTITY))["nationality"] == "GIN"


def test_both_nationalities_are_sealed() -> None:
    recorded = changed(from_mali()).named("NationalityChanged")[-1]
    assert recorded.say() == "Nationality changed from Mali to Guinea."
    assert not {"MLI", "GIN"} & set(neutral(recorded).split('"'))
    assert redacted(recorded).say() == "Nationality changed from [erased] to [erased]."


def test_the_recorded_nationality_is_not_a_change() -> None:
    refusal = a_screened_case().refused("ChangeNationality", nationality="NGA")
    assert (refusal.rule, refusal.field) == ("NATIONALITY.SAME", "nationality")
    assert "NGA" not in refusal.detail


@pytest.mark.parametrize(
    ("beginning", "rule"),
    [(a_closed_case, "INV-18"), (CaseScenario, "CASE.NOT_REGISTERED")],
)
def test_a_change_is_rejected_where_it_has_no_effect(beginning: Callable[[], CaseScenario], rule: str) -> None:
    assert beginning().refused("ChangeNationality", nationality="GIN").rule == rule


def test_a_change_never_waits_and_keeps_its_order_of_receipt() -> None:
    message = MESSAGES["ChangeNationality"].model_validate({"nationality": "GIN"})
    assert restricts(message)
    assert precedence(message) is Precedence.ANYTHING
