"""One cell of a list at a time: what somebody wrote, as the programme understands it.

Nothing is guessed silently: what cannot be understood is ``UnclearCellError``, with the problem and what to do about
it.
"""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Final

from gateway.tabular.normalization import ANSWERS, NATIONALITIES, TONGUES, country_name, folded, known, likeness, tidy

HOME_PREFIX: Final = "+218"  # a number without a country is one of Libya's

OLDEST: Final = 1900

NEARLY: Final = r"~|≈|±|c\.|ca\.?|circa|about|approx\.?|est\.?|env\.?|environ|vers|نحو|حوالي|تقريبا"

ABOUT: Final = re.compile(rf"^(?:{NEARLY})\s*(\d{{4}})$")

DAY: Final = re.compile(r"^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4})$")

ISO_DAY: Final = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]00:00(?::00)?(?:\.0+)?)?$")

MONTH: Final = re.compile(r"^(?:(\d{1,2})[/.\-](\d{4})|(\d{4})[-/.](\d{1,2}))$")

YEAR: Final = re.compile(r"^(\d{4})(?:\.0)?$")

NUMBERS: Final = "write it with its country, as +218 91 234 5678, or leave it empty"

DATES: Final = "write it as 1996-04-02 or 02/04/1996, a year alone as 1996, an estimate as ~1996, or leave it empty"


class UnclearCellError(ValueError):
    """A cell that cannot be understood as it stands."""

    def __init__(self, problem: str, todo: str) -> None:
        super().__init__(f"{problem}; {todo}")
        self.problem, self.todo = problem, todo


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A date of birth, and how far it is known: DAY, MONTH, YEAR or ESTIMATED."""

    on: date
    precision: str


def western(text: str) -> str:
    """With the digits 0-9 for those of any other script."""
    return "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in text)


# Dates


def birth(text: str, today: date) -> BirthDate:
    """A date of birth. Of a year or month alone the last day counts, so that a child is a child for longer."""
    written = western(folded(text))
    if about := ABOUT.match(written):
        return BirthDate(_year_end(int(about[1]), text, today), "ESTIMATED")
    if year := YEAR.match(written):
        return BirthDate(_year_end(int(year[1]), text, today), "YEAR")
    if month := MONTH.match(written):
        return BirthDate(_month_end(*_year_and_month(month), text, today), "MONTH")
    return BirthDate(day(text, today), "DAY")


def day(text: str, latest: date) -> date:
    """A whole date, not later than the latest that can be: year-month-day, or day/month/year."""
    written = western(tidy(text))
    if iso := ISO_DAY.match(written):
        return _whole(int(iso[1]), int(iso[2]), int(iso[3]), text, latest)
    if local := DAY.match(written):
        return _whole(int(local[3]), int(local[2]), int(local[1]), text, latest)
    raise UnclearCellError(f"{tidy(text)!r} is not a date that can be read in one way only", DATES)


def _year_and_month(found: re.Match[str]) -> tuple[int, int]:
    return (int(found[2]), int(found[1])) if found[1] else (int(found[3]), int(found[4]))


def _whole(year: int, month: int, number: int, text: str, latest: date) -> date:
    if month > 12 >= number:
        raise UnclearCellError(
            f"{tidy(text)!r} has no month {month}", "write the day first, then the month: 25/04/1996"
        )
    try:
        found = date(year, month, number)
    except ValueError:
        raise UnclearCellError(f"{tidy(text)!r} is no day of any calendar", f"ask again and {DATES}") from None
    return _sensible(found, text, latest)


def _sensible(found: date, text: str, today: date) -> date:
    if found > today:
        raise UnclearCellError(f"{tidy(text)!r} lies in the future", f"correct it: {DATES}")
    if found.year < OLDEST:
        raise UnclearCellError(f"{tidy(text)!r} lies before {OLDEST}", f"correct it: {DATES}")
    return found


def _year_end(year: int, text: str, today: date) -> date:
    _sensible(_first(year, 1, text), text, today)
    return min(date(year, 12, 31), today)


def _month_end(year: int, month: int, text: str, today: date) -> date:
    _sensible(_first(year, month, text), text, today)
    return min(date(year, month, monthrange(year, month)[1]), today)


def _first(year: int, month: int, text: str) -> date:
    try:
        return date(year, month, 1)
    except ValueError:
        raise UnclearCellError(f"{tidy(text)!r} names no month of any year", DATES) from None


# Numbers and words


def phone(text: str) -> str:
    """A telephone number with its country (E.164)."""
    digits = re.sub(r"[\s().\-/\u00a0]|(?<=\d)\.0$", "", re.sub(r"\.0$", "", western(tidy(text))))
    number = _with_country(re.sub(r"^00", "+", digits))
    if re.fullmatch(r"\+[1-9]\d{6,14}", number):
        return number
    raise UnclearCellError(f"{tidy(text)!r} is not a telephone number", NUMBERS)


def _with_country(number: str) -> str:
    if re.fullmatch(r"0?9\d{8}", number):  # a spreadsheet eats the leading zero
        return HOME_PREFIX + number.removeprefix("0")
    return f"+{number}" if re.fullmatch(r"218\d{9}", number) else number


def nationality(text: str) -> str:
    """A country by any of its names or its people's (ISO 3166-1 alpha-3)."""
    if found := known(NATIONALITIES, text):
        return found
    near = get_close_matches(likeness(text), NATIONALITIES, n=1, cutoff=0.75)
    meant = f"did you mean {country_name(NATIONALITIES[near[0]])}? " if near else ""
    todo = "write its English, French or Arabic name, or its ISO code"
    raise UnclearCellError(f"{tidy(text)!r} is no country known here", meant + todo)


def word(text: str, words: Mapping[str, str], what: str) -> str:
    """One of a fixed set of words, in any of its languages."""
    if found := known(words, text):
        return found
    choices = ", ".join(sorted(set(words.values())))
    raise UnclearCellError(f"{tidy(text)!r} is not a known {what}", f"write one of: {choices}")


def answer(text: str) -> bool:
    return word(text, ANSWERS, "answer") == "yes"


def tongues(text: str) -> list[str]:
    """Languages, by their codes."""
    parts = [part for part in re.split(r"[,;/+،&]|\s+(?:and|et|و)\s+", text) if tidy(part)]
    return [word(part, TONGUES, "language") for part in parts]


def name_parts(full: str) -> tuple[str, str]:
    """Given names and family name of a name written as one; a single name stands for both."""
    given, _, family = tidy(full).rpartition(" ")
    return (given or family, family)
