"""Asking a partner: a referral is prepared, sent with its minimum data, ended in neutral words, given to another.

Nothing leaves without a consent in force (INV-08), and nothing while a hold forbids telling this recipient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.case.aggregate import Case, Clearance
from domain.case.referral import Referral
from domain.clearance.actions import task
from domain.commands.referral import (
    AmendReferral,
    CancelReferral,
    ConfirmReferralExpiry,
    CreateReferral,
    MarkReferralEnteredInError,
    PauseReferral,
    ReassignReferral,
    ResumeReferral,
    SendReferral,
)
from domain.events.partner_report import ReferralPaused, ReferralResumed
from domain.events.referral import (
    DisclosureRecorded,
    ReferralAmended,
    ReferralCancellationNotified,
    ReferralCancelled,
    ReferralCreated,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralReassigned,
    ReferralSent,
)
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.person import Interview
from domain.kernel.policy import ResponseTimes
from domain.kernel.vocabulary import ALWAYS_URGENT, PUBLIC_KIND, ClearanceKind, ReferralKind, ReferralStatus
from domain.kernel.working_time import LIBYA
from domain.referral.compartments import placed
from domain.referral.disclosure import (
    BY_LETTER,
    MAY_SEE,
    NOBODYS,
    PUBLIC_PURPOSE,
    RECIPIENT_OF,
    Recipient,
    minimum_data,
    purpose_of,
    stopped_by,
)
from domain.referral.nationality_change import ASK_FIRST, former, insist_on_asking_first, told_too_early

REPORTS: Final = "PARTNER.MANDATORY_REPORTING"


def create(
    case: Case,
    kind: ReferralKind,
    ctx: Context,
    *,
    partner_id: str | None = None,
    urgent: bool = False,
    replaces: UUID | None = None,
    item: str | None = None,
    informed: bool = False,
    interview: Interview | None = None,
) -> Iterator[Event]:
    """Prepare a referral for a partner that takes this kind; a task for a person where there is none."""
    by_default = ctx.directory.for_kind(kind, case.country_of_return, without=_not_by_default(case, kind, ctx))
    partner = ctx.directory.get(partner_id) if partner_id else by_default
    public = PUBLIC_KIND.get(kind, kind)
    if partner is None or kind not in partner.kinds:
        wanted = task(f"find a partner for {public}", "CASE_SUPERVISOR", ctx.policy.pinned.quarantine_review, ctx)
        if all(open_task.task != wanted.task for open_task in case.tasks.values()):
            yield wanted
        return
    yield ReferralCreated(
        referral_id=ctx.new_id(f"referral:{len(case.referrals)}"),
        kind=public,
        partner_id=partner.partner_id,
        urgent=urgent or kind in ALWAYS_URGENT,
        replaces=replaces,
        item=item,
        informed=informed,
        true_kind=kind if public is not kind else None,
        interview=interview,
    )


def _not_by_default(case: Case, kind: ReferralKind, ctx: Context) -> frozenset[str]:
    """Whom nobody asks without an order: whom the person excluded, and embassies of a nationality named before."""
    excluded = case.excluded_for(purpose_of(kind))
    if RECIPIENT_OF[kind] is not Recipient.EMBASSY:
        return excluded
    before = former(case)
    return excluded | {one.partner_id for one in ctx.directory.partners.values() if one.country in before}


# Sending


def why_not_send(case: Case, referral: Referral) -> str | None:
    """What forbids telling this partner anything: no consent in force (INV-08), or a hold against its kind.

    Nor is anybody told of whom the person has not been asked yet, after naming another nationality.
    """
    if told_too_early(case, referral.asked_kind):
        return ASK_FIRST
    purpose = purpose_of(referral.asked_kind)
    if not case.consents_to(purpose, referral.partner_id):
        return f"CONSENT.{PUBLIC_PURPOSE.get(purpose, purpose)}"
    return next((f"HOLD.{name}" for name in stopped_by(case, referral.asked_kind)), None)


def _not_informed(referral: Referral, ctx: Context) -> bool:
    """Whether the partner must report people to authorities, and the person has not been told so.

    See rule PARTNER.MANDATORY_REPORTING.
    """
    partner = ctx.directory.get(referral.partner_id)
    return partner is not None and partner.mandatory_reporting and not referral.informed


def send(case: Case, referral: Referral, ctx: Context) -> Iterator[Event]:
    """Send a draft and record what it discloses, in one decision. Guarded by ``why_not_send``."""
    yield ReferralSent(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        token=ctx.token(),
        dues=dict(_dues(case, referral, ctx)),
    )
    yield disclosure(case, referral)


def _dues(case: Case, referral: Referral, ctx: Context) -> Mapping[str, datetime]:
    """Until when each step is owed. Where a life may depend on it, the person's waiting began with the first partner.

    A partner that comes second then has less time; but never less than it needs to say whether it will.
    """
    answer, calendar = _answer(case, referral), ctx.directory.calendar(referral.partner_id)
    dues = {name: calendar.after(ctx.at, span) for name, span in answer.spans().items()}
    if answer.life:
        waiting = calendar.after(waiting_since(case, referral) or ctx.at, answer.complete)
        dues["complete"] = max(dues["accept"], waiting)
    return dues


def _answer(case: Case, referral: Referral) -> ResponseTimes:
    return case.policy.pinned.answer(referral.kind, urgent=referral.urgent)


def waiting_since(case: Case, referral: Referral) -> datetime | None:
    """Since when the person waits: from the first partner that was asked, if this one came in its place (UTC)."""
    before = case.referrals.get(referral.replaces) if referral.replaces else None
    return (waiting_since(case, before) if before else None) or referral.sent_at


def disclosure(case: Case, referral: Referral) -> DisclosureRecorded:
    """What telling the partner of this referral tells it of the person, and on which consent."""
    recipient, purpose = RECIPIENT_OF[referral.asked_kind], purpose_of(referral.asked_kind)
    return DisclosureRecorded(
        recipient=referral.partner_id,
        fields=tuple(sorted(minimum_data(case, referral).keys() & MAY_SEE[recipient] - NOBODYS)),
        consent=PUBLIC_PURPOSE.get(purpose, purpose),
        referral_id=referral.referral_id,
    )


def refer(
    case: Case, kind: ReferralKind, ctx: Context, *, urgent: bool = False, item: str | None = None
) -> Iterator[Event]:
    """Prepare a referral and send it, as far as consent and holds allow. A draft that may not go waits."""
    yield from _prepared(case, create(case, kind, ctx, urgent=urgent, item=item), ctx)


def _prepared(case: Case, created: Iterator[Event], ctx: Context) -> Iterator[Event]:
    for event in created:
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], ctx)


def send_if_allowed(case: Case, referral: Referral, ctx: Context) -> Iterator[Event]:
    if (
        referral.status is ReferralStatus.DRAFT
        and why_not_send(case, referral) is None
        and not _not_informed(referral, ctx)
    ):
        yield from send(case, referral, ctx)


def send_drafts(case: Case, ctx: Context) -> Iterator[Event]:
    """Send what waited for a consent or for a hold to be lifted."""
    for referral in list(case.open_referrals()):
        yield from send_if_allowed(case, referral, ctx)


def should_ask(case: Case, clearance: ClearanceKind, kind: ReferralKind, ctx: Context, since: int = 0) -> bool:
    """Whether nobody has been asked yet for a permission, or what was answered has lapsed since.

    ``since`` is the version of the case before which nothing that was asked matters any more.

    A referral that a partner turned down is not asked again by itself: reassigning it is a person's decision.
    """
    if case.has_clearance(clearance, ctx.at):
        return False
    asked, ended = case.referrals_of(kind, since), case.clearances.get(clearance)
    if not asked or ask_again(case, asked[-1]):
        return True
    if _turned_down(asked[-1], ended):
        return False
    return ended is not None and all(referral.over for referral in asked) and ended.since >= asked[-1].since


def _turned_down(referral: Referral, ended: Clearance | None) -> bool:
    """Whether the answer was a no, and nothing has ended since that must be asked for anew."""
    if referral.status in (ReferralStatus.REJECTED, ReferralStatus.FAILED):
        return True
    said_at = referral.moved_at or referral.since
    return referral.outcome == "REFUSED" and (ended is None or ended.since <= said_at)


def ask_again(case: Case, referral: Referral) -> bool:
    """Whether what a rule had ended may be asked anew: no hold stands against it any more."""
    return referral.by_rule and not any(stopped_by(case, referral.asked_kind))


# Ending


def cancel(
    case: Case, referral: Referral, ctx: Context, reason: str | None = None, *, by_rule: bool = True
) -> Iterator[Event]:
    """End a referral and tell the partner, in words that explain nothing."""
    if referral.over:
        return
    at_once, tell_at = _tell_the_end(case, referral, ctx)
    yield ReferralCancelled(
        referral_id=referral.referral_id,
        kind=referral.kind,
        by_rule=by_rule,
        tell_at=tell_at,
        reason_internal=reason,
    )
    if at_once:
        yield ending(referral)


def _tell_the_end(case: Case, referral: Referral, ctx: Context) -> tuple[bool, datetime | None]:
    """Whether the partner is told at once, or when with the next letters. Who does not know of it is told nothing.

    Embassies and authorities never hear at once, whatever the cause: a letter that comes the hour a person has spoken
    of fear would tell them (rule PROTECTION.INDISTINGUISHABLE).
    """
    excluded = case.excluded_for(purpose_of(referral.asked_kind))
    if referral.status is ReferralStatus.DRAFT or referral.undelivered or referral.partner_id in excluded:
        return False, None
    if RECIPIENT_OF[referral.asked_kind] in BY_LETTER:
        return False, LIBYA.next_time(ctx.at, case.policy.pinned.batch_at)
    return True, None


def ending(referral: Referral) -> ReferralCancellationNotified:
    return ReferralCancellationNotified(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        reason="CASE_NOT_PROCEEDING",
    )


# Staff's orders


def find(case: Case, referral_id: UUID) -> Referral:
    referral = case.referrals.get(referral_id)
    if referral is None:
        raise Rejected("REFERRAL.UNKNOWN", f"this case has no referral {referral_id}", field="referral_id")
    return referral


def create_referral(case: Case, order: CreateReferral, ctx: Context) -> Iterator[Event]:
    if order.kind not in RECIPIENT_OF:
        meant = " or ".join(kind for kind, public in PUBLIC_KIND.items() if public is order.kind)
        raise Rejected("REFERRAL.PUBLIC_NAME", f"{order.kind} is what others read; ask for {meant}", field="kind")
    insist_on_asking_first(case, order.kind)
    if order.partner_id is not None:
        _insist_on_partner(order.partner_id, order.kind, ctx, informed=order.informed)
    if order.interview is not None and order.kind is not ReferralKind.CONSULAR_IDENTITY:
        detail = "only an embassy that establishes identity sees people"
        raise Rejected("REFERRAL.NO_INTERVIEW", detail, field="interview")
    created = create(
        case,
        order.kind,
        ctx,
        partner_id=order.partner_id,
        urgent=order.urgent,
        informed=order.informed,
        interview=order.interview,
    )
    yield from _prepared(case, created, ctx)


def _insist_on_partner(partner_id: str, kind: ReferralKind, ctx: Context, *, informed: bool) -> None:
    partner = ctx.directory.get(partner_id)
    if partner is None:
        raise Rejected(
            "PARTNER.UNKNOWN", f"no active partner {partner_id!r}; see `awda partner list`", field="partner_id"
        )
    if kind not in partner.kinds:
        raise Rejected("PARTNER.KIND", f"{partner_id!r} does not take referrals for {kind}", field="kind")
    if partner.mandatory_reporting and not informed:
        detail = f"{partner_id!r} must report to authorities: tell the person, and say `informed` if they still want it"
        raise Rejected(REPORTS, detail, field="informed")


def send_referral(case: Case, order: SendReferral, ctx: Context) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.status is not ReferralStatus.DRAFT:
        raise Rejected("REFERRAL.NOT_A_DRAFT", f"the referral is {referral.status}; only a draft is sent")
    _insist_on_telling(case, referral, ctx)
    yield from send(case, referral, ctx)


def _insist_on_telling(case: Case, referral: Referral, ctx: Context) -> None:
    insist_on_asking_first(case, referral.asked_kind)
    if reason := why_not_send(case, referral):
        raise Rejected(reason, "without it nothing may leave; record the consent, or have the hold reviewed")
    if _not_informed(referral, ctx):
        raise Rejected(REPORTS, "the partner must report to authorities, and the person was not told so")


def amend_referral(case: Case, order: AmendReferral, ctx: Context) -> Iterator[Event]:
    """What is known of the person has changed: the partner is told its part of it again."""
    referral = find(case, order.referral_id)
    if referral.over or referral.status is ReferralStatus.DRAFT:
        raise Rejected("REFERRAL.NOT_WITH_PARTNER", f"the referral is {referral.status}; no partner works on it")
    _insist_on_telling(case, referral, ctx)
    yield ReferralAmended(referral_id=referral.referral_id, kind=referral.kind, partner_id=referral.partner_id)
    yield disclosure(case, referral)


def cancel_referral(case: Case, order: CancelReferral, ctx: Context) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.over:
        raise Rejected("REFERRAL.OVER", f"the referral is already {referral.status}")
    yield from cancel(case, referral, ctx, order.reason, by_rule=False)


def pause_referral(case: Case, order: PauseReferral, ctx: Context) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.status not in (ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS):
        raise Rejected("REFERRAL.NOT_UNDER_WAY", f"the referral is {referral.status}; what is under way can be paused")
    yield ReferralPaused.model_validate(
        {
            "referral_id": referral.referral_id,
            "kind": referral.kind,
            "signal_id": ctx.message_id,
            "by": "us",
            "until": order.until,
            **placed(referral.asked_kind, {"payload": {}, "reason": order.reason}),
        }
    )


def resume_referral(case: Case, order: ResumeReferral, ctx: Context) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.status is not ReferralStatus.ON_HOLD:
        raise Rejected("REFERRAL.NOT_PAUSED", f"the referral is {referral.status}")
    yield ReferralResumed(
        referral_id=referral.referral_id, kind=referral.kind, signal_id=ctx.message_id, dues=referral.dues_after(ctx.at)
    )


def reassign_referral(case: Case, order: ReassignReferral, ctx: Context) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    insist_on_asking_first(case, referral.asked_kind)
    if referral.status not in (ReferralStatus.REJECTED, ReferralStatus.FAILED, ReferralStatus.EXPIRED):
        raise Rejected(
            "REFERRAL.NOT_ENDED", f"only a rejected, failed or expired referral is reassigned; it is {referral.status}"
        )
    _insist_on_partner(order.partner_id, referral.asked_kind, ctx, informed=order.informed)
    yield ReferralReassigned(
        referral_id=referral.referral_id,
        new_id=ctx.new_id(f"referral:{len(case.referrals)}"),
        kind=referral.kind,
        partner_id=order.partner_id,
        reason=order.reason,
    )
    created = create(
        case,
        referral.asked_kind,
        ctx,
        partner_id=order.partner_id,
        urgent=referral.urgent,
        replaces=referral.referral_id,
        item=referral.item,
        informed=order.informed,
        interview=referral.interview,
    )
    yield from _prepared(case, created, ctx)


def confirm_referral_expiry(case: Case, order: ConfirmReferralExpiry, ctx: Context) -> Iterator[Event]:
    """A person says so, once something is overdue; no timer ends a referral by itself."""
    referral = find(case, order.referral_id)
    if referral.over or not referral.overdue:
        raise Rejected("REFERRAL.NOT_OVERDUE", f"the referral is {referral.status} and {referral.timeliness}")
    yield ReferralExpired(
        referral_id=referral.referral_id, kind=referral.kind, confirmed_by=ctx.actor, reason=order.reason
    )


def mark_referral_entered_in_error(case: Case, order: MarkReferralEnteredInError, ctx: Context) -> Iterator[Event]:
    """It should never have been. A partner that works on it is told that it has ended."""
    referral = find(case, order.referral_id)
    if referral.status is ReferralStatus.ENTERED_IN_ERROR:
        raise Rejected("REFERRAL.OVER", f"the referral is already {referral.status}")
    at_once, tell_at = (False, None) if referral.over else _tell_the_end(case, referral, ctx)
    yield ReferralEnteredInError(
        referral_id=referral.referral_id, kind=referral.kind, tell_at=tell_at, reason=order.reason
    )
    if at_once:
        yield ending(referral)
