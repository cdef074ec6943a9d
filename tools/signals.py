"""The reference page for partners' developers: every signal, field, outcome and error, from the tables in the code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.labels import label
from domain.kernel.policy import NEWEST
from domain.kernel.vocabulary import STATEMENTS, ReferralKind, ReferralStatus, SignalType
from domain.referral.disclosure import MAY_SEE, RECIPIENT_OF
from domain.referral.outcomes import OUTCOMES, SIGNAL_DESCRIPTIONS, outcomes_of
from domain.signals.transitions import ALLOWED
from gateway.http.problems import PROBLEMS
from tools.payload_examples import EXAMPLES

PAGE: Final = Path(__file__).parent.parent / "docs" / "partners" / "signals.md"

FIELDS: Final[Mapping[str, str]] = {
    "signal_id": "a UUID that you choose for this report; a correction refers to it",
    "referral_token": "the token of the referral, as you received it",
    "partner_id": "your partner id; optional",
    "signal_type": "one of the types above",
    "outcome_code": "the outcome; see the kinds of referral below",
    "reason": "an explanation in your own words; stored encrypted",
    "payload": "details of the outcome; see the kinds of referral below",
    "occurred_at": "when it happened, with the time zone",
    "sent_at": "when you first sent the signal",
    "partner_seq": "a number that increases with each progress report",
    "supersedes_signal_id": "the signal that this one corrects",
    "subject_check": "the person you mean: `given_name`, and `year_of_birth` if known",
    "payload_version": "the version of the payload; 1 if omitted",
    "sheet_id": "omit this field; staff use it for sheets that partners return",
    "until": "the last day of a pause",
    "attachments": "files that you keep: `sha256` and `media_type` of each; do not send the files themselves",
}

ERRORS: Final[Mapping[str, str]] = {
    "signature": "check your key, your clock and the exact bytes; the response does not say which of them is wrong",
    "id-reused": "use a new id for a new signal; this id belongs to another body",
    "too-large": "send a smaller body; name attachments by their hash only",
    "media-type": "send `application/cloudevents+json`",
    "shape": "correct the fields listed in `errors`; nothing was stored",
    "internal": "send the same request again later, with the same id",
    "unavailable": "send the same request again later, with the same id",
}

RETRY: Final = frozenset({"internal", "unavailable"})


def page() -> str:
    return "\n".join([*_head(), *_signals(), *_fields(), *_kinds(), *_examples(), *_disclosed(), *_errors()]) + "\n"


def _head() -> Iterator[str]:
    yield "# Signal reference"
    yield ""
    yield "Every signal, field, outcome and error. [How to connect](README.md) explains how to send signals."
    yield ""
    yield "This page is generated from `domain/referral/outcomes.py`, `domain/referral/disclosure.py`,"
    yield "`domain/kernel/policy.py`, `gateway/http/problems.py` and `tools/payload_examples.py`."
    yield "Edit those files, then run `python -m tools.docs`."
    yield ""


def _signals() -> Iterator[str]:
    yield "## Types of signal"
    yield ""
    yield "`ACCEPTED`, `REJECTED` and `COMPLETED` are sufficient; the other types are optional."
    yield "Awda stores a signal that arrives too late or out of order, but it has no effect."
    yield ""
    yield "| `signal_type` | Meaning | Takes effect while the referral is |"
    yield "|---|---|---|"
    for signal in SignalType:
        yield f"| `{signal}` | {SIGNAL_DESCRIPTIONS[signal]} | {_while(signal)} |"
    yield ""


def _while(signal: SignalType) -> str:
    if signal in STATEMENTS:
        return "in any status: a statement of the person is never too late"
    statuses = [f"`{status}`" for status in ReferralStatus if status in ALLOWED[signal]]
    return ", ".join(statuses) or "`COMPLETED`, after staff have reviewed the signal"


def _fields() -> Iterator[str]:
    yield "## Fields of `data`"
    yield ""
    yield "The JSON Schema is at `/schemas/ReceivePartnerSignal.json`. A signal with any other field is rejected."
    yield ""
    yield "| Field | Required | Meaning |"
    yield "|---|---|---|"
    for name, field in ReceivePartnerSignal.model_fields.items():
        needed = "yes" if field.is_required() and name != "partner_id" else ""
        yield f"| `{name}` | {needed} | {FIELDS[name]} |"
    yield ""


def _kinds() -> Iterator[str]:
    yield f"## Kinds of referral (policy {NEWEST.edition})"
    yield ""
    yield "Times count from when the referral was sent: `h` clock hours, `d` days, `wd` working days in your calendar."
    yield "Outcomes are sent with `COMPLETED` unless another signal type is named."
    yield ""
    yield "| Kind | Recipient | Acknowledge within | Complete within | Outcomes | Fields of `payload` |"
    yield "|---|---|---|---|---|---|"
    for kind, recipient in RECIPIENT_OF.items():
        answer = NEWEST.pinned.answer(kind, urgent=False)
        read = ", ".join(f"`{name}`" for name in OUTCOMES[kind].payload.model_fields)
        outcomes = "; ".join(_carried(signal, codes) for signal, codes in outcomes_of(kind).items())
        yield f"| `{kind}` | {label(recipient)} | {answer.ack} | {answer.complete} | {outcomes} | {read} |"
    yield ""


def _examples() -> Iterator[str]:
    yield "## Example payloads"
    yield ""
    yield "Sent with `COMPLETED`."
    yield "Every field may be omitted, except those that [an outcome requires](README.md#3-what-you-send)."
    yield "The JSON Schema of each kind is at `/schemas/signals/KIND/v1.json`."
    yield ""
    yield "| Kind and outcome | `payload` |"
    yield "|---|---|"
    yield from (example_row(kind) for kind in RECIPIENT_OF)
    yield ""


def example_row(kind: ReferralKind) -> str:
    """Returns the row of a table with the example of a kind."""
    example = EXAMPLES[kind]
    return f"| `{kind}`, `{example.outcome}` | `{json.dumps(dict(example.payload))}` |"


def _carried(signal: SignalType, codes: tuple[str, ...]) -> str:
    listed = ", ".join(f"`{code}`" for code in codes)
    return listed if signal is SignalType.COMPLETED else f"with `{signal}`: {listed}"


def _disclosed() -> Iterator[str]:
    yield "## Personal data that you receive"
    yield ""
    yield "A referral contains at most these fields, and only those that are known."
    yield "Awda records every disclosure with the consent on which it is based."
    yield ""
    yield "| Recipient | Fields of `person` |"
    yield "|---|---|"
    for recipient, fields in MAY_SEE.items():
        yield f"| {label(recipient)} | {', '.join(f'`{name}`' for name in sorted(fields))} |"
    yield ""


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield ""
    yield "Errors are `application/problem+json` (RFC 9457). Their `type` is `/problems/` followed by the code below."
    yield ""
    yield "| Code | Status | Meaning | Retry | What to do |"
    yield "|---|---|---|---|---|"
    for code, action in ERRORS.items():
        status, title = PROBLEMS[code]
        yield f"| `{code}` | {status} | {title} | {'yes' if code in RETRY else 'no'} | {action} |"
