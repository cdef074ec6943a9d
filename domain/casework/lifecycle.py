"""What may happen to any case at any stage: notes, tasks, holds, withdrawal, closure and reopening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from domain.case.aggregate import Case
from domain.casework.seat import end_referrals, vacate_seat
from domain.clearance.actions import hold, task
from domain.clearance.revocations import Trigger, revocations
from domain.commands.case import CloseCase, ReopenCase, WithdrawVoluntaryReturn
from domain.events.case import CaseClosed, CaseReopened, ClearanceExpired
from domain.events.reintegration import ReintegrationCompleted
from domain.events.screening import VoluntaryReturnWithdrawn
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.vocabulary import PUBLIC_CLOSURE, ClearanceKind, ClearanceStatus, ClosureReason, HoldType, Phase
from domain.kernel.working_time import LIBYA
from domain.referral.disclosure import CARE, RECIPIENT_OF
from domain.referral.requests import cancel

# Leaving the way


def withdraw_voluntary_return(case: Case, statement: WithdrawVoluntaryReturn, ctx: Context) -> Iterator[Event]:
    """Accepted in every phase until the flight has departed (INV-02); care goes on."""
    if case.departed:
        raise Rejected(
            "INV-02", "the flight has departed; record a protection concern or a complaint, or stop the onward leg"
        )
    yield VoluntaryReturnWithdrawn(
        channel=statement.channel, place=statement.place, reported_by_other=statement.reported_by_other
    )
    yield from revocations(case, Trigger.RETURN_WITHDRAWN)
    yield from vacate_seat(case, "WITHDRAWN", ctx)
    yield from end_referrals(case, Trigger.RETURN_WITHDRAWN, ctx)
    yield hold(HoldType.CONSENT, ctx)
    if statement.reported_by_other:
        yield task("contact the person", "PROTECTION_OFFICER", ctx.policy.pinned.withdrawal_contact, ctx)


BEFORE: Final = frozenset({Phase.INTAKE, Phase.PRE_DEPARTURE})

AFTER: Final = frozenset({Phase.POST_ARRIVAL})

ANY: Final = frozenset(Phase) - {Phase.CLOSED}

CLOSES_IN: Final[Mapping[ClosureReason, frozenset[Phase]]] = {
    ClosureReason.COMPLETED_REINTEGRATION: AFTER,
    ClosureReason.RETURNED_NO_REINTEGRATION: AFTER,
    ClosureReason.REINTEGRATION_DROPPED_OUT: AFTER,
    ClosureReason.WITHDRAWN_BY_MIGRANT: BEFORE | {Phase.DEPARTURE},
    ClosureReason.CONSENT_LAPSED_NO_CONTACT: BEFORE,
    ClosureReason.NO_CONTACT: BEFORE | AFTER,
    ClosureReason.REPEATED_NO_SHOW: BEFORE,
    ClosureReason.INELIGIBLE: BEFORE,
    ClosureReason.NOT_SAFE_TO_RETURN: BEFORE,
    ClosureReason.REFERRED_TO_UNHCR: BEFORE,
    ClosureReason.NATIONALITY_NOT_ESTABLISHED: BEFORE,
    ClosureReason.MEDICALLY_UNFIT_LONG_TERM: BEFORE,
    ClosureReason.BEST_INTERESTS_AGAINST_RETURN: BEFORE,
    ClosureReason.LEGAL_PROCEEDINGS: BEFORE,
    ClosureReason.RETURNED_BY_OTHER_MEANS: BEFORE,
    ClosureReason.REMOVED_OR_EXPELLED: BEFORE | {Phase.DEPARTURE},
    ClosureReason.ONWARD_MOVEMENT: BEFORE | AFTER,
    ClosureReason.MEDICALLY_EVACUATED: BEFORE,
    ClosureReason.RESETTLED_OR_EVACUATED_BY_UNHCR: BEFORE,
    ClosureReason.TRANSFERRED_OUT: BEFORE | AFTER,
    ClosureReason.DUPLICATE_MERGED: BEFORE,
    ClosureReason.DECEASED: ANY,
    ClosureReason.MISSING_PRESUMED: BEFORE | AFTER | {Phase.TRANSIT},
    ClosureReason.FRAUD_CONFIRMED: BEFORE | AFTER,
    ClosureReason.DATA_SUBJECT_REQUEST: BEFORE | AFTER,
    ClosureReason.ENTERED_IN_ERROR: BEFORE,
}

NEEDS_FIRST: Final[Mapping[ClosureReason, type[Event]]] = {
    ClosureReason.COMPLETED_REINTEGRATION: ReintegrationCompleted,
    ClosureReason.WITHDRAWN_BY_MIGRANT: VoluntaryReturnWithdrawn,
}


def close_case(case: Case, order: CloseCase, ctx: Context) -> Iterator[Event]:
    """A person decides and a second one approves, except where somebody simply no longer wants to return."""
    if case.phase not in CLOSES_IN[order.reason]:
        raise Rejected("CLOSURE.PHASE", f"{order.reason} does not close a case in phase {case.phase}", field="reason")
    needed = NEEDS_FIRST.get(order.reason)
    if needed and not case.has(needed):
        raise Rejected(
            "CLOSURE.NOT_REACHED", f"{order.reason} needs {needed.TOPIC} to be recorded first", field="reason"
        )
    approver = order.approved_by.removeprefix("staff:")
    if approver == ctx.actor.removeprefix("staff:") and order.reason is not ClosureReason.WITHDRAWN_BY_MIGRANT:
        raise Rejected(
            "CLOSURE.FOUR_EYES", f"{order.approved_by} cannot approve their own decision", field="approved_by"
        )
    yield from vacate_seat(case, "CASE_CLOSED", ctx)
    for referral in list(case.open_referrals()):
        if RECIPIENT_OF[referral.asked_kind] not in CARE:
            yield from cancel(case, referral, ctx)
    yield CaseClosed(
        public_reason=PUBLIC_CLOSURE[order.reason],
        decided_by=ctx.actor,
        approved_by=order.approved_by,
        reason=order.reason,
    )


def reopen_case(case: Case, order: ReopenCase, ctx: Context) -> Iterator[Event]:
    """Within the reopening window; every permission starts expired, and consent is asked again."""
    if case.closed_at is None:
        raise Rejected("REOPEN.NOT_CLOSED", f"the case is in phase {case.phase}")
    latest = LIBYA.after(case.closed_at, case.policy.pinned.reopen_window)
    if ctx.at > latest:
        raise Rejected("REOPEN.TOO_LATE", f"the window ended on {latest:%d %B %Y}; open a new case for the same person")
    if order.target_phase not in (Phase.INTAKE, Phase.PRE_DEPARTURE, Phase.POST_ARRIVAL):
        raise Rejected("REOPEN.PHASE", f"a case is not reopened into {order.target_phase}", field="target_phase")
    yield CaseReopened(target_phase=order.target_phase, reason=order.reason)
    for clearance in list(case.clearances.values()):
        if clearance.status is ClearanceStatus.VALID and clearance.kind is not ClearanceKind.TRAVEL_DOCUMENT:
            yield ClearanceExpired(kind=clearance.kind)
