"""What partners answer, by kind of referral: outcome codes and the fields of a payload (domain.md 6.1 to 6.3).

One table. An answer that does not fit it is in doubt and waits for a person; none is lost (domain.md 00, 3).
Fields that a kind does not ask for are sealed apart from its answer, under the tightest seal that fits them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from domain.event import Compartment
from domain.messages import ReceivePartnerSignal
from domain.words import HoldType, ReferralKind, SignalType, TravelDocumentKind

K = ReferralKind
T = SignalType


def _instant(value: Any) -> datetime:
    """A moment, or the beginning of a day; UTC unless it says otherwise."""
    if not isinstance(value, str):
        raise ValueError("it is no text with a time")  # noqa: TRY004 (pydantic wants a ValueError)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    """A day; of a moment, the day it falls on by its own clock."""
    return _instant(value).date()


Text = Annotated[str, Field(min_length=1, max_length=500)]
Words = tuple[Text, ...]
Day = Annotated[date, BeforeValidator(_day)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Amount = Annotated[float, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class Payload(BaseModel):
    """Base of what a partner may tell beside an outcome. Nothing here must be given; what else comes is not lost."""

    model_config = ConfigDict(frozen=True, extra="allow")


# Protection, children, asylum, community


class Assistance(Payload):
    service_type: Words = ()
    dates: tuple[Day, ...] = ()
    safety_plan_done: bool | None = None
    further_needs: Words = ()
    recommended_hold: bool | None = None


class Refuge(Payload):
    shelter_ref: Text | None = None
    support_plan: Words = ()


class Care(Payload):
    date: Day | None = None


class BestInterests(Payload):
    child_views: Text | None = None
    risks: Words = ()
    options_considered: Words = ()
    recommendation: Text | None = None
    assessor: Text | None = None


class Guardian(Payload):
    guardian_ref: Text | None = None
    basis: Text | None = None
    expires_on: Day | None = None


class Traced(Payload):
    relation: Text | None = None
    contact: Text | None = None
    location: Text | None = None
    verification_method: Text | None = None


class Home(Payload):
    home_conditions: Text | None = None
    caregiver_consent: bool | None = None
    support_needs: Words = ()


class Panel(Payload):
    decision: Text | None = None
    reasons: Words = ()
    review_by: Day | None = None
    panel_roles: Words = ()


class Refugee(Payload):
    progres_id: Text | None = None


class Safety(Payload):
    area: Text | None = None
    threat_actor_class: Text | None = None
    mitigations: Words = ()
    advisory_version: Text | None = None


class Support(Payload):
    """Mental health and psychosocial support; the level is one to four of the usual pyramid."""

    level: Annotated[int, Field(ge=1, le=4)] | None = None
    fit_for_decision: bool | None = None
    valid_until: Instant | None = None


class Items(Payload):
    items: Words = ()


class Legal(Payload):
    may_depart: bool | None = None


class Community(Payload):
    phone: Text | None = None


class Release(Payload):
    site: Text | None = None
    date: Day | None = None
    conditions: Words = ()


# Medical, documents, movement


class Pregnancy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")

    pregnant: bool
    edd: Day | None = None
    multiple: bool | None = None


class Examination(Payload):
    smc_codes: Words = ()
    mobility_class: Text | None = None
    escort_need: Text | None = None
    oxygen: bool | None = None
    meds_supply_days: Count | None = None
    tb_screen: Literal["NEG", "PRESUMPTIVE", "CONFIRMED_INFECTIOUS", "TREATED"] | None = None
    pregnancy: Pregnancy | None = None
    vaccination: Words = ()
    examined_at: Instant | None = None
    valid_until: Instant | None = None


class Hospital(Payload):
    discharge_date: Day | None = None
    restrictions: Words = ()


class Fitness(Payload):
    conditions: Words = ()
    ssr_codes: Words = ()
    issued_at: Instant | None = None
    valid_until: Instant | None = None
    recheck_on: Day | None = None


class AirlineDesk(Payload):
    conditions: Words = ()
    valid_flights: Words = ()


class Evacuation(Payload):
    receiving_hospital: Text | None = None


class Identity(Payload):
    family_name: Text | None = None
    given_names: Text | None = None
    date_of_birth: Day | None = None
    file_no: Text | None = None
    interviewed_on: Instant | None = None


class Document(Payload):
    kind: TravelDocumentKind | None = None
    number: Text | None = None
    issued_on: Day | None = None
    expires_on: Day | None = None
    single_journey: bool | None = None
    persons_covered: Count | None = None


class Permit(Payload):
    permit_number: Text | None = None
    expires_on: Day | None = None
    airport: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    list_no: Text | None = None
    reason_class: Literal["TRAVEL_BAN", "PENDING_CASE", "UNPAID_FINE", "DATA_MISMATCH", "SECURITY"] | None = None


class Booking(Payload):
    flight_no: Text | None = None
    legs: Words = ()
    seats: Words = ()
    baggage: Text | None = None


class Escort(Payload):
    escort_type: Text | None = None
    visa_ok: bool | None = None


class Transit(Payload):
    meet_point: Text | None = None


# Reception and reintegration


class Reception(Payload):
    met_at: Instant | None = None
    cash_eur: Amount | None = None
    shelter_nights: Count | None = None
    onward_transport: Text | None = None


class MedicalHandover(Payload):
    facility: Text | None = None
    meds_given: Words = ()
    handed_over_at: Instant | None = None


class ChildHandover(Payload):
    id_checked: bool | None = None
    id_document: Text | None = None
    signature: Text | None = None
    handed_over_at: Instant | None = None


class Service(Payload):
    hours: Amount | None = None
    units: Amount | None = None
    certificate: Text | None = None
    satisfaction: Annotated[int, Field(ge=1, le=5)] | None = None
    delivered_on: Day | None = None


class Delivery(Payload):
    items: Words = ()
    invoice: Text | None = None
    amount: Amount | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    proof: Text | None = None
    delivered_on: Day | None = None


# The table


@dataclass(frozen=True)
class Answers:
    """What one kind of referral may be answered with. The first of ``ends`` is the ordinary one.

    ``goes_on`` are outcomes that end nothing. ``grave`` ones hold the journey from the moment they are heard, however
    they are heard. ``needs``: fields without which an outcome says too little to act on. A service that happens after
    the flight is promised before it: ``promises`` then count as accepting, and what is ``only_after`` is in doubt.
    """

    payload: type[Payload]
    ends: tuple[str, ...]
    goes_on: frozenset[str] = frozenset()
    accepts: frozenset[str] = frozenset()
    rejects: frozenset[str] = frozenset()
    grave: Mapping[str, HoldType] = field(default_factory=dict)
    grave_reasons: Mapping[str, HoldType] = field(default_factory=dict)
    """What is grave as the ``reason_class`` of a no."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    promises: frozenset[str] = frozenset()
    only_after: frozenset[str] = frozenset()
    version: int = 1

    @property
    def carried(self) -> Mapping[SignalType, tuple[str, ...]]:
        """Every outcome, by the signal that carries it; partners, pages, sheets and schemas are told of these."""
        accepts, rejects, goes_on = map(tuple, map(sorted, (self.accepts, self.rejects, self.goes_on)))
        return {T.COMPLETED: self.ends, T.ACCEPTED: accepts, T.REJECTED: rejects, T.PROGRESS: goes_on}

    @property
    def known(self) -> frozenset[str]:
        return REASONS.union(*self.carried.values())


