"""Reading what was typed into a page: forgiving in its spelling, strict in its size."""

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
    ISSUES,
    ITS_DAY,
    LAST_WORDS,
    NO,
    NUMBERED,
    PAPER_KINDS,
    PAPERS,
    TICKED,
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
    """The fields of a form, each once, without what no text needs."""

    fields: Mapping[str, str]

    def get(self, name: str) -> str:
        return self.fields.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class InvalidEntry:
    """What keeps an answer from being taken: the page's own words for it, by key, and the field it stands at."""

    words: str
    at: str


async def read_form(request: Request) -> FormData:
    """The form in a request. Raises ``ProblemError`` for what is no form, or far too large."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        raise ProblemError("media-type", "a form is wanted here")
    body = await read_body(request, FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:  # not ASCII, not UTF-8 behind the percent signs, or too many fields
        raise ProblemError("bad-json", "the form cannot be read") from None
    return FormData({name: _plain(value) for name, value in reversed(pairs)})


def _plain(text: str) -> str:
    """Without control characters, which belong to no answer and break what comes after."""
    lines = text.replace("\r\n", "\n")
    return "".join(each for each in lines if each == "\n" or unicodedata.category(each) not in ("Cc", "Cs"))


def digits(text: str) -> str:
    """Digits as typed on any keyboard (٠١٢ as well as 012), without what people put between them."""
    return "".join(_digit(each) for each in _DIGITS_ONLY.sub("", text))


def _digit(letter: str) -> str:
    value = unicodedata.digit(letter, None)
    return letter if value is None else str(value)


def telephone(text: str) -> str | None:
    """A number in E.164, or ``None`` if none can be made out. One without a country's code is Libyan."""
    typed = digits(text.replace("(", "").replace(")", ""))
    typed = "+" + typed[2:] if typed.startswith("00") else typed
    typed = _LOCAL + typed[1:] if typed.startswith("0") else typed
    return typed if re.fullmatch(r"\+[1-9][0-9]{6,14}", typed) else None


def answer(form: FormData, kind: ReferralKind | None, today: date) -> LinkAnswer | list[InvalidEntry]:
    """What was said, or everything that has to be mended first. ``today`` is the partner's."""
    choice, note, day = named(kind, form.get("say")), form.get("note"), _day(form.get("day"))
    wrong = [*_wrong_choice(choice, note), *_wrong_day(day, today), *_wrong_paper(form, kind, choice)]
    if len(note) > NOTE:
        wrong.append(InvalidEntry("too_long", "note"))
    if wrong or choice is None or isinstance(day, InvalidEntry):
        return wrong
    return LinkAnswer(
        choice.signal,
        choice.outcome,
        note or None,
        day,
        _details(form, kind, choice, day),
        ends=choice.signal in LAST_WORDS,
        words=choice.words,
    )


def _wrong_choice(choice: OutcomeChoice | None, note: str) -> list[InvalidEntry]:
    if choice is None:
        return [InvalidEntry("choose_one", "say")]
    return [InvalidEntry("reason_needed", "note")] if choice.signal in NO and not note else []


def _wrong_day(day: date | InvalidEntry | None, today: date) -> list[InvalidEntry]:
    if isinstance(day, InvalidEntry):
        return [day]
    return [InvalidEntry("day_ahead", "day")] if day is not None and day > today else []


def _wrong_paper(form: FormData, kind: ReferralKind | None, choice: OutcomeChoice | None) -> list[InvalidEntry]:
    """A paper that was issued has a number and an end; without them nobody can travel on it."""
    number = NUMBERED.get(kind) if kind else None
    if number is None or choice is None or choice.outcome not in ISSUES:
        return []
    ends = _day(form.get("expires_on"))
    if not form.get(number) or len(form.get(number)) > SHORT or ends is None:
        return [InvalidEntry("number_needed", number)]
    return [InvalidEntry("day_unclear", "expires_on")] if isinstance(ends, InvalidEntry) else []


def _details(
    form: FormData, kind: ReferralKind | None, choice: OutcomeChoice, day: date | None
) -> dict[str, str | bool]:
    """The parts of the payload that a page asks for, under the payload's own names."""
    if kind is None or not choice.outcome:
        return {}
    found: dict[str, str | bool] = {name: True for name in TICKED.get(kind, ()) if form.get(name)}
    if kind in ITS_DAY and day is not None:
        found[ITS_DAY[kind]] = day.isoformat()
    return found | (_paper(form, kind) if choice.outcome in ISSUES else {})


def _paper(form: FormData, kind: ReferralKind) -> dict[str, str]:
    typed = {name: form.get(name) for name in PAPERS.get(kind, ())}
    if "expires_on" in typed:
        typed["expires_on"] = str(_day(typed["expires_on"]))
    if typed.get("kind") not in PAPER_KINDS:
        typed.pop("kind", None)
    return {name: value for name, value in typed.items() if value}


def _day(text: str) -> date | InvalidEntry | None:
    """A day as typed, year first; nothing typed is no day."""
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
