"""Protection: whether, when and how it is safe for this person to return; the case is held until it is.

Who      protection officers; protection partners where there is a need
Shows    a protection clearance, and that the place of return is safe
Done     both are in force
Returned a partner could not help: another one is asked
Halts    any concern for the person's safety holds the journey until a protection officer decides
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from domain.asking import refer
from domain.case import Case
from domain.event import Compartment, Event, Sealed
from domain.messages import Message, Word
from domain.moment import Moment
from domain.referral_answers import Told
from domain.referral_state import Referral
from domain.stage import Awaited, StageRules
from domain.stages.screening import VulnerabilityAssessed
from domain.steps import grant, revoke, task
from domain.words import (
    ClearanceKind,
    ClearanceStatus,
    HoldType,
    Phase,
    ReferralKind,
    RiskLevel,
    SignalType,
    Stage,
)

NEEDED = (ClearanceKind.PROTECTION_CLEARANCE, ClearanceKind.SAFETY_OF_RETURN)

# Facts


class SafetyOfReturnAssessed(Event):
    TOPIC: ClassVar[str] = "SafetyOfReturnAssessed"
    SENTENCE: ClassVar[str] = "Safety of return to {area} assessed under advisory {advisory_version}."

    area: str
    advisory_version: str
    individual: bool
    result: Annotated[str | None, Sealed(Compartment.PROT)] = None
    mitigations: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None


# Messages


class AssessSafetyOfReturn(Message):
    area: Word
    result: Literal["SAFE", "SAFE_WITH_MITIGATION", "NOT_SAFE", "UNDETERMINED"]
    advisory_version: Word
    individual: bool = False
    mitigations: tuple[Word, ...] = ()


# Rules


def assess_safety(case: Case, report: AssessSafetyOfReturn, m: Moment) -> Iterator[Event]:
    """The place and the way there are judged, not the nationality; the advisory's version is kept (INV-11)."""
    yield SafetyOfReturnAssessed(
        area=report.area,
        advisory_version=report.advisory_version,
        individual=report.individual,
        result=report.result,
        mitigations=report.mitigations,
    )
    if report.result in ("SAFE", "SAFE_WITH_MITIGATION"):
        yield grant(ClearanceKind.SAFETY_OF_RETURN, m, evidence=f"advisory {report.advisory_version}")
    else:
        yield from revoke(case, ClearanceKind.SAFETY_OF_RETURN, "REASSESSED")


def assisted(_case: Case, referral: Referral, _told: Told, m: Moment) -> Iterator[Event]:
    """A partner has helped; whether that clears the way is an officer's decision, never a partner's."""
    within = m.policy.pinned.withdrawal_contact
    yield task("decide on protection clearance", "PROTECTION_OFFICER", within, m, subject=str(referral.referral_id))


# The stage


def may_open(case: Case, _m: Moment) -> str | None:
    return None if case.phase in (Phase.PRE_DEPARTURE, Phase.DEPARTURE) else "PHASE"


def opening(case: Case, m: Moment) -> Iterator[Event]:
    """Low risk, nothing indicated and nothing that holds: cleared at once. Otherwise a protection partner is asked."""
    assessed = case.latest(VulnerabilityAssessed)
    if _at_ease(assessed) and not case.holds_of(HoldType.PROTECTION):
        if not case.has_clearance(ClearanceKind.PROTECTION_CLEARANCE, m.at):
            yield grant(ClearanceKind.PROTECTION_CLEARANCE, m, evidence="low risk, no indicators")
        return
    high = assessed is not None and assessed.risk_level is RiskLevel.HIGH
    yield from refer(case, ReferralKind.PROTECTION_ASSISTANCE, m, urgent=high)


def _at_ease(assessed: VulnerabilityAssessed | None) -> bool:
    return assessed is not None and assessed.risk_level is RiskLevel.LOW and assessed.nothing_indicated


def lacks(case: Case, m: Moment) -> list[Awaited]:
    return [
        Awaited(f"STAFF.{kind}", "PROTECTION_OFFICER", "domain 4.6", case.stages[Stage.PROTECTION].since)
        for kind in NEEDED
        if not case.has_clearance(kind, m.at)
    ]


def reopens(case: Case, _m: Moment) -> str | None:
    ended = [kind for kind in NEEDED if case.clearances[kind].status is not ClearanceStatus.VALID]
    return ended[0] if ended else None


PROTECTION = StageRules(
    stage=Stage.PROTECTION,
    title="Protection",
    may_open=may_open,
    opening=opening,
    lacks=lacks,
    reopens=reopens,
    rules={AssessSafetyOfReturn: assess_safety},
    answers={(ReferralKind.PROTECTION_ASSISTANCE, SignalType.COMPLETED): assisted},
)