REASONS: Final = frozenset(
    {"NO_CAPACITY", "OUT_OF_AREA", "NOT_ELIGIBLE", "SERVICE_UNAVAILABLE", "MORE_INFO", "FEE_REQUIRED"}
    | {"STRIKE", "CLOSED", "DECLINED_BY_PERSON", "NOT_REACHED"}
)
"""Words any partner may give for a no, a pause, or slow progress. Others are kept under seal."""

_MEDICAL = HoldType.MEDICAL
_PROTECTION = HoldType.PROTECTION
_CHILD = HoldType.CHILD

ANSWERS: Final[Mapping[ReferralKind, Answers]] = {
    # protection, children, asylum, community
    K.PROTECTION_ASSISTANCE: Answers(
        Assistance,
        ("SERVICE_PROVIDED", "PARTIALLY_PROVIDED", "DECLINED_BY_PERSON", "SERVICE_UNAVAILABLE", "NOT_REACHED"),
    ),
    K.VOT_ASSISTANCE: Answers(
        Refuge, ("ADMITTED", "ASSISTED_OUTSIDE", "DECLINED_BY_PERSON", "NO_CAPACITY", "DISCHARGED")
    ),
    K.GBV_SERVICES: Answers(Care, ("CARE_PROVIDED", "DECLINED_BY_PERSON", "TOO_LATE_FOR_PEP", "SERVICE_UNAVAILABLE")),
    K.CHILD_BIA: Answers(
        BestInterests,
        ("RETURN_RECOMMENDED", "RETURN_NOT_RECOMMENDED", "BID_REQUIRED"),
        goes_on=frozenset({"MORE_INFO"}),
        grave={"RETURN_NOT_RECOMMENDED": _CHILD, "BID_REQUIRED": _CHILD},
    ),
    K.GUARDIANSHIP: Answers(Guardian, ("GUARDIAN_APPOINTED", "DE_FACTO_CAREGIVER_CONFIRMED", "NONE_AVAILABLE")),
    K.FAMILY_TRACING: Answers(
        Traced, ("FOUND", "NOT_FOUND", "FOUND_UNWILLING", "FOUND_UNSAFE", "DECEASED"), grave={"FOUND_UNSAFE": _CHILD}
    ),
    K.FAMILY_ASSESSMENT: Answers(
        Home, ("SUITABLE", "SUITABLE_WITH_SUPPORT", "UNSUITABLE", "REFUSED_ACCESS"), grave={"UNSUITABLE": _CHILD}
    ),
    K.BID_PANEL: Answers(
        Panel,
        ("RETURN", "REMAIN_WITH_CARE", "THIRD_COUNTRY", "DEFERRED"),
        grave=dict.fromkeys(("REMAIN_WITH_CARE", "THIRD_COUNTRY", "DEFERRED"), _CHILD),
    ),
    K.UNHCR_ASYLUM: Answers(
        Refugee,
        (
            "REGISTERED",
            "NOT_OF_CONCERN",
            "OUT_OF_SCOPE",
            "CLAIM_NOT_PURSUED",
            "EVACUATION_OR_RESETTLEMENT",
            "NOT_REACHED",
        ),
        grave={"REGISTERED": _PROTECTION, "EVACUATION_OR_RESETTLEMENT": _PROTECTION},
    ),
    K.SAFETY_ASSESSMENT: Answers(
        Safety,
        ("SAFE", "SAFE_WITH_MITIGATION", "NOT_SAFE", "UNDETERMINED"),
        grave={"NOT_SAFE": _PROTECTION, "UNDETERMINED": _PROTECTION},
    ),
    K.MHPSS: Answers(Support, ("ENGAGED", "COMPLETED_COURSE", "DECLINED_BY_PERSON", "REFERRED_UP", "NOT_REACHED")),
    K.SHELTER_DIRECT_ASSISTANCE: Answers(Items, ("PROVIDED", "UNAVAILABLE"), goes_on=frozenset({"WAITLISTED"})),
    K.LEGAL_ASSISTANCE: Answers(
        Legal, ("ADVISED", "RESOLVED", "PROCEEDINGS_OPEN"), grave={"PROCEEDINGS_OPEN": HoldType.LEGAL}
    ),
    K.COMMUNITY_LIAISON: Answers(
        Community,
        ("CONTACTED", "NOT_FOUND", "IDENTITY_ENDORSED", "CONCERN_REPORTED"),
        grave={"CONCERN_REPORTED": _PROTECTION},
    ),
    K.DETENTION_RELEASE: Answers(
        Release,
        ("RELEASE_GRANTED", "RELEASE_REFUSED", "PERSON_NOT_FOUND", "MOVED_SITE"),
        grave=dict.fromkeys(("RELEASE_REFUSED", "PERSON_NOT_FOUND", "MOVED_SITE"), HoldType.DETENTION),
    ),
    # medical, documents, movement
    K.MEDICAL_ASSESSMENT: Answers(
        Examination,
        (
            *("NO_SIGNIFICANT_CONDITION", "SIGNIFICANT_CONDITION_STABLE", "TREATMENT_REQUIRED"),
            *("UNFIT_TEMPORARY", "UNFIT_LONG_TERM", "DECLINED_BY_PERSON"),
        ),
        grave=dict.fromkeys(("TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"), _MEDICAL),
    ),
    K.SPECIALIST_CARE: Answers(
        Hospital,
        ("TREATED", "ADMITTED", "DISCHARGED", "REFERRED_ABROAD", "DIED"),
        grave={"ADMITTED": _MEDICAL, "DIED": _MEDICAL},
    ),
    K.FIT_TO_TRAVEL: Answers(
        Fitness,
        ("FIT", "FIT_WITH_CONDITIONS", "UNFIT_TEMPORARY", "UNFIT"),
        grave={"UNFIT_TEMPORARY": _MEDICAL, "UNFIT": _MEDICAL},
    ),
    K.AIRLINE_MEDICAL: Answers(
        AirlineDesk,
        ("APPROVED", "APPROVED_WITH_CONDITIONS", "REFUSED"),
        goes_on=frozenset({"MORE_INFO"}),
        grave={"REFUSED": _MEDICAL},
    ),
    K.MEDICAL_EVACUATION: Answers(
        Evacuation,
        ("EVACUATED", "DIED_IN_CARE", "DECLINED_BY_RECEIVER", "DECLINED_BY_PERSON"),
        grave={"DIED_IN_CARE": _MEDICAL},
    ),
    K.CONSULAR_IDENTITY: Answers(
        Identity,
        (
            *("NATIONALITY_CONFIRMED", "NOT_CONFIRMED", "INTERVIEW_NO_SHOW"),
            *("REFUSED_TO_COOPERATE_PERSON", "EMBASSY_CLOSED"),
        ),
        goes_on=frozenset({"VERIFICATION_IN_CAPITAL"}),
    ),
    K.TRAVEL_DOCUMENT: Answers(
        Document,
        ("ISSUED", "REFUSED"),
        goes_on=frozenset({"REQUIRES_ITINERARY", "FEE_REQUIRED"}),
        needs={"ISSUED": ("number",)},
    ),
    K.EXIT_PERMIT: Answers(
        Permit,
        ("GRANTED", "REFUSED"),
        goes_on=frozenset({"MORE_INFO"}),
        grave_reasons=dict.fromkeys(("TRAVEL_BAN", "PENDING_CASE", "SECURITY"), HoldType.LEGAL),
    ),
    K.MOVEMENT_BOOKING: Answers(Booking, ("CONFIRMED", "REFUSED"), goes_on=frozenset({"WAITLISTED"})),
    K.ESCORT: Answers(Escort, ("ASSIGNED", "NOT_AVAILABLE"), promises=frozenset({"ASSIGNED"})),
    K.TRANSIT_ASSISTANCE: Answers(
        Transit, ("PROVIDED", "CONFIRMED", "REFUSED"), promises=frozenset({"CONFIRMED", "PROVIDED"})
    ),
    # reception and reintegration
    K.RECEPTION: Answers(
        Reception,
        ("RECEIVED", "NOT_ARRIVED", "REFUSED_ASSISTANCE"),
        accepts=frozenset({"CONFIRMED", "CONFIRMED_WITH_LIMITS"}),
        rejects=frozenset({"CANNOT_RECEIVE"}),
        promises=frozenset({"RECEIVED", "CONFIRMED", "CONFIRMED_WITH_LIMITS"}),
        only_after=frozenset({"NOT_ARRIVED", "REFUSED_ASSISTANCE"}),
    ),
    K.MEDICAL_HANDOVER: Answers(
        MedicalHandover,
        ("HANDED_OVER", "ADMITTED", "NO_SHOW"),
        promises=frozenset({"HANDED_OVER"}),
        only_after=frozenset({"ADMITTED", "NO_SHOW"}),
    ),
    K.PROTECTION_HANDOVER: Answers(Payload, ("HANDED_OVER", "DECLINED_BY_PERSON"), promises=frozenset({"HANDED_OVER"})),
    K.CHILD_HANDOVER: Answers(
        ChildHandover,
        ("HANDED_OVER", "CAREGIVER_ABSENT"),
        needs={"HANDED_OVER": ("id_checked",)},
        promises=frozenset({"HANDED_OVER"}),
        only_after=frozenset({"CAREGIVER_ABSENT"}),
    ),
    K.REINTEGRATION_COUNSELLING: Answers(Payload, ("COUNSELLED", "NOT_REACHED", "DECLINED")),
    K.REINTEGRATION_SERVICE: Answers(
        Service, ("DELIVERED", "PARTIALLY", "BENEFICIARY_ABSENT", "PROVIDER_DEFAULT", "SERVICE_UNAVAILABLE")
    ),
    K.PROCUREMENT: Answers(Delivery, ("DELIVERED", "PARTIAL", "REJECTED_QUALITY", "VENDOR_DEFAULT")),
}

