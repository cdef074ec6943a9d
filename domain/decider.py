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
from domain.casework.evidence import attach
from domain.casework.holds import grant_clearance, lift_hold, place_hold, raise_concern, review_hold, revoke_clearance
from domain.casework.invalidation import invalidated
from domain.casework.lifecycle import close, reopen, withdraw
from domain.casework.notes import assign, contact, finish_task, inform, note, prioritise
from domain.casework.seat import ABOARD, release_seat
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
    ReferralAccepted,
    ReferralCompleted,
    ReferralFailed,
    ReferralOutcomeAmended,
    ReferralRejected,
    ReferralReportedAgain,
    Told,
)
from domain.events.referral import ReferralCancelled, ReferralEnteredInError, ReferralExpired
from domain.kernel.context import Moment
from domain.kernel.deadline import Deadline
from domain.kernel.errors import NotYet, Refused
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import Checkpoint, ReferralKind, SignalType, Stage, StageStatus
from domain.procedure import EDITIONS, row_of
from domain.progress import Standing, to_open
from domain.referral.delivery import report_failure, report_handed_over
from domain.referral.disclosure import RECIPIENT_OF, Recipient
from domain.referral.outcomes import grave
from domain.referral.requests import (
    on_amend,
    on_cancel,
    on_create,
    on_error,
    on_expiry,
    on_pause,
    on_reassign,
    on_resume,
    on_send,
)
from domain.referral.sheets import on_list
from domain.referral.withdrawal import withheld
from domain.signals.contradiction import hear_contradiction
from domain.signals.handler import hear
from domain.signals.quarantine import on_resolve
from domain.signals.unprocessable import in_doubt, on_resolve_message, taken_in
from domain.stages.departure import DEPARTURE
from domain.stages.documents import DOCUMENTS
from domain.stages.medical import MEDICAL
from domain.stages.protection import PROTECTION
from domain.stages.reception import RECEPTION
from domain.stages.reintegration import REINTEGRATION
from domain.stages.screening import SCREENING
from domain.stages.stage import Awaited, Meaning, Rule, StageRules

STAGES: Final[Mapping[Stage, StageRules]] = {
    rules.stage: rules for rules in (SCREENING, PROTECTION, MEDICAL, DOCUMENTS, DEPARTURE, RECEPTION, REINTEGRATION)
}

STAGE_OF: Final[Mapping[type[Message], StageRules]] = {
    message: rules for rules in STAGES.values() for message in rules.rules
}

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
    **{message: rule for rules in STAGES.values() for message, rule in rules.rules.items()},
    ReceivePartnerSignal: hear,
    ReportDeliveryFailure: report_failure,
    ReceiveContradiction: hear_contradiction,
    ReportHandedOver: report_handed_over,
    ResolveQuarantinedMessage: on_resolve_message,
}

MEANINGS: Final[Mapping[tuple[ReferralKind, SignalType], Meaning]] = {
    key: meaning for rules in STAGES.values() for key, meaning in rules.answers.items()
}

