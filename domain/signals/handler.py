"""Handler for a partner's signal: its effect on the referral, and the disposition of a signal without effect.

A partner may only report acceptance, rejection and completion: missing steps are inferred. Signals may be duplicate,
late, out of order or contradictory. Each is applied, ignored with a reason, recorded as late, or quarantined (rule
SIGNAL.DISPOSITION).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID, uuid5

from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.clearance.actions import hold, task
from domain.clearance.revocations import Trigger, revocations
from domain.commands.signal import ReceivePartnerSignal
from domain.events.case import CaseReopenProposed, RestrictedFactRecorded
from domain.events.partner_report import (
    PartnerReport,
    ReferralCompleted,
    ReferralFailed,
    ReferralOutcomeAmended,
    ReferralRejected,
    ReferralReportedAgain,
)
from domain.events.signal import LateSignalRecorded
from domain.kernel.context import Context
from domain.kernel.errors import Unroutable
from domain.kernel.event import Event
from domain.kernel.vocabulary import STATEMENTS, TERMINAL, HoldType, ReferralStatus, SignalType
from domain.referral.compartments import SplitPayload, split_payload
from domain.referral.outcomes import OUTCOMES, REPEATABLE
from domain.signals.placed_signal import (
    PlacedSignal,
    content,
    content_of,
    ignored,
    quarantine,
    record_on_behalf,
    record_superseded,
    record_unrequested_data,
    recorded_reports,
    repeats,
    report_fields,
    request_review,
    sender_of,
    violation_of,
)
from domain.signals.transitions import ENDINGS, apply_to_open_referral


def place_signal(case: Case, signal: ReceivePartnerSignal) -> PlacedSignal:
    """Returns a signal with its referral.

    Raises ``Unroutable`` if the token is unknown or the referral belongs to another partner; a person then decides, and
    the partner is not informed. A statement of the person counts from any partner, on any referral of the case (rule
    SIGNAL.STATEMENT).
    """
    referral = case.referral_with(signal.referral_token)
    if referral is None:
        raise Unroutable("UNKNOWN_REFERRAL", "no referral of this case has this token")
    if referral.partner_id != signal.partner_id and signal.signal_type not in STATEMENTS:
        raise Unroutable("NOT_OWNER", f"the referral belongs to a partner other than {signal.partner_id}")
    return PlacedSignal(referral, signal, split_payload(referral.asked_kind, signal.payload))


def line_id(signal_id: UUID, number: int) -> UUID:
    """Returns the id of one line of a list sent as one signal. A repeated list gives the same ids."""
    return uuid5(signal_id, str(number))


def receive_partner_signal(case: Case, signal: ReceivePartnerSignal, ctx: Context) -> Iterator[Event]:
    """Applies a partner's signal to its referral. The stages decide what follows from it."""
    placed = place_signal(case, signal)
    yield from record_on_behalf(placed.referral.referral_id, signal, ctx)
    if signal.signal_type in STATEMENTS:
        yield from _record_statement(case, placed, ctx)
        return
    earlier = recorded_reports(case, signal)
    if any(repeats(report, placed) for report in earlier):
        yield ignored(placed, "ALREADY_HEARD", ctx)
        return
    if late := _late_disposition(case, placed.referral):
        yield from _late(case, placed, late, ctx)
    elif cause := _quarantine_cause(case, placed, earlier, ctx):
        yield from quarantine(case, placed, cause, ctx)
    else:
        yield from _apply_signal(case, placed, ctx)
    yield from record_unrequested_data(placed)


def receive_doubtful_signal(case: Case, signal: ReceivePartnerSignal, cause: str, ctx: Context) -> Iterator[Event]:
    """Quarantines a signal that is never applied directly, unless it is a statement of the person or late."""
    placed = place_signal(case, signal)
    if signal.signal_type in STATEMENTS:
        yield from _record_statement(case, placed, ctx)
    elif late := _late_disposition(case, placed.referral):
        yield from _late(case, placed, late, ctx)
    else:
        yield from quarantine(case, placed, cause, ctx)


