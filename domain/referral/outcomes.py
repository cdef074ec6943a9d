"""Outcomes of referrals, by kind: the outcome codes, and the payload that goes with them (rule REFERRAL.OUTCOMES).

This is the only table of outcomes. A response that does not fit it is quarantined until a person decides; none is lost.
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


def hold_required_by(kind: ReferralKind, outcome: str | None, payload: Mapping[str, Any]) -> HoldType | None:
    """Returns the hold that a grave response places automatically, whichever partner sends it and however late."""
    spec = OUTCOMES.get(kind)
    by_code = spec.grave.get(outcome or "") if spec else None
    by_reason = spec.grave_reasons.get(str(payload.get("reason_class"))) if spec else None
    by_field = (hold for name, (value, hold) in GRAVE_FIELDS.items() if payload.get(name) is value)
    return by_code or by_reason or next(by_field, None)


@dataclass(frozen=True)
class OutcomeSpec:
    """The outcomes that a kind of referral may have. The first of ``ends`` is the usual one.

    ``non_final`` outcomes do not end the referral. ``grave`` outcomes place a hold on receipt, whatever signal carries
    them. ``needs`` lists the fields that an outcome requires to be acted on. A service that takes place after the
    flight is promised before it: until departure, ``promises`` count as an acceptance, and a signal with an outcome in
    ``only_after_departure`` is quarantined.
    """

    payload: type[Payload]
    ends: tuple[str, ...]
    non_final: frozenset[str] = frozenset()
    accepts: frozenset[str] = frozenset()
    rejects: frozenset[str] = frozenset()
    grave: Mapping[str, HoldType] = field(default_factory=dict)
    grave_reasons: Mapping[str, HoldType] = field(default_factory=dict)
    """Values of ``reason_class`` that are grave when a request is refused."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    promises: frozenset[str] = frozenset()
    only_after_departure: frozenset[str] = frozenset()
    version: int = 1

    @property
    def by_signal(self) -> Mapping[SignalType, tuple[str, ...]]:
        """The outcomes by the signal that carries them, as partners, pages, sheets and schemas show them."""
        accepts, rejects, non_final = map(tuple, map(sorted, (self.accepts, self.rejects, self.non_final)))
        return {
            SignalType.COMPLETED: self.ends,
            SignalType.ACCEPTED: accepts,
            SignalType.REJECTED: rejects,
            SignalType.PROGRESS: non_final,
        }

    @property
    def known(self) -> frozenset[str]:
        """All codes that may be public: outcomes and common reasons."""
        return REASONS.union(*self.by_signal.values())


