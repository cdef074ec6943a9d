"""Journeys that together record every event of the programme; used for samples, sentences and neutrality."""

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
    """A movement driven step by step, like ``CaseScenario``."""

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
    """A callback request driven step by step."""

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
        """Advances the clock until the deadline for the call has passed."""
        (due,) = contact.deadlines(self.contact)
        self.now = due.due
        self.events += contact.decide_lapse(self.contact, due, CaseScenario(now=self.now).moment("system"))
        return self


def somebody_asks() -> CallRequestScenario:
    return CallRequestScenario().having(
        "RequestContact", phone="+218910000001", language="ha", channel="PAGE", given_name="Aminata", note="evenings"
    )


def called_in_the_end() -> CallRequestScenario:
    scenario = somebody_asks().having("RecordContactTry", result="NO_ANSWER").unheard()
    return scenario.having("EndContact", outcome="REACHED", note="wants to hear about return")


def fear_at_screening() -> CaseScenario:
    scenario = a_registered_case()
    for purpose in ("SHARE_EMBASSY", "SHARE_AUTHORITY", "SHARE_PROTECTION", "SHARE_UNHCR"):
        scenario.having("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    scenario.having("RecordNonRefoulementScreen", outcome="CLAIM", account="asylum: feared by her family")
    return scenario.having("CreateReferral", kind="UNHCR_ASYLUM").after(days=30)


def fear_at_the_airport() -> CaseScenario:
    scenario = a_frozen_case()
    scenario.having(
        "RecordDepartureInterview",
        in_private=True,
        voluntary_reaffirmed=False,
        fear_expressed=True,
        account="claims asylum",
        feedback="medical care was good",
    )
    return scenario.after(days=10)


def treatment_required() -> CaseScenario:
    scenario = a_screened_case().having_signal(
        "MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED", payload={"note": "TB"}
    )
    scenario.having("CreateReferral", kind="SPECIALIST_CARE").having_signal(
        "SPECIALIST_CARE", "PROGRESS", "IN_TREATMENT"
    )
    return scenario.after(days=10)


def unfit_before_the_flight() -> CaseScenario:
    return a_frozen_case().having("IssueFitToTravel", result="UNFIT", conditions=("pregnancy",)).after(days=1)


def a_survivor() -> CaseScenario:
    scenario = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    scenario.having("RaiseProtectionConcern", risk_level="HIGH", concern="trafficked; gbv by the employer")
    scenario.having("RecordVulnerabilityAssessment", overall_risk="HIGH", factors=("TRAFFICKING", "GBV"))
    scenario.having("CreateReferral", kind="VOT_ASSISTANCE", urgent=True)
    scenario.having_signal("VOT_ASSISTANCE", "ACCEPTED", reason="trafficked").having_signal(
        "VOT_ASSISTANCE", "COMPLETED", "ADMITTED"
    )
    scenario.having("ReviewHold", hold_id=scenario.held("PROTECTION").hold_id, decision="goes on")
    return scenario.after(days=10)


def a_withdrawal() -> CaseScenario:
    scenario = a_boarded_case().having("WithdrawVoluntaryReturn", channel="AIRPORT", place="AIRPORT")
    scenario.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="amaka").after(days=20)
    scenario.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", GOOD)
    scenario.having_signal("MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="beaten in detention")
    scenario.having("ReopenCase", target_phase="INTAKE", reason="wants asylum after abuse")
    return scenario


def an_unsafe_closing() -> CaseScenario:
    scenario = fear_at_screening()
    return scenario.having("CloseCase", reason="REFERRED_TO_UNHCR", approved_by="amaka").after(days=5 * 365 + 1)


def partners_at_their_worst() -> CaseScenario:
    scenario = a_screened_case()
    scenario.having_signal("MEDICAL_ASSESSMENT", "ACKNOWLEDGED").having_signal("MEDICAL_ASSESSMENT", "STARTED")
    scenario.having_signal("MEDICAL_ASSESSMENT", "PROGRESS", partner_seq=1).having_signal(
        "MEDICAL_ASSESSMENT", "PAUSED", reason="holiday"
    )
    scenario.after(days=20).having_signal("MEDICAL_ASSESSMENT", "RESUMED").having_signal(
        "MEDICAL_ASSESSMENT", "COMPLETED", GOOD
    )
    scenario.having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "UNFIT_LONG_TERM")
    signal = next(iter(scenario.referral("MEDICAL_ASSESSMENT").disputed))
    scenario.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="confirmed: unfit")
    scenario.having_signal("MEDICAL_ASSESSMENT", "ACCEPTED").having_signal(
        "CONSULAR_IDENTITY", "REJECTED", reason="not ours"
    )
    first = scenario.referral("CONSULAR_IDENTITY").referral_id
    scenario.having("ReassignReferral", referral_id=first, partner_id="embassy-nga-2", reason="not theirs")
    scenario.having_signal("CONSULAR_IDENTITY", "FAILED", reason="moved")
    scenario.having(
        "ReassignReferral",
        referral_id=scenario.referral("CONSULAR_IDENTITY").referral_id,
        partner_id="embassy-nga",
        reason="x",
    )
    scenario.having_signal(
        "CONSULAR_IDENTITY", "COMPLETED", "NOT_CONFIRMED", payload={"file_no": "7", "diagnosis": "TB"}
    )
    scenario.having("MarkReferralEnteredInError", referral_id=first, reason="wrong person")
    return scenario


