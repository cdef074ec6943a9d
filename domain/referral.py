"""The referral's closed loop: who may move it, what a signal means, and what happens to one that means nothing.

A partner may only be able to say accept, reject and done: missing steps are inferred. Signals come twice, late, out
of order and contradictory: each ends as applied, ignored with a reason, late, or quarantined (domain.md 5).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

from pydantic import AwareDatetime

from domain.calendar import calendar_of
from domain.case import Case, CaseReopenProposed, Clearance, RestrictedFactRecorded
from domain.event import Compartment, Event, Sealed
from domain.evidence import on_behalf
from domain.messages import (
    CancelReferral,
    ConfirmReferralExpiry,
    CreateReferral,
    MarkReferralEnteredInError,
    ReassignReferral,
    ReceivePartnerSignal,
    ResolveQuarantinedSignal,
    SendReferral,
)
from domain.moment import Moment, Refused, Unplaceable
from domain.partner import MAY_SEE, PUBLIC_PURPOSE, RECIPIENT_OF, minimum_data, purpose_of, stopped_by
from domain.referral_state import Referral
from domain.steps import hold, revoke, task
from domain.words import (
    PUBLIC_KIND,
    STATEMENTS,
    TERMINAL,
    ClearanceKind,
    HoldType,
    ReferralKind,
    ReferralStatus,
    SignalType,
    Timeliness,
)

S = ReferralStatus
T = SignalType
K = ReferralKind

CARE_KINDS: Final = frozenset({K.MEDICAL_ASSESSMENT, K.SPECIALIST_CARE, K.FIT_TO_TRAVEL, K.MHPSS, K.MEDICAL_EVACUATION})
SHELTERED_KINDS: Final = frozenset(
    {K.PROTECTION_ASSISTANCE, K.VOT_ASSISTANCE, K.GBV_SERVICES, K.UNHCR_ASYLUM, K.SAFETY_ASSESSMENT}
    | {K.PROTECTION_HANDOVER, K.CHILD_BIA, K.BID_PANEL, K.FAMILY_ASSESSMENT, K.FAMILY_TRACING}
)
"""Kinds whose very outcome is sealed: medical secrets, and what protection partners say."""


# What a partner told, outside the eyes of those who need not know


class Told(Event):
    """Base of events that carry a partner's answer: public where it may be, sealed where it must be."""

    TOPIC: ClassVar[str] = ""

    referral_id: UUID
    kind: ReferralKind
    signal_id: UUID
    outcome_code: str | None = None
    answer: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    care_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.MED)] = None
    protection_answer: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def told(self) -> dict[str, Any]:
        """What was answered, as far as this reader may know."""
        return self.answer or self.care_answer or self.protection_answer or {}

    @property
    def outcome(self) -> str | None:
        return self.outcome_code or self.told.get("outcome_code")

    def say(self) -> str:
        return self.SENTENCE.format(kind=self.kind, outcome=self.outcome or "outcome sealed")


def _told(referral: Referral, signal: ReceivePartnerSignal) -> dict[str, Any]:
    """The fields of an answer, put where this kind of referral keeps them."""
    kind, answer = referral.asked_kind, {"payload": signal.payload, "reason": signal.reason}
    base: dict[str, Any] = {"referral_id": referral.referral_id, "kind": referral.kind, "signal_id": signal.signal_id}
    if kind in CARE_KINDS:
        return {**base, "care_answer": {**answer, "outcome_code": signal.outcome_code}}
    if kind in SHELTERED_KINDS:
        return {**base, "protection_answer": {**answer, "outcome_code": signal.outcome_code}}
    return {**base, "outcome_code": signal.outcome_code, "answer": answer}


# Facts


class ReferralCreated(Event):
    TOPIC: ClassVar[str] = "ReferralCreated"
    SENTENCE: ClassVar[str] = "Referral for {kind} prepared for {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    urgent: bool = False
    replaces: UUID | None = None
    item: str | None = None
    true_kind: Annotated[ReferralKind | None, Sealed(Compartment.PROT)] = None

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id] = Referral(
            self.referral_id,
            self.kind,
            self.true_kind,
            self.partner_id,
            "",
            self.timestamp,
            self.urgent,
            replaces=self.replaces,
            item=self.item,
        )


