"""What partners answer, by kind of referral: outcome codes, and which payload goes with them (rule REFERRAL.OUTCOMES).

One table. An answer that does not fit it is in doubt and waits for a person; none is lost (rule REFERRAL.OUTCOMES).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import HoldType, ReferralKind, SignalType
from domain.referral.payloads import (
    AirlineDesk,
    Assistance,
    BestInterests,
    Booking,
    Care,
    ChildHandover,
    Community,
    Document,
    Escort,
    Evacuation,
    Examination,
    FamilyHome,
    Fitness,
    Guardian,
    Hospitalisation,
    Identity,
    ItemDelivery,
    Items,
    Legal,
    MedicalHandover,
    Panel,
    Payload,
    Permit,
    Reception,
    Refuge,
    Refugee,
    ReintegrationService,
    Release,
    Safety,
    Support,
    Traced,
    Transit,
)


def grave(kind: ReferralKind, outcome: str | None, payload: Mapping[str, Any]) -> HoldType | None:
    """The hold that an answer brings about by itself, whoever gives it and however late."""
    answers = OUTCOMES.get(kind)
    by_code = answers.grave.get(outcome or "") if answers else None
    by_reason = answers.grave_reasons.get(str(payload.get("reason_class"))) if answers else None
    by_field = (hold for name, (value, hold) in GRAVE_FIELDS.items() if payload.get(name) is value)
    return by_code or by_reason or next(by_field, None)


@dataclass(frozen=True)
class OutcomeSpec:
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
        return {
            SignalType.COMPLETED: self.ends,
            SignalType.ACCEPTED: accepts,
            SignalType.REJECTED: rejects,
            SignalType.PROGRESS: goes_on,
        }

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

OUTCOMES: Final[Mapping[ReferralKind, OutcomeSpec]] = {
    # protection, children, asylum, community
    ReferralKind.PROTECTION_ASSISTANCE: OutcomeSpec(
        Assistance,
        ("SERVICE_PROVIDED", "PARTIALLY_PROVIDED", "DECLINED_BY_PERSON", "SERVICE_UNAVAILABLE", "NOT_REACHED"),
    ),
    ReferralKind.VOT_ASSISTANCE: OutcomeSpec(
        Refuge, ("ADMITTED", "ASSISTED_OUTSIDE", "DECLINED_BY_PERSON", "NO_CAPACITY", "DISCHARGED")
    ),
    ReferralKind.GBV_SERVICES: OutcomeSpec(
        Care, ("CARE_PROVIDED", "DECLINED_BY_PERSON", "TOO_LATE_FOR_PEP", "SERVICE_UNAVAILABLE")
    ),
    ReferralKind.CHILD_BIA: OutcomeSpec(
        BestInterests,
        ("RETURN_RECOMMENDED", "RETURN_NOT_RECOMMENDED", "BID_REQUIRED"),
        goes_on=frozenset({"MORE_INFO"}),
        grave={"RETURN_NOT_RECOMMENDED": _CHILD, "BID_REQUIRED": _CHILD},
    ),
    ReferralKind.GUARDIANSHIP: OutcomeSpec(
        Guardian, ("GUARDIAN_APPOINTED", "DE_FACTO_CAREGIVER_CONFIRMED", "NONE_AVAILABLE")
    ),
    ReferralKind.FAMILY_TRACING: OutcomeSpec(
        Traced, ("FOUND", "NOT_FOUND", "FOUND_UNWILLING", "FOUND_UNSAFE", "DECEASED"), grave={"FOUND_UNSAFE": _CHILD}
    ),
    ReferralKind.FAMILY_ASSESSMENT: OutcomeSpec(
        FamilyHome, ("SUITABLE", "SUITABLE_WITH_SUPPORT", "UNSUITABLE", "REFUSED_ACCESS"), grave={"UNSUITABLE": _CHILD}
    ),
    ReferralKind.BID_PANEL: OutcomeSpec(
        Panel,
        ("RETURN", "REMAIN_WITH_CARE", "THIRD_COUNTRY", "DEFERRED"),
        grave=dict.fromkeys(("REMAIN_WITH_CARE", "THIRD_COUNTRY", "DEFERRED"), _CHILD),
    ),
    ReferralKind.UNHCR_ASYLUM: OutcomeSpec(
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
    ReferralKind.SAFETY_ASSESSMENT: OutcomeSpec(
        Safety,
        ("SAFE", "SAFE_WITH_MITIGATION", "NOT_SAFE", "UNDETERMINED"),
        grave={"NOT_SAFE": _PROTECTION, "UNDETERMINED": _PROTECTION},
    ),
    ReferralKind.MHPSS: OutcomeSpec(
        Support, ("ENGAGED", "COMPLETED_COURSE", "DECLINED_BY_PERSON", "REFERRED_UP", "NOT_REACHED")
    ),
    ReferralKind.SHELTER_DIRECT_ASSISTANCE: OutcomeSpec(
        Items, ("PROVIDED", "UNAVAILABLE"), goes_on=frozenset({"WAITLISTED"})
    ),
    ReferralKind.LEGAL_ASSISTANCE: OutcomeSpec(
        Legal, ("ADVISED", "RESOLVED", "PROCEEDINGS_OPEN"), grave={"PROCEEDINGS_OPEN": HoldType.LEGAL}
    ),
    ReferralKind.COMMUNITY_LIAISON: OutcomeSpec(
        Community,
        ("CONTACTED", "NOT_FOUND", "IDENTITY_ENDORSED", "CONCERN_REPORTED"),
        grave={"CONCERN_REPORTED": _PROTECTION},
    ),
    ReferralKind.DETENTION_RELEASE: OutcomeSpec(
        Release,
        ("RELEASE_GRANTED", "RELEASE_REFUSED", "PERSON_NOT_FOUND", "MOVED_SITE"),
        grave=dict.fromkeys(("RELEASE_REFUSED", "PERSON_NOT_FOUND", "MOVED_SITE"), HoldType.DETENTION),
    ),
    # medical, documents, movement
    ReferralKind.MEDICAL_ASSESSMENT: OutcomeSpec(
        Examination,
        (
            *("NO_SIGNIFICANT_CONDITION", "SIGNIFICANT_CONDITION_STABLE", "TREATMENT_REQUIRED"),
            *("UNFIT_TEMPORARY", "UNFIT_LONG_TERM", "DECLINED_BY_PERSON"),
        ),
        grave=dict.fromkeys(("TREATMENT_REQUIRED", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM"), _MEDICAL),
    ),
    ReferralKind.SPECIALIST_CARE: OutcomeSpec(
        Hospitalisation,
        ("TREATED", "ADMITTED", "DISCHARGED", "REFERRED_ABROAD", "DIED"),
        grave={"ADMITTED": _MEDICAL, "DIED": _MEDICAL},
    ),
    ReferralKind.FIT_TO_TRAVEL: OutcomeSpec(
        Fitness,
        ("FIT", "FIT_WITH_CONDITIONS", "UNFIT_TEMPORARY", "UNFIT"),
        grave={"UNFIT_TEMPORARY": _MEDICAL, "UNFIT": _MEDICAL},
    ),
    ReferralKind.AIRLINE_MEDICAL: OutcomeSpec(
        AirlineDesk,
        ("APPROVED", "APPROVED_WITH_CONDITIONS", "REFUSED"),
        goes_on=frozenset({"MORE_INFO"}),
        grave={"REFUSED": _MEDICAL},
    ),
    ReferralKind.MEDICAL_EVACUATION: OutcomeSpec(
        Evacuation,
        ("EVACUATED", "DIED_IN_CARE", "DECLINED_BY_RECEIVER", "DECLINED_BY_PERSON"),
        grave={"DIED_IN_CARE": _MEDICAL},
    ),
    ReferralKind.CONSULAR_IDENTITY: OutcomeSpec(
        Identity,
        (
            *("NATIONALITY_CONFIRMED", "NOT_CONFIRMED", "INTERVIEW_NO_SHOW"),
            *("REFUSED_TO_COOPERATE_PERSON", "EMBASSY_CLOSED"),
        ),
        goes_on=frozenset({"VERIFICATION_IN_CAPITAL"}),
    ),
    ReferralKind.TRAVEL_DOCUMENT: OutcomeSpec(
        Document,
        ("ISSUED", "REFUSED"),
        goes_on=frozenset({"REQUIRES_ITINERARY", "FEE_REQUIRED"}),
        needs={"ISSUED": ("number",)},
    ),
    ReferralKind.EXIT_PERMIT: OutcomeSpec(
        Permit,
        ("GRANTED", "REFUSED"),
        goes_on=frozenset({"MORE_INFO"}),
        grave_reasons=dict.fromkeys(("TRAVEL_BAN", "PENDING_CASE", "SECURITY"), HoldType.LEGAL),
    ),
    ReferralKind.MOVEMENT_BOOKING: OutcomeSpec(Booking, ("CONFIRMED", "REFUSED"), goes_on=frozenset({"WAITLISTED"})),
    ReferralKind.ESCORT: OutcomeSpec(Escort, ("ASSIGNED", "NOT_AVAILABLE"), promises=frozenset({"ASSIGNED"})),
    ReferralKind.TRANSIT_ASSISTANCE: OutcomeSpec(
        Transit, ("PROVIDED", "CONFIRMED", "REFUSED"), promises=frozenset({"CONFIRMED", "PROVIDED"})
    ),
    # reception and reintegration
    ReferralKind.RECEPTION: OutcomeSpec(
        Reception,
        ("RECEIVED", "NOT_ARRIVED", "REFUSED_ASSISTANCE"),
        accepts=frozenset({"CONFIRMED", "CONFIRMED_WITH_LIMITS"}),
        rejects=frozenset({"CANNOT_RECEIVE"}),
        promises=frozenset({"RECEIVED", "CONFIRMED", "CONFIRMED_WITH_LIMITS"}),
        only_after=frozenset({"NOT_ARRIVED", "REFUSED_ASSISTANCE"}),
    ),
    ReferralKind.MEDICAL_HANDOVER: OutcomeSpec(
        MedicalHandover,
        ("HANDED_OVER", "ADMITTED", "NO_SHOW"),
        promises=frozenset({"HANDED_OVER"}),
        only_after=frozenset({"ADMITTED", "NO_SHOW"}),
    ),
    ReferralKind.PROTECTION_HANDOVER: OutcomeSpec(
        Payload, ("HANDED_OVER", "DECLINED_BY_PERSON"), promises=frozenset({"HANDED_OVER"})
    ),
    ReferralKind.CHILD_HANDOVER: OutcomeSpec(
        ChildHandover,
        ("HANDED_OVER", "CAREGIVER_ABSENT"),
        needs={"HANDED_OVER": ("id_checked",)},
        promises=frozenset({"HANDED_OVER"}),
        only_after=frozenset({"CAREGIVER_ABSENT"}),
    ),
    ReferralKind.REINTEGRATION_COUNSELLING: OutcomeSpec(Payload, ("COUNSELLED", "NOT_REACHED", "DECLINED")),
    ReferralKind.REINTEGRATION_SERVICE: OutcomeSpec(
        ReintegrationService,
        ("DELIVERED", "PARTIALLY", "BENEFICIARY_ABSENT", "PROVIDER_DEFAULT", "SERVICE_UNAVAILABLE"),
    ),
    ReferralKind.PROCUREMENT: OutcomeSpec(ItemDelivery, ("DELIVERED", "PARTIAL", "REJECTED_QUALITY", "VENDOR_DEFAULT")),
}

GRAVE_FIELDS: Final[Mapping[str, tuple[bool, HoldType]]] = {
    "recommended_hold": (True, _PROTECTION),
    "fit_for_decision": (False, HoldType.CONSENT),
    "may_depart": (False, HoldType.LEGAL),
}
"""Fields of a payload that hold the journey by themselves, when they have this value."""

GRAVE_CODES: Final[Mapping[str, frozenset[HoldType]]] = {
    code: frozenset(answers.grave[code] for answers in OUTCOMES.values() if code in answers.grave)
    for code in {code for answers in OUTCOMES.values() for code in answers.grave}
}
"""Outcomes that hold the journey in some kind of referral, and how."""

SEVERAL: Final = frozenset({ReferralKind.REINTEGRATION_SERVICE, ReferralKind.PROCUREMENT})
"""Deliveries: the same outcome with other particulars may be a second one, and is recorded as such."""


# What does not fit

CODED: Final = frozenset({SignalType.ACCEPTED, SignalType.COMPLETED, SignalType.AMENDED})
"""Signals whose outcome may permit something; the others' codes are only reasons."""