GRAVE_FIELDS: Final[Mapping[str, tuple[bool, HoldType]]] = {
    "recommended_hold": (True, _PROTECTION),
    "fit_for_decision": (False, HoldType.CONSENT),
    "may_depart": (False, HoldType.LEGAL),
}
"""Fields of a payload that hold the journey by themselves, when they have this value."""

GRAVE_CODES: Final[Mapping[str, frozenset[HoldType]]] = {
    code: frozenset(answers.grave[code] for answers in ANSWERS.values() if code in answers.grave)
    for code in {code for answers in ANSWERS.values() for code in answers.grave}
}
"""Outcomes that hold the journey in some kind of referral, and how."""

SEVERAL: Final = frozenset({K.REINTEGRATION_SERVICE, K.PROCUREMENT})
"""Deliveries: the same outcome with other particulars may be a second one, and is recorded as such."""


# Where an answer is kept

CARE_KINDS: Final = frozenset(
    {K.MEDICAL_ASSESSMENT, K.SPECIALIST_CARE, K.FIT_TO_TRAVEL, K.MHPSS, K.MEDICAL_EVACUATION, K.MEDICAL_HANDOVER}
    | {K.AIRLINE_MEDICAL}
)
SHELTERED_KINDS: Final = frozenset(
    {K.PROTECTION_ASSISTANCE, K.VOT_ASSISTANCE, K.GBV_SERVICES, K.UNHCR_ASYLUM, K.SAFETY_ASSESSMENT}
    | {K.PROTECTION_HANDOVER, K.CHILD_BIA, K.BID_PANEL, K.FAMILY_ASSESSMENT, K.FAMILY_TRACING}
)
"""Kinds whose very outcome is sealed: medical secrets, and what protection partners say."""