class ReferralSent(Event):
    TOPIC: ClassVar[str] = "ReferralSent"
    SENTENCE: ClassVar[str] = "Referral for {kind} sent to {partner_id}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    token: str
    dues: dict[str, AwareDatetime]

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.status, referral.token = S.SENT, self.token
        referral.sent_at = referral.moved_at = self.timestamp
        referral.dues = dict(self.dues)


class DisclosureRecorded(Event):
    """Personal data left the programme: to whom, which fields, on which consent."""

    TOPIC: ClassVar[str] = "DisclosureRecorded"
    SENTENCE: ClassVar[str] = "Told {recipient}: {fields}; on the consent {consent}."

    recipient: str
    fields: tuple[str, ...]
    consent: str
    direction: str = "OUT"
    referral_id: UUID | None = None


class ReferralDeliveryFailed(Event):
    TOPIC: ClassVar[str] = "ReferralDeliveryFailed"
    SENTENCE: ClassVar[str] = "The referral could not be delivered to {partner_id}."

    referral_id: UUID
    partner_id: str


class _Moved(Event):
    """Base of facts that move a referral to a status."""

    TOPIC: ClassVar[str] = ""
    TO: ClassVar[ReferralStatus | None] = None

    referral_id: UUID

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        if self.TO is not None:
            referral.status = self.TO
        _on_time(referral, self.timestamp)


class ReferralAcknowledged(_Moved):
    TOPIC: ClassVar[str] = "ReferralAcknowledged"
    SENTENCE: ClassVar[str] = "{kind}: the partner has received the referral."
    TO: ClassVar[ReferralStatus | None] = S.ACKNOWLEDGED

    kind: ReferralKind
    signal_id: UUID


class ReferralAccepted(Told):
    TOPIC: ClassVar[str] = "ReferralAccepted"
    SENTENCE: ClassVar[str] = "{kind}: accepted by the partner."

    def change(self, case: Case) -> None:
        _move(case, self, S.ACCEPTED)


class ReferralStarted(Told):
    TOPIC: ClassVar[str] = "ReferralStarted"
    SENTENCE: ClassVar[str] = "{kind}: the partner has begun."

    def change(self, case: Case) -> None:
        _move(case, self, S.IN_PROGRESS)


class ReferralProgressReported(Told):
    TOPIC: ClassVar[str] = "ReferralProgressReported"
    SENTENCE: ClassVar[str] = "{kind}: progress reported ({outcome})."

    partner_seq: int | None = None

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.last_seq = self.partner_seq if self.partner_seq is not None else referral.last_seq


class ReferralPaused(Told):
    TOPIC: ClassVar[str] = "ReferralPaused"
    SENTENCE: ClassVar[str] = "{kind}: paused by the partner."

    def change(self, case: Case) -> None:
        _move(case, self, S.ON_HOLD)
        case.referrals[self.referral_id].paused_since = self.timestamp


class ReferralResumed(Told):
    TOPIC: ClassVar[str] = "ReferralResumed"
    SENTENCE: ClassVar[str] = "{kind}: taken up again."

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        _move(case, self, S.IN_PROGRESS)
        if referral.paused_since is not None:
            pause = self.timestamp - referral.paused_since
            referral.dues = {name: due + pause for name, due in referral.dues.items()}
            referral.paused_since = None


class ReferralCompleted(Told):
    TOPIC: ClassVar[str] = "ReferralCompleted"
    SENTENCE: ClassVar[str] = "{kind}: completed ({outcome})."

    inferred_steps: tuple[str, ...] = ()

    def change(self, case: Case) -> None:
        _move(case, self, S.COMPLETED)
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version, referral.completed_by = self.outcome, 1, self.signal_id


class ReferralRejected(Told):
    TOPIC: ClassVar[str] = "ReferralRejected"
    SENTENCE: ClassVar[str] = "{kind}: the partner said no."

    def change(self, case: Case) -> None:
        _move(case, self, S.REJECTED)


class ReferralFailed(Told):
    TOPIC: ClassVar[str] = "ReferralFailed"
    SENTENCE: ClassVar[str] = "{kind}: the partner could not do it."

    def change(self, case: Case) -> None:
        _move(case, self, S.FAILED)


