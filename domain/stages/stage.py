"""The common shape of a stage: when it may open, what it requests, what is missing, and its handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.events.partner_report import PartnerReport
from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.kernel.vocabulary import ReferralKind, SignalType, Stage

Handler = Callable[[Case, Any, Context], Iterator[Event]]
"""Decides about a command: yields events, each applied before the next is decided.

Raises ``Rejected`` before the first event if a rule rejects the command.
"""

Meaning = Callable[[Case, Referral, PartnerReport, Context], Iterator[Event]]
"""Decides which events follow from a partner's answer."""


@dataclass(frozen=True)
class Requirement:
    """Something that a case waits for: a neutral code, who must provide it, and the rule that requires it.

    ``since`` and ``due`` are UTC.
    """

    code: str
    who: str
    rule: str
    since: datetime | None = None
    due: datetime | None = None
    after: str = ""
    """Topic of the event that caused the requirement, if the stage knows it."""


def no_events(_case: Case, _ctx: Context) -> Iterator[Event]:
    return iter(())


@dataclass(frozen=True)
class StageRules:
    """One stage of the procedure."""

    stage: Stage
    title: str
    may_open: Callable[[Case, Context], str | None]
    """Returns why the stage may not open now, or ``None`` if it may."""
    missing: Callable[[Case, Context], list[Requirement]]
    """Returns what is missing; the stage is completed when nothing is missing."""
    opening: Callable[[Case, Context], Iterator[Event]] = no_events
    follow_up: Callable[[Case, Context], Iterator[Event]] = no_events
    """Yields what an open stage requests automatically; called after every decision until nothing is yielded."""
    rules: Mapping[type[Message], Handler] = field(default_factory=dict)
    answers: Mapping[tuple[ReferralKind, SignalType], Meaning] = field(default_factory=dict)
    on_retraction: Mapping[ReferralKind, Meaning] = field(default_factory=dict)
    """Consequences of a retracted answer, in addition to the end of the clearances that it granted."""
    without_open_stage: frozenset[type[Message]] = frozenset()
    """Commands that are accepted although the stage is not open: facts and statements that may arrive at any time."""
    reopens: Callable[[Case, Context], str | None] = lambda _case, _ctx: None
    """Returns why a completed stage must be reopened, or ``None`` if it need not."""
    wake_times: Callable[[Case, Context], Iterator[datetime]] = lambda _case, _ctx: iter(())
    """Yields the times (UTC) at which the stage must be evaluated again without a message."""
