"""What may happen to any case at any stage: notes, tasks, holds, withdrawal, closure and reopening."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Final

from domain.advisory import advised, outdated
from domain.asking import (
    cancel,
    on_amend,
    on_cancel,
    on_create,
    on_error,
    on_expiry,
    on_pause,
    on_reassign,
    on_resume,
    on_send,
    send_drafts,
)
from domain.calendar import LIBYA
from domain.case import Case
from domain.case_facts import (
    CaseClosed,
    CasePriorityAssigned,
    CaseReopened,
    CaseWorkerAssigned,
    ClearanceExpired,
    ContactAttempted,
    HoldLifted,
    HoldReviewed,
    NoteAdded,
    PersonInformed,
    TaskCompleted,
)
from domain.doubt import on_resolve
from domain.event import Compartment, Event, Sealed
from domain.evidence import AttachEvidence, attach
from domain.gate import Trigger, revocations
from domain.messages import (
    AddNote,
    AmendReferral,
    AssignCaseWorker,
    CancelReferral,
    CloseCase,
    CompleteTask,
    ConfirmReferralExpiry,
    CreateReferral,
    GrantClearance,
    InformPerson,
    LiftHold,
    MarkReferralEnteredInError,
    Message,
    PauseReferral,
    PlaceHold,
    RaiseProtectionConcern,
    ReassignReferral,
    RecordContactAttempt,
    ReopenCase,
    ResolveQuarantinedSignal,
    ResumeReferral,
    ReviewHold,
    RevokeClearance,
    SendReferral,
    SetPriority,
    WithdrawVoluntaryReturn,
)
from domain.moment import Moment, Refused
from domain.partner import CARE, RECIPIENT_OF
from domain.protecting import CONCERN, heard
from domain.sheets import ListReferral, on_list
from domain.stage import Rule
from domain.stages.departure import end_referrals, release_seat
from domain.stages.screening import VoluntaryReturnDeclared
from domain.steps import grant, hold, revoke, task
from domain.wish import counts
from domain.words import (
    PUBLIC_CLOSURE,
    Block,
    ClearanceKind,
    ClearanceStatus,
    ClosureReason,
    HoldType,
    Phase,
)


class VoluntaryReturnWithdrawn(Event):
    """The person does not want to return. Nothing else said at the same time outranks it."""

    TOPIC: ClassVar[str] = "VoluntaryReturnWithdrawn"
    SENTENCE: ClassVar[str] = "Withdrew the wish to return ({channel}, at {place})."

    reported_by_other: bool = False
    channel: Annotated[str | None, Sealed(Compartment.CONS)] = None
    place: Annotated[str | None, Sealed(Compartment.CONS)] = None


# Notes, people, tasks


def assign(_case: Case, order: AssignCaseWorker, _m: Moment) -> Iterator[Event]:
    yield CaseWorkerAssigned(user=order.user)


def prioritise(_case: Case, order: SetPriority, _m: Moment) -> Iterator[Event]:
    yield CasePriorityAssigned(priority=order.priority, basis=order.basis)


def note(_case: Case, report: AddNote, _m: Moment) -> Iterator[Event]:
    yield NoteAdded(note=report.note)


def contact(_case: Case, report: RecordContactAttempt, _m: Moment) -> Iterator[Event]:
    yield ContactAttempted(channel=report.channel, result=report.result)


def inform(_case: Case, report: InformPerson, _m: Moment) -> Iterator[Event]:
    yield PersonInformed(topic=report.topic, channel=report.channel, language=report.language)


def finish_task(case: Case, report: CompleteTask, _m: Moment) -> Iterator[Event]:
    found = case.tasks.get(report.task_id)
    if found is None:
        raise Refused("TASK.UNKNOWN", f"no open task {report.task_id} on this case", field="task_id")
    yield TaskCompleted(task_id=found.task_id, task=found.task, outcome=report.outcome)


# Holds and clearances


RELEASABLE: Final = frozenset({Block.EMBASSY_DISCLOSURE, Block.AUTHORITY_DISCLOSURE})
"""What a review may release of a hold that goes on (domain.md 4.5)."""
STAYS_CLOSED: Final = "nothing was released: of this hold the disclosure part stays closed"
"""Said only under the seal. A refusal would tell everybody who sees it which kind of hold this is."""


def place_hold(_case: Case, order: PlaceHold, m: Moment) -> Iterator[Event]:
    yield hold(order.hold_type, m, subtype=order.reason)


def review_hold(case: Case, order: ReviewHold, m: Moment) -> Iterator[Event]:
    found = case.holds.get(order.hold_id)
    if found is None:
        raise Refused("HOLD.UNKNOWN", f"no active hold {order.hold_id} on this case", field="hold_id")
    if set(order.unblock) - RELEASABLE:
        detail = f"a review releases only {' and '.join(sorted(RELEASABLE))}; to let the person travel, lift the hold"
        raise Refused("HOLD.NOT_RELEASABLE", detail, field="unblock")
    again = LIBYA.after(m.at, m.policy.in_force.hold_review[found.type])
    reviewed = HoldReviewed(hold_id=order.hold_id, decision=order.decision, review_by=again, unblock=order.unblock)
    if order.unblock and found.subtype == "ASYLUM":
        reviewed = reviewed.model_copy(update={"unblock": (), "decision": f"{order.decision} ({STAYS_CLOSED})"})
    yield reviewed
    yield from send_drafts(case, m)


def lift_hold(case: Case, order: LiftHold, m: Moment) -> Iterator[Event]:
    found = case.holds.get(order.hold_id)
    if found is None:
        raise Refused("HOLD.UNKNOWN", f"no active hold {order.hold_id} on this case", field="hold_id")
    if found.type is HoldType.CONSENT and not _declared_since(case, m):
        raise Refused("HOLD.CONSENT", "a consent hold is lifted only after a new declaration", field="hold_id")
    if found.type is HoldType.SAFETY and not _safe_today(case, m):
        raise Refused("HOLD.SAFETY", "a safety hold is lifted only after a new assessment", field="hold_id")
    yield HoldLifted(hold_id=found.hold_id, hold_type=found.type, by=m.actor)
    yield from send_drafts(case, m)


def _safe_today(case: Case, m: Moment) -> bool:
    return case.has_clearance(ClearanceKind.SAFETY_OF_RETURN, m.at) and not outdated(case, m.directory.advisories)


def _declared_since(case: Case, m: Moment) -> bool:
    """Whether the person has declared anew after the last time they seemed not to want to go."""
    declared = case.latest(VoluntaryReturnDeclared)
    anew = declared is not None and counts(case, declared, declared.signed_at)
    return anew and case.has_clearance(ClearanceKind.CONSENT_RETURN, m.at)


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


def grant_clearance(case: Case, order: GrantClearance, m: Moment) -> Iterator[Event]:
    if order.kind not in OFFICERS_MAY_GRANT:
        raise Refused("CLEARANCE.NOT_BY_HAND", f"{order.kind} is not granted by hand", field="kind")
    if order.kind is ClearanceKind.PROTECTION_CLEARANCE and case.holds_of(HoldType.PROTECTION):
        raise Refused("CLEARANCE.HELD", "lift the protection hold before clearing the way", field="kind")
    if order.kind is ClearanceKind.SAFETY_OF_RETURN and advised(case, m.directory.advisories, None):
        raise Refused("CLEARANCE.ASSESSED", "assess the safety of return under today's advisory", field="kind")
    if order.valid_until is not None and order.valid_until <= m.at:
        ended = f"{order.valid_until:%d %B %Y %H:%M UTC}"
        raise Refused("CLEARANCE.ENDED", f"valid until {ended}, which has passed", field="valid_until")
    yield NoteAdded(note=order.evidence)
    yield grant(order.kind, m, until=order.valid_until, evidence="a named officer")


def revoke_clearance(case: Case, order: RevokeClearance, _m: Moment) -> Iterator[Event]:
    found = case.clearances.get(order.kind)
    if found is None or found.status is not ClearanceStatus.VALID:
        raise Refused("CLEARANCE.NOT_IN_FORCE", f"{order.kind} is not in force", field="kind")
    yield NoteAdded(note=order.cause)
    yield from revoke(case, order.kind, "OFFICER")


def raise_concern(case: Case, report: RaiseProtectionConcern, m: Moment) -> Iterator[Event]:
    """At any stage: hold, revoke, ask a protection partner. After departure the country of return takes over."""
    content = {"risk_level": report.risk_level, "concern": report.concern}
    yield from heard(case, m, true_name=CONCERN, content=content)


# Leaving the way


def withdraw(case: Case, statement: WithdrawVoluntaryReturn, m: Moment) -> Iterator[Event]:
    """Accepted in every phase until the flight has departed (INV-02); care goes on."""
    if case.departed:
        raise Refused(
            "INV-02", "the flight has departed; record a protection concern or a complaint, or stop the onward leg"
        )
    yield VoluntaryReturnWithdrawn(
        channel=statement.channel, place=statement.place, reported_by_other=statement.reported_by_other
    )
    yield from revocations(case, Trigger.RETURN_WITHDRAWN)
    yield from release_seat(case, "WITHDRAWN", m)
    yield from end_referrals(case, Trigger.RETURN_WITHDRAWN, m)
    yield hold(HoldType.CONSENT, m)
    if statement.reported_by_other:
        yield task("contact the person", "PROTECTION_OFFICER", m.policy.pinned.withdrawal_contact, m)


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
NEEDS_FIRST: Final[Mapping[ClosureReason, str]] = {
    ClosureReason.COMPLETED_REINTEGRATION: "ReintegrationCompleted",
    ClosureReason.WITHDRAWN_BY_MIGRANT: "VoluntaryReturnWithdrawn",
}


def close(case: Case, order: CloseCase, m: Moment) -> Iterator[Event]:
    """A person decides and a second one approves, except where somebody simply no longer wants to return."""
    if case.phase not in CLOSES_IN[order.reason]:
        raise Refused("CLOSURE.PHASE", f"{order.reason} does not close a case in phase {case.phase}", field="reason")
    needed = NEEDS_FIRST.get(order.reason)
    if needed and not case.has(needed):
        raise Refused("CLOSURE.NOT_REACHED", f"{order.reason} needs {needed} to be recorded first", field="reason")
    approver = order.approved_by.removeprefix("staff:")
    if approver == m.actor.removeprefix("staff:") and order.reason is not ClosureReason.WITHDRAWN_BY_MIGRANT:
        raise Refused(
            "CLOSURE.FOUR_EYES", f"{order.approved_by} cannot approve their own decision", field="approved_by"
        )
    yield from release_seat(case, "CASE_CLOSED", m)
    for referral in list(case.open_referrals()):
        if RECIPIENT_OF[referral.asked_kind] not in CARE:
            yield from cancel(case, referral, m)
    yield CaseClosed(
        public_reason=PUBLIC_CLOSURE[order.reason],
        decided_by=m.actor,
        approved_by=order.approved_by,
        reason=order.reason,
    )


def reopen(case: Case, order: ReopenCase, m: Moment) -> Iterator[Event]:
    """Within the reopening window; every permission starts expired, and consent is asked again."""
    if case.closed_at is None:
        raise Refused("REOPEN.NOT_CLOSED", f"the case is in phase {case.phase}")
    latest = LIBYA.after(case.closed_at, case.policy.pinned.reopen_window)
    if m.at > latest:
        raise Refused("REOPEN.TOO_LATE", f"the window ended on {latest:%d %B %Y}; open a new case for the same person")
    if order.target_phase not in (Phase.INTAKE, Phase.PRE_DEPARTURE, Phase.POST_ARRIVAL):
        raise Refused("REOPEN.PHASE", f"a case is not reopened into {order.target_phase}", field="target_phase")
    yield CaseReopened(target_phase=order.target_phase, reason=order.reason)
    for clearance in list(case.clearances.values()):
        if clearance.status is ClearanceStatus.VALID and clearance.kind is not ClearanceKind.TRAVEL_DOCUMENT:
            yield ClearanceExpired(kind=clearance.kind)


RULES: Final[Mapping[type[Message], Rule]] = {
    AssignCaseWorker: assign,
    SetPriority: prioritise,
    AddNote: note,
    RecordContactAttempt: contact,
    InformPerson: inform,
    CompleteTask: finish_task,
    PlaceHold: place_hold,
    ReviewHold: review_hold,
    LiftHold: lift_hold,
    GrantClearance: grant_clearance,
    RevokeClearance: revoke_clearance,
    RaiseProtectionConcern: raise_concern,
    WithdrawVoluntaryReturn: withdraw,
    CloseCase: close,
    ReopenCase: reopen,
    CreateReferral: on_create,
    SendReferral: on_send,
    AmendReferral: on_amend,
    CancelReferral: on_cancel,
    PauseReferral: on_pause,
    ResumeReferral: on_resume,
    ReassignReferral: on_reassign,
    ConfirmReferralExpiry: on_expiry,
    MarkReferralEnteredInError: on_error,
    ResolveQuarantinedSignal: on_resolve,
    ListReferral: on_list,
    AttachEvidence: attach,
}
