"""Group commit: messages that arrive while batches are being written form the next batch.

No message waits for further ones to arrive. Under load many messages share one commit, so the cost per message falls;
each is still acknowledged only after the commit that contains it. Several batches are written concurrently, so that one
slow commit does not block the rest.
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

LARGEST: Final = 64  # messages in a batch

AT_ONCE: Final = 6  # concurrent batches; the pool's other connections are for reads

Take = Callable[[Sequence[PartnerMessage]], Awaitable[Sequence[Accepted]]]

Waiting = tuple[PartnerMessage, "asyncio.Future[Accepted]"]


class BatchWriter:
    """Accepts messages one by one and writes them in batches."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: deque[Waiting] = deque()
        self._writing: set[asyncio.Task[None]] = set()

    async def put(self, signal: PartnerMessage) -> Accepted:
        """Writes one message. Returns after the commit; raises what the database raised."""
        answer: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
        self._waiting.append((signal, answer))
        if len(self._writing) < AT_ONCE:
            task = asyncio.create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return await answer

    async def _write(self) -> None:
        await asyncio.sleep(0)  # lets messages that arrived at the same time join the batch
        while batch := self._next_batch():
            await self._write_batch(batch)

    def _next_batch(self) -> list[Waiting]:
        """Returns the next messages in order of arrival. Of two with one id, the second is left for a later batch."""
        batch: list[Waiting] = []
        later: list[Waiting] = []
        ids = set()
        while self._waiting and len(batch) < LARGEST:
            signal, answer = self._waiting.popleft()
            (later if signal.message_id in ids else batch).append((signal, answer))
            ids.add(signal.message_id)
        self._waiting.extendleft(reversed(later))
        return batch

    async def _write_batch(self, batch: list[Waiting]) -> None:
        try:
            accepted = await self._take([signal for signal, _ in batch])
        except Exception as error:  # noqa: BLE001 (passed on to every caller that waits)
            await self._failed(batch, error)
        else:
            for (_, answer), result in zip(batch, accepted, strict=True):
                if not answer.done():
                    answer.set_result(result)

    async def _failed(self, batch: list[Waiting], error: Exception) -> None:
        """Retries the messages of a failed batch one by one, so that one bad message does not fail the others."""
        if len(batch) > 1 and not isinstance(error, UNANSWERED):
            log.warning("a batch of %s messages failed (%s); writing them one by one", len(batch), type(error).__name__)
            for each in batch:
                await self._write_batch([each])
            return
        for _, answer in batch:
            if not answer.done():
                answer.set_exception(error)