def embassies_that_examined_nothing() -> CaseScenario:
    """The person misses the interview at one embassy; another embassy is closed."""
    scenario = a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "INTERVIEW_NO_SHOW")
    scenario.having("CreateReferral", kind="CONSULAR_IDENTITY", partner_id="embassy-nga-2")
    return scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "EMBASSY_CLOSED")


def another_nationality() -> CaseScenario:
    """One embassy does not confirm the nationality; the person states another one, and the interviews are repeated."""
    scenario = a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NOT_CONFIRMED").after(hours=1)
    scenario.having("ChangeNationality", nationality="GIN").having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    scenario.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    scenario.having("SignVoluntaryReturnDeclaration", country="GIN", form_version="VRD-1", language="en")
    scenario.having("RecordConsent", purpose="SHARE_EMBASSY", form_version="C-1", language="en")
    return scenario.having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")


def another_place() -> CaseScenario:
    """The person declares another place in the same country after all clearances were granted for the first."""
    declared = {"country": "NGA", "form_version": "VRD-1", "language": "en"}
    scenario = a_seated_case().having("SignVoluntaryReturnDeclaration", **declared, locality="Kano")
    scenario.having("AssessSafetyOfReturn", area="NG-KN", result="SAFE", advisory_version="2026-3")
    return scenario.having("SignVoluntaryReturnDeclaration", **declared, locality="Lagos")


def letters_lost_and_brought() -> CaseScenario:
    """A referral that was not delivered, then delivered manually and amended; later, disclosure is blocked."""
    scenario = a_screened_case()
    asked = {"referral_id": scenario.referral("CONSULAR_IDENTITY").referral_id}
    scenario.having("ReportDeliveryFailure", **asked, cause="GAVE_UP").having("ReportHandedOver", **asked, how="PAPER")
    scenario.having("AmendReferral", **asked).having("PlaceHold", hold_type="CONSENT", reason="x").after(days=3)
    return scenario.having("PlaceHold", hold_type="PROTECTION", reason="x").after(days=3)


def an_item_given_twice() -> CaseScenario:
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    scenario = a_received_case().having("DraftPlan", items=(item,), signed_by_returnee=True).having("ApprovePlan")
    for day in ("2027-01-10", "2027-02-10"):
        scenario.having_signal("REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED", payload={"delivered_on": day})
    return scenario


def silence() -> CaseScenario:
    scenario = a_screened_case().after(days=90)
    referral = scenario.referral("CONSULAR_IDENTITY")
    return scenario.having("ConfirmReferralExpiry", referral_id=referral.referral_id, reason="nobody answers")


