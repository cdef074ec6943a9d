"""Records a protection concern, with the same public events for every concern.

Neither the sequence of events, nor the name of a task, nor its due date may reveal whether a person fears return, was
trafficked or is threatened (rule PROTECTION.INDISTINGUISHABLE).
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
    """Places a hold, revokes the clearance and raises a task for a protection officer.

    After departure the task goes to the country of return.
    """
    yield RestrictedFactRecorded(compartment_class="PROT", true_name=true_name, content=content)
    yield from revocations(case, Trigger.PROTECTION_HOLD)
    if not case.departed:
        yield hold(HoldType.PROTECTION, ctx, subtype="ASYLUM" if true_name == CLAIM else None)
    yield task("decide on a protection hold", "PROTECTION_OFFICER", soon(case, ctx), ctx)


def record_private_interview(case: Case, ctx: Context, *, fear: bool, concern: str | None) -> Iterator[Event]:
    """Records the concern raised in a private interview, if any. Any expression of fear counts as a claim."""
    if fear or concern:
        content = {"concern": concern} if concern else None
        yield from record_protection_concern(case, ctx, true_name=CLAIM if fear else CONCERN, content=content)


def asked_in_private(case: Case) -> bool:
    """Returns whether the private interview is still valid. After any protection concern it must be held again.

    This applies to every concern alike, so that none can be recognised by it. It is derived from the hold, which is
    public and remains after the keys are destroyed. A change of nationality also requires a new interview: the person
    may fear the country now named.
    """
    asked, placed = case.latest(NonRefoulementScreened), case.every(HoldPlaced)
    newest = max((hold.originator_version for hold in placed if hold.hold_type is HoldType.PROTECTION), default=0)
    return asked is not None and asked.originator_version > max(newest, case.nationality_since)
