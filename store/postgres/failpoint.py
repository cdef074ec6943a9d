"""Failpoints: named places at which tests kill the process, before, between and after the steps of a recording.

``AWDA_FAILPOINT=record.after_commit:5`` kills the process at the fifth pass. In production the variable is not set, and
a failpoint costs one look-up.
"""

from __future__ import annotations

import os
import signal
from itertools import count

FAILPOINTS = frozenset({"record.before_write", "record.after_commit", "record.before_answer", "relay.before_ring"})

_passed = count(1)


def failpoint(name: str) -> None:
    """Kills the process if this failpoint is armed. Raises ``ValueError`` for a name not listed in ``FAILPOINTS``."""
    armed = os.environ.get("AWDA_FAILPOINT")
    if not armed:
        return
    if name not in FAILPOINTS:
        raise ValueError(f"Unknown failpoint {name!r}: use one of {', '.join(sorted(FAILPOINTS))}")
    place, _, nth = armed.partition(":")
    if place == name and next(_passed) >= int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
