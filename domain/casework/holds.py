"""Handlers that place, review and lift holds, and that grant or revoke clearances by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.case.aggregate import Case
from domain.clearance.actions import grant, hold, revoke
from domain.clearance.protection_concern import CONCERN, record_protection_concern
from domain.clearance.return_advisory import advised, outdated
from domain.clearance.voluntariness import still_stands
from domain.commands.case import (
    GrantClearance,
    LiftHold,
    PlaceHold,
    RaiseProtectionConcern,
    ReviewHold,
    RevokeClearance,
)
from domain.events.case import HoldLifted, HoldReviewed, NoteAdded
from domain.events.screening import VoluntaryReturnDeclared
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import Block, ClearanceKind, ClearanceStatus, HoldType
from domain.kernel.working_time import LIBYA
from domain.referral.requests import send_drafts

# Holds and clearances

RELEASABLE: Final = frozenset({Block.EMBASSY_DISCLOSURE, Block.AUTHORITY_DISCLOSURE})
"""What a review may release of a hold that goes on (rule HOLD.NOT_RELEASABLE)."""

STAYS_CLOSED: Final = "nothing was released: of this hold the disclosure part stays closed"
"""Said only under the seal. A refusal would tell everybody who sees it which kind of hold this is."""


def place_hold(_case: Case, order: PlaceHold, ctx: Context) -> Iterator[Event]:
    yield hold(order.hold_type, ctx, subtype=order.reason)


def review_hold(case: Case, order: ReviewHold, ctx: Context) -> Iterator[Event]:
    found = case.holds.get(order.hold_id)
    if found is None:
        raise Rejected("HOLD.UNKNOWN", f"no active hold {order.hold_id} on this case", field="hold_id")
    if set(order.unblock) - RELEASABLE:
        detail = f"a review releases only {' and '.join(sorted(RELEASABLE))}; to let the person travel, lift the hold"
        raise Rejected("HOLD.NOT_RELEASABLE", detail, field="unblock")
    again = LIBYA.after(ctx.at, ctx.policy.in_force.hold_review[found.type])
    reviewed = HoldReviewed(hold_id=order.hold_id, decision=order.decision, review_by=again, unblock=order.unblock)
    if order.unblock and found.subtype == "ASYLUM":
        reviewed = reviewed.model_copy(update={"unblock": (), "decision": f"{order.decision} ({STAYS_CLOSED})"})
    yield reviewed
    yield from send_drafts(case, ctx)


def lift_hold(case: Case, order: LiftHold, ctx: Context) -> Iterator[Event]:
    found = case.holds.get(order.hold_id)
    if found is None:
        raise Rejected("HOLD.UNKNOWN", f"no active hold {order.hold_id} on this case", field="hold_id")
    if found.type is HoldType.CONSENT and not _declared_since(case, ctx):
        raise Rejected("HOLD.CONSENT", "a consent hold is lifted only after a new declaration", field="hold_id")
    if found.type is HoldType.SAFETY and not _safe_today(case, ctx):
        raise Rejected("HOLD.SAFETY", "a safety hold is lifted only after a new assessment", field="hold_id")
    yield HoldLifted(hold_id=found.hold_id, hold_type=found.type, by=ctx.actor)
    yield from send_drafts(case, ctx)


def _safe_today(case: Case, ctx: Context) -> bool:
    return case.has_clearance(ClearanceKind.SAFETY_OF_RETURN, ctx.at) and not outdated(case, ctx.directory.advisories)


def _declared_since(case: Case, ctx: Context) -> bool:
    """Whether the person has declared anew after the last time they seemed not to want to go."""
    declared = case.latest(VoluntaryReturnDeclared)
    anew = declared is not None and still_stands(case, declared, declared.signed_at)
    return anew and case.has_clearance(ClearanceKind.CONSENT_RETURN, ctx.at)


OFFICERS_MAY_GRANT: Final = frozenset(
    {
        ClearanceKind.PROTECTION_CLEARANCE,
        ClearanceKind.SAFETY_OF_RETURN,
        ClearanceKind.RELEASE_AUTHORISATION,
        ClearanceKind.CHILD_BEST_INTERESTS,
        ClearanceKind.AIRLINE_MEDICAL,
        ClearanceKind.ESCORT_ASSIGNED,
        ClearanceKind.RECEPTION_CONFIRMED,
    }
)
"""What a named officer may grant. The person's own consent, the examination and the papers come from elsewhere."""


def grant_clearance(case: Case, order: GrantClearance, ctx: Context) -> Iterator[Event]:
    if order.kind not in OFFICERS_MAY_GRANT:
        raise Rejected("CLEARANCE.NOT_BY_HAND", f"{order.kind} is not granted by hand", field="kind")
    if order.kind is ClearanceKind.PROTECTION_CLEARANCE and case.holds_of(HoldType.PROTECTION):
        raise Rejected("CLEARANCE.HELD", "lift the protection hold before clearing the way", field="kind")
    if order.kind is ClearanceKind.SAFETY_OF_RETURN and advised(case, ctx.directory.advisories, None):
        raise Rejected("CLEARANCE.ASSESSED", "assess the safety of return under today's advisory", field="kind")
    if order.valid_until is not None and order.valid_until <= ctx.at:
        ended = f"{order.valid_until:%d %B %Y %H:%M UTC}"
        raise Rejected("CLEARANCE.ENDED", f"valid until {ended}, which has passed", field="valid_until")
    yield NoteAdded(note=order.evidence)
    yield grant(order.kind, ctx, until=order.valid_until, evidence="a named officer")


def revoke_clearance(case: Case, order: RevokeClearance, _ctx: Context) -> Iterator[Event]:
    found = case.clearances.get(order.kind)
    if found is None or found.status is not ClearanceStatus.VALID:
        raise Rejected("CLEARANCE.NOT_IN_FORCE", f"{order.kind} is not in force", field="kind")
    yield NoteAdded(note=order.cause)
    yield from revoke(case, order.kind, "OFFICER")


def raise_protection_concern(case: Case, report: RaiseProtectionConcern, ctx: Context) -> Iterator[Event]:
    """At any stage: hold, revoke, ask a protection partner. After departure the country of return takes over."""
    content = {"risk_level": report.risk_level, "concern": report.concern}
    yield from record_protection_concern(case, ctx, true_name=CONCERN, content=content)
