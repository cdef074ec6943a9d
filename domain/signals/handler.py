"""Hearing a partner: what a signal means for its referral, and what happens to one that means nothing.

A partner may only be able to say accept, reject and done: missing steps are inferred. Signals come twice, late, out
of order and contradictory: each ends as applied, ignored with a reason, late, or quarantined (domain.md 5.3).
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
    ReferralCompleted,
    ReferralFailed,
    ReferralOutcomeAmended,
    ReferralRejected,
    ReferralReportedAgain,
    Told,
)
from domain.events.signal import LateSignalRecorded
from domain.kernel.context import Moment
from domain.kernel.errors import Unplaceable
from domain.kernel.event import Event
from domain.kernel.vocabulary import STATEMENTS, TERMINAL, HoldType, ReferralStatus, SignalType
from domain.referral.compartments import Stripped, strip
from domain.referral.outcomes import ANSWERS, SEVERAL, flaw
from domain.signals.placed_signal import (
    Heard,
    content,
    content_of,
    heard_before,
    ignored,
    looked_at,
    not_asked_for,
    on_behalf,
    overtaken,
    quarantine,
    says_the_same,
    sender_of,
    told_of,
)
from domain.signals.transitions import ENDINGS, along_the_way


def place(case: Case, signal: ReceivePartnerSignal) -> Heard:
    """Find what a signal speaks of. What cannot be placed is for a person, and the partner is told nothing of it.

    The person's own word counts from whoever brings it, whosever referral it was told on (domain.md 00, 2).
    """
    referral = case.referral_with(signal.referral_token)
    if referral is None:
        raise Unplaceable("UNKNOWN_REFERRAL", "no referral of this case has that token")
    if referral.partner_id != signal.partner_id and signal.signal_type not in STATEMENTS:
        raise Unplaceable("NOT_OWNER", f"the referral belongs to another partner than {signal.partner_id}")
    return Heard(referral, signal, strip(referral.asked_kind, signal.payload))


def line_of(signal_id: UUID, number: int) -> UUID:
    """The identity of one line of a list that came as one signal: each is taken once, however often the list comes."""
    return uuid5(signal_id, str(number))


def hear(case: Case, signal: ReceivePartnerSignal, m: Moment) -> Iterator[Event]:
    """What a partner's signal does to its referral. What it means for a stage is the stage's to say."""
    heard = place(case, signal)
    yield from on_behalf(heard.referral.referral_id, signal, m)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, m)
        return
    before = heard_before(case, signal)
    if any(says_the_same(told, heard) for told in before):
        yield ignored(heard, "ALREADY_HEARD", m)
        return
    if late := _too_late(case, heard.referral):
        yield from _late(case, heard, late, m)
    elif doubt := _doubt(case, heard, before):
        yield from quarantine(case, heard, doubt, m)
    else:
        yield from _taken(case, heard, m)
    yield from not_asked_for(heard)


def hear_in_doubt(case: Case, signal: ReceivePartnerSignal, doubt: str, m: Moment) -> Iterator[Event]:
    """Something that is never taken at its word: it waits for a person, unless it is the person's own or too late."""
    heard = place(case, signal)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, m)
    elif late := _too_late(case, heard.referral):
        yield from _late(case, heard, late, m)
    else:
        yield from quarantine(case, heard, doubt, m)


