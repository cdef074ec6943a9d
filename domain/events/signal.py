"""Events of signals that do not change a referral: ignored, quarantined, resolved, or late.

See rule SIGNAL.DISPOSITION.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from domain.case.aggregate import Case
from domain.events.partner_report import PartnerReport
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.vocabulary import SignalType


class PartnerSignalIgnored(PartnerReport):
    """The signal had no effect. Its content is kept."""

    TOPIC: ClassVar[str] = "PartnerSignalIgnored"
    SENTENCE: ClassVar[str] = "{kind}: signal '{signal_type}' from {partner_id} had no effect ({cause:words})."

    partner_id: str
    signal_type: SignalType
    cause: str


class PartnerSignalQuarantined(PartnerReport):
    """The signal awaits an officer's decision. Until then it blocks travel and never permits it."""

    TOPIC: ClassVar[str] = "PartnerSignalQuarantined"
    SENTENCE: ClassVar[str] = "{kind}: signal held for review ({cause:words}); reported outcome: {outcome:words}."

    cause: str
    partner_id: str
    signal_type: SignalType
    supersedes: UUID | None = None
    flaw: Annotated[str | None, Sealed(Compartment.GEN)] = None
    """Where the signal does not match its schema."""
    about: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    """The person whom the partner believes the signal concerns."""

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed[self.signal_id] = self.timestamp


class QuarantinedSignalResolved(Event):
    TOPIC: ClassVar[str] = "QuarantinedSignalResolved"
    SENTENCE: ClassVar[str] = "Review of a held signal completed: {result}."

    signal_id: UUID
    referral_id: UUID
    decision: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed.pop(self.signal_id, None)

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "result": DECISIONS.get(self.decision, self.decision)}


class LateSignalRecorded(PartnerReport):
    TOPIC: ClassVar[str] = "LateSignalRecorded"
    SENTENCE: ClassVar[str] = "{kind}: signal received too late to have an effect ({outcome:words})."

    disposition: str
    partner_id: str
    signal_type: SignalType


class MessageQuarantined(Event):
    """The message awaits an officer's decision. Until then it blocks travel, whatever its content."""

    TOPIC: ClassVar[str] = "MessageQuarantined"
    SENTENCE: ClassVar[str] = "Message {kept_message} could not be processed ({cause:words}); held for review."

    kept_message: UUID
    cause: str

    def apply_to(self, case: Case) -> None:
        case.doubts[self.kept_message] = self.timestamp


class QuarantinedMessageResolved(Event):
    """``AGAIN`` submits the message to the case again; ``TAKEN`` (processed) or ``SET_ASIDE`` ends the review."""

    TOPIC: ClassVar[str] = "QuarantinedMessageResolved"
    SENTENCE: ClassVar[str] = "Review of message {kept_message}: {result}."

    kept_message: UUID
    decision: Literal["AGAIN", "TAKEN", "SET_ASIDE"]
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        if self.decision != "AGAIN":
            case.doubts.pop(self.kept_message, None)

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "result": DECISIONS.get(self.decision, self.decision)}


DECISIONS: Final[Mapping[str, str]] = {
    "AMEND": "accepted as an amendment",
    "IGNORE": "set aside without effect",
    "AGAIN": "submitted again",
    "TAKEN": "processed",
    "SET_ASIDE": "set aside without effect",
}
"""The decisions of a review, in words."""
