"""The answers that a page offers for each kind of referral, from the table of outcomes (rule REFERRAL.OUTCOMES)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from domain.kernel.vocabulary import ReferralKind, ReferralStatus, SignalType, TravelDocumentKind
from domain.referral.outcomes import OUTCOMES
from domain.signals.transitions import ALLOWED
from gateway.partner_access.task_links import CALLS

DOCUMENT_FIELDS: Final[Mapping[ReferralKind, tuple[str, ...]]] = {
    ReferralKind.TRAVEL_DOCUMENT: ("kind", "number", "expires_on"),
    ReferralKind.EXIT_PERMIT: ("permit_number", "expires_on"),
}
"""The fields that describe an issued document, by their names in the payload."""

NUMBER_FIELD: Final[Mapping[ReferralKind, str]] = {
    ReferralKind.TRAVEL_DOCUMENT: "number",
    ReferralKind.EXIT_PERMIT: "permit_number",
}
"""The field with the number of the document."""

CHECKBOXES: Final[Mapping[ReferralKind, tuple[str, ...]]] = {ReferralKind.CHILD_HANDOVER: ("id_checked",)}
"""Checkboxes beside an outcome. A ticked one is ``true`` in the payload."""

ISSUING: Final = frozenset({"ISSUED", "GRANTED"})
"""Outcomes with which a document is issued."""

DAY_FIELD: Final[Mapping[ReferralKind, str]] = {ReferralKind.MEDICAL_ASSESSMENT: "examined_at"}
"""The payload field for the date of the answer, for kinds that have one."""

DOCUMENT_KINDS: Final = (
    TravelDocumentKind.LAISSEZ_PASSER,
    TravelDocumentKind.EMERGENCY_TRAVEL_CERTIFICATE,
    TravelDocumentKind.COLLECTIVE_LAISSEZ_PASSER,
    TravelDocumentKind.PASSPORT,
)

FINAL_SIGNALS: Final = frozenset({SignalType.COMPLETED, SignalType.REJECTED, SignalType.FAILED})
"""No answer can follow one of these, so the link can no longer be used."""

NEGATIVE_SIGNALS: Final = frozenset({SignalType.REJECTED, SignalType.FAILED})


@dataclass(frozen=True, slots=True)
class OutcomeChoice:
    """One answer on a page: its signal and outcome. ``group`` is the part of the page that lists it."""

    signal: SignalType
    outcome: str | None
    group: str
    text_key: str
    """The key of its text, unless it has an outcome, whose text is used then."""

    @property
    def value(self) -> str:
        return f"{self.signal}:{self.outcome}" if self.outcome else str(self.signal)


STATEMENTS: Final = (
    OutcomeChoice(SignalType.WITHDRAWAL_REPORTED, None, "always", "withdrawal"),
    OutcomeChoice(SignalType.CONCERN_REPORTED, None, "always", "concern"),
)
"""Statements that are accepted at any time, whatever the status of the referral (rule SIGNAL.STATEMENT)."""


def every(kind: ReferralKind) -> Iterator[OutcomeChoice]:
    """Yields every answer for a kind of referral, whatever its status."""
    by_signal = OUTCOMES[kind].by_signal if kind not in CALLS else {}
    yield from _choices(SignalType.ACCEPTED, by_signal.get(SignalType.ACCEPTED) or (None,), "your_answer", "accept")
    yield from _choices(SignalType.REJECTED, by_signal.get(SignalType.REJECTED) or (None,), "your_answer", "reject")
    yield OutcomeChoice(SignalType.FAILED, None, "your_answer", "reject")
    yield OutcomeChoice(SignalType.STARTED, None, "your_answer", "start")
    yield from _choices(SignalType.PROGRESS, by_signal.get(SignalType.PROGRESS, ()), "not_yet", "not_yet")
    yield from _choices(SignalType.COMPLETED, by_signal.get(SignalType.COMPLETED, ()), "done", "done")
    yield from STATEMENTS


def fitting(kind: ReferralKind, status: ReferralStatus) -> Iterator[OutcomeChoice]:
    """Yields the answers to offer at a status. "Not possible" is a rejection before the work starts, else a failure."""
    for choice in every(kind):
        if choice in STATEMENTS or (status in ALLOWED[choice.signal] and not _is_rejection(choice.signal, status)):
            yield choice


def named(kind: ReferralKind | None, value: str) -> OutcomeChoice | None:
    """Returns the choice with this form value, offered now or earlier. Without a kind, only statements are found."""
    return next((choice for choice in (every(kind) if kind else STATEMENTS) if choice.value == value), None)


def _choices(signal: SignalType, outcomes: Sequence[str | None], group: str, text_key: str) -> Iterator[OutcomeChoice]:
    for outcome in outcomes:
        yield OutcomeChoice(signal, outcome, group, text_key)


def _is_rejection(signal: SignalType, status: ReferralStatus) -> bool:
    """Returns whether a failure would be a rejection at this status, so that only the rejection is offered."""
    return signal is SignalType.FAILED and status in ALLOWED[SignalType.REJECTED]