@dataclass(frozen=True)
class Flaw:
    """One reason why a signal does not fit its kind, without the value.

    ``path`` leads to the field from the signal's ``data``. ``rule`` is VERSION, OUTCOME, PAYLOAD, FUTURE or MISSING.
    ``error`` is what the payload's schema says of the field; ``required`` what the field must be otherwise.
    """

    rule: str
    path: tuple[str | int, ...]
    required: tuple[str, ...] = ()
    error: ErrorDetails | None = None

    @property
    def recorded(self) -> str:
        """What is recorded of it: the name of the field."""
        if self.rule == "VERSION":
            return f"payload_version is not {self.required[0]}"
        return ".".join(map(str, self.path[1:])) or str(self.path[0])


def schema_violation(kind: ReferralKind, signal: ReceivePartnerSignal, latest: datetime | None = None) -> str | None:
    """Why a signal of this kind cannot be taken as it is: where it breaks its schema, without the value.

    ``latest`` is the latest moment (UTC) at which something that is reported as done can have happened.
    """
    found = list(flaws(kind, signal, latest))
    return ", ".join(sorted({flaw.recorded for flaw in found if flaw.rule == found[0].rule})) or None


def flaws(kind: ReferralKind, signal: ReceivePartnerSignal, latest: datetime | None = None) -> Iterator[Flaw]:
    """Every reason why a signal of this kind waits for a person, as far as the signal alone shows it."""
    answers = OUTCOMES.get(kind)
    if answers is None:
        return
    code = signal.outcome_code
    if signal.payload_version != answers.version:
        yield Flaw("VERSION", ("payload_version",), (str(answers.version),))
    if signal.signal_type in CODED:
        yield from _unfit_code(answers, signal.signal_type, code)
    yield from _unfit_payload(answers, signal.payload, latest)
    if signal.signal_type is not SignalType.ACCEPTED:
        missing = (name for name in answers.needs.get(code or "", ()) if not signal.payload.get(name))
        yield from (Flaw("MISSING", ("payload", name), (code or "",)) for name in missing)