def _apply_signal(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Applies an authentic, timely and valid signal to an open or an ended referral."""
    ended = placed.referral.status in TERMINAL
    if ended or placed.signal.signal_type in (SignalType.AMENDED, SignalType.RETRACTED):
        yield from _after_the_end(case, placed, ctx)
    else:
        yield from apply_to_open_referral(case, placed, ctx)


def _late_disposition(case: Case, referral: Referral) -> str | None:
    """Returns why a signal is late, or ``None``."""
    if case.closed:
        return "CASE_CLOSED"
    ended = referral.status in (ReferralStatus.CANCELLED, ReferralStatus.EXPIRED, ReferralStatus.ENTERED_IN_ERROR)
    return f"REFERRAL_{referral.status}" if ended else None


def _quarantine_cause(case: Case, placed: PlacedSignal, earlier: Sequence[PartnerReport], ctx: Context) -> str | None:
    """Returns why a person must review the signal before it is applied, or ``None``."""
    if earlier:
        return "CONFLICTING_DUPLICATE"
    if identity_mismatch(case, placed.signal):
        return "IDENTITY_MISMATCH"
    return "SCHEMA" if violation_of(placed.referral.asked_kind, placed.signal, ctx) else None


def identity_mismatch(case: Case, signal: ReceivePartnerSignal) -> bool:
    """Returns whether the signal appears to be about another person (rule QUARANTINE.IDENTITY_MISMATCH)."""
    check, person = signal.subject_check, case.person
    if check is None or person is None:
        return False
    other_name = _normalized(check.given_name) not in _normalized(person.given_names)
    other_year = (
        check.year_of_birth is not None
        and person.date_of_birth is not None
        and check.year_of_birth != person.date_of_birth.year
    )
    return other_name or other_year


def _normalized(name: str) -> str:
    """Returns a name in a form for comparison: composed letters, without case, with single spaces."""
    visible = (letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) != "Cf")
    return " ".join("".join(visible).casefold().split())


# Statements of the person through a partner


def _record_statement(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Records a statement of the person. It is never late, whatever the status of the referral or case."""
    signal = placed.signal
    yield RestrictedFactRecorded(
        compartment_class="PROT",
        true_name=signal.signal_type,
        content={"reason": signal.reason, "payload": signal.payload, "partner_id": signal.partner_id},
    )
    if case.closed:
        yield from _late(case, _without_content(placed), "CASE_CLOSED", ctx)
        return
    urgent = ctx.policy.pinned.withdrawal_contact
    if signal.signal_type is SignalType.CONTACT_CHANGED:
        yield task("check the person's new contact", "COUNSELLOR", urgent, ctx, subject=str(signal.signal_id))
        return
    if signal.signal_type is SignalType.CONCERN_REPORTED:
        yield from revocations(case, Trigger.PROTECTION_HOLD)
    kind = HoldType.CONSENT if signal.signal_type is SignalType.WITHDRAWAL_REPORTED else HoldType.PROTECTION
    if not case.departed:
        yield hold(kind, ctx, subtype=signal.signal_type)
    yield task("contact the person", "PROTECTION_OFFICER", urgent, ctx, subject=str(signal.signal_id))


def _without_content(placed: PlacedSignal) -> PlacedSignal:
    """Returns the signal without the content that the sealed statement already holds."""
    bare = placed.signal.model_copy(update={"reason": None, "payload": {}, "attachments": ()})
    return replace(placed, signal=bare, split=SplitPayload({}, {}))


# Late signals

MATERIAL: Final = frozenset({SignalType.CONCERN_REPORTED, SignalType.WITHDRAWAL_REPORTED})


def _late(case: Case, placed: PlacedSignal, disposition: str, ctx: Context) -> Iterator[Event]:
    """Records a late signal. It changes no status, but one that matters to safety places a hold until its review."""
    signal = placed.signal
    yield LateSignalRecorded.model_validate(
        {**report_fields(placed, ctx), **sender_of(signal), "disposition": disposition}
    )
    material = placed.hold is not None or signal.signal_type in MATERIAL
    if material:
        yield from request_review(case, placed, ctx)
    elif disposition == "REFERRAL_EXPIRED" and signal.signal_type is SignalType.COMPLETED:
        within = ctx.policy.pinned.quarantine_review
        yield task("use a late answer, or ask again", "CASE_SUPERVISOR", within, ctx, subject=str(signal.signal_id))
    if material and case.closed and not case.reopen_proposed:
        yield CaseReopenProposed(trigger=f"signal {signal.signal_id}")


# Signals about an ended referral


def _after_the_end(case: Case, placed: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Handles a signal about an ended referral.

    A repetition is ignored, an earlier step is superseded, and any other signal is quarantined.
    """
    referral, kind = placed.referral, placed.signal.signal_type
    if (kind in (SignalType.COMPLETED, SignalType.AMENDED) and _repeats_outcome(case, placed)) or _repeats_refusal(
        case, placed
    ):
        yield ignored(placed, "ALREADY_TERMINAL_SAME_OUTCOME", ctx)
    elif _repeats_status(referral, kind):
        yield from record_superseded(case, placed, "ALREADY_TERMINAL_SAME_OUTCOME", ctx)
    elif kind not in ENDINGS or _is_not_final(placed):
        yield from record_superseded(case, placed, "OUT_OF_ORDER_SUPERSEDED", ctx)
    elif _may_be_second_delivery(placed):
        yield ReferralReportedAgain.model_validate(report_fields(placed, ctx))
    else:
        cause = "AMENDMENT" if kind in (SignalType.AMENDED, SignalType.RETRACTED) else "CONFLICTING_OUTCOME"
        yield from quarantine(case, placed, cause, ctx)


def _repeats_status(referral: Referral, kind: SignalType) -> bool:
    """Returns whether a signal reports the refusal or failure with which the referral ended."""
    return (referral.status, kind) in {
        (ReferralStatus.REJECTED, SignalType.REJECTED), (ReferralStatus.FAILED, SignalType.FAILED),
        (ReferralStatus.FAILED, SignalType.PARTNER_CANCELLED),
    }  # fmt: skip


def _repeats_refusal(case: Case, placed: PlacedSignal) -> bool:
    """Returns whether the signal repeats a recorded refusal or failure without new content."""
    if not _repeats_status(placed.referral, placed.signal.signal_type):
        return False
    refusals = [*case.every(ReferralRejected), *case.every(ReferralFailed)]
    own = [report for report in refusals if report.referral_id == placed.referral.referral_id]
    return any(content(report) == content_of(placed) for report in own)


def _is_not_final(placed: PlacedSignal) -> bool:
    """Returns whether the outcome of the signal does not end a referral."""
    spec = OUTCOMES.get(placed.referral.asked_kind)
    return spec is not None and placed.signal.outcome_code in spec.non_final


def _repeats_outcome(case: Case, placed: PlacedSignal) -> bool:
    """Returns whether the signal repeats a recorded outcome.

    The content is compared, not only the code: another item or date may be a second fact (rule SIGNAL.SAME_OUTCOME).
    """
    referral = placed.referral
    completions: list[PartnerReport] = [*case.every(ReferralCompleted), *case.every(ReferralOutcomeAmended)]
    in_effect = [report for report in completions if report.signal_id == referral.completed_by]
    further = [report for report in case.every(ReferralReportedAgain) if report.referral_id == referral.referral_id]
    return any(content(report) == content_of(placed) for report in (*in_effect, *further))


def _may_be_second_delivery(placed: PlacedSignal) -> bool:
    """Returns whether the signal may report a second delivery for the same request. It is recorded, not quarantined."""
    referral, signal = placed.referral, placed.signal
    same = signal.signal_type is SignalType.COMPLETED and signal.outcome_code == referral.outcome
    return same and referral.status is ReferralStatus.COMPLETED and referral.asked_kind in REPEATABLE
