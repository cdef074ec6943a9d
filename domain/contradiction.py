"""A partner's message under an id that it had used for something else: never applied, heard for what it restricts.

Which of the two was meant, a person decides (domain.md 5.3; 00, 3). Until then nobody travels on either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from domain.case import Case
from domain.event import Event
from domain.hearing import hear_in_doubt
from domain.messages import ReceivePartnerSignal
from domain.moment import Moment

CAUSE: Final = "CONFLICTING_DUPLICATE"


class ReceiveContradiction(ReceivePartnerSignal):
    """What was said under an id that was used before. Handed on by the desk that takes messages in."""

    FROM: ClassVar[str] = "desk"


def hear_contradiction(case: Case, said: ReceiveContradiction, m: Moment) -> Iterator[Event]:
    """The person's own word counts whatever its id; everything else waits in quarantine, or came too late.

    It is known by the id under which it was kept, for its own belongs to what was said first.
    """
    yield from hear_in_doubt(case, said.model_copy(update={"signal_id": m.message_id}), CAUSE, m)
