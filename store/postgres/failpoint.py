"""Named places where a test may have the process killed: before, between and after the steps of a recording.

``AWDA_FAILPOINT=record.after_commit:5`` kills at the fifth passing. Unset, as always in earnest, it costs one look-up.
"""

from __future__ import annotations

import os
import signal
from itertools import count

FAILPOINTS = frozenset({"record.before_write", "record.after_commit", "record.before_answer", "relay.before_ring"})

_passed = count(1)


def failpoint(name: str) -> None:
    """Die here if a test wants it so. Raises ``ValueError`` for a place that is not listed above."""
    armed = os.environ.get("AWDA_FAILPOINT")
    if not armed:
        return
    if name not in FAILPOINTS:
        raise ValueError(f"no failpoint {name!r}; there are {', '.join(sorted(FAILPOINTS))}")
    place, _, nth = armed.partition(":")
    if place == name and next(_passed) >= int(nth or 1):
        os.kill(os.getpid(), signal.SIGKILL)
