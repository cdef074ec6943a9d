"""Writes the extract of a case history in the README: for each version number in it, the event's date and sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tests.support.builders import a_closed_case

PAGE: Final = Path(__file__).parent.parent / "README.md"

LINE: Final = re.compile(r"^ *(\d+)  \d\d \w{3} \d\d:\d\d  .+$", re.MULTILINE)


def page() -> str:
    """Returns the README with the lines as the events of the example case state them today.

    Which events are shown is decided in the README: write a line with the version number, and any date and text.
    """
    lines = {
        event.originator_version: f"{event.originator_version:3}  {event.timestamp:%d %b %H:%M}  {event.say()}"
        for event in a_closed_case().events
    }
    return LINE.sub(lambda found: lines[int(found[1])], PAGE.read_text(encoding="utf-8"))
