"""Hearing a partner: what a signal means for its referral, and what happens to one that means nothing.

A partner may only be able to say accept, reject and done: missing steps are inferred. Signals come twice, late, out
of order and contradictory: each ends as applied, ignored with a reason, late, or quarantined (domain.md 5.3).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from domain.calendar import LIBYA
from domain.case import Case, CaseReopenProposed, RestrictedFactRecorded
from domain.event import Event
from domain.evidence import on_behalf
from domain.gate import Trigger, revocations
from domain.messages import ReceivePartnerSignal
from domain.moment import Moment, Unplaceable
from domain.payloads import ANSWERS, CARE_KINDS, SEVERAL, SLOTS, Stripped, flaw, grave, placed, strip
from domain.referral import (
    DisclosureRecorded,
    LateSignalRecorded,
    PartnerSignalIgnored,
    PartnerSignalQuarantined,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralCompleted,
    ReferralFailed,
    ReferralOutcomeAmended,
    ReferralPaused,
    ReferralProgressReported,
    ReferralRejected,
    ReferralReportedAgain,
    ReferralResumed,
    ReferralStarted,
    Told,
)
from domain.referral_state import Referral
from domain.steps import hold, task
from domain.words import STATEMENTS, TERMINAL, HoldType, ReferralStatus, SignalType

S = ReferralStatus
T = SignalType


@dataclass(frozen=True)
class Heard:
    """A signal, placed: the referral it speaks of, what it says, and when it was received if that was earlier."""

    referral: Referral
    signal: ReceivePartnerSignal
    stripped: Stripped
    received_at: datetime | None = None

    @property
    def hold(self) -> HoldType | None:
        """What it holds by itself, whoever says it and however late."""
        return grave(self.referral.asked_kind, self.signal.outcome_code, self.signal.payload)


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


FLOW: Final = (T.ACKNOWLEDGED, T.ACCEPTED, T.STARTED, T.COMPLETED)
REACHED: Final[Mapping[ReferralStatus, int]] = {
    S.SENT: -1, S.ACKNOWLEDGED: 0, S.ACCEPTED: 1, S.IN_PROGRESS: 2, S.ON_HOLD: 2, S.COMPLETED: 3,
}  # fmt: skip
_ALIVE: Final = frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS, S.ON_HOLD})
ALLOWED: Final[Mapping[SignalType, frozenset[ReferralStatus]]] = {
    T.ACKNOWLEDGED: frozenset({S.SENT}),
    T.ACCEPTED: frozenset({S.SENT, S.ACKNOWLEDGED}),
    T.REJECTED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED}),
    T.STARTED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED}),
    T.PROGRESS: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS}),
    T.PAUSED: frozenset({S.SENT, S.ACKNOWLEDGED, S.ACCEPTED, S.IN_PROGRESS}),
    T.RESUMED: frozenset({S.ON_HOLD}),
    T.COMPLETED: _ALIVE,
    T.FAILED: _ALIVE,
    T.PARTNER_CANCELLED: _ALIVE,
    T.AMENDED: frozenset(),
    T.RETRACTED: frozenset(),
}
ENDINGS: Final = frozenset({T.COMPLETED, T.REJECTED, T.FAILED, T.PARTNER_CANCELLED, T.AMENDED, T.RETRACTED})
"""What is never merely out of order: it contradicts whatever else is known."""


def hear(case: Case, signal: ReceivePartnerSignal, m: Moment) -> Iterator[Event]:
    """What a partner's signal does to its referral. What it means for a stage is the stage's to say."""
    heard = place(case, signal)
    yield from on_behalf(heard.referral.referral_id, signal, m)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, m)
        return
    before = _heard_before(case, signal)
    if any(_says_the_same(told, heard) for told in before):
        yield _ignored(heard, "ALREADY_HEARD", m)
        return
    if late := _too_late(case, heard.referral):
        yield from _late(case, heard, late, m)
    elif doubt := _doubt(case, heard, before):
        yield from _quarantine(case, heard, doubt, m)
    else:
        yield from _taken(case, heard, m)
    yield from _not_asked_for(heard)


def hear_in_doubt(case: Case, signal: ReceivePartnerSignal, doubt: str, m: Moment) -> Iterator[Event]:
    """Something that is never taken at its word: it waits for a person, unless it is the person's own or too late."""
    heard = place(case, signal)
    if signal.signal_type in STATEMENTS:
        yield from _statement(case, heard, m)
    elif late := _too_late(case, heard.referral):
        yield from _late(case, heard, late, m)
    else:
        yield from _quarantine(case, heard, doubt, m)