TAKEN_BACK: Final[Mapping[ReferralKind, Meaning]] = {
    kind: meaning for rules in STAGES.values() for kind, meaning in rules.taken_back.items()
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
"""What may still be recorded on a closed case (INV-18; domain.md 00, 21)."""

SETTLES_WITHIN: Final = 25


def decide(case: Case, message: Message, m: Moment) -> list[Event]:
    """The events a message brings about, already folded into ``case``.

    Raises ``Refused`` when a rule says no, ``NotYet`` for a stage that is about to be opened, and ``Unplaceable`` when
    a person must look first. A rule may have folded something before it raised: callers then fold the case afresh.
    """
    _guard(case, message, m)
    return _fold(case, RULES[type(message)](case, message, m), m)


def decide_in_doubt(case: Case, kept_message: UUID, cause: str, m: Moment) -> list[Event]:
    """What it means for a case that it could not take a message in. One never registered has nothing to doubt."""
    return _fold(case, in_doubt(case, kept_message, cause, m), m) if case.phase else []


def note_in_doubt(case: Case, kept_message: UUID, cause: str, m: Moment) -> list[Event]:
    """The same without asking the stages what follows: for when that is what crashes."""
    return list(_folded(case, in_doubt(case, kept_message, cause, m), m)) if case.phase else []


def decide_taken_in(case: Case, kept_message: UUID, m: Moment) -> list[Event]:
    """The end of a doubt, where there was one about this message."""
    return list(_folded(case, taken_in(case, kept_message), m))


def decide_lapse(case: Case, deadline: Deadline, m: Moment) -> list[Event]:
    """The events that a passed deadline brings about."""
    return _fold(case, lapse(case, deadline, m), m)


def decide_opening(case: Case, stage: Stage, m: Moment) -> list[Event]:
    """Open a stage that was ordered open. An order that may not be followed, or is followed already, is no event."""
    return _fold(case, _open(case, stage, m), m)


def _guard(case: Case, message: Message, m: Moment) -> None:
    kind = type(message)
    if kind not in RULES:
        raise Refused("MESSAGE.NOT_FOR_A_CASE", f"{kind.__name__} is not for a case")
    if case.phase is None and kind is not RegisterCase:
        raise Refused("CASE.NOT_REGISTERED", "the case was never registered")
    if case.closed and kind not in AFTER_CLOSURE:
        raise Refused("INV-18", f"the case is closed; {kind.__name__} needs it to be reopened first")
    stage = STAGE_OF.get(kind)
    if stage and kind not in stage.anytime and case.stages[stage.stage].status is StageStatus.NOT_STARTED:
        if stage.stage in to_open(standing(case, m)):
            raise NotYet(stage.stage)
        raise Refused("STAGE.NOT_OPEN", f"{kind.__name__} belongs to {stage.stage}, which has not been opened yet")


def _fold(case: Case, events: Iterator[Event], m: Moment) -> list[Event]:
    return [event for source in (events, _settle(case, m)) for event in _folded(case, source, m)]


def _folded(case: Case, events: Iterator[Event], m: Moment) -> Iterator[Event]:
    """Each fact, placed and folded; and at once what it brings about, whatever rule recorded it."""
    for event in events:
        placed = event.stamped(case.id, case.version + 1, m.at)
        placed.fold_into(case)
        yield placed
        yield from _folded(case, _follows(case, placed, m), m)


def _follows(case: Case, event: Event, m: Moment) -> Iterator[Event]:
    """A partner's answer moves its referral; then the stage that asked says what it means. A hold closes doors.

    And a fact that changes what permissions rested on ends them.
    """
    yield from withheld(case, event, m)
    yield from invalidated(case, event, m)
    if type(event) in CAUSE_OF:
        yield from _ended_without(case, event, m)
    elif isinstance(event, Told) and type(event) in SAYS and not case.closed:
        yield from _meaning(case, event, m)


def _ended_without(case: Case, event: Any, m: Moment) -> Iterator[Event]:
    """Whatever a referral had granted before it ended so ends with it; somebody else may have to be asked."""
    if type(event) in FOR_ANOTHER:
        within = m.policy.pinned.quarantine_review
        yield task("reassign a referral", "CASE_SUPERVISOR", within, m, subject=str(event.referral_id))
    yield from end_of(case, granted_by(case, event.referral_id), CAUSE_OF[type(event)])


def _meaning(case: Case, event: Told, m: Moment) -> Iterator[Event]:
    """What an answer means for the stage that asked; for a kind that no stage reads, a person looks at it."""
    referral = case.referrals[event.referral_id]
    kind = referral.asked_kind
    if isinstance(event, ReferralOutcomeAmended) and (event.outcome is None or event.signal_type in AMENDED_TO):
        taken = TAKEN_BACK.get(kind)
        yield from taken(case, referral, event, m) if taken else ()
        return
    meaning = MEANINGS.get((kind, SAYS[type(event)]))
    if meaning is not None:
        yield from meaning(case, referral, event, m)
    if SAYS[type(event)] is SignalType.COMPLETED:
        yield from _by_itself(case, referral, event, m, read=meaning is not None)


def _by_itself(case: Case, referral: Referral, event: Told, m: Moment, *, read: bool) -> Iterator[Event]:
    """A grave answer holds the journey, whichever kind gives it (domain.md 00, 3)."""
    held = grave(referral.asked_kind, event.outcome, event.content)
    if held is not None and not case.departed:
        yield hold(held, m)
    if not read:
        within = m.policy.pinned.late_result_review if held else m.policy.pinned.quarantine_review
        queue = OFFICER_OF[RECIPIENT_OF.get(referral.kind, Recipient.CLINIC)]
        yield task("look at what a partner answered", queue, within, m, subject=str(referral.referral_id))


def _open(case: Case, stage: Stage, m: Moment) -> Iterator[Event]:
    if stage in may_open(case, m):
        yield StageOpened(stage=stage)
        yield from STAGES[stage].opening(case, m)


def _settle(case: Case, m: Moment) -> Iterator[Event]:
    """Ask every stage what follows, until nothing does."""
    for _ in range(SETTLES_WITHIN):
        before = case.version
        if not case.closed:
            yield from _keep_off(case, m)
            for rules in STAGES.values():
                yield from _settle_stage(case, rules, m)
        if case.version == before:
            return
    raise RuntimeError("the stages do not come to rest: two of them keep answering each other")


def _keep_off(case: Case, m: Moment) -> Iterator[Event]:
    """Whoever has checked in or boarded and no longer passes the gate is taken off, until the flight has left."""
    seat = case.seat
    if seat is None or case.departed or seat.status not in ABOARD:
        return
    failures = travel_gate(case, Checkpoint.BOARD, journey_on(seat), m.policy.in_force, m.directory.advisories)
    if failures:
        yield from release_seat(case, failures[0], m)


def _settle_stage(case: Case, rules: StageRules, m: Moment) -> Iterator[Event]:
    if cause := _reopens(case, rules, m):
        yield StageReopened(stage=rules.stage, cause=cause)
    if case.is_open(rules.stage):
        yield from rules.pursue(case, m)
        if not rules.lacks(case, m):
            yield StageCompleted(stage=rules.stage)


def _reopens(case: Case, rules: StageRules, m: Moment) -> str | None:
    done = case.stages[rules.stage].status is StageStatus.COMPLETED and not case.departed
    return rules.reopens(case, m) if done else None


def may_open(case: Case, m: Moment) -> tuple[Stage, ...]:
    """The stages that may be ordered open now."""
    if case.closed or case.phase is None:
        return ()
    return tuple(
        stage
        for stage, rules in STAGES.items()
        if case.stages[stage].status is StageStatus.NOT_STARTED and rules.may_open(case, m) is None
    )


def workable(case: Case) -> tuple[Stage, ...]:
    """The stages that the procedure works on next, and those that may begin early."""
    return (*row_of(case.edition, case.done), *EDITIONS[case.edition].early)


def awaited(case: Case, m: Moment) -> list[Awaited]:
    """What the case waits for, in the order in which the procedure works on its stages."""
    return [lack for _, lack in waiting(case, m)]


def waiting(case: Case, m: Moment) -> Iterator[tuple[Stage, Awaited]]:
    """What each stage waits for that is open, or that the next word to the case will open again."""
    if case.closed or case.phase is None:
        return
    again = [stage for stage, rules in STAGES.items() if _reopens(case, rules, m)]
    for stage in dict.fromkeys((*again, *workable(case))):
        if stage in again or case.is_open(stage):
            yield from ((stage, lack) for lack in STAGES[stage].lacks(case, m))


def next_wake(case: Case, m: Moment) -> Deadline | None:
    """The earliest moment at which the case must be looked at although nothing was heard."""
    wakes = [Deadline(at, "wake", stage) for stage, rules in STAGES.items() for at in rules.wakes(case, m) if at > m.at]
    return min([*deadlines(case, m.directory), *wakes], default=None)


def standing(case: Case, m: Moment, *, more: bool = False) -> Standing:
    """Where the case stands after a recording: what the workflow goes on with."""
    wake = next_wake(case, m)
    waiting = awaited(case, m)
    return Standing(
        edition=case.edition or next(iter(EDITIONS)),
        done=case.done,
        may_open=may_open(case, m),
        waiting_on=waiting[0].code if waiting else "",
        wait_s=max(0.0, (wake.due - m.recorded_at).total_seconds()) if wake else None,
        over=case.phase is None or (case.closed and wake is None),
        more=more,
        version=case.version,
    )
