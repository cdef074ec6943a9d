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
from domain.kernel.context import Moment
from domain.kernel.errors import Refused
from domain.kernel.event import Event
from domain.kernel.person import Interview
from domain.kernel.policy import Answer
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
    m: Moment,
    *,
    partner_id: str | None = None,
    urgent: bool = False,
    replaces: UUID | None = None,
    item: str | None = None,
    informed: bool = False,
    interview: Interview | None = None,
) -> Iterator[Event]:
    """Prepare a referral for a partner that takes this kind; a task for a person where there is none."""
    by_default = m.directory.for_kind(kind, case.country_of_return, without=_not_by_default(case, kind, m))
    partner = m.directory.get(partner_id) if partner_id else by_default
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
        urgent=urgent or kind in ALWAYS_URGENT,
        replaces=replaces,
        item=item,
        informed=informed,
        true_kind=kind if public is not kind else None,
        interview=interview,
    )


def _not_by_default(case: Case, kind: ReferralKind, m: Moment) -> frozenset[str]:
    """Whom nobody asks without an order: whom the person excluded, and embassies of a nationality named before."""
    excluded = case.excluded_for(purpose_of(kind))
    if RECIPIENT_OF[kind] is not Recipient.EMBASSY:
        return excluded
    before = former(case)
    return excluded | {one.partner_id for one in m.directory.partners.values() if one.country in before}


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


def _not_informed(referral: Referral, m: Moment) -> bool:
    """Whether the partner must report people to authorities, and the person has not been told so (domain.md 00, 11)."""
    partner = m.directory.get(referral.partner_id)
    return partner is not None and partner.mandatory_reporting and not referral.informed


def send(case: Case, referral: Referral, m: Moment) -> Iterator[Event]:
    """Send a draft and record what it discloses, in one decision. Guarded by ``why_not_send``."""
    yield ReferralSent(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        token=m.token(),
        dues=dict(_dues(case, referral, m)),
    )
    yield disclosure(case, referral)


def _dues(case: Case, referral: Referral, m: Moment) -> Mapping[str, datetime]:
    """Until when each step is owed. Where a life may depend on it, the person's waiting began with the first partner.

    A partner that comes second then has less time; but never less than it needs to say whether it will.
    """
    answer, calendar = _answer(case, referral), m.directory.calendar(referral.partner_id)
    dues = {name: calendar.after(m.at, span) for name, span in answer.spans().items()}
    if answer.life:
        waiting = calendar.after(waiting_since(case, referral) or m.at, answer.complete)
        dues["complete"] = max(dues["accept"], waiting)
    return dues


def _answer(case: Case, referral: Referral) -> Answer:
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
    case: Case, kind: ReferralKind, m: Moment, *, urgent: bool = False, item: str | None = None
) -> Iterator[Event]:
    """Prepare a referral and send it, as far as consent and holds allow. A draft that may not go waits."""
    yield from _prepared(case, create(case, kind, m, urgent=urgent, item=item), m)


def _prepared(case: Case, created: Iterator[Event], m: Moment) -> Iterator[Event]:
    for event in created:
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], m)


def send_if_allowed(case: Case, referral: Referral, m: Moment) -> Iterator[Event]:
    if (
        referral.status is ReferralStatus.DRAFT
        and why_not_send(case, referral) is None
        and not _not_informed(referral, m)
    ):
        yield from send(case, referral, m)


def send_drafts(case: Case, m: Moment) -> Iterator[Event]:
    """Send what waited for a consent or for a hold to be lifted."""
    for referral in list(case.open_referrals()):
        yield from send_if_allowed(case, referral, m)