class ReferralOutcomeAmended(Told):
    TOPIC: ClassVar[str] = "ReferralOutcomeAmended"
    SENTENCE: ClassVar[str] = "{kind}: the outcome was amended ({outcome})."

    approved_by: str

    def change(self, case: Case) -> None:
        referral = case.referrals[self.referral_id]
        referral.outcome, referral.outcome_version = self.outcome, referral.outcome_version + 1
        referral.completed_by = self.signal_id


class ReferralCancelled(_Moved):
    """Ended by us. The reason told outside is neutral; the real one is sealed."""

    TOPIC: ClassVar[str] = "ReferralCancelled"
    SENTENCE: ClassVar[str] = "{kind}: cancelled ({reason_external})."
    TO: ClassVar[ReferralStatus | None] = S.CANCELLED

    kind: ReferralKind
    reason_external: str = "CASE_NOT_PROCEEDING"
    reason_internal: Annotated[str | None, Sealed(Compartment.PROT)] = None


class ReferralCancellationNotified(Event):
    TOPIC: ClassVar[str] = "ReferralCancellationNotified"
    SENTENCE: ClassVar[str] = "The partner is told that the referral for {kind} has ended."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    reason: str


class ReferralExpired(_Moved):
    TOPIC: ClassVar[str] = "ReferralExpired"
    SENTENCE: ClassVar[str] = "{kind}: expired without an answer, confirmed by {confirmed_by}."
    TO: ClassVar[ReferralStatus | None] = S.EXPIRED

    kind: ReferralKind
    confirmed_by: str


class ReferralReassigned(Event):
    TOPIC: ClassVar[str] = "ReferralReassigned"
    SENTENCE: ClassVar[str] = "{kind}: given to {partner_id} instead."

    referral_id: UUID
    new_id: UUID
    kind: ReferralKind
    partner_id: str


class ReferralEnteredInError(_Moved):
    TOPIC: ClassVar[str] = "ReferralEnteredInError"
    SENTENCE: ClassVar[str] = "{kind}: entered in error."
    TO: ClassVar[ReferralStatus | None] = S.ENTERED_IN_ERROR

    kind: ReferralKind
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ReferralReminderSent(Event):
    TOPIC: ClassVar[str] = "ReferralReminderSent"
    SENTENCE: ClassVar[str] = "{kind}: reminder sent to {partner_id} ({step} due {due})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    step: str
    due: AwareDatetime
    rung: str

    def change(self, case: Case) -> None:
        _tell(case, self.referral_id, self.rung, Timeliness.REMINDED)


class ReferralOverdue(Event):
    TOPIC: ClassVar[str] = "ReferralOverdue"
    SENTENCE: ClassVar[str] = "{kind}: {which_due} by {partner_id} is overdue since {due}."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    which_due: str
    due: AwareDatetime
    rung: str

    def change(self, case: Case) -> None:
        _tell(case, self.referral_id, self.rung, Timeliness.OVERDUE)


ESCALATED_TO: Final[Mapping[str, str]] = {
    "L1": "CASE_SUPERVISOR",
    "L2": "PROGRAMME_MANAGER",
    "L3": "CHIEF_OF_MISSION",
}


class ReferralEscalated(Event):
    TOPIC: ClassVar[str] = "ReferralEscalated"
    SENTENCE: ClassVar[str] = "{kind}: still no answer from {partner_id}; escalated to {to} ({level})."

    referral_id: UUID
    kind: ReferralKind
    partner_id: str
    level: str
    to: str
    rung: str

    def change(self, case: Case) -> None:
        _tell(case, self.referral_id, self.rung, Timeliness[f"ESCALATED_{self.level}"])


class PartnerSignalIgnored(Event):
    TOPIC: ClassVar[str] = "PartnerSignalIgnored"
    SENTENCE: ClassVar[str] = "A signal ({signal_type}) from {partner_id} changed nothing: {cause}."

    signal_id: UUID
    referral_id: UUID
    partner_id: str
    signal_type: SignalType
    cause: str


class PartnerSignalQuarantined(Told):
    """A signal in doubt waits for a person. Until then it counts against travelling, never for it."""

    TOPIC: ClassVar[str] = "PartnerSignalQuarantined"
    SENTENCE: ClassVar[str] = "{kind}: a signal contradicts what is recorded and waits for a person ({outcome})."

    cause: str
    partner_id: str
    signal_type: SignalType

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed[self.signal_id] = self.timestamp