def _unfit_payload(answers: OutcomeSpec, given: Mapping[str, Any], latest: datetime | None) -> Iterator[Flaw]:
    try:
        payload = answers.payload.model_validate_json(json.dumps(given, default=str), strict=True)
    except ValidationError as unfit:
        for error in unfit.errors(include_url=False):
            yield Flaw("PAYLOAD", ("payload", *error["loc"]), error=error)
        return
    if latest is not None:
        yield from (Flaw("FUTURE", ("payload", name)) for name in payload.later_than(latest))


def _unfit_code(answers: OutcomeSpec, said: SignalType, code: str | None) -> Iterator[Flaw]:
    """A bare "done" is enough only for what is promised before a flight; a bare "yes" always is."""
    completes = dict.fromkeys((*answers.ends, *sorted(answers.goes_on), *sorted(answers.promises)))
    fitting = tuple(sorted(answers.accepts)) if said is SignalType.ACCEPTED else tuple(completes)
    may_be_bare = said is SignalType.ACCEPTED or (said is SignalType.COMPLETED and bool(answers.promises))
    if code not in fitting and not (code is None and may_be_bare):
        yield Flaw("OUTCOME", ("outcome_code",), fitting)


def gravities(outcome: str | None, payload: Mapping[str, Any]) -> Iterator[HoldType]:
    """The holds that an answer may bring about, where nobody knows yet which kind it answers."""
    yield from GRAVE_CODES.get(outcome or "", ())
    yield from (hold for name, (value, hold) in GRAVE_FIELDS.items() if payload.get(name) is value)