def should_ask(case: Case, clearance: ClearanceKind, kind: ReferralKind, m: Moment, since: int = 0) -> bool:
    """Whether nobody has been asked yet for a permission, or what was answered has lapsed since.

    ``since`` is the version of the case before which nothing that was asked matters any more.

    A referral that a partner turned down is not asked again by itself: reassigning it is a person's decision.
    """
    if case.has_clearance(clearance, m.at):
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
    case: Case, referral: Referral, m: Moment, reason: str | None = None, *, by_rule: bool = True
) -> Iterator[Event]:
    """End a referral and tell the partner, in words that explain nothing."""
    if referral.over:
        return
    at_once, tell_at = _tell_the_end(case, referral, m)
    yield ReferralCancelled(
        referral_id=referral.referral_id,
        kind=referral.kind,
        by_rule=by_rule,
        tell_at=tell_at,
        reason_internal=reason,
    )
    if at_once:
        yield ending(referral)


def _tell_the_end(case: Case, referral: Referral, m: Moment) -> tuple[bool, datetime | None]:
    """Whether the partner is told at once, or when with the next letters. Who does not know of it is told nothing.

    Embassies and authorities never hear at once, whatever the cause: a letter that comes the hour a person has spoken
    of fear would tell them (domain.md 00, 9).
    """
    excluded = case.excluded_for(purpose_of(referral.asked_kind))
    if referral.status is ReferralStatus.DRAFT or referral.undelivered or referral.partner_id in excluded:
        return False, None
    if RECIPIENT_OF[referral.asked_kind] in BY_LETTER:
        return False, LIBYA.next_time(m.at, case.policy.pinned.batch_at)
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
        raise Refused("REFERRAL.UNKNOWN", f"this case has no referral {referral_id}", field="referral_id")
    return referral


def on_create(case: Case, order: CreateReferral, m: Moment) -> Iterator[Event]:
    if order.kind not in RECIPIENT_OF:
        meant = " or ".join(kind for kind, public in PUBLIC_KIND.items() if public is order.kind)
        raise Refused("REFERRAL.PUBLIC_NAME", f"{order.kind} is what others read; ask for {meant}", field="kind")
    insist_on_asking_first(case, order.kind)
    if order.partner_id is not None:
        _insist_on_partner(order.partner_id, order.kind, m, informed=order.informed)
    if order.interview is not None and order.kind is not ReferralKind.CONSULAR_IDENTITY:
        detail = "only an embassy that establishes identity sees people"
        raise Refused("REFERRAL.NO_INTERVIEW", detail, field="interview")
    created = create(
        case,
        order.kind,
        m,
        partner_id=order.partner_id,
        urgent=order.urgent,
        informed=order.informed,
        interview=order.interview,
    )
    yield from _prepared(case, created, m)


def _insist_on_partner(partner_id: str, kind: ReferralKind, m: Moment, *, informed: bool) -> None:
    partner = m.directory.get(partner_id)
    if partner is None:
        raise Refused(
            "PARTNER.UNKNOWN", f"no active partner {partner_id!r}; see `awda partner list`", field="partner_id"
        )
    if kind not in partner.kinds:
        raise Refused("PARTNER.KIND", f"{partner_id!r} does not take referrals for {kind}", field="kind")
    if partner.mandatory_reporting and not informed:
        detail = f"{partner_id!r} must report to authorities: tell the person, and say `informed` if they still want it"
        raise Refused(REPORTS, detail, field="informed")


def on_send(case: Case, order: SendReferral, m: Moment) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.status is not ReferralStatus.DRAFT:
        raise Refused("REFERRAL.NOT_A_DRAFT", f"the referral is {referral.status}; only a draft is sent")
    _insist_on_telling(case, referral, m)
    yield from send(case, referral, m)


def _insist_on_telling(case: Case, referral: Referral, m: Moment) -> None:
    insist_on_asking_first(case, referral.asked_kind)
    if reason := why_not_send(case, referral):
        raise Refused(reason, "without it nothing may leave; record the consent, or have the hold reviewed")
    if _not_informed(referral, m):
        raise Refused(REPORTS, "the partner must report to authorities, and the person was not told so")