class QuarantinedSignalResolved(Event):
    TOPIC: ClassVar[str] = "QuarantinedSignalResolved"
    SENTENCE: ClassVar[str] = "The doubtful signal was resolved: {decision}."

    signal_id: UUID
    referral_id: UUID
    decision: str
    reason: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def change(self, case: Case) -> None:
        case.referrals[self.referral_id].disputed.pop(self.signal_id, None)


class LateSignalRecorded(Told):
    TOPIC: ClassVar[str] = "LateSignalRecorded"
    SENTENCE: ClassVar[str] = "{kind}: a signal came too late to change anything ({outcome})."

    disposition: str
    partner_id: str
    signal_type: SignalType


def _move(case: Case, event: Told, to: ReferralStatus) -> None:
    referral = case.referrals[event.referral_id]
    referral.status = to
    _on_time(referral, event.timestamp)


def _on_time(referral: Referral, at: datetime) -> None:
    """The partner moved. What was told about a step it still owes is not told again."""
    referral.timeliness, referral.moved_at = Timeliness.ON_TIME, at
    referral.told = {rung for rung in referral.told if rung.startswith(f"{referral.awaited}.")}


def _tell(case: Case, referral_id: UUID, rung: str, timeliness: Timeliness) -> None:
    """Timeliness only worsens until the awaited step happens: a reminder makes nothing less overdue."""
    referral = case.referrals[referral_id]
    referral.told.add(rung)
    referral.timeliness = max(referral.timeliness, timeliness, key=list(Timeliness).index)


# Asking a partner


def create(
    case: Case,
    kind: ReferralKind,
    m: Moment,
    *,
    partner_id: str | None = None,
    urgent: bool = False,
    replaces: UUID | None = None,
    item: str | None = None,
) -> Iterator[Event]:
    """Prepare a referral for a partner that takes this kind; a task for a person where there is none."""
    partner = m.directory.get(partner_id) if partner_id else m.directory.for_kind(kind, case.country_of_return)
    public = PUBLIC_KIND.get(kind, kind)
    if partner is None or kind not in partner.kinds:
        wanted = task(f"find a partner for {public}", "CASE_SUPERVISOR", m.policy.pinned.quarantine_review, m)
        if all(open_task.task != wanted.task for open_task in case.tasks.values()):
            yield wanted
        return
    yield ReferralCreated(
        referral_id=m.new_id(f"referral:{len(case.referrals)}"),
        kind=public,
        partner_id=partner.partner_id,
        urgent=urgent,
        replaces=replaces,
        item=item,
        true_kind=kind if public is not kind else None,
    )


def why_not_send(case: Case, referral: Referral) -> str | None:
    """What forbids sending: consent not in force (INV-08), or a hold that stops telling this recipient."""
    purpose = purpose_of(referral.asked_kind)
    if not case.consents_to(purpose, referral.partner_id):
        return f"CONSENT.{PUBLIC_PURPOSE.get(purpose, purpose)}"
    return next((f"HOLD.{name}" for name in stopped_by(case, referral.asked_kind)), None)


def send(case: Case, referral: Referral, m: Moment) -> Iterator[Event]:
    """Send a draft and record what it discloses, in one decision. Guarded by ``why_not_send``."""
    answer = case.policy.pinned.answers[referral.asked_kind]
    partner = m.directory.get(referral.partner_id)
    calendar = partner.calendar if partner else calendar_of(None)
    dues = {name: calendar.after(m.at, getattr(answer, name)) for name in ("ack", "complete", "stands")}
    yield ReferralSent(
        referral_id=referral.referral_id,
        kind=referral.kind,
        partner_id=referral.partner_id,
        token=m.token(),
        dues=dues,
    )
    yield disclosure(case, referral)


def disclosure(case: Case, referral: Referral) -> DisclosureRecorded:
    """What telling the partner about this referral tells it of the person, and on which consent."""
    recipient, purpose = RECIPIENT_OF[referral.asked_kind], purpose_of(referral.asked_kind)
    return DisclosureRecorded(
        recipient=referral.partner_id,
        fields=tuple(sorted(minimum_data(case, referral).keys() & MAY_SEE[recipient])),
        consent=PUBLIC_PURPOSE.get(purpose, purpose),
        referral_id=referral.referral_id,
    )


