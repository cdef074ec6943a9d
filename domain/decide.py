"""A message meets a case: the guards that all messages share, then its rule, then what follows from it.

Rules are generators: each event is folded into the case before the next is decided, so a rule always sees the case
as it stands. Whatever was decided, the stages are asked afterwards what is complete, lapsed, or to be asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from domain import life
from domain.case import Case, StageCompleted, StageOpened, StageReopened
from domain.deadlines import Deadline, deadlines, lapse
from domain.event import Event
from domain.gate import Journey, travel_gate
from domain.hearing import hear
from domain.messages import (
    AddNote,
    CompleteTask,
    InformPerson,
    Message,
    ReceivePartnerSignal,
    RecordContactAttempt,
    ReopenCase,
    ResolveQuarantinedSignal,
)
from domain.moment import Moment, NotYet, Refused
from domain.procedure import EDITIONS, Standing, row_of, to_open
from domain.referral import (
    ReferralAccepted,
    ReferralCompleted,
    ReferralFailed,
    ReferralOutcomeAmended,
    ReferralRejected,
    Told,
)
from domain.stage import Awaited, Meaning, Rule, StageRules
from domain.stages.departure import (
    ABOARD,
    DEPARTURE,
    FlightHasArrived,
    FlightHasDeparted,
    SeatUnavailable,
    TakeSeat,
    release_seat,
)
from domain.stages.documents import DOCUMENTS
from domain.stages.medical import MEDICAL
from domain.stages.protection import PROTECTION
from domain.stages.reception import RECEPTION
from domain.stages.reintegration import REINTEGRATION
from domain.stages.screening import SCREENING, RegisterCase, WithdrawConsent
from domain.steps import end_of, granted_by, task
from domain.words import Checkpoint, ReferralKind, SignalType, Stage, StageStatus

STAGES: Final[Mapping[Stage, StageRules]] = {
    rules.stage: rules for rules in (SCREENING, PROTECTION, MEDICAL, DOCUMENTS, DEPARTURE, RECEPTION, REINTEGRATION)
}
STAGE_OF: Final[Mapping[type[Message], StageRules]] = {
    message: rules for rules in STAGES.values() for message in rules.rules
}
RULES: Final[Mapping[type[Message], Rule]] = {
    **life.RULES,
    **{message: rule for rules in STAGES.values() for message, rule in rules.rules.items()},
    ReceivePartnerSignal: hear,
}
MEANINGS: Final[Mapping[tuple[ReferralKind, SignalType], Meaning]] = {
    key: meaning for rules in STAGES.values() for key, meaning in rules.answers.items()
}
SAYS: Final[Mapping[type[Event], SignalType]] = {
    ReferralAccepted: SignalType.ACCEPTED,
    ReferralCompleted: SignalType.COMPLETED,
    ReferralOutcomeAmended: SignalType.COMPLETED,
}
AFTER_CLOSURE: Final = frozenset(
    {ReceivePartnerSignal, ReopenCase, ResolveQuarantinedSignal, CompleteTask, AddNote, InformPerson}
    | {RecordContactAttempt, WithdrawConsent, FlightHasDeparted, FlightHasArrived, TakeSeat, SeatUnavailable}
)
"""What may still be recorded on a closed case (INV-18; domain.md 00, 21)."""
SETTLES_WITHIN: Final = 25


def decide(case: Case, message: Message, m: Moment) -> list[Event]:
    """The events a message brings about, already folded into ``case``.

    Raises ``Refused`` when a rule says no, ``NotYet`` for a stage that is about to be opened, and ``Unplaceable`` when
    a person must look first. A rule may have folded something before it raised: callers then fold the case afresh.
    """
    _guard(case, message, m)
    return _fold(case, _with_meaning(case, RULES[type(message)](case, message, m), m), m)


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
    decided = []
    for source in (events, _settle(case, m)):
        for event in source:
            placed = event.stamped(case.id, case.version + 1, m.at)
            placed.fold_into(case)
            decided.append(placed)
    return decided


def _with_meaning(case: Case, events: Iterator[Event], m: Moment) -> Iterator[Event]:
    """A partner's answer moves its referral; then the stage that asked says what it means."""
    for event in events:
        yield event
        if isinstance(event, (ReferralRejected, ReferralFailed)):
            within = m.policy.pinned.quarantine_review
            yield task("reassign a referral", "CASE_SUPERVISOR", within, m, subject=str(event.referral_id))
            yield from end_of(case, granted_by(case, event.referral_id), "PARTNER_WITHDREW")
        elif isinstance(event, Told) and type(event) in SAYS:
            yield from _meaning(case, event, m)


def _meaning(case: Case, event: Told, m: Moment) -> Iterator[Event]:
    """An amendment without an outcome takes an answer back; it means nothing new."""
    if isinstance(event, ReferralOutcomeAmended) and event.outcome is None:
        return
    referral = case.referrals[event.referral_id]
    meaning = MEANINGS.get((referral.asked_kind, SAYS[type(event)]))
    if meaning is not None:
        yield from meaning(case, referral, event, m)


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
    failures = travel_gate(case, Checkpoint.BOARD, Journey(seat.std, seat.sta), m.policy.in_force)
    if failures:
        yield from release_seat(case, failures[0], m)


def _settle_stage(case: Case, rules: StageRules, m: Moment) -> Iterator[Event]:
    if case.stages[rules.stage].status is StageStatus.COMPLETED and not case.departed:
        cause = rules.reopens(case, m)
        if cause:
            yield StageReopened(stage=rules.stage, cause=cause)
    if case.is_open(rules.stage):
        yield from rules.pursue(case, m)
        if not rules.lacks(case, m):
            yield StageCompleted(stage=rules.stage)


def may_open(case: Case, m: Moment) -> tuple[Stage, ...]:
    """The stages that may be ordered open now."""
    if case.closed or case.phase is None:
        return ()
    return tuple(
        stage
        for stage, rules in STAGES.items()
        if case.stages[stage].status is StageStatus.NOT_STARTED and rules.may_open(case, m) is None
    )


def awaited(case: Case, m: Moment) -> list[Awaited]:
    """What the case waits for, by the stages it works on."""
    if case.closed or case.phase is None:
        return []
    row = row_of(case.edition, case.done)
    early = EDITIONS[case.edition].early
    return [
        lack for stage in dict.fromkeys((*row, *early)) if case.is_open(stage) for lack in STAGES[stage].lacks(case, m)
    ]


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
