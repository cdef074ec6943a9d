"""What the programme's staff do next for a case, read off how the case is shown, and in which messages.

Pure: a shown case and a script in, a step or messages out. How long a step takes is ``scripts.STAFF_TAKES``.
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

Said = tuple[str, Mapping[str, Any]]
"""A message: its name and its fields."""

APPROVER: Final = "salma"

LIFTED_BY_STAFF: Final = ("CHILD", "DETENTION")

SCREENING_CONSENTS: Final = (
    "SHARE_EMBASSY", "SHARE_AUTHORITY", "SHARE_CLINIC", "SHARE_PROTECTION", "SHARE_RECEPTION", "SHARE_REINTEGRATION",
)  # fmt: skip

FOR_A_SEAT: Final = (
    "CONSENT_RETURN", "PROTECTION_CLEARANCE", "SAFETY_OF_RETURN", "MEDICAL_ASSESSMENT", "FUNDING_ALLOCATED",
    "TRAVEL_DOCUMENT", "EXIT_PERMIT",
)  # fmt: skip

MARGIN: Final = timedelta(days=2)

PROJECT_ENDS: Final = "2031-12-31T00:00:00Z"


@dataclass
class CaseFile:
    """What staff keep of one case: its place in the list, its script, and what they have done for it."""

    number: str
    place: int
    seed: int
    script: JourneyScript
    view: View = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    asked_again: set[str] = field(default_factory=set)
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
        """The flight on which the person has a seat."""
        found: str | None = self.view.get("movement")
        return found


# How a case is shown


def valid(view: View, kind: str) -> Mapping[str, Any] | None:
    """The clearance of a kind, if it is in force."""
    held = (one for one in view["clearances"] if one["kind"] == kind and one["status"] == "VALID")
    return next(held, None)


def holds_until(view: View, kind: str, moment: datetime) -> bool:
    """Whether a clearance is in force and will still be at a moment."""
    found = valid(view, kind)
    return found is not None and (
        found["valid_until"] is None or datetime.fromisoformat(found["valid_until"]) >= moment
    )


def referrals(view: View, kind: ReferralKind) -> list[Mapping[str, Any]]:
    return [one for one in view["referrals"] if one["kind"] == kind]


def is_open(view: View, stage: str) -> bool:
    return view["stages"][stage] in ("OPEN", "REOPENED")


def ready_to_fly(file: CaseFile, std: datetime) -> bool:
    """Whether everything that is needed is in force until after that departure, and there is no seat yet."""
    view = file.view
    if file.leaving or file.closed or file.movement or not is_open(view, "DEPARTURE") or view["holds"]:
        return False
    of_a_child = [one["kind"] for one in view["clearances"] if one["kind"] == "CHILD_BEST_INTERESTS"]
    return all(holds_until(view, kind, std + MARGIN) for kind in (*FOR_A_SEAT, *of_a_child))


# What comes next


def next_step(file: CaseFile) -> str | None:
    """The step that is now for staff to take; ``None`` while somebody else is waited for."""
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


def _held(file: CaseFile) -> bool:
    return any(hold["type"] in LIFTED_BY_STAFF for hold in file.view["holds"])


def _turned_down(file: CaseFile) -> bool:
    return any(True for _ in _to_reassign(file))


def _to_reassign(file: CaseFile) -> Iterator[Mapping[str, Any]]:
    ended = ("REJECTED", "FAILED", "EXPIRED")
    return (
        one for one in file.view["referrals"] if one["status"] in ended and one["referral_id"] not in file.asked_again
    )


def _lapsed_by_hand(file: CaseFile) -> bool:
    kinds = [one["kind"] for one in file.view["clearances"] if one["status"] == "EXPIRED"]
    return "CHILD_BEST_INTERESTS" in kinds and file.view["phase"] == "PRE_DEPARTURE"


def _to_screen(file: CaseFile) -> bool:
    return is_open(file.view, "SCREENING")


def _protection_is_ours(file: CaseFile) -> bool:
    """Safety of return is always staff's to assess; clearance is, once a protection partner has no open request."""
    if not is_open(file.view, "PROTECTION"):
        return False
    asked = referrals(file.view, ReferralKind.PROTECTION_ASSISTANCE)
    helped = all(one["status"] == "COMPLETED" for one in asked[-1:])
    return not valid(file.view, "SAFETY_OF_RETURN") or (helped and not valid(file.view, "PROTECTION_CLEARANCE"))


