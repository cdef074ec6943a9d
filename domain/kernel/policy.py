"""The policy: every number of the programme (deadlines, validity windows, ceilings), versioned. Rules contain none.

There are two kinds (rule POLICY.PINNED_AND_IN_FORCE). *Pinned* numbers (deadlines, ceilings) are fixed when a case is
opened: it keeps the edition of that day. Numbers *in force* (validity windows, gate rules) protect safety and are
always read from the newest edition. A published edition is never edited; a change is a new edition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Final

from domain.kernel.vocabulary import PUBLIC_KIND, HoldType
from domain.kernel.vocabulary import ClearanceKind as Clearance
from domain.kernel.vocabulary import ReferralKind as Kind
from domain.kernel.working_time import Span, days, hours, minutes, working_days


@dataclass(frozen=True)
class ResponseTimes:
    """How long a partner has for each step, counted from sending, and how long a request stays open.

    Without ``start`` the partner need not report that work has begun. With ``life`` a life may depend on the answer:
    deadlines count clock hours, and a missing answer is escalated to the highest level.

    See rules ESCALATION.RESPONSE_TIMES, ESCALATION.LADDER.
    """

    ack: Span
    accept: Span
    start: Span | None
    complete: Span
    stands: Span
    life: bool = False

    def spans(self) -> Mapping[str, Span]:
        """Returns the timers that apply, by name."""
        named = {name: getattr(self, name) for name in ("ack", "accept", "start", "complete", "stands")}
        return {name: span for name, span in named.items() if span is not None}


@dataclass(frozen=True)
class Pinned:
    """Numbers that a case or referral keeps from the day it was opened."""

    answers: Mapping[Kind, ResponseTimes]
    urgent: Mapping[Kind, ResponseTimes]
    """Shorter response times for urgent referrals."""
    longer: Mapping[Kind, Mapping[str, Span]]
    """Outcomes that extend the completion date, and by how much from the day of the answer."""
    escalations: Mapping[str, Span]
    """Time between a missed due date and each escalation level (rule ESCALATION.LADDER)."""
    urgent_first_escalation: Span
    life_escalations: Mapping[str, Span]
    """The same where a life is at risk, in clock hours."""
    digest_at: time
    """When the daily digest of escalations above the first level is sent (local time in Libya)."""
    batch_at: time
    """When embassies and authorities receive the daily letters, which include cancellations (local time in Libya)."""
    reintegration_ceiling_eur: int
    immediate_cash_eur: int
    reopen_window: Span
    retention: Span
    quarantine_review: Span
    referral_review: Span
    """Interval at which a paused or unanswered referral is reviewed."""
    late_result_review: Span
    withdrawal_contact: Span

    def answer(self, kind: Kind, *, urgent: bool) -> ResponseTimes:
        """Returns the response times of a public kind; a deadline of its own would reveal the true kind."""
        public = PUBLIC_KIND.get(kind, kind)
        return (self.urgent.get(public) if urgent else None) or self.answers[public]


@dataclass(frozen=True)
class InForce:
    """Numbers that protect safety; they apply to every case, whichever edition it was opened under."""

    validity: Mapping[Clearance, Span | None]
    """Validity of each clearance; ``None`` means until an event ends it."""
    reaffirmation: Span
    fit_to_travel_from: Span
    fit_to_travel_until: Span
    document_margin: Span
    two_interviews_apart: Span
    screening_stale: Span
    hold_review: Mapping[HoldType, Span]
    reception_opens: Span
    freeze: Span
    onward_sleep: Span
    task_link: Span
    """How long a task link can be opened."""
    task_link_tries: int
    """Number of wrong codes after which a task link is closed."""
    contact: Span
    """Time within which a callback request must be answered."""
    evidence_bytes: int
    """Maximum size of an attached file in bytes."""
    evidence_types: tuple[str, ...]
    """Accepted media types of attached files."""
    sheet_bytes: int
    sheet_rows: int
    clock_ahead: Span
    """How far a partner's clock may be ahead before the difference is recorded (rule SIGNAL.CLOCK)."""
    backdated: Span
    """How old a reported time may be before the difference is recorded."""
    iom_line: str
    """The telephone line given to embassies (E.164); a fictitious number until the programme sets its own."""


