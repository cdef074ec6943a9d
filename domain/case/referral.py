"""A referral: status, timeliness, and the steps that the partner owes with their due dates."""

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
"""Steps that a partner owes in each status. The completion is owed even if the start was never reported."""

SAID: Final[Mapping[str, Timeliness]] = {
    "reminder-50": Timeliness.REMINDED,
    "overdue": Timeliness.OVERDUE,
    "reminder-100": Timeliness.REMINDED,
    "L1": Timeliness.ESCALATED_L1,
    "L2": Timeliness.ESCALATED_L2,
    "L3": Timeliness.ESCALATED_L3,
}
"""Timeliness of a referral after each escalation step. Steps after the levels do not change it."""

_ORDER: Final = list(Timeliness)


@dataclass(slots=True)
class Referral:
    """One request to one partner, from draft to its end.

    ``kind`` is public; ``true_kind`` is the sealed kind where they differ (``None`` without the compartment).
    ``dues`` are the due dates (UTC) of each step and of the request; those in ``put_off`` were extended on purpose.
    ``told`` are the escalation steps already recorded for the steps still owed.
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
    """Since when the partner owes the current step (UTC)."""
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
    """Whether the delivery of the request failed."""
    known: bool = False
    """Whether the partner is known to have received it, because it responded or a person delivered it by hand."""
    by_rule: bool = False
    """Ended by a rule, not by staff: it may be requested again automatically."""
    tell_end_at: datetime | None = None
    """When the partner is notified of the end, with the next daily letters (UTC)."""
    version: int = 0
    """Version of the case at which it was created."""

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def asked_kind(self) -> ReferralKind:
        """The true kind of the request."""
        return self.true_kind or self.kind

    @property
    def owed(self) -> tuple[str, ...]:
        """The steps that the partner owes now, in order; after a pause, those owed before it."""
        return owed_by(self.status, self.dues)

    @property
    def awaited(self) -> str | None:
        """The step owed next; ``None`` for a draft, during a pause and after the end."""
        return None if self.status is ReferralStatus.ON_HOLD else next(iter(self.owed), None)

    @property
    def overdue(self) -> bool:
        return _ORDER.index(self.timeliness) >= _ORDER.index(Timeliness.OVERDUE)

    def dues_after(self, at: datetime) -> dict[str, datetime]:
        """Returns the due dates after a pause, extended by its length."""
        pause = at - (self.paused_since or at)
        return {name: self.dues[name] + pause for name in ("complete", "stands") if name in self.dues}

    def move(self, at: datetime, to: ReferralStatus, dues: Mapping[str, datetime] | None = None) -> None:
        """Changes the status. Escalation steps recorded for a step that is still owed are kept and not repeated."""
        self.status, self.moved_at = to, at
        self.put_off_to(dues or {})
        self.told, self.timeliness = after_a_move(self.status, self.dues, self.told)

    def is_known(self) -> None:
        """Notes that the partner has received the request, whatever the delivery says."""
        self.known, self.undelivered = True, False

    def put_off_to(self, dues: Mapping[str, datetime]) -> None:
        self.dues |= dues
        self.put_off |= dues.keys()

    def tell(self, rung: str, timeliness: Timeliness) -> None:
        """Records an escalation step. Timeliness only worsens until the awaited step happens."""
        self.told.add(rung)
        self.timeliness = later(self.timeliness, timeliness)


def owed_by(status: ReferralStatus, dues: Mapping[str, object]) -> tuple[str, ...]:
    """Returns the steps owed in a status that have a due date, or the completion if none has."""
    steps = OWED.get(status, ())
    return tuple(step for step in steps if step in dues) or (("complete",) if steps else ())


def after_a_move(
    status: ReferralStatus, dues: Mapping[str, object], told: Iterable[str]
) -> tuple[set[str], Timeliness]:
    """Returns the escalation steps that still apply, and the resulting timeliness. A pause is not late."""
    owed = owed_by(status, dues)
    kept = {rung for rung in told if rung.partition(".")[0] in owed}
    if status is ReferralStatus.ON_HOLD:
        return kept, Timeliness.ON_TIME
    return kept, later(*(SAID.get(rung.partition(".")[2], Timeliness.ON_TIME) for rung in kept))


def later(*found: Timeliness) -> Timeliness:
    return max(found, key=_ORDER.index, default=Timeliness.ON_TIME)
