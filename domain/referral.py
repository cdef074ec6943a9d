"""What is recorded of a referral: every fact of its closed loop, from draft to its end (domain.md 5.1).

What a partner answered stands where the kind of referral keeps it: in public, under the medical seal, or protected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.case import Case
from domain.event import Compartment, Event, Sealed
from domain.person import Interview
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
    """Base of facts that carry what a partner said: public where it may be, sealed where it must be.

    The answer stands in one of three places, by the kind of referral; what a partner told beyond that stands under
    ``stripped`` in another, so that whoever may read answers reads no more than was asked for.
    """

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    signal_id: UUID
    outcome_code: str | None = None
    occurred_at: AwareDatetime | None = None
    """When it happened, by the partner's clock."""
    skew_s: int | None = None
    """By how many seconds that clock is ahead of ours, or what it says lies back (negative), if that is remarkable."""
    received_at: AwareDatetime | None = None
    """When it was received, where it takes effect only later."""
    dues: dict[str, AwareDatetime] = Field(default_factory=dict)
    """Due dates that this puts off."""
    answer: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    care_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.MED)] = None
    protection_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def told(self) -> dict[str, Any]:
        """What was answered, as far as this reader may know, without what was not asked for."""
        return next((part for part in self._parts if "payload" in part), {})

    @property
    def content(self) -> dict[str, Any]:
        """All that the payload held, wherever it stands now: for telling whether something was said before."""
        stripped = [part.get("stripped") or {} for part in self._parts]
        return {name: value for part in (self.told.get("payload") or {}, *stripped) for name, value in part.items()}

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return [part for part in (self.answer, self.care_answer, self.protection_answer) if part]

    @property
    def outcome(self) -> str | None:
        return self.outcome_code or self.told.get("outcome_code")

    @property
    def counts_from(self) -> datetime:
        """From when an answer counts: the earlier of the partner's own date and the receipt (domain.md 00, 3)."""
        return min(at for at in (self.occurred_at, self.received_at, self.timestamp) if at is not None)

    def say(self) -> str:
        return self.SENTENCE.format_map({**self.facts, "outcome": self.outcome or "outcome sealed"})


class Moved(Told):
    """Base of what moves a referral to another status."""

    TOPIC: ClassVar[str] = ""
    TO: ClassVar[ReferralStatus | None] = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, self.TO or referral.status, self.dues)
        referral.is_known()


# Asking


class ReferralCreated(Event):
    TOPIC: ClassVar[str] = "ReferralCreated"
    SENTENCE: ClassVar[str] = "Referral for {kind} prepared for {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    urgent: bool = False
    replaces: UUID | None = None
    item: str | None = None
    informed: bool = False
    """Whether the person was told that this partner must report to authorities, and wants it all the same."""
    true_kind: Annotated[ReferralKind | None, Sealed(Compartment.PROT)] = None
    interview: Annotated[Interview | None, Sealed(Compartment.GEN)] = None

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
            informed=self.informed,
            interview=self.interview,
        )


class ReferralSent(Event):
    TOPIC: ClassVar[str] = "ReferralSent"
    SENTENCE: ClassVar[str] = "Referral for {kind} sent to {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    token: str
    dues: dict[str, AwareDatetime]
    """When each step is due, and until when the request stands."""

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.token = S.SENT, self.token
        referral.sent_at = referral.moved_at = self.timestamp
        referral.dues = dict(self.dues)


class ReferralAmended(Event):
    """What was asked has changed on our side; the partner gets its row of the minimum data once more."""

    TOPIC: ClassVar[str] = "ReferralAmended"
    SENTENCE: ClassVar[str] = "{kind}: {partner_id} is told what has changed."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str


class DisclosureRecorded(Event):
    """Personal data is to leave the programme: to whom, which fields, on which consent. Or came, and was not asked for.

    Whether it left is known where the message that carries it was delivered, or taken back.
    """

    TOPIC: ClassVar[str] = "DisclosureRecorded"
    SENTENCE: ClassVar[str] = "To be told to {recipient}: {fields}; on the consent {consent}."

    recipient: str
    fields: tuple[str, ...] = ()
    consent: str = ""
    direction: Literal["OUT", "IN"] = "OUT"
    referral_id: UUID | None = None
    stripped: bool = False
    not_asked_for: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None

    def say(self) -> str:
        if self.direction == "IN":
            return f"{self.recipient} told more than it was asked; that is sealed apart from its answer."
        return super().say()