def refer(
    case: Case, kind: ReferralKind, m: Moment, *, urgent: bool = False, item: str | None = None
) -> Iterator[Event]:
    """Prepare a referral and send it, as far as consent and holds allow. A draft that may not go waits."""
    for event in create(case, kind, m, urgent=urgent, item=item):
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], m)


def send_if_allowed(case: Case, referral: Referral, m: Moment) -> Iterator[Event]:
    if referral.status is S.DRAFT and why_not_send(case, referral) is None:
        yield from send(case, referral, m)


def send_drafts(case: Case, m: Moment) -> Iterator[Event]:
    """Send what waited for a consent or for a hold to be lifted."""
    for referral in list(case.open_referrals()):
        yield from send_if_allowed(case, referral, m)


def cancel(case: Case, referral: Referral, m: Moment, reason: str | None = None) -> Iterator[Event]:
    """End a referral and tell the partner, in words that explain nothing."""
    if referral.over:
        return
    was_sent = referral.status is not S.DRAFT
    yield ReferralCancelled(referral_id=referral.referral_id, kind=referral.kind, reason_internal=reason)
    if was_sent:
        yield ReferralCancellationNotified(
            referral_id=referral.referral_id,
            kind=referral.kind,
            partner_id=referral.partner_id,
            reason="CASE_NOT_PROCEEDING",
        )


# Staff's orders


def _find(case: Case, referral_id: UUID) -> Referral:
    referral = case.referrals.get(referral_id)
    if referral is None:
        raise Refused("REFERRAL.UNKNOWN", f"this case has no referral {referral_id}", field="referral_id")
    return referral


def on_create(case: Case, order: CreateReferral, m: Moment) -> Iterator[Event]:
    if order.partner_id is not None:
        _insist_on_partner(order.partner_id, order.kind, m)
    for event in create(case, order.kind, m, partner_id=order.partner_id, urgent=order.urgent):
        yield event
        if isinstance(event, ReferralCreated):
            yield from send_if_allowed(case, case.referrals[event.referral_id], m)


def _insist_on_partner(partner_id: str, kind: ReferralKind, m: Moment) -> None:
    partner = m.directory.get(partner_id)
    if partner is None:
        raise Refused(
            "PARTNER.UNKNOWN", f"no active partner {partner_id!r}; see `awda partner list`", field="partner_id"
        )
    if kind not in partner.kinds:
        raise Refused("PARTNER.KIND", f"{partner_id!r} does not take referrals for {kind}", field="kind")


