"""A batch of decisions for one stream: pending messages and passed deadlines, in the order in which they take effect.

Pure: it decides on loaded data and collects the results, without access to the database or the clock.
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
"""A deadline counts as passed this long after it was due: an earlier message may still be committing."""

DISPOSITIONS: Final[tuple[tuple[type[Event], str], ...]] = (
    (PartnerSignalQuarantined, "quarantined"),
    (LateSignalRecorded, "late"),
    (PartnerSignalIgnored, "ignored"),
)

UNPROCESSED: Final = frozenset({CRASHED, UNREADABLE})
"""Causes of quarantine for which the content of the message is unknown to the case."""

MAX_DEADLINES: Final = 500
"""More deadlines than this in one batch mean that a rule does not end its deadline."""


@dataclass(frozen=True)
class InboxItem:
    """A pending message of the inbox: its content, or the reason why it cannot be read."""

    waiting: WaitingMessage
    message: Message | None
    reason: str | None = None
    error: Rejected | Unroutable | None = None

    @property
    def readable(self) -> Message:
        """Returns the message. Raises the error of a message that cannot be read."""
        if self.message is None:
            raise self.error or _unknown()
        return self.message

    @property
    def waits_in_order(self) -> bool:
        """Returns whether it must wait behind an early message. A message that restricts travel never waits."""
        return self.waiting.kind == "staff" and not restricts(self.message)

    @property
    def order(self) -> tuple[datetime, Precedence, int]:
        """Returns the sort key: time of receipt, then restricting messages first (rule SIGNAL.SAME_INSTANT)."""
        return self.waiting.received_at, precedence(self.message), self.waiting.arrival


def unreadable(waiting: WaitingMessage) -> InboxItem:
    """Returns the item of a body that was tampered with: it is quarantined, and does not block later messages."""
    return InboxItem(waiting, None, error=Unroutable(UNREADABLE, "The stored body was changed or moved"))


def read_item(waiting: WaitingMessage, body: bytes | None) -> InboxItem:
    """Returns the message of an inbox row. An invalid message is refused with a rule code, never dropped."""
    if body is None:
        return InboxItem(waiting, None, error=Rejected("MESSAGE.ERASED", "The key of the message has been destroyed"))
    try:
        content: dict[str, Any] = json.loads(body)
        model = MESSAGES[content["message"]]
        return InboxItem(waiting, model.model_validate(content["fields"]), content.get("reason"))
    except ValidationError as invalid:
        fields = ", ".join(".".join(map(str, error["loc"])) or "message" for error in invalid.errors())
        detail = f"Fields that do not match the schema of the message: {fields}"
        return InboxItem(waiting, None, error=Rejected("MESSAGE.INVALID", detail, field=fields))
    except (KeyError, TypeError, ValueError):
        return InboxItem(waiting, None, error=_unknown(field="message"))


def _unknown(field: str | None = None) -> Rejected:
    return Rejected("MESSAGE.UNKNOWN", "There is no message with this name", field=field)


@dataclass
class Batch:
    """The decisions of one recording. ``state``: the aggregate after them; ``decided``: each event with its context."""

    kind: StreamKind
    state: State
    now: datetime
    directory: Directory
    token: Callable[[], str]
    replay: Callable[[Sequence[Event]], State]
    """Returns the aggregate again from its history and the events decided so far."""
    passengers: PassengerReport = NO_PASSENGERS
    decided: list[tuple[Event, Context]] = field(default_factory=list)
    settled: list[MessageResult] = field(default_factory=list)
    early: list[InboxItem] = field(default_factory=list)
    """Messages for a stage that is not open yet. They stay pending until it is."""
    broken: bool = False
    """Whether a rule for a deadline or for opening a stage crashed. Messages are still processed; staff must check."""

    def run(self, items: Sequence[InboxItem], *, more: bool) -> None:
        """Decides messages and passed deadlines in time order. At equal times, the message is decided first."""
        waiting = sorted(items, key=lambda item: item.order)
        horizon = waiting[-1].waiting.received_at if more and waiting else self.now
        for _ in range(MAX_DEADLINES + len(waiting)):
            due = self._passed(horizon)
            if waiting and (due is None or waiting[0].waiting.received_at <= due.due):
                self._decide_message(waiting.pop(0))
            elif due is not None:
                self._decide_deadline(due)
            else:
                return
        raise RuntimeError("Deadlines do not end: one of them is still due after it was recorded")

    def open(self, stages: Sequence[Stage]) -> None:
        """Opens the requested stages, after all messages; then decides the messages that were too early before."""
        for stage in stages:
            opened = self.state.stages[stage].opened if hasattr(self.state, "stages") else 0
            ctx = self.context_for(self.now, uuid5(self.state.id, f"open/{stage}/{opened}"))
            self._run_rule(ctx, partial(self.kind.opening, self.state, stage, ctx))
        early, self.early = self.early, []
        for item in early:
            self._decide_message(item, self.now)

    def context_for(
        self, at: datetime, message_id: UUID, actor: str = "system", claimed: datetime | None = None
    ) -> Context:
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

    def next_deadline(self) -> Deadline | None:
        """Returns the next deadline, or the next time at which the workflow must check the stream."""
        return self.kind.next_wake(self.state, self.context_for(self.now, self.state.id))

    def _passed(self, horizon: datetime) -> Deadline | None:
        due = None if self.broken else self.next_deadline()
        if due is None or due.kind == "wake" or due.due > min(horizon, self.now - GRACE):
            return None
        return due

    def _decide_deadline(self, due: Deadline) -> None:
        # The id contains the version: the same deadline may occur again, and only one recording can write a version.
        ctx = self.context_for(
            due.due, uuid5(self.state.id, f"{due.kind}/{due.subject}/{due.due.isoformat()}/{self.state.version}")
        )
        self._run_rule(ctx, partial(self.kind.lapse, self.state, due, ctx))

    def _run_rule(self, ctx: Context, rule: Callable[[], list[Event]]) -> None:
        """Runs a rule that no message triggered. A crash must not block any message, least of all a withdrawal."""
        try:
            self._collect(ctx, rule())
        except Exception as crash:  # noqa: BLE001 (any error of a rule)
            log.error("a rule for a deadline or a stage crashed on stream %s: %s", self.state.id, type(crash).__name__)  # noqa: TRY400 (no values in logs)
            self.broken = True
            self._restore()

    def _decide_message(self, item: InboxItem, at: datetime | None = None) -> None:
        waiting = item.waiting
        if self.early and item.waits_in_order:
            self.early.append(item)
            return
        ctx = self.context_for(at or waiting.received_at, waiting.message_id, waiting.actor, waiting.claimed_at)
        before = self.state.version
        try:
            events = self.kind.decide(self.state, item.readable, ctx)
        except Rejected as rejected:
            self._discard_since(before)
            self._release_from_quarantine(waiting)
            self._settle(waiting, "refused", _refusal(rejected))
        except TooEarly as early:
            self._wait_for_stage(item, early)
        except Unroutable as unroutable:
            self._discard_since(before)
            self._quarantine(waiting, unroutable.cause, unroutable.detail)
        except Exception as crash:  # noqa: BLE001 (a rule that crashes must not block later messages)
            log.error("a rule crashed on message %s: %s", waiting.message_id, type(crash).__name__)  # noqa: TRY400 (no values in logs)
            self._restore()
            self._quarantine(waiting, CRASHED, type(crash).__name__)
        else:
            self._collect(ctx, [*events, *self._note_reason(item.reason, ctx)])
            self._release_from_quarantine(waiting)
            self._settle(waiting, _disposition(events), _causes(events))

    def _wait_for_stage(self, item: InboxItem, early: TooEarly) -> None:
        """Lets an early message wait for its stage, or quarantines it if no stage can be opened any more."""
        if self.broken:
            self._quarantine(item.waiting, CRASHED, type(early).__name__)
        else:
            self.early.append(item)

    def _quarantine(self, waiting: WaitingMessage, cause: str, detail: str) -> None:
        """Holds a message for review. A message of unknown content may be a withdrawal, so the case records it."""
        if cause in UNPROCESSED:
            self._record_quarantine(waiting.message_id, cause)
        self._settle(waiting, "quarantined", {"cause": cause, "detail": detail})

    def _record_quarantine(self, message_id: UUID, cause: str) -> None:
        for rule in self.kind.on_quarantine:
            ctx = self._context_about(message_id, "in doubt")
            try:
                self._collect(ctx, rule(self.state, message_id, cause, ctx))
            except Exception as crash:  # noqa: BLE001 (any error: the next rule does less and may succeed)
                log.error("a rule crashed on the quarantine of message %s: %s", message_id, type(crash).__name__)  # noqa: TRY400 (no values in logs)
                self._restore()
            else:
                return

    def _release_from_quarantine(self, waiting: WaitingMessage) -> None:
        if waiting.message_id not in getattr(self.state, "doubts", ()):
            return
        ctx = self._context_about(waiting.message_id, "taken in")
        self._collect(ctx, self.kind.on_release(self.state, waiting.message_id, ctx))

    def _context_about(self, message_id: UUID, what: str) -> Context:
        """Returns the context of an event about a message that is not an effect of the message itself.

        ``what`` is part of the ids of stored events and must not change.
        """
        return self.context_for(self.now, uuid5(message_id, f"{what}/{self.state.version}"))

    def _note_reason(self, reason: str | None, ctx: Context) -> Iterator[Event]:
        if reason and self.kind.name == "case":
            note = NoteAdded(note=reason).placed_in(self.state.id, self.state.version + 1, ctx.at)
            note.mutate(self.state)
            yield note

    def _discard_since(self, version: int) -> None:
        """Discards the events that a rule applied to the aggregate before it rejected the message."""
        if self.state.version != version:
            self._restore()

    def _restore(self) -> None:
        self.state = self.replay([event for event, _ in self.decided])

    def _collect(self, ctx: Context, events: Sequence[Event]) -> None:
        self.decided += [(event, ctx) for event in events]

    def _settle(self, waiting: WaitingMessage, status: str, details: dict[str, Any]) -> None:
        result = json.dumps({"status": status, **details}, sort_keys=True)
        self.settled.append(MessageResult(waiting.message_id, status, result, self.state.version))


def _refusal(rejected: Rejected) -> dict[str, Any]:
    details = {
        "rule": rejected.rule,
        "detail": rejected.detail,
        "field": rejected.field,
        "failures": list(rejected.failures),
    }
    return {name: value for name, value in details.items() if value}


def _disposition(events: Sequence[Event]) -> str:
    return next((word for kind, word in DISPOSITIONS if any(isinstance(event, kind) for event in events)), "applied")


def _causes(events: Sequence[Event]) -> dict[str, Any]:
    causes = [getattr(event, "cause", None) or getattr(event, "disposition", None) for event in events]
    not_applied = any(isinstance(event, kind) for event in events for kind, _ in DISPOSITIONS)
    return {"cause": next(cause for cause in causes if cause)} if not_applied else {}
