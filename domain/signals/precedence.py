"""What restricts, in one table: it goes first of what came at the same instant, and waits for nothing.

Withdrawal, death, fear or concern, unfitness, a hold or a contradiction, then everything else in the order it came,
and progress last.

See rule SIGNAL.SAME_INSTANT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Final

from domain.commands.case import PlaceHold, RaiseProtectionConcern, RevokeClearance, WithdrawVoluntaryReturn
from domain.commands.departure import RecordDepartureInterview
from domain.commands.documents import ChangeNationality
from domain.commands.medical import IssueFitToTravel
from domain.commands.protection import AssessSafetyOfReturn, ReassessSafety
from domain.commands.screening import (
    AssessVoluntariness,
    DetermineEligibility,
    RecordDetention,
    RecordNonRefoulementScreen,
    RecordVulnerabilityAssessment,
    RegisterCase,
    WithdrawConsent,
    conclusion,
)
from domain.commands.signal import ReceiveContradiction, ReceivePartnerSignal
from domain.events.screening import ELIGIBLE
from domain.kernel.message import Message
from domain.kernel.vocabulary import HoldType, RiskLevel, SignalType
from domain.referral.outcomes import gravities


class Precedence(IntEnum):
    """Smaller goes first. A case that is only being opened has nothing yet that could be stopped."""

    OPENING = 0
    WITHDRAWAL = 1
    DEATH = 2
    CONCERN = 3
    UNFIT = 4
    HOLD = 5
    ANYTHING = 6
    PROGRESS = 7


BY_SIGNAL: Final = {
    SignalType.WITHDRAWAL_REPORTED: Precedence.WITHDRAWAL,
    SignalType.CONCERN_REPORTED: Precedence.CONCERN,
    SignalType.PROGRESS: Precedence.PROGRESS,
    SignalType.PAUSED: Precedence.PROGRESS,
    SignalType.RESUMED: Precedence.PROGRESS,
}

BY_HOLD: Final[Mapping[HoldType, Precedence]] = {
    **dict.fromkeys(HoldType, Precedence.HOLD),
    **dict.fromkeys((HoldType.PROTECTION, HoldType.CHILD, HoldType.SAFETY), Precedence.CONCERN),
    HoldType.MEDICAL: Precedence.UNFIT,
}
"""What a grave answer brings about says where it stands (``payloads.ANSWERS``: the one table of what is grave)."""

DEATHS: Final = frozenset({"DIED", "DIED_IN_CARE"})

BY_KIND: Final[dict[type[Message], Precedence]] = {
    RegisterCase: Precedence.OPENING,
    WithdrawVoluntaryReturn: Precedence.WITHDRAWAL,
    RaiseProtectionConcern: Precedence.CONCERN,
    ReassessSafety: Precedence.CONCERN,
    PlaceHold: Precedence.HOLD,
    RecordDetention: Precedence.HOLD,
}


def _fear(message: Message) -> bool:
    """Any word of fear counts, and whatever else concerns protection; there are no magic words."""
    if isinstance(message, RecordDepartureInterview):
        return message.fear_expressed or message.concern is not None
    if isinstance(message, RecordNonRefoulementScreen):
        return message.outcome != "NO_CLAIM" or message.concern is not None
    return False


def _unfit(message: Message) -> bool:
    return isinstance(message, IssueFitToTravel) and message.result.startswith("UNFIT")


def _not_free(message: Message) -> bool:
    return isinstance(message, AssessVoluntariness) and conclusion(message) != "VOLUNTARY"


def _at_risk(message: Message) -> bool:
    return isinstance(message, RecordVulnerabilityAssessment) and message.overall_risk is RiskLevel.HIGH


def _not_eligible(message: Message) -> bool:
    return isinstance(message, DetermineEligibility) and message.decision not in ELIGIBLE


def _not_safe(message: Message) -> bool:
    return isinstance(message, AssessSafetyOfReturn) and not message.result.startswith("SAFE")


def _not_reaffirmed(message: Message) -> bool:
    return isinstance(message, RecordDepartureInterview) and not message.voluntary_reaffirmed


BY_CONTENT: Final = (
    (_fear, Precedence.CONCERN),
    (_at_risk, Precedence.CONCERN),
    (_not_safe, Precedence.CONCERN),
    (_unfit, Precedence.UNFIT),
    (_not_free, Precedence.HOLD),
    (_not_eligible, Precedence.HOLD),
    (_not_reaffirmed, Precedence.HOLD),
)

TAKES_BACK: Final = (WithdrawConsent, RevokeClearance, ChangeNationality)
"""What was given may be given at the same instant: these keep their turn there, or would find nothing to take back. Nor
may they go before what was asked and signed: it would count as if it came after them."""


def precedence(message: Message | None) -> Precedence:
    """Where a message stands among those of its instant; what cannot be read waits its turn like any other."""
    if isinstance(message, ReceivePartnerSignal):
        said = min(_by_answer(message), default=BY_SIGNAL.get(message.signal_type, Precedence.ANYTHING))
        return min(said, Precedence.HOLD) if isinstance(message, ReceiveContradiction) else said
    if message is None:
        return Precedence.ANYTHING
    return next((place for says, place in BY_CONTENT if says(message)), BY_KIND.get(type(message), Precedence.ANYTHING))


def _by_answer(signal: ReceivePartnerSignal) -> Iterator[Precedence]:
    """By what is grave in it, whichever kind it answers: which that is, only its case can tell."""
    if signal.outcome_code in DEATHS:
        yield Precedence.DEATH
    for hold in gravities(signal.outcome_code, signal.payload):
        yield min(BY_HOLD[hold], BY_SIGNAL.get(signal.signal_type, Precedence.ANYTHING))


def restricts(message: Message | None) -> bool:
    """Whether it stops or takes back something. Such a message never waits behind one that waits for a stage."""
    return Precedence.OPENING < precedence(message) < Precedence.ANYTHING or isinstance(message, TAKES_BACK)
