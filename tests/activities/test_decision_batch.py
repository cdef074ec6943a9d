"""The order of messages and passed deadlines in one recording, and messages that cannot be processed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import pytest

from activities.decision_batch import GRACE, Batch, InboxItem, read_item, unreadable
from domain.case.aggregate import Case
from domain.decider import decide, decide_quarantine, next_wake
from domain.events.signal import QuarantinedMessageResolved
from domain.kernel.context import Context
from domain.kernel.deadline import Deadline
from domain.kernel.errors import TooEarly
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import Stage
from domain.signals.unprocessable import CRASHED
from domain.streams import KINDS, StreamKind
from store.log.rows import WaitingMessage
from tests.support.builders import (
    NAMESPACE,
    PARTNERS,
    CaseScenario,
    a_boarded_case,
    a_frozen_case,
    a_screened_case,
    folded,
)

A_SECOND: Final = timedelta(seconds=1)

SILENCES: Final = {"ReferralReminderSent", "ReferralOverdue", "ReferralEscalated"}


def a_case_and_its_next_deadline() -> tuple[CaseScenario, Deadline]:
    told = a_screened_case()
    due = next_wake(told.case, told.moment())
    assert due is not None
    assert due.kind == "referral"
    return told, due


def recorded(told: CaseScenario, now: datetime, *items: InboxItem) -> list[str]:
    """Returns the names of the events that one recording decides."""

    def replay(_decided: object) -> Case:
        return folded(told.events)

    batch = Batch(KINDS["case"], folded(told.events), now, PARTNERS, lambda: "token-new-000001", replay)
    batch.run(items, more=False)
    return [event.name for event, _ in batch.decided]


def a_note(told: CaseScenario, at: datetime) -> InboxItem:
    """Returns a message that records an event in any state of the case."""
    body = json.dumps({"message": "AddNote", "fields": {"note": "called"}, "reason": None}).encode()
    row = WaitingMessage(uuid4(), "staff", "staff.message", body, "staff:fatima", "staff:fatima", None, at, 1)
    return read_item(row, body)


def test_a_deadline_is_not_recorded_before_its_second_of_grace_is_over() -> None:
    told, due = a_case_and_its_next_deadline()
    assert GRACE == A_SECOND
    assert recorded(told, due.due) == []
    assert recorded(told, due.due + GRACE - timedelta(milliseconds=1)) == []
    assert SILENCES & set(recorded(told, due.due + GRACE))


def test_an_answer_stamped_at_the_due_moment_goes_before_the_lapse() -> None:
    told, due = a_case_and_its_next_deadline()
    names = recorded(told, due.due + GRACE, a_note(told, due.due))
    assert names[0] == "NoteAdded"
    assert SILENCES & set(names[1:])


def test_an_answer_stamped_after_the_due_moment_goes_behind_the_lapse() -> None:
    told, due = a_case_and_its_next_deadline()
    names = recorded(told, due.due + GRACE, a_note(told, due.due + timedelta(milliseconds=1)))
    assert names[0] in SILENCES
    assert "NoteAdded" in names


def test_the_identity_of_a_lapse_is_the_same_whoever_records_it() -> None:
    told, due = a_case_and_its_next_deadline()

    def identities() -> list[UUID]:
        batch = Batch(KINDS["case"], folded(told.events), due.due + GRACE, PARTNERS, lambda: "t", lambda _: told.case)
        batch.run((), more=False)
        return [moment.message_id for _, moment in batch.decided]

    assert identities() == identities()
    assert len(set(identities())) >= 1
    assert NAMESPACE not in identities()


def a_withdrawal(at: datetime) -> InboxItem:
    fields = {"channel": "HOTLINE"}
    body = json.dumps({"message": "WithdrawVoluntaryReturn", "fields": fields, "reason": None}).encode()
    row = WaitingMessage(uuid4(), "staff", "staff.message", body, "staff:fatima", "staff:fatima", None, at, 1)
    return read_item(row, body)


def test_a_withdrawal_is_heard_although_a_rule_of_silence_crashes() -> None:
    told, due = a_case_and_its_next_deadline()
    now = due.due + GRACE

    def crashes(*_: object) -> list[Event]:
        raise ZeroDivisionError

    broken = replace(KINDS["case"], lapse=crashes)
    batch = Batch(broken, folded(told.events), now, PARTNERS, lambda: "token-new-000001", lambda _: folded(told.events))
    batch.run([a_withdrawal(now)], more=False)

    assert batch.broken
    assert next(event.name for event, _ in batch.decided) == "VoluntaryReturnWithdrawn"
    assert [settled.status for settled in batch.settled] == ["applied"]


def test_a_rule_that_crashes_half_way_leaves_nothing_behind() -> None:
    told = a_screened_case()

    def crashes(case: Case, *_: object) -> list[Event]:
        case.events_by_topic["Half"] = []
        raise ZeroDivisionError

    broken = replace(KINDS["case"], decide=crashes)
    batch = Batch(broken, folded(told.events), told.now, PARTNERS, lambda: "t", lambda _: folded(told.events))
    batch.run([a_note(told, told.now)], more=False)

    assert [settled.status for settled in batch.settled] == ["quarantined"]
    assert isinstance(batch.state, Case)
    assert "Half" not in batch.state.events_by_topic


# Messages that cannot be processed


def said(name: str, at: datetime, kind: str = "staff", **fields: object) -> InboxItem:
    body = json.dumps({"message": name, "fields": fields, "reason": None}).encode()
    row = WaitingMessage(uuid4(), kind, f"{kind}.message", body, "staff:fatima", "staff:fatima", None, at, 1)
    return read_item(row, body)


def crashing_on(*names: str) -> StreamKind:
    """Returns the rules of cases, with rules that crash on the named messages."""

    def rule(case: Case, message: Message, ctx: Context) -> list[Event]:
        if type(message).__name__ in names:
            raise ZeroDivisionError
        return decide(case, message, ctx)

    return replace(KINDS["case"], decide=rule)


def batch_of(kind: StreamKind, told: CaseScenario, *items: InboxItem) -> Batch:
    """Returns the batch of one recording of these messages, received in this order."""

    def replay(decided: Sequence[Event]) -> Case:
        return folded([*told.events, *decided])

    batch = Batch(kind, folded(told.events), told.now, PARTNERS, lambda: "token-new-000001", replay)
    batch.run([replace_arrival(item, nth) for nth, item in enumerate(items)], more=False)
    return batch


def replace_arrival(item: InboxItem, nth: int) -> InboxItem:
    return replace(item, waiting=replace(item.waiting, arrival=nth))


def became(batch: Batch) -> list[str]:
    return [settled.status for settled in batch.settled]


def test_nobody_boards_behind_a_withdrawal_on_which_a_rule_crashes() -> None:
    told = a_frozen_case().having("CheckInPassenger")
    withdrawal = said("WithdrawVoluntaryReturn", told.now, channel="AIRPORT")
    batch = batch_of(crashing_on("WithdrawVoluntaryReturn"), told, withdrawal, said("BoardPassenger", told.now))

    assert became(batch) == ["quarantined", "refused"]
    names = [event.name for event, _ in batch.decided]
    assert names[:2] == ["MessageQuarantined", "TaskRaised"]
    assert "PassengerOffloaded" in names  # the checked-in passenger is taken off the flight
    assert isinstance(batch.state, Case)
    assert set(batch.state.doubts) == {withdrawal.waiting.message_id}
    (task,) = [task for task in batch.state.tasks.values() if "taken in" in task.task]
    assert task.queue == "CASE_SUPERVISOR"


@pytest.mark.parametrize("kind", ["staff", "signal", "letter", "system"])
def test_whoever_sent_what_crashed_it_counts_as_doubt(kind: str) -> None:
    told = a_frozen_case()
    batch = batch_of(crashing_on("AddNote"), told, said("AddNote", told.now, kind, note="x"))
    assert isinstance(batch.state, Case)
    assert len(batch.state.doubts) == 1


def test_a_body_that_is_not_what_was_sealed_counts_as_doubt() -> None:
    told = a_frozen_case().having("CheckInPassenger")
    item = unreadable(said("AddNote", told.now, note="x").waiting)
    batch = batch_of(KINDS["case"], told, item, said("BoardPassenger", told.now))
    assert became(batch) == ["quarantined", "refused"]


def test_what_no_referral_can_place_is_for_the_desk_and_no_doubt_of_the_case() -> None:
    told = a_frozen_case()
    fields = {
        "signal_id": str(uuid4()),
        "referral_token": "x" * 20,
        "partner_id": "clinic-tripoli",
        "signal_type": "ACKNOWLEDGED",
        "occurred_at": told.now.isoformat(),
    }
    batch = batch_of(KINDS["case"], told, said("ReceivePartnerSignal", told.now, "signal", **fields))
    assert (became(batch), batch.decided) == (["quarantined"], [])


def test_the_doubt_is_on_record_even_where_asking_the_stages_is_what_crashes() -> None:
    told = a_boarded_case()

    def crashes(*_: object) -> list[Event]:
        raise ZeroDivisionError

    kind = replace(crashing_on("AddNote"), on_quarantine=(crashes, *KINDS["case"].on_quarantine[1:]))
    batch = batch_of(kind, told, said("AddNote", told.now, note="x"))
    assert [event.name for event, _ in batch.decided] == ["MessageQuarantined", "TaskRaised"]


def test_what_is_taken_in_after_all_ends_its_doubt_whether_applied_or_refused() -> None:
    told = a_frozen_case()
    for item in (said("AddNote", told.now, note="x"), said("BoardPassenger", told.now)):
        told.events += decide_quarantine(told.case, item.waiting.message_id, CRASHED, told.moment("system"))
        batch = batch_of(KINDS["case"], told, item)
        assert isinstance(batch.state, Case)
        assert not batch.state.doubts
        ends = [(event, m) for event, m in batch.decided if isinstance(event, QuarantinedMessageResolved)]
        assert [event.decision for event, _ in ends] == ["TAKEN"]
        assert ends[0][1].message_id != item.waiting.message_id  # a refused message has no events of its own
        told.events += [event for event, _ in batch.decided]
        told.case = folded(told.events)


def test_an_early_message_whose_stage_can_never_be_opened_does_not_wait_for_ever() -> None:
    told = a_frozen_case()

    def waits(*_: object) -> list[Event]:
        raise TooEarly(Stage.RECEPTION)

    def crashes(*_: object) -> list[Event]:
        raise ZeroDivisionError

    kind = replace(KINDS["case"], decide=waits, opening=crashes)
    batch = batch_of(kind, told, said("AddNote", told.now, note="x"))
    assert (became(batch), len(batch.early)) == ([], 1)
    batch.open([Stage.RECEPTION])
    assert (became(batch), batch.early) == (["quarantined"], [])
    assert "Half" not in batch.state.events_by_topic


def said_at(at: datetime, arrival: int, name: str, **fields: object) -> InboxItem:
    body = json.dumps({"message": name, "fields": fields, "reason": None}).encode()
    row = WaitingMessage(uuid4(), "staff", "staff.message", body, "staff:fatima", "staff:fatima", None, at, arrival)
    return read_item(row, body)


def test_at_the_same_instant_what_restricts_goes_first_whatever_came_first() -> None:
    told = a_frozen_case().having("CheckInPassenger")
    board = said_at(told.now, 1, "BoardPassenger")
    hold = said_at(told.now, 2, "PlaceHold", hold_type="LEGAL", reason="x")
    concern = said_at(told.now, 3, "RaiseProtectionConcern", risk_level="HIGH", concern="x")
    names = recorded(told, told.now, board, hold, concern)
    assert "PassengerBoarded" not in names
    assert names.index("ProtectionConcernRaised") < names.index("HoldPlaced")


FEAR = {"in_private": True, "voluntary_reaffirmed": True, "fear_expressed": True, "account": "afraid"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [("RecordDepartureInterview", FEAR), ("IssueFitToTravel", {"result": "UNFIT"})],
)
def test_what_restricts_does_not_wait_behind_an_early_message(name: str, fields: dict[str, Any]) -> None:
    told = a_frozen_case().having("CheckInPassenger")

    def early(case: Case, message: Message, ctx: Context) -> list[Event]:
        if type(message).__name__ == "AddNote":
            raise TooEarly(Stage.RECEPTION)
        return decide(case, message, ctx)

    kind, note = replace(KINDS["case"], decide=early), said("AddNote", told.now - A_SECOND, note="x")
    batch = batch_of(kind, told, note, said(name, told.now, **fields), said("BoardPassenger", told.now))

    assert became(batch) == ["applied"]  # the boarding still waits, and there is no seat for it any more
    assert isinstance(batch.state, Case)
    assert batch.state.seat is None
