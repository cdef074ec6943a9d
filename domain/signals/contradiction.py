"""A partner's message under an id that it had used for something else: never applied, heard for what it restricts.

Which of the two was meant, a person decides (rule QUARANTINE.CONFLICTING_DUPLICATE). Until then nobody travels on
either.
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


def receive_contradiction(case: Case, said: ReceiveContradiction, ctx: Context) -> Iterator[Event]:
    """The person's own word counts whatever its id; everything else waits in quarantine, or came too late.

    It is known by the id under which it was kept, for its own belongs to what was said first.
    """
    yield from receive_doubtful_signal(case, said.model_copy(update={"signal_id": ctx.message_id}), CAUSE, ctx)