@dataclass(frozen=True)
class Policy:
    edition: str
    pinned: Pinned
    in_force: InForce


_ANSWERS: Final[Mapping[Kind, ResponseTimes]] = {
    #                                        acknowledge       accept            begin    complete          stands
    Kind.PROTECTION_ASSISTANCE:       ResponseTimes(hours(72),        working_days(5),  days(14), days(30),
    days(60)),
    Kind.CHILD_BIA:                   ResponseTimes(hours(24),        hours(72),        days(7),  days(14),
    days(45)),
    Kind.GUARDIANSHIP:                ResponseTimes(hours(72),        working_days(5),  None,     working_days(10),
    days(45)),
    Kind.FAMILY_TRACING:              ResponseTimes(working_days(3),  working_days(5),  days(14), days(30),
    days(90)),
    Kind.FAMILY_ASSESSMENT:           ResponseTimes(working_days(3),  working_days(5),  days(10), days(21),
    days(60)),
    Kind.BID_PANEL:                   ResponseTimes(working_days(3),  working_days(5),  None,     days(30),
    days(60)),
    Kind.HEALTH_SERVICE:              ResponseTimes(working_days(5),  working_days(7),  days(14), days(30),
    days(60)),
    Kind.SHELTER_DIRECT_ASSISTANCE:   ResponseTimes(hours(4),         hours(8),         None,     hours(24),
    days(7)),
    Kind.LEGAL_ASSISTANCE:            ResponseTimes(working_days(3),  working_days(5),  None,     days(30),
    days(60)),
    Kind.COMMUNITY_LIAISON:           ResponseTimes(working_days(2),  working_days(5),  None,     working_days(10),
    days(30)),
    Kind.DETENTION_RELEASE:           ResponseTimes(working_days(3),  working_days(5),  None,     working_days(10),
    days(45)),
    Kind.MEDICAL_ASSESSMENT:          ResponseTimes(working_days(2),  working_days(4),  None,     working_days(10),
    days(45)),
    Kind.FIT_TO_TRAVEL:               ResponseTimes(hours(24),        hours(48),        None,     hours(66),
    days(5)),
    Kind.AIRLINE_MEDICAL:             ResponseTimes(hours(24),        hours(48),        None,     hours(72),
    days(14)),
    Kind.MEDICAL_EVACUATION:          ResponseTimes(hours(2),         hours(12),        hours(24), hours(72),
    days(14)),
    Kind.CONSULAR_IDENTITY:           ResponseTimes(working_days(3),  working_days(5),  days(14), days(24),
    days(75)),
    Kind.TRAVEL_DOCUMENT:             ResponseTimes(working_days(3),  working_days(5),  None,     working_days(10),
    days(60)),
    Kind.EXIT_PERMIT:                 ResponseTimes(working_days(3),  working_days(5),  None,     working_days(7),
    days(45)),
    Kind.MOVEMENT_BOOKING:            ResponseTimes(hours(24),        hours(48),        None,     working_days(3),
    days(14)),
    Kind.ESCORT:                      ResponseTimes(working_days(2),  working_days(5),  None,     days(21),
    days(45)),
    Kind.TRANSIT_ASSISTANCE:          ResponseTimes(working_days(2),  working_days(3),  None,     days(21),
    days(45)),
    Kind.RECEPTION:                   ResponseTimes(working_days(2),  working_days(5),  None,     days(30),
    days(90)),
    Kind.MEDICAL_HANDOVER:            ResponseTimes(working_days(2),  working_days(5),  None,     days(21),
    days(60)),
    Kind.CHILD_HANDOVER:              ResponseTimes(working_days(2),  working_days(5),  None,     days(21),
    days(60)),
    Kind.REINTEGRATION_COUNSELLING:   ResponseTimes(working_days(5),  working_days(7),  None,     days(14),
    days(90)),
    Kind.REINTEGRATION_SERVICE:       ResponseTimes(working_days(5),  working_days(10), days(30), days(180),
    days(365)),
    Kind.PROCUREMENT:                 ResponseTimes(working_days(3),  working_days(5),  None,     days(30),
    days(120)),
}  # fmt: skip
"""Response times by public kind: kinds that share a public name share a deadline, so that it reveals nothing."""

