"""Life cycle of a referral on IOM's side: prepare, send with the minimum data, amend, pause, reassign and end it.

Nothing is sent without a consent in force (INV-08), or while a hold blocks disclosure to the recipient.
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
from domain.kernel.labels import label
from domain.kernel.person import Interview
from domain.kernel.policy import ResponseTimes
from domain.kernel.vocabulary import ALWAYS_URGENT, PUBLIC_KIND, ClearanceKind, ReferralKind, ReferralStatus
from domain.kernel.working_time import LIBYA
from domain.referral.compartments import answer_fields
from domain.referral.disclosure import (
    BY_LETTER,
    MAY_SEE,
    NOT_PERSONAL,
    PUBLIC_PURPOSE,
    RECIPIENT_OF,
    Recipient,
    blocking_holds,
    minimum_data,
    purpose_of,
)
from domain.referral.nationality_change import (
    ASK_FIRST,
    former_nationalities,
    missing_before_disclosure,
    require_nationality_settled,
)

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
    """Prepares a referral to a partner that takes this kind, or raises a task to find one if there is none."""
    by_default = ctx.directory.for_kind(kind, case.country_of_return, without=_excluded_by_default(case, kind, ctx))
    partner = ctx.directory.get(partner_id) if partner_id else by_default
    public = PUBLIC_KIND.get(kind, kind)
    if partner is None or kind not in partner.kinds:
        search = task(f"find a partner for {public}", "CASE_SUPERVISOR", ctx.policy.pinned.quarantine_review, ctx)
        if all(open_task.task != search.task for open_task in case.tasks.values()):
            yield search
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


def _excluded_by_default(case: Case, kind: ReferralKind, ctx: Context) -> frozenset[str]:
    """Returns the partners that are never chosen automatically.

    They are those that the person excluded, and embassies of a nationality that was recorded earlier.
    """
    excluded = case.excluded_for(purpose_of(kind))
    if RECIPIENT_OF[kind] is not Recipient.EMBASSY:
        return excluded
    before = former_nationalities(case)
    return excluded | {one.partner_id for one in ctx.directory.partners.values() if one.country in before}


# Sending


def sending_blocked_by(case: Case, referral: Referral) -> str | None:
    """Returns the rule that blocks sending to this partner, or ``None``.

    It is a missing consent (INV-08), a hold that blocks disclosure to this type of recipient, or a change of
    nationality about which the person has not yet been interviewed.
    """
    if missing_before_disclosure(case, referral.asked_kind):
        return ASK_FIRST
    purpose = purpose_of(referral.asked_kind)
    if not case.consents_to(purpose, referral.partner_id):
        return f"CONSENT.{PUBLIC_PURPOSE.get(purpose, purpose)}"
    return next((f"HOLD.{name}" for name in blocking_holds(case, referral.asked_kind)), None)


def _reporting_duty_not_explained(referral: Referral, ctx: Context) -> bool:
    """Returns whether the partner must report people to authorities and the person was not informed of it.

    See rule PARTNER.MANDATORY_REPORTING.
    """
    partner = ctx.directory.get(referral.partner_id)
    return partner is not None and partner.mandatory_reporting and not referral.informed


def send(case: Case, referral: Referral, ctx: Context) -> Iterator[Event]:
    """Sends a draft and records what it discloses. The caller must have checked ``sending_blocked_by``."""
    yield ReferralSent(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        token=ctx.token(),
        dues=dict(_dues(case, referral, ctx)),
    )
    yield disclosure(case, referral)


def _dues(case: Case, referral: Referral, ctx: Context) -> Mapping[str, datetime]:
    """Returns the due date of each step (UTC).

    Where a life may be at risk, the time for completion counts from the first partner that received the request. The
    next partner then has less time, but never less than the time to accept.
    """
    times, calendar = _response_times(case, referral), ctx.directory.calendar(referral.partner_id)
    dues = {name: calendar.after(ctx.at, span) for name, span in times.spans().items()}
    if times.life:
        from_first = calendar.after(requested_since(case, referral) or ctx.at, times.complete)
        dues["complete"] = max(dues["accept"], from_first)
    return dues


def _response_times(case: Case, referral: Referral) -> ResponseTimes:
    return case.policy.pinned.answer(referral.kind, urgent=referral.urgent)


def requested_since(case: Case, referral: Referral) -> datetime | None:
    """Returns when the request was first sent (UTC), including to the partners that this one replaces."""
    before = case.referrals.get(referral.replaces) if referral.replaces else None
    return (requested_since(case, before) if before else None) or referral.sent_at


def disclosure(case: Case, referral: Referral) -> DisclosureRecorded:
    """Returns the event that records which personal data the partner receives, and on which consent."""
    recipient, purpose = RECIPIENT_OF[referral.asked_kind], purpose_of(referral.asked_kind)
    return DisclosureRecorded(
        recipient=referral.partner_id,
        fields=tuple(sorted(minimum_data(case, referral).keys() & MAY_SEE[recipient] - NOT_PERSONAL)),
        consent=PUBLIC_PURPOSE.get(purpose, purpose),
        referral_id=referral.referral_id,
    )


def refer(
    case: Case, kind: ReferralKind, ctx: Context, *, urgent: bool = False, item: str | None = None
) -> Iterator[Event]:
    """Prepares a referral and sends it if consent and holds allow. Otherwise it stays a draft."""
    yield from _sent_when_created(case, create(case, kind, ctx, urgent=urgent, item=item), ctx)


def _sent_when_created(case: Case, created: Iterator[Event], ctx: Context) -> Iterator[Event]:
    for event in created:
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], ctx)


def send_if_allowed(case: Case, referral: Referral, ctx: Context) -> Iterator[Event]:
    """Sends a draft unless a rule blocks it."""
    if (
        referral.status is ReferralStatus.DRAFT
        and sending_blocked_by(case, referral) is None
        and not _reporting_duty_not_explained(referral, ctx)
    ):
        yield from send(case, referral, ctx)


def send_drafts(case: Case, ctx: Context) -> Iterator[Event]:
    """Sends the drafts that waited for a consent or for a hold to be lifted."""
    for referral in list(case.open_referrals()):
        yield from send_if_allowed(case, referral, ctx)


def should_request(case: Case, clearance: ClearanceKind, kind: ReferralKind, ctx: Context, since: int = 0) -> bool:
    """Returns whether a clearance must be requested: it was never requested, or has lapsed since the response.

    A request that a partner refused is not repeated automatically: staff decide whether to reassign it. Requests
    before the version ``since`` of the case do not count.
    """
    if case.has_clearance(clearance, ctx.at):
        return False
    requests, ended = case.referrals_of(kind, since), case.clearances.get(clearance)
    if not requests or may_request_again(case, requests[-1]):
        return True
    if _was_refused(requests[-1], ended):
        return False
    return ended is not None and all(referral.over for referral in requests) and ended.since >= requests[-1].since


def _was_refused(referral: Referral, ended: Clearance | None) -> bool:
    """Returns whether the partner refused, and no clearance has ended since that must be requested again."""
    if referral.status in (ReferralStatus.REJECTED, ReferralStatus.FAILED):
        return True
    refused_at = referral.moved_at or referral.since
    return referral.outcome == "REFUSED" and (ended is None or ended.since <= refused_at)


def may_request_again(case: Case, referral: Referral) -> bool:
    """Returns whether a referral that a rule ended may be requested again: no hold blocks it any more."""
    return referral.by_rule and not any(blocking_holds(case, referral.asked_kind))


# Ending


def cancel(
    case: Case, referral: Referral, ctx: Context, reason: str | None = None, *, by_rule: bool = True
) -> Iterator[Event]:
    """Ends a referral and notifies the partner without stating the reason."""
    if referral.over:
        return
    now, tell_at = _notice_of_end(case, referral, ctx)
    yield ReferralCancelled(
        referral_id=referral.referral_id,
        kind=referral.kind,
        by_rule=by_rule,
        tell_at=tell_at,
        reason_internal=reason,
    )
    if now:
        yield cancellation_notice(referral)


def _notice_of_end(case: Case, referral: Referral, ctx: Context) -> tuple[bool, datetime | None]:
    """Returns whether the partner is notified now, and otherwise when with the daily letters (UTC), if at all.

    A partner that never received the referral, or that the person excluded, is not notified. Embassies and authorities
    are never notified immediately, whatever the cause: a notice within the hour in which a person expressed fear would
    reveal it (rule PROTECTION.INDISTINGUISHABLE).
    """
    excluded = case.excluded_for(purpose_of(referral.asked_kind))
    if referral.status is ReferralStatus.DRAFT or referral.undelivered or referral.partner_id in excluded:
        return False, None
    if RECIPIENT_OF[referral.asked_kind] in BY_LETTER:
        return False, LIBYA.next_time(ctx.at, case.policy.pinned.batch_at)
    return True, None


def cancellation_notice(referral: Referral) -> ReferralCancellationNotified:
    """Returns the event that notifies the partner of the end, with the same reason in every case."""
    return ReferralCancellationNotified(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        reason="CASE_NOT_PROCEEDING",
    )


# Handlers


def find_referral(case: Case, referral_id: UUID) -> Referral:
    """Returns a referral of the case. Raises ``Rejected`` if the case has no such referral."""
    referral = case.referrals.get(referral_id)
    if referral is None:
        raise Rejected(
            "REFERRAL.UNKNOWN", f"this case has no referral {referral_id}; check the referral id", field="referral_id"
        )
    return referral


def create_referral(case: Case, order: CreateReferral, ctx: Context) -> Iterator[Event]:
    if order.kind not in RECIPIENT_OF:
        kinds = " or ".join(f"{label(kind)} ({kind})" for kind, public in PUBLIC_KIND.items() if public is order.kind)
        detail = f"{label(order.kind)} is only the public name of other kinds; enter {kinds}"
        raise Rejected("REFERRAL.PUBLIC_NAME", detail, field="kind")
    require_nationality_settled(case, order.kind)
    if order.partner_id is not None:
        _require_partner(order.partner_id, order.kind, ctx, informed=order.informed)
    if order.interview is not None and order.kind is not ReferralKind.CONSULAR_IDENTITY:
        detail = (
            f"a referral for {label(order.kind)} has no interview: only a referral for consular identity verification "
            "has one; leave the interview empty"
        )
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
    yield from _sent_when_created(case, created, ctx)


def _require_partner(partner_id: str, kind: ReferralKind, ctx: Context, *, informed: bool) -> None:
    partner = ctx.directory.get(partner_id)
    if partner is None:
        raise Rejected(
            "PARTNER.UNKNOWN",
            f"there is no active partner {partner_id}; see `awda partner list`",
            field="partner_id",
        )
    if kind not in partner.kinds:
        detail = f"partner {partner_id} does not take referrals for {label(kind)}; choose another partner"
        raise Rejected("PARTNER.KIND", detail, field="kind")
    if partner.mandatory_reporting and not informed:
        detail = (
            f"partner {partner_id} must report to authorities; inform the person of this, and set `informed` if they "
            "still want the referral"
        )
        raise Rejected(REPORTS, detail, field="informed")


def send_referral(case: Case, order: SendReferral, ctx: Context) -> Iterator[Event]:
    referral = find_referral(case, order.referral_id)
    if referral.status is not ReferralStatus.DRAFT:
        raise Rejected("REFERRAL.NOT_A_DRAFT", f"the referral is {label(referral.status)}; only a draft can be sent")
    _require_may_disclose(case, referral, ctx)
    yield from send(case, referral, ctx)


def _require_may_disclose(case: Case, referral: Referral, ctx: Context) -> None:
    require_nationality_settled(case, referral.asked_kind)
    if reason := sending_blocked_by(case, referral):
        raise Rejected(
            reason, "no data may be sent to this partner now; record the consent, or request a review of the hold"
        )
    if _reporting_duty_not_explained(referral, ctx):
        detail = (
            "the partner must report to authorities, and the person has not been informed of this; inform the person"
        )
        raise Rejected(REPORTS, detail)


def amend_referral(case: Case, order: AmendReferral, ctx: Context) -> Iterator[Event]:
    """Sends the partner the minimum data again after the person's data changed."""
    referral = find_referral(case, order.referral_id)
    if referral.over or referral.status is ReferralStatus.DRAFT:
        detail = f"the referral is {label(referral.status)}; only a referral that a partner works on can be amended"
        raise Rejected("REFERRAL.NOT_WITH_PARTNER", detail)
    _require_may_disclose(case, referral, ctx)
    yield ReferralAmended(referral_id=referral.referral_id, kind=referral.kind, partner_id=referral.partner_id)
    yield disclosure(case, referral)