def _taken(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """Authentic, in time, and fit: a step on the way, or a word after the end."""
    ended = heard.referral.status in TERMINAL
    if ended or heard.signal.signal_type in (SignalType.AMENDED, SignalType.RETRACTED):
        yield from _after_the_end(case, heard, m)
    else:
        yield from along_the_way(case, heard, m)


def _too_late(case: Case, referral: Referral) -> str | None:
    if case.closed:
        return "CASE_CLOSED"
    ended = referral.status in (ReferralStatus.CANCELLED, ReferralStatus.EXPIRED, ReferralStatus.ENTERED_IN_ERROR)
    return f"REFERRAL_{referral.status}" if ended else None


def _doubt(case: Case, heard: Heard, before: Sequence[Told]) -> str | None:
    """Why a person must look first, before anything else is asked of the signal."""
    if before:
        return "CONFLICTING_DUPLICATE"
    if mismatched(case, heard.signal):
        return "IDENTITY_MISMATCH"
    return "SCHEMA" if flaw(heard.referral.asked_kind, heard.signal) else None


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


# What the person says through a partner


def _statement(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """The person's own word through a partner: never stale, whatever the state of referral or case."""
    signal = heard.signal
    yield RestrictedFactRecorded(
        compartment_class="PROT",
        true_name=signal.signal_type,
        content={"reason": signal.reason, "payload": signal.payload, "partner_id": signal.partner_id},
    )
    if case.closed:
        yield from _late(case, _without_words(heard), "CASE_CLOSED", m)
        return
    urgent = m.policy.pinned.withdrawal_contact
    if signal.signal_type is SignalType.CONTACT_CHANGED:
        yield task("check the person's new contact", "COUNSELLOR", urgent, m, subject=str(signal.signal_id))
        return
    if signal.signal_type is SignalType.CONCERN_REPORTED:
        yield from revocations(case, Trigger.PROTECTION_HOLD)
    kind = HoldType.CONSENT if signal.signal_type is SignalType.WITHDRAWAL_REPORTED else HoldType.PROTECTION
    if not case.departed:
        yield hold(kind, m, subtype=signal.signal_type)
    yield task("contact the person", "PROTECTION_OFFICER", urgent, m, subject=str(signal.signal_id))


def _without_words(heard: Heard) -> Heard:
    """What the person said is under its own seal already."""
    bare = heard.signal.model_copy(update={"reason": None, "payload": {}, "attachments": ()})
    return replace(heard, signal=bare, stripped=Stripped({}, {}))


# Too late

MATERIAL: Final = frozenset({SignalType.CONCERN_REPORTED, SignalType.WITHDRAWAL_REPORTED})


def _late(case: Case, heard: Heard, disposition: str, m: Moment) -> Iterator[Event]:
    """It changes no status. What matters to a person's safety holds the journey all the same, until somebody looks."""
    signal = heard.signal
    yield LateSignalRecorded.model_validate({**told_of(heard, m), **sender_of(signal), "disposition": disposition})
    material = heard.hold is not None or signal.signal_type in MATERIAL
    if material:
        yield from looked_at(case, heard, m)
    elif disposition == "REFERRAL_EXPIRED" and signal.signal_type is SignalType.COMPLETED:
        within = m.policy.pinned.quarantine_review
        yield task("use a late answer, or ask again", "CASE_SUPERVISOR", within, m, subject=str(signal.signal_id))
    if material and case.closed and not case.reopen_proposed:
        yield CaseReopenProposed(trigger=f"signal {signal.signal_id}")


# After the end


def _after_the_end(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """A signal on a referral that has ended: the same again is noise, an earlier step is late, the rest is doubt."""
    referral, kind = heard.referral, heard.signal.signal_type
    if (kind in (SignalType.COMPLETED, SignalType.AMENDED) and _same_outcome(case, heard)) or _same_no(case, heard):
        yield ignored(heard, "ALREADY_TERMINAL_SAME_OUTCOME", m)
    elif _already_said(referral, kind):
        yield from overtaken(case, heard, "ALREADY_TERMINAL_SAME_OUTCOME", m)
    elif kind not in ENDINGS or _ends_nothing(heard):
        yield from overtaken(case, heard, "OUT_OF_ORDER_SUPERSEDED", m)
    elif _may_be_another(heard):
        yield ReferralReportedAgain.model_validate(told_of(heard, m))
    else:
        cause = "AMENDMENT" if kind in (SignalType.AMENDED, SignalType.RETRACTED) else "CONFLICTING_OUTCOME"
        yield from quarantine(case, heard, cause, m)


def _already_said(referral: Referral, kind: SignalType) -> bool:
    return (referral.status, kind) in {
        (ReferralStatus.REJECTED, SignalType.REJECTED), (ReferralStatus.FAILED, SignalType.FAILED),
        (ReferralStatus.FAILED, SignalType.PARTNER_CANCELLED),
    }  # fmt: skip


def _same_no(case: Case, heard: Heard) -> bool:
    """The same no with nothing new in it."""
    said = [*case.every(ReferralRejected), *case.every(ReferralFailed)]
    mine = [told for told in said if told.referral_id == heard.referral.referral_id]
    again = _already_said(heard.referral, heard.signal.signal_type)
    return again and any(content(told) == content_of(heard) for told in mine)


def _ends_nothing(heard: Heard) -> bool:
    answers = ANSWERS.get(heard.referral.asked_kind)
    return answers is not None and heard.signal.outcome_code in answers.goes_on


def _same_outcome(case: Case, heard: Heard) -> bool:
    """The same by content, not by name: an item or date of its own may be a second fact (domain.md 00, 5)."""
    referral = heard.referral
    answered: list[Told] = [*case.every(ReferralCompleted), *case.every(ReferralOutcomeAmended)]
    counts = [told for told in answered if told.signal_id == referral.completed_by]
    again = [told for told in case.every(ReferralReportedAgain) if told.referral_id == referral.referral_id]
    return any(content(told) == content_of(heard) for told in (*counts, *again))


def _may_be_another(heard: Heard) -> bool:
    """A second delivery under the same request, by its own particulars. It is shown, never taken for an error."""
    referral, signal = heard.referral, heard.signal
    same = signal.signal_type is SignalType.COMPLETED and signal.outcome_code == referral.outcome
    return same and referral.status is ReferralStatus.COMPLETED and referral.asked_kind in SEVERAL
