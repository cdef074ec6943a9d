"""What is recorded of a partner's answers: every step of the closed loop (rule REFERRAL.STATUS).

What a partner answered stands where the kind of referral keeps it: in public, under the medical seal, or protected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.case.aggregate import Case
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.vocabulary import ReferralKind, ReferralStatus, SignalType

# What a partner told, outside the eyes of those who need not know


class PartnerReport(Event):
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
        """From when an answer counts: the earlier of the partner's own date and the receipt.

        See rule CLEARANCE.VALIDITY.
        """
        return min(at for at in (self.occurred_at, self.received_at, self.timestamp) if at is not None)

    def say(self) -> str:
        return self.SENTENCE.format_map({**self.facts, "outcome": self.outcome or "outcome sealed"})


class StatusChange(PartnerReport):
    """Base of what moves a referral to another status."""

    TOPIC: ClassVar[str] = ""
    TO: ClassVar[ReferralStatus | None] = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, self.TO or referral.status, self.dues)
        referral.is_known()


# Answers


class ReferralAcknowledged(StatusChange):
    TOPIC: ClassVar[str] = "ReferralAcknowledged"
    SENTENCE: ClassVar[str] = "{kind}: the partner has received the referral."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.ACKNOWLEDGED


class ReferralAccepted(PartnerReport):
    """The partner will do it. Heard after it had begun, the referral stays where it is."""

    TOPIC: ClassVar[str] = "ReferralAccepted"
    SENTENCE: ClassVar[str] = "{kind}: accepted by the partner."

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.accepted = True
        referral.is_known()
        if referral.status in (ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED):
            referral.move(self.timestamp, ReferralStatus.ACCEPTED, self.dues)


class ReferralStarted(StatusChange):
    TOPIC: ClassVar[str] = "ReferralStarted"
    SENTENCE: ClassVar[str] = "{kind}: the partner has begun."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.IN_PROGRESS

    inferred_steps: tuple[str, ...] = ()


class ReferralProgressReported(PartnerReport):
    TOPIC: ClassVar[str] = "ReferralProgressReported"
    SENTENCE: ClassVar[str] = "{kind}: progress reported ({outcome})."

    partner_seq: int | None = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.is_known()
        referral.last_seq = self.partner_seq if self.partner_seq is not None else referral.last_seq
        referral.put_off_to(self.dues)


class ReferralPaused(StatusChange):
    TOPIC: ClassVar[str] = "ReferralPaused"
    SENTENCE: ClassVar[str] = "{kind}: paused by {by}."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.ON_HOLD

    by: Literal["the partner", "us"] = "the partner"
    until: date | None = None

    def apply_to(self, case: Case) -> None:
        super().apply_to(case)
        referral = case.referrals[self.referral_id]
        referral.paused_since, referral.paused_until = self.timestamp, self.until
        referral.pauses += 1


class ReferralResumed(StatusChange):
    """Taken up again: what was owed is owed later, by as long as the pause lasted."""

    TOPIC: ClassVar[str] = "ReferralResumed"
    SENTENCE: ClassVar[str] = "{kind}: taken up again."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.IN_PROGRESS

    def apply_to(self, case: Case) -> None:
        super().apply_to(case)
        referral = case.referrals[self.referral_id]
        referral.paused_since = referral.paused_until = None


class ReferralCompleted(StatusChange):
    TOPIC: ClassVar[str] = "ReferralCompleted"
    SENTENCE: ClassVar[str] = "{kind}: completed ({outcome})."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.COMPLETED

    inferred_steps: tuple[str, ...] = ()

    def apply_to(self, case: Case) -> None:
        super().apply_to(case)
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version, referral.completed_by = self.outcome, 1, self.signal_id


class ReferralReportedAgain(PartnerReport):
    """The same outcome with particulars of its own: perhaps a second fact, such as a second payment."""

    TOPIC: ClassVar[str] = "ReferralReportedAgain"
    SENTENCE: ClassVar[str] = "{kind}: reported once more, with other particulars ({outcome})."


class ReferralRejected(StatusChange):
    TOPIC: ClassVar[str] = "ReferralRejected"
    SENTENCE: ClassVar[str] = "{kind}: the partner said no."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.REJECTED


class ReferralFailed(StatusChange):
    TOPIC: ClassVar[str] = "ReferralFailed"
    SENTENCE: ClassVar[str] = "{kind}: the partner could not do it ({why})."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.FAILED

    why: Literal["PARTNER_FAILED", "PARTNER_WITHDREW"] = "PARTNER_FAILED"


class ReferralOutcomeAmended(PartnerReport):
    """A person has decided that another answer counts, or (without an outcome) that the answer was taken back."""

    TOPIC: ClassVar[str] = "ReferralOutcomeAmended"
    SENTENCE: ClassVar[str] = "{kind}: the outcome was amended ({outcome})."

    approved_by: str
    signal_type: SignalType
    supersedes: UUID | None = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.moved_at = AMENDED_TO.get(self.signal_type, ReferralStatus.COMPLETED), self.timestamp
        referral.outcome, referral.outcome_version = self.outcome, referral.outcome_version + 1
        referral.completed_by = self.signal_id


AMENDED_TO: Final[Mapping[SignalType, ReferralStatus]] = {
    SignalType.REJECTED: ReferralStatus.REJECTED,
    SignalType.FAILED: ReferralStatus.FAILED,
    SignalType.PARTNER_CANCELLED: ReferralStatus.FAILED,
}
"""How a referral that had ended stands once a contradicting signal counts; any other completes it."""