def cancel_referral(case: Case, order: CancelReferral, ctx: Context) -> Iterator[Event]:
    referral = find_referral(case, order.referral_id)
    if referral.over:
        raise Rejected("REFERRAL.OVER", f"the referral has already ended: {label(referral.status)}")
    yield from cancel(case, referral, ctx, order.reason, by_rule=False)


def pause_referral(case: Case, order: PauseReferral, ctx: Context) -> Iterator[Event]:
    referral = find_referral(case, order.referral_id)
    if referral.status not in (ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS):
        detail = f"the referral is {label(referral.status)}; only one that is accepted or in progress can be paused"
        raise Rejected("REFERRAL.NOT_UNDER_WAY", detail)
    yield ReferralPaused.model_validate(
        {
            "referral_id": referral.referral_id,
            "kind": referral.kind,
            "signal_id": ctx.message_id,
            "by": "us",
            "until": order.until,
            **answer_fields(referral.asked_kind, {"payload": {}, "reason": order.reason}),
        }
    )


def resume_referral(case: Case, order: ResumeReferral, ctx: Context) -> Iterator[Event]:
    referral = find_referral(case, order.referral_id)
    if referral.status is not ReferralStatus.ON_HOLD:
        detail = f"the referral is {label(referral.status)}; only one that is on hold can be resumed"
        raise Rejected("REFERRAL.NOT_PAUSED", detail)
    yield ReferralResumed(
        referral_id=referral.referral_id, kind=referral.kind, signal_id=ctx.message_id, dues=referral.dues_after(ctx.at)
    )


