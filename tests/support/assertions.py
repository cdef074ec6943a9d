"""Assertions about the events of a case: by name and by value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from domain.case.aggregate import Case
from domain.kernel.event import Event, sealed_fields

EXPECTED = re.compile(r"^(?P<name>[\w/]+)(?:\[(?P<words>.*)\])?$")


def matches(event: Event, expected: str) -> bool:
    """Returns whether an event is the expected one: ``Name`` or ``Name[word word]``, each word among its values."""
    found = EXPECTED.match(expected)
    assert found, expected
    words = (found["words"] or "").split()
    return event.name == found["name"] and set(words) <= set(_values(event))


def _values(event: Event) -> Iterable[str]:
    yield str(getattr(event, "outcome", None))
    for value in event.facts.values():
        yield from (str(one) for one in (value if isinstance(value, tuple) else (value,)))


def assert_in_order(events: Iterable[Event], *expected: str) -> None:
    """Asserts that the expected events occur in this order, with any others in between."""
    rest = iter(events)
    for each in expected:
        assert any(matches(event, each) for event in rest), f"{each} does not follow"


def redacted(event: Event) -> Event:
    """Returns the event as a reader without any compartment sees it."""
    return event.model_copy(update=dict.fromkeys(sealed_fields(type(event))))


def neutral(event: Event) -> str:
    """Returns the public part of an event, as stored."""
    state = event.model_dump(mode="json", exclude=set(sealed_fields(type(event))))
    return json.dumps({"topic": event.TOPIC, **state}, sort_keys=True, ensure_ascii=False)


def public(case: Case) -> dict[str, Any]:
    """Returns the public state of a case: phase, stages, holds, clearances, referrals, tasks and seat."""
    return {
        "phase": case.phase,
        "stages": {stage: state.status for stage, state in case.stages.items()},
        "holds": {hold.hold_id: (hold.type, hold.blocks, hold.review_by, hold.owner) for hold in case.holds.values()},
        "clearances": {kind: (held.status, held.valid_until, held.cause) for kind, held in case.clearances.items()},
        "referrals": {
            found.referral_id: (found.kind, found.status, found.timeliness, found.dues)
            for found in case.referrals.values()
        },
        "tasks": list(case.tasks.values()),
        "seat": case.seat,
        "version": case.version,
    }
