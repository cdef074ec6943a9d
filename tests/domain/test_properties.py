"""Properties that must hold for any messages, in any order and with repetitions.

See rules PROPERTY.P1, PROPERTY.P2, PROPERTY.P3, PROPERTY.P4, PROPERTY.P5, PROPERTY.P9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.casework.deadlines import deadlines
from domain.commands.signal import ReceivePartnerSignal
from domain.decider import decide
from domain.kernel.errors import Rejected, Unroutable
from domain.kernel.message import MESSAGES, Message
from domain.kernel.vocabulary import ClearanceKind, ClearanceStatus, HoldType, ReferralKind, ReferralStatus, SignalType
from tests.support.assertions import public, redacted
from tests.support.builders import (
    FLIGHT,
    NAMESPACE,
    CaseScenario,
    a_boarded_case,
    a_closed_case,
    a_departed_case,
    a_frozen_case,
    a_received_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
    folded,
)

ON_IT: Final = {"movement_id": FLIGHT["movement_id"], "movement": FLIGHT["movement"]}

GOOD: Final = "NO_SIGNIFICANT_CONDITION"

BEGINNINGS: Final = (
    a_registered_case,
    a_screened_case,
    a_seated_case,
    a_frozen_case,
    a_boarded_case,
    a_departed_case,
    a_received_case,
    a_closed_case,
)

TO_EMBASSIES_AND_AUTHORITIES: Final = frozenset({"embassy-nga", "embassy-nga-2", "exit-authority"})

WORDS: Final = st.sampled_from(["x", "NO_CAPACITY", "seen", "أمينة"])


# Messages to a case, each with fields that may or may not be valid

MOMENTS: Final = st.sampled_from(
    ["2026-01-01T00:00:00Z", "2026-12-12T09:00:00Z", FLIGHT["std"], "2027-06-01T00:00:00+03:00", "9999-12-31T23:59:59Z"]
)

FIELDS: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "AddNote": {"note": WORDS},
    "PlaceHold": {"hold_type": st.sampled_from(HoldType), "reason": WORDS},
    "GrantClearance": {"kind": st.sampled_from(ClearanceKind), "evidence": WORDS, "valid_until": MOMENTS},
    "RevokeClearance": {"kind": st.sampled_from(ClearanceKind), "cause": WORDS},
    "RaiseProtectionConcern": {"risk_level": st.sampled_from(["HIGH", "LOW"]), "concern": WORDS},
    "WithdrawVoluntaryReturn": {"channel": WORDS, "reported_by_other": st.booleans()},
    "CloseCase": {
        "reason": st.sampled_from(["WITHDRAWN_BY_MIGRANT", "NO_CONTACT", "COMPLETED_REINTEGRATION", "DECEASED"]),
        "approved_by": st.sampled_from(["fatima", "amaka"]),
    },
    "ReopenCase": {"target_phase": st.sampled_from(["INTAKE", "PRE_DEPARTURE", "POST_ARRIVAL"]), "reason": WORDS},
    "CreateReferral": {"kind": st.sampled_from(ReferralKind), "urgent": st.booleans()},
    "RecordConsent": {
        "purpose": st.sampled_from(["SHARE_CLINIC", "SHARE_EMBASSY", "SHARE_PROTECTION", "SHELTER"]),
        "given": st.booleans(),
        "form_version": WORDS,
        "language": WORDS,
    },
    "WithdrawConsent": {"purpose": st.sampled_from(["SHARE_CLINIC", "SHARE_EMBASSY", "MHPSS"])},
    "RecordNonRefoulementScreen": {"outcome": st.sampled_from(["NO_CLAIM", "CLAIM", "UNSURE"])},
    "RecordVulnerabilityAssessment": {
        "overall_risk": st.sampled_from(["HIGH", "MEDIUM", "LOW"]),
        "factors": st.sampled_from([(), ("DEBT",), ("TRAFFICKING_INDICATOR", "DEBT")]),
    },
    "AssessVoluntariness": {
        "understood": st.booleans(),
        "free_of_pressure": st.booleans(),
        "in_private": st.booleans(),
        "capacity": st.sampled_from(["OK", "DOUBT", "LACKS"]),
        "coercion_indicators": st.sampled_from([(), (), ("debt",)]),
    },
    "SignVoluntaryReturnDeclaration": {
        "country": st.sampled_from(["NGA", "MLI"]),
        "locality": st.sampled_from([None, "Kano", "Lagos"]),
        "form_version": WORDS,
        "language": WORDS,
        "signed_at": st.one_of(st.none(), MOMENTS),
    },
    "DetermineEligibility": {
        "decision": st.sampled_from(["ELIGIBLE", "UNDECIDED", "DECLINED", "INELIGIBLE", "NOT_SAFE_TO_RETURN"])
    },
    "CompleteScreening": {},
    "RecordDetention": {"situation": st.sampled_from(["DETENTION_OFFICIAL", "DETENTION_UNOFFICIAL"])},
    "RecordRelease": {},
    "AssessSafetyOfReturn": {
        "area": WORDS,
        "result": st.sampled_from(["SAFE", "NOT_SAFE"]),
        "advisory_version": WORDS,
    },
    "ReassessSafety": {
        "country": st.sampled_from(["NGA", "NGA", "MLI"]),
        "area": st.sampled_from([None, "NG-LA", "NG-BO"]),
        "level": st.sampled_from(["OPEN", "CAUTION_INDIVIDUAL_ASSESSMENT", "NO_RETURN"]),
        "advisory_version": WORDS,
        "number": st.integers(1, 5),
        "since": MOMENTS,
    },
    "IssueFitToTravel": {"result": st.sampled_from(["FIT", "UNFIT"]), "issued_at": MOMENTS},
    "RecordTravelDocument": {
        "kind": st.sampled_from(["PASSPORT", "LAISSEZ_PASSER"]),
        "number": WORDS,
        "expires_on": st.sampled_from(["2026-01-01", "2027-01-22", "9999-12-31"]),
        "authenticity": st.sampled_from(["CHECKED", "DOUBTED"]),
        "issued_by": st.sampled_from([None, "NGA", "GIN"]),
    },
    "ReportDocumentLost": {},
    "ChangeNationality": {"nationality": st.sampled_from(["NGA", "GIN"])},
    "AllocateFunding": {"project": WORDS, "until": MOMENTS},
    "NominatePassenger": {name: st.just(value) for name, value in FLIGHT.items()},
    "TakeSeat": {
        **{name: st.just(value) for name, value in FLIGHT.items()},
        "destination": st.just("LOS"),
        "country": st.sampled_from([None, "NGA", "MLI"]),
    },
    "ReleaseSeat": {"cause": WORDS},
    "ManifestIsFrozen": {name: st.just(value) for name, value in ON_IT.items()},
    "MovementIsOff": {**{name: st.just(value) for name, value in ON_IT.items()}, "cause": WORDS},
    "ReaffirmVoluntaryReturn": {},
    "RecordDepartureInterview": {
        "in_private": st.booleans(),
        "voluntary_reaffirmed": st.booleans(),
        "fear_expressed": st.booleans(),
    },
    "CheckInPassenger": {},
    "BoardPassenger": {},
    "RecordNoShow": {"cause": WORDS},
    "OffloadPassenger": {"cause": WORDS},
    "FlightHasDeparted": {
        **{name: st.just(value) for name, value in ON_IT.items()},
        "atd": st.just(FLIGHT["std"]),
        "on_board": st.booleans(),
    },
    "FlightHasArrived": {
        **{name: st.just(value) for name, value in ON_IT.items()},
        "ata": st.just(FLIGHT["sta"]),
        "destination": st.just("LOS"),
    },
    "ConfirmArrival": {},
    "RecordReception": {"met": st.booleans()},
    "ProvideImmediateAssistance": {"items": st.just(("meal",)), "cash_eur": st.integers(0, 100)},
    "CompleteReception": {"outcome": st.sampled_from(["RECEIVED", "DECLINED"])},
    "EnrolReintegration": {"office": WORDS},
    "ApprovePlan": {},
    "RecordDelivery": {"item_id": WORDS},
    "CompleteReintegration": {},
}

ABOUT_A_REFERRAL: Final = (
    "SendReferral",
    "CancelReferral",
    "ReassignReferral",
    "ConfirmReferralExpiry",
    "MarkReferralEnteredInError",
)

OUTCOMES: Final = st.sampled_from(
    [
        GOOD,
        "TREATMENT_REQUIRED",
        "UNFIT_LONG_TERM",
        "REFUSED",
        "NATIONALITY_CONFIRMED",
        "NOT_CONFIRMED",
        "ISSUED",
        "GRANTED",
        "CONFIRMED",
        None,
    ]
)

PAYLOADS: Final = st.sampled_from(
    [
        {},
        {"expires_on": "2027-01-22", "kind": "LAISSEZ_PASSER", "number": "L"},
        {"expires_on": "9999-12-31"},
        {"recommended_hold": True},
        {"reason_class": "TRAVEL_BAN"},
        {"expires_on": "soon"},
        {"kind": "CARD"},
        {"examined_at": "2026-11-20"},
        {"examined_at": 7, "valid_until": "never"},
    ]
)


def a_message(draw: Callable[[st.SearchStrategy[Any]], Any], scenario: CaseScenario) -> Message:
    """Draws any message to this case, sensible or not."""
    names = [*FIELDS, *ABOUT_A_REFERRAL, "ReviewHold", "LiftHold", "ResolveQuarantinedSignal", "CompleteTask", "Signal"]
    name = draw(st.sampled_from(names))
    if name == "Signal" and scenario.case.referrals:
        return a_signal(draw, scenario)
    return (
        MESSAGES[name].model_validate(fields_of(name, draw, scenario))
        if name != "Signal"
        else MESSAGES["CompleteScreening"]()
    )


def fields_of(name: str, draw: Callable[[st.SearchStrategy[Any]], Any], scenario: CaseScenario) -> dict[str, Any]:
    if name in FIELDS:
        return {field: draw(one) for field, one in FIELDS[name].items()}
    if name in ABOUT_A_REFERRAL:
        fields: dict[str, Any] = {"referral_id": _one(draw, scenario.case.referrals)}
        fields |= {} if name == "SendReferral" else {"reason": "x"}
        return fields | (
            {"partner_id": draw(st.sampled_from(sorted(scenario.directory.partners)))}
            if name == "ReassignReferral"
            else {}
        )
    if name in ("ReviewHold", "LiftHold"):
        unblock = draw(st.sampled_from([(), ("BOARDING",), ("EMBASSY_DISCLOSURE",)]))
        return {"hold_id": _one(draw, scenario.case.holds)} | (
            {"decision": "x", "unblock": unblock} if name == "ReviewHold" else {"reason": "x"}
        )
    if name == "CompleteTask":
        return {"task_id": _one(draw, scenario.case.tasks), "outcome": "done"}
    waiting = {signal for referral in scenario.case.referrals.values() for signal in referral.disputed}
    return {"signal_id": _one(draw, waiting), "decision": draw(st.sampled_from(["AMEND", "IGNORE"])), "reason": "x"}


def _one(draw: Callable[[st.SearchStrategy[Any]], Any], known: Any) -> UUID:
    chosen: UUID = draw(st.sampled_from([*sorted(known), UUID(int=9)]))
    return chosen


def a_signal(draw: Callable[[st.SearchStrategy[Any]], Any], scenario: CaseScenario) -> Message:
    referral = scenario.case.referrals[draw(st.sampled_from(sorted(scenario.case.referrals)))]
    return ReceivePartnerSignal(
        signal_id=uuid5(NAMESPACE, f"any {next(scenario.ids)}"),
        referral_token=referral.token or "a token that was never issued",
        partner_id=draw(st.sampled_from([referral.partner_id, referral.partner_id, "clinic-misrata"])),
        signal_type=draw(st.sampled_from(SignalType)),
        outcome_code=draw(OUTCOMES),
        payload=draw(PAYLOADS),
        occurred_at=scenario.now,
        partner_seq=draw(st.sampled_from([None, 1, 2])),
    )


def submit(scenario: CaseScenario, message: Message) -> None:
    """Submits a message, then opens stages as the workflow does. Only a rejection or a quarantine may be raised."""
    before = repr(scenario.case)
    try:
        scenario.say(
            message,
            by=f"partner:{getattr(message, 'partner_id', 'x')}" if message.FROM == "partner" else "staff:fatima",
        )
    except Rejected:
        assert repr(scenario.case) == before, f"{type(message).__name__} was rejected, but the case changed"
    except Unroutable:
        scenario.case = folded(scenario.events)
        assert repr(scenario.case) == before
    scenario.walk()


def a_while(draw: Callable[[st.SearchStrategy[Any]], Any], scenario: CaseScenario) -> None:
    scenario.after(hours=draw(st.sampled_from([0, 0, 0, 1, 30, 24 * 9, 24 * 100])))


@pytest.mark.parametrize("beginning", BEGINNINGS, ids=lambda made: made.__name__)
@given(st.data())
def test_any_message_results_in_events_a_rejection_or_a_quarantine(
    beginning: Callable[[], CaseScenario], data: st.DataObject
) -> None:
    """After every step the case is rebuilt from its events and from their public part alone, and all has a deadline."""
    scenario = beginning()
    for _ in range(data.draw(st.integers(1, 12))):
        a_while(data.draw, scenario)
        submit(scenario, a_message(data.draw, scenario))
        assert_open_items_have_deadlines(scenario)
    assert folded(scenario.events) == scenario.case
    assert public(folded(redacted(event) for event in scenario.events)) == public(scenario.case)
    assert_never_boarded_against_the_rules(scenario)


MATTERS_ON_BOARD: Final = (
    *("AssessVoluntariness", "SignVoluntaryReturnDeclaration", "WithdrawVoluntaryReturn", "DetermineEligibility"),
    *("RecordVulnerabilityAssessment", "AssessSafetyOfReturn", "RecordDetention", "RecordRelease", "PlaceHold"),
    "ReassessSafety",
    "ChangeNationality",
)
"""Messages about voluntariness and safety; signals are added."""

TO_BOARD: Final = ("ReaffirmVoluntaryReturn", "CheckInPassenger", "BoardPassenger")

OFFICERS_GRANT: Final = ("PROTECTION_CLEARANCE", "RELEASE_AUTHORISATION", "RECEPTION_CONFIRMED")


@given(st.data())
def test_no_sequence_of_messages_leads_to_boarding_against_the_rules(data: st.DataObject) -> None:
    """Messages arrive between the steps to boarding, and officers lift and grant all that they may."""
    scenario = a_frozen_case()
    for step in TO_BOARD:
        for name in data.draw(st.lists(st.sampled_from((*MATTERS_ON_BOARD, "Signal")), max_size=2)):
            submit(scenario, one_of_them(name, data.draw, scenario))
        if data.draw(st.booleans()):
            officers_clear(scenario)
        submit(scenario, MESSAGES[step]())
    assert_never_boarded_against_the_rules(scenario)


def one_of_them(name: str, draw: Callable[[st.SearchStrategy[Any]], Any], scenario: CaseScenario) -> Message:
    return (
        a_signal(draw, scenario) if name == "Signal" else MESSAGES[name].model_validate(fields_of(name, draw, scenario))
    )


def officers_clear(scenario: CaseScenario) -> None:
    """Lifts every hold that the rules allow, and grants every clearance that an officer may grant."""
    for hold_id in list(scenario.case.holds):
        submit(scenario, MESSAGES["LiftHold"].model_validate({"hold_id": hold_id, "reason": "x"}))
    for kind in OFFICERS_GRANT:
        submit(scenario, MESSAGES["GrantClearance"].model_validate({"kind": kind, "evidence": "x"}))


def assert_open_items_have_deadlines(scenario: CaseScenario) -> None:
    """P9: every sent referral and every hold of an open case has a deadline."""
    if scenario.case.closed:
        return
    subjects = {due.subject.partition("/")[0] for due in deadlines(scenario.case, scenario.directory)}
    sent = [one for one in scenario.case.open_referrals() if one.status is not ReferralStatus.DRAFT]
    assert {str(one.referral_id) for one in sent} | {str(hold_id) for hold_id in scenario.case.holds} <= subjects


def assert_never_boarded_against_the_rules(scenario: CaseScenario) -> None:
    """INV-01, INV-04, INV-05, INV-07: a boarded person had reaffirmed, was under no hold, and met all requirements.

    Told from the events alone, without the functions that the rules themselves ask.
    """
    case: Any = folded(())
    for event in scenario.events:
        if event.name == "PassengerBoarded":
            assert not [hold for hold in case.holds.values() if hold.blocks & {"MANIFEST", "BOARDING"}]
            assert all(case.clearances[kind].status == "VALID" for kind in NEEDED_ON_BOARD)
            assert_voluntary(case)
            assert_safe_place(case)
        event.mutate(case)


NEEDED_ON_BOARD: Final = (
    *("CONSENT_RETURN", "PROTECTION_CLEARANCE", "SAFETY_OF_RETURN", "MEDICAL_ASSESSMENT", "FIT_TO_TRAVEL"),
    *("TRAVEL_DOCUMENT", "EXIT_PERMIT", "RECEPTION_CONFIRMED", "FUNDING_ALLOCATED"),
)


def newest(case: Any, topic: str) -> int:
    """The version at which an event of a topic was last recorded; 0 if never."""
    found = case.events_by_topic.get(topic)
    return found[-1].originator_version if found else 0


def assert_voluntary(case: Any) -> None:
    """The latest assessment is positive, the signature is newer than any doubt, and the wish was reaffirmed."""
    assert case.events_by_topic["VoluntarinessAssessed"][-1].result == "VOLUNTARY"
    assert case.events_by_topic["EligibilityDetermined"][-1].decision == "ELIGIBLE"
    others = [event for event in case.events_by_topic["VoluntarinessAssessed"] if event.result != "VOLUNTARY"]
    unfree = max((event.originator_version for event in others), default=0)
    signed = newest(case, "VoluntaryReturnDeclared")
    doubts = ("VoluntaryReturnWithdrawn", "DetentionRecorded", "NationalityChanged")
    assert signed > max(unfree, *(newest(case, topic) for topic in doubts))
    assert case.events_by_topic["VoluntaryReturnReaffirmed"][-1].timestamp >= case.seat.std - timedelta(hours=72)


def assert_safe_place(case: Any) -> None:
    """The place was cleared after the person chose it, and after later findings about the person."""
    declared = case.events_by_topic["VoluntaryReturnDeclared"]
    chosen = [case.events_by_topic["CaseRegistered"][0].country_of_return, *(event.country for event in declared)]
    moved = [
        event for event, before in zip(declared, chosen, strict=False) if event.country != before or event.place_anew
    ]
    granted = {event.kind: event.originator_version for event in case.events_by_topic["ClearanceGranted"]}
    moved_to = max((event.originator_version for event in moved), default=0)
    assert granted["SAFETY_OF_RETURN"] > max(moved_to, newest(case, "ReturnAdvisoryChanged"))
    at_risk = [event for event in case.events_by_topic["VulnerabilityAssessed"] if event.risk_level == "HIGH"]
    found = max((event.originator_version for event in at_risk), default=0)
    assert granted["PROTECTION_CLEARANCE"] > max(found, newest(case, "DetentionRecorded"))
    assert case.seat.country in (None, case.country_of_return)


# P1

STORIES: Final = {
    "MEDICAL_ASSESSMENT": (("ACKNOWLEDGED", None), ("ACCEPTED", None), ("STARTED", None), ("COMPLETED", GOOD)),
    "CONSULAR_IDENTITY": (("ACKNOWLEDGED", None), ("ACCEPTED", None), ("COMPLETED", "NATIONALITY_CONFIRMED")),
}

CONTRADICTIONS: Final = {
    "MEDICAL_ASSESSMENT": (("COMPLETED", GOOD), ("COMPLETED", "TREATMENT_REQUIRED"), ("FAILED", None)),
    "CONSULAR_IDENTITY": (("COMPLETED", "NATIONALITY_CONFIRMED"), ("COMPLETED", "NOT_CONFIRMED"), ("REJECTED", None)),
}


def outcome(scenario: CaseScenario, kind: str) -> dict[str, Any]:
    """The final state of a referral, without times."""
    referral, seen = scenario.referral(kind), public(scenario.case)
    return {
        "referral": (referral.status, referral.outcome, bool(referral.disputed)),
        "clearances": {name: held[0] for name, held in seen["clearances"].items()},
        "holds": sorted(held[0] for held in seen["holds"].values()),
        **{name: seen[name] for name in ("phase", "stages")},
    }


@pytest.mark.parametrize("kind", STORIES)
@given(st.data())
def test_p1_signals_lead_to_the_same_end_in_any_order_and_with_repetitions(kind: str, data: st.DataObject) -> None:
    story = STORIES[kind]
    straight = a_screened_case()
    for signal, code in story:
        straight.having_signal(kind, signal, code)
    shuffled = a_screened_case()
    for signal, code in data.draw(st.permutations([*story, *data.draw(st.lists(st.sampled_from(story), max_size=4))])):
        shuffled.having_signal(kind, signal, code)
    assert outcome(shuffled, kind) == outcome(straight, kind)


@pytest.mark.parametrize("kind", CONTRADICTIONS)
@given(st.data())
def test_p1_contradictions_never_permit_more_than_the_first_signal_and_are_quarantined(
    kind: str, data: st.DataObject
) -> None:
    scenario = a_screened_case()
    order = data.draw(st.permutations(CONTRADICTIONS[kind]))
    scenario.having_signal(kind, *order[0])
    first = {name for name, held in scenario.case.clearances.items() if held.status is ClearanceStatus.VALID}
    for signal, code in order[1:]:
        scenario.having_signal(kind, signal, code)
    assert {name for name, held in scenario.case.clearances.items() if held.status is ClearanceStatus.VALID} <= first
    assert "GATE.SIGNAL.IN_DOUBT" in scenario.failures("BOARD")


# P2, P3, P5

STEPS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("NominatePassenger", dict(FLIGHT)),
    ("TakeSeat", {**FLIGHT, "destination": "LOS"}),
    ("ManifestIsFrozen", dict(ON_IT)),
    ("IssueFitToTravel", {"result": "FIT"}),
    ("ReaffirmVoluntaryReturn", {}),
    ("RecordDepartureInterview", {"in_private": True, "voluntary_reaffirmed": True}),
    ("CheckInPassenger", {}),
    ("BoardPassenger", {}),
)

WITHDRAWALS: Final = ("staff", "other", "partner")


def withdraw(scenario: CaseScenario, by: str) -> None:
    if by == "partner":
        scenario.having_signal("MEDICAL_ASSESSMENT", "WITHDRAWAL_REPORTED", reason="she told the nurse")
    else:
        scenario.having("WithdrawVoluntaryReturn", channel="PHONE", reported_by_other=by == "other")


def go(scenario: CaseScenario, steps: Iterable[tuple[str, dict[str, Any]]] = STEPS) -> CaseScenario:
    """Takes the steps to boarding that the rules allow; the reception partner accepts on receipt."""
    for name, fields in steps:
        submit(scenario, MESSAGES[name].model_validate(fields))
        if name == "TakeSeat" and [each for each in scenario.asked("RECEPTION") if each.status == "SENT"]:
            scenario.having_signal("RECEPTION", "ACCEPTED", "CONFIRMED")
    return scenario


def two_days_before() -> CaseScenario:
    """A case that lacks only a seat."""
    return a_seated_case().having("ReleaseSeat", cause="again").at("2026-12-12T09:00:00Z")


@given(data=st.data(), by=st.sampled_from(WITHDRAWALS))
def test_p2_a_person_who_withdraws_before_boarding_never_boards(data: st.DataObject, by: str) -> None:
    scenario = data.draw(st.sampled_from([a_screened_case, two_days_before, a_frozen_case]))()
    withdraw(scenario, by)
    go(scenario, data.draw(st.permutations(STEPS * 2)))
    assert "PassengerBoarded" not in go(scenario).names


@pytest.mark.parametrize("by", WITHDRAWALS)
@pytest.mark.parametrize("before", range(len(STEPS)))
def test_p2_after_a_withdrawal_at_any_step_the_person_is_not_on_board(before: int, by: str) -> None:
    scenario = go(two_days_before(), STEPS[:before])
    withdraw(scenario, by)
    assert "PassengerBoarded" not in go(go(scenario, STEPS[before:])).names


def test_p2_a_person_on_board_who_withdraws_is_offloaded() -> None:
    scenario = go(two_days_before()).having("WithdrawVoluntaryReturn", channel="AIRPORT")
    assert scenario.case.seat is None
    assert "PassengerOffloaded" in scenario.names


def test_p2_without_a_withdrawal_the_same_steps_lead_to_boarding() -> None:
    assert go(two_days_before()).names[-1] == "PassengerBoarded"


@pytest.mark.parametrize("where", ["at screening", "at the airport"])
@given(data=st.data())
def test_p3_after_fear_nothing_more_is_disclosed_to_embassies_or_authorities(where: str, data: st.DataObject) -> None:
    if where == "at screening":
        scenario = data.draw(st.sampled_from(BEGINNINGS[:2]))()
        scenario.having("RecordNonRefoulementScreen", outcome=data.draw(st.sampled_from(["CLAIM", "UNSURE"])))
    else:
        scenario = a_frozen_case()
        scenario.having("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True, fear_expressed=True)
    known = len(scenario.events)
    for _ in range(data.draw(st.integers(1, 12))):
        message = a_message(data.draw, scenario)
        if type(message).__name__ != "LiftHold":
            submit(scenario, message)
        a_while(data.draw, scenario)
    later = [event.facts for event in scenario.events[known:] if event.name == "DisclosureRecorded"]
    told_out = [facts["recipient"] for facts in later if facts["direction"] == "OUT"]
    assert not TO_EMBASSIES_AND_AUTHORITIES & set(told_out)


@given(kind=st.sampled_from(ClearanceKind), seconds=st.integers(1, 60 * 60 * 24 * 30))
def test_p5_the_gate_never_passes_with_a_clearance_that_ends_before_departure(
    kind: ClearanceKind, seconds: int
) -> None:
    scenario = a_frozen_case()
    held = scenario.case.clearances.get(kind)
    if held is not None:
        held.valid_until = scenario.case.seat.std - timedelta(seconds=seconds) if scenario.case.seat else None
        assert [failure for failure in scenario.failures("BOARD") if failure.startswith(f"GATE.{kind}.")]


@given(hours=st.integers(0, 24 * 60))
def test_p5_after_a_delay_the_person_is_not_on_board_with_expired_clearances(hours: int) -> None:
    scenario = a_frozen_case().after(hours=hours)
    lapsed = [held for held in scenario.case.clearances.values() if not held.valid_at(scenario.now)]
    seat = scenario.case.seat
    assert seat is not None
    seat.std, seat.sta = max(seat.std, scenario.now), max(seat.sta, scenario.now + timedelta(hours=5))
    submit(scenario, MESSAGES["CheckInPassenger"]())
    assert hours > 4 or "PassengerCheckedIn" in scenario.names
    assert not lapsed or "PassengerCheckedIn" not in scenario.names


# Deterministic decisions


@given(st.data())
def test_a_decision_is_deterministic(data: st.DataObject) -> None:
    scenario = data.draw(st.sampled_from(BEGINNINGS))()
    message = a_message(data.draw, scenario)
    moment = scenario.moment(message_id=uuid5(NAMESPACE, "twice"))
    decided = []
    for _ in range(2):
        scenario.tokens = iter(range(7, 99))
        try:
            decided.append([event.model_dump() for event in decide(folded(scenario.events), message, moment)])
        except (Rejected, Unroutable) as answer:
            decided.append([{"answer": str(answer)}])
    assert decided[0] == decided[1]
