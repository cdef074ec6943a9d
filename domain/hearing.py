"""Hearing a partner: what a signal means for its referral, and what happens to one that means nothing.

A partner may only be able to say accept, reject and done: missing steps are inferred. Signals come twice, late, out
of order and contradictory: each ends as applied, ignored with a reason, late, or quarantined (domain.md 5.3).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.case import Case, CaseReopenProposed, RestrictedFactRecorded
from domain.event import Event
from domain.messages import (
    ReceivePartnerSignal,
)
from domain.moment import Moment, Unplaceable
from domain.referral import (
    LateSignalRecorded,
    PartnerSignalIgnored,
    PartnerSignalQuarantined,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralCompleted,
    ReferralFailed,
    ReferralPaused,
    ReferralProgressReported,
    ReferralRejected,
    ReferralResumed,
    ReferralStarted,
    Told,
)
from domain.referral_state import Referral
from domain.steps import hold, task
from domain.words import (
    STATEMENTS,
    TERMINAL,
    HoldType,
    ReferralKind,
    ReferralStatus,
    SignalType,
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
    other_name = check.given_name.casefold() not in person.given_names.casefold()
    other_year = (
        check.year_of_birth is not None
        and person.date_of_birth is not None
        and check.year_of_birth != person.date_of_birth.year
    )
    return other_name or other_year


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


def _told(referral: Referral, signal: ReceivePartnerSignal) -> dict[str, Any]:
    """The fields of an answer, put where this kind of referral keeps them."""
    kind, answer = referral.asked_kind, {"payload": signal.payload, "reason": signal.reason}
    base: dict[str, Any] = {"referral_id": referral.referral_id, "kind": referral.kind, "signal_id": signal.signal_id}
    if kind in CARE_KINDS:
        return {**base, "care_answer": {**answer, "outcome_code": signal.outcome_code}}
    if kind in SHELTERED_KINDS:
        return {**base, "protection_answer": {**answer, "outcome_code": signal.outcome_code}}
    return {**base, "outcome_code": signal.outcome_code, "answer": answer}
