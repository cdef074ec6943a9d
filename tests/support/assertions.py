"""Reading what a case recorded: events by name and by what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from domain.case.aggregate import Case
from domain.kernel.event import Event, sealed_fields

WANTED = re.compile(r"^(?P<name>[\w/]+)(?:\[(?P<words>.*)\])?$")


def says(event: Event, wanted: str) -> bool:
    """Whether an event is the wanted one: ``Name`` or ``Name[word word]``, each word among its values."""
    found = WANTED.match(wanted)
    assert found, wanted
    words = (found["words"] or "").split()
    return event.name == found["name"] and set(words) <= set(_values(event))


def _values(event: Event) -> Iterable[str]:
    yield str(getattr(event, "outcome", None))
    for value in event.facts.values():
        yield from (str(one) for one in (value if isinstance(value, tuple) else (value,)))


def assert_in_order(events: Iterable[Event], *wanted: str) -> None:
    """The wanted events occur, in this order, whatever stands between them."""
    rest = iter(events)
    for one in wanted:
        assert any(says(event, one) for event in rest), f"{one} does not follow"


def redacted(event: Event) -> Event:
    """The event as a reader without any compartment has it."""
    return event.model_copy(update=dict.fromkeys(sealed_fields(type(event))))


def neutral(event: Event) -> str:
    """All that is public of an event, as stored."""
    state = event.model_dump(mode="json", exclude=set(sealed_fields(type(event))))
    return json.dumps({"topic": event.TOPIC, **state}, sort_keys=True, ensure_ascii=False)


def public(case: Case) -> dict[str, Any]:
    """Phase, stages, holds, clearances and what else operations see of a case."""
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