def on_send(case: Case, order: SendReferral, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.status is not S.DRAFT:
        raise Refused("REFERRAL.NOT_A_DRAFT", f"the referral is {referral.status}; only a draft is sent")
    if reason := why_not_send(case, referral):
        raise Refused(reason, "without it nothing may leave; record the consent, or have the hold reviewed")
    yield from send(case, referral, m)


def on_cancel(case: Case, order: CancelReferral, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.over:
        raise Refused("REFERRAL.OVER", f"the referral is already {referral.status}")
    yield from cancel(case, referral, m, order.reason)


def on_reassign(case: Case, order: ReassignReferral, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.status not in (S.REJECTED, S.FAILED, S.EXPIRED):
        raise Refused(
            "REFERRAL.NOT_ENDED", f"only a rejected, failed or expired referral is reassigned; it is {referral.status}"
        )
    _insist_on_partner(order.partner_id, referral.asked_kind, m)
    new = m.new_id(f"referral:{len(case.referrals)}")
    yield ReferralReassigned(
        referral_id=referral.referral_id, new_id=new, kind=referral.kind, partner_id=order.partner_id
    )
    yield from create(
        case,
        referral.asked_kind,
        m,
        partner_id=order.partner_id,
        urgent=referral.urgent,
        replaces=referral.referral_id,
        item=referral.item,
    )
    yield from send_if_allowed(case, case.referrals[new], m)


def on_expiry(case: Case, order: ConfirmReferralExpiry, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    if referral.over or referral.timeliness is Timeliness.ON_TIME:
        raise Refused("REFERRAL.NOT_OVERDUE", f"the referral is {referral.status} and {referral.timeliness}")
    yield ReferralExpired(referral_id=referral.referral_id, kind=referral.kind, confirmed_by=m.actor)


def on_error(case: Case, order: MarkReferralEnteredInError, m: Moment) -> Iterator[Event]:
    referral = _find(case, order.referral_id)
    yield ReferralEnteredInError(referral_id=referral.referral_id, kind=referral.kind, reason=order.reason)
    yield from end_of(case, granted_by(case, referral.referral_id), "REFERRAL_ENTERED_IN_ERROR")


# What partners say


@dataclass(frozen=True)
class Heard:
    """A signal, placed: the referral it speaks of and what it says."""

    referral: Referral
    signal: ReceivePartnerSignal


def place(case: Case, signal: ReceivePartnerSignal) -> Heard:
    """Find what a signal speaks of. What cannot be placed is for a person, and the partner is told nothing of it."""
    referral = case.referral_with(signal.referral_token)
    if referral is None:
        raise Unplaceable("UNKNOWN_REFERRAL", "no referral of this case has that token")
    if referral.partner_id != signal.partner_id:
        raise Unplaceable("NOT_OWNER", f"the referral belongs to another partner than {signal.partner_id}")
    return Heard(referral, signal)


def mismatched(case: Case, signal: ReceivePartnerSignal) -> bool:
    """Whether the partner seems to speak of somebody else (domain.md 00, 6)."""
    check, person = signal.subject_check, case.person
    if check is None or person is None:
        return False
    other_name = _spelled(check.given_name) not in _spelled(person.given_names)
    other_year = (
        check.year_of_birth is not None
        and person.date_of_birth is not None
        and check.year_of_birth != person.date_of_birth.year
    )
    return other_name or other_year


def _spelled(name: str) -> str:
    """What two ways of writing one name have in common: letters, however composed, and single spaces."""
    seen = (sign for sign in unicodedata.normalize("NFKC", name) if unicodedata.category(sign) != "Cf")
    return " ".join("".join(seen).casefold().split())


MATERIAL: Final = frozenset({T.CONCERN_REPORTED, T.WITHDRAWAL_REPORTED})
CRITICAL: Final = frozenset(
    {
        "DIED",
        "TREATMENT_REQUIRED",
        "UNFIT_TEMPORARY",
        "UNFIT_LONG_TERM",
        "UNFIT",
        "ADMITTED",
        "NOT_SAFE",
        "CONCERN_REPORTED",
    }
)
"""Outcomes that matter to a person's safety, whoever reports them and however late."""

FLOW: Final = (T.ACKNOWLEDGED, T.ACCEPTED, T.STARTED, T.COMPLETED)
REACHED: Final[Mapping[ReferralStatus, int]] = {
    S.SENT: -1, S.ACKNOWLEDGED: 0, S.ACCEPTED: 1, S.IN_PROGRESS: 2, S.ON_HOLD: 2, S.COMPLETED: 3,
}  # fmt: skip
ALLOWED: Final[Mapping[SignalType, frozenset[ReferralStatus]]] = {
    T.ACKNOWLEDGED: frozenset({S.SENT}),
    T.ACCEPTED: frozenset({S.SENT, S.ACKNOWLEDGED}),
    T.REJECTED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED}),
    T.STARTED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED}),
    T.PROGRESS: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS}),
    T.PAUSED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS}),
    T.RESUMED: frozenset({S.ON_HOLD}),
    T.COMPLETED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD}),
    T.FAILED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD}),
    T.PARTNER_CANCELLED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD}),
    T.AMENDED: frozenset(),
    T.RETRACTED: frozenset(),
}


def hear(case: Case, signal: ReceivePartnerSignal, m: Moment) -> Iterator[Event]:
    """What a partner's signal does to its referral. What it means for a stage is the stage's to say."""
    heard = place(case, signal)
    yield from on_behalf(heard.referral.referral_id, signal, m)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, m)
    elif case.closed:
        yield from _late(case, heard, "CASE_CLOSED", m)
    elif heard.referral.status in (S.CANCELLED, S.EXPIRED, S.ENTERED_IN_ERROR):
        yield from _late(case, heard, f"REFERRAL_{heard.referral.status}", m)
    elif mismatched(case, signal):
        yield from _quarantine(case, heard, "IDENTITY_MISMATCH", m)
    elif heard.referral.status in TERMINAL or signal.signal_type in (T.AMENDED, T.RETRACTED):
        yield from _after_the_end(case, heard, m)
    else:
        yield from _along_the_way(case, heard, m)


