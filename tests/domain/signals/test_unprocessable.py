"""A message that could not be processed counts against travel until staff have reviewed it."""

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


def with_a_quarantined_message(scenario: CaseScenario) -> CaseScenario:
    scenario.events += decide_quarantine(scenario.case, KEPT, CRASHED, scenario.moment("system"))
    return scenario


@pytest.mark.parametrize(
    ("checkpoint", "failures"),
    [
        ("NOMINATE", ()),
        ("FREEZE", ("GATE.MESSAGE.IN_DOUBT",)),
        ("CHECK_IN", ("GATE.MESSAGE.IN_DOUBT",)),
        ("BOARD", ("GATE.MESSAGE.IN_DOUBT",)),
    ],
)
def test_a_quarantined_message_counts_against_travel(checkpoint: str, failures: tuple[str, ...]) -> None:
    assert with_a_quarantined_message(a_frozen_case()).failures(checkpoint) == failures


def test_a_boarded_person_is_offloaded() -> None:
    scenario = with_a_quarantined_message(a_boarded_case())
    assert scenario.case.seat is None
    assert scenario.names[-1] != "PassengerBoarded"
    assert "PassengerOffloaded" in scenario.names


@pytest.mark.parametrize(("decision", "left"), [("AGAIN", 1), ("SET_ASIDE", 0)])
def test_the_quarantine_ends_when_the_message_is_set_aside_but_not_when_it_is_only_retried(
    decision: str, left: int
) -> None:
    scenario = with_a_quarantined_message(a_frozen_case())
    scenario.send("ResolveQuarantinedMessage", kept_message=KEPT, decision=decision, reason="she sent it again")
    assert len(scenario.case.doubts) == left


def test_the_quarantine_ends_once_when_the_message_is_processed_after_all() -> None:
    scenario = with_a_quarantined_message(a_frozen_case())
    scenario.events += decide_release(scenario.case, KEPT, scenario.moment("system"))
    assert scenario.failures("BOARD") == ()
    assert decide_release(scenario.case, KEPT, scenario.moment("system")) == []


def test_only_a_quarantined_message_can_be_set_aside() -> None:
    fields = {"kept_message": KEPT, "decision": "SET_ASIDE", "reason": "x"}
    assert a_frozen_case().refused("ResolveQuarantinedMessage", **fields).rule == "MESSAGE.NOT_IN_QUARANTINE"


def test_the_review_is_due_sooner_where_a_flight_is_near() -> None:
    near, far = with_a_quarantined_message(a_frozen_case()), with_a_quarantined_message(a_screened_case())
    due = [list(scenario.case.tasks.values())[-1].due - scenario.now for scenario in (near, far)]
    assert due[0] < due[1]


def test_a_closed_case_records_the_quarantine_and_an_unregistered_one_does_not() -> None:
    scenario = with_a_quarantined_message(a_closed_case())
    assert list(scenario.case.doubts) == [KEPT]
    scenario.send("ResolveQuarantinedMessage", kept_message=KEPT, decision="SET_ASIDE", reason="x")
    assert not scenario.case.doubts
    assert with_a_quarantined_message(a_case()).events == []
