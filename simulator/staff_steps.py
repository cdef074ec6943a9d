"""The next step of simulated staff for a case, and the messages of each step.

The functions are pure: they take the published JSON of a case and its script, and return a step or messages. The
duration of each step is in ``scenarios.STAFF_TAKES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from domain.kernel.vocabulary import ClosureReason, ReferralKind
from simulator.scenarios import CLEARING, PLAN_ITEMS, SCREENING, SEATED, JourneyScript
from simulator.seeded_random import seeded_random

View = Mapping[str, Any]

StaffMessage = tuple[str, Mapping[str, Any]]
"""A message: its name and fields."""

APPROVER: Final = "salma"

LIFTED_BY_STAFF: Final = ("CHILD", "DETENTION")

SCREENING_CONSENTS: Final = (
    "SHARE_EMBASSY", "SHARE_AUTHORITY", "SHARE_CLINIC", "SHARE_PROTECTION", "SHARE_RECEPTION", "SHARE_REINTEGRATION",
)  # fmt: skip

REQUIRED_FOR_A_SEAT: Final = (
    "CONSENT_RETURN", "PROTECTION_CLEARANCE", "SAFETY_OF_RETURN", "MEDICAL_ASSESSMENT", "FUNDING_ALLOCATED",
    "TRAVEL_DOCUMENT", "EXIT_PERMIT",
)  # fmt: skip

MARGIN: Final = timedelta(days=2)

PROJECT_ENDS: Final = "2031-12-31T00:00:00Z"


@dataclass
class CaseFile:
    """What simulated staff know about one case: its place in the list, its script, and the steps taken."""

    number: str
    place: int
    seed: int
    script: JourneyScript
    view: View = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    reassigned: set[str] = field(default_factory=set)
    leaving: bool = False
    step: str | None = None
    due: datetime | None = None

    @property
    def version(self) -> int:
        return int(self.view.get("version", 0))

    @property
    def closed(self) -> bool:
        return bool(self.view.get("phase") == "CLOSED")

    @property
    def movement(self) -> str | None:
        """Returns the number of the movement on which the person has a seat."""
        found: str | None = self.view.get("movement")
        return found


# Reading the published JSON of a case


def valid(view: View, kind: str) -> Mapping[str, Any] | None:
    """Returns the clearance of a kind if it is valid."""
    held = (one for one in view["clearances"] if one["kind"] == kind and one["status"] == "VALID")
    return next(held, None)


def valid_until(view: View, kind: str, moment: datetime) -> bool:
    """Whether a clearance is valid and remains so until a time (UTC)."""
    found = valid(view, kind)
    return found is not None and (
        found["valid_until"] is None or datetime.fromisoformat(found["valid_until"]) >= moment
    )


def referrals(view: View, kind: ReferralKind) -> list[Mapping[str, Any]]:
    return [one for one in view["referrals"] if one["kind"] == kind]


def is_open(view: View, stage: str) -> bool:
    return view["stages"][stage] in ("OPEN", "REOPENED")


def ready_to_fly(file: CaseFile, std: datetime) -> bool:
    """Whether all clearances are valid until after the departure, and the person has no seat yet."""
    view = file.view
    if file.leaving or file.closed or file.movement or not is_open(view, "DEPARTURE") or view["holds"]:
        return False
    for_children = [one["kind"] for one in view["clearances"] if one["kind"] == "CHILD_BEST_INTERESTS"]
    return all(valid_until(view, kind, std + MARGIN) for kind in (*REQUIRED_FOR_A_SEAT, *for_children))


# What comes next


def next_step(file: CaseFile) -> str | None:
    """Returns the next step of staff, or ``None`` while the case waits for a partner or a date."""
    if file.closed:
        return None
    file.leaving = file.leaving or _reached(file.view, file.script.leaves)
    if file.leaving:
        return "LEAVE"
    return next((step for step, applies in STEPS_IN_ORDER if applies(file)), None)


def _reached(view: View, point: str | None) -> bool:
    if point == SEATED:
        return view["movement"] is not None
    stage = {SCREENING: "SCREENING", CLEARING: "DOCUMENTS"}.get(point or "")
    return stage is not None and view["stages"][stage] != "NOT_STARTED"


def _has_hold_to_lift(file: CaseFile) -> bool:
    return any(hold["type"] in LIFTED_BY_STAFF for hold in file.view["holds"])


def _needs_reassignment(file: CaseFile) -> bool:
    return any(True for _ in _to_reassign(file))


def _to_reassign(file: CaseFile) -> Iterator[Mapping[str, Any]]:
    ended = ("REJECTED", "FAILED", "EXPIRED")
    return (
        one for one in file.view["referrals"] if one["status"] in ended and one["referral_id"] not in file.reassigned
    )


def _needs_renewal(file: CaseFile) -> bool:
    kinds = [one["kind"] for one in file.view["clearances"] if one["status"] == "EXPIRED"]
    return "CHILD_BEST_INTERESTS" in kinds and file.view["phase"] == "PRE_DEPARTURE"


def _needs_screening(file: CaseFile) -> bool:
    return is_open(file.view, "SCREENING")


def _needs_protection(file: CaseFile) -> bool:
    """Whether protection staff must act: they assess safety of return, and clear once no partner referral is open."""
    if not is_open(file.view, "PROTECTION"):
        return False
    requested = referrals(file.view, ReferralKind.PROTECTION_ASSISTANCE)
    assisted = all(one["status"] == "COMPLETED" for one in requested[-1:])
    return not valid(file.view, "SAFETY_OF_RETURN") or (assisted and not valid(file.view, "PROTECTION_CLEARANCE"))


def _nationality_not_confirmed(file: CaseFile) -> bool:
    """Whether the embassy did not confirm the nationality: after a confirmation a document is requested at once."""
    requested = referrals(file.view, ReferralKind.CONSULAR_IDENTITY)
    answered = bool(requested) and requested[-1]["status"] == "COMPLETED"
    return answered and is_open(file.view, "DOCUMENTS") and not referrals(file.view, ReferralKind.TRAVEL_DOCUMENT)


def _consent_lapsed(file: CaseFile) -> bool:
    travelling = file.view["phase"] in ("PRE_DEPARTURE", "DEPARTURE")
    return travelling and file.view["stages"]["SCREENING"] == "COMPLETED" and not valid(file.view, "CONSENT_RETURN")


def _needs_funding(file: CaseFile) -> bool:
    return is_open(file.view, "DEPARTURE") and not valid(file.view, "FUNDING_ALLOCATED")


def _waits(*codes: str) -> Callable[[CaseFile], bool]:
    return lambda file: file.view["waiting_on"] in codes


def _first_time(step: str) -> Callable[[CaseFile], bool]:
    waits = _waits("PARTNER.DELIVERY_AND_MONITORING")
    return lambda file: waits(file) and not file.done.get(step)


def _all_done(file: CaseFile) -> bool:
    return bool(file.view["stages"]["REINTEGRATION"] == "COMPLETED")


STEPS_IN_ORDER: Final[Sequence[tuple[str, Callable[[CaseFile], bool]]]] = (
    ("HOLDS", _has_hold_to_lift),
    ("REASSIGNMENT", _needs_reassignment),
    ("RENEWAL", _needs_renewal),
    ("SCREENING", _needs_screening),
    ("PROTECTION", _needs_protection),
    ("IDENTITY_AGAIN", _nationality_not_confirmed),
    ("DECLARATION", _consent_lapsed),
    ("FUNDING", _needs_funding),
    ("ARRIVAL", _waits("RECEPTION.ARRIVAL")),
    ("RECEPTION_DONE", _waits("RECEPTION.COMPLETE")),
    ("ENROLMENT", _waits("STAFF.ENROLMENT")),
    ("NEEDS", _waits("STAFF.NEEDS")),
    ("PLAN", _waits("STAFF.PLAN")),
    ("PLAN_APPROVAL", _waits("STAFF.PLAN_APPROVAL")),
    ("MONITORING", _first_time("MONITORING")),
    ("ENDLINE", _first_time("ENDLINE")),
    ("COMPLETION", _waits("STAFF.COMPLETE_REINTEGRATION")),
    ("CLOSURE", _all_done),
)


# The messages of each step


def messages_of(step: str, file: CaseFile) -> list[StaffMessage]:
    return list(MESSAGES_OF[step](file))


def _lift(file: CaseFile) -> Iterator[StaffMessage]:
    types = {hold["type"] for hold in file.view["holds"]}
    if "DETENTION" in types:
        yield "RecordRelease", {}
    if "CHILD" in types:
        yield "GrantClearance", {"kind": "CHILD_BEST_INTERESTS", "evidence": "best interests assessed"}
    for hold in file.view["holds"]:
        if hold["type"] in LIFTED_BY_STAFF:
            yield "LiftHold", {"hold_id": hold["hold_id"], "reason": "reviewed and resolved"}


def _reassign(file: CaseFile) -> Iterator[StaffMessage]:
    for one in list(_to_reassign(file)):
        file.reassigned.add(one["referral_id"])
        yield (
            "ReassignReferral",
            {"referral_id": one["referral_id"], "partner_id": one["partner_id"], "reason": "requested again"},
        )


def _renew(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "GrantClearance", {"kind": "CHILD_BEST_INTERESTS", "evidence": "best interests assessed again"}


def _screen(file: CaseFile) -> Iterator[StaffMessage]:
    yield "AssignCaseWorker", {"user": "fatima"}
    for purpose in SCREENING_CONSENTS:
        yield "RecordConsent", {"purpose": purpose, "form_version": "C-1", "language": "en"}
    yield "RecordCounselling", {"topics": ["ALTERNATIVES", "ASSISTANCE", "RIGHT_TO_WITHDRAW"], "language": "en"}
    yield "RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"}
    yield "RecordVulnerabilityAssessment", {"overall_risk": "MEDIUM" if file.script.at_risk else "LOW"}
    yield from _declare(file)
    yield "DetermineEligibility", {"decision": "ELIGIBLE"}
    yield "CompleteScreening", {}


def _declare(file: CaseFile) -> Iterator[StaffMessage]:
    country = file.view["country_of_return"]
    yield "AssessVoluntariness", {"understood": True, "free_of_pressure": True, "in_private": True}
    yield "SignVoluntaryReturnDeclaration", {"country": country, "form_version": "VRD-1", "language": "en"}


def _protect(file: CaseFile) -> Iterator[StaffMessage]:
    if not valid(file.view, "SAFETY_OF_RETURN"):
        area = f"{file.view['country_of_return']}-1"
        yield "AssessSafetyOfReturn", {"area": area, "result": "SAFE", "advisory_version": "2026-1"}
    requested = referrals(file.view, ReferralKind.PROTECTION_ASSISTANCE)
    assisted = all(one["status"] == "COMPLETED" for one in requested[-1:])
    if assisted and not valid(file.view, "PROTECTION_CLEARANCE"):
        yield "GrantClearance", {"kind": "PROTECTION_CLEARANCE", "evidence": "reviewed by a protection officer"}


def _identity_again(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "CreateReferral", {"kind": ReferralKind.CONSULAR_IDENTITY}


def _fund(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "AllocateFunding", {"project": "VHR-DEMO", "until": PROJECT_ENDS}


def _prepare(_file: CaseFile) -> Iterator[StaffMessage]:
    """Yields the messages of the day before the flight."""
    yield "IssueFitToTravel", {"result": "FIT"}
    yield "HoldPreDepartureBriefing", {"language": "en"}
    yield "HandOverTravelDocument", {}


def _board(_file: CaseFile) -> Iterator[StaffMessage]:
    """Yields the messages at the airport."""
    yield "ReaffirmVoluntaryReturn", {}
    yield "RecordDepartureInterview", {"in_private": True, "voluntary_reaffirmed": True}
    yield "CheckInPassenger", {}
    yield "BoardPassenger", {}


def _miss(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "RecordNoShow", {}


def _arrive(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "ConfirmArrival", {}
    yield "RecordReception", {"met": True, "met_by": "reception officer"}
    yield "ProvideImmediateAssistance", {"items": ["meal", "arrival kit"], "cash_eur": 65}
    yield "ProvideOnwardTransport", {"mode": "BUS"}


def _received(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "CompleteReception", {"outcome": "RECEIVED"}


def _enrol(file: CaseFile) -> Iterator[StaffMessage]:
    yield "EnrolReintegration", {"office": f"Office {file.view['country_of_return']}"}


def _needs(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "AssessReintegrationNeeds", {"needs": ["ECONOMIC", "SOCIAL"]}


def _plan(file: CaseFile) -> Iterator[StaffMessage]:
    item = seeded_random(file.seed, "item", file.place).choice(PLAN_ITEMS)
    yield "DraftPlan", {"items": [dict(item)], "signed_by_returnee": True}


def _approve(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "ApprovePlan", {}


def _monitor(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "RecordMonitoring", {"month": 3, "finding": "AS_PLANNED"}


def _survey(file: CaseFile) -> Iterator[StaffMessage]:
    composite = round(seeded_random(file.seed, "survey", file.place).betavariate(6, 4), 2)
    yield "RecordRss", {"wave": "ENDLINE", "rss_version": "1", "composite": composite}


def _complete(_file: CaseFile) -> Iterator[StaffMessage]:
    yield "CompleteReintegration", {}


def _close(file: CaseFile) -> Iterator[StaffMessage]:
    yield "CloseCase", {"reason": file.script.reason, "approved_by": APPROVER}


def _leave(file: CaseFile) -> Iterator[StaffMessage]:
    yield from BEFORE_LEAVING.get(file.script.reason, ())
    yield from _close(file)


BEFORE_LEAVING: Final[Mapping[ClosureReason, Sequence[StaffMessage]]] = {
    ClosureReason.WITHDRAWN_BY_MIGRANT: (("WithdrawVoluntaryReturn", {"channel": "OFFICE"}),),
    ClosureReason.NO_CONTACT: (("RecordContactAttempt", {"channel": "PHONE", "result": "NO_ANSWER"}),) * 3,
    ClosureReason.INELIGIBLE: (("DetermineEligibility", {"decision": "INELIGIBLE", "reasons": ["NOT_SERVED"]}),),
    ClosureReason.REFERRED_TO_UNHCR: (("RecordNonRefoulementScreen", {"outcome": "CLAIM"}),),
    ClosureReason.NOT_SAFE_TO_RETURN: (
        ("AssessSafetyOfReturn", {"area": "HOME", "result": "NOT_SAFE", "advisory_version": "2026-1"}),
    ),
}

MESSAGES_OF: Final[Mapping[str, Callable[[CaseFile], Iterator[StaffMessage]]]] = {
    "HOLDS": _lift,
    "REASSIGNMENT": _reassign,
    "RENEWAL": _renew,
    "SCREENING": _screen,
    "PROTECTION": _protect,
    "IDENTITY_AGAIN": _identity_again,
    "DECLARATION": _declare,
    "FUNDING": _fund,
    "PREPARATION": _prepare,
    "BOARDING": _board,
    "NO_SHOW": _miss,
    "ARRIVAL": _arrive,
    "RECEPTION_DONE": _received,
    "ENROLMENT": _enrol,
    "NEEDS": _needs,
    "PLAN": _plan,
    "PLAN_APPROVAL": _approve,
    "MONITORING": _monitor,
    "ENDLINE": _survey,
    "COMPLETION": _complete,
    "CLOSURE": _close,
    "LEAVE": _leave,
}
