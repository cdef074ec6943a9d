"""A deadline: a time at which something must be recorded although no message arrived."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Deadline(NamedTuple):
    """When (UTC), what kind, about what. Ordered by time."""

    due: datetime
    kind: str
    subject: str
