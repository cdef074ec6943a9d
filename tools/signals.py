"""The page for partners' programmers: every signal, field, outcome and error, from the tables that decide them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import STATEMENTS, ReferralStatus, SignalType
from domain.referral.disclosure import MAY_SEE, RECIPIENT_OF
from domain.referral.outcomes import OUTCOMES, SAYS, outcomes_of
from domain.signals.transitions import ALLOWED
from gateway.http.problems import PROBLEMS

PAGE: Final = Path(__file__).parent.parent / "docs" / "partners" / "signals.md"

FIELDS: Final[Mapping[str, str]] = {
    "signal_id": "a UUID of your own for what you report; a correction refers to it",
    "referral_token": "the token of the referral, as you received it",
    "partner_id": "your own name here; may be left out",
    "signal_type": "one of the types above",
    "outcome_code": "what came of it; see the kinds below",
    "reason": "in your own words; sealed here",
    "payload": "what belongs to the outcome; see the kinds below",
    "occurred_at": "when it happened, by your clock, with its zone",
    "sent_at": "when you first sent it",
    "partner_seq": "a number that grows with each progress report",
    "supersedes_signal_id": "the signal that this one corrects",
    "subject_check": "whom you believe to speak of: `given_name`, and `year_of_birth` if you know it",
    "payload_version": "which version of the kind's payload this is; 1 if left out",
    "sheet_id": "left out: it belongs to sheets that somebody of ours brings in",
    "until": "the day until which a pause lasts",
    "attachments": "files you keep: `sha256` and `media_type` of each; the files themselves are not sent here",
}

ERRORS: Final[Mapping[str, str]] = {
    "signature": "check key, clock and the exact bytes; it is not said which of them",
    "id-reused": "you used this id for another body: a new signal needs a new id",
    "too-large": "send less; attachments are named by their hash only",
    "media-type": "send `application/cloudevents+json`",
    "shape": "correct what `errors` points at; nothing was stored",
    "internal": "send it again later, under the same id",
    "unavailable": "send it again later, under the same id",
}

AGAIN: Final = frozenset({"internal", "unavailable"})


def page() -> str:
    return "\n".join([*_head(), *_signals(), *_fields(), *_kinds(), *_told(), *_errors()]) + "\n"


def _head() -> Iterator[str]:
    yield "# What may be said, and what comes of it"
    yield ""
    yield "This page is generated from `domain/referral/outcomes.py`, `domain/referral/disclosure.py`,"
    yield "`domain/kernel/policy.py` and `gateway/http/problems.py`; edit those, then `python -m tools.docs`."
    yield "How to send it is on [the first page](README.md)."
    yield ""


def _signals() -> Iterator[str]:
    yield "## Types of signal"
    yield ""
    yield "A partner that can only say `ACCEPTED`, `REJECTED` and `COMPLETED` says enough."
    yield "A signal that comes too late or out of order is kept and changes nothing."
    yield ""
    yield "| `signal_type` | Says | Takes effect while the referral is |"
    yield "|---|---|---|"
    for signal in SignalType:
        yield f"| `{signal}` | {SAYS[signal]} | {_while(signal)} |"
    yield ""


def _while(signal: SignalType) -> str:
    if signal in STATEMENTS:
        return "anything, at any time: the person's word is never late"
    statuses = [f"`{status}`" for status in ReferralStatus if status in ALLOWED[signal]]
    return ", ".join(statuses) or "`COMPLETED`, once a person has looked at it"


def _fields() -> Iterator[str]:
    yield "## Fields of `data`"
    yield ""
    yield "The JSON Schema is at `/schemas/ReceivePartnerSignal.json`; a field that is not in it is refused."
    yield ""
    yield "| Field | Needed | Means |"
    yield "|---|---|---|"
    for name, field in ReceivePartnerSignal.model_fields.items():
        needed = "yes" if field.is_required() and name != "partner_id" else ""
        yield f"| `{name}` | {needed} | {FIELDS[name]} |"
    yield ""


def _kinds() -> Iterator[str]:
    yield f"## Kinds of referral (policy {NEWEST.edition})"
    yield ""
    yield "Times are counted from sending: `h` clock hours, `d` days, `wd` working days in your own calendar."
    yield "Outcomes belong to `COMPLETED`, unless another signal is named."
    yield ""
    yield "| Kind | You are | Acknowledge | Complete | Outcomes | Read from `payload` |"
    yield "|---|---|---|---|---|---|"
    for kind, recipient in RECIPIENT_OF.items():
        answer = NEWEST.pinned.answer(kind, urgent=False)
        read = ", ".join(f"`{name}`" for name in OUTCOMES[kind].payload.model_fields)
        outcomes = "; ".join(_carried(signal, codes) for signal, codes in outcomes_of(kind).items())
        yield f"| `{kind}` | {recipient} | {answer.ack} | {answer.complete} | {outcomes} | {read} |"
    yield ""


def _carried(signal: SignalType, codes: tuple[str, ...]) -> str:
    listed = ", ".join(f"`{code}`" for code in codes)
    return listed if signal is SignalType.COMPLETED else f"with `{signal}`: {listed}"


def _told() -> Iterator[str]:
    yield "## What you are told about a person"
    yield ""
    yield "Never more than this, and only what is known; each telling is recorded with the consent it rests on."
    yield ""
    yield "| You are | Fields of `person` |"
    yield "|---|---|"
    for recipient, fields in MAY_SEE.items():
        yield f"| {recipient} | {', '.join(f'`{name}`' for name in sorted(fields))} |"
    yield ""


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield ""
    yield "Every error is `application/problem+json` (RFC 9457); `type` is `/problems/` and the word below."
    yield ""
    yield "| Word | Status | Means | Send the same again | What to do |"
    yield "|---|---|---|---|---|"
    for word, todo in ERRORS.items():
        status, title = PROBLEMS[word]
        yield f"| `{word}` | {status} | {title} | {'yes' if word in AGAIN else 'no'} | {todo} |"
