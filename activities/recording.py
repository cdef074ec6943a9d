"""The only writer of events: read what waits, let the domain decide, write all of it or nothing.

Runs twice without harm, and is the one place where a rule meets the log. Raises ``ApplicationError`` with a code
and nothing else: what it raises is kept in plain text in workflow histories.
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
from activities.passenger_check import LOOK_EVERY_S, Passenger, PassengerCheck, PassengersPendingError, report_of
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

KEPT: Final = 512

DIRECTORY_FRESH_S: Final = 10.0

LOOK_AGAIN_S: Final = 60.0
"""How long a stream rests that cannot be carried on by itself: a row or a rule is broken, and people must look."""


class RecordingActivities:
    """Holds the connections; one for a whole worker."""

    kinds: Mapping[str, StreamKind] = KINDS
    """How each kind of stream decides: the rules of this build."""

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
        self._kept: OrderedDict[UUID, CachedStream] = OrderedDict()
        self._directory: tuple[float, Directory] = (float("-inf"), Directory())

    @activity.defn(name="record")
    async def record(self, order: RecordRequest) -> Progress:
        """Let the log of one stream catch up, and say where it stands."""
        try:
            progress = await self.catch_up(order)
        except ApplicationError:
            raise
        except Exception as fault:  # noqa: BLE001 (whatever it was, only its kind may enter a history)
            log.warning("recording %s failed: %s", order.stream_id, type(fault).__name__)
            raise ApplicationError(type(fault).__name__) from None
        failpoint("record.before_answer")
        return progress

    async def catch_up(self, order: RecordRequest) -> Progress:
        """The recording itself, without Temporal around it. Raises what the database raises."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._once(order)
            except CacheInvalidError:
                continue
            except PassengersPendingError:
                await asyncio.sleep(LOOK_EVERY_S)
            except StaleRevisionError:
                await asyncio.sleep(random.uniform(0, 0.005 * (attempt + 1)))  # noqa: S311 (spreads writers, hides nothing)
        raise ApplicationError("STALE")

    async def _once(self, order: RecordRequest) -> Progress:
        kept = self._kept.pop(order.stream_id, None)
        stream = await self.repository.load(order.stream_id, after=kept.version if kept else 0)
        loaded, keyring, events = stream.snapshot, stream.keyring, stream.events
        if loaded.head is None:
            return Progress(over=True)
        if kept and not _continues(kept, loaded):
            raise CacheInvalidError
        if stream.unreadable:
            await self.repository.report_unreadable(stream)
            return Progress(waiting_on="LOG.UNREADABLE", wait_s=LOOK_AGAIN_S)
        items = [_item(keyring, waiting) for waiting in loaded.waiting]
        state = project_aggregate(loaded.head, events, kept.state if kept else None)
        passengers = await self.passenger_check.passengers(state, items)
        known = await self.partners(fresh=bool(passengers))
        batch = Batch(
            kind=self.kinds[loaded.head.kind],
            state=state,
            now=loaded.now,
            directory=known,
            token=lambda: secrets.token_urlsafe(16),
            refold=_refolding(loaded.head, None if kept else events),
            passengers=report_of(passengers, order.stream_id, known.advisories),
        )
        batch.run(items, more=loaded.more)
        batch.open(order.open)
        written = await self._write(batch, loaded.head, keyring, passengers)
        self._keep(order.stream_id, written, batch.state)
        progress = batch.kind.progress_of(batch.state, batch.moment(loaded.now, order.stream_id), more=loaded.more)
        return progress.model_copy(update={"wait_s": LOOK_AGAIN_S, "may_open": ()}) if batch.broken else progress

    async def _write(
        self, batch: Batch, head: StreamHead, keyring: Keyring, passengers: Sequence[Passenger]
    ) -> Committed:
        state, wake = batch.state, batch.wake()
        mapper, letters = EventMapper(keyring), _letters(batch)
        progress = batch.kind.progress_of(state, batch.moment(batch.now, head.stream_id))
        plan = Changeset(
            stream_id=head.stream_id,
            revision=head.revision,
            prev_hash=head.hash,
            first_version=head.version + 1,
            events=_new_events(batch, mapper),
            settled=batch.settled,
            outbox=_outbox(batch, keyring),
            letters=await self._sealed(letters) if letters else (),
            tokens=_tokens(batch),
            withdrawn=_withdrawn(batch),
            endings=(ENDING,),
            brought=_brought(batch),
            heads=[(one.case_id, one.revision) for one in passengers],
            quiet=[one.case_id for one in passengers if one.case is not None],
            next_due=wake.due + GRACE if wake else None,
            open=not progress.over,
        )
        if _changes_nothing(plan, head):
            return Committed(head.revision, head.version, head.hash, batch.now)
        failpoint("record.before_write")
        written = await self.repository.recorder.write(plan)
        failpoint("record.after_commit")
        self._tell(plan)
        return written

    async def _sealed(self, letters: Sequence[tuple[UUID, UUID, str, bytes]]) -> list[StreamMessage]:
        """Letters to streams there are. One to nowhere would wait for ever: it is said in the log and left out."""
        known = await heads(self.pool, [stream for _, stream, _, _ in letters])
        for _, stream, _, _ in letters:
            if stream not in known:
                log.error("a letter to %s, which is no stream of ours, is left out", stream)
        return await self.inbox.letters(letter for letter in letters if letter[1] in known)

    def _tell(self, plan: Changeset) -> None:
        """Ring after the commit. A lost ring only delays: whoever listens also looks by itself."""
        if self.notifier is None:
            return
        if plan.events:
            self.notifier.notify(EVENTS)
        if plan.outbox:
            self.notifier.notify(OUTBOX)
        for letter in plan.letters:
            self.notifier.notify(INBOX, letter.stream_id)

    def _keep(self, stream_id: UUID, written: Committed, state: State) -> None:
        self._kept[stream_id] = CachedStream(written.version, written.hash, state)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def partners(self, *, fresh: bool = False) -> Directory:
        """What is known outside the cases, read again every few seconds, and when doors close."""
        read_at, known = self._directory
        if fresh or monotonic() - read_at > DIRECTORY_FRESH_S:
            known = await known_today(self.pool)
            self._directory = (monotonic(), known)
        return known


