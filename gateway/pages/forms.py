"""Reads the forms of the pages. Spelling is handled tolerantly; sizes are limited strictly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from domain.kernel.vocabulary import ReferralKind
from gateway.http.problems import ProblemError
from gateway.http.request_body import read_body
from gateway.pages.outcome_choices import (
    CHECKBOXES,
    DAY_FIELD,
    DOCUMENT_FIELDS,
    DOCUMENT_KINDS,
    FINAL_SIGNALS,
    ISSUING,
    NEGATIVE_SIGNALS,
    NUMBER_FIELD,
    OutcomeChoice,
    named,
)
from gateway.partner_access.task_links import LinkAnswer

FORM: Final = "application/x-www-form-urlencoded"

FORM_BYTES: Final = 32 * 1024

MOST_FIELDS: Final = 30

NOTE: Final = 2000

SHORT: Final = 120

YEARS: Final = range(1900, 2200)

_DIGITS_ONLY: Final = re.compile(r"[\s\-.]+")

_LOCAL: Final = "+218"


@dataclass(frozen=True)
class FormData:
    """The fields of a form, each once, without control characters."""

    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        return self.fields.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """An error in a form: the key of its text, and the field that it is about."""

    text_key: str
    field: str


async def read_form(request: Request) -> FormData:
    """Returns the form in a request. Raises ``ProblemError`` when it is not a form or too large."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise ProblemError("media-type", f"the content type must be {FORM}: submit the form of the page")
    body = await read_body(request, FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:  # not ASCII, not UTF-8 behind the percent signs, or too many fields
        raise ProblemError("bad-json", "the form cannot be read: open the page again and submit its form") from None
    return FormData({name: _plain(value) for name, value in reversed(pairs)})


def _plain(text: str) -> str:
    """Returns the text without control characters, which no answer needs and later steps cannot process."""
    lines = text.replace("\r\n", "\n")
    return "".join(each for each in lines if each == "\n" or unicodedata.category(each) not in ("Cc", "Cs"))


def digits(text: str) -> str:
    """Returns the text with the digits of any script as 0-9 (also ٠١٢), without spaces, hyphens and dots."""
    return "".join(_digit(each) for each in _DIGITS_ONLY.sub("", text))


def _digit(letter: str) -> str:
    value = unicodedata.digit(letter, None)
    return letter if value is None else str(value)


def telephone(text: str) -> str | None:
    """Returns the number in E.164 format, or ``None`` if it is not one. Without a country code it is Libyan."""
    number = digits(text.replace("(", "").replace(")", ""))
    number = "+" + number[2:] if number.startswith("00") else number
    number = _LOCAL + number[1:] if number.startswith("0") else number
    return number if re.fullmatch(r"\+[1-9][0-9]{6,14}", number) else None


def answer(form: FormData, kind: ReferralKind | None, today: date) -> LinkAnswer | list[InvalidEntry]:
    """Returns the answer in a form, or all of its errors. ``today`` is the date in the partner's time zone."""
    choice, note, day = named(kind, form.get("say")), form.get("note"), _day(form.get("day"))
    errors = [*_choice_errors(choice, note), *_day_errors(day, today), *_document_errors(form, kind, choice)]
    if len(note) > NOTE:
        errors.append(InvalidEntry("too_long", "note"))
    if errors or choice is None or isinstance(day, InvalidEntry):
        return errors
    return LinkAnswer(
        choice.signal,
        choice.outcome,
        note or None,
        day,
        _details(form, kind, choice, day),
        ends=choice.signal in FINAL_SIGNALS,
        text_key=choice.text_key,
    )


def _choice_errors(choice: OutcomeChoice | None, note: str) -> list[InvalidEntry]:
    if choice is None:
        return [InvalidEntry("choose_one", "say")]
    return [InvalidEntry("reason_needed", "note")] if choice.signal in NEGATIVE_SIGNALS and not note else []


def _day_errors(day: date | InvalidEntry | None, today: date) -> list[InvalidEntry]:
    if isinstance(day, InvalidEntry):
        return [day]
    return [InvalidEntry("day_ahead", "day")] if day is not None and day > today else []


def _document_errors(form: FormData, kind: ReferralKind | None, choice: OutcomeChoice | None) -> list[InvalidEntry]:
    """Requires number and expiry date of an issued document: without them it cannot be used for travel."""
    number = NUMBER_FIELD.get(kind) if kind else None
    if number is None or choice is None or choice.outcome not in ISSUING:
        return []
    expires_on = _day(form.get("expires_on"))
    if not form.get(number) or len(form.get(number)) > SHORT or expires_on is None:
        return [InvalidEntry("number_needed" if number == "number" else "permit_number_needed", number)]
    return [InvalidEntry("expiry_unclear", "expires_on")] if isinstance(expires_on, InvalidEntry) else []


def _details(
    form: FormData, kind: ReferralKind | None, choice: OutcomeChoice, day: date | None
) -> dict[str, str | bool]:
    """Returns the payload fields that a page asks for."""
    if kind is None or not choice.outcome:
        return {}
    found: dict[str, str | bool] = {name: True for name in CHECKBOXES.get(kind, ()) if form.get(name)}
    if kind in DAY_FIELD and day is not None:
        found[DAY_FIELD[kind]] = day.isoformat()
    return found | (_document(form, kind) if choice.outcome in ISSUING else {})


def _document(form: FormData, kind: ReferralKind) -> dict[str, str]:
    fields = {name: form.get(name) for name in DOCUMENT_FIELDS.get(kind, ())}
    if "expires_on" in fields:
        fields["expires_on"] = str(_day(fields["expires_on"]))
    if fields.get("kind") not in DOCUMENT_KINDS:
        fields.pop("kind", None)
    return {name: value for name, value in fields.items() if value}


def _day(text: str) -> date | InvalidEntry | None:
    """Returns the date that was entered, year first; ``None`` when the field is empty."""
    if not text:
        return None
    try:
        day = date.fromisoformat("-".join(_parts(text)))
    except ValueError:
        return InvalidEntry("day_unclear", "day")
    return day if day.year in YEARS else InvalidEntry("day_unclear", "day")


def _parts(text: str) -> list[str]:
    parts = [digits(part) for part in re.split(r"[-/.\s]+", text[:SHORT])]
    return [part.zfill(2) for part in parts]
