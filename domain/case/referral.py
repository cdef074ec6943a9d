"""Where one referral stands: status, timeliness, which steps are owed and until when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final
from uuid import UUID

from domain.kernel.person import Interview
from domain.kernel.vocabulary import TERMINAL, ReferralKind, ReferralStatus, Timeliness

OWED: Final[Mapping[ReferralStatus, tuple[str, ...]]] = {
    ReferralStatus.SENT: ("ack",),
    ReferralStatus.ACKNOWLEDGED: ("accept",),
    ReferralStatus.ACCEPTED: ("start", "complete"),
    ReferralStatus.IN_PROGRESS: ("complete",),
    ReferralStatus.ON_HOLD: ("complete",),
}
"""What a partner owes next. One that never says that it has begun owes the completion all the same."""

SAID: Final[Mapping[str, Timeliness]] = {
    "reminder-50": Timeliness.REMINDED,
    "overdue": Timeliness.OVERDUE,
    "reminder-100": Timeliness.REMINDED,
    "L1": Timeliness.ESCALATED_L1,
    "L2": Timeliness.ESCALATED_L2,
    "L3": Timeliness.ESCALATED_L3,
}
"""How late a referral is once a rung of the ladder has been told. What comes after the levels makes nothing later."""

_ORDER: Final = list(Timeliness)


@dataclass(slots=True)
class Referral:
    """One request to one partner, from draft to its end.

    ``kind`` is public; ``true_kind`` is the sealed one where they differ (``None`` without the compartment).
    ``dues`` are the due dates (UTC) of each step and until when the request stands; those in ``put_off`` were moved on
    purpose. ``told`` are the rungs of the ladder that have been told of the steps still owed.
    """

    referral_id: UUID
    kind: ReferralKind
    true_kind: ReferralKind | None
    partner_id: str
    token: str
    since: datetime
    urgent: bool = False
    status: ReferralStatus = ReferralStatus.DRAFT
    timeliness: Timeliness = Timeliness.ON_TIME
    sent_at: datetime | None = None
    moved_at: datetime | None = None
    """Since when the partner owes the step it owes now (UTC)."""
    dues: dict[str, datetime] = field(default_factory=dict)
    put_off: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    accepted: bool = False
    outcome: str | None = None
    outcome_version: int = 0
    last_seq: int | None = None
    completed_by: UUID | None = None
    disputed: dict[UUID, datetime] = field(default_factory=dict)
    replaces: UUID | None = None
    item: str | None = None
    paused_since: datetime | None = None
    paused_until: date | None = None
    pauses: int = 0
    informed: bool = False
    interview: Interview | None = None
    undelivered: bool = False
    """The request itself did not reach the partner, as far as is known."""
    known: bool = False
    """Its partner has said something of it, or a person has brought it: it knows, whatever our deliveries say."""
    by_rule: bool = False
    """Ended because a rule said so, not by staff's order: it may be asked again by itself."""
    tell_end_at: datetime | None = None
    """When the partner is told of the end, with the next ordinary letters (UTC)."""
    version: int = 0
    """At which version of the case it was made."""

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def asked_kind(self) -> ReferralKind:
        """The kind the partner was really asked for."""
        return self.true_kind or self.kind

    @property
    def owed(self) -> tuple[str, ...]:
        """The steps a partner owes now, first things first; after a pause those are owed that were owed before it."""
        return owed_by(self.status, self.dues)

    @property
    def awaited(self) -> str | None:
        """The step that is owed next, or nothing: a draft, a pause, the end."""
        return None if self.status is ReferralStatus.ON_HOLD else next(iter(self.owed), None)

    @property
    def overdue(self) -> bool:
        return _ORDER.index(self.timeliness) >= _ORDER.index(Timeliness.OVERDUE)

    def dues_after(self, at: datetime) -> dict[str, datetime]:
        """What is owed later when a pause ends: by as long as it lasted."""
        pause = at - (self.paused_since or at)
        return {name: self.dues[name] + pause for name in ("complete", "stands") if name in self.dues}

    def move(self, at: datetime, to: ReferralStatus, dues: Mapping[str, datetime] | None = None) -> None:
        """The partner moved. What was told about a step it still owes stays told, and is not told again."""
        self.status, self.moved_at = to, at
        self.put_off_to(dues or {})
        self.told, self.timeliness = after_a_move(self.status, self.dues, self.told)

    def is_known(self) -> None:
        """Whatever became of our delivery, the partner knows of the request."""
        self.known, self.undelivered = True, False

    def put_off_to(self, dues: Mapping[str, datetime]) -> None:
        self.dues |= dues
        self.put_off |= dues.keys()

    def tell(self, rung: str, timeliness: Timeliness) -> None:
        """Timeliness only worsens until the awaited step happens: a reminder makes nothing less overdue."""
        self.told.add(rung)
        self.timeliness = later(self.timeliness, timeliness)


def owed_by(status: ReferralStatus, dues: Mapping[str, object]) -> tuple[str, ...]:
    """The steps owed in a status, as far as they have a due date; for want of one, the completion."""
    steps = OWED.get(status, ())
    return tuple(step for step in steps if step in dues) or (("complete",) if steps else ())


def after_a_move(
    status: ReferralStatus, dues: Mapping[str, object], told: Iterable[str]
) -> tuple[set[str], Timeliness]:
    """What is still told, and how late the referral is by it. A pause is not late."""
    owed = owed_by(status, dues)
    kept = {rung for rung in told if rung.partition(".")[0] in owed}
    if status is ReferralStatus.ON_HOLD:
        return kept, Timeliness.ON_TIME
    return kept, later(*(SAID.get(rung.partition(".")[2], Timeliness.ON_TIME) for rung in kept))


def later(*found: Timeliness) -> Timeliness:
    return max(found, key=_ORDER.index, default=Timeliness.ON_TIME)
