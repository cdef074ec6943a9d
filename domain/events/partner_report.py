"""Events that carry what a partner reported about a referral (rule REFERRAL.STATUS).

The kind of referral decides where the answer is kept: in public fields, under the medical seal, or under the protection
seal.
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

# Base classes


class PartnerReport(Event):
    """Base of the events that carry a partner's report: public fields where allowed, sealed fields where required.

    The answer is kept in one of three fields, by the kind of referral. Data that was not requested is kept under
    ``stripped`` in another of them, so that a reader of answers sees only what was requested.
    """

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    signal_id: UUID
    outcome_code: str | None = None
    occurred_at: AwareDatetime | None = None
    """When it happened, according to the partner's clock."""
    skew_s: int | None = None
    """Seconds by which the stated time is ahead of ours, or behind it (negative); only when notable."""
    received_at: AwareDatetime | None = None
    """When it was received, if it takes effect later."""
    dues: dict[str, AwareDatetime] = Field(default_factory=dict)
    """Due dates (UTC) that this report extends."""
    answer: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    care_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.MED)] = None
    protection_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def visible_answer(self) -> dict[str, Any]:
        """The answer, as far as the reader's compartments allow, without data that was not requested."""
        return next((part for part in self._parts if "payload" in part), {})

    @property
    def content(self) -> dict[str, Any]:
        """The whole payload, including data that was not requested; used to detect repeated reports."""
        stripped = [part.get("stripped") or {} for part in self._parts]
        return {
            name: value
            for part in (self.visible_answer.get("payload") or {}, *stripped)
            for name, value in part.items()
        }

    @property
    def _parts(self) -> list[dict[str, Any]]:
        return [part for part in (self.answer, self.care_answer, self.protection_answer) if part]

    @property
    def outcome(self) -> str | None:
        return self.outcome_code or self.visible_answer.get("outcome_code")

    @property
    def counts_from(self) -> datetime:
        """When the answer takes effect: the earlier of the partner's own date and the receipt.

        See rule CLEARANCE.VALIDITY.
        """
        return min(at for at in (self.occurred_at, self.received_at, self.timestamp) if at is not None)

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "outcome": self.outcome or "outcome sealed"}


class StatusChange(PartnerReport):
    """Base of the reports that move a referral to another status."""

    TOPIC: ClassVar[str] = ""
    TO: ClassVar[ReferralStatus | None] = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, self.TO or referral.status, self.dues)
        referral.is_known()


# Events


class ReferralAcknowledged(StatusChange):
    TOPIC: ClassVar[str] = "ReferralAcknowledged"
    SENTENCE: ClassVar[str] = "{kind}: referral acknowledged by the partner."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.ACKNOWLEDGED


class ReferralAccepted(PartnerReport):
    """The partner accepted. If work has already started, the status of the referral does not change."""

    TOPIC: ClassVar[str] = "ReferralAccepted"
    SENTENCE: ClassVar[str] = "{kind}: referral accepted by the partner."

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.accepted = True
        referral.is_known()
        if referral.status in (ReferralStatus.SENT, ReferralStatus.ACKNOWLEDGED):
            referral.move(self.timestamp, ReferralStatus.ACCEPTED, self.dues)


class ReferralStarted(StatusChange):
    TOPIC: ClassVar[str] = "ReferralStarted"
    SENTENCE: ClassVar[str] = "{kind}: work started by the partner."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.IN_PROGRESS

    inferred_steps: tuple[str, ...] = ()


class ReferralProgressReported(PartnerReport):
    TOPIC: ClassVar[str] = "ReferralProgressReported"
    SENTENCE: ClassVar[str] = "{kind}: progress reported ({outcome:words})."

    partner_seq: int | None = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.is_known()
        referral.last_seq = self.partner_seq if self.partner_seq is not None else referral.last_seq
        referral.put_off_to(self.dues)


class ReferralPaused(StatusChange):
    TOPIC: ClassVar[str] = "ReferralPaused"
    SENTENCE: ClassVar[str] = "{kind}: referral paused by {by}."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.ON_HOLD

    by: Literal["the partner", "us"] = "the partner"
    until: date | None = None

    def apply_to(self, case: Case) -> None:
        super().apply_to(case)
        referral = case.referrals[self.referral_id]
        referral.paused_since, referral.paused_until = self.timestamp, self.until
        referral.pauses += 1

    def sentence_values(self) -> dict[str, Any]:
        return {**super().sentence_values(), "by": "IOM" if self.by == "us" else self.by}


class ReferralResumed(StatusChange):
    """Work was resumed: due dates are extended by the length of the pause."""

    TOPIC: ClassVar[str] = "ReferralResumed"
    SENTENCE: ClassVar[str] = "{kind}: referral resumed."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.IN_PROGRESS

    def apply_to(self, case: Case) -> None:
        super().apply_to(case)
        referral = case.referrals[self.referral_id]
        referral.paused_since = referral.paused_until = None


class ReferralCompleted(StatusChange):
    TOPIC: ClassVar[str] = "ReferralCompleted"
    SENTENCE: ClassVar[str] = "{kind}: referral completed ({outcome:words})."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.COMPLETED

    inferred_steps: tuple[str, ...] = ()

    def apply_to(self, case: Case) -> None:
        super().apply_to(case)
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version, referral.completed_by = self.outcome, 1, self.signal_id


class ReferralReportedAgain(PartnerReport):
    """The same outcome was reported with different details: possibly a second fact, such as a second payment."""

    TOPIC: ClassVar[str] = "ReferralReportedAgain"
    SENTENCE: ClassVar[str] = "{kind}: outcome reported again with different details ({outcome:words})."


class ReferralRejected(StatusChange):
    TOPIC: ClassVar[str] = "ReferralRejected"
    SENTENCE: ClassVar[str] = "{kind}: referral rejected by the partner."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.REJECTED


class ReferralFailed(StatusChange):
    TOPIC: ClassVar[str] = "ReferralFailed"
    SENTENCE: ClassVar[str] = "{kind}: referral failed ({why:words})."
    TO: ClassVar[ReferralStatus | None] = ReferralStatus.FAILED

    why: Literal["PARTNER_FAILED", "PARTNER_WITHDREW"] = "PARTNER_FAILED"


class ReferralOutcomeAmended(PartnerReport):
    """An officer decided that another answer applies, or (without an outcome) that the answer was retracted."""

    TOPIC: ClassVar[str] = "ReferralOutcomeAmended"
    SENTENCE: ClassVar[str] = "{kind}: outcome amended ({outcome:words})."

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
"""Status of an ended referral after a contradicting signal was accepted; any other type completes it."""