def _statement(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """The person's own word through a partner: never stale, whatever the state of referral or case."""
    signal = heard.signal
    yield RestrictedFactRecorded(
        compartment_class="PROT",
        true_name=signal.signal_type,
        content={"reason": signal.reason, "payload": signal.payload, "partner_id": signal.partner_id},
    )
    if case.closed:
        yield from _late(case, heard, "CASE_CLOSED", m)
        return
    urgent = m.policy.pinned.withdrawal_contact
    if signal.signal_type is T.CONTACT_CHANGED:
        yield task("check the person's new contact", "COUNSELLOR", urgent, m, subject=str(signal.signal_id))
        return
    kind = HoldType.CONSENT if signal.signal_type is T.WITHDRAWAL_REPORTED else HoldType.PROTECTION
    if not case.departed:
        yield hold(kind, m, subtype=signal.signal_type)
    yield task("contact the person", "PROTECTION_OFFICER", urgent, m, subject=str(signal.signal_id))


def _late(case: Case, heard: Heard, disposition: str, m: Moment) -> Iterator[Event]:
    referral, signal = heard.referral, heard.signal
    yield LateSignalRecorded(
        **_told(referral, signal),
        disposition=disposition,
        partner_id=signal.partner_id,
        signal_type=signal.signal_type,
    )
    critical = signal.outcome_code in CRITICAL or signal.signal_type in MATERIAL
    if critical:
        queue = "MEDICAL_OFFICER" if referral.asked_kind in CARE_KINDS else "PROTECTION_OFFICER"
        within = m.policy.pinned.late_result_review
        yield task("look at a late result", queue, within, m, subject=str(signal.signal_id))
    if critical and case.closed and not case.reopen_proposed:
        yield CaseReopenProposed(trigger=f"signal {signal.signal_id}")


def _after_the_end(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """A signal on a referral that has ended: the same again is noise, an earlier step is late, the rest is doubt."""
    referral, kind = heard.referral, heard.signal.signal_type
    if _already_said(referral, kind) or (kind is T.COMPLETED and _same_outcome(case, heard)):
        yield _ignored(heard, "ALREADY_TERMINAL_SAME_OUTCOME")
    elif kind in (T.ACKNOWLEDGED, T.ACCEPTED, T.STARTED, T.PROGRESS, T.PAUSED, T.RESUMED):
        yield _ignored(heard, "OUT_OF_ORDER_SUPERSEDED")
    else:
        cause = "AMENDMENT" if kind in (T.AMENDED, T.RETRACTED) else "CONFLICTING_OUTCOME"
        yield from _quarantine(case, heard, cause, m)


def _already_said(referral: Referral, kind: SignalType) -> bool:
    return (referral.status, kind) in {
        (S.REJECTED, T.REJECTED), (S.FAILED, T.FAILED), (S.FAILED, T.PARTNER_CANCELLED),
    }  # fmt: skip


def _same_outcome(case: Case, heard: Heard) -> bool:
    """The same by content, not by name: an item or date of its own may be a second fact (domain.md 00, 5)."""
    first = next(
        (done for done in case.every(ReferralCompleted) if done.signal_id == heard.referral.completed_by), None
    )
    if first is None or heard.referral.outcome != heard.signal.outcome_code:
        return False
    return _canonical(first.told.get("payload")) == _canonical(heard.signal.payload)


def _canonical(payload: Any) -> str:
    return json.dumps(payload or {}, sort_keys=True, default=str)


def _ignored(heard: Heard, cause: str) -> PartnerSignalIgnored:
    signal = heard.signal
    return PartnerSignalIgnored(
        signal_id=signal.signal_id,
        referral_id=heard.referral.referral_id,
        partner_id=signal.partner_id,
        signal_type=signal.signal_type,
        cause=cause,
    )


def _quarantine(case: Case, heard: Heard, cause: str, m: Moment) -> Iterator[Event]:
    signal = heard.signal
    yield PartnerSignalQuarantined(
        **_told(heard.referral, signal), cause=cause, partner_id=signal.partner_id, signal_type=signal.signal_type
    )
    near = case.seat is not None and case.seat.status != "RELEASED"
    within = m.policy.pinned.late_result_review if near else m.policy.pinned.quarantine_review
    yield task("resolve a doubtful signal", "CASE_SUPERVISOR", within, m, subject=str(signal.signal_id))


def _along_the_way(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    referral, signal = heard.referral, heard.signal
    if referral.status is S.DRAFT:
        raise Unplaceable("NOT_SENT", "the referral has not been sent")
    if signal.signal_type is T.PROGRESS and _stale(referral, signal.partner_seq):
        yield _ignored(heard, "STALE_SEQUENCE")
    elif referral.status not in ALLOWED[signal.signal_type]:
        yield _ignored(heard, "OUT_OF_ORDER_SUPERSEDED")
    else:
        yield _step(referral, signal)


def _stale(referral: Referral, seq: int | None) -> bool:
    return seq is not None and referral.last_seq is not None and seq <= referral.last_seq


STEPS: Final[Mapping[SignalType, type[Told]]] = {
    T.ACCEPTED: ReferralAccepted,
    T.STARTED: ReferralStarted,
    T.PAUSED: ReferralPaused,
    T.RESUMED: ReferralResumed,
    T.REJECTED: ReferralRejected,
    T.FAILED: ReferralFailed,
    T.PARTNER_CANCELLED: ReferralFailed,
}


def _step(referral: Referral, signal: ReceivePartnerSignal) -> Event:
    if signal.signal_type is T.ACKNOWLEDGED:
        return ReferralAcknowledged(referral_id=referral.referral_id, kind=referral.kind, signal_id=signal.signal_id)
    if signal.signal_type is T.PROGRESS:
        return ReferralProgressReported(**_told(referral, signal), partner_seq=signal.partner_seq)
    if signal.signal_type is T.COMPLETED:
        missing = [step.value for step in FLOW[1:3] if FLOW.index(step) > REACHED[referral.status]]
        return ReferralCompleted(**_told(referral, signal), inferred_steps=tuple(missing))
    return STEPS[signal.signal_type](**_told(referral, signal))


# Doubt, resolved


def quarantined(case: Case, signal_id: UUID) -> PartnerSignalQuarantined:
    found = next((event for event in case.every(PartnerSignalQuarantined) if event.signal_id == signal_id), None)
    if found is None or signal_id not in case.referrals[found.referral_id].disputed:
        raise Refused("SIGNAL.NOT_IN_QUARANTINE", f"signal {signal_id} does not wait for a decision", field="signal_id")
    return found


def on_resolve(case: Case, order: ResolveQuarantinedSignal, m: Moment) -> Iterator[Event]:
    """A person's decision on a doubtful signal. Amending ends what the old outcome had granted."""
    signal = quarantined(case, order.signal_id)
    yield QuarantinedSignalResolved(
        signal_id=signal.signal_id, referral_id=signal.referral_id, decision=order.decision, reason=order.reason
    )
    if order.decision == "AMEND":
        before = granted_by(case, signal.referral_id)
        yield ReferralOutcomeAmended(
            referral_id=signal.referral_id,
            kind=signal.kind,
            signal_id=signal.signal_id,
            outcome_code=signal.outcome_code,
            answer=signal.answer,
            care_answer=signal.care_answer,
            protection_answer=signal.protection_answer,
            approved_by=m.actor,
        )
        yield from end_of(case, before, "OUTCOME_AMENDED")


def granted_by(case: Case, referral_id: UUID) -> list[Clearance]:
    """The permissions that rest on what one referral brought."""
    return [clearance for clearance in case.clearances.values() if clearance.evidence == str(referral_id)]


def end_of(case: Case, granted: list[Clearance], cause: str) -> Iterator[Event]:
    """End these permissions; one that has been granted anew since is another one, and stays."""
    for clearance in granted:
        if case.clearances[clearance.kind] is clearance:
            yield from revoke(case, clearance.kind, cause)


def should_ask(case: Case, clearance: ClearanceKind, kind: ReferralKind, m: Moment) -> bool:
    """Whether nobody has been asked yet for a permission, or what was answered has lapsed since.

    A referral that a partner turned down is not asked again by itself: reassigning it is a person's decision.
    """
    if case.has_clearance(clearance, m.at):
        return False
    asked, ended = case.referrals_of(kind), case.clearances.get(clearance)
    if not asked:
        return True
    if asked[-1].status in (S.REJECTED, S.FAILED):
        return False
    return ended is not None and all(referral.over for referral in asked) and ended.since >= asked[-1].since