def reassign_referral(case: Case, order: ReassignReferral, ctx: Context) -> Iterator[Event]:
    referral = find_referral(case, order.referral_id)
    require_nationality_settled(case, referral.asked_kind)
    if referral.status not in (ReferralStatus.REJECTED, ReferralStatus.FAILED, ReferralStatus.EXPIRED):
        detail = f"the referral is {label(referral.status)}; only a rejected, failed or expired one can be reassigned"
        raise Rejected("REFERRAL.NOT_ENDED", detail)
    _require_partner(order.partner_id, referral.asked_kind, ctx, informed=order.informed)
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
    yield from _sent_when_created(case, created, ctx)


def confirm_referral_expiry(case: Case, order: ConfirmReferralExpiry, ctx: Context) -> Iterator[Event]:
    """Ends an overdue referral on the confirmation of staff. No timer ends a referral automatically."""
    referral = find_referral(case, order.referral_id)
    if referral.over or not referral.overdue:
        detail = (
            f"the referral is {label(referral.status)} and {label(referral.timeliness)}; only an open referral that is "
            "overdue can be marked as expired"
        )
        raise Rejected("REFERRAL.NOT_OVERDUE", detail)
    yield ReferralExpired(
        referral_id=referral.referral_id, kind=referral.kind, confirmed_by=ctx.actor, reason=order.reason
    )


def mark_referral_entered_in_error(case: Case, order: MarkReferralEnteredInError, ctx: Context) -> Iterator[Event]:
    """Marks a referral as entered in error. A partner that received it is notified of its end."""
    referral = find_referral(case, order.referral_id)
    if referral.status is ReferralStatus.ENTERED_IN_ERROR:
        raise Rejected("REFERRAL.OVER", "the referral is already marked as entered in error")
    now, tell_at = (False, None) if referral.over else _notice_of_end(case, referral, ctx)
    yield ReferralEnteredInError(
        referral_id=referral.referral_id, kind=referral.kind, tell_at=tell_at, reason=order.reason
    )
    if now:
        yield cancellation_notice(referral)