class CacheInvalidError(Exception):
    """A rule changed its mind half-way: decide again from the whole history instead of from what was kept."""


@dataclass(frozen=True, slots=True)
class CachedStream:
    """A folded stream, kept between recordings; used only if the log goes on from its very hash."""

    version: int
    hash: bytes
    state: State


def _item(keyring: Keyring, waiting: WaitingMessage) -> InboxItem:
    try:
        return read_item(waiting, open_waiting(keyring, waiting))
    except TamperedError:
        return unreadable(waiting)


def _continues(kept: CachedStream, loaded: StreamSnapshot) -> bool:
    if not loaded.rows:
        return loaded.head is not None and loaded.head.hash == kept.hash
    first = loaded.rows[0]
    return first.version == kept.version + 1 and link(kept.hash, first.stream_id, first.version, first) == first.hash


def _refolding(head: StreamHead, history: Sequence[Event] | None) -> Callable[[Sequence[Event]], State]:
    def refold(decided: Sequence[Event]) -> State:
        if history is None:
            raise CacheInvalidError
        return project_aggregate(head, [*history, *decided])

    return refold


def _new_events(batch: Batch, mapper: EventMapper) -> list[NewEvent]:
    """The events as stored; each has an identity that deciding the same message again gives again."""
    counts: Counter[UUID] = Counter()
    new = []
    for event, m in batch.decided:
        counts[m.message_id] += 1
        new.append(mapper.to_new_event(event, uuid5(m.message_id, str(counts[m.message_id])), _metadata(m)))
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
    """What this recording tells other streams: (message id, stream, name, body)."""
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
    """Referrals that ended here: what they have not been told by now, partners are not told any more."""
    if not isinstance(batch.state, Case):
        return []
    return sorted(map(str, referrals_ended_by(batch.state, [event for event, _ in batch.decided])))


def _brought(batch: Batch) -> list[str]:
    """Referrals that a person has brought to their partners, however it was said."""
    return sorted({str(event.referral_id) for event, _ in batch.decided if isinstance(event, ReferralHandedOver)})


def _tokens(batch: Batch) -> list[ReferralToken]:
    return [
        ReferralToken(event.token, str(event.referral_id), event.partner_id)
        for event, _ in batch.decided
        if isinstance(event, ReferralSent)
    ]


def _changes_nothing(plan: Changeset, head: StreamHead) -> bool:
    nothing_new = not (plan.events or plan.settled or plan.heads)
    return nothing_new and plan.next_due == head.next_due and plan.open == head.open