class ReferralDeliveryFailed(Event):
    TOPIC: ClassVar[str] = "ReferralDeliveryFailed"
    SENTENCE: ClassVar[str] = "A message to {partner_id} could not be delivered ({cause}); a person sees to it."

    referral_id: UUID
    partner_id: str
    cause: str = "GAVE_UP"
    letter: str = "referral.sent"

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        unknown = referral.status is S.SENT and not referral.known
        referral.undelivered = referral.undelivered or (self.letter == "referral.sent" and unknown)


class ReferralHandedOver(Event):
    TOPIC: ClassVar[str] = "ReferralHandedOver"
    SENTENCE: ClassVar[str] = "{kind}: brought to {partner_id} by a person ({how})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    how: str

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].is_known()


class ReferralCancelled(Event):
    """Ended by us. The reason told outside is neutral; the real one is sealed.

    ``by_rule`` tells an order of staff from what follows from a rule and may be asked again by itself. ``tell_at`` is
    when the partner is told with the next ordinary letters; without it the partner is told at once, or has nothing to
    be told of.
    """

    TOPIC: ClassVar[str] = "ReferralCancelled"
    SENTENCE: ClassVar[str] = "{kind}: cancelled ({reason_external})."

    referral_id: UUID
    kind: ReferralKind
    reason_external: str = "CASE_NOT_PROCEEDING"
    by_rule: bool = False
    tell_at: AwareDatetime | None = None
    reason_internal: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, S.CANCELLED)
        referral.by_rule, referral.tell_end_at = self.by_rule, self.tell_at


class ReferralCancellationNotified(Event):
    TOPIC: ClassVar[str] = "ReferralCancellationNotified"
    SENTENCE: ClassVar[str] = "The partner is told that the referral for {kind} has ended."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: str

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].tell_end_at = None


class ReferralReassigned(Event):
    TOPIC: ClassVar[str] = "ReferralReassigned"
    SENTENCE: ClassVar[str] = "{kind}: given to {partner_id} instead."

    referral_id: UUID
    new_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ReferralExpired(Event):
    TOPIC: ClassVar[str] = "ReferralExpired"
    SENTENCE: ClassVar[str] = "{kind}: expired without an answer, confirmed by {confirmed_by}."

    referral_id: UUID
    kind: ReferralKind
    confirmed_by: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].move(self.timestamp, S.EXPIRED)


class ReferralEnteredInError(Event):
    TOPIC: ClassVar[str] = "ReferralEnteredInError"
    SENTENCE: ClassVar[str] = "{kind}: entered in error."

    referral_id: UUID
    kind: ReferralKind
    tell_at: AwareDatetime | None = None
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, S.ENTERED_IN_ERROR)
        referral.tell_end_at = self.tell_at


# Answers


class ReferralAcknowledged(Moved):
    TOPIC: ClassVar[str] = "ReferralAcknowledged"
    SENTENCE: ClassVar[str] = "{kind}: the partner has received the referral."
    TO: ClassVar[ReferralStatus | None] = S.ACKNOWLEDGED


class ReferralAccepted(Told):
    """The partner will do it. Heard after it had begun, the referral stays where it is."""

    TOPIC: ClassVar[str] = "ReferralAccepted"
    SENTENCE: ClassVar[str] = "{kind}: accepted by the partner."

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.accepted = True
        referral.is_known()
        if referral.status in (S.SENT, S.ACKNOWLEDGED):
            referral.move(self.timestamp, S.ACCEPTED, self.dues)


class ReferralStarted(Moved):
    TOPIC: ClassVar[str] = "ReferralStarted"
    SENTENCE: ClassVar[str] = "{kind}: the partner has begun."
    TO: ClassVar[ReferralStatus | None] = S.IN_PROGRESS

    inferred_steps: tuple[str, ...] = ()