_URGENT: Final[Mapping[Kind, ResponseTimes]] = {
    Kind.PROTECTION_ASSISTANCE:       ResponseTimes(hours(4),  hours(8),  hours(24), days(7),   days(30), life=True),
    Kind.CHILD_BIA:                   ResponseTimes(hours(24), hours(48), hours(72), days(7),   days(30), life=True),
    Kind.HEALTH_SERVICE:              ResponseTimes(hours(4),  hours(8),  hours(24), hours(72), days(14), life=True),
    Kind.SHELTER_DIRECT_ASSISTANCE:   ResponseTimes(hours(2),  hours(4),  None,      hours(24), days(7),  life=True),
    Kind.MEDICAL_EVACUATION:          ResponseTimes(hours(2),  hours(12), hours(24), hours(72), days(14), life=True),
    Kind.MEDICAL_ASSESSMENT:          ResponseTimes(working_days(1), working_days(2), None, working_days(3), days(30)),
    Kind.REINTEGRATION_COUNSELLING:   ResponseTimes(working_days(2), working_days(3), None, days(7), days(60)),
}  # fmt: skip

_2026_1: Final = Policy(
    edition="2026-1",
    pinned=Pinned(
        answers=_ANSWERS,
        urgent=_URGENT,
        longer={Kind.CONSULAR_IDENTITY: {"VERIFICATION_IN_CAPITAL": days(45)}},
        escalations={"L1": working_days(3), "L2": working_days(5), "L3": working_days(10)},
        urgent_first_escalation=working_days(1),
        life_escalations={"L1": hours(4), "L2": hours(24), "L3": hours(48)},
        digest_at=time(9, 0),
        batch_at=time(12, 0),
        reintegration_ceiling_eur=1200,
        immediate_cash_eur=65,
        reopen_window=days(365),
        retention=days(5 * 365),
        quarantine_review=working_days(2),
        referral_review=days(14),
        late_result_review=hours(4),
        withdrawal_contact=hours(24),
    ),
    in_force=InForce(
        validity={
            Clearance.CONSENT_RETURN: days(180),
            Clearance.PROTECTION_CLEARANCE: days(90),
            Clearance.SAFETY_OF_RETURN: None,
            Clearance.MEDICAL_ASSESSMENT: days(90),
            Clearance.FIT_TO_TRAVEL: hours(72),
            Clearance.AIRLINE_MEDICAL: days(14),
            Clearance.TRAVEL_DOCUMENT: days(30),
            Clearance.EXIT_PERMIT: days(30),
            Clearance.RELEASE_AUTHORISATION: days(14),
            Clearance.CHILD_BEST_INTERESTS: days(90),
            Clearance.RECEPTION_CONFIRMED: None,
            Clearance.ESCORT_ASSIGNED: None,
            Clearance.FUNDING_ALLOCATED: None,
        },
        reaffirmation=hours(72),
        fit_to_travel_from=hours(72),
        fit_to_travel_until=hours(6),
        document_margin=days(1),
        two_interviews_apart=hours(24),
        screening_stale=days(90),
        hold_review={
            **dict.fromkeys(HoldType, days(7)),
            HoldType.SAFETY: days(14),
            HoldType.LEGAL: days(14),
            HoldType.CONTACT_LOST: days(14),
        },
        reception_opens=days(14),
        freeze=hours(48),
        onward_sleep=hours(48),
        task_link=days(7),
        task_link_tries=5,
        contact=working_days(1),
        evidence_bytes=20_000_000,
        evidence_types=("application/pdf", "image/jpeg", "image/png", "image/tiff"),
        sheet_bytes=4_000_000,
        sheet_rows=1_000,
        clock_ahead=minutes(5),
        backdated=days(30),
        iom_line="+218000000000",
    ),
)

POLICIES: Final[Mapping[str, Policy]] = {_2026_1.edition: _2026_1}

NEWEST: Final = _2026_1


def policy_of(edition: str) -> Policy:
    """Returns a published edition. A ``KeyError`` is a defect: published editions are never removed."""
    return POLICIES[edition]
