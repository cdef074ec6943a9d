"""Open referrals that end when disclosure to their partners is no longer allowed.

A hold that blocks disclosure to embassies or authorities ends the open referrals to them, whatever its type, so that
the type cannot be inferred (rules INV-03, PROTECTION.INDISTINGUISHABLE). A withdrawn consent or an excluded partner
ends the referrals that the partner has not yet acknowledged; staff decide on those that the partner works on.
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
from domain.referral.disclosure import BY_LETTER, RECIPIENT_OF, blocking_holds, purpose_of
from domain.referral.requests import cancel

DISCLOSURE: Final = frozenset({Block.EMBASSY_DISCLOSURE, Block.AUTHORITY_DISCLOSURE})


def cancel_blocked_referrals(case: Case, event: Event, ctx: Context) -> Iterator[Event]:
    """Cancels the open referrals that an event no longer allows, or raises a task for a decision on them."""
    if type(event) in FOLLOWS:
        yield from FOLLOWS[type(event)](case, event, ctx)


def _after_hold(case: Case, placed: HoldPlaced, ctx: Context) -> Iterator[Event]:
    if not case.holds[placed.hold_id].blocks & DISCLOSURE:
        return
    for referral in _sent(case):
        if RECIPIENT_OF[referral.asked_kind] in BY_LETTER and any(blocking_holds(case, referral.asked_kind)):
            yield from cancel(case, referral, ctx)


def _after_consent_change(
    case: Case, consent: ConsentGiven | ConsentRefused | ConsentWithdrawn, ctx: Context
) -> Iterator[Event]:
    purpose = consent.true_purpose or consent.purpose
    for referral in _sent(case):
        if purpose_of(referral.asked_kind) is purpose and not case.consents_to(purpose, referral.partner_id):
            yield from _cancel_or_raise_task(case, referral, ctx)


def _cancel_or_raise_task(case: Case, referral: Referral, ctx: Context) -> Iterator[Event]:
    if referral.status is ReferralStatus.SENT:
        yield from cancel(case, referral, ctx)
    else:
        within, subject = ctx.policy.pinned.withdrawal_contact, str(referral.referral_id)
        yield task("decide on a referral without consent", "CASE_SUPERVISOR", within, ctx, subject=subject)


def _sent(case: Case) -> list[Referral]:
    return [referral for referral in case.open_referrals() if referral.status is not ReferralStatus.DRAFT]


FOLLOWS: Final[Mapping[type[Event], Callable[[Case, Any, Context], Iterator[Event]]]] = {
    HoldPlaced: _after_hold,
    ConsentGiven: _after_consent_change,
    ConsentRefused: _after_consent_change,
    ConsentWithdrawn: _after_consent_change,
}
