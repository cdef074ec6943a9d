"""The relay rings whoever has news; one stream that cannot be rung costs the others nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.service import RPCError, RPCStatusCode

from workers.relay import LONGEST_PAUSE_S, Backoff, Relay


class HardOfHearing(Relay):
    """A relay at whose Temporal some workflows cannot be reached."""

    deaf: frozenset[UUID] = frozenset()
    heard: tuple[UUID, ...] = ()

    async def _ring(self, stream: UUID) -> None:
        await self._reach(stream, self._try(stream))

    async def _try(self, stream: UUID) -> None:
        if stream in self.deaf:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        self.heard += (stream,)


def a_relay(streams: list[UUID], **more: Any) -> HardOfHearing:
    relay = HardOfHearing(client=None, pool=None, keys=None, dsn="", **more)  # type: ignore[arg-type]
    relay.kinds = dict.fromkeys(streams, "case")
    relay.wanted = dict.fromkeys(streams)
    return relay


async def test_only_the_stream_that_could_not_be_rung_is_rung_again() -> None:
    streams = [uuid4() for _ in range(20)]
    relay = a_relay(streams)
    relay.deaf = frozenset({streams[3]})

    await relay._ring_wanted()
    assert list(relay.wanted) == [streams[3]]

    relay.deaf = frozenset()
    await relay._ring_wanted()
    assert sorted(relay.heard, key=str) == sorted(streams, key=str)
    assert not relay.wanted


def test_who_does_not_answer_is_rung_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now, stream, rung = 0.0, uuid4(), []
    monkeypatch.setattr("workers.relay.monotonic", lambda: now)
    pauses = Backoff()
    while now < 4 * LONGEST_PAUSE_S:
        if pauses.over([stream]):
            rung.append(now)
        now += 1.0
    gaps = [later - earlier for earlier, later in pairwise(rung)]
    assert gaps[:5] == [1, 2, 4, 8, 16]
    assert gaps[-1] == LONGEST_PAUSE_S


def test_who_answered_is_rung_at_once_the_next_time() -> None:
    pauses, stream = Backoff(), uuid4()
    assert pauses.over([stream]) == [stream]
    assert pauses.over([stream]) == []
    assert pauses.over([]) == []
    assert pauses.over([stream]) == [stream]
