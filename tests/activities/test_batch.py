"""What one recording takes up first: messages and passed deadlines, told apart to the second."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from activities.batch import GRACE, Batch, Item, read_item
from domain.case import Case
from domain.deadlines import Deadline
from domain.decide import next_wake
from domain.event import Event
from domain.streams import KINDS
from store.recorder import Waiting
from tests.builders import NAMESPACE, PARTNERS, Told, a_frozen_case, a_screened_case, folded

A_SECOND: Final = timedelta(seconds=1)
SILENCES: Final = {"ReferralReminderSent", "ReferralOverdue", "ReferralEscalated"}


def a_case_and_its_next_deadline() -> tuple[Told, Deadline]:
    told = a_screened_case()
    due = next_wake(told.case, told.moment())
    assert due is not None
    assert due.kind == "referral"
    return told, due


def recorded(told: Told, now: datetime, *items: Item) -> list[str]:
    """The names of what one recording decides."""

    def refold(_decided: object) -> Case:
        return folded(told.events)

    batch = Batch(KINDS["case"], folded(told.events), now, PARTNERS, lambda: "token-new-000001", refold)
    batch.run(items, more=False)
    return [event.name for event, _ in batch.decided]


def a_note(told: Told, at: datetime) -> Item:
    """A message of which something is seen in the log, whatever the case waits for."""
    body = json.dumps({"message": "AddNote", "fields": {"note": "called"}, "reason": None}).encode()
    row = Waiting(uuid4(), "staff", "staff.message", body, "staff:fatima", "staff:fatima", None, at, 1)
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


def a_withdrawal(at: datetime) -> Item:
    fields = {"channel": "HOTLINE"}
    body = json.dumps({"message": "WithdrawVoluntaryReturn", "fields": fields, "reason": None}).encode()
    row = Waiting(uuid4(), "staff", "staff.message", body, "staff:fatima", "staff:fatima", None, at, 1)
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
        case.facts["Half"] = []
        raise ZeroDivisionError

    broken = replace(KINDS["case"], decide=crashes)
    batch = Batch(broken, folded(told.events), told.now, PARTNERS, lambda: "t", lambda _: folded(told.events))
    batch.run([a_note(told, told.now)], more=False)

    assert [settled.status for settled in batch.settled] == ["quarantined"]
    assert isinstance(batch.state, Case)
    assert "Half" not in batch.state.facts


def said_at(at: datetime, arrival: int, name: str, **fields: object) -> Item:
    body = json.dumps({"message": name, "fields": fields, "reason": None}).encode()
    row = Waiting(uuid4(), "staff", "staff.message", body, "staff:fatima", "staff:fatima", None, at, arrival)
    return read_item(row, body)


def test_at_the_same_instant_what_restricts_goes_first_whatever_came_first() -> None:
    told = a_frozen_case().having("CheckInPassenger")
    board = said_at(told.now, 1, "BoardPassenger")
    hold = said_at(told.now, 2, "PlaceHold", hold_type="LEGAL", reason="x")
    concern = said_at(told.now, 3, "RaiseProtectionConcern", risk_level="HIGH", concern="x")
    names = recorded(told, told.now, board, hold, concern)
    assert "PassengerBoarded" not in names
    assert names.index("ProtectionConcernRaised") < names.index("HoldPlaced")
