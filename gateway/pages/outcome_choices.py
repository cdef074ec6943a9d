"""What a partner may answer on a page, for each kind of referral, as the table of payloads says.

See rule REFERRAL.OUTCOMES.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.kernel.vocabulary import ReferralKind, ReferralStatus, SignalType, TravelDocumentKind
from domain.referral.outcomes import OUTCOMES
from domain.signals.transitions import ALLOWED
from gateway.partner_access.task_links import CALLS

PAPERS: Final[Mapping[ReferralKind, tuple[str, ...]]] = {
    ReferralKind.TRAVEL_DOCUMENT: ("kind", "number", "expires_on"),
    ReferralKind.EXIT_PERMIT: ("permit_number", "expires_on"),
}
"""What is asked about a paper, by the names the answer's payload has for it."""

NUMBERED: Final[Mapping[ReferralKind, str]] = {
    ReferralKind.TRAVEL_DOCUMENT: "number",
    ReferralKind.EXIT_PERMIT: "permit_number",
}

TICKED: Final[Mapping[ReferralKind, tuple[str, ...]]] = {ReferralKind.CHILD_HANDOVER: ("id_checked",)}
"""What can be ticked beside an outcome, and is then true in its payload."""

ISSUES: Final = frozenset({"ISSUED", "GRANTED"})
"""Outcomes that bring a paper."""

ITS_DAY: Final[Mapping[ReferralKind, str]] = {ReferralKind.MEDICAL_ASSESSMENT: "examined_at"}
"""Kinds whose payload has a name for the day on which it was done."""

PAPER_KINDS: Final = (
    TravelDocumentKind.LAISSEZ_PASSER,
    TravelDocumentKind.EMERGENCY_TRAVEL_CERTIFICATE,
    TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER,
    TravelDocumentKind.PASSPORT,
)

LAST_WORDS: Final = frozenset({SignalType.COMPLETED, SignalType.REJECTED, SignalType.FAILED})
"""After one of these nothing can follow, and the link is used up."""

NO: Final = frozenset({SignalType.REJECTED, SignalType.FAILED})


@dataclass(frozen=True, slots=True)
class OutcomeChoice:
    """One thing to say: which signal, with which outcome. ``group`` is where it stands on the page."""

    signal: SignalType
    outcome: str | None
    group: str
    words: str
    """The key of its words: of the page's own, unless it has an outcome."""

    @property
    def value(self) -> str:
        return f"{self.signal}:{self.outcome}" if self.outcome else str(self.signal)


STATEMENTS: Final = (
    OutcomeChoice(SignalType.WITHDRAWAL_REPORTED, None, "always", "withdrawal"),
    OutcomeChoice(SignalType.CONCERN_REPORTED, None, "always", "concern"),
)
"""What may be said at any time, whatever has become of the referral (rule SIGNAL.STATEMENT)."""


def every(kind: ReferralKind) -> Iterator[OutcomeChoice]:
    """Everything that can be said about a kind of referral, whatever has been said before."""
    carried = OUTCOMES[kind].carried if kind not in CALLS else {}
    yield from _choices(SignalType.ACCEPTED, carried.get(SignalType.ACCEPTED) or (None,), "your_answer", "accept")
    yield from _choices(SignalType.REJECTED, carried.get(SignalType.REJECTED) or (None,), "your_answer", "reject")
    yield OutcomeChoice(SignalType.FAILED, None, "your_answer", "reject")
    yield OutcomeChoice(SignalType.STARTED, None, "your_answer", "start")
    yield from _choices(SignalType.PROGRESS, carried.get(SignalType.PROGRESS, ()), "not_yet", "not_yet")
    yield from _choices(SignalType.COMPLETED, carried.get(SignalType.COMPLETED, ()), "done", "done")
    yield from STATEMENTS


def fitting(kind: ReferralKind, status: ReferralStatus) -> Iterator[OutcomeChoice]:
    """What is worth offering at a status. No is a refusal before the work has begun, and a failure after."""
    for choice in every(kind):
        if choice in STATEMENTS or (status in ALLOWED[choice.signal] and not _other_no(choice.signal, status)):
            yield choice


def named(kind: ReferralKind | None, value: str) -> OutcomeChoice | None:
    """The choice a form came back with, offered now or a while ago. Without a kind: statements only."""
    return next((choice for choice in (every(kind) if kind else STATEMENTS) if choice.value == value), None)


def _choices(signal: SignalType, outcomes: Sequence[str | None], group: str, words: str) -> Iterator[OutcomeChoice]:
    for outcome in outcomes:
        yield OutcomeChoice(signal, outcome, group, words)


def _other_no(signal: SignalType, status: ReferralStatus) -> bool:
    return signal is SignalType.FAILED and status in ALLOWED[SignalType.REJECTED]
