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

from pydantic import AwareDatetime, Field

from domain.advisory import AREA, Advisory, in_force, still_counts, with_change
from domain.asking import refer
from domain.case import Case
from domain.event import Compartment, Event, Sealed
from domain.messages import Message, Word
from domain.moment import Moment, Refused
from domain.person import Country
from domain.referral_answers import Told
from domain.referral_state import Referral
from domain.stage import Awaited, StageRules
from domain.stages.screening import VulnerabilityAssessed
from domain.steps import grant, hold, revoke, soon, task
from domain.words import (
    AdvisoryLevel,
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


class ReturnAdvisoryChanged(Event):
    TOPIC: ClassVar[str] = "ReturnAdvisoryChanged"
    SENTENCE: ClassVar[str] = "The return advisory for {place} changed to {level} ({advisory_version})."

    place: str
    """The country (ISO 3166-1, alpha-3) or the part of it (ISO 3166-2)."""
    level: AdvisoryLevel
    advisory_version: str


class SafetyOfReturnAssessed(Event):
    TOPIC: ClassVar[str] = "SafetyOfReturnAssessed"
    SENTENCE: ClassVar[str] = "Safety of return to {area} assessed under advisory {advisory_version}."

    area: str
    advisory_version: str
    individual: bool
    result: Annotated[str | None, Sealed(Compartment.PROT)] = None
    mitigations: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None


# Messages


class ReassessSafety(Message):
    """What is advised about a country or a part of it has changed; each case that may be concerned is told."""

    country: Country
    area: Annotated[str, Field(pattern=f"^{AREA.pattern}$")] | None = None
    level: AdvisoryLevel
    advisory_version: Word
    since: AwareDatetime


class AssessSafetyOfReturn(Message):
    area: Word
    result: Literal["SAFE", "SAFE_WITH_MITIGATION", "NOT_SAFE", "UNDETERMINED"]
    advisory_version: Word
    individual: bool = False
    mitigations: tuple[Word, ...] = ()


# Rules


def reassess(case: Case, order: ReassessSafety, m: Moment) -> Iterator[Event]:
    """A safety that was assessed under another advisory is none any more (domain.md 4.7, 8.3)."""
    if case.departed:
        raise Refused("SAFETY.DEPARTED", "the person is on the way or has arrived; raise a protection concern instead")
    changed = Advisory(order.country, order.area, order.level, order.advisory_version, order.since)
    today = _no_more_covered(case, changed, m)
    if today is None:
        raise Refused("SAFETY.NOT_CONCERNED", f"{order.advisory_version} ends nothing that this person was cleared by")
    yield ReturnAdvisoryChanged(place=today.place, level=today.level, advisory_version=today.version)
    if today.level is not AdvisoryLevel.OPEN:
        yield hold(HoldType.SAFETY, m)
    yield task("assess the safety of return anew", "PROTECTION_OFFICER", soon(case, m), m, subject=today.version)


def _no_more_covered(case: Case, changed: Advisory, m: Moment) -> Advisory | None:
    """What is advised today, if a safety in force was assessed under anything else."""
    assessed = case.latest(SafetyOfReturnAssessed)
    place = assessed.area if assessed else None
    today = in_force(with_change(m.directory.advisories, changed), case.country_of_return, place)
    in_doubt = case.has_clearance(ClearanceKind.SAFETY_OF_RETURN, m.at) and not still_counts(assessed, today)
    return today if in_doubt else None


def assess_safety(case: Case, report: AssessSafetyOfReturn, m: Moment) -> Iterator[Event]:
    """The place and the way there are judged, not the nationality; the advisory's version is kept (INV-11)."""
    safe = report.result in ("SAFE", "SAFE_WITH_MITIGATION")
    if safe:
        _insist_on_today(report, m.directory.advised(case.country_of_return, report.area))
    yield SafetyOfReturnAssessed(
        area=report.area,
        advisory_version=report.advisory_version,
        individual=report.individual,
        result=report.result,
        mitigations=report.mitigations,
    )
    if safe:
        yield grant(ClearanceKind.SAFETY_OF_RETURN, m, evidence=f"advisory {report.advisory_version}")
    else:
        yield from revoke(case, ClearanceKind.SAFETY_OF_RETURN, "REASSESSED")


def _insist_on_today(report: AssessSafetyOfReturn, advisory: Advisory | None) -> None:
    """Nothing is safe by the advisory of yesterday, nor by a look at the country where the person must be looked at."""
    if advisory is None:
        return
    said = f"{advisory.version} ({advisory.level}) is in force for {advisory.place}"
    if report.advisory_version != advisory.version:
        raise Refused("SAFETY.ADVISORY", f"{said}, not {report.advisory_version}", field="advisory_version")
    if advisory.level is not AdvisoryLevel.OPEN and not report.individual:
        raise Refused("SAFETY.INDIVIDUAL", f"{said}: this person must be assessed individually", field="individual")


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
    rules={AssessSafetyOfReturn: assess_safety, ReassessSafety: reassess},
    anytime=frozenset({ReassessSafety}),
    answers={(ReferralKind.PROTECTION_ASSISTANCE, SignalType.COMPLETED): assisted},
)
