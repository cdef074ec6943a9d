"""Writes a sample of every event that has none yet to ``tests/domain/recorded``. It never changes an existing sample.

A sample is an event as it was once stored. If a sample can no longer be read, stored cases cannot be read either.
Run ``python -m tools.record_samples`` after you add an event or a new version of one, and commit the result.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from domain.kernel.event import ENVELOPE, Event
from tests.support.journeys import everything

RECORDED = Path(__file__).parent.parent / "tests" / "domain" / "recorded"


def main() -> int:
    written = [path for event in richest(everything()) if (path := record(event))]
    for path in written:
        sys.stdout.write(f"wrote {path.relative_to(RECORDED.parent)}\n")
    sys.stdout.write(f"{len(written)} new samples\n")
    return 0


def richest(events: Iterable[Event]) -> list[Event]:
    """Returns the largest event of each topic, so that a sample has the optional fields too."""
    best: dict[str, Event] = {}
    for event in events:
        if event.TOPIC not in best or _size(event) > _size(best[event.TOPIC]):
            best[event.TOPIC] = event
    return list(best.values())


def _size(event: Event) -> int:
    return len(event.model_dump_json(exclude_none=True))


def record(event: Event) -> Path | None:
    path = RECORDED / f"{event.TOPIC.replace('/', '.')}.v{event.class_version}.json"
    if path.exists():
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(sample(event), indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def sample(event: Event) -> dict[str, object]:
    """Returns the stored state of an event with its name and sentence."""
    return {
        "topic": event.TOPIC,
        "version": event.class_version,
        "state": event.model_dump(mode="json", exclude=set(ENVELOPE)),
        "name": event.name,
        "sentence": event.say(),
    }


if __name__ == "__main__":
    sys.exit(main())