def papers() -> CaseScenario:
    scenario = a_screened_case().having_signal("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    scenario.having_signal("TRAVEL_DOCUMENT", "COMPLETED", "REFUSED")
    scenario.having(
        "RecordTravelDocument", kind="PASSPORT", number="A1", expires_on="2030-01-01", authenticity="CHECKED"
    )
    scenario.having_signal("EXIT_PERMIT", "COMPLETED", "REFUSED", payload={"reason_class": "UNPAID_FINE"})
    return scenario.having("HandOverTravelDocument").having("ReportDocumentLost")


def office_work() -> CaseScenario:
    scenario = a_screened_case().having("SetPriority", priority="P2_HIGHLY_VULNERABLE", basis="need")
    scenario.having("AddNote", note="came with her sister").having(
        "RecordContactAttempt", channel="PHONE", result="no answer"
    )
    scenario.having("InformPerson", topic="next steps", channel="PHONE", language="ha")
    scenario.having("RecordConsent", purpose="PHOTO_MEDIA", given=False, form_version="C-1", language="en")
    scenario.having("WithdrawConsent", purpose="SHARE_CLINIC")
    scenario.having("RecordDetention", situation="DETENTION_OFFICIAL", site="coast road").having("RecordRelease")
    task = next(iter(scenario.case.tasks))
    scenario.having("CompleteTask", task_id=task, outcome="done")
    scenario.having("LiftHold", hold_id=scenario.held("DETENTION").hold_id, reason="released")
    return scenario


def a_sheet_comes_back() -> CaseScenario:
    scenario = a_screened_case()
    sheet = uuid5(NAMESPACE, "sheet")
    for kind in ("CONSULAR_IDENTITY", "MEDICAL_ASSESSMENT"):
        scenario.having("ListReferral", referral_id=scenario.referral(kind).referral_id, sheet_id=sheet)
    scenario.partner_says("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED", by="staff:fatima", sheet_id=sheet)
    scenario.partner_says("MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="he was beaten", by="staff:fatima")
    for compartment in ("GEN", "MED", "PROT"):
        scenario.having("AttachEvidence", **A_SCAN, compartment=compartment, sheet_id=sheet)
    return scenario


def troubles_at_the_airport() -> CaseScenario:
    return a_seated_case().having("HoldPreDepartureBriefing", language="ha").having("RecordNoShow", cause="UNKNOWN")


def denied() -> CaseScenario:
    scenario = a_boarded_case()
    scenario.say(DenyBoarding(by="AUTHORITY", cause="LIST"))
    return scenario.walk()


def left_behind() -> CaseScenario:
    return a_boarded_case().having("FlightHasDeparted", atd=FLIGHT["std"], on_board=False, **ON_IT)


def not_met() -> CaseScenario:
    scenario = an_arrived_case().having("RecordReception", met=False, cause="NOBODY_CAME")
    return scenario.having("ProvideAccommodation", nights=2)


def an_item_cancelled() -> CaseScenario:
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    scenario = a_received_case().having("DraftPlan", items=(item,), signed_by_returnee=True).having("ApprovePlan")
    return scenario.having("CancelItem", item_id="shop", reason="moved away")


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
    """An event that no rule records yet: a clearance that is not required."""
    scenario = a_cleared_case()
    fact = ClearanceNotRequired(kind=ClearanceKind.CHILD_BEST_INTERESTS, cause="AGE")
    placed: Any = fact.placed_in(scenario.case.id, scenario.case.version + 1, scenario.now)
    placed.mutate(scenario.case)
    scenario.events.append(placed)
    return scenario


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
    """Decisions of staff about messages that belong to no case."""
    desk, at = PartnerDesk(uuid5(NAMESPACE, "desk"), number="DESK-CLINIC-TRIPOLI"), CaseScenario()
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
    return [event for report in reports for event in decide_at_desk(desk, report, at.moment())]


def unprocessed_messages() -> list[Event]:
    """A rule failed on two messages: one was submitted again and processed, the other was set aside."""
    scenario = a_registered_case()
    for what in ("first", "second"):
        kept = uuid5(NAMESPACE, what)
        scenario.events += decide_quarantine(scenario.case, kept, CRASHED, scenario.moment("system"))
        decision = {"first": "AGAIN", "second": "SET_ASIDE"}[what]
        scenario.send("ResolveQuarantinedMessage", kept_message=kept, decision=decision, reason="she has said it again")
        scenario.events += decide_release(scenario.case, kept, scenario.moment("system"))
    return scenario.events


def everything() -> list[Event]:
    """Returns every event of every journey."""
    streams = [made().events for journeys in (CASES, FLIGHTS, CONTACTS) for made in journeys.values()]
    streams += [decided_at_the_desk(), unprocessed_messages()]
    return [event for events in streams for event in events]
