"""One batch of a stream: waiting messages and passed deadlines, in the order in which they took effect.

Pure: given what was loaded, it decides and collects; it touches neither database nor clock.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import ValidationError

from domain.events.case import NoteAdded
from domain.events.signal import LateSignalRecorded, PartnerSignalIgnored, PartnerSignalQuarantined
from domain.kernel.context import NO_PASSENGERS, Context, PassengerReport
from domain.kernel.deadline import Deadline
from domain.kernel.directory import Directory
from domain.kernel.errors import Rejected, TooEarly, Unroutable
from domain.kernel.event import Event
from domain.kernel.message import MESSAGES, Message
from domain.kernel.vocabulary import Stage
from domain.signals.precedence import Precedence, precedence, restricts
from domain.signals.unprocessable import CRASHED, UNREADABLE
from domain.streams import State, StreamKind
from store.log.rows import MessageResult, WaitingMessage

log = logging.getLogger("awda.record")

GRACE: Final = timedelta(seconds=1)
"""A deadline counts as passed this long after it was due: a message stamped just before it may still be committing."""

DISPOSITIONS: Final[tuple[tuple[type[Event], str], ...]] = (
    (PartnerSignalQuarantined, "quarantined"),
    (LateSignalRecorded, "late"),
    (PartnerSignalIgnored, "ignored"),
)

IN_THE_DARK: Final = frozenset({CRASHED, UNREADABLE})
"""Why nobody knows what a message means."""

RUNAWAY: Final = 500


@dataclass(frozen=True)
class InboxItem:
    """A message as it was taken in: what it says, or why it cannot be read."""

    waiting: WaitingMessage
    message: Message | None
    reason: str | None = None
    flaw: Rejected | Unroutable | None = None

    @property
    def readable(self) -> Message:
        """The message. Raises the flaw of one that cannot be read."""
        if self.message is None:
            raise self.flaw or Rejected("MESSAGE.UNKNOWN", "no message of that name")
        return self.message

    @property
    def patient(self) -> bool:
        """Whether it keeps its place behind a message that waits; what restricts never waits."""
        return self.waiting.kind == "staff" and not restricts(self.message)

    @property
    def order(self) -> tuple[datetime, Precedence, int]:
        """By the database's clock; at the same instant what restricts comes first (rule SIGNAL.SAME_INSTANT)."""
        return self.waiting.received_at, precedence(self.message), self.waiting.arrival


def unreadable(waiting: WaitingMessage) -> InboxItem:
    """A body that is not what was sealed there: for a person to look at, and for nobody else to wait behind."""
    return InboxItem(waiting, None, flaw=Unroutable(UNREADABLE, "what is stored is not what was sealed"))


def read_item(waiting: WaitingMessage, body: bytes | None) -> InboxItem:
    """The message in an inbox row. One that cannot be read is refused with its rule, never dropped."""
    if body is None:
        return InboxItem(waiting, None, flaw=Rejected("MESSAGE.ERASED", "its key has been destroyed"))
    try:
        told: dict[str, Any] = json.loads(body)
        model = MESSAGES[told["message"]]
        return InboxItem(waiting, model.model_validate(told["fields"]), told.get("reason"))
    except ValidationError as unfit:
        fields = ", ".join(".".join(map(str, error["loc"])) or "message" for error in unfit.errors())
        return InboxItem(
            waiting, None, flaw=Rejected("MESSAGE.INVALID", f"not as its schema wants it: {fields}", field=fields)
        )
    except (KeyError, TypeError, ValueError):
        return InboxItem(waiting, None, flaw=Rejected("MESSAGE.UNKNOWN", "no message of that name", field="message"))


