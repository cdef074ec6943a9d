"""Handlers that place, review and lift holds, and that grant or revoke clearances manually."""

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
from domain.kernel.labels import label
from domain.kernel.sentences import date_and_time
from domain.kernel.vocabulary import Block, ClearanceKind, ClearanceStatus, HoldType
from domain.kernel.working_time import LIBYA
from domain.referral.requests import send_drafts

RELEASABLE: Final = frozenset({Block.EMBASSY_DISCLOSURE, Block.AUTHORITY_DISCLOSURE})
"""Blocks that a review may release while the hold stays in force (rule HOLD.NOT_RELEASABLE)."""

STAYS_CLOSED: Final = "nothing was released: of this hold the disclosure part stays closed"
"""Recorded only in a sealed field. A rejection would reveal the kind of hold to everyone who sees it."""


NO_SUCH_HOLD: Final = "this case has no active hold {}; check the holds of the case"


def place_hold(_case: Case, command: PlaceHold, ctx: Context) -> Iterator[Event]:
    yield hold(command.hold_type, ctx, subtype=command.reason)


def review_hold(case: Case, command: ReviewHold, ctx: Context) -> Iterator[Event]:
    found = case.holds.get(command.hold_id)
    if found is None:
        raise Rejected("HOLD.UNKNOWN", NO_SUCH_HOLD.format(command.hold_id), field="hold_id")
    if set(command.unblock) - RELEASABLE:
        detail = (
            f"a review can release only {' and '.join(map(label, sorted(RELEASABLE)))}; to permit travel, lift the hold"
        )
        raise Rejected("HOLD.NOT_RELEASABLE", detail, field="unblock")
    again = LIBYA.after(ctx.at, ctx.policy.in_force.hold_review[found.type])
    reviewed = HoldReviewed(
        hold_id=command.hold_id, decision=command.decision, review_by=again, unblock=command.unblock
    )
    if command.unblock and found.subtype == "ASYLUM":
        reviewed = reviewed.model_copy(update={"unblock": (), "decision": f"{command.decision} ({STAYS_CLOSED})"})
    yield reviewed
    yield from send_drafts(case, ctx)


def lift_hold(case: Case, command: LiftHold, ctx: Context) -> Iterator[Event]:
    found = case.holds.get(command.hold_id)
    if found is None:
        raise Rejected("HOLD.UNKNOWN", NO_SUCH_HOLD.format(command.hold_id), field="hold_id")
    if found.type is HoldType.CONSENT and not _has_new_declaration(case, ctx):
        raise Rejected(
            "HOLD.CONSENT",
            "a consent hold can be lifted only after a new voluntary return declaration",
            field="hold_id",
        )
    if found.type is HoldType.SAFETY and not _safe_today(case, ctx):
        raise Rejected(
            "HOLD.SAFETY",
            "a safety hold can be lifted only after a new assessment of safety of return",
            field="hold_id",
        )
    yield HoldLifted(hold_id=found.hold_id, hold_type=found.type, by=ctx.actor)
    yield from send_drafts(case, ctx)


def _safe_today(case: Case, ctx: Context) -> bool:
    return case.has_clearance(ClearanceKind.SAFETY_OF_RETURN, ctx.at) and not outdated(case, ctx.directory.advisories)


def _has_new_declaration(case: Case, ctx: Context) -> bool:
    """Returns whether the person signed a declaration after the latest doubt about voluntariness."""
    declared = case.latest(VoluntaryReturnDeclared)
    valid = declared is not None and still_stands(case, declared, declared.signed_at)
    return valid and case.has_clearance(ClearanceKind.CONSENT_RETURN, ctx.at)


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
"""Clearances that a named officer may grant. Consent, medical examination and documents have their own procedures."""


def grant_clearance(case: Case, command: GrantClearance, ctx: Context) -> Iterator[Event]:
    if command.kind not in OFFICERS_MAY_GRANT:
        raise Rejected(
            "CLEARANCE.NOT_BY_HAND",
            (f"the clearance '{label(command.kind)}' cannot be granted manually; it has its own procedure"),
            field="kind",
        )
    if command.kind is ClearanceKind.PROTECTION_CLEARANCE and case.holds_of(HoldType.PROTECTION):
        raise Rejected(
            "CLEARANCE.HELD",
            "a protection hold is in force; lift it before you grant protection clearance",
            field="kind",
        )
    if command.kind is ClearanceKind.SAFETY_OF_RETURN and advised(case, ctx.directory.advisories, None):
        raise Rejected(
            "CLEARANCE.ASSESSED",
            ("a return advisory is in force for the place of return; assess the safety of return under it"),
            field="kind",
        )
    if command.valid_until is not None and command.valid_until <= ctx.at:
        detail = f"the end of validity, {date_and_time(command.valid_until)}, has passed; enter a later time"
        raise Rejected("CLEARANCE.ENDED", detail, field="valid_until")
    yield NoteAdded(note=command.evidence)
    yield grant(command.kind, ctx, until=command.valid_until, evidence="a named officer")


def revoke_clearance(case: Case, command: RevokeClearance, _ctx: Context) -> Iterator[Event]:
    found = case.clearances.get(command.kind)
    if found is None or found.status is not ClearanceStatus.VALID:
        raise Rejected(
            "CLEARANCE.NOT_IN_FORCE",
            f"the clearance '{label(command.kind)}' is not in force; there is nothing to revoke",
            field="kind",
        )
    yield NoteAdded(note=command.cause)
    yield from revoke(case, command.kind, "OFFICER")


def raise_protection_concern(case: Case, command: RaiseProtectionConcern, ctx: Context) -> Iterator[Event]:
    """Holds the journey, revokes clearances and creates a task. After departure, it goes to the country of return."""
    content = {"risk_level": command.risk_level, "concern": command.concern}
    yield from record_protection_concern(case, ctx, true_name=CONCERN, content=content)
