"""Hearing a partner: what a signal means for its referral, and what happens to one that means nothing.

A partner may only be able to say accept, reject and done: missing steps are inferred. Signals come twice, late, out
of order and contradictory: each ends as applied, ignored with a reason, late, or quarantined (rule SIGNAL.DISPOSITION).
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
from domain.referral.outcomes import OUTCOMES, SEVERAL
from domain.signals.placed_signal import (
    PlacedSignal,
    content,
    content_of,
    heard_before,
    ignored,
    not_asked_for,
    on_behalf,
    quarantine,
    record_superseded,
    report_fields,
    request_review,
    says_the_same,
    sender_of,
    unfit,
)
from domain.signals.transitions import ENDINGS, apply_to_open_referral


def place(case: Case, signal: ReceivePartnerSignal) -> PlacedSignal:
    """Find what a signal speaks of. What cannot be placed is for a person, and the partner is told nothing of it.

    The person's own word counts from whoever brings it, whosever referral it was told on (rule SIGNAL.STATEMENT).
    """
    referral = case.referral_with(signal.referral_token)
    if referral is None:
        raise Unroutable("UNKNOWN_REFERRAL", "no referral of this case has that token")
    if referral.partner_id != signal.partner_id and signal.signal_type not in STATEMENTS:
        raise Unroutable("NOT_OWNER", f"the referral belongs to another partner than {signal.partner_id}")
    return PlacedSignal(referral, signal, split_payload(referral.asked_kind, signal.payload))


def line_of(signal_id: UUID, number: int) -> UUID:
    """The identity of one line of a list that came as one signal: each is taken once, however often the list comes."""
    return uuid5(signal_id, str(number))


def receive_partner_signal(case: Case, signal: ReceivePartnerSignal, ctx: Context) -> Iterator[Event]:
    """What a partner's signal does to its referral. What it means for a stage is the stage's to say."""
    heard = place(case, signal)
    yield from on_behalf(heard.referral.referral_id, signal, ctx)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, ctx)
        return
    before = heard_before(case, signal)
    if any(says_the_same(told, heard) for told in before):
        yield ignored(heard, "ALREADY_HEARD", ctx)
        return
    if late := _too_late(case, heard.referral):
        yield from _late(case, heard, late, ctx)
    elif doubt := _doubt(case, heard, before, ctx):
        yield from quarantine(case, heard, doubt, ctx)
    else:
        yield from _taken(case, heard, ctx)
    yield from not_asked_for(heard)


def receive_doubtful_signal(case: Case, signal: ReceivePartnerSignal, doubt: str, ctx: Context) -> Iterator[Event]:
    """Something that is never taken at its word: it waits for a person, unless it is the person's own or too late."""
    heard = place(case, signal)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, ctx)
    elif late := _too_late(case, heard.referral):
        yield from _late(case, heard, late, ctx)
    else:
        yield from quarantine(case, heard, doubt, ctx)


