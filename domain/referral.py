"""What is recorded of a referral: every fact of its closed loop, from draft to its end (domain.md 5.1).

What a partner answered stands where the kind of referral keeps it: in public, under the medical seal, or protected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime

from domain.case import Case
from domain.event import Compartment, Event, Sealed
from domain.referral_state import Referral
from domain.words import (
    ReferralKind,
    ReferralStatus,
    SignalType,
    Timeliness,
)

S = ReferralStatus


# What a partner told, outside the eyes of those who need not know


class Told(Event):
    """Base of events that carry a partner's answer: public where it may be, sealed where it must be."""

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    signal_id: UUID
    outcome_code: str | None = None
    answer: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    care_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.MED)] = None
    protection_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def told(self) -> dict[str, Any]:
        """What was answered, as far as this reader may know."""
        return self.answer or self.care_answer or self.protection_answer or {}

    @property
    def outcome(self) -> str | None:
        return self.outcome_code or self.told.get("outcome_code")

    def say(self) -> str:
        return self.SENTENCE.format(kind=self.kind, outcome=self.outcome or "outcome sealed")


# Facts


class ReferralCreated(Event):
    TOPIC: ClassVar[str] = "ReferralCreated"
    SENTENCE: ClassVar[str] = "Referral for {kind} prepared for {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    urgent: bool = False
    replaces: UUID | None = None
    item: str | None = None
    true_kind: Annotated[ReferralKind | None, Sealed(Compartment.PROT)] = None

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id] = Referral(
            self.referral_id,
            self.kind,
            self.true_kind,
            self.partner_id,
            "",
            self.timestamp,
            self.urgent,
            replaces=self.replaces,
            item=self.item,
        )


class ReferralSent(Event):
    TOPIC: ClassVar[str] = "ReferralSent"
    SENTENCE: ClassVar[str] = "Referral for {kind} sent to {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    token: str
    dues: dict[str, AwareDatetime]

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.token = S.SENT, self.token
        referral.sent_at = referral.moved_at = self.timestamp
        referral.dues = dict(self.dues)


class DisclosureRecorded(Event):
    """Personal data left the programme: to whom, which fields, on which consent."""

    TOPIC: ClassVar[str] = "DisclosureRecorded"
    SENTENCE: ClassVar[str] = "Told {recipient}: {fields}; on the consent {consent}."

    recipient: str
    fields: tuple[str, ...]
    consent: str
    direction: str = "OUT"
    referral_id: UUID | None = None


class ReferralDeliveryFailed(Event):
    TOPIC: ClassVar[str] = "ReferralDeliveryFailed"
    SENTENCE: ClassVar[str] = "The referral could not be delivered to {partner_id}."

    referral_id: UUID
    partner_id: str


class _Moved(Event):
    """Base of facts that move a referral to a status."""

    TOPIC: ClassVar[str] = ""
    TO: ClassVar[ReferralStatus | None] = None

    referral_id: UUID

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        if self.TO is not None:
            referral.status = self.TO
        _on_time(referral, self.timestamp)


class ReferralAcknowledged(_Moved):
    TOPIC: ClassVar[str] = "ReferralAcknowledged"
    SENTENCE: ClassVar[str] = "{kind}: the partner has received the referral."
    TO: ClassVar[ReferralStatus | None] = S.ACKNOWLEDGED

    kind: ReferralKind
    signal_id: UUID


class ReferralAccepted(Told):
    TOPIC: ClassVar[str] = "ReferralAccepted"
    SENTENCE: ClassVar[str] = "{kind}: accepted by the partner."

    def change(self, case: Case) -> None:
        _move(case, self, S.ACCEPTED)


class ReferralStarted(Told):
    TOPIC: ClassVar[str] = "ReferralStarted"
    SENTENCE: ClassVar[str] = "{kind}: the partner has begun."

    def change(self, case: Case) -> None:
        _move(case, self, S.IN_PROGRESS)


class ReferralProgressReported(Told):
    TOPIC: ClassVar[str] = "ReferralProgressReported"
    SENTENCE: ClassVar[str] = "{kind}: progress reported ({outcome})."

    partner_seq: int | None = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.last_seq = self.partner_seq if self.partner_seq is not None else referral.last_seq


class ReferralPaused(Told):
    TOPIC: ClassVar[str] = "ReferralPaused"
    SENTENCE: ClassVar[str] = "{kind}: paused by the partner."

    def change(self, case: Case) -> None:
        _move(case, self, S.ON_HOLD)
        case.referrals[self.referral_id].paused_since = self.timestamp


class ReferralResumed(Told):
    TOPIC: ClassVar[str] = "ReferralResumed"
    SENTENCE: ClassVar[str] = "{kind}: taken up again."

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        _move(case, self, S.IN_PROGRESS)
        if referral.paused_since is not None:
            pause = self.timestamp - referral.paused_since
            referral.dues = {name: due + pause for name, due in referral.dues.items()}
            referral.paused_since = None


class ReferralCompleted(Told):
    TOPIC: ClassVar[str] = "ReferralCompleted"
    SENTENCE: ClassVar[str] = "{kind}: completed ({outcome})."

    inferred_steps: tuple[str, ...] = ()

    def change(self, case: Case) -> None:
        _move(case, self, S.COMPLETED)
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version, referral.completed_by = self.outcome, 1, self.signal_id


class ReferralRejected(Told):
    TOPIC: ClassVar[str] = "ReferralRejected"
    SENTENCE: ClassVar[str] = "{kind}: the partner said no."

    def change(self, case: Case) -> None:
        _move(case, self, S.REJECTED)


class ReferralFailed(Told):
    TOPIC: ClassVar[str] = "ReferralFailed"
    SENTENCE: ClassVar[str] = "{kind}: the partner could not do it."

    def change(self, case: Case) -> None:
        _move(case, self, S.FAILED)