SLOTS: Final[Mapping[Compartment, str]] = {
    Compartment.GEN: "answer",
    Compartment.MED: "care_answer",
    Compartment.PROT: "protection_answer",
}


def home_of(kind: ReferralKind) -> Compartment:
    """Under which seal the answers of a kind are kept."""
    if kind in CARE_KINDS:
        return Compartment.MED
    return Compartment.PROT if kind in SHELTERED_KINDS else Compartment.GEN


def placed(kind: ReferralKind, answer: Mapping[str, Any], outcome_code: str | None = None) -> dict[str, Any]:
    """An answer, put where its kind keeps it. Only a known code of a kind that hides nothing is public."""
    home = home_of(kind)
    known = kind in ANSWERS and outcome_code in ANSWERS[kind].known
    if home is Compartment.GEN and (known or outcome_code is None):
        return {"outcome_code": outcome_code, SLOTS[home]: dict(answer)}
    return {SLOTS[home]: {**answer, "outcome_code": outcome_code}}


def _fields(kinds: Iterable[ReferralKind]) -> frozenset[str]:
    return frozenset(name for kind in kinds for name in ANSWERS[kind].payload.model_fields)


OF_CARE: Final = _fields(CARE_KINDS) | {
    *("diagnosis", "diagnoses", "medication", "medications", "treatment", "test_results", "allergies", "hiv", "tb"),
    *("mental_health", "disability", "blood_group", "medical_history"),
}
OF_PROTECTION: Final = _fields(SHELTERED_KINDS) | {
    *("trafficking", "indicators", "exploitation", "violence", "threat", "threats", "asylum", "fear", "narrative"),
    *("perpetrator", "abuse", "safe_house"),
}


