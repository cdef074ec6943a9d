"""Journeys that between them record every event of the programme: for samples, sentences and neutrality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID, uuid5

from domain import call_request as contact
from domain import movement
from domain.call_request import CallRequest
from domain.commands.departure import DenyBoarding
from domain.decider import decide_quarantine, decide_release
from domain.events.case import ClearanceNotRequired
from domain.kernel.context import PassengerReport
from domain.kernel.event import Event
from domain.kernel.message import MESSAGES
from domain.kernel.vocabulary import ClearanceKind
from domain.movement import Movement
from domain.partner_desk import PartnerDesk, RecordSignalAssigned, RecordSignalSetAside, RecordSignalTakenUpAgain
from domain.partner_desk import decide as decide_at_desk
from domain.signals.unprocessable import CRASHED
from tests.support.builders import (
    FLIGHT,
    MONDAY,
    NAMESPACE,
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_closed_case,
    a_frozen_case,
    a_received_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
    an_arrived_case,
    remembered,
)

GOOD: Final = "NO_SIGNIFICANT_CONDITION"

ON_IT: Final = {"movement_id": FLIGHT["movement_id"], "movement": FLIGHT["movement"]}

PLAN: Final = {
    "number": FLIGHT["movement"],
    "origin": "MJI",
    "destination": "LOS",
    "std": FLIGHT["std"],
    "sta": FLIGHT["sta"],
    "capacity": 2,
}

A_SCAN: Final[dict[str, Any]] = {
    "file_hash": "ab" * 32,
    "content_hash": "cd" * 32,
    "file_name": "Okafor, Aminata.pdf",
    "media_type": "application/pdf",
    "size": 70_000,
    "note": "signed by the consul",
}


@dataclass
class FlightScenario:
    """A movement told step by step, like a case."""

    movement: Movement = field(default_factory=lambda: Movement(UUID(FLIGHT["movement_id"]), number=FLIGHT["movement"]))
    now: datetime = MONDAY
    events: list[Event] = field(default_factory=list)

    def send(self, name: str, *, boarded: frozenset[UUID] = frozenset(), **fields: Any) -> list[Event]:
        moment = replace(
            CaseScenario(now=self.now).moment(message_id=uuid5(NAMESPACE, f"{len(self.events)}")),
            passengers=PassengerReport(on_board=boarded),
        )
        decided = movement.decide(self.movement, MESSAGES[name].model_validate(fields), moment)
        self.events += decided
        return decided

    def having(self, name: str, **fields: Any) -> Self:
        self.send(name, **fields)
        return self

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]


def passenger(which: int) -> UUID:
    return uuid5(NAMESPACE, f"passenger {which}")


def a_planned_flight() -> FlightScenario:
    return FlightScenario().having("PlanMovement", **PLAN)


def a_full_flight() -> FlightScenario:
    flight = a_planned_flight().having("ConfirmMovement", carrier="Buraq")
    for which in range(3):
        flight.having("RequestSeat", case_id=passenger(which))
    return flight


def an_arrived_flight() -> FlightScenario:
    flight = a_full_flight().having("GiveUpSeat", case_id=passenger(0)).having("FreezeManifest")
    flight.send("RecordFlightDeparture", boarded=frozenset({passenger(1)}))
    return flight.having("RecordFlightArrival")


def a_cancelled_flight() -> FlightScenario:
    return a_full_flight().having("CancelMovement", cause="AIRPORT_CLOSED")


@dataclass
class CallRequestScenario:
    """A request to be called, told step by step."""

    contact: CallRequest = field(
        default_factory=lambda: CallRequest(uuid5(NAMESPACE, "contact"), number="CON-2026-000001")
    )
    now: datetime = MONDAY
    events: list[Event] = field(default_factory=list)

    def having(self, name: str, **fields: Any) -> Self:
        ctx = CaseScenario(now=self.now).moment(message_id=uuid5(NAMESPACE, f"contact {len(self.events)}"))
        self.events += contact.decide(self.contact, MESSAGES[name].model_validate(fields), ctx)
        return self

    def unheard(self) -> Self:
        """Nobody calls until the deadline has passed."""
        (due,) = contact.deadlines(self.contact)
        self.now = due.due
        self.events += contact.decide_lapse(self.contact, due, CaseScenario(now=self.now).moment("system"))
        return self


def somebody_asks() -> CallRequestScenario:
    return CallRequestScenario().having(
        "RequestContact", phone="+218910000001", language="ha", channel="PAGE", given_name="Aminata", note="evenings"
    )


def called_in_the_end() -> CallRequestScenario:
    told = somebody_asks().having("RecordContactTry", result="NO_ANSWER").unheard()
    return told.having("EndContact", outcome="REACHED", note="wants to hear about return")


def fear_at_screening() -> CaseScenario:
    told = a_registered_case()
    for purpose in ("SHARE_EMBASSY", "SHARE_AUTHORITY", "SHARE_PROTECTION", "SHARE_UNHCR"):
        told.having("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    told.having("RecordNonRefoulementScreen", outcome="CLAIM", account="asylum: feared by her family")
    return told.having("CreateReferral", kind="UNHCR_ASYLUM").after(days=30)


def fear_at_the_airport() -> CaseScenario:
    told = a_frozen_case()
    told.having(
        "RecordDepartureInterview",
        in_private=True,
        voluntary_reaffirmed=False,
        fear_expressed=True,
        account="claims asylum",
        feedback="medical care was good",
    )
    return told.after(days=10)


def treatment_required() -> CaseScenario:
    told = a_screened_case().heard("MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED", payload={"note": "TB"})
    told.having("CreateReferral", kind="SPECIALIST_CARE").heard("SPECIALIST_CARE", "PROGRESS", "IN_TREATMENT")
    return told.after(days=10)


def unfit_before_the_flight() -> CaseScenario:
    return a_frozen_case().having("IssueFitToTravel", result="UNFIT", conditions=("pregnancy",)).after(days=1)


def a_survivor() -> CaseScenario:
    told = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    told.having("RaiseProtectionConcern", risk_level="HIGH", concern="trafficked; gbv by the employer")
    told.having("RecordVulnerabilityAssessment", overall_risk="HIGH", factors=("TRAFFICKING", "GBV"))
    told.having("CreateReferral", kind="VOT_ASSISTANCE", urgent=True)
    told.heard("VOT_ASSISTANCE", "ACCEPTED", reason="trafficked").heard("VOT_ASSISTANCE", "COMPLETED", "ADMITTED")
    told.having("ReviewHold", hold_id=told.held("PROTECTION").hold_id, decision="goes on")
    return told.after(days=10)


def a_withdrawal() -> CaseScenario:
    told = a_boarded_case().having("WithdrawVoluntaryReturn", channel="AIRPORT", place="AIRPORT")
    told.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="amaka").after(days=20)
    told.heard("MEDICAL_ASSESSMENT", "COMPLETED", GOOD)
    told.heard("MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="beaten in detention")
    told.having("ReopenCase", target_phase="INTAKE", reason="wants asylum after abuse")
    return told


def an_unsafe_closing() -> CaseScenario:
    told = fear_at_screening()
    return told.having("CloseCase", reason="REFERRED_TO_UNHCR", approved_by="amaka").after(days=5 * 365 + 1)


def partners_at_their_worst() -> CaseScenario:
    told = a_screened_case()
    told.heard("MEDICAL_ASSESSMENT", "ACKNOWLEDGED").heard("MEDICAL_ASSESSMENT", "STARTED")
    told.heard("MEDICAL_ASSESSMENT", "PROGRESS", partner_seq=1).heard("MEDICAL_ASSESSMENT", "PAUSED", reason="holiday")
    told.after(days=20).heard("MEDICAL_ASSESSMENT", "RESUMED").heard("MEDICAL_ASSESSMENT", "COMPLETED", GOOD)
    told.heard("MEDICAL_ASSESSMENT", "COMPLETED", "UNFIT_LONG_TERM")
    signal = next(iter(told.referral("MEDICAL_ASSESSMENT").disputed))
    told.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="confirmed: unfit")
    told.heard("MEDICAL_ASSESSMENT", "ACCEPTED").heard("CONSULAR_IDENTITY", "REJECTED", reason="not ours")
    first = told.referral("CONSULAR_IDENTITY").referral_id
    told.having("ReassignReferral", referral_id=first, partner_id="embassy-nga-2", reason="not theirs")
    told.heard("CONSULAR_IDENTITY", "FAILED", reason="moved")
    told.having(
        "ReassignReferral",
        referral_id=told.referral("CONSULAR_IDENTITY").referral_id,
        partner_id="embassy-nga",
        reason="x",
    )
    told.heard("CONSULAR_IDENTITY", "COMPLETED", "NOT_CONFIRMED", payload={"file_no": "7", "diagnosis": "TB"})
    told.having("MarkReferralEnteredInError", referral_id=first, reason="wrong person")
    return told


def embassies_that_examined_nothing() -> CaseScenario:
    """The person does not come; another embassy is closed."""
    told = a_screened_case().heard("CONSULAR_IDENTITY", "COMPLETED", "INTERVIEW_NO_SHOW")
    told.having("CreateReferral", kind="CONSULAR_IDENTITY", partner_id="embassy-nga-2")
    return told.heard("CONSULAR_IDENTITY", "COMPLETED", "EMBASSY_CLOSED")


def another_nationality() -> CaseScenario:
    """One embassy does not know the person, who then names another country and is asked everything anew."""
    told = a_screened_case().heard("CONSULAR_IDENTITY", "COMPLETED", "NOT_CONFIRMED").after(hours=1)
    told.having("ChangeNationality", nationality="GIN").having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    told.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    told.having("SignVoluntaryReturnDeclaration", country="GIN", form_version="VRD-1", language="en")
    told.having("RecordConsent", purpose="SHARE_EMBASSY", form_version="C-1", language="en")
    return told.heard("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")


def another_place() -> CaseScenario:
    """Within the same country, named once everything was cleared for the first one."""
    declared = {"country": "NGA", "form_version": "VRD-1", "language": "en"}
    told = a_seated_case().having("SignVoluntaryReturnDeclaration", **declared, locality="Kano")
    told.having("AssessSafetyOfReturn", area="NG-KN", result="SAFE", advisory_version="2026-3")
    return told.having("SignVoluntaryReturnDeclaration", **declared, locality="Lagos")


def letters_lost_and_brought() -> CaseScenario:
    """A request that was not delivered, brought by hand, changed; then nothing more may be told."""
    told = a_screened_case()
    asked = {"referral_id": told.referral("CONSULAR_IDENTITY").referral_id}
    told.having("ReportDeliveryFailure", **asked, cause="GAVE_UP").having("ReportHandedOver", **asked, how="PAPER")
    told.having("AmendReferral", **asked).having("PlaceHold", hold_type="CONSENT", reason="x").after(days=3)
    return told.having("PlaceHold", hold_type="PROTECTION", reason="x").after(days=3)


def an_item_given_twice() -> CaseScenario:
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    told = a_received_case().having("DraftPlan", items=(item,), signed_by_returnee=True).having("ApprovePlan")
    for day in ("2027-01-10", "2027-02-10"):
        told.heard("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": day})
    return told


def silence() -> CaseScenario:
    told = a_screened_case().after(days=90)
    referral = told.referral("CONSULAR_IDENTITY")
    return told.having("ConfirmReferralExpiry", referral_id=referral.referral_id, reason="nobody answers")


def papers() -> CaseScenario:
    told = a_screened_case().heard("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    told.heard("TRAVEL_DOCUMENT", "COMPLETED", "REFUSED")
    told.having("RecordTravelDocument", kind="PASSPORT", number="A1", expires_on="2030-01-01", authenticity="CHECKED")
    told.heard("EXIT_PERMIT", "COMPLETED", "REFUSED", payload={"reason_class": "UNPAID_FINE"})
    return told.having("HandOverTravelDocument").having("ReportDocumentLost")


def office_work() -> CaseScenario:
    told = a_screened_case().having("SetPriority", priority="P2_HIGHLY_VULNERABLE", basis="need")
    told.having("AddNote", note="came with her sister").having(
        "RecordContactAttempt", channel="PHONE", result="no answer"
    )
    told.having("InformPerson", topic="next steps", channel="PHONE", language="ha")
    told.having("RecordConsent", purpose="PHOTO_MEDIA", given=False, form_version="C-1", language="en")
    told.having("WithdrawConsent", purpose="SHARE_CLINIC")
    told.having("RecordDetention", situation="DETENTION_OFFICIAL", site="coast road").having("RecordRelease")
    task = next(iter(told.case.tasks))
    told.having("CompleteTask", task_id=task, outcome="done")
    told.having("LiftHold", hold_id=told.held("DETENTION").hold_id, reason="released")
    return told


def a_sheet_comes_back() -> CaseScenario:
    told = a_screened_case()
    sheet = uuid5(NAMESPACE, "sheet")
    for kind in ("CONSULAR_IDENTITY", "MEDICAL_ASSESSMENT"):
        told.having("ListReferral", referral_id=told.referral(kind).referral_id, sheet_id=sheet)
    told.partner_says("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED", by="staff:fatima", sheet_id=sheet)
    told.partner_says("MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="he was beaten", by="staff:fatima")
    for compartment in ("GEN", "MED", "PROT"):
        told.having("AttachEvidence", **A_SCAN, compartment=compartment, sheet_id=sheet)
    return told


def troubles_at_the_airport() -> CaseScenario:
    return a_seated_case().having("HoldPreDepartureBriefing", language="ha").having("RecordNoShow", cause="UNKNOWN")


def denied() -> CaseScenario:
    told = a_boarded_case()
    told.say(DenyBoarding(by="AUTHORITY", cause="LIST"))
    return told.walk()


def left_behind() -> CaseScenario:
    return a_boarded_case().having("FlightHasDeparted", atd=FLIGHT["std"], on_board=False, **ON_IT)


def not_met() -> CaseScenario:
    told = an_arrived_case().having("RecordReception", met=False, cause="NOBODY_CAME")
    return told.having("ProvideAccommodation", nights=2)


def an_item_cancelled() -> CaseScenario:
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    told = a_received_case().having("DraftPlan", items=(item,), signed_by_returnee=True).having("ApprovePlan")
    return told.having("CancelItem", item_id="shop", reason="moved away")


def an_advisory_changes() -> CaseScenario:
    changed = {
        "country": "NGA",
        "level": "CAUTION_INDIVIDUAL_ASSESSMENT",
        "advisory_version": "2026-4",
        "number": 1,
        "since": MONDAY,
    }
    return a_seated_case().having("ReassessSafety", **changed, area="NG-LA")


def what_no_rule_records_yet() -> CaseScenario:
    """Facts that are declared for what stands around the rules: a permission that is not needed."""
    told = a_cleared_case()
    fact = ClearanceNotRequired(kind=ClearanceKind.CHILD_BEST_INTERESTS, cause="AGE")
    placed: Any = fact.placed_in(told.case.id, told.case.version + 1, told.now)
    placed.mutate(told.case)
    told.events.append(placed)
    return told


CASES: Final[Mapping[str, Callable[[], CaseScenario]]] = {
    made.__name__: remembered(made)
    for made in (
        a_closed_case, fear_at_screening, fear_at_the_airport, treatment_required, unfit_before_the_flight, a_survivor,
        a_withdrawal, an_unsafe_closing, partners_at_their_worst, silence, papers, office_work, a_sheet_comes_back, troubles_at_the_airport,
        denied, left_behind, not_met, an_item_cancelled, letters_lost_and_brought, an_item_given_twice,
        embassies_that_examined_nothing, an_advisory_changes, another_nationality, another_place,
        what_no_rule_records_yet,
    )
}  # fmt: skip

FLIGHTS: Final[Mapping[str, Callable[[], FlightScenario]]] = {
    made.__name__: made for made in (an_arrived_flight, a_cancelled_flight)
}

CONTACTS: Final[Mapping[str, Callable[[], CallRequestScenario]]] = {
    made.__name__: made for made in (called_in_the_end,)
}


def decided_at_the_desk() -> list[Event]:
    """What people decided about messages that no case could take."""
    told, at = PartnerDesk(uuid5(NAMESPACE, "desk"), number="DESK-CLINIC-TRIPOLI"), CaseScenario()
    about = {"cause": "UNKNOWN_TOKEN", "reason": "the clinic named the person on the telephone"}
    reports = (
        RecordSignalAssigned.model_validate(
            {**about, "kept_message": uuid5(NAMESPACE, "stray"), "case_id": passenger(0), "referral_id": passenger(9)}
        ),
        RecordSignalTakenUpAgain.model_validate(
            {**about, "kept_message": uuid5(NAMESPACE, "stray"), "case_id": passenger(0), "cause": "RULE_CRASHED"}
        ),
        RecordSignalSetAside.model_validate({**about, "kept_message": uuid5(NAMESPACE, "another")}),
    )
    return [event for report in reports for event in decide_at_desk(told, report, at.moment())]


def not_taken_in() -> list[Event]:
    """A rule crashed on two messages: one was given to the case once more and taken in, the other set aside."""
    told = a_registered_case()
    for what in ("first", "second"):
        kept = uuid5(NAMESPACE, what)
        told.events += decide_quarantine(told.case, kept, CRASHED, told.moment("system"))
        decision = {"first": "AGAIN", "second": "SET_ASIDE"}[what]
        told.send("ResolveQuarantinedMessage", kept_message=kept, decision=decision, reason="she has said it again")
        told.events += decide_release(told.case, kept, told.moment("system"))
    return told.events


def everything() -> list[Event]:
    """Every event of every journey."""
    told = [made().events for journeys in (CASES, FLIGHTS, CONTACTS) for made in journeys.values()]
    told += [decided_at_the_desk(), not_taken_in()]
    return [event for events in told for event in events]
