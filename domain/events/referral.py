"""Events of a referral on the programme's side: created, sent, amended, delivered, ended (rule REFERRAL.STATUS).

Reports of partners are in ``partner_report.py``, reminders and escalations in ``escalation.py``, and quarantined or
ignored signals in ``signal.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Interview
from domain.kernel.sentences import sentence
from domain.kernel.vocabulary import Purpose, ReferralKind, ReferralStatus


class ReferralCreated(Event):
    TOPIC: ClassVar[str] = "ReferralCreated"
    SENTENCE: ClassVar[str] = "Referral created: {kind}, for {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    urgent: bool = False
    replaces: UUID | None = None
    item: str | None = None
    informed: bool = False
    """Whether the person agreed after being informed that this partner must report to authorities."""
    true_kind: Annotated[ReferralKind | None, Sealed(Compartment.PROT)] = None
    interview: Annotated[Interview | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
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
            version=self.originator_version,
        )


class ReferralSent(Event):
    TOPIC: ClassVar[str] = "ReferralSent"
    SENTENCE: ClassVar[str] = "Referral sent: {kind}, to {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    token: str
    dues: dict[str, AwareDatetime]
    """When each step is due (UTC), and when the request expires."""

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.token = ReferralStatus.SENT, self.token
        referral.sent_at = referral.moved_at = self.timestamp
        referral.dues = dict(self.dues)


class ReferralAmended(Event):
    """The request changed on our side; the partner receives its minimum data set again."""

    TOPIC: ClassVar[str] = "ReferralAmended"
    SENTENCE: ClassVar[str] = "{kind}: amended referral sent to {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str


class DisclosureRecorded(Event):
    """Personal data is disclosed to a partner (recipient, fields, consent), or was received without being requested.

    Recorded when the message is prepared. The outbox knows whether the message was delivered or withdrawn.
    """

    TOPIC: ClassVar[str] = "DisclosureRecorded"
    SENTENCE: ClassVar[str] = "Personal data disclosed to {recipient}: {fields:field} (consent: {purpose})."

    recipient: str
    fields: tuple[str, ...] = ()
    consent: str = ""
    direction: Literal["OUT", "IN"] = "OUT"
    referral_id: UUID | None = None
    stripped: bool = False
    not_asked_for: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None

    def say(self) -> str:
        return sentence(RECEIVED, self.facts) if self.direction == "IN" else super().say()

    def sentence_values(self) -> dict[str, Any]:
        known = self.consent in Purpose.__members__
        return {**self.facts, "purpose": Purpose(self.consent) if known else self.consent}


RECEIVED: Final = "Data that was not requested received from {recipient}; sealed separately from the answer."


class ReferralDeliveryFailed(Event):
    TOPIC: ClassVar[str] = "ReferralDeliveryFailed"
    SENTENCE: ClassVar[str] = "Message to {partner_id} not delivered ({cause:words}); manual follow-up required."

    referral_id: UUID
    partner_id: str
    cause: str = "GAVE_UP"
    letter: str = "referral.sent"

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        unknown = referral.status is ReferralStatus.SENT and not referral.known
        referral.undelivered = referral.undelivered or (self.letter == "referral.sent" and unknown)


class ReferralHandedOver(Event):
    TOPIC: ClassVar[str] = "ReferralHandedOver"
    SENTENCE: ClassVar[str] = "{kind}: referral delivered to {partner_id} manually ({how:words})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    how: str

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].is_known()


class ReferralCancelled(Event):
    """The programme ended the referral. The external reason is neutral; the internal reason is sealed.

    ``by_rule`` distinguishes a cancellation that follows from a rule, after which the referral may be created again
    automatically, from one that staff ordered. ``tell_at`` is when the partner is notified with the next scheduled
    messages; without it the partner is notified at once, or there is nothing to notify.
    """

    TOPIC: ClassVar[str] = "ReferralCancelled"
    SENTENCE: ClassVar[str] = "{kind}: referral cancelled (reason: {reason_external:words})."

    referral_id: UUID
    kind: ReferralKind
    reason_external: str = "CASE_NOT_PROCEEDING"
    by_rule: bool = False
    tell_at: AwareDatetime | None = None
    reason_internal: Annotated[str | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, ReferralStatus.CANCELLED)
        referral.by_rule, referral.tell_end_at = self.by_rule, self.tell_at


class ReferralCancellationNotified(Event):
    TOPIC: ClassVar[str] = "ReferralCancellationNotified"
    SENTENCE: ClassVar[str] = "{kind}: {partner_id} notified that the referral has ended."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: str

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].tell_end_at = None


class ReferralReassigned(Event):
    TOPIC: ClassVar[str] = "ReferralReassigned"
    SENTENCE: ClassVar[str] = "{kind}: referral reassigned to {partner_id}."

    referral_id: UUID
    new_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ReferralExpired(Event):
    TOPIC: ClassVar[str] = "ReferralExpired"
    SENTENCE: ClassVar[str] = "{kind}: referral expired without an answer, confirmed by {confirmed_by:actor}."

    referral_id: UUID
    kind: ReferralKind
    confirmed_by: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].move(self.timestamp, ReferralStatus.EXPIRED)


class ReferralEnteredInError(Event):
    TOPIC: ClassVar[str] = "ReferralEnteredInError"
    SENTENCE: ClassVar[str] = "{kind}: referral marked as entered in error."

    referral_id: UUID
    kind: ReferralKind
    tell_at: AwareDatetime | None = None
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, ReferralStatus.ENTERED_IN_ERROR)
        referral.tell_end_at = self.tell_at


# Sheets


class ReferralListed(Event):
    TOPIC: ClassVar[str] = "ReferralListed"
    SENTENCE: ClassVar[str] = "{kind}: listed on a sheet for {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    sheet_id: UUID

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].is_known()
