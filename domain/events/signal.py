"""What is recorded of a signal that moves nothing: ignored, in doubt, decided, or too late.

See rule SIGNAL.DISPOSITION.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from domain.case.aggregate import Case
from domain.events.partner_report import PartnerReport
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.vocabulary import SignalType


class PartnerSignalIgnored(PartnerReport):
    """It changed nothing. What it said is kept all the same."""

    TOPIC: ClassVar[str] = "PartnerSignalIgnored"
    SENTENCE: ClassVar[str] = "A signal ({signal_type}) from {partner_id} changed nothing: {cause}."

    partner_id: str
    signal_type: SignalType
    cause: str


class PartnerSignalQuarantined(PartnerReport):
    """A signal in doubt waits for a person. Until then it counts against travelling, never for it."""

    TOPIC: ClassVar[str] = "PartnerSignalQuarantined"
    SENTENCE: ClassVar[str] = "{kind}: a signal is in doubt ({cause}) and waits for a person ({outcome})."

    cause: str
    partner_id: str
    signal_type: SignalType
    supersedes: UUID | None = None
    flaw: Annotated[str | None, Sealed(Compartment.GEN)] = None
    """Where it does not fit its schema."""
    about: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    """Whom the partner believes to be speaking of."""

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed[self.signal_id] = self.timestamp


class QuarantinedSignalResolved(Event):
    TOPIC: ClassVar[str] = "QuarantinedSignalResolved"
    SENTENCE: ClassVar[str] = "The doubtful signal was resolved: {decision}."

    signal_id: UUID
    referral_id: UUID
    decision: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed.pop(self.signal_id, None)


class LateSignalRecorded(PartnerReport):
    TOPIC: ClassVar[str] = "LateSignalRecorded"
    SENTENCE: ClassVar[str] = "{kind}: a signal came too late to change anything ({outcome})."

    disposition: str
    partner_id: str
    signal_type: SignalType


class MessageQuarantined(Event):
    """It waits for a person. Until then it counts against travelling, whatever it says."""

    TOPIC: ClassVar[str] = "MessageQuarantined"
    SENTENCE: ClassVar[str] = "Message {kept_message} could not be taken in ({cause}) and waits for a person."

    kept_message: UUID
    cause: str

    def apply_to(self, case: Case) -> None:
        case.doubts[self.kept_message] = self.timestamp


class QuarantinedMessageResolved(Event):
    """``AGAIN`` gives it to the case once more; the doubt ends when it has been ``TAKEN`` in, or is set aside."""

    TOPIC: ClassVar[str] = "QuarantinedMessageResolved"
    SENTENCE: ClassVar[str] = "Message {kept_message}, which could not be taken in: {decision}."

    kept_message: UUID
    decision: Literal["AGAIN", "TAKEN", "SET_ASIDE"]
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        if self.decision != "AGAIN":
            case.doubts.pop(self.kept_message, None)