def on_amend(case: Case, order: AmendReferral, m: Moment) -> Iterator[Event]:
    """What is known of the person has changed: the partner is told its part of it again."""
    referral = find(case, order.referral_id)
    if referral.over or referral.status is ReferralStatus.DRAFT:
        raise Refused("REFERRAL.NOT_WITH_PARTNER", f"the referral is {referral.status}; no partner works on it")
    _insist_on_telling(case, referral, m)
    yield ReferralAmended(referral_id=referral.referral_id, kind=referral.kind, partner_id=referral.partner_id)
    yield disclosure(case, referral)


def on_cancel(case: Case, order: CancelReferral, m: Moment) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.over:
        raise Refused("REFERRAL.OVER", f"the referral is already {referral.status}")
    yield from cancel(case, referral, m, order.reason, by_rule=False)


def on_pause(case: Case, order: PauseReferral, m: Moment) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.status not in (ReferralStatus.ACCEPTED, ReferralStatus.IN_PROGRESS):
        raise Refused("REFERRAL.NOT_UNDER_WAY", f"the referral is {referral.status}; what is under way can be paused")
    yield ReferralPaused.model_validate(
        {
            "referral_id": referral.referral_id,
            "kind": referral.kind,
            "signal_id": m.message_id,
            "by": "us",
            "until": order.until,
            **placed(referral.asked_kind, {"payload": {}, "reason": order.reason}),
        }
    )


def on_resume(case: Case, order: ResumeReferral, m: Moment) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    if referral.status is not ReferralStatus.ON_HOLD:
        raise Refused("REFERRAL.NOT_PAUSED", f"the referral is {referral.status}")
    yield ReferralResumed(
        referral_id=referral.referral_id, kind=referral.kind, signal_id=m.message_id, dues=referral.dues_after(m.at)
    )


def on_reassign(case: Case, order: ReassignReferral, m: Moment) -> Iterator[Event]:
    referral = find(case, order.referral_id)
    insist_on_asking_first(case, referral.asked_kind)
    if referral.status not in (ReferralStatus.REJECTED, ReferralStatus.FAILED, ReferralStatus.EXPIRED):
        raise Refused(
            "REFERRAL.NOT_ENDED", f"only a rejected, failed or expired referral is reassigned; it is {referral.status}"
        )
    _insist_on_partner(order.partner_id, referral.asked_kind, m, informed=order.informed)
    yield ReferralReassigned(
        referral_id=referral.referral_id,
        new_id=m.new_id(f"referral:{len(case.referrals)}"),
        kind=referral.kind,
        partner_id=order.partner_id,
        reason=order.reason,
    )
    created = create(
        case,
        referral.asked_kind,
        m,
        partner_id=order.partner_id,
        urgent=referral.urgent,
        replaces=referral.referral_id,
        item=referral.item,
        informed=order.informed,
        interview=referral.interview,
    )
    yield from _prepared(case, created, m)


def on_expiry(case: Case, order: ConfirmReferralExpiry, m: Moment) -> Iterator[Event]:
    """A person says so, once something is overdue; no timer ends a referral by itself."""
    referral = find(case, order.referral_id)
    if referral.over or not referral.overdue:
        raise Refused("REFERRAL.NOT_OVERDUE", f"the referral is {referral.status} and {referral.timeliness}")
    yield ReferralExpired(
        referral_id=referral.referral_id, kind=referral.kind, confirmed_by=m.actor, reason=order.reason
    )


def on_error(case: Case, order: MarkReferralEnteredInError, m: Moment) -> Iterator[Event]:
    """It should never have been. A partner that works on it is told that it has ended."""
    referral = find(case, order.referral_id)
    if referral.status is ReferralStatus.ENTERED_IN_ERROR:
        raise Refused("REFERRAL.OVER", f"the referral is already {referral.status}")
    at_once, tell_at = (False, None) if referral.over else _tell_the_end(case, referral, m)
    yield ReferralEnteredInError(
        referral_id=referral.referral_id, kind=referral.kind, tell_at=tell_at, reason=order.reason
    )
    if at_once:
        yield ending(referral)
