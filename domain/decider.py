"""The decider of a case: the guards common to all commands, the handler of the command, and the consequences.

Handlers are generators: each event is applied to the case before the next is decided, so a handler always sees the
current state. After every decision, the stages are evaluated: what is complete, what reopens, what to request next.
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
from domain.kernel.labels import label
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

ON_RETRACTION: Final[Mapping[ReferralKind, Meaning]] = {
    kind: meaning for rules in STAGES.values() for kind, meaning in rules.on_retraction.items()
}

SIGNAL_OF: Final[Mapping[type[Event], SignalType]] = {
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
"""Events that end a referral without a valid answer, and the cause recorded for the clearances that end with it."""

REASSIGNABLE: Final = frozenset({ReferralRejected, ReferralFailed, ReferralExpired})
"""Events after which staff decide whether to reassign the referral to another partner."""

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
"""Queue that reviews answers which no stage processes, by the public kind of referral, which reveals nothing."""

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
"""Commands that are accepted on a closed case (rule INV-18)."""

MAX_ROUNDS: Final = 25


def decide(case: Case, message: Message, ctx: Context) -> list[Event]:
    """Returns the events that follow from a command, already applied to ``case``.

    Raises ``Rejected`` if a rule rejects the command, ``TooEarly`` if its stage is about to be opened, and
    ``Unroutable`` if a person must decide first. Events may have been applied before an error was raised: callers must
    then rebuild the case from its events.
    """
    _guard(case, message, ctx)
    return _fold(case, HANDLERS[type(message)](case, message, ctx), ctx)


def decide_quarantine(case: Case, kept_message: UUID, cause: str, ctx: Context) -> list[Event]:
    """Returns the events that follow from a message that could not be processed; none if the case is not registered."""
    return _fold(case, quarantine_message(case, kept_message, cause, ctx), ctx) if case.phase else []


def note_quarantine(case: Case, kept_message: UUID, cause: str, ctx: Context) -> list[Event]:
    """Returns the same events without evaluating the stages, for use when that evaluation fails."""
    return list(_folded(case, quarantine_message(case, kept_message, cause, ctx), ctx)) if case.phase else []


def decide_release(case: Case, kept_message: UUID, ctx: Context) -> list[Event]:
    """Returns the events that end the review of a quarantined message; none if it was not under review."""
    return list(_folded(case, release_message(case, kept_message), ctx))


def decide_lapse(case: Case, deadline: Deadline, ctx: Context) -> list[Event]:
    """Returns the events that follow from a passed deadline."""
    return _fold(case, lapse(case, deadline, ctx), ctx)


def decide_opening(case: Case, stage: Stage, ctx: Context) -> list[Event]:
    """Returns the events that open a stage; none if the stage may not open, or is already open."""
    return _fold(case, _open(case, stage, ctx), ctx)


def _guard(case: Case, message: Message, ctx: Context) -> None:
    kind = type(message)
    if kind not in HANDLERS:
        raise Rejected(
            "MESSAGE.NOT_FOR_A_CASE", f"a case does not accept {kind.__name__}; send it to the stream that it is for"
        )
    if case.phase is None and kind is not RegisterCase:
        raise Rejected("CASE.NOT_REGISTERED", "the case is not registered; register it first")
    if case.closed and kind not in AFTER_CLOSURE:
        raise Rejected("INV-18", f"the case is closed; reopen it before you send {kind.__name__}")
    stage = STAGE_OF.get(kind)
    if stage and kind not in stage.without_open_stage and case.stages[stage.stage].status is StageStatus.NOT_STARTED:
        if stage.stage in about_to_open(case, ctx):
            raise TooEarly(stage.stage)
        detail = f"{kind.__name__} belongs to the stage '{label(stage.stage)}', which is not open yet"
        raise Rejected("STAGE.NOT_OPEN", detail)


def _fold(case: Case, events: Iterator[Event], ctx: Context) -> list[Event]:
    return [event for source in (events, _settle(case, ctx)) for event in _folded(case, source, ctx)]


def _folded(case: Case, events: Iterator[Event], ctx: Context) -> Iterator[Event]:
    """Yields each event after it was applied, followed by its immediate consequences."""
    for event in events:
        placed = event.placed_in(case.id, case.version + 1, ctx.at)
        placed.mutate(case)
        yield placed
        yield from _folded(case, _follows(case, placed, ctx), ctx)


def _follows(case: Case, event: Event, ctx: Context) -> Iterator[Event]:
    """Yields the immediate consequences of an event.

    A hold or a withdrawn consent stops disclosures, an event that changes the basis of clearances ends them, and a
    partner's answer is applied by the stage that requested it.
    """
    yield from cancel_blocked_referrals(case, event, ctx)
    yield from invalidated(case, event, ctx)
    if type(event) in CAUSE_OF:
        yield from _ended_without_answer(case, event, ctx)
    elif isinstance(event, PartnerReport) and type(event) in SIGNAL_OF and not case.closed:
        yield from _meaning(case, event, ctx)


def _ended_without_answer(case: Case, event: Any, ctx: Context) -> Iterator[Event]:
    """Ends the clearances that the referral had granted; staff may have to reassign it to another partner."""
    if type(event) in REASSIGNABLE:
        within = ctx.policy.pinned.quarantine_review
        yield task("reassign a referral", "CASE_SUPERVISOR", within, ctx, subject=str(event.referral_id))
    yield from end_of(case, granted_by(case, event.referral_id), CAUSE_OF[type(event)])


def _meaning(case: Case, event: PartnerReport, ctx: Context) -> Iterator[Event]:
    """Applies an answer in the stage that requested it; an answer that no stage processes becomes a task."""
    referral = case.referrals[event.referral_id]
    kind = referral.asked_kind
    if isinstance(event, ReferralOutcomeAmended) and (event.outcome is None or event.signal_type in AMENDED_TO):
        on_retraction = ON_RETRACTION.get(kind)
        yield from on_retraction(case, referral, event, ctx) if on_retraction else ()
        return
    meaning = MEANINGS.get((kind, SIGNAL_OF[type(event)]))
    if meaning is not None:
        yield from meaning(case, referral, event, ctx)
    if SIGNAL_OF[type(event)] is SignalType.COMPLETED:
        yield from _hold_or_review(case, referral, event, ctx, read=meaning is not None)


def _hold_or_review(
    case: Case, referral: Referral, event: PartnerReport, ctx: Context, *, read: bool
) -> Iterator[Event]:
    """Places a hold on a grave outcome, for every kind of referral (rule SIGNAL.RESTRICTS_AT_ONCE)."""
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
    """Evaluates every stage until no further events follow."""
    for _ in range(MAX_ROUNDS):
        before = case.version
        if not case.closed:
            yield from _offload(case, ctx)
            for rules in STAGES.values():
                yield from _settle_stage(case, rules, ctx)
        if case.version == before:
            return
    raise RuntimeError("the stages produce events without end: two of them keep triggering each other")


def _offload(case: Case, ctx: Context) -> Iterator[Event]:
    """Offloads a person who has checked in or boarded and no longer passes the travel gate, until departure."""
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
    """Returns the missing requirements of the case, in the order of the procedure."""
    return [requirement for _, requirement in requirements_by_stage(case, ctx)]


def requirements_by_stage(case: Case, ctx: Context) -> Iterator[tuple[Stage, Requirement]]:
    """Yields the missing requirements of each stage that is open, or that the next recording reopens."""
    if case.closed or case.phase is None:
        return
    reopening = [stage for stage, rules in STAGES.items() if _reopens(case, rules, ctx)]
    for stage in dict.fromkeys((*reopening, *stages_in_turn(case.edition, case.done))):
        if stage in reopening or case.is_open(stage):
            yield from ((stage, requirement) for requirement in STAGES[stage].missing(case, ctx))


def next_wake(case: Case, ctx: Context) -> Deadline | None:
    """Returns the earliest time (UTC) at which the case must be evaluated without a message, or ``None``."""
    wake_times = [
        Deadline(at, "wake", stage)
        for stage, rules in STAGES.items()
        for at in rules.wake_times(case, ctx)
        if at > ctx.at
    ]
    return min([*deadlines(case, ctx.directory), *wake_times], default=None)


def progress_of(case: Case, ctx: Context, *, more: bool = False) -> Progress:
    """Returns the progress of the case after a recording, with which the workflow continues."""
    wake = next_wake(case, ctx)
    missing = requirements(case, ctx)
    return Progress(
        edition=case.edition or next(iter(EDITIONS)),
        done=case.done,
        may_open=may_open(case, ctx),
        waiting_on=missing[0].code if missing else "",
        wait_s=max(0.0, (wake.due - ctx.recorded_at).total_seconds()) if wake else None,
        over=case.phase is None or (case.closed and wake is None),
        more=more,
        version=case.version,
    )