def _taken(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """Authentic, in time, and fit: a step on the way, or a word after the end."""
    ended = heard.referral.status in TERMINAL
    if ended or heard.signal.signal_type in (SignalType.AMENDED, SignalType.RETRACTED):
        yield from _after_the_end(case, heard, ctx)
    else:
        yield from apply_to_open_referral(case, heard, ctx)


def _too_late(case: Case, referral: Referral) -> str | None:
    if case.closed:
        return "CASE_CLOSED"
    ended = referral.status in (ReferralStatus.CANCELLED, ReferralStatus.EXPIRED, ReferralStatus.ENTERED_IN_ERROR)
    return f"REFERRAL_{referral.status}" if ended else None


def _doubt(case: Case, heard: PlacedSignal, before: Sequence[PartnerReport], ctx: Context) -> str | None:
    """Why a person must look first, before anything else is asked of the signal."""
    if before:
        return "CONFLICTING_DUPLICATE"
    if mismatched(case, heard.signal):
        return "IDENTITY_MISMATCH"
    return "SCHEMA" if unfit(heard.referral.asked_kind, heard.signal, ctx) else None


def mismatched(case: Case, signal: ReceivePartnerSignal) -> bool:
    """Whether the partner seems to speak of somebody else (rule QUARANTINE.IDENTITY_MISMATCH)."""
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


# What the person says through a partner


def _statement(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """The person's own word through a partner: never stale, whatever the state of referral or case."""
    signal = heard.signal
    yield RestrictedFactRecorded(
        compartment_class="PROT",
        true_name=signal.signal_type,
        content={"reason": signal.reason, "payload": signal.payload, "partner_id": signal.partner_id},
    )
    if case.closed:
        yield from _late(case, _without_words(heard), "CASE_CLOSED", ctx)
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


def _without_words(heard: PlacedSignal) -> PlacedSignal:
    """What the person said is under its own seal already."""
    bare = heard.signal.model_copy(update={"reason": None, "payload": {}, "attachments": ()})
    return replace(heard, signal=bare, stripped=SplitPayload({}, {}))


# Too late

MATERIAL: Final = frozenset({SignalType.CONCERN_REPORTED, SignalType.WITHDRAWAL_REPORTED})


def _late(case: Case, heard: PlacedSignal, disposition: str, ctx: Context) -> Iterator[Event]:
    """It changes no status. What matters to a person's safety holds the journey all the same, until somebody looks."""
    signal = heard.signal
    yield LateSignalRecorded.model_validate(
        {**report_fields(heard, ctx), **sender_of(signal), "disposition": disposition}
    )
    material = heard.hold is not None or signal.signal_type in MATERIAL
    if material:
        yield from request_review(case, heard, ctx)
    elif disposition == "REFERRAL_EXPIRED" and signal.signal_type is SignalType.COMPLETED:
        within = ctx.policy.pinned.quarantine_review
        yield task("use a late answer, or ask again", "CASE_SUPERVISOR", within, ctx, subject=str(signal.signal_id))
    if material and case.closed and not case.reopen_proposed:
        yield CaseReopenProposed(trigger=f"signal {signal.signal_id}")


# After the end


def _after_the_end(case: Case, heard: PlacedSignal, ctx: Context) -> Iterator[Event]:
    """A signal on a referral that has ended: the same again is noise, an earlier step is late, the rest is doubt."""
    referral, kind = heard.referral, heard.signal.signal_type
    if (kind in (SignalType.COMPLETED, SignalType.AMENDED) and _same_outcome(case, heard)) or _same_no(case, heard):
        yield ignored(heard, "ALREADY_TERMINAL_SAME_OUTCOME", ctx)
    elif _already_said(referral, kind):
        yield from record_superseded(case, heard, "ALREADY_TERMINAL_SAME_OUTCOME", ctx)
    elif kind not in ENDINGS or _ends_nothing(heard):
        yield from record_superseded(case, heard, "OUT_OF_ORDER_SUPERSEDED", ctx)
    elif _may_be_another(heard):
        yield ReferralReportedAgain.model_validate(report_fields(heard, ctx))
    else:
        cause = "AMENDMENT" if kind in (SignalType.AMENDED, SignalType.RETRACTED) else "CONFLICTING_OUTCOME"
        yield from quarantine(case, heard, cause, ctx)


def _already_said(referral: Referral, kind: SignalType) -> bool:
    return (referral.status, kind) in {
        (ReferralStatus.REJECTED, SignalType.REJECTED), (ReferralStatus.FAILED, SignalType.FAILED),
        (ReferralStatus.FAILED, SignalType.PARTNER_CANCELLED),
    }  # fmt: skip


def _same_no(case: Case, heard: PlacedSignal) -> bool:
    """The same no with nothing new in it."""
    said = [*case.every(ReferralRejected), *case.every(ReferralFailed)]
    mine = [told for told in said if told.referral_id == heard.referral.referral_id]
    again = _already_said(heard.referral, heard.signal.signal_type)
    return again and any(content(told) == content_of(heard) for told in mine)


def _ends_nothing(heard: PlacedSignal) -> bool:
    answers = OUTCOMES.get(heard.referral.asked_kind)
    return answers is not None and heard.signal.outcome_code in answers.goes_on


def _same_outcome(case: Case, heard: PlacedSignal) -> bool:
    """The same by content, not by name: an item or date of its own may be a second fact (rule SIGNAL.SAME_OUTCOME)."""
    referral = heard.referral
    answered: list[PartnerReport] = [*case.every(ReferralCompleted), *case.every(ReferralOutcomeAmended)]
    counts = [told for told in answered if told.signal_id == referral.completed_by]
    again = [told for told in case.every(ReferralReportedAgain) if told.referral_id == referral.referral_id]
    return any(content(told) == content_of(heard) for told in (*counts, *again))


def _may_be_another(heard: PlacedSignal) -> bool:
    """A second delivery under the same request, by its own particulars. It is shown, never taken for an error."""
    referral, signal = heard.referral, heard.signal
    same = signal.signal_type is SignalType.COMPLETED and signal.outcome_code == referral.outcome
    return same and referral.status is ReferralStatus.COMPLETED and referral.asked_kind in SEVERAL
