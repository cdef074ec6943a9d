"""What is recorded of a referral on our side: that it was asked, sent, changed, brought, ended (rule REFERRAL.STATUS).

What a partner answered, what its silence brings and what is in doubt stand in `referral_answers`, `referral_silence`
and `referral_doubt`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Interview
from domain.kernel.vocabulary import ReferralKind, ReferralStatus


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
    SENTENCE: ClassVar[str] = "Referral for {kind} sent to {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    token: str
    dues: dict[str, AwareDatetime]
    """When each step is due, and until when the request stands."""

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.token = ReferralStatus.SENT, self.token
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

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        unknown = referral.status is ReferralStatus.SENT and not referral.known
        referral.undelivered = referral.undelivered or (self.letter == "referral.sent" and unknown)


class ReferralHandedOver(Event):
    TOPIC: ClassVar[str] = "ReferralHandedOver"
    SENTENCE: ClassVar[str] = "{kind}: brought to {partner_id} by a person ({how})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    how: str

    def apply_to(self, case: Case) -> None:
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

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, ReferralStatus.CANCELLED)
        referral.by_rule, referral.tell_end_at = self.by_rule, self.tell_at


class ReferralCancellationNotified(Event):
    TOPIC: ClassVar[str] = "ReferralCancellationNotified"
    SENTENCE: ClassVar[str] = "The partner is told that the referral for {kind} has ended."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: str

    def apply_to(self, case: Case) -> None:
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

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].move(self.timestamp, ReferralStatus.EXPIRED)


class ReferralEnteredInError(Event):
    TOPIC: ClassVar[str] = "ReferralEnteredInError"
    SENTENCE: ClassVar[str] = "{kind}: entered in error."

    referral_id: UUID
    kind: ReferralKind
    tell_at: AwareDatetime | None = None
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.move(self.timestamp, ReferralStatus.ENTERED_IN_ERROR)
        referral.tell_end_at = self.tell_at


# Handing one out


class ReferralListed(Event):
    TOPIC: ClassVar[str] = "ReferralListed"
    SENTENCE: ClassVar[str] = "{kind}: listed on a sheet for {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    sheet_id: UUID

    def apply_to(self, case: Case) -> None:
        case.referrals[self.referral_id].is_known()