def read(kind: ReferralKind, payload: Mapping[str, Any] | None) -> Any:
    """A payload that fits, as its kind's model; empty if it was sealed away."""
    model = OUTCOMES[kind].payload if kind in OUTCOMES else Payload
    return model.model_validate_json(json.dumps(payload or {}, default=str), strict=True)


# What partners are told of all this


def published(kind: ReferralKind) -> dict[str, Any]:
    """The JSON Schema of what a partner answers to this kind: outcome codes, and the payload's fields."""
    answers = OUTCOMES[kind]
    return {
        "title": kind.value,
        "version": answers.version,
        "outcomes": {signal.value: list(codes) for signal, codes in answers.carried.items()},
        "needs": {code: list(fields) for code, fields in answers.needs.items()},
        "payload": answers.payload.model_json_schema(),
    }


SAYS: Final[Mapping[SignalType, str]] = {
    SignalType.ACKNOWLEDGED: "The referral has arrived.",
    SignalType.ACCEPTED: "We will do it.",
    SignalType.REJECTED: "We will not do it; `reason` says why.",
    SignalType.STARTED: "We have begun.",
    SignalType.PROGRESS: "An update on the way; number these with `partner_seq`, so that none overtakes a later one.",
    SignalType.PAUSED: "We cannot go on for now; `reason` says why, `until` until when.",
    SignalType.RESUMED: "We go on.",
    SignalType.COMPLETED: "We have done it, with this `outcome_code`. Enough by itself: missing steps are inferred.",
    SignalType.FAILED: "We could not do it; `reason` says why.",
    SignalType.PARTNER_CANCELLED: "We withdraw from it; `reason` says why.",
    SignalType.AMENDED: "What we reported was wrong, and this holds instead; `supersedes_signal_id` names the signal.",
    SignalType.RETRACTED: "An earlier report was wrong, without replacement; `supersedes_signal_id` names the signal.",
    SignalType.WITHDRAWAL_REPORTED: "The person says that they no longer want to return.",
    SignalType.CONCERN_REPORTED: "The person, or what we saw, gives cause for concern about their safety.",
    SignalType.CONTACT_CHANGED: "The person can be reached in another way.",
}


def outcomes_of(kind: ReferralKind) -> Mapping[SignalType, tuple[str, ...]]:
    """The outcomes of one kind of referral, by the signal that carries them."""
    return {signal: codes for signal, codes in OUTCOMES[kind].carried.items() if codes}