def _nationality_in_doubt(file: CaseFile) -> bool:
    """Once nationality is confirmed the document is asked for at once; if it was not, the embassy said no."""
    asked = referrals(file.view, ReferralKind.CONSULAR_IDENTITY)
    answered = bool(asked) and asked[-1]["status"] == "COMPLETED"
    return answered and is_open(file.view, "DOCUMENTS") and not referrals(file.view, ReferralKind.TRAVEL_DOCUMENT)


def _consent_lapsed(file: CaseFile) -> bool:
    travelling = file.view["phase"] in ("PRE_DEPARTURE", "DEPARTURE")
    return travelling and file.view["stages"]["SCREENING"] == "COMPLETED" and not valid(file.view, "CONSENT_RETURN")


def _to_fund(file: CaseFile) -> bool:
    return is_open(file.view, "DEPARTURE") and not valid(file.view, "FUNDING_ALLOCATED")


def _waits(*codes: str) -> Callable[[CaseFile], bool]:
    return lambda file: file.view["waiting_on"] in codes


def _first_time(step: str) -> Callable[[CaseFile], bool]:
    waits = _waits("PARTNER.DELIVERY_AND_MONITORING")
    return lambda file: waits(file) and not file.done.get(step)


def _all_done(file: CaseFile) -> bool:
    return bool(file.view["stages"]["REINTEGRATION"] == "COMPLETED")


STEPS_IN_ORDER: Final[Sequence[tuple[str, Callable[[CaseFile], bool]]]] = (
    ("HOLDS", _held),
    ("REASSIGNMENT", _turned_down),
    ("RENEWAL", _lapsed_by_hand),
    ("SCREENING", _to_screen),
    ("PROTECTION", _protection_is_ours),
    ("IDENTITY_AGAIN", _nationality_in_doubt),
    ("DECLARATION", _consent_lapsed),
    ("FUNDING", _to_fund),
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


# What is said in each step


def messages_of(step: str, file: CaseFile) -> list[Said]:
    return list(SAID[step](file))


def _lift(file: CaseFile) -> Iterator[Said]:
    types = {hold["type"] for hold in file.view["holds"]}
    if "DETENTION" in types:
        yield "RecordRelease", {}
    if "CHILD" in types:
        yield "GrantClearance", {"kind": "CHILD_BEST_INTERESTS", "evidence": "best interests assessed"}
    for hold in file.view["holds"]:
        if hold["type"] in LIFTED_BY_STAFF:
            yield "LiftHold", {"hold_id": hold["hold_id"], "reason": "looked into and resolved"}


def _reassign(file: CaseFile) -> Iterator[Said]:
    for one in list(_to_reassign(file)):
        file.asked_again.add(one["referral_id"])
        yield (
            "ReassignReferral",
            {"referral_id": one["referral_id"], "partner_id": one["partner_id"], "reason": "asked once more"},
        )


def _renew(_file: CaseFile) -> Iterator[Said]:
    yield "GrantClearance", {"kind": "CHILD_BEST_INTERESTS", "evidence": "best interests assessed again"}


def _screen(file: CaseFile) -> Iterator[Said]:
    yield "AssignCaseWorker", {"user": "fatima"}
    for purpose in SCREENING_CONSENTS:
        yield "RecordConsent", {"purpose": purpose, "form_version": "C-1", "language": "en"}
    yield "RecordCounselling", {"topics": ["ALTERNATIVES", "ASSISTANCE", "RIGHT_TO_WITHDRAW"], "language": "en"}
    yield "RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"}
    yield "RecordVulnerabilityAssessment", {"overall_risk": "MEDIUM" if file.script.at_risk else "LOW"}
    yield from _declare(file)
    yield "DetermineEligibility", {"decision": "ELIGIBLE"}
    yield "CompleteScreening", {}


def _declare(file: CaseFile) -> Iterator[Said]:
    country = file.view["country_of_return"]
    yield "AssessVoluntariness", {"understood": True, "free_of_pressure": True, "in_private": True}
    yield "SignVoluntaryReturnDeclaration", {"country": country, "form_version": "VRD-1", "language": "en"}


