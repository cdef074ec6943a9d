"""Writing together what arrives together: while a few lots are being committed, the next one gathers.

Nobody waits for others to come. Under load a commit is shared by many messages, so a message costs less the more
there are; each is still answered only after the commit that holds it. Several lots under way at once keep a slow
commit from holding up the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from store.messages.ledger import Accepted, PartnerMessage
from store.postgres.database import UNANSWERED

log = logging.getLogger("awda.gateway")

LARGEST: Final = 64  # messages of one lot

AT_ONCE: Final = 6  # lots; the other connections are for whoever reads

Take = Callable[[Sequence[PartnerMessage]], Awaitable[Sequence[Accepted]]]

Waiting = tuple[PartnerMessage, "asyncio.Future[Accepted]"]


class BatchWriter:
    """Takes messages one by one and hands them on in lots."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: deque[Waiting] = deque()
        self._writing: set[asyncio.Task[None]] = set()

    async def put(self, signal: PartnerMessage) -> Accepted:
        """Take one message in. Returns after the commit; raises what the database raised."""
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append((signal, answer))
        if len(self._writing) < AT_ONCE:
            task = asyncio.create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return await answer

    async def _write(self) -> None:
        await asyncio.sleep(0)  # whatever arrived at the same time is in
        while lot := self._next_lot():
            await self._together(lot)

    def _next_lot(self) -> list[Waiting]:
        """What waits, first come, first served; of two with one id the second takes the next lot."""
        lot: list[Waiting] = []
        later: list[Waiting] = []
        ids = set()
        while self._waiting and len(lot) < LARGEST:
            signal, answer = self._waiting.popleft()
            (later if signal.message_id in ids else lot).append((signal, answer))
            ids.add(signal.message_id)
        self._waiting.extendleft(reversed(later))
        return lot

    async def _together(self, lot: list[Waiting]) -> None:
        try:
            taken = await self._take([signal for signal, _ in lot])
        except Exception as fault:  # noqa: BLE001 (whoever waits for an answer gets it)
            await self._failed(lot, fault)
        else:
            for (_, answer), told in zip(lot, taken, strict=True):
                if not answer.done():
                    answer.set_result(told)

    async def _failed(self, lot: list[Waiting], fault: Exception) -> None:
        """One that the database will not have must not spoil the others: then each goes by itself."""
        if len(lot) > 1 and not isinstance(fault, UNANSWERED):
            log.warning("a lot of %s messages failed (%s); each goes by itself", len(lot), type(fault).__name__)
            for each in lot:
                await self._together([each])
            return
        for _, answer in lot:
            if not answer.done():
                answer.set_exception(fault)
