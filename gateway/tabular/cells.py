"""Reads single cells of a list: dates, telephone numbers, nationalities, languages, and yes or no.

No value is guessed. A cell that cannot be read in exactly one way raises ``UnclearCellError``, which names the problem
and what to write.
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

from domain.kernel.names import LANGUAGE_NAMES, country_name
from gateway.tabular.normalization import ANSWERS, LANGUAGE_SPELLINGS, NATIONALITIES, folded, known, likeness, tidy

HOME_PREFIX: Final = "+218"  # a number without a country code is taken as Libyan

OLDEST: Final = 1900

NEARLY: Final = r"~|≈|±|c\.|ca\.?|circa|about|approx\.?|est\.?|env\.?|environ|vers|نحو|حوالي|تقريبا"

ABOUT: Final = re.compile(rf"^(?:{NEARLY})\s*(\d{{4}})$")

DAY: Final = re.compile(r"^(\d{1,2})[/.\- ](\d{1,2})[/.\- ](\d{4})$")

ISO_DAY: Final = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]00:00(?::00)?(?:\.0+)?)?$")

MONTH: Final = re.compile(r"^(?:(\d{1,2})[/.\-](\d{4})|(\d{4})[-/.](\d{1,2}))$")

YEAR: Final = re.compile(r"^(\d{4})(?:\.0)?$")

NUMBERS: Final = "write it in international format, for example +218 91 234 5678, or leave the cell empty"

DATES: Final = (
    "write the date as 1996-04-02 or 02/04/1996, a year alone as 1996, an estimated year as ~1996, "
    "or leave the cell empty"
)


class UnclearCellError(ValueError):
    """A cell that cannot be read. ``problem`` says what is wrong and ``todo`` what to write instead."""

    def __init__(self, problem: str, todo: str) -> None:
        super().__init__(f"{problem}; {todo}")
        self.problem, self.todo = problem, todo


@dataclass(frozen=True, slots=True)
class BirthDate:
    """A date of birth and its precision: DAY, MONTH, YEAR or ESTIMATED."""

    on: date
    precision: str


def western(text: str) -> str:
    """Returns the text with the digits of every script replaced by 0-9."""
    return "".join(str(unicodedata.digit(sign)) if sign.isdigit() else sign for sign in text)


# Dates


def birth(text: str, today: date) -> BirthDate:
    """Returns the date of birth. ``today`` is the latest date that is accepted.

    When only a year or a month is known, its last day is stored, so that a child is treated as a child for longer.
    Raises ``UnclearCellError``.
    """
    written = western(folded(text))
    if about := ABOUT.match(written):
        return BirthDate(_year_end(int(about[1]), text, today), "ESTIMATED")
    if year := YEAR.match(written):
        return BirthDate(_year_end(int(year[1]), text, today), "YEAR")
    if month := MONTH.match(written):
        return BirthDate(_month_end(*_year_and_month(month), text, today), "MONTH")
    return BirthDate(day(text, today), "DAY")


def day(text: str, latest: date) -> date:
    """Returns a full date, written year-month-day or day/month/year, that is not after ``latest``.

    Raises ``UnclearCellError``.
    """
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
            f"{tidy(text)!r} has {month} in the place of the month",
            "write the day first, then the month, for example 25/04/1996",
        )
    try:
        found = date(year, month, number)
    except ValueError:
        raise UnclearCellError(f"{tidy(text)!r} is not a date in the calendar", f"check it and {DATES}") from None
    return _sensible(found, text, latest)


def _sensible(found: date, text: str, today: date) -> date:
    if found > today:
        raise UnclearCellError(f"{tidy(text)!r} is in the future", f"correct it: {DATES}")
    if found.year < OLDEST:
        raise UnclearCellError(f"{tidy(text)!r} is before {OLDEST}", f"correct it: {DATES}")
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
        raise UnclearCellError(f"{tidy(text)!r} has a month that does not exist", DATES) from None


# Numbers and words


def phone(text: str) -> str:
    """Returns a telephone number in E.164 format. Raises ``UnclearCellError``."""
    digits = re.sub(r"[\s().\-/\u00a0]|(?<=\d)\.0$", "", re.sub(r"\.0$", "", western(tidy(text))))
    number = _with_country(re.sub(r"^00", "+", digits))
    if re.fullmatch(r"\+[1-9]\d{6,14}", number):
        return number
    raise UnclearCellError(f"{tidy(text)!r} is not a telephone number", NUMBERS)


def _with_country(number: str) -> str:
    if re.fullmatch(r"0?9\d{8}", number):  # spreadsheets drop the leading zero
        return HOME_PREFIX + number.removeprefix("0")
    return f"+{number}" if re.fullmatch(r"218\d{9}", number) else number


def nationality(text: str) -> str:
    """Returns the ISO 3166-1 alpha-3 code of a country, given one of its names or the name of its people.

    Raises ``UnclearCellError``.
    """
    if found := known(NATIONALITIES, text):
        return found
    near = get_close_matches(likeness(text), NATIONALITIES, n=1, cutoff=0.75)
    suggestion = f"did you mean {country_name(NATIONALITIES[near[0]])}? " if near else ""
    todo = "write the name of the country in English, French or Arabic, or its ISO code"
    raise UnclearCellError(f"{tidy(text)!r} is not a known country", suggestion + todo)


def word(text: str, words: Mapping[str, str], what: str) -> str:
    """Returns the code of one of a fixed set of words, in any of its languages. ``what`` names the set.

    Raises ``UnclearCellError``.
    """
    if found := known(words, text):
        return found
    choices = ", ".join(each.replace("_", " ").lower() for each in sorted(set(words.values())))
    raise UnclearCellError(f"{tidy(text)!r} is not a known {what}", f"write one of: {choices}")


def answer(text: str) -> bool:
    """Returns whether the cell says yes. Raises ``UnclearCellError`` when it says neither yes nor no."""
    return word(text, ANSWERS, "answer") == "yes"


def tongues(text: str) -> list[str]:
    """Returns the codes of the languages in a cell. Raises ``UnclearCellError``."""
    parts = [part for part in re.split(r"[,;/+،&]|\s+(?:and|et|و)\s+", text) if tidy(part)]
    return [_language(part) for part in parts]


def _language(text: str) -> str:
    if found := known(LANGUAGE_SPELLINGS, text):
        return found
    choices = ", ".join(sorted(each.en for each in LANGUAGE_NAMES.values()))
    raise UnclearCellError(f"{tidy(text)!r} is not a known language", f"write one of: {choices}")


def name_parts(full: str) -> tuple[str, str]:
    """Returns given names and family name of a full name. A single name is used as both."""
    given, _, family = tidy(full).rpartition(" ")
    return (given or family, family)