def _protect(file: CaseFile) -> Iterator[Said]:
    if not valid(file.view, "SAFETY_OF_RETURN"):
        area = f"{file.view['country_of_return']}-1"
        yield "AssessSafetyOfReturn", {"area": area, "result": "SAFE", "advisory_version": "2026-1"}
    asked = referrals(file.view, ReferralKind.PROTECTION_ASSISTANCE)
    helped = all(one["status"] == "COMPLETED" for one in asked[-1:])
    if helped and not valid(file.view, "PROTECTION_CLEARANCE"):
        yield "GrantClearance", {"kind": "PROTECTION_CLEARANCE", "evidence": "looked at by an officer"}


def _identity_again(_file: CaseFile) -> Iterator[Said]:
    yield "CreateReferral", {"kind": ReferralKind.CONSULAR_IDENTITY}


def _fund(_file: CaseFile) -> Iterator[Said]:
    yield "AllocateFunding", {"project": "VHR-DEMO", "until": PROJECT_ENDS}


def _prepare(_file: CaseFile) -> Iterator[Said]:
    """The day before the flight."""
    yield "IssueFitToTravel", {"result": "FIT"}
    yield "HoldPreDepartureBriefing", {"language": "en"}
    yield "HandOverTravelDocument", {}


def _board(_file: CaseFile) -> Iterator[Said]:
    """At the airport."""
    yield "ReaffirmVoluntaryReturn", {}
    yield "RecordDepartureInterview", {"in_private": True, "voluntary_reaffirmed": True}
    yield "CheckInPassenger", {}
    yield "BoardPassenger", {}


def _miss(_file: CaseFile) -> Iterator[Said]:
    yield "RecordNoShow", {}


def _arrive(_file: CaseFile) -> Iterator[Said]:
    yield "ConfirmArrival", {}
    yield "RecordReception", {"met": True, "met_by": "reception officer"}
    yield "ProvideImmediateAssistance", {"items": ["meal", "arrival kit"], "cash_eur": 65}
    yield "ProvideOnwardTransport", {"mode": "BUS"}


def _received(_file: CaseFile) -> Iterator[Said]:
    yield "CompleteReception", {"outcome": "RECEIVED"}


def _enrol(file: CaseFile) -> Iterator[Said]:
    yield "EnrolReintegration", {"office": f"Office {file.view['country_of_return']}"}


def _needs(_file: CaseFile) -> Iterator[Said]:
    yield "AssessReintegrationNeeds", {"needs": ["ECONOMIC", "SOCIAL"]}


def _plan(file: CaseFile) -> Iterator[Said]:
    item = seeded_random(file.seed, "item", file.place).choice(PLAN_ITEMS)
    yield "DraftPlan", {"items": [dict(item)], "signed_by_returnee": True}


def _approve(_file: CaseFile) -> Iterator[Said]:
    yield "ApprovePlan", {}


def _monitor(_file: CaseFile) -> Iterator[Said]:
    yield "RecordMonitoring", {"month": 3, "finding": "AS_PLANNED"}


def _survey(file: CaseFile) -> Iterator[Said]:
    composite = round(seeded_random(file.seed, "survey", file.place).betavariate(6, 4), 2)
    yield "RecordRss", {"wave": "ENDLINE", "rss_version": "1", "composite": composite}


def _complete(_file: CaseFile) -> Iterator[Said]:
    yield "CompleteReintegration", {}


def _close(file: CaseFile) -> Iterator[Said]:
    yield "CloseCase", {"reason": file.script.reason, "approved_by": APPROVER}


def _leave(file: CaseFile) -> Iterator[Said]:
    yield from BEFORE_LEAVING.get(file.script.reason, ())
    yield from _close(file)


BEFORE_LEAVING: Final[Mapping[ClosureReason, Sequence[Said]]] = {
    ClosureReason.WITHDRAWN_BY_MIGRANT: (("WithdrawVoluntaryReturn", {"channel": "OFFICE"}),),
    ClosureReason.NO_CONTACT: (("RecordContactAttempt", {"channel": "PHONE", "result": "NO_ANSWER"}),) * 3,
    ClosureReason.INELIGIBLE: (("DetermineEligibility", {"decision": "INELIGIBLE", "reasons": ["NOT_SERVED"]}),),
    ClosureReason.REFERRED_TO_UNHCR: (("RecordNonRefoulementScreen", {"outcome": "CLAIM"}),),
    ClosureReason.NOT_SAFE_TO_RETURN: (
        ("AssessSafetyOfReturn", {"area": "HOME", "result": "NOT_SAFE", "advisory_version": "2026-1"}),
    ),
}

SAID: Final[Mapping[str, Callable[[CaseFile], Iterator[Said]]]] = {
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