@dataclass(frozen=True)
class Stripped:
    """A payload, parted: what its kind asks for, and what it does not, by the seal that fits it."""

    asked: dict[str, Any]
    beyond: dict[Compartment, dict[str, Any]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(name for part in self.beyond.values() for name in part))


def strip(kind: ReferralKind, payload: Mapping[str, Any]) -> Stripped:
    """Part a payload. What a clinic adds stays a medical secret; what an embassy adds is nobody's but protection's."""
    home, asked = home_of(kind), dict[str, Any]()
    fits: frozenset[str] = frozenset(ANSWERS[kind].payload.model_fields) if kind in ANSWERS else frozenset()
    beyond: dict[Compartment, dict[str, Any]] = {}
    for name, value in payload.items():
        place = home if name in fits else _seal_of(name, home)
        (asked if place is home else beyond.setdefault(place, {}))[name] = value
    return Stripped(asked, beyond)


def _seal_of(name: str, home: Compartment) -> Compartment:
    if name in OF_CARE:
        return Compartment.MED
    if name in OF_PROTECTION or home is Compartment.GEN:
        return Compartment.PROT
    return home


# What does not fit

CODED: Final = frozenset({T.ACCEPTED, T.COMPLETED, T.AMENDED})
"""Signals whose outcome may permit something; the others' codes are only reasons."""