@dataclass
class Batch:
    """What one recording decides. ``state`` is folded along; ``decided`` pairs each event with what caused it."""

    kind: StreamKind
    state: State
    now: datetime
    directory: Directory
    token: Callable[[], str]
    refold: Callable[[Sequence[Event]], State]
    passengers: PassengerReport = NO_PASSENGERS
    decided: list[tuple[Event, Context]] = field(default_factory=list)
    settled: list[MessageResult] = field(default_factory=list)
    early: list[InboxItem] = field(default_factory=list)
    """Messages for a stage that is about to be opened: they stay pending until it is."""
    broken: bool = False
    """A rule of silence or of opening crashed: what people say is still taken, and somebody must look at the log."""

    def run(self, items: Sequence[InboxItem], *, more: bool) -> None:
        """Take messages and passed deadlines in turn: a message received by the due moment goes first."""
        waiting = sorted(items, key=lambda item: item.order)
        horizon = waiting[-1].waiting.received_at if more and waiting else self.now
        for _ in range(RUNAWAY + len(waiting)):
            due = self._passed(horizon)
            if waiting and (due is None or waiting[0].waiting.received_at <= due.due):
                self._take(waiting.pop(0))
            elif due is not None:
                self._lapse(due)
            else:
                return
        raise RuntimeError("deadlines keep passing: one of them does not disappear when it is recorded")

    def open(self, stages: Sequence[Stage]) -> None:
        """Open what was ordered open, after all that was said before; then take what came a moment too early."""
        for stage in stages:
            opened = self.state.stages[stage].opened if hasattr(self.state, "stages") else 0
            ctx = self.moment(self.now, uuid5(self.state.id, f"open/{stage}/{opened}"))
            self._by_itself(ctx, partial(self.kind.opening, self.state, stage, ctx))
        early, self.early = self.early, []
        for item in early:
            self._take(item, self.now)

    def moment(self, at: datetime, message_id: UUID, actor: str = "system", claimed: datetime | None = None) -> Context:
        return Context(
            at=at,
            recorded_at=self.now,
            actor=actor,
            message_id=message_id,
            directory=self.directory,
            token=self.token,
            claimed_at=claimed,
            passengers=self.passengers,
        )

    def wake(self) -> Deadline | None:
        return self.kind.next_wake(self.state, self.moment(self.now, self.state.id))

    def _passed(self, horizon: datetime) -> Deadline | None:
        due = None if self.broken else self.wake()
        if due is None or due.kind == "wake" or due.due > min(horizon, self.now - GRACE):
            return None
        return due

    def _lapse(self, due: Deadline) -> None:
        # with the version: a deadline may come up again for the same moment, and only one recording wins a version
        ctx = self.moment(
            due.due, uuid5(self.state.id, f"{due.kind}/{due.subject}/{due.due.isoformat()}/{self.state.version}")
        )
        self._by_itself(ctx, partial(self.kind.lapse, self.state, due, ctx))

    def _by_itself(self, ctx: Context, rule: Callable[[], list[Event]]) -> None:
        """What nobody said: a crash here must not keep anybody from being heard, least of all a withdrawal."""
        try:
            self._keep(ctx, rule())
        except Exception as crash:  # noqa: BLE001 (whatever it was)
            log.error("a rule crashed on %s by itself: %s", self.state.id, type(crash).__name__)  # noqa: TRY400 (no values in logs)
            self.broken = True
            self._refold()

    def _take(self, item: InboxItem, at: datetime | None = None) -> None:
        waiting = item.waiting
        if self.early and item.patient:
            self.early.append(item)
            return
        ctx = self.moment(at or waiting.received_at, waiting.message_id, waiting.actor, waiting.claimed_at)
        before = self.state.version
        try:
            events = self.kind.decide(self.state, item.readable, ctx)
        except Rejected as no:
            self._undo(before)
            self._no_longer_in_doubt(waiting)
            self._settle(waiting, "refused", _refusal(no))
        except TooEarly as early:
            self._wait_or_give_up(item, early)
        except Unroutable as doubt:
            self._undo(before)
            self._quarantine(waiting, doubt.cause, doubt.detail)
        except Exception as crash:  # noqa: BLE001 (a rule that crashes must not stop what stands behind it)
            log.error("a rule crashed on message %s: %s", waiting.message_id, type(crash).__name__)  # noqa: TRY400 (no values in logs)
            self._refold()
            self._quarantine(waiting, CRASHED, type(crash).__name__)
        else:
            self._keep(ctx, [*events, *self._note(item.reason, ctx)])
            self._no_longer_in_doubt(waiting)
            self._settle(waiting, _disposition(events), _causes(events))

    def _wait_or_give_up(self, item: InboxItem, early: TooEarly) -> None:
        """Early messages wait for their stage; where nothing can be opened any more, none would ever be settled."""
        if self.broken:
            self._quarantine(item.waiting, CRASHED, type(early).__name__)
        else:
            self.early.append(item)

    def _quarantine(self, waiting: WaitingMessage, cause: str, detail: str) -> None:
        """It waits for a person. What could not even be understood may be a withdrawal: the case must know of it."""
        if cause in IN_THE_DARK:
            self._doubt(waiting.message_id, cause)
        self._settle(waiting, "quarantined", {"cause": cause, "detail": detail})

    def _doubt(self, message_id: UUID, cause: str) -> None:
        for rule in self.kind.on_quarantine:
            ctx = self._aside(message_id, "in doubt")
            try:
                self._keep(ctx, rule(self.state, message_id, cause, ctx))
            except Exception as crash:  # noqa: BLE001 (whatever it was: the next one asks for less)
                log.error("a rule crashed on the doubt about %s: %s", message_id, type(crash).__name__)  # noqa: TRY400 (no values in logs)
                self._refold()
            else:
                return

    def _no_longer_in_doubt(self, waiting: WaitingMessage) -> None:
        if waiting.message_id not in getattr(self.state, "doubts", ()):
            return
        ctx = self._aside(waiting.message_id, "taken in")
        self._keep(ctx, self.kind.on_release(self.state, waiting.message_id, ctx))

    def _aside(self, message_id: UUID, what: str) -> Context:
        """The moment of what we record about a message, beside what the message itself brings about."""
        return self.moment(self.now, uuid5(message_id, f"{what}/{self.state.version}"))

    def _note(self, reason: str | None, ctx: Context) -> Iterator[Event]:
        if reason and self.kind.name == "case":
            note = NoteAdded(note=reason).placed_in(self.state.id, self.state.version + 1, ctx.at)
            note.mutate(self.state)
            yield note

    def _undo(self, version: int) -> None:
        """Forget what a rule had begun to decide before it said no."""
        if self.state.version != version:
            self._refold()

    def _refold(self) -> None:
        self.state = self.refold([event for event, _ in self.decided])

    def _keep(self, ctx: Context, events: Sequence[Event]) -> None:
        self.decided += [(event, ctx) for event in events]

    def _settle(self, waiting: WaitingMessage, status: str, told: dict[str, Any]) -> None:
        result = json.dumps({"status": status, **told}, sort_keys=True)
        self.settled.append(MessageResult(waiting.message_id, status, result, self.state.version))


def _refusal(no: Rejected) -> dict[str, Any]:
    told = {"rule": no.rule, "detail": no.detail, "field": no.field, "failures": list(no.failures)}
    return {name: value for name, value in told.items() if value}


def _disposition(events: Sequence[Event]) -> str:
    return next((word for kind, word in DISPOSITIONS if any(isinstance(event, kind) for event in events)), "applied")


def _causes(events: Sequence[Event]) -> dict[str, Any]:
    causes = [getattr(event, "cause", None) or getattr(event, "disposition", None) for event in events]
    doubtful = any(isinstance(event, kind) for event in events for kind, _ in DISPOSITIONS)
    return {"cause": next(cause for cause in causes if cause)} if doubtful else {}
