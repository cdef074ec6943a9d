"""Callback requests: registered, attempted, overdue without a call, resolved once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain import call_request as contact
from domain.call_request import CallRequest
from domain.kernel.errors import Rejected
from tests.support.assertions import neutral, redacted
from tests.support.builders import CaseScenario
from tests.support.journeys import CallRequestScenario, called_in_the_end, somebody_asks


def folded(scenario: CallRequestScenario) -> CallRequest:
    again = CallRequest(scenario.contact.id, number=scenario.contact.number)
    for event in scenario.events:
        event.mutate(again)
    return again


def test_a_call_is_due_within_one_working_day() -> None:
    scenario = somebody_asks()
    assert scenario.contact.due == datetime(2026, 11, 24, 15, 0, tzinfo=UTC), "17:00 in Tripoli on the next working day"
    assert [due.due for due in contact.deadlines(scenario.contact)] == [scenario.contact.due]


def test_an_overdue_request_is_recorded_once_and_stays_open() -> None:
    scenario = somebody_asks().unheard()
    assert scenario.events[-1].name == "ContactOverdue"
    assert scenario.contact.status == "OPEN"
    assert contact.deadlines(scenario.contact) == []
    assert not contact.progress_of(scenario.contact, CaseScenario().moment()).over


def test_a_resolved_request_is_over_and_has_no_deadline() -> None:
    scenario = called_in_the_end()
    assert (scenario.contact.outcome, scenario.contact.tries) == ("REACHED", 1)
    assert contact.deadlines(scenario.contact) == []
    assert contact.progress_of(scenario.contact, CaseScenario().moment()).over


@pytest.mark.parametrize(
    ("message", "fields"),
    [("EndContact", {"outcome": "NOT_REACHED"}), ("RecordContactTry", {"result": "NO_ANSWER"})],
)
def test_a_resolved_request_is_not_resolved_again(message: str, fields: dict[str, str]) -> None:
    with pytest.raises(Rejected) as rejected:
        called_in_the_end().having(message, **fields)
    assert rejected.value.rule == "CONTACT.OVER"


def test_a_request_is_registered_once() -> None:
    with pytest.raises(Rejected) as rejected:
        somebody_asks().having("RequestContact", phone="+218910000002", language="ar")
    assert rejected.value.rule == "CONTACT.EXISTS"


def test_a_request_accepts_no_other_messages() -> None:
    with pytest.raises(Rejected) as rejected:
        somebody_asks().having("AddNote", note="x")
    assert rejected.value.rule == "MESSAGE.NOT_FOR_A_CONTACT"


def test_a_request_is_rebuilt_from_its_events() -> None:
    scenario = called_in_the_end()
    assert folded(scenario) == scenario.contact


def test_the_caller_is_named_in_sealed_fields_only() -> None:
    for event in called_in_the_end().events:
        assert "Aminata" not in neutral(event)
        assert "218910000001" not in neutral(event)
        assert "evenings" not in neutral(event)
        assert redacted(event).say()