class ReferralProgressReported(Told):
    TOPIC: ClassVar[str] = "ReferralProgressReported"
    SENTENCE: ClassVar[str] = "{kind}: progress reported ({outcome})."

    partner_seq: int | None = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.is_known()
        referral.last_seq = self.partner_seq if self.partner_seq is not None else referral.last_seq
        referral.put_off_to(self.dues)


class ReferralPaused(Moved):
    TOPIC: ClassVar[str] = "ReferralPaused"
    SENTENCE: ClassVar[str] = "{kind}: paused by {by}."
    TO: ClassVar[ReferralStatus | None] = S.ON_HOLD

    by: Literal["the partner", "us"] = "the partner"
    until: date | None = None

    def change(self, case: Case) -> None:
        super().change(case)
        referral = case.referrals[self.referral_id]
        referral.paused_since, referral.paused_until = self.timestamp, self.until
        referral.pauses += 1


class ReferralResumed(Moved):
    """Taken up again: what was owed is owed later, by as long as the pause lasted."""

    TOPIC: ClassVar[str] = "ReferralResumed"
    SENTENCE: ClassVar[str] = "{kind}: taken up again."
    TO: ClassVar[ReferralStatus | None] = S.IN_PROGRESS

    def change(self, case: Case) -> None:
        super().change(case)
        referral = case.referrals[self.referral_id]
        referral.paused_since = referral.paused_until = None


class ReferralCompleted(Moved):
    TOPIC: ClassVar[str] = "ReferralCompleted"
    SENTENCE: ClassVar[str] = "{kind}: completed ({outcome})."
    TO: ClassVar[ReferralStatus | None] = S.COMPLETED

    inferred_steps: tuple[str, ...] = ()

    def change(self, case: Case) -> None:
        super().change(case)
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version, referral.completed_by = self.outcome, 1, self.signal_id


class ReferralReportedAgain(Told):
    """The same outcome with particulars of its own: perhaps a second fact, such as a second payment."""

    TOPIC: ClassVar[str] = "ReferralReportedAgain"
    SENTENCE: ClassVar[str] = "{kind}: reported once more, with other particulars ({outcome})."


class ReferralRejected(Moved):
    TOPIC: ClassVar[str] = "ReferralRejected"
    SENTENCE: ClassVar[str] = "{kind}: the partner said no."
    TO: ClassVar[ReferralStatus | None] = S.REJECTED


class ReferralFailed(Moved):
    TOPIC: ClassVar[str] = "ReferralFailed"
    SENTENCE: ClassVar[str] = "{kind}: the partner could not do it ({why})."
    TO: ClassVar[ReferralStatus | None] = S.FAILED

    why: Literal["PARTNER_FAILED", "PARTNER_WITHDREW"] = "PARTNER_FAILED"


class ReferralOutcomeAmended(Told):
    """A person has decided that another answer counts, or (without an outcome) that the answer was taken back."""

    TOPIC: ClassVar[str] = "ReferralOutcomeAmended"
    SENTENCE: ClassVar[str] = "{kind}: the outcome was amended ({outcome})."

    approved_by: str
    signal_type: SignalType
    supersedes: UUID | None = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.moved_at = AMENDED_TO.get(self.signal_type, S.COMPLETED), self.timestamp
        referral.outcome, referral.outcome_version = self.outcome, referral.outcome_version + 1
        referral.completed_by = self.signal_id


AMENDED_TO: Final[Mapping[SignalType, ReferralStatus]] = {
    SignalType.REJECTED: S.REJECTED,
    SignalType.FAILED: S.FAILED,
    SignalType.PARTNER_CANCELLED: S.FAILED,
}
"""How a referral that had ended stands once a contradicting signal counts; any other completes it."""


# Silence


class _OfTheLadder(Event):
    """Base of what silence brings; ``rung`` is told once for each time the step is owed."""

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    rung: str

    def change(self, case: Case) -> None:
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


# Doubt


class PartnerSignalIgnored(Told):
    """It changed nothing. What it said is kept all the same."""

    TOPIC: ClassVar[str] = "PartnerSignalIgnored"
    SENTENCE: ClassVar[str] = "A signal ({signal_type}) from {partner_id} changed nothing: {cause}."

    partner_id: str
    signal_type: SignalType
    cause: str


class PartnerSignalQuarantined(Told):
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
