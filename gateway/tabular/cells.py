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
from enum import StrEnum
from typing import Final

from domain.kernel.names import LANGUAGE_NAMES, country_name
from gateway.tabular.normalization import ANSWERS, LANGUAGE_SPELLINGS, NATIONALITIES, folded, known, likeness, tidy

HOME_PREFIX: Final = "+218"  # a number without a country code is taken as Libyan

LIBYAN: Final = re.compile(r"\+218[1-9]\d{7,8}")  # "+218" and a number of 8 or 9 digits

OLDEST: Final = 1900

TRUNK_ZERO: Final = re.compile(r"(^(?:\+|00)[\s(]*\d[\d\s)]*?)\s*[(\[]\s*0\s*[)\]]")
"""The ``(0)`` of ``+218 (0) 91…``, which is dialled inside the country only."""

PLACEHOLDER_DAYS: Final = frozenset({date(1900, 1, 1), date(1900, 1, 2), date(1904, 1, 1), date(1970, 1, 1)})
"""Dates that programs write when they have none: the first days that they can count. Earlier ones are too old."""

PLACEHOLDER_YEARS: Final = frozenset({1900})

DAY_NUMBER: Final = re.compile(r"^\d{5}$")

SHORTENED: Final = re.compile(r"^\+?\d+(?:[.,]\d+)?e[+-]?\d+$")

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


PLACEHOLDER_TODO: Final = "write the date of the person, or leave the cell empty"


class DateOrder(StrEnum):
    """The order of day and month in dates such as 02/04/1996."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


ORDERED: Final = {
    DateOrder.DAY_FIRST: "write the day first, then the month, for example 25/04/1996",
    DateOrder.MONTH_FIRST: "write the month first, then the day, as the other dates of the column",
}


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


def birth(text: str, today: date, order: DateOrder = DateOrder.DAY_FIRST) -> BirthDate:
    """Returns the date of birth. ``today`` is the latest date that is accepted, ``order`` that of its column.

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
    return BirthDate(day(text, today, order), "DAY")


def day(text: str, latest: date, order: DateOrder = DateOrder.DAY_FIRST) -> date:
    """Returns a full date, written with the year first or in the order of its column, that is not after ``latest``.

    Raises ``UnclearCellError``.
    """
    written = western(tidy(text))
    if iso := ISO_DAY.match(written):
        return _whole((int(iso[1]), int(iso[2]), int(iso[3])), text, latest, order)
    if local := DAY.match(written):
        first, second = int(local[1]), int(local[2])
        number, month = (first, second) if order is DateOrder.DAY_FIRST else (second, first)
        return _whole((int(local[3]), month, number), text, latest, order)
    if DAY_NUMBER.match(written):
        raise UnclearCellError(
            f"{written} is the number by which a spreadsheet counts days, not a date",
            "format the column as a date in the spreadsheet and save the list again",
        )
    raise UnclearCellError(f"{tidy(text)!r} is not a date that can be read in one way only", DATES)


def _year_and_month(found: re.Match[str]) -> tuple[int, int]:
    return (int(found[2]), int(found[1])) if found[1] else (int(found[3]), int(found[4]))


def _whole(parts: tuple[int, int, int], text: str, latest: date, order: DateOrder) -> date:
    year, month, number = parts
    if month > 12 >= number:
        raise UnclearCellError(f"{tidy(text)!r} has {month} in the place of the month", ORDERED[order])
    try:
        found = date(year, month, number)
    except ValueError:
        raise UnclearCellError(f"{tidy(text)!r} is not a date in the calendar", f"check it and {DATES}") from None
    return _sensible(found, text, latest)


def _sensible(found: date, text: str, today: date) -> date:
    _require_plausible(found, text, today)
    if found in PLACEHOLDER_DAYS:
        raise UnclearCellError(f"{tidy(text)!r} is a date that programs write when they have none", PLACEHOLDER_TODO)
    return found


def _require_plausible(found: date, text: str, today: date) -> None:
    if found > today:
        raise UnclearCellError(f"{tidy(text)!r} is in the future", f"correct it: {DATES}")
    if found.year < OLDEST:
        raise UnclearCellError(f"{tidy(text)!r} is before {OLDEST}", f"correct it: {DATES}")


def _year_end(year: int, text: str, today: date) -> date:
    _require_plausible(_first(year, 1, text), text, today)
    if year in PLACEHOLDER_YEARS:
        raise UnclearCellError(f"{tidy(text)!r} is a year that programs write when they have none", PLACEHOLDER_TODO)
    return min(date(year, 12, 31), today)


def _month_end(year: int, month: int, text: str, today: date) -> date:
    _require_plausible(_first(year, month, text), text, today)
    return min(date(year, month, monthrange(year, month)[1]), today)


def _first(year: int, month: int, text: str) -> date:
    try:
        return date(year, month, 1)
    except ValueError:
        raise UnclearCellError(f"{tidy(text)!r} has a month that does not exist", DATES) from None


# Numbers and words


def phone(text: str) -> str:
    """Returns a telephone number in E.164 format. Raises ``UnclearCellError``."""
    written = re.sub(r"\.0$", "", western(tidy(text)))
    if SHORTENED.match(written.casefold()):
        raise UnclearCellError(
            f"{tidy(text)!r} is a number that a spreadsheet shortened", "format the column as text and enter it again"
        )
    digits = re.sub(r"[\s().\-/\u2010-\u2015]", "", TRUNK_ZERO.sub(r"\1", written))
    number = _with_country(re.sub(r"^00", "+", digits))
    if re.fullmatch(r"\+[1-9]\d{6,14}", number) and (not number.startswith(HOME_PREFIX) or LIBYAN.fullmatch(number)):
        return number
    raise UnclearCellError(f"{tidy(text)!r} is not a telephone number", NUMBERS)


def _with_country(number: str) -> str:
    if re.fullmatch(r"0?9\d{8}", number):  # spreadsheets drop the leading zero
        return HOME_PREFIX + number.removeprefix("0")
    if re.fullmatch(r"\+?2180?9\d{8}", number):  # the zero is dialled inside Libya only
        return HOME_PREFIX + number[-9:]
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
