"""Travel documents: the listing of these tests is its decision table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.clearance.nationality import nationality_confirmed
from domain.decider import may_open
from domain.kernel.vocabulary import Stage
from tests.support.assertions import neutral
from tests.support.builders import (
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
)

PASSPORT = {"kind": "PASSPORT", "number": "A1234567", "expires_on": "2030-01-01", "authenticity": "CHECKED"}

LP = {"kind": "LAISSEZ_PASSER", "number": "LP-100", "expires_on": "2027-01-22"}


def a_confirmed_case() -> CaseScenario:
    return a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")


def status(scenario: CaseScenario, kind: str) -> str | None:
    found = scenario.clearance(kind)
    return found.status if found else None


def test_no_word_leaves_for_an_embassy_before_the_private_question_is_answered() -> None:
    scenario = a_registered_case().having("RecordConsent", purpose="SHARE_EMBASSY", form_version="1", language="en")
    assert scenario.status("DOCUMENTS") == "NOT_STARTED"
    assert not [event for event in scenario.events if event.name == "DisclosureRecorded"]


@pytest.mark.parametrize(("outcome", "may"), [("NO_CLAIM", True), ("CLAIM", False), ("UNSURE", False)])
def test_after_reopening_documents_open_only_if_the_private_question_was_answered_so(outcome: str, may: bool) -> None:
    scenario = a_screened_case().having("RecordNonRefoulementScreen", outcome=outcome)
    scenario.having("CloseCase", reason="NO_CONTACT", approved_by="amaka")
    scenario.send("ReopenCase", target_phase="PRE_DEPARTURE", reason="came back")
    assert (Stage.DOCUMENTS in may_open(scenario.case, scenario.moment())) is may


def test_identity_then_document_then_permit() -> None:
    scenario = a_screened_case()
    assert scenario.waits_for() == ["STAFF.SAFETY_OF_RETURN", "CLINIC.MEDICAL_ASSESSMENT", "EMBASSY.NATIONALITY"]
    scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    assert scenario.referral("TRAVEL_DOCUMENT").status == "SENT"
    assert not scenario.asked("EXIT_PERMIT")
    scenario.having_signal("TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload=LP)
    assert scenario.referral("EXIT_PERMIT").status == "SENT"


def test_both_papers_complete_the_stage() -> None:
    assert a_cleared_case().status("DOCUMENTS") == "COMPLETED"


@pytest.mark.parametrize(
    ("kind", "outcome", "fact"),
    [
        ("CONSULAR_IDENTITY", "NOT_CONFIRMED", "NationalityNotConfirmed"),
        ("TRAVEL_DOCUMENT", "REFUSED", "TravelDocumentRefused"),
        ("EXIT_PERMIT", "REFUSED", "ExitPermitRefused"),
    ],
)
def test_a_no_is_recorded_and_given_to_a_consular_officer(kind: str, outcome: str, fact: str) -> None:
    scenario = a_confirmed_case() if kind != "CONSULAR_IDENTITY" else a_screened_case()
    if kind == "EXIT_PERMIT":
        scenario.having_signal("TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload=LP)
    scenario.having_signal(kind, "COMPLETED", outcome)
    assert fact in scenario.names
    assert [task.queue for task in scenario.case.tasks.values()] == ["CONSULAR_LIAISON"]


@pytest.mark.parametrize(
    ("outcome", "said", "next_step"),
    [
        (
            "INTERVIEW_NO_SHOW",
            "Consular interview with embassy-nga missed by the person.",
            "call the person, and arrange another interview",
        ),
        (
            "EMBASSY_CLOSED",
            "Nationality not examined by embassy-nga (cause: embassy closed).",
            "ask again when the embassy opens, or ask one elsewhere",
        ),
        (
            "REFUSED_TO_COOPERATE_PERSON",
            "Nationality not examined by embassy-nga (cause: the person refused to cooperate).",
            "ask the person in private whether an embassy is to be asked at all",
        ),
    ],
)
def test_where_nothing_was_examined_no_embassy_has_denied_a_nationality(
    outcome: str, said: str, next_step: str
) -> None:
    scenario = a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", outcome)
    assert said in [event.say() for event in scenario.events]
    assert "NationalityNotConfirmed" not in scenario.names
    assert [(task.task, task.queue) for task in scenario.case.tasks.values()] == [(next_step, "CONSULAR_LIAISON")]
    assert scenario.waits_for()[-1] == "EMBASSY.NATIONALITY", "it is as open as before"


def test_a_missed_interview_takes_nothing_from_a_nationality_that_is_known_otherwise() -> None:
    scenario = a_screened_case().having("RecordTravelDocument", **PASSPORT)
    scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "INTERVIEW_NO_SHOW")
    assert nationality_confirmed(scenario.case)
    assert status(scenario, "TRAVEL_DOCUMENT") == "VALID"


def test_a_confirmation_that_is_amended_to_a_missed_interview_counts_no_longer() -> None:
    scenario = a_confirmed_case()
    scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "INTERVIEW_NO_SHOW")
    signal = next(iter(scenario.referral("CONSULAR_IDENTITY").disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="it was somebody else")
    assert not nationality_confirmed(scenario.case)


def asked_once_more(scenario: CaseScenario, kind: str, **answer: Any) -> CaseScenario:
    """Staff create a referral although a document is in force, and the partner refuses."""
    scenario.after(hours=1).having("CreateReferral", kind=kind)
    return scenario.after(hours=1).having_signal(kind, "COMPLETED", "REFUSED", **answer)


@pytest.mark.parametrize(
    ("kind", "ended"),
    [("EXIT_PERMIT", ("EXIT_PERMIT",)), ("TRAVEL_DOCUMENT", ("TRAVEL_DOCUMENT", "EXIT_PERMIT"))],
)
@pytest.mark.parametrize("beginning", [a_cleared_case, a_frozen_case, a_boarded_case])
def test_a_no_ends_the_older_paper_too_and_is_not_asked_for_again_by_itself(
    beginning: Callable[[], CaseScenario], kind: str, ended: tuple[str, ...]
) -> None:
    scenario = asked_once_more(beginning(), kind)
    assert [status(scenario, each) for each in ended] == ["REVOKED"] * len(ended)
    assert set(scenario.failures()) >= {f"GATE.{each}.REVOKED" for each in ended}
    assert scenario.case.seat is None or scenario.case.seat.status == "CONFIRMED", "nobody stays on board"
    assert len(scenario.after(days=1).asked(kind)) == 2
    assert scenario.status("DOCUMENTS") == "REOPENED"


@pytest.mark.parametrize("reason", ["TRAVEL_BAN", "PENDING_CASE", "SECURITY"])
@pytest.mark.parametrize("signal", [("COMPLETED", "REFUSED"), ("REJECTED", None), ("PROGRESS", "MORE_INFO")])
def test_a_ban_or_a_case_before_a_court_holds_the_journey(reason: str, signal: tuple[str, str | None]) -> None:
    scenario = a_cleared_case().having("CreateReferral", kind="EXIT_PERMIT")
    scenario.having_signal("EXIT_PERMIT", *signal, payload={"reason_class": reason})
    assert scenario.held("LEGAL").blocks == {"BOARDING"}
    assert all(reason not in neutral(event) for event in scenario.events)


@pytest.mark.parametrize("reason", ["UNPAID_FINE", "DATA_MISMATCH"])
def test_a_fine_or_a_misprint_holds_nothing_by_itself(reason: str) -> None:
    assert not asked_once_more(a_cleared_case(), "EXIT_PERMIT", payload={"reason_class": reason}).case.holds


def test_a_ban_that_comes_too_late_holds_the_journey_all_the_same() -> None:
    scenario = a_frozen_case().having_signal("EXIT_PERMIT", "PROGRESS", payload={"reason_class": "TRAVEL_BAN"})
    assert "GATE.HOLD.LEGAL" in scenario.failures()


def test_a_paper_that_turns_out_to_have_been_refused_is_not_asked_for_again_by_itself() -> None:
    scenario = a_cleared_case().after(hours=1).having_signal("EXIT_PERMIT", "AMENDED", "REFUSED")
    signal = next(iter(scenario.referral("EXIT_PERMIT").disputed))
    scenario.after(hours=1).having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="they called")
    assert status(scenario, "EXIT_PERMIT") == "REVOKED"
    assert len(scenario.after(days=1).asked("EXIT_PERMIT")) == 1


def test_what_is_lost_after_a_no_is_asked_for_again() -> None:
    scenario = asked_once_more(a_cleared_case(), "TRAVEL_DOCUMENT").having("RecordTravelDocument", **PASSPORT)
    scenario.after(hours=1).having("ReportDocumentLost")
    assert scenario.referral("TRAVEL_DOCUMENT").status == "SENT"
    scenario.after(hours=1).having_signal("TRAVEL_DOCUMENT", "COMPLETED", "REFUSED")
    assert scenario.after(days=1).referral("TRAVEL_DOCUMENT").outcome == "REFUSED"


def test_a_confirmation_taken_back_counts_no_longer() -> None:
    scenario = a_confirmed_case()
    scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "NOT_CONFIRMED")
    signal = next(iter(scenario.referral("CONSULAR_IDENTITY").disputed))
    scenario.having(
        "ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the embassy said so by phone"
    )
    assert "GATE.TRAVEL_DOCUMENT.NATIONALITY_NOT_CONFIRMED" in scenario.failures("NOMINATE")


def test_a_paper_lasts_as_long_as_is_printed_on_it() -> None:
    scenario = a_cleared_case()
    document, permit = scenario.clearance("TRAVEL_DOCUMENT"), scenario.clearance("EXIT_PERMIT")
    assert document is not None
    assert permit is not None
    assert str(document.valid_until) == "2027-01-22 23:59:59+00:00"
    assert str(permit.valid_until) == "2027-01-05 23:59:59+00:00"


def test_a_paper_that_says_nothing_lasts_thirty_days() -> None:
    scenario = a_confirmed_case().having_signal("TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload={"number": "LP-1"})
    document = scenario.clearance("TRAVEL_DOCUMENT")
    assert document is not None
    assert document.valid_until is not None
    assert (document.valid_until - scenario.now).days == 30


def test_a_paper_without_an_end_is_waited_for_by_nobody() -> None:
    scenario = a_confirmed_case()
    scenario.having_signal("TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload=LP | {"expires_on": "9999-12-31"})
    assert status(scenario.after(days=1), "TRAVEL_DOCUMENT") == "VALID"


@pytest.mark.parametrize(
    ("payload", "flaw"),
    [
        (LP | {"expires_on": "31/12/2027"}, "expires_on"),
        (LP | {"kind": "CARD"}, "kind"),
        ({"kind": "PASSPORT"}, "number"),
    ],
)
def test_an_answer_that_cannot_be_read_is_for_a_person(payload: dict[str, str], flaw: str) -> None:
    scenario = a_confirmed_case()
    doubt = scenario.partner_says("TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload=payload)[0]
    assert (doubt.name, doubt.facts["cause"], doubt.facts["flaw"]) == ("PartnerSignalQuarantined", "SCHEMA", flaw)
    assert status(scenario, "TRAVEL_DOCUMENT") is None


def test_a_paper_printed_out_of_date_clears_nothing_and_is_looked_at() -> None:
    scenario = a_confirmed_case().having_signal(
        "TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload=LP | {"expires_on": "2026-01-01"}
    )
    assert status(scenario, "TRAVEL_DOCUMENT") is None
    assert [task.task for task in scenario.case.tasks.values()] == ["look at an answer that was out of date"]


def test_papers_of_a_nationality_that_is_taken_back_clear_nothing() -> None:
    scenario = a_cleared_case().having_signal("CONSULAR_IDENTITY", "RETRACTED", reason="another person's file")
    signal = next(iter(scenario.referral("CONSULAR_IDENTITY").disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="the consul called")
    assert [status(scenario, kind) for kind in ("TRAVEL_DOCUMENT", "EXIT_PERMIT")] == ["REVOKED", "REVOKED"]
    assert scenario.status("DOCUMENTS") == "REOPENED"
    assert scenario.waits_for()[0] == "EMBASSY.NATIONALITY"


def test_a_passport_in_hand_spares_the_embassy() -> None:
    scenario = a_screened_case().having("RecordTravelDocument", **PASSPORT)
    assert status(scenario, "TRAVEL_DOCUMENT") == "VALID"
    assert scenario.referral("EXIT_PERMIT").status == "SENT"


def test_a_document_in_doubt_clears_nothing() -> None:
    refusal = a_screened_case().refused("RecordTravelDocument", **(PASSPORT | {"authenticity": "DOUBTED"}))
    assert refusal.rule == "DOCUMENT.DOUBTED"


def test_an_expired_document_clears_nothing() -> None:
    refusal = a_screened_case().refused("RecordTravelDocument", **(PASSPORT | {"expires_on": "2026-11-23"}))
    assert refusal.rule == "DOCUMENT.EXPIRED"


def test_another_documents_number_needs_another_permit() -> None:
    scenario = a_cleared_case().having("RecordTravelDocument", **PASSPORT)
    assert status(scenario, "EXIT_PERMIT") == "REVOKED"
    assert scenario.referral("EXIT_PERMIT").status == "SENT"


def test_a_lost_document_ends_the_permit_too_and_is_asked_for_again() -> None:
    scenario = a_cleared_case().after(hours=1).having("ReportDocumentLost")
    assert (status(scenario, "TRAVEL_DOCUMENT"), status(scenario, "EXIT_PERMIT")) == ("REVOKED", "REVOKED")
    assert scenario.status("DOCUMENTS") == "REOPENED"
    assert scenario.referral("TRAVEL_DOCUMENT").status == "SENT"


def test_what_was_never_issued_is_not_handed_over() -> None:
    assert a_screened_case().refused("HandOverTravelDocument").rule == "DOCUMENT.NONE"


def test_a_document_is_handed_to_the_person() -> None:
    assert a_cleared_case().having("HandOverTravelDocument").names[-1] == "TravelDocumentHandedOver"


def test_the_stage_of_documents_is_not_worked_on_before_it_is_open() -> None:
    assert a_registered_case().refused("RecordTravelDocument", **PASSPORT).rule == "STAGE.NOT_OPEN"


def test_without_a_partner_a_person_is_asked_once_to_find_one() -> None:
    scenario = a_screened_case(country_of_return="NGA")
    scenario.directory = type(scenario.directory)({})
    scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED").after(days=1).having(
        "AddNote", note="x"
    )
    assert [task.task for task in scenario.case.tasks.values()] == ["find a partner for TRAVEL_DOCUMENT"]
