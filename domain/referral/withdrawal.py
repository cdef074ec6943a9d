"""What must not leave any more: which open referrals end once nothing may be told to their partners.

A hold against embassies or authorities ends what is open with them, whatever kind of hold it is, so that none can be
told by it (rules INV-03, PROTECTION.INDISTINGUISHABLE). A consent that is taken back, or an organisation that is
excluded, ends what the partner has not answered yet; what is under way is for a person to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import task
from domain.events.case import HoldPlaced
from domain.events.screening import ConsentGiven, ConsentRefused, ConsentWithdrawn
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.vocabulary import Block, ReferralStatus
from domain.referral.disclosure import BY_LETTER, RECIPIENT_OF, purpose_of, stopped_by
from domain.referral.requests import cancel

DISCLOSURE: Final = frozenset({Block.EMBASSY_DISCLOSURE, Block.AUTHORITY_DISCLOSURE})


def withheld(case: Case, event: Event, ctx: Context) -> Iterator[Event]:
    """What a fact means for referrals that are open."""
    if type(event) in FOLLOWS:
        yield from FOLLOWS[type(event)](case, event, ctx)


def _under_a_hold(case: Case, placed: HoldPlaced, ctx: Context) -> Iterator[Event]:
    if not case.holds[placed.hold_id].blocks & DISCLOSURE:
        return
    for referral in _sent(case):
        if RECIPIENT_OF[referral.asked_kind] in BY_LETTER and any(stopped_by(case, referral.asked_kind)):
            yield from cancel(case, referral, ctx)


def _without_consent(
    case: Case, said: ConsentGiven | ConsentRefused | ConsentWithdrawn, ctx: Context
) -> Iterator[Event]:
    purpose = said.true_purpose or said.purpose
    for referral in _sent(case):
        if purpose_of(referral.asked_kind) is purpose and not case.consents_to(purpose, referral.partner_id):
            yield from _unless_under_way(case, referral, ctx)


def _unless_under_way(case: Case, referral: Referral, ctx: Context) -> Iterator[Event]:
    if referral.status is ReferralStatus.SENT:
        yield from cancel(case, referral, ctx)
    else:
        within, subject = ctx.policy.pinned.withdrawal_contact, str(referral.referral_id)
        yield task("decide on a referral without consent", "CASE_SUPERVISOR", within, ctx, subject=subject)


def _sent(case: Case) -> list[Referral]:
    return [referral for referral in case.open_referrals() if referral.status is not ReferralStatus.DRAFT]


FOLLOWS: Final[Mapping[type[Event], Callable[[Case, Any, Context], Iterator[Event]]]] = {
    HoldPlaced: _under_a_hold,
    ConsentGiven: _without_consent,
    ConsentRefused: _without_consent,
    ConsentWithdrawn: _without_consent,
}
