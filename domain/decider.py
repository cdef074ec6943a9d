"""A message meets a case: the guards that all messages share, then its rule, then what follows from it.

Rules are generators: each event is folded into the case before the next is decided, so a rule always sees the case
as it stands. Whatever was decided, the stages are asked afterwards what is complete, lapsed, or to be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.casework.deadlines import deadlines, lapse
from domain.casework.evidence import attach_evidence
from domain.casework.holds import (
    grant_clearance,
    lift_hold,
    place_hold,
    raise_protection_concern,
    review_hold,
    revoke_clearance,
)
from domain.casework.invalidation import invalidated
from domain.casework.lifecycle import close_case, reopen_case, withdraw_voluntary_return
from domain.casework.notes import (
    add_note,
    assign_case_worker,
    complete_task,
    inform_person,
    record_contact_attempt,
    set_priority,
)
from domain.casework.seat import ABOARD, vacate_seat
from domain.clearance.actions import end_of, granted_by, hold, task
from domain.clearance.travel_gate import journey_on, travel_gate
from domain.commands.case import (
    AddNote,
    AssignCaseWorker,
    AttachEvidence,
    CloseCase,
    CompleteTask,
    GrantClearance,
    InformPerson,
    LiftHold,
    PlaceHold,
    RaiseProtectionConcern,
    RecordContactAttempt,
    ReopenCase,
    ReviewHold,
    RevokeClearance,
    SetPriority,
    WithdrawVoluntaryReturn,
)
from domain.commands.referral import (
    AmendReferral,
    CancelReferral,
    ConfirmReferralExpiry,
    CreateReferral,
    ListReferral,
    MarkReferralEnteredInError,
    PauseReferral,
    ReassignReferral,
    ReportDeliveryFailure,
    ReportHandedOver,
    ResumeReferral,
    SendReferral,
)
from domain.commands.screening import RegisterCase, WithdrawConsent
from domain.commands.seat_letters import FlightHasArrived, FlightHasDeparted, SeatUnavailable, TakeSeat
from domain.commands.signal import (
    ReceiveContradiction,
    ReceivePartnerSignal,
    ResolveQuarantinedMessage,
    ResolveQuarantinedSignal,
)
from domain.events.case import StageCompleted, StageOpened, StageReopened
from domain.events.partner_report import (
    AMENDED_TO,
    PartnerReport,
    ReferralAccepted,
    ReferralCompleted,
    ReferralFailed,
    ReferralOutcomeAmended,
    ReferralRejected,
    ReferralReportedAgain,
)
from domain.events.referral import ReferralCancelled, ReferralEnteredInError, ReferralExpired
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.errors import Rejected, TooEarly
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import Checkpoint, ReferralKind, SignalType, Stage, StageStatus
from domain.procedure import EDITIONS, stages_in_turn
from domain.progress import Progress
from domain.referral.delivery import report_delivery_failure, report_handed_over
from domain.referral.disclosure import RECIPIENT_OF, Recipient
from domain.referral.outcomes import hold_required_by
from domain.referral.requests import (
    amend_referral,
    cancel_referral,
    confirm_referral_expiry,
    create_referral,
    mark_referral_entered_in_error,
    pause_referral,
    reassign_referral,
    resume_referral,
    send_referral,
)
from domain.referral.sheets import list_referral
from domain.referral.withdrawal import cancel_blocked_referrals
from domain.signals.contradiction import receive_contradiction
from domain.signals.handler import receive_partner_signal
from domain.signals.quarantine import resolve_quarantined_signal
from domain.signals.unprocessable import quarantine_message, release_message, resolve_quarantined_message
from domain.stages.departure import DEPARTURE
from domain.stages.documents import DOCUMENTS
from domain.stages.medical import MEDICAL
from domain.stages.protection import PROTECTION
from domain.stages.reception import RECEPTION
from domain.stages.reintegration import REINTEGRATION
from domain.stages.screening import SCREENING
from domain.stages.stage import Handler, Meaning, Requirement, StageRules

STAGES: Final[Mapping[Stage, StageRules]] = {
    rules.stage: rules for rules in (SCREENING, PROTECTION, MEDICAL, DOCUMENTS, DEPARTURE, RECEPTION, REINTEGRATION)
}

STAGE_OF: Final[Mapping[type[Message], StageRules]] = {
    message: rules for rules in STAGES.values() for message in rules.rules
}

HANDLERS: Final[Mapping[type[Message], Handler]] = {
    AssignCaseWorker: assign_case_worker,
    SetPriority: set_priority,
    AddNote: add_note,
    RecordContactAttempt: record_contact_attempt,
    InformPerson: inform_person,
    CompleteTask: complete_task,
    PlaceHold: place_hold,
    ReviewHold: review_hold,
    LiftHold: lift_hold,
    GrantClearance: grant_clearance,
    RevokeClearance: revoke_clearance,
    RaiseProtectionConcern: raise_protection_concern,
    WithdrawVoluntaryReturn: withdraw_voluntary_return,
    CloseCase: close_case,
    ReopenCase: reopen_case,
    CreateReferral: create_referral,
    SendReferral: send_referral,
    AmendReferral: amend_referral,
    CancelReferral: cancel_referral,
    PauseReferral: pause_referral,
    ResumeReferral: resume_referral,
    ReassignReferral: reassign_referral,
    ConfirmReferralExpiry: confirm_referral_expiry,
    MarkReferralEnteredInError: mark_referral_entered_in_error,
    ResolveQuarantinedSignal: resolve_quarantined_signal,
    ListReferral: list_referral,
    AttachEvidence: attach_evidence,
    **{message: rule for rules in STAGES.values() for message, rule in rules.rules.items()},
    ReceivePartnerSignal: receive_partner_signal,
    ReportDeliveryFailure: report_delivery_failure,
    ReceiveContradiction: receive_contradiction,
    ReportHandedOver: report_handed_over,
    ResolveQuarantinedMessage: resolve_quarantined_message,
}

MEANINGS: Final[Mapping[tuple[ReferralKind, SignalType], Meaning]] = {
    key: meaning for rules in STAGES.values() for key, meaning in rules.answers.items()
}

TAKEN_BACK: Final[Mapping[ReferralKind, Meaning]] = {
    kind: meaning for rules in STAGES.values() for kind, meaning in rules.on_retraction.items()
}

SAYS: Final[Mapping[type[Event], SignalType]] = {
    ReferralAccepted: SignalType.ACCEPTED,
    ReferralCompleted: SignalType.COMPLETED,
    ReferralOutcomeAmended: SignalType.COMPLETED,
    ReferralReportedAgain: SignalType.COMPLETED,
}

CAUSE_OF: Final[Mapping[type[Event], str]] = {
    ReferralRejected: "PARTNER_WITHDREW",
    ReferralFailed: "PARTNER_WITHDREW",
    ReferralCancelled: "REFERRAL_CANCELLED",
    ReferralExpired: "REFERRAL_EXPIRED",
    ReferralEnteredInError: "REFERRAL_ENTERED_IN_ERROR",
}
"""How a referral ends without an answer, and why a permission that rested on it ends as well."""

FOR_ANOTHER: Final = frozenset({ReferralRejected, ReferralFailed, ReferralExpired})
"""Ends after which a person decides who is asked instead."""

OFFICER_OF: Final[Mapping[Recipient, str]] = {
    **dict.fromkeys(Recipient, "CASE_SUPERVISOR"),
    **dict.fromkeys((Recipient.CLINIC, Recipient.MHPSS), "MEDICAL_OFFICER"),
    **dict.fromkeys((Recipient.PROTECTION, Recipient.UNHCR), "PROTECTION_OFFICER"),
    **dict.fromkeys((Recipient.TRACING, Recipient.GUARDIANSHIP), "CHILD_PROTECTION_OFFICER"),
    **dict.fromkeys((Recipient.EMBASSY, Recipient.EXIT_AUTHORITY), "CONSULAR_LIAISON"),
    **dict.fromkeys((Recipient.CARRIER, Recipient.TRANSIT), "MOVEMENT_OFFICER"),
    Recipient.DETENTION_AUTHORITY: "PROTECTION_OFFICER",
    Recipient.RECEPTION: "RECEPTION_OFFICER",
    Recipient.REINTEGRATION: "REINTEGRATION_OFFICER",
}
"""Who looks at an answer that no stage reads by itself; by the public kind, which tells nothing."""

AFTER_CLOSURE: Final = frozenset(
    {
        ReceivePartnerSignal,
        ReceiveContradiction,
        ReopenCase,
        ResolveQuarantinedSignal,
        ResolveQuarantinedMessage,
        CompleteTask,
        AddNote,
        InformPerson,
        AttachEvidence,
    }
    | {RecordContactAttempt, WithdrawConsent, FlightHasDeparted, FlightHasArrived, TakeSeat, SeatUnavailable}
    | {ReportDeliveryFailure, ReportHandedOver}
)
"""What may still be recorded on a closed case (rule INV-18)."""

SETTLES_WITHIN: Final = 25


def decide(case: Case, message: Message, ctx: Context) -> list[Event]:
    """The events a message brings about, already folded into ``case``.

    Raises ``Rejected`` when a rule says no, ``TooEarly`` for a stage that is about to be opened, and ``Unplaceable``
    when
    a person must look first. A rule may have folded something before it raised: callers then fold the case afresh.
    """
    _guard(case, message, ctx)
    return _fold(case, HANDLERS[type(message)](case, message, ctx), ctx)


def decide_quarantine(case: Case, kept_message: UUID, cause: str, ctx: Context) -> list[Event]:
    """What it means for a case that it could not take a message in. One never registered has nothing to doubt."""
    return _fold(case, quarantine_message(case, kept_message, cause, ctx), ctx) if case.phase else []


def note_quarantine(case: Case, kept_message: UUID, cause: str, ctx: Context) -> list[Event]:
    """The same without asking the stages what follows: for when that is what crashes."""
    return list(_folded(case, quarantine_message(case, kept_message, cause, ctx), ctx)) if case.phase else []


def decide_release(case: Case, kept_message: UUID, ctx: Context) -> list[Event]:
    """The end of a doubt, where there was one about this message."""
    return list(_folded(case, release_message(case, kept_message), ctx))


def decide_lapse(case: Case, deadline: Deadline, ctx: Context) -> list[Event]:
    """The events that a passed deadline brings about."""
    return _fold(case, lapse(case, deadline, ctx), ctx)


def decide_opening(case: Case, stage: Stage, ctx: Context) -> list[Event]:
    """Open a stage that was ordered open. An order that may not be followed, or is followed already, is no event."""
    return _fold(case, _open(case, stage, ctx), ctx)


def _guard(case: Case, message: Message, ctx: Context) -> None:
    kind = type(message)
    if kind not in HANDLERS:
        raise Rejected("MESSAGE.NOT_FOR_A_CASE", f"{kind.__name__} is not for a case")
    if case.phase is None and kind is not RegisterCase:
        raise Rejected("CASE.NOT_REGISTERED", "the case was never registered")
    if case.closed and kind not in AFTER_CLOSURE:
        raise Rejected("INV-18", f"the case is closed; {kind.__name__} needs it to be reopened first")
    stage = STAGE_OF.get(kind)
    if stage and kind not in stage.without_open_stage and case.stages[stage.stage].status is StageStatus.NOT_STARTED:
        if stage.stage in about_to_open(case, ctx):
            raise TooEarly(stage.stage)
        raise Rejected("STAGE.NOT_OPEN", f"{kind.__name__} belongs to {stage.stage}, which has not been opened yet")


def _fold(case: Case, events: Iterator[Event], ctx: Context) -> list[Event]:
    return [event for source in (events, _settle(case, ctx)) for event in _folded(case, source, ctx)]


def _folded(case: Case, events: Iterator[Event], ctx: Context) -> Iterator[Event]:
    """Each fact, placed and folded; and at once what it brings about, whatever rule recorded it."""
    for event in events:
        placed = event.placed_in(case.id, case.version + 1, ctx.at)
        placed.mutate(case)
        yield placed
        yield from _folded(case, _follows(case, placed, ctx), ctx)


def _follows(case: Case, event: Event, ctx: Context) -> Iterator[Event]:
    """A partner's answer moves its referral; then the stage that asked says what it means. A hold closes doors.

    And a fact that changes what permissions rested on ends them.
    """
    yield from cancel_blocked_referrals(case, event, ctx)
    yield from invalidated(case, event, ctx)
    if type(event) in CAUSE_OF:
        yield from _ended_without(case, event, ctx)
    elif isinstance(event, PartnerReport) and type(event) in SAYS and not case.closed:
        yield from _meaning(case, event, ctx)


def _ended_without(case: Case, event: Any, ctx: Context) -> Iterator[Event]:
    """Whatever a referral had granted before it ended so ends with it; somebody else may have to be asked."""
    if type(event) in FOR_ANOTHER:
        within = ctx.policy.pinned.quarantine_review
        yield task("reassign a referral", "CASE_SUPERVISOR", within, ctx, subject=str(event.referral_id))
    yield from end_of(case, granted_by(case, event.referral_id), CAUSE_OF[type(event)])


def _meaning(case: Case, event: PartnerReport, ctx: Context) -> Iterator[Event]:
    """What an answer means for the stage that asked; for a kind that no stage reads, a person looks at it."""
    referral = case.referrals[event.referral_id]
    kind = referral.asked_kind
    if isinstance(event, ReferralOutcomeAmended) and (event.outcome is None or event.signal_type in AMENDED_TO):
        taken = TAKEN_BACK.get(kind)
        yield from taken(case, referral, event, ctx) if taken else ()
        return
    meaning = MEANINGS.get((kind, SAYS[type(event)]))
    if meaning is not None:
        yield from meaning(case, referral, event, ctx)
    if SAYS[type(event)] is SignalType.COMPLETED:
        yield from _by_itself(case, referral, event, ctx, read=meaning is not None)


def _by_itself(case: Case, referral: Referral, event: PartnerReport, ctx: Context, *, read: bool) -> Iterator[Event]:
    """A grave answer holds the journey, whichever kind gives it (rule SIGNAL.RESTRICTS_AT_ONCE)."""
    held = hold_required_by(referral.asked_kind, event.outcome, event.content)
    if held is not None and not case.departed:
        yield hold(held, ctx)
    if not read:
        within = ctx.policy.pinned.late_result_review if held else ctx.policy.pinned.quarantine_review
        queue = OFFICER_OF[RECIPIENT_OF.get(referral.kind, Recipient.CLINIC)]
        yield task("look at what a partner answered", queue, within, ctx, subject=str(referral.referral_id))


def _open(case: Case, stage: Stage, ctx: Context) -> Iterator[Event]:
    if stage in may_open(case, ctx):
        yield StageOpened(stage=stage)
        yield from STAGES[stage].opening(case, ctx)


def _settle(case: Case, ctx: Context) -> Iterator[Event]:
    """Ask every stage what follows, until nothing does."""
    for _ in range(SETTLES_WITHIN):
        before = case.version
        if not case.closed:
            yield from _keep_off(case, ctx)
            for rules in STAGES.values():
                yield from _settle_stage(case, rules, ctx)
        if case.version == before:
            return
    raise RuntimeError("the stages do not come to rest: two of them keep answering each other")


def _keep_off(case: Case, ctx: Context) -> Iterator[Event]:
    """Whoever has checked in or boarded and no longer passes the gate is taken off, until the flight has left."""
    seat = case.seat
    if seat is None or case.departed or seat.status not in ABOARD:
        return
    failures = travel_gate(case, Checkpoint.BOARD, journey_on(seat), ctx.policy.in_force, ctx.directory.advisories)
    if failures:
        yield from vacate_seat(case, failures[0], ctx)


def _settle_stage(case: Case, rules: StageRules, ctx: Context) -> Iterator[Event]:
    if cause := _reopens(case, rules, ctx):
        yield StageReopened(stage=rules.stage, cause=cause)
    if case.is_open(rules.stage):
        yield from rules.follow_up(case, ctx)
        if not rules.missing(case, ctx):
            yield StageCompleted(stage=rules.stage)


def _reopens(case: Case, rules: StageRules, ctx: Context) -> str | None:
    done = case.stages[rules.stage].status is StageStatus.COMPLETED and not case.departed
    return rules.reopens(case, ctx) if done else None


def may_open(case: Case, ctx: Context) -> tuple[Stage, ...]:
    """Returns the stages whose own rule allows them to open now, regardless of the procedure's order."""
    if case.closed or case.phase is None:
        return ()
    return tuple(
        stage
        for stage, rules in STAGES.items()
        if case.stages[stage].status is StageStatus.NOT_STARTED and rules.may_open(case, ctx) is None
    )