REASONS: Final = frozenset(
    {"NO_CAPACITY", "OUT_OF_AREA", "NOT_ELIGIBLE", "SERVICE_UNAVAILABLE", "MORE_INFO", "FEE_REQUIRED"}
    | {"STRIKE", "CLOSED", "DECLINED_BY_PERSON", "NOT_REACHED"}
)
"""Reason codes that any partner may give for a refusal, a pause or a delay. Other codes are sealed."""

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
        non_final=frozenset({"MORE_INFO"}),
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
        Items, ("PROVIDED", "UNAVAILABLE"), non_final=frozenset({"WAITLISTED"})
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
        non_final=frozenset({"MORE_INFO"}),
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
        non_final=frozenset({"VERIFICATION_IN_CAPITAL"}),
    ),
    ReferralKind.TRAVEL_DOCUMENT: OutcomeSpec(
        Document,
        ("ISSUED", "REFUSED"),
        non_final=frozenset({"REQUIRES_ITINERARY", "FEE_REQUIRED"}),
        needs={"ISSUED": ("number",)},
    ),
    ReferralKind.EXIT_PERMIT: OutcomeSpec(
        Permit,
        ("GRANTED", "REFUSED"),
        non_final=frozenset({"MORE_INFO"}),
        grave_reasons=dict.fromkeys(("TRAVEL_BAN", "PENDING_CASE", "SECURITY"), HoldType.LEGAL),
    ),
    ReferralKind.MOVEMENT_BOOKING: OutcomeSpec(Booking, ("CONFIRMED", "REFUSED"), non_final=frozenset({"WAITLISTED"})),
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
        only_after_departure=frozenset({"NOT_ARRIVED", "REFUSED_ASSISTANCE"}),
    ),
    ReferralKind.MEDICAL_HANDOVER: OutcomeSpec(
        MedicalHandover,
        ("HANDED_OVER", "ADMITTED", "NO_SHOW"),
        promises=frozenset({"HANDED_OVER"}),
        only_after_departure=frozenset({"ADMITTED", "NO_SHOW"}),
    ),
    ReferralKind.PROTECTION_HANDOVER: OutcomeSpec(
        Payload, ("HANDED_OVER", "DECLINED_BY_PERSON"), promises=frozenset({"HANDED_OVER"})
    ),
    ReferralKind.CHILD_HANDOVER: OutcomeSpec(
        ChildHandover,
        ("HANDED_OVER", "CAREGIVER_ABSENT"),
        needs={"HANDED_OVER": ("id_checked",)},
        promises=frozenset({"HANDED_OVER"}),
        only_after_departure=frozenset({"CAREGIVER_ABSENT"}),
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
"""Payload fields that place a hold when they have this value."""

GRAVE_CODES: Final[Mapping[str, frozenset[HoldType]]] = {
    code: frozenset(spec.grave[code] for spec in OUTCOMES.values() if code in spec.grave)
    for code in {code for spec in OUTCOMES.values() for code in spec.grave}
}
"""Outcomes that are grave in some kind of referral, and the holds that they place."""

REPEATABLE: Final = frozenset({ReferralKind.REINTEGRATION_SERVICE, ReferralKind.PROCUREMENT})
"""Kinds of delivery: the same outcome with other details may be a second delivery, and is recorded as one."""


# Validation

CODED: Final = frozenset({SignalType.ACCEPTED, SignalType.COMPLETED, SignalType.AMENDED})
"""Signals whose outcome code may permit something. In other signals the code is only a reason."""


@dataclass(frozen=True)
class SchemaViolation:
    """One violation of the schema of a kind by a signal, without the value.

    ``path`` is the path of the field in the signal's ``data``. ``rule`` is VERSION, OUTCOME, PAYLOAD, FUTURE or
    MISSING. ``required`` lists the values that the field may have or, for MISSING, the outcome that requires the field.
    ``error`` is the error of the validation library, for PAYLOAD.
    """

    rule: str
    path: tuple[str | int, ...]
    required: tuple[str, ...] = ()
    error: ErrorDetails | None = None

    @property
    def recorded(self) -> str:
        """The text that is recorded with the case: the name of the field, without its value."""
        if self.rule == "VERSION":
            return f"payload_version is not {self.required[0]}"
        return ".".join(map(str, self.path[1:])) or str(self.path[0])


def schema_violation(kind: ReferralKind, signal: ReceivePartnerSignal, latest: datetime | None = None) -> str | None:
    """Returns the fields in which a signal violates the schema of its kind, without their values, or ``None``.

    ``latest`` (UTC) is the latest time at which a reported action can have taken place; ``None`` skips this check.
    """
    found = list(schema_violations(kind, signal, latest))
    return ", ".join(sorted({each.recorded for each in found if each.rule == found[0].rule})) or None


def schema_violations(
    kind: ReferralKind, signal: ReceivePartnerSignal, latest: datetime | None = None
) -> Iterator[SchemaViolation]:
    """Returns every violation of the schema of its kind by a signal, as far as the signal alone shows it."""
    spec = OUTCOMES.get(kind)
    if spec is None:
        return
    code = signal.outcome_code
    if signal.payload_version != spec.version:
        yield SchemaViolation("VERSION", ("payload_version",), (str(spec.version),))
    if signal.signal_type in CODED:
        yield from _code_violations(spec, signal.signal_type, code)
    yield from _payload_violations(spec, signal.payload, latest)
    if signal.signal_type is not SignalType.ACCEPTED:
        missing = (name for name in spec.needs.get(code or "", ()) if not signal.payload.get(name))
        yield from (SchemaViolation("MISSING", ("payload", name), (code or "",)) for name in missing)


def _payload_violations(
    spec: OutcomeSpec, payload: Mapping[str, Any], latest: datetime | None
) -> Iterator[SchemaViolation]:
    try:
        parsed = spec.payload.model_validate_json(json.dumps(payload, default=str), strict=True)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            yield SchemaViolation("PAYLOAD", ("payload", *error["loc"]), error=error)
        return
    if latest is not None:
        yield from (SchemaViolation("FUTURE", ("payload", name)) for name in parsed.later_than(latest))


def _code_violations(spec: OutcomeSpec, signal_type: SignalType, code: str | None) -> Iterator[SchemaViolation]:
    """Checks the outcome code. Only an acceptance, or the completion of a promised service, may come without one."""
    accepted = signal_type is SignalType.ACCEPTED
    completions = dict.fromkeys((*spec.ends, *sorted(spec.non_final), *sorted(spec.promises)))
    valid = tuple(sorted(spec.accepts)) if accepted else tuple(completions)
    optional = accepted or (signal_type is SignalType.COMPLETED and bool(spec.promises))
    if code not in valid and not (code is None and optional):
        yield SchemaViolation("OUTCOME", ("outcome_code",), valid)


def possible_holds(outcome: str | None, payload: Mapping[str, Any]) -> Iterator[HoldType]:
    """Returns the holds that a response may place while the kind of its referral is not yet known."""
    yield from GRAVE_CODES.get(outcome or "", ())
    yield from (hold for name, (value, hold) in GRAVE_FIELDS.items() if payload.get(name) is value)


def parse_payload(kind: ReferralKind, payload: Mapping[str, Any] | None) -> Any:
    """Returns a valid payload as the model of its kind. The model is empty if the payload is sealed for the reader."""
    model = OUTCOMES[kind].payload if kind in OUTCOMES else Payload
    return model.model_validate_json(json.dumps(payload or {}, default=str), strict=True)


# What partners see of the table


def published_schema(kind: ReferralKind) -> dict[str, Any]:
    """Returns the published schema of responses to a kind of referral: outcome codes and the payload's JSON Schema."""
    spec = OUTCOMES[kind]
    return {
        "title": kind.value,
        "version": spec.version,
        "outcomes": {signal.value: list(codes) for signal, codes in spec.by_signal.items()},
        "needs": {code: list(fields) for code, fields in spec.needs.items()},
        "payload": spec.payload.model_json_schema(),
    }


SIGNAL_DESCRIPTIONS: Final[Mapping[SignalType, str]] = {
    SignalType.ACKNOWLEDGED: "The partner has received the referral.",
    SignalType.ACCEPTED: "The partner accepts the request.",
    SignalType.REJECTED: "The partner declines the request; `reason` states why.",
    SignalType.STARTED: "The partner has started the service.",
    SignalType.PROGRESS: "An update on progress. Number the updates with `partner_seq`: an older one is then ignored.",
    SignalType.PAUSED: "The partner cannot continue for now; `reason` states why, `until` until when.",
    SignalType.RESUMED: "The partner continues after a pause.",
    SignalType.COMPLETED: "The request is completed, with this `outcome_code`. Unreported earlier steps are inferred.",
    SignalType.FAILED: "The partner could not complete the request; `reason` states why.",
    SignalType.PARTNER_CANCELLED: "The partner withdraws from the request; `reason` states why.",
    SignalType.AMENDED: "This signal corrects an earlier one, which `supersedes_signal_id` names.",
    SignalType.RETRACTED: "An earlier signal was wrong, without replacement; `supersedes_signal_id` names the signal.",
    SignalType.WITHDRAWAL_REPORTED: "The person states that they no longer want to return.",
    SignalType.CONCERN_REPORTED: "The person or an observation gives reason for concern about their safety.",
    SignalType.CONTACT_CHANGED: "The person's contact details have changed.",
}


def outcomes_of(kind: ReferralKind) -> Mapping[SignalType, tuple[str, ...]]:
    """Returns the outcomes of a kind of referral by the signal that carries them, without empty entries."""
    return {signal: codes for signal, codes in OUTCOMES[kind].by_signal.items() if codes}
