"""A deadline: a time at which something must be recorded although no message arrived."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Deadline(NamedTuple):
    """Due time (UTC), kind and subject. Deadlines sort by time."""

    due: datetime
    kind: str
    subject: str
