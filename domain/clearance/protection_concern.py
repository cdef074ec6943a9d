"""A matter of protection, whatever it is and wherever it is heard: one and the same outside its seals.

Whether somebody is afraid to return, was sold, or is threatened must not be told by which events follow one another,
by what a task is called, or by when it is due (domain.md 00, 9).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.case.aggregate import Case
from domain.clearance.actions import hold, soon, task
from domain.clearance.revocations import Trigger, revocations
from domain.events.case import HoldPlaced, RestrictedFactRecorded
from domain.events.screening import NonRefoulementScreened
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.vocabulary import HoldType

CLAIM = "AsylumClaimRaised"

CONCERN = "ProtectionConcernRaised"


def record_protection_concern(
    case: Case, ctx: Context, *, true_name: str, content: dict[str, Any] | None = None
) -> Iterator[Event]:
    """Hold, revoke, and let a protection officer decide. After departure the country of return takes over."""
    yield RestrictedFactRecorded(compartment_class="PROT", true_name=true_name, content=content)
    yield from revocations(case, Trigger.PROTECTION_HOLD)
    if not case.departed:
        yield hold(HoldType.PROTECTION, ctx, subtype="ASYLUM" if true_name == CLAIM else None)
    yield task("decide on a protection hold", "PROTECTION_OFFICER", soon(case, ctx), ctx)


def record_private_interview(case: Case, ctx: Context, *, fear: bool, concern: str | None) -> Iterator[Event]:
    """What an interview in private brought to light, if anything. Any word of fear counts; there are no magic ones."""
    if fear or concern:
        content = {"concern": concern} if concern else None
        yield from record_protection_concern(case, ctx, true_name=CLAIM if fear else CONCERN, content=content)


def asked_in_private(case: Case) -> bool:
    """Whether the private question counts: after anything that concerns protection it is asked anew.

    Whatever that was, so that none can be told by it. A hold is public, and remains when the seals are gone. So it is
    after another nationality was named: that country may be the one they fear.
    """
    asked, placed = case.latest(NonRefoulementScreened), case.every(HoldPlaced)
    newest = max((hold.originator_version for hold in placed if hold.hold_type is HoldType.PROTECTION), default=0)
    return asked is not None and asked.originator_version > max(newest, case.nationality_since)