class ReferralOutcomeAmended(Told):
    TOPIC: ClassVar[str] = "ReferralOutcomeAmended"
    SENTENCE: ClassVar[str] = "{kind}: the outcome was amended ({outcome})."

    approved_by: str

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version = self.outcome, referral.outcome_version + 1
        referral.completed_by = self.signal_id


class ReferralCancelled(_Moved):
    """Ended by us. The reason told outside is neutral; the real one is sealed."""

    TOPIC: ClassVar[str] = "ReferralCancelled"
    SENTENCE: ClassVar[str] = "{kind}: cancelled ({reason_external})."
    TO: ClassVar[ReferralStatus | None] = S.CANCELLED

    kind: ReferralKind
    reason_external: str = "CASE_NOT_PROCEEDING"
    reason_internal: Annotated[str | None, Sealed(Compartment.PROT)] = None


class ReferralCancellationNotified(Event):
    TOPIC: ClassVar[str] = "ReferralCancellationNotified"
    SENTENCE: ClassVar[str] = "The partner is told that the referral for {kind} has ended."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: str


class ReferralExpired(_Moved):
    TOPIC: ClassVar[str] = "ReferralExpired"
    SENTENCE: ClassVar[str] = "{kind}: expired without an answer, confirmed by {confirmed_by}."
    TO: ClassVar[ReferralStatus | None] = S.EXPIRED

    kind: ReferralKind
    confirmed_by: str


class ReferralReassigned(Event):
    TOPIC: ClassVar[str] = "ReferralReassigned"
    SENTENCE: ClassVar[str] = "{kind}: given to {partner_id} instead."

    referral_id: UUID
    new_id: UUID
    kind: ReferralKind
    partner_id: str


class ReferralEnteredInError(_Moved):
    TOPIC: ClassVar[str] = "ReferralEnteredInError"
    SENTENCE: ClassVar[str] = "{kind}: entered in error."
    TO: ClassVar[ReferralStatus | None] = S.ENTERED_IN_ERROR

    kind: ReferralKind
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ReferralReminderSent(Event):
    TOPIC: ClassVar[str] = "ReferralReminderSent"
    SENTENCE: ClassVar[str] = "{kind}: reminder sent to {partner_id} ({step} due {due})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    step: str
    due: AwareDatetime
    rung: str

    def change(self, case: Case) -> None:
        _tell(case, self.referral_id, self.rung, Timeliness.REMINDED)


class ReferralOverdue(Event):
    TOPIC: ClassVar[str] = "ReferralOverdue"
    SENTENCE: ClassVar[str] = "{kind}: {which_due} by {partner_id} is overdue since {due}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    which_due: str
    due: AwareDatetime
    rung: str

    def change(self, case: Case) -> None:
        _tell(case, self.referral_id, self.rung, Timeliness.OVERDUE)


ESCALATED_TO: Final[Mapping[str, str]] = {
    "L1": "CASE_SUPERVISOR",
    "L2": "PROGRAMME_MANAGER",
    "L3": "CHIEF_OF_MISSION",
}


class ReferralEscalated(Event):
    TOPIC: ClassVar[str] = "ReferralEscalated"
    SENTENCE: ClassVar[str] = "{kind}: still no answer from {partner_id}; escalated to {to} ({level})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    level: str
    to: str
    rung: str

    def change(self, case: Case) -> None:
        _tell(case, self.referral_id, self.rung, Timeliness[f"ESCALATED_{self.level}"])


class PartnerSignalIgnored(Event):
    TOPIC: ClassVar[str] = "PartnerSignalIgnored"
    SENTENCE: ClassVar[str] = "A signal ({signal_type}) from {partner_id} changed nothing: {cause}."

    signal_id: UUID
    referral_id: UUID
    partner_id: str
    signal_type: SignalType
    cause: str


class PartnerSignalQuarantined(Told):
    """A signal in doubt waits for a person. Until then it counts against travelling, never for it."""

    TOPIC: ClassVar[str] = "PartnerSignalQuarantined"
    SENTENCE: ClassVar[str] = "{kind}: a signal contradicts what is recorded and waits for a person ({outcome})."

    cause: str
    partner_id: str
    signal_type: SignalType

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed[self.signal_id] = self.timestamp


class QuarantinedSignalResolved(Event):
    TOPIC: ClassVar[str] = "QuarantinedSignalResolved"
    SENTENCE: ClassVar[str] = "The doubtful signal was resolved: {decision}."

    signal_id: UUID
    referral_id: UUID
    decision: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed.pop(self.signal_id, None)


class LateSignalRecorded(Told):
    TOPIC: ClassVar[str] = "LateSignalRecorded"
    SENTENCE: ClassVar[str] = "{kind}: a signal came too late to change anything ({outcome})."

    disposition: str
    partner_id: str
    signal_type: SignalType


def _move(case: Case, event: Told, to: ReferralStatus) -> None:
    referral = case.referrals[event.referral_id]
    referral.status = to
    _on_time(referral, event.timestamp)


def _on_time(referral: Referral, at: datetime) -> None:
    """The partner moved. What was told about a step it still owes is not told again."""
    referral.timeliness, referral.moved_at = Timeliness.ON_TIME, at
    referral.told = {rung for rung in referral.told if rung.startswith(f"{referral.awaited}.")}


def _tell(case: Case, referral_id: UUID, rung: str, timeliness: Timeliness) -> None:
    """Timeliness only worsens until the awaited step happens: a reminder makes nothing less overdue."""
    referral = case.referrals[referral_id]
    referral.told.add(rung)
    referral.timeliness = max(referral.timeliness, timeliness, key=list(Timeliness).index)
