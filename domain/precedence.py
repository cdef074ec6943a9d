"""What goes first of messages that came at the same instant (domain.md 5.3): what restricts before what permits.

Withdrawal, death, fear or concern, unfitness, a hold or a contradiction, then everything else in the order it came,
and progress last.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from domain.contradiction import ReceiveContradiction
from domain.messages import (
    Message,
    PlaceHold,
    RaiseProtectionConcern,
    ReceivePartnerSignal,
    WithdrawVoluntaryReturn,
)
from domain.stages.departure import RecordDepartureInterview
from domain.stages.medical import IssueFitToTravel
from domain.stages.screening import (
    ELIGIBLE,
    AssessVoluntariness,
    DetermineEligibility,
    RecordDetention,
    RecordNonRefoulementScreen,
    RecordVulnerabilityAssessment,
    RegisterCase,
    concluded,
)
from domain.words import RiskLevel, SignalType


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


P = Precedence
T = SignalType

BY_SIGNAL: Final = {
    T.WITHDRAWAL_REPORTED: P.WITHDRAWAL,
    T.CONCERN_REPORTED: P.CONCERN,
    T.PROGRESS: P.PROGRESS,
    T.PAUSED: P.PROGRESS,
    T.RESUMED: P.PROGRESS,
}
BY_OUTCOME: Final = {
    **dict.fromkeys(("DIED", "DIED_IN_CARE"), P.DEATH),
    **dict.fromkeys(("CONCERN_REPORTED", "NOT_SAFE", "FOUND_UNSAFE"), P.CONCERN),
    **dict.fromkeys(("UNFIT", "UNFIT_TEMPORARY", "UNFIT_LONG_TERM", "TREATMENT_REQUIRED", "ADMITTED"), P.UNFIT),
}
BY_KIND: Final[dict[type[Message], Precedence]] = {
    RegisterCase: P.OPENING,
    WithdrawVoluntaryReturn: P.WITHDRAWAL,
    RaiseProtectionConcern: P.CONCERN,
    PlaceHold: P.HOLD,
    RecordDetention: P.HOLD,
}


def _fear(message: Message) -> bool:
    """Any word of fear counts; there are no magic ones."""
    if isinstance(message, RecordDepartureInterview):
        return message.fear_expressed
    return isinstance(message, RecordNonRefoulementScreen) and message.outcome != "NO_CLAIM"


def _unfit(message: Message) -> bool:
    return isinstance(message, IssueFitToTravel) and message.result.startswith("UNFIT")


def _not_free(message: Message) -> bool:
    return isinstance(message, AssessVoluntariness) and concluded(message) != "VOLUNTARY"


def _at_risk(message: Message) -> bool:
    return isinstance(message, RecordVulnerabilityAssessment) and message.overall_risk is RiskLevel.HIGH


def _not_eligible(message: Message) -> bool:
    return isinstance(message, DetermineEligibility) and message.decision not in ELIGIBLE


RESTRICTS: Final = (
    (_fear, P.CONCERN),
    (_at_risk, P.CONCERN),
    (_unfit, P.UNFIT),
    (_not_free, P.HOLD),
    (_not_eligible, P.HOLD),
)


def precedence(message: Message | None) -> Precedence:
    """Where a message stands among those of its instant; what cannot be read waits its turn like any other."""
    if isinstance(message, ReceivePartnerSignal):
        by_type = BY_SIGNAL.get(message.signal_type, P.ANYTHING)
        said = BY_OUTCOME.get(message.outcome_code or "", by_type)
        return min(said, P.HOLD) if isinstance(message, ReceiveContradiction) else said
    if message is None:
        return P.ANYTHING
    return next((place for restricts, place in RESTRICTS if restricts(message)), BY_KIND.get(type(message), P.ANYTHING))
