"""Asking a partner: a referral is prepared, sent with its minimum data, cancelled in neutral words, given to another.

Nothing leaves without a consent in force (INV-08), and nothing while a hold forbids telling this recipient.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from domain.calendar import calendar_of
from domain.case import Case
from domain.event import Event
from domain.messages import (
    CancelReferral,
    ConfirmReferralExpiry,
    CreateReferral,
    MarkReferralEnteredInError,
    ReassignReferral,
    SendReferral,
)
from domain.moment import Moment, Refused
from domain.partner import MAY_SEE, PUBLIC_PURPOSE, RECIPIENT_OF, minimum_data, purpose_of, stopped_by
from domain.referral import (
    DisclosureRecorded,
    ReferralCancellationNotified,
    ReferralCancelled,
    ReferralCreated,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralReassigned,
    ReferralSent,
)
from domain.referral_state import Referral
from domain.steps import end_of, granted_by, task
from domain.words import (
    PUBLIC_KIND,
    ClearanceKind,
    ReferralKind,
    ReferralStatus,
    Timeliness,
)

S = ReferralStatus


def create(
    case: Case,
    kind: ReferralKind,
    m: Moment,
    *,
    partner_id: str | None = None,
    urgent: bool = False,
    replaces: UUID | None = None,
    item: str | None = None,
) -> Iterator[Event]:
    """Prepare a referral for a partner that takes this kind; a task for a person where there is none."""
    partner = m.directory.get(partner_id) if partner_id else m.directory.for_kind(kind, case.country_of_return)
    public = PUBLIC_KIND.get(kind, kind)
    if partner is None or kind not in partner.kinds:
        wanted = task(f"find a partner for {public}", "CASE_SUPERVISOR", m.policy.pinned.quarantine_review, m)
        if all(open_task.task != wanted.task for open_task in case.tasks.values()):
            yield wanted
        return
    yield ReferralCreated(
        referral_id=m.new_id(f"referral:{len(case.referrals)}"),
        kind=public,
        partner_id=partner.partner_id,
        urgent=urgent,
        replaces=replaces,
        item=item,
        true_kind=kind if public is not kind else None,
    )


def why_not_send(case: Case, referral: Referral) -> str | None:
    """What forbids sending: consent not in force (INV-08), or a hold that stops telling this recipient."""
    purpose = purpose_of(referral.asked_kind)
    if not case.consents_to(purpose, referral.partner_id):
        return f"CONSENT.{PUBLIC_PURPOSE.get(purpose, purpose)}"
    return next((f"HOLD.{name}" for name in stopped_by(case, referral.asked_kind)), None)


def send(case: Case, referral: Referral, m: Moment) -> Iterator[Event]:
    """Send a draft and record what it discloses, in one decision. Guarded by ``why_not_send``."""
    answer = case.policy.pinned.answers[referral.asked_kind]
    partner = m.directory.get(referral.partner_id)
    calendar = partner.calendar if partner else calendar_of(None)
    dues = {name: calendar.after(m.at, getattr(answer, name)) for name in ("ack", "complete", "stands")}
    yield ReferralSent(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        token=m.token(),
        dues=dues,
    )
    recipient, purpose = RECIPIENT_OF[referral.asked_kind], purpose_of(referral.asked_kind)
    yield DisclosureRecorded(
        recipient=referral.partner_id,
        fields=tuple(sorted(minimum_data(case, referral).keys() & MAY_SEE[recipient])),
        consent=PUBLIC_PURPOSE.get(purpose, purpose),
        referral_id=referral.referral_id,
    )


def refer(
    case: Case, kind: ReferralKind, m: Moment, *, urgent: bool = False, item: str | None = None
) -> Iterator[Event]:
    """Prepare a referral and send it, as far as consent and holds allow. A draft that may not go waits."""
    for event in create(case, kind, m, urgent=urgent, item=item):
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], m)


def send_if_allowed(case: Case, referral: Referral, m: Moment) -> Iterator[Event]:
    if referral.status is S.DRAFT and why_not_send(case, referral) is None:
        yield from send(case, referral, m)


def send_drafts(case: Case, m: Moment) -> Iterator[Event]:
    """Send what waited for a consent or for a hold to be lifted."""
    for referral in list(case.open_referrals()):
        yield from send_if_allowed(case, referral, m)


def cancel(case: Case, referral: Referral, m: Moment, reason: str | None = None) -> Iterator[Event]:
    """End a referral and tell the partner, in words that explain nothing."""
    if referral.over:
        return
    was_sent = referral.status is not S.DRAFT
    yield ReferralCancelled(referral_id=referral.referral_id, kind=referral.kind, reason_internal=reason)
    if was_sent:
        yield ReferralCancellationNotified(
            referral_id=referral.referral_id,
            kind=referral.kind,
            partner_id=referral.partner_id,
            reason="CASE_NOT_PROCEEDING",
        )


def should_ask(case: Case, clearance: ClearanceKind, kind: ReferralKind, m: Moment) -> bool:
    """Whether nobody has been asked yet for a permission, or what was answered has lapsed since.

    A referral that a partner turned down is not asked again by itself: reassigning it is a person's decision.
    """
    if case.has_clearance(clearance, m.at):
        return False
    asked, ended = case.referrals_of(kind), case.clearances.get(clearance)
    if not asked:
        return True
    if asked[-1].status in (S.REJECTED, S.FAILED):
        return False
    return ended is not None and all(referral.over for referral in asked) and ended.since >= asked[-1].since


# Staff's orders


def _find(case: Case, referral_id: UUID) -> Referral:
    referral = case.referrals.get(referral_id)
    if referral is None:
        raise Refused("REFERRAL.UNKNOWN", f"this case has no referral {referral_id}", field="referral_id")
    return referral


def on_create(case: Case, order: CreateReferral, m: Moment) -> Iterator[Event]:
    if order.partner_id is not None:
        _insist_on_partner(order.partner_id, order.kind, m)
    for event in create(case, order.kind, m, partner_id=order.partner_id, urgent=order.urgent):
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], m)


def _insist_on_partner(partner_id: str, kind: ReferralKind, m: Moment) -> None:
    partner = m.directory.get(partner_id)
    if partner is None:
        raise Refused(
            "PARTNER.UNKNOWN", f"no active partner {partner_id!r}; see `awda partner list`", field="partner_id"
        )
    if kind not in partner.kinds:
        raise Refused("PARTNER.KIND", f"{partner_id!r} does not take referrals for {kind}", field="kind")


def on_send(case: Case, order: SendReferral, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.status is not S.DRAFT:
        raise Refused("REFERRAL.NOT_A_DRAFT", f"the referral is {referral.status}; only a draft is sent")
    if reason := why_not_send(case, referral):
        raise Refused(reason, "without it nothing may leave; record the consent, or have the hold reviewed")
    yield from send(case, referral, m)


def on_cancel(case: Case, order: CancelReferral, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.over:
        raise Refused("REFERRAL.OVER", f"the referral is already {referral.status}")
    yield from cancel(case, referral, m, order.reason)


def on_reassign(case: Case, order: ReassignReferral, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.status not in (S.REJECTED, S.FAILED, S.EXPIRED):
        raise Refused(
            "REFERRAL.NOT_ENDED", f"only a rejected, failed or expired referral is reassigned; it is {referral.status}"
        )
    _insist_on_partner(order.partner_id, referral.asked_kind, m)
    new = m.new_id(f"referral:{len(case.referrals)}")
    yield ReferralReassigned(
        referral_id=referral.referral_id, new_id=new, kind=referral.kind, partner_id=order.partner_id
    )
    yield from create(
        case,
        referral.asked_kind,
        m,
        partner_id=order.partner_id,
        urgent=referral.urgent,
        replaces=referral.referral_id,
        item=referral.item,
    )
    yield from send_if_allowed(case, case.referrals[new], m)


def on_expiry(case: Case, order: ConfirmReferralExpiry, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.over or referral.timeliness is Timeliness.ON_TIME:
        raise Refused("REFERRAL.NOT_OVERDUE", f"the referral is {referral.status} and {referral.timeliness}")
    yield ReferralExpired(referral_id=referral.referral_id, kind=referral.kind, confirmed_by=m.actor)


def on_error(case: Case, order: MarkReferralEnteredInError, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    yield ReferralEnteredInError(referral_id=referral.referral_id, kind=referral.kind, reason=order.reason)
    yield from end_of(case, granted_by(case, referral.referral_id), "REFERRAL_ENTERED_IN_ERROR")