def _taken(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """Authentic, in time, and fit: a step on the way, or a word after the end."""
    ended = heard.referral.status in TERMINAL
    if ended or heard.signal.signal_type in (T.AMENDED, T.RETRACTED):
        yield from _after_the_end(case, heard, m)
    else:
        yield from _along_the_way(case, heard, m)


def _too_late(case: Case, referral: Referral) -> str | None:
    if case.closed:
        return "CASE_CLOSED"
    ended = referral.status in (S.CANCELLED, S.EXPIRED, S.ENTERED_IN_ERROR)
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
    if signal.signal_type is T.CONTACT_CHANGED:
        yield task("check the person's new contact", "COUNSELLOR", urgent, m, subject=str(signal.signal_id))
        return
    if signal.signal_type is T.CONCERN_REPORTED:
        yield from revocations(case, Trigger.PROTECTION_HOLD)
    kind = HoldType.CONSENT if signal.signal_type is T.WITHDRAWAL_REPORTED else HoldType.PROTECTION
    if not case.departed:
        yield hold(kind, m, subtype=signal.signal_type)
    yield task("contact the person", "PROTECTION_OFFICER", urgent, m, subject=str(signal.signal_id))


def _without_words(heard: Heard) -> Heard:
    """What the person said is under its own seal already."""
    bare = heard.signal.model_copy(update={"reason": None, "payload": {}, "attachments": ()})
    return replace(heard, signal=bare, stripped=Stripped({}, {}))


# Too late


MATERIAL: Final = frozenset({T.CONCERN_REPORTED, T.WITHDRAWAL_REPORTED})


def _late(case: Case, heard: Heard, disposition: str, m: Moment) -> Iterator[Event]:
    """It changes no status. What matters to a person's safety holds the journey all the same, until somebody looks."""
    signal = heard.signal
    yield LateSignalRecorded.model_validate({**told_of(heard, m), **_from(signal), "disposition": disposition})
    material = heard.hold is not None or signal.signal_type in MATERIAL
    if material:
        yield from _looked_at(case, heard, m)
    elif disposition == "REFERRAL_EXPIRED" and signal.signal_type is T.COMPLETED:
        within = m.policy.pinned.quarantine_review
        yield task("use a late answer, or ask again", "CASE_SUPERVISOR", within, m, subject=str(signal.signal_id))
    if material and case.closed and not case.reopen_proposed:
        yield CaseReopenProposed(trigger=f"signal {signal.signal_id}")


def _looked_at(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """What moves no referral any more and may be a danger all the same: held at once, and a person looks in hours."""
    yield from held(case, heard, m)
    queue = "MEDICAL_OFFICER" if heard.referral.asked_kind in CARE_KINDS else "PROTECTION_OFFICER"
    within = m.policy.pinned.late_result_review
    yield task("look at a late result", queue, within, m, subject=str(heard.signal.signal_id))


def held(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """A grave answer holds the journey from its receipt (domain.md 00, 3), once."""
    kind = heard.hold
    if kind is not None and not case.closed and not case.departed and not case.holds_of(kind):
        yield hold(kind, m)


# After the end


def _after_the_end(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """A signal on a referral that has ended: the same again is noise, an earlier step is late, the rest is doubt."""
    referral, kind = heard.referral, heard.signal.signal_type
    if (kind in (T.COMPLETED, T.AMENDED) and _same_outcome(case, heard)) or _same_no(case, heard):
        yield _ignored(heard, "ALREADY_TERMINAL_SAME_OUTCOME", m)
    elif _already_said(referral, kind):
        yield from _overtaken(case, heard, "ALREADY_TERMINAL_SAME_OUTCOME", m)
    elif kind not in ENDINGS or _ends_nothing(heard):
        yield from _overtaken(case, heard, "OUT_OF_ORDER_SUPERSEDED", m)
    elif _may_be_another(heard):
        yield ReferralReportedAgain.model_validate(told_of(heard, m))
    else:
        cause = "AMENDMENT" if kind in (T.AMENDED, T.RETRACTED) else "CONFLICTING_OUTCOME"
        yield from _quarantine(case, heard, cause, m)


def _overtaken(case: Case, heard: Heard, cause: str, m: Moment) -> Iterator[Event]:
    """It moves nothing any more. What is grave in it counts, however it comes (domain.md 00, 3)."""
    yield _ignored(heard, cause, m)
    if heard.hold is not None:
        yield from _looked_at(case, heard, m)


def _already_said(referral: Referral, kind: SignalType) -> bool:
    return (referral.status, kind) in {
        (S.REJECTED, T.REJECTED), (S.FAILED, T.FAILED), (S.FAILED, T.PARTNER_CANCELLED),
    }  # fmt: skip


def _same_no(case: Case, heard: Heard) -> bool:
    """The same no with nothing new in it."""
    said = [*case.every(ReferralRejected), *case.every(ReferralFailed)]
    mine = [told for told in said if told.referral_id == heard.referral.referral_id]
    again = _already_said(heard.referral, heard.signal.signal_type)
    return again and any(_content(told) == _content_of(heard) for told in mine)


def _ends_nothing(heard: Heard) -> bool:
    answers = ANSWERS.get(heard.referral.asked_kind)
    return answers is not None and heard.signal.outcome_code in answers.goes_on


def _same_outcome(case: Case, heard: Heard) -> bool:
    """The same by content, not by name: an item or date of its own may be a second fact (domain.md 00, 5)."""
    referral = heard.referral
    answered: list[Told] = [*case.every(ReferralCompleted), *case.every(ReferralOutcomeAmended)]
    counts = [told for told in answered if told.signal_id == referral.completed_by]
    again = [told for told in case.every(ReferralReportedAgain) if told.referral_id == referral.referral_id]
    return any(_content(told) == _content_of(heard) for told in (*counts, *again))


def _may_be_another(heard: Heard) -> bool:
    """A second delivery under the same request, by its own particulars. It is shown, never taken for an error."""
    referral, signal = heard.referral, heard.signal
    same = signal.signal_type is T.COMPLETED and signal.outcome_code == referral.outcome
    return same and referral.status is S.COMPLETED and referral.asked_kind in SEVERAL


# Along the way


def _along_the_way(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    referral, signal = heard.referral, heard.signal
    if referral.status is S.DRAFT:
        raise Unplaceable("NOT_SENT", "the referral has not been sent")
    if signal.signal_type is T.PROGRESS and _stale(referral, signal.partner_seq):
        yield from _overtaken(case, heard, "STALE_SEQUENCE", m)
    elif referral.status in ALLOWED[said := _meant(case, heard)] or _says_yes_late(heard):
        yield from _said_too_early(case, heard, m) or step(case, heard, m)
    elif said in ENDINGS:
        yield from _quarantine(case, heard, "CONFLICTING_OUTCOME", m)
    else:
        yield from _overtaken(case, heard, "OUT_OF_ORDER_SUPERSEDED", m)


def _stale(referral: Referral, seq: int | None) -> bool:
    return seq is not None and referral.last_seq is not None and seq <= referral.last_seq


def _says_yes_late(heard: Heard) -> bool:
    """An acceptance with a word of its own, overtaken by what followed it: the word would be lost otherwise."""
    said = heard.signal.signal_type is T.ACCEPTED and heard.signal.outcome_code is not None
    return said and heard.referral.status in (S.IN_PROGRESS, S.ON_HOLD) and not heard.referral.accepted


def _said_too_early(case: Case, heard: Heard, m: Moment) -> Iterator[Event] | None:
    """Something that can only be true once the person has travelled, and the person has not."""
    answers = ANSWERS.get(heard.referral.asked_kind)
    if answers is None or case.departed or heard.signal.outcome_code not in answers.only_after:
        return None
    return _quarantine(case, heard, "BEFORE_DEPARTURE", m)


STEPS: Final[Mapping[SignalType, type[Told]]] = {
    T.ACKNOWLEDGED: ReferralAcknowledged,
    T.ACCEPTED: ReferralAccepted,
    T.STARTED: ReferralStarted,
    T.PROGRESS: ReferralProgressReported,
    T.PAUSED: ReferralPaused,
    T.RESUMED: ReferralResumed,
    T.COMPLETED: ReferralCompleted,
    T.REJECTED: ReferralRejected,
    T.FAILED: ReferralFailed,
    T.PARTNER_CANCELLED: ReferralFailed,
}


def step(case: Case, heard: Heard, m: Moment) -> Iterator[Event]:
    """One step of the loop, and what it brings about by itself."""
    said = _meant(case, heard)
    more = PARTICULARS.get(said, _nothing)(case, heard, m)
    yield STEPS[said].model_validate({**told_of(heard, m), **more})
    if said is not T.COMPLETED:  # a completion's consequences are its stage's to draw
        yield from held(case, heard, m)


def _meant(case: Case, heard: Heard) -> SignalType:
    """Done, with an outcome that ends nothing, is progress; done before the flight of what comes after it is a yes."""
    said, answers = heard.signal.signal_type, ANSWERS.get(heard.referral.asked_kind)
    if said is not T.COMPLETED or answers is None:
        return said
    code = heard.signal.outcome_code
    if code in answers.goes_on:
        return T.PROGRESS
    promised = code in answers.promises or (code is None and bool(answers.promises))
    return T.ACCEPTED if promised and not case.departed else T.COMPLETED


Particulars = Callable[[Case, Heard, Moment], dict[str, Any]]


def _nothing(_case: Case, _heard: Heard, _m: Moment) -> dict[str, Any]:
    return {}


def _inferred(_case: Case, heard: Heard, _m: Moment) -> dict[str, Any]:
    """The steps that the partner did not report and must have taken."""
    until = FLOW.index(heard.signal.signal_type)
    missing = [one.value for one in FLOW[1:until] if FLOW.index(one) > REACHED[heard.referral.status]]
    return {"inferred_steps": tuple(missing)}


def _next_step(step_name: str) -> Particulars:
    """Who was late with one step has as long for the next as it had to answer at first."""

    def later(case: Case, heard: Heard, m: Moment) -> dict[str, Any]:
        referral = heard.referral
        answer = case.policy.pinned.answer(referral.kind, urgent=referral.urgent)
        due = referral.dues.get(step_name)
        at_least = m.directory.calendar(referral.partner_id).after(m.at, answer.ack)
        return {"dues": {step_name: at_least}} if due is not None and due < at_least else {}

    return later


def _progress(case: Case, heard: Heard, m: Moment) -> dict[str, Any]:
    """Progress may say that the completion takes longer, such as a file that was sent to the capital."""
    referral, signal = heard.referral, heard.signal
    longer = case.policy.pinned.longer.get(referral.kind, {}).get(signal.outcome_code or "")
    told: dict[str, Any] = {"partner_seq": signal.partner_seq}
    if longer is not None:
        due = m.directory.calendar(referral.partner_id).after(m.at, longer)
        told["dues"] = {name: max(due, referral.dues[name]) for name in ("complete", "stands") if name in referral.dues}
    return told


PARTICULARS: Final[Mapping[SignalType, Particulars]] = {
    T.ACKNOWLEDGED: _next_step("accept"),
    T.ACCEPTED: _next_step("start"),
    T.STARTED: _inferred,
    T.PROGRESS: _progress,
    T.PAUSED: lambda _case, heard, _m: {"until": heard.signal.until},
    T.RESUMED: lambda _case, heard, m: {"dues": heard.referral.dues_after(m.at)},
    T.COMPLETED: _inferred,
    T.PARTNER_CANCELLED: lambda _case, _heard, _m: {"why": "PARTNER_WITHDREW"},
}


# What is kept of it


def told_of(heard: Heard, m: Moment) -> dict[str, Any]:
    """The fields that every fact about a signal has: whose, what, and by which clock."""
    referral, signal, stripped = heard.referral, heard.signal, heard.stripped
    answer: dict[str, Any] = {"payload": stripped.asked, "reason": signal.reason}
    if signal.attachments:
        answer["attachments"] = [each.model_dump() for each in signal.attachments]
    return {
        "referral_id": referral.referral_id,
        "kind": referral.kind,
        "signal_id": signal.signal_id,
        "occurred_at": signal.occurred_at,
        "skew_s": _skew(signal.occurred_at, heard.received_at or m.at, m),
        "received_at": heard.received_at,
        **placed(referral.asked_kind, answer, signal.outcome_code),
        **{SLOTS[seal]: {"stripped": part} for seal, part in stripped.beyond.items()},
    }


def _from(signal: ReceivePartnerSignal) -> dict[str, Any]:
    return {"partner_id": signal.partner_id, "signal_type": signal.signal_type}


def _skew(claimed: datetime, received: datetime, m: Moment) -> int | None:
    """How far a partner's clock is off in seconds, if it is remarkably ahead or what it says is remarkably old."""
    in_force = m.policy.in_force
    ahead = claimed > LIBYA.after(received, in_force.clock_ahead)
    old = claimed < LIBYA.before(received, in_force.backdated)
    return int((claimed - received).total_seconds()) if ahead or old else None


def _ignored(heard: Heard, cause: str, m: Moment) -> PartnerSignalIgnored:
    signal = heard.signal
    return PartnerSignalIgnored.model_validate({**told_of(heard, m), **_from(signal), "cause": cause})


def _quarantine(case: Case, heard: Heard, cause: str, m: Moment) -> Iterator[Event]:
    """Until a person has decided it counts against travelling, and never for it. The same doubt is not kept twice."""
    signal = heard.signal
    if _waits_already(case, heard):
        yield _ignored(heard, "ALREADY_IN_QUARANTINE", m)
        return
    about = signal.subject_check
    yield PartnerSignalQuarantined.model_validate(
        {
            **told_of(heard, m),
            **_from(signal),
            "cause": cause,
            "supersedes": signal.supersedes_signal_id,
            "flaw": flaw(heard.referral.asked_kind, signal),
            "about": about.model_dump() if about else None,
        }
    )
    near = case.seat is not None
    within = m.policy.pinned.late_result_review if near else m.policy.pinned.quarantine_review
    yield task("resolve a doubtful signal", "CASE_SUPERVISOR", within, m, subject=str(signal.signal_id))


def _waits_already(case: Case, heard: Heard) -> bool:
    waiting = heard.referral.disputed
    return any(
        told.signal_id in waiting
        and told.signal_type is heard.signal.signal_type
        and told.about == (heard.signal.subject_check.model_dump() if heard.signal.subject_check else None)
        and _content(told) == _content_of(heard)
        for told in case.every(PartnerSignalQuarantined)
        if told.referral_id == heard.referral.referral_id
    )


def _not_asked_for(heard: Heard) -> Iterator[Event]:
    """A partner told more than its kind of referral asks for: recorded, and kept where it belongs (domain.md 5.3)."""
    if heard.stripped.beyond:
        yield DisclosureRecorded(
            recipient=heard.signal.partner_id,
            direction="IN",
            referral_id=heard.referral.referral_id,
            stripped=True,
            not_asked_for=heard.stripped.names,
        )


# Whether it was said before

SAYS: Final[Mapping[type[Told], frozenset[SignalType]]] = {
    ReferralAcknowledged: frozenset({T.ACKNOWLEDGED}),
    ReferralAccepted: frozenset({T.ACCEPTED, T.COMPLETED}),
    ReferralStarted: frozenset({T.STARTED}),
    ReferralProgressReported: frozenset({T.PROGRESS, T.COMPLETED}),
    ReferralPaused: frozenset({T.PAUSED}),
    ReferralResumed: frozenset({T.RESUMED}),
    ReferralCompleted: frozenset({T.COMPLETED}),
    ReferralReportedAgain: frozenset({T.COMPLETED}),
    ReferralRejected: frozenset({T.REJECTED}),
    ReferralFailed: frozenset({T.FAILED, T.PARTNER_CANCELLED}),
}
"""Which types of signal each fact may have come from."""
KEPT: Final = (PartnerSignalIgnored, PartnerSignalQuarantined, LateSignalRecorded)


def _heard_before(case: Case, signal: ReceivePartnerSignal) -> list[Told]:
    """All that was recorded of signals of this very id."""
    facts: tuple[type[Told], ...] = (*SAYS, *KEPT)
    return [told for fact in facts for told in case.every(fact) if told.signal_id == signal.signal_id]


def _says_the_same(before: Told, heard: Heard) -> bool:
    types = {before.signal_type} if isinstance(before, KEPT) else SAYS[type(before)]
    same_reason = before.told.get("reason") == heard.signal.reason
    return heard.signal.signal_type in types and same_reason and _content(before) == _content_of(heard)


def _content(told: Told) -> str:
    return _canonical(told.outcome, told.content)


def _content_of(heard: Heard) -> str:
    return _canonical(heard.signal.outcome_code, heard.signal.payload)


def _canonical(outcome: str | None, payload: Mapping[str, Any]) -> str:
    return json.dumps([outcome, dict(payload)], sort_keys=True, default=str)
