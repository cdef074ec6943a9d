"""The relay signals streams with pending messages; one that cannot be reached does not delay the others."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.service import RPCError, RPCStatusCode

from workers.relay import LONGEST_PAUSE_S, Backoff, Relay


class RelayWithUnreachableStreams(Relay):
    """A relay whose Temporal server cannot reach some workflows."""

    unreachable: frozenset[UUID] = frozenset()
    signalled: tuple[UUID, ...] = ()

    async def _wake(self, stream: UUID) -> None:
        await self._attempt(stream, self._signal(stream))

    async def _signal(self, stream: UUID) -> None:
        if stream in self.unreachable:
            raise RPCError("unavailable", RPCStatusCode.UNAVAILABLE, b"")
        self.signalled += (stream,)


def a_relay(streams: list[UUID], **more: Any) -> RelayWithUnreachableStreams:
    relay = RelayWithUnreachableStreams(client=None, pool=None, keys=None, dsn="", **more)  # type: ignore[arg-type]
    relay.kinds = dict.fromkeys(streams, "case")
    relay.to_wake = dict.fromkeys(streams)
    return relay


async def test_only_the_stream_that_could_not_be_signalled_is_signalled_again() -> None:
    streams = [uuid4() for _ in range(20)]
    relay = a_relay(streams)
    relay.unreachable = frozenset({streams[3]})

    await relay._wake_all()
    assert list(relay.to_wake) == [streams[3]]

    relay.unreachable = frozenset()
    await relay._wake_all()
    assert sorted(relay.signalled, key=str) == sorted(streams, key=str)
    assert not relay.to_wake


def test_a_stream_that_stays_pending_is_signalled_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now, stream, signalled = 0.0, uuid4(), []
    monkeypatch.setattr("workers.relay.monotonic", lambda: now)
    backoff = Backoff()
    while now < 4 * LONGEST_PAUSE_S:
        if backoff.due([stream]):
            signalled.append(now)
        now += 1.0
    gaps = [later - earlier for earlier, later in pairwise(signalled)]
    assert gaps[:5] == [1, 2, 4, 8, 16]
    assert gaps[-1] == LONGEST_PAUSE_S


def test_a_stream_that_was_processed_is_signalled_at_once_the_next_time() -> None:
    backoff, stream = Backoff(), uuid4()
    assert backoff.due([stream]) == [stream]
    assert backoff.due([stream]) == []
    assert backoff.due([]) == []
    assert backoff.due([stream]) == [stream]
