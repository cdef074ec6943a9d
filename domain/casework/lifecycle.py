"""Handlers of withdrawal, closure and reopening, which are possible at any stage."""

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
from domain.kernel.labels import label
from domain.kernel.vocabulary import PUBLIC_CLOSURE, ClearanceKind, ClearanceStatus, ClosureReason, HoldType, Phase
from domain.kernel.working_time import LIBYA
from domain.referral.disclosure import CARE, RECIPIENT_OF
from domain.referral.requests import cancel


def withdraw_voluntary_return(case: Case, command: WithdrawVoluntaryReturn, ctx: Context) -> Iterator[Event]:
    """Accepted in every phase until the flight has departed (INV-02); assistance continues."""
    if case.departed:
        raise Rejected(
            "INV-02", "the flight has departed; record a protection concern or a complaint, or stop the onward leg"
        )
    yield VoluntaryReturnWithdrawn(
        channel=command.channel, place=command.place, reported_by_other=command.reported_by_other
    )
    yield from revocations(case, Trigger.RETURN_WITHDRAWN)
    yield from vacate_seat(case, "WITHDRAWN", ctx)
    yield from end_referrals(case, Trigger.RETURN_WITHDRAWN, ctx)
    yield hold(HoldType.CONSENT, ctx)
    if command.reported_by_other:
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


FIRST_IN_WORDS: Final[Mapping[type[Event], str]] = {
    ReintegrationCompleted: "the completion of reintegration",
    VoluntaryReturnWithdrawn: "the withdrawal of voluntary return",
}


def close_case(case: Case, command: CloseCase, ctx: Context) -> Iterator[Event]:
    """Requires a decision and the approval of a second person, except when the person withdrew."""
    if case.phase not in CLOSES_IN[command.reason]:
        phase = label(case.phase) if case.phase else "not registered"
        detail = f"'{label(command.reason)}' cannot close a case in the phase '{phase}'; choose another reason"
        raise Rejected("CLOSURE.PHASE", detail, field="reason")
    needed = NEEDS_FIRST.get(command.reason)
    if needed and not case.has(needed):
        raise Rejected(
            "CLOSURE.NOT_REACHED",
            f"'{label(command.reason)}' requires that {FIRST_IN_WORDS[needed]} is recorded first",
            field="reason",
        )
    approver = command.approved_by.removeprefix("staff:")
    if approver == ctx.actor.removeprefix("staff:") and command.reason is not ClosureReason.WITHDRAWN_BY_MIGRANT:
        raise Rejected(
            "CLOSURE.FOUR_EYES",
            f"{approver} cannot approve their own decision; a second person must approve the closure",
            field="approved_by",
        )
    yield from vacate_seat(case, "CASE_CLOSED", ctx)
    for referral in list(case.open_referrals()):
        if RECIPIENT_OF[referral.asked_kind] not in CARE:
            yield from cancel(case, referral, ctx)
    yield CaseClosed(
        public_reason=PUBLIC_CLOSURE[command.reason],
        decided_by=ctx.actor,
        approved_by=command.approved_by,
        reason=command.reason,
    )


def reopen_case(case: Case, command: ReopenCase, ctx: Context) -> Iterator[Event]:
    """Accepted within the reopening window; clearances start expired, and consent must be given again."""
    if case.closed_at is None:
        raise Rejected(
            "REOPEN.NOT_CLOSED",
            f"the case is not closed (phase: {label(case.phase) if case.phase else 'not registered'})",
        )
    latest = LIBYA.after(case.closed_at, case.policy.pinned.reopen_window)
    if ctx.at > latest:
        raise Rejected(
            "REOPEN.TOO_LATE", f"the reopening window ended on {latest:%d %B %Y}; register a new case for the person"
        )
    if command.target_phase not in (Phase.INTAKE, Phase.PRE_DEPARTURE, Phase.POST_ARRIVAL):
        raise Rejected(
            "REOPEN.PHASE",
            (
                f"a case cannot be reopened into the phase '{label(command.target_phase)}'; "
                "choose intake, before departure or after arrival"
            ),
            field="target_phase",
        )
    yield CaseReopened(target_phase=command.target_phase, reason=command.reason)
    for clearance in list(case.clearances.values()):
        if clearance.status is ClearanceStatus.VALID and clearance.kind is not ClearanceKind.TRAVEL_DOCUMENT:
            yield ClearanceExpired(kind=clearance.kind)