def about_to_open(case: Case, ctx: Context) -> tuple[Stage, ...]:
    """Returns the stages that the workflow will order open next. The workflow decides; this predicts its order."""
    allowed = may_open(case, ctx)
    return tuple(stage for stage in stages_in_turn(case.edition, case.done) if stage in allowed) if allowed else ()


def requirements(case: Case, ctx: Context) -> list[Requirement]:
    """What the case waits for, in the order in which the procedure works on its stages."""
    return [lack for _, lack in requirements_by_stage(case, ctx)]


def requirements_by_stage(case: Case, ctx: Context) -> Iterator[tuple[Stage, Requirement]]:
    """What each stage waits for that is open, or that the next word to the case will open again."""
    if case.closed or case.phase is None:
        return
    again = [stage for stage, rules in STAGES.items() if _reopens(case, rules, ctx)]
    for stage in dict.fromkeys((*again, *stages_in_turn(case.edition, case.done))):
        if stage in again or case.is_open(stage):
            yield from ((stage, lack) for lack in STAGES[stage].missing(case, ctx))


def next_wake(case: Case, ctx: Context) -> Deadline | None:
    """The earliest moment at which the case must be looked at although nothing was heard."""
    wake_times = [
        Deadline(at, "wake", stage)
        for stage, rules in STAGES.items()
        for at in rules.wake_times(case, ctx)
        if at > ctx.at
    ]
    return min([*deadlines(case, ctx.directory), *wake_times], default=None)


def progress_of(case: Case, ctx: Context, *, more: bool = False) -> Progress:
    """Where the case stands after a recording: what the workflow goes on with."""
    wake = next_wake(case, ctx)
    requirements_by_stage = requirements(case, ctx)
    return Progress(
        edition=case.edition or next(iter(EDITIONS)),
        done=case.done,
        may_open=may_open(case, ctx),
        waiting_on=requirements_by_stage[0].code if requirements_by_stage else "",
        wait_s=max(0.0, (wake.due - ctx.recorded_at).total_seconds()) if wake else None,
        over=case.phase is None or (case.closed and wake is None),
        more=more,
        version=case.version,
    )
