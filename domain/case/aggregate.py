"""The case aggregate: phase, stages, holds, clearances, consents, referrals, seat and tasks.

A case has no single status (rule CASE.STATE): each part has its own. Every part that a rule reads can be rebuilt from
the public fields of the events, so that a case stays valid after its keys are destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.case.referral import Referral
from domain.kernel.aggregate import Aggregate
from domain.kernel.event import NEVER
from domain.kernel.person import Person
from domain.kernel.policy import NEWEST, Policy, policy_of
from domain.kernel.vocabulary import (
    TERMINAL,
    Block,
    ClearanceKind,
    ClearanceStatus,
    HoldType,
    LivingSituation,
    Phase,
    Priority,
    Purpose,
    ReferralKind,
    Stage,
    StageStatus,
)

ENDED = frozenset({StageStatus.COMPLETED, StageStatus.NOT_REQUIRED, StageStatus.ABANDONED})

ERASE_TASK = "erase personal data"


@dataclass(slots=True)
class StageState:
    """State of one stage. ``begun`` is the version at which it was last opened or reopened.

    Which event came first is decided by version, not by time: a message may be received just before a stage opens and
    be recorded just after.
    """

    status: StageStatus = StageStatus.NOT_STARTED
    since: datetime = NEVER
    opened: int = 0
    begun: int = 0


@dataclass(slots=True)
class Hold:
    """A hold on the case. Several may be active; lifting one lifts no other."""

    hold_id: UUID
    type: HoldType
    blocks: frozenset[Block]
    since: datetime
    review_by: datetime
    owner: str
    subtype: str | None = None
    version: int = 0
    """Version of the case at which it was placed."""


@dataclass(slots=True)
class Clearance:
    """A clearance. ``valid_until`` is inclusive to the second (UTC); ``None`` means until an event ends it."""

    kind: ClearanceKind
    status: ClearanceStatus
    since: datetime
    valid_from: datetime
    valid_until: datetime | None
    evidence: str
    cause: str = ""

    def valid_at(self, at: datetime) -> bool:
        return self.status is ClearanceStatus.VALID and (self.valid_until is None or at <= self.valid_until)


@dataclass(slots=True)
class Consent:
    given: bool
    since: datetime
    excluded: frozenset[str] = frozenset()


@dataclass(slots=True)
class Seat:
    """A place on a movement. ``std`` and ``sta`` are the scheduled departure and arrival (UTC)."""

    movement_id: UUID
    movement: str
    std: datetime
    sta: datetime
    destination: str
    country: str | None = None
    """Country of the destination, if the movement gives it."""
    since: datetime = NEVER
    version: int = 0
    """Version of the case at which it was reserved."""
    status: str = "RESERVED"
    frozen: bool = False


@dataclass(slots=True)
class Task:
    task_id: UUID
    task: str
    queue: str
    due: datetime
    since: datetime


@dataclass(slots=True)
class Case(Aggregate):
    """The aggregate root: one person's return, rebuilt from its events."""

    edition: str = ""
    policy_edition: str = NEWEST.edition
    country_of_return: str = ""
    country_since: int = 0
    """Version of the case at which the person chose a different country of return."""
    nationality_since: int = 0
    """Version of the case at which the person named a different nationality; 0 if never."""
    living_situation: LivingSituation = LivingSituation.OTHER
    person: Person | None = None
    priority: Priority = Priority.P4_STANDARD
    phase: Phase | None = None
    stages: dict[Stage, StageState] = field(default_factory=lambda: {stage: StageState() for stage in Stage})
    holds: dict[UUID, Hold] = field(default_factory=dict)
    clearances: dict[ClearanceKind, Clearance] = field(default_factory=dict)
    consents: dict[Purpose, Consent] = field(default_factory=dict)
    referrals: dict[UUID, Referral] = field(default_factory=dict)
    tasks: dict[UUID, Task] = field(default_factory=dict)
    seat: Seat | None = None
    nomination: tuple[UUID, str] | None = None
    """Id and number of the movement on which a seat was requested and is still pending."""
    displaced: int = 0
    no_shows: int = 0
    closed_at: datetime | None = None
    reopen_proposed: bool = False
    retention_told: bool = False
    doubts: dict[UUID, datetime] = field(default_factory=dict)
    """Quarantined messages that wait for a person's decision, by id (``domain.signals.unprocessable``)."""

    @property
    def policy(self) -> Policy:
        """The edition pinned when the case was opened; the edition in force is in the decision context."""
        return policy_of(self.policy_edition)

    @property
    def closed(self) -> bool:
        return self.phase is Phase.CLOSED

    @property
    def departed(self) -> bool:
        return self.phase in (Phase.TRANSIT, Phase.POST_ARRIVAL)

    @property
    def done(self) -> tuple[Stage, ...]:
        return tuple(stage for stage, state in self.stages.items() if state.status in ENDED)

    def is_open(self, stage: Stage) -> bool:
        return self.stages[stage].status in (StageStatus.OPEN, StageStatus.REOPENED)

    def has_clearance(self, kind: ClearanceKind, at: datetime) -> bool:
        clearance = self.clearances.get(kind)
        return clearance is not None and clearance.valid_at(at)

    def holds_of(self, hold_type: HoldType) -> list[Hold]:
        return [hold for hold in self.holds.values() if hold.type is hold_type]

    def consents_to(self, purpose: Purpose, partner_id: str = "") -> bool:
        consent = self.consents.get(purpose)
        return consent is not None and consent.given and partner_id not in consent.excluded

    def excluded_for(self, purpose: Purpose) -> frozenset[str]:
        """Returns the partners that the person excluded for a purpose."""
        consent = self.consents.get(purpose)
        return consent.excluded if consent else frozenset()

    def referrals_of(self, kind: ReferralKind, since: int = 0) -> list[Referral]:
        """Returns the referrals of a public kind made after a version of the case, oldest first."""
        return [found for found in self.referrals.values() if found.kind is kind and found.version > since]

    def open_referrals(self) -> Iterator[Referral]:
        return (referral for referral in self.referrals.values() if referral.status not in TERMINAL)

    def referral_with(self, token: str) -> Referral | None:
        return next((referral for referral in self.referrals.values() if referral.token == token), None)


BEFORE_DEPARTURE: Final = (Stage.SCREENING, Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS)


def set_seat_status(case: Case, status: str) -> None:
    if case.seat is not None:
        case.seat.status = status


def waits_for_seat_on(case: Case, movement_id: UUID) -> bool:
    """Returns whether a request for a seat on that movement is pending."""
    return case.nomination is not None and case.nomination[0] == movement_id


def seat_on(case: Case, movement_id: UUID) -> Seat | None:
    return case.seat if case.seat is not None and case.seat.movement_id == movement_id else None
