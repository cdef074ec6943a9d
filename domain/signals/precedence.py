"""Precedence of messages received at the same instant: messages that restrict travel come first and never wait.

The order is withdrawal, death, fear or concern, unfitness, a hold or a contradiction, then all other messages in the
order of receipt, and progress last.

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
from domain.referral.outcomes import possible_holds


class Precedence(IntEnum):
    """The precedence of a message; the smallest is first. Opening a case is first: it cannot be restricted yet."""

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
"""The precedence of a grave response, by the hold that it places (``outcomes.OUTCOMES`` lists the grave ones)."""

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
    """Returns whether a message reports fear or a protection concern. Fear requires no particular words."""
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

WITHDRAWALS: Final = (WithdrawConsent, RevokeClearance, ChangeNationality)
"""Messages that withdraw something, in the order of receipt.

What they withdraw may be given at the same instant: processed first, they would find nothing to withdraw. They also
must not precede a request or a signature, which would then count as made after them.
"""


def precedence(message: Message | None) -> Precedence:
    """Returns the precedence of a message. An unreadable message (``None``) keeps its order of receipt."""
    if isinstance(message, ReceivePartnerSignal):
        found = min(_of_outcome(message), default=BY_SIGNAL.get(message.signal_type, Precedence.ANYTHING))
        return min(found, Precedence.HOLD) if isinstance(message, ReceiveContradiction) else found
    if message is None:
        return Precedence.ANYTHING
    return next(
        (found for matches, found in BY_CONTENT if matches(message)), BY_KIND.get(type(message), Precedence.ANYTHING)
    )


def _of_outcome(signal: ReceivePartnerSignal) -> Iterator[Precedence]:
    """Returns the precedence of each grave part of a signal, for any kind: only the case knows the kind."""
    if signal.outcome_code in DEATHS:
        yield Precedence.DEATH
    for hold in possible_holds(signal.outcome_code, signal.payload):
        yield min(BY_HOLD[hold], BY_SIGNAL.get(signal.signal_type, Precedence.ANYTHING))


def restricts(message: Message | None) -> bool:
    """Returns whether a message restricts or withdraws something. It never waits behind one that waits for a stage."""
    return Precedence.OPENING < precedence(message) < Precedence.ANYTHING or isinstance(message, WITHDRAWALS)
