"""Where one referral stands: status, timeliness, what is awaited and until when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.words import TERMINAL, ReferralKind, ReferralStatus, Timeliness


@dataclass(slots=True)
class Referral:
    """One request to one partner, from draft to its end.

    ``kind`` is public; ``true_kind`` is the sealed one where they differ (``None`` without the compartment).
    ``dues`` are the pinned due dates (UTC) of each awaited step; ``told`` the reminders and escalations already given.
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
    told: set[str] = field(default_factory=set)
    outcome: str | None = None
    outcome_version: int = 0
    last_seq: int | None = None
    completed_by: UUID | None = None
    disputed: dict[UUID, datetime] = field(default_factory=dict)
    replaces: UUID | None = None
    item: str | None = None
    paused_since: datetime | None = None

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def asked_kind(self) -> ReferralKind:
        """The kind the partner was really asked for."""
        return self.true_kind or self.kind

    @property
    def awaited(self) -> str | None:
        """The step the partner owes: ``ack``, ``complete``, or nothing (a draft, a pause, the end)."""
        if self.over or self.status is ReferralStatus.DRAFT or self.status is ReferralStatus.ON_HOLD:
            return None
        return "ack" if self.status is ReferralStatus.SENT else "complete"
