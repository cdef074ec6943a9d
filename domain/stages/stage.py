"""What a stage must say of itself: when it may open, what it pursues, what it lacks, what its messages do."""

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
"""A message meets the case: events, each folded before the next is decided; or ``Refused`` before the first."""

Meaning = Callable[[Case, Referral, PartnerReport, Context], Iterator[Event]]
"""What a partner's answer means for the stage."""


@dataclass(frozen=True)
class Requirement:
    """Something a case waits for: a neutral code, who owes it, since when, under which rule."""

    code: str
    who: str
    rule: str
    since: datetime | None = None
    due: datetime | None = None
    after: str = ""
    """The topic of the fact because of which it is awaited, where the stage knows."""


def never(_case: Case, _ctx: Context) -> Iterator[Event]:
    return iter(())


@dataclass(frozen=True)
class StageRules:
    """One stage of the procedure."""

    stage: Stage
    title: str
    may_open: Callable[[Case, Context], str | None]
    """Why it may not open now; ``None`` if it may."""
    missing: Callable[[Case, Context], list[Requirement]]
    """What is missing to complete it; nothing missing completes it."""
    opening: Callable[[Case, Context], Iterator[Event]] = never
    follow_up: Callable[[Case, Context], Iterator[Event]] = never
    """What an open stage asks for by itself, again and again until it has it."""
    rules: Mapping[type[Message], Handler] = field(default_factory=dict)
    answers: Mapping[tuple[ReferralKind, SignalType], Meaning] = field(default_factory=dict)
    on_retraction: Mapping[ReferralKind, Meaning] = field(default_factory=dict)
    """What it means for the stage that an answer no longer counts, beside the end of what it had granted."""
    without_open_stage: frozenset[type[Message]] = frozenset()
    """Its messages that need no open stage: facts and statements that come when they come."""
    reopens: Callable[[Case, Context], str | None] = lambda _case, _ctx: None
    """Why a completed stage must be taken up again; ``None`` if it need not."""
    wake_times: Callable[[Case, Context], Iterator[datetime]] = lambda _case, _ctx: iter(())
    """Moments (UTC) at which the stage wants to be asked again although nothing was heard."""
