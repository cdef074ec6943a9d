"""A message that could not be taken in counts against travelling, until a person has looked."""

from __future__ import annotations

from typing import Final
from uuid import uuid5

import pytest

from domain.decider import decide_quarantine, decide_release
from domain.signals.unprocessable import CRASHED
from tests.support.builders import (
    NAMESPACE,
    CaseScenario,
    a_boarded_case,
    a_case,
    a_closed_case,
    a_frozen_case,
    a_screened_case,
)

KEPT: Final = uuid5(NAMESPACE, "kept")


def doubting(told: CaseScenario) -> CaseScenario:
    told.events += decide_quarantine(told.case, KEPT, CRASHED, told.moment("system"))
    return told


@pytest.mark.parametrize(
    ("checkpoint", "failures"),
    [
        ("NOMINATE", ()),
        ("FREEZE", ("GATE.MESSAGE.IN_DOUBT",)),
        ("CHECK_IN", ("GATE.MESSAGE.IN_DOUBT",)),
        ("BOARD", ("GATE.MESSAGE.IN_DOUBT",)),
    ],
)
def test_a_message_in_doubt_counts_against_travelling(checkpoint: str, failures: tuple[str, ...]) -> None:
    assert doubting(a_frozen_case()).failures(checkpoint) == failures


def test_who_has_boarded_is_taken_off() -> None:
    told = doubting(a_boarded_case())
    assert told.case.seat is None
    assert told.names[-1] != "PassengerBoarded"
    assert "PassengerOffloaded" in told.names


@pytest.mark.parametrize(("decision", "left"), [("AGAIN", 1), ("SET_ASIDE", 0)])
def test_a_doubt_ends_when_it_is_set_aside_and_not_when_it_is_given_once_more(decision: str, left: int) -> None:
    told = doubting(a_frozen_case())
    told.send("ResolveQuarantinedMessage", kept_message=KEPT, decision=decision, reason="she said it again")
    assert len(told.case.doubts) == left


def test_a_doubt_ends_when_the_message_is_taken_in_after_all_once() -> None:
    told = doubting(a_frozen_case())
    told.events += decide_release(told.case, KEPT, told.moment("system"))
    assert told.failures("BOARD") == ()
    assert decide_release(told.case, KEPT, told.moment("system")) == []


def test_only_what_waits_can_be_set_aside() -> None:
    fields = {"kept_message": KEPT, "decision": "SET_ASIDE", "reason": "x"}
    assert a_frozen_case().refused("ResolveQuarantinedMessage", **fields).rule == "MESSAGE.NOT_IN_QUARANTINE"


def test_somebody_looks_within_a_day_where_a_flight_is_near_and_sooner_or_later_otherwise() -> None:
    near, far = doubting(a_frozen_case()), doubting(a_screened_case())
    due = [list(told.case.tasks.values())[-1].due - told.now for told in (near, far)]
    assert due[0] < due[1]


def test_a_closed_case_notes_its_doubt_and_one_never_registered_has_none() -> None:
    told = doubting(a_closed_case())
    assert list(told.case.doubts) == [KEPT]
    told.send("ResolveQuarantinedMessage", kept_message=KEPT, decision="SET_ASIDE", reason="x")
    assert not told.case.doubts
    assert doubting(a_case()).events == []
