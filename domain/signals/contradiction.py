"""A partner's message under an id that the partner used for other content: never applied, but it restricts travel.

A person decides which of the two is correct (rule QUARANTINE.CONFLICTING_DUPLICATE). Until then the person cannot
travel on either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.case.aggregate import Case
from domain.commands.signal import ReceiveContradiction
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.signals.handler import receive_doubtful_signal

CAUSE: Final = "CONFLICTING_DUPLICATE"


def receive_contradiction(case: Case, signal: ReceiveContradiction, ctx: Context) -> Iterator[Event]:
    """Quarantines the signal, or records it as late. A statement of the person takes effect whatever its id.

    The signal is recorded under the id of this message, because its own id belongs to the first signal.
    """
    yield from receive_doubtful_signal(case, signal.model_copy(update={"signal_id": ctx.message_id}), CAUSE, ctx)
