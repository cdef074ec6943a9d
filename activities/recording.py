"""The recording activity, the only writer of events: loads a stream, lets the domain decide, writes all or nothing.

The activity is idempotent, and the only place where rules are applied to the log. It raises ``ApplicationError`` with a
code and no other text, because workflow histories store errors unencrypted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final
from uuid import UUID, uuid5

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.decision_batch import GRACE, Batch, InboxItem, read_item, unreadable
from activities.passenger_check import POLL_S, Passenger, PassengerCheck, PassengersPendingError, report_of
from domain.case.aggregate import Case
from domain.events.referral import ReferralHandedOver, ReferralSent
from domain.kernel.context import Context
from domain.kernel.directory import Directory
from domain.kernel.event import Event, Metadata
from domain.kernel.policy import NEWEST
from domain.progress import Progress, RecordRequest
from domain.referral.notifications import ENDING, notifications_of, referrals_ended_by
from domain.streams import KINDS, State, StreamKind
from store.crypto.keys import Keyring, KeyStore
from store.log.hash_chain import link
from store.log.mapper import EventMapper, TamperedError
from store.log.recorder import StaleRevisionError
from store.log.repository import Repository, project_aggregate
from store.log.rows import (
    Changeset,
    Committed,
    NewEvent,
    OutgoingMessage,
    ReferralToken,
    StreamHead,
    StreamMessage,
    StreamSnapshot,
    WaitingMessage,
)
from store.log.streams import heads
from store.messages.inbox import Inbox, encode_message, open_waiting
from store.messages.outbox import outbox_id_of
from store.messages.outbox import outgoing as seal_outgoing
from store.postgres.connections import HeldConnections
from store.postgres.failpoint import failpoint
from store.postgres.notifier import EVENTS, INBOX, OUTBOX, Notifier
from store.reference.directory import known_today

log = logging.getLogger("awda.record")

ATTEMPTS: Final = 30

CACHED_STREAMS: Final = 512

DIRECTORY_FRESH_S: Final = 10.0

RETRY_AFTER_S: Final = 60.0
"""How long a stream waits after an unreadable row or a crashed rule; staff must correct the cause."""


class RecordingActivities:
    """The recording activity with its cache; one instance per worker."""

    kinds: Mapping[str, StreamKind] = KINDS
    """The rules of this version for each kind of stream."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        keys: KeyStore,
        notifier: Notifier | None = None,
        connections: HeldConnections | None = None,
    ) -> None:
        self.pool, self.keys, self.notifier = pool, keys, notifier
        self.repository, self.inbox = Repository(connections or pool, keys), Inbox(pool, keys)
        self.passenger_check = PassengerCheck(self.repository, self.inbox, notifier)
        self._streams: OrderedDict[UUID, CachedStream] = OrderedDict()
        self._directory: tuple[float, Directory] = (float("-inf"), Directory())

    @activity.defn(name="record")
    async def record(self, request: RecordRequest) -> Progress:
        """Records all pending decisions of one stream, and returns its progress."""
        try:
            progress = await self.catch_up(request)
        except ApplicationError:
            raise
        except Exception as fault:  # noqa: BLE001 (only the type of an error may be stored in a workflow history)
            log.warning("recording %s failed: %s", request.stream_id, type(fault).__name__)
            raise ApplicationError(type(fault).__name__) from None
        failpoint("record.before_answer")
        return progress

    async def catch_up(self, request: RecordRequest) -> Progress:
        """Records, without Temporal. Raises errors of the database, and ``ApplicationError`` after too many retries."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._once(request)
            except CacheInvalidError:
                continue
            except PassengersPendingError:
                await asyncio.sleep(POLL_S)
            except StaleRevisionError:
                await asyncio.sleep(random.uniform(0, 0.005 * (attempt + 1)))  # noqa: S311 (jitter, not cryptography)
        raise ApplicationError("STALE")

    async def _once(self, request: RecordRequest) -> Progress:
        cached = self._streams.pop(request.stream_id, None)
        stream = await self.repository.load(request.stream_id, after=cached.version if cached else 0)
        loaded, keyring, events = stream.snapshot, stream.keyring, stream.events
        if loaded.head is None:
            return Progress(over=True)
        if cached and not _continues(cached, loaded):
            raise CacheInvalidError
        if stream.unreadable:
            await self.repository.report_unreadable(stream)
            return Progress(waiting_on="LOG.UNREADABLE", wait_s=RETRY_AFTER_S)
        items = [_item(keyring, waiting) for waiting in loaded.waiting]
        state = project_aggregate(loaded.head, events, cached.state if cached else None)
        passengers = await self.passenger_check.passengers(state, items)
        known = await self.partners(fresh=bool(passengers))
        batch = Batch(
            kind=self.kinds[loaded.head.kind],
            state=state,
            now=loaded.now,
            directory=known,
            token=lambda: secrets.token_urlsafe(16),
            replay=_replaying(loaded.head, None if cached else events),
            passengers=report_of(passengers, request.stream_id, known.advisories),
        )
        batch.run(items, more=loaded.more)
        batch.open(request.open)
        committed = await self._write(batch, loaded.head, keyring, passengers)
        self._cache(request.stream_id, committed, batch.state)
        progress = batch.kind.progress_of(
            batch.state, batch.context_for(loaded.now, request.stream_id), more=loaded.more
        )
        return progress.model_copy(update={"wait_s": RETRY_AFTER_S, "may_open": ()}) if batch.broken else progress

    async def _write(
        self, batch: Batch, head: StreamHead, keyring: Keyring, passengers: Sequence[Passenger]
    ) -> Committed:
        state, deadline = batch.state, batch.next_deadline()
        mapper, letters = EventMapper(keyring), _letters(batch)
        progress = batch.kind.progress_of(state, batch.context_for(batch.now, head.stream_id))
        changeset = Changeset(
            stream_id=head.stream_id,
            revision=head.revision,
            prev_hash=head.hash,
            first_version=head.version + 1,
            events=_new_events(batch, mapper),
            settled=batch.settled,
            outbox=_outbox(batch, keyring),
            letters=await self._encrypted(letters) if letters else (),
            tokens=_tokens(batch),
            withdrawn=_withdrawn(batch),
            endings=(ENDING,),
            handed_over=_handed_over(batch),
            heads=[(one.case_id, one.revision) for one in passengers],
            idle=[one.case_id for one in passengers if one.case is not None],
            next_due=deadline.due + GRACE if deadline else None,
            open=not progress.over,
        )
        if _changes_nothing(changeset, head):
            return Committed(head.revision, head.version, head.hash, batch.now)
        failpoint("record.before_write")
        committed = await self.repository.recorder.write(changeset)
        failpoint("record.after_commit")
        self._notify(changeset)
        return committed

    async def _encrypted(self, letters: Sequence[tuple[UUID, UUID, str, bytes]]) -> list[StreamMessage]:
        """Returns messages to existing streams. One to an unknown stream would stay pending: it is only logged."""
        known = await heads(self.pool, [stream for _, stream, _, _ in letters])
        for _, stream, _, _ in letters:
            if stream not in known:
                log.error("a message to unknown stream %s is left out", stream)
        return await self.inbox.letters(letter for letter in letters if letter[1] in known)

    def _notify(self, changeset: Changeset) -> None:
        """Sends notifications after the commit. Best effort: all listeners also poll."""
        if self.notifier is None:
            return
        if changeset.events:
            self.notifier.notify(EVENTS)
        if changeset.outbox:
            self.notifier.notify(OUTBOX)
        for letter in changeset.letters:
            self.notifier.notify(INBOX, letter.stream_id)

    def _cache(self, stream_id: UUID, committed: Committed, state: State) -> None:
        self._streams[stream_id] = CachedStream(committed.version, committed.hash, state)
        if len(self._streams) > CACHED_STREAMS:
            self._streams.popitem(last=False)

    async def partners(self, *, fresh: bool = False) -> Directory:
        """Returns the directory of reference data, cached for 10 seconds unless ``fresh``."""
        read_at, known = self._directory
        if fresh or monotonic() - read_at > DIRECTORY_FRESH_S:
            known = await known_today(self.pool)
            self._directory = (monotonic(), known)
        return known


class CacheInvalidError(Exception):
    """The cached aggregate cannot be used: load the whole history and decide again."""


@dataclass(frozen=True, slots=True)
class CachedStream:
    """An aggregate cached between recordings. It is used only if the log continues from its hash."""

    version: int
    hash: bytes
    state: State


def _item(keyring: Keyring, waiting: WaitingMessage) -> InboxItem:
    try:
        return read_item(waiting, open_waiting(keyring, waiting))
    except TamperedError:
        return unreadable(waiting)


def _continues(cached: CachedStream, loaded: StreamSnapshot) -> bool:
    if not loaded.rows:
        return loaded.head is not None and loaded.head.hash == cached.hash
    first = loaded.rows[0]
    version = first.originator_version
    return version == cached.version + 1 and link(cached.hash, first.originator_id, version, first) == first.hash


def _replaying(head: StreamHead, history: Sequence[Event] | None) -> Callable[[Sequence[Event]], State]:
    def replay(decided: Sequence[Event]) -> State:
        if history is None:
            raise CacheInvalidError
        return project_aggregate(head, [*history, *decided])

    return replay


def _new_events(batch: Batch, mapper: EventMapper) -> list[NewEvent]:
    """Returns the events to store. Their ids derive from the message, so that a repeated decision has the same ids."""
    counts: Counter[UUID] = Counter()
    new = []
    for event, ctx in batch.decided:
        counts[ctx.message_id] += 1
        new.append(mapper.to_new_event(event, uuid5(ctx.message_id, str(counts[ctx.message_id])), _metadata(ctx)))
    return new


def _metadata(ctx: Context) -> Metadata:
    return Metadata(
        happened_at=ctx.at,
        recorded_at=ctx.recorded_at,
        actor=ctx.actor,
        message_id=ctx.message_id,
        policy=NEWEST.edition,
        claimed_at=ctx.claimed_at,
    )


def _letters(batch: Batch) -> list[tuple[UUID, UUID, str, bytes]]:
    """Returns the messages to other streams: (message id, stream, name, body)."""
    return [
        (
            uuid5(batch.state.id, f"letter/{event.originator_version}/{to}"),
            to,
            "letter",
            encode_message(type(message).__name__, message.model_dump(mode="json", exclude_none=True)),
        )
        for event, _ in batch.decided
        for to, message in batch.kind.letters(batch.state, event)
    ]


def _outbox(batch: Batch, keyring: Keyring) -> list[OutgoingMessage]:
    if not isinstance(batch.state, Case):
        return []
    drafts = [(event, notifications_of(batch.state, event)) for event, _ in batch.decided]
    return [
        seal_outgoing(
            keyring,
            outbox_id_of(batch.state.id, event.originator_version),
            draft.partner_id,
            draft.name,
            json.dumps(draft.data, sort_keys=True).encode(),
            referral_id=str(draft.referral_id),
        )
        for event, draft in drafts
        if draft is not None
    ]


def _withdrawn(batch: Batch) -> list[str]:
    """Returns referrals that ended, whose unsent messages are withdrawn."""
    if not isinstance(batch.state, Case):
        return []
    return sorted(map(str, referrals_ended_by(batch.state, [event for event, _ in batch.decided])))


def _handed_over(batch: Batch) -> list[str]:
    """Returns referrals that staff reported as delivered manually."""
    return sorted({str(event.referral_id) for event, _ in batch.decided if isinstance(event, ReferralHandedOver)})


def _tokens(batch: Batch) -> list[ReferralToken]:
    return [
        ReferralToken(event.token, str(event.referral_id), event.partner_id)
        for event, _ in batch.decided
        if isinstance(event, ReferralSent)
    ]


def _changes_nothing(changeset: Changeset, head: StreamHead) -> bool:
    nothing_new = not (changeset.events or changeset.settled or changeset.heads)
    return nothing_new and changeset.next_due == head.next_due and changeset.open == head.open