def flaw(kind: ReferralKind, signal: ReceivePartnerSignal) -> str | None:
    """Why a signal of this kind cannot be taken as it is: where it breaks its schema, without the value."""
    answers = ANSWERS.get(kind)
    if answers is None:
        return None
    return next(_flaws(answers, signal), None)


def _flaws(answers: Answers, signal: ReceivePartnerSignal) -> Iterator[str]:
    code = signal.outcome_code
    if signal.payload_version != answers.version:
        yield f"payload_version is not {answers.version}"
    if signal.signal_type in CODED:
        yield from _unfit_code(answers, signal.signal_type, code)
    try:
        answers.payload.model_validate_json(json.dumps(signal.payload, default=str), strict=True)
    except ValidationError as unfit:
        yield ", ".join(sorted({".".join(map(str, error["loc"])) or "payload" for error in unfit.errors()}))
    if signal.signal_type is not T.ACCEPTED:
        yield from (name for name in answers.needs.get(code or "", ()) if not signal.payload.get(name))


def _unfit_code(answers: Answers, said: SignalType, code: str | None) -> Iterator[str]:
    """A bare "done" is enough only for what is promised before a flight; a bare "yes" always is."""
    fitting = answers.accepts if said is T.ACCEPTED else {*answers.ends, *answers.goes_on, *answers.promises}
    may_be_bare = said is T.ACCEPTED or (said is T.COMPLETED and bool(answers.promises))
    if code not in fitting and not (code is None and may_be_bare):
        yield "outcome_code"


def grave(kind: ReferralKind, outcome: str | None, payload: Mapping[str, Any]) -> HoldType | None:
    """The hold that an answer brings about by itself, whoever gives it and however late."""
    answers = ANSWERS.get(kind)
    by_code = answers.grave.get(outcome or "") if answers else None
    by_reason = answers.grave_reasons.get(str(payload.get("reason_class"))) if answers else None
    by_field = (hold for name, (value, hold) in GRAVE_FIELDS.items() if payload.get(name) is value)
    return by_code or by_reason or next(by_field, None)


def gravities(outcome: str | None, payload: Mapping[str, Any]) -> Iterator[HoldType]:
    """The holds that an answer may bring about, where nobody knows yet which kind it answers."""
    yield from GRAVE_CODES.get(outcome or "", ())
    yield from (hold for name, (value, hold) in GRAVE_FIELDS.items() if payload.get(name) is value)


def read(kind: ReferralKind, payload: Mapping[str, Any] | None) -> Any:
    """A payload that fits, as its kind's model; empty if it was sealed away."""
    model = ANSWERS[kind].payload if kind in ANSWERS else Payload
    return model.model_validate_json(json.dumps(payload or {}, default=str), strict=True)


# What partners are told of all this


def published(kind: ReferralKind) -> dict[str, Any]:
    """The JSON Schema of what a partner answers to this kind: outcome codes, and the payload's fields."""
    answers = ANSWERS[kind]
    return {
        "title": kind.value,
        "version": answers.version,
        "outcomes": {signal.value: list(codes) for signal, codes in answers.carried.items()},
        "needs": {code: list(fields) for code, fields in answers.needs.items()},
        "payload": answers.payload.model_json_schema(),
    }
