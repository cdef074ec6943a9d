"""What is recorded of a partner's silence: each rung of the ladder, told once (rule ESCALATION.LADDER)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import Case
from domain.kernel.event import Event
from domain.kernel.vocabulary import ReferralKind, Timeliness


class _OfTheLadder(Event):
    """Base of what silence brings; ``rung`` is told once for each time the step is owed."""

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    rung: str

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].tell(self.rung, self.says)

    @property
    def says(self) -> Timeliness:
        return Timeliness.ON_TIME


class ReferralReminderSent(_OfTheLadder):
    TOPIC: ClassVar[str] = "ReferralReminderSent"
    SENTENCE: ClassVar[str] = "{kind}: reminder sent to {partner_id} ({step} due {due})."

    step: str
    due: AwareDatetime

    @property
    def says(self) -> Timeliness:
        return Timeliness.REMINDED


class ReferralReminderHeldBack(_OfTheLadder):
    """It was time for a reminder, and nothing may be told to this partner now."""

    TOPIC: ClassVar[str] = "ReferralReminderHeldBack"
    SENTENCE: ClassVar[str] = "{kind}: no reminder to {partner_id} ({step} due {due}): nothing may be told it now."

    step: str
    due: AwareDatetime


class ReferralOverdue(_OfTheLadder):
    TOPIC: ClassVar[str] = "ReferralOverdue"
    SENTENCE: ClassVar[str] = "{kind}: {which_due} by {partner_id} is overdue since {due}."

    which_due: str
    due: AwareDatetime

    @property
    def says(self) -> Timeliness:
        return Timeliness.OVERDUE


ESCALATED_TO: Final[Mapping[str, str]] = {
    "L1": "CASE_SUPERVISOR",
    "L2": "PROGRAMME_MANAGER",
    "L3": "CHIEF_OF_MISSION",
}


class ReferralEscalated(_OfTheLadder):
    TOPIC: ClassVar[str] = "ReferralEscalated"
    SENTENCE: ClassVar[str] = "{kind}: still no answer from {partner_id}; escalated to {to} ({level})."

    level: str
    to: str

    @property
    def says(self) -> Timeliness:
        return Timeliness[f"ESCALATED_{self.level}"]
