"""Writing together what arrives together: while one lot is being committed, the next one gathers.

Nobody waits for others to come. Under load a commit is shared by many messages, so a message costs less the more
there are; each is still answered only after the commit that holds it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from store.accounts import Signal, Taken
from store.database import UNANSWERED

log = logging.getLogger("awda.gateway")

LARGEST: Final = 64  # messages of one lot
MANY: Final = 16  # so many that wait are worth a lot of their own beside the one under way
AT_ONCE: Final = 3
HELD_UP_S: Final = 0.05  # a lot that takes longer does not hold up the others

Take = Callable[[Sequence[Signal]], Awaitable[Sequence[Taken]]]
Waiting = tuple[Signal, "asyncio.Future[Taken]"]


class Gathering:
    """Takes messages one by one and hands them on in lots."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: deque[Waiting] = deque()
        self._writing: set[asyncio.Task[None]] = set()
        self._looking: asyncio.TimerHandle | None = None

    async def put(self, signal: Signal) -> Taken:
        """Take one message in. Returns after the commit; raises what the database raised."""
        answer: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        self._waiting.append((signal, answer))
        if not self._writing or len(self._waiting) >= MANY:
            self._start()
        elif self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(HELD_UP_S, self._look)
        return await answer

    def _start(self) -> None:
        if len(self._writing) < AT_ONCE:
            task = asyncio.create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    def _look(self) -> None:
        """What waits since the last look waits for a lot that is held up."""
        self._looking = None
        if self._waiting:
            self._start()

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
