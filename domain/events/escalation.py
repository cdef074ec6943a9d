"""Events of overdue referrals: reminders and escalations, each recorded once per step (rule ESCALATION.LADDER)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import Case
from domain.kernel.event import Event
from domain.kernel.vocabulary import ReferralKind, Timeliness


class _EscalationStep(Event):
    """Base of the escalation steps; ``rung`` is the step, recorded once each time the partner's action falls due."""

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    rung: str

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].tell(self.rung, self.timeliness)

    @property
    def timeliness(self) -> Timeliness:
        return Timeliness.ON_TIME

    def sentence_values(self) -> dict[str, Any]:
        return {
            name: STEP_NAMES.get(value, value) if name in STEP_FIELDS else value for name, value in self.facts.items()
        }


STEP_FIELDS: Final = frozenset({"step", "which_due"})

STEP_NAMES: Final[Mapping[str, str]] = {
    "ack": "acknowledgement",
    "accept": "acceptance",
    "start": "start of work",
    "complete": "completion",
}
"""What a partner must report, by the name of the step."""


class ReferralReminderSent(_EscalationStep):
    TOPIC: ClassVar[str] = "ReferralReminderSent"
    SENTENCE: ClassVar[str] = "{kind}: reminder sent to {partner_id} ({step} due {due})."

    step: str
    due: AwareDatetime

    @property
    def timeliness(self) -> Timeliness:
        return Timeliness.REMINDED


class ReferralReminderHeldBack(_EscalationStep):
    """A reminder was due, but no data may be sent to this partner at present."""

    TOPIC: ClassVar[str] = "ReferralReminderHeldBack"
    SENTENCE: ClassVar[str] = (
        "{kind}: reminder to {partner_id} withheld ({step} due {due}); no data may be sent to it at present."
    )

    step: str
    due: AwareDatetime


class ReferralOverdue(_EscalationStep):
    TOPIC: ClassVar[str] = "ReferralOverdue"
    SENTENCE: ClassVar[str] = "{kind}: {which_due} by {partner_id} overdue since {due}."

    which_due: str
    due: AwareDatetime

    @property
    def timeliness(self) -> Timeliness:
        return Timeliness.OVERDUE


ESCALATED_TO: Final[Mapping[str, str]] = {
    "L1": "CASE_SUPERVISOR",
    "L2": "PROGRAMME_MANAGER",
    "L3": "CHIEF_OF_MISSION",
}


class ReferralEscalated(_EscalationStep):
    TOPIC: ClassVar[str] = "ReferralEscalated"
    SENTENCE: ClassVar[str] = "{kind}: no answer from {partner_id}; escalated to the {to:words} (level {level})."

    level: str
    to: str

    @property
    def timeliness(self) -> Timeliness:
        return Timeliness[f"ESCALATED_{self.level}"]

    def sentence_values(self) -> dict[str, Any]:
        return {**super().sentence_values(), "level": self.level.removeprefix("L")}
