"""Fills the sentence templates of events: codes as words, countries and languages by name, dates as people write them.

A template names a field and, after a colon, how to show it: ``{kind}`` by its type, ``{cause:words}`` a stored code
as words, ``{country:country}`` a country or a part of one by name, ``{language:language}`` a language by name, and
``{by:actor}`` a user or partner without the prefix. Belongs here: wording that depends on the value alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from string import Formatter
from typing import Any, Final

from domain.kernel.labels import label, requirement, words
from domain.kernel.names import country_name, language_name
from domain.kernel.places import ALPHA2, PART

ERASED: Final = "[erased]"
"""Shown instead of a sealed value whose key was destroyed, or that the reader may not see."""

CODE: Final = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z][A-Z0-9_]*)*")
"""Form of a stored code; anything else is text that a person entered, and is shown as it is."""

PHRASES: Final[Mapping[str, str]] = {
    "ALREADY_HEARD": "already received",
    "ALREADY_IN_QUARANTINE": "already held for review",
    "ALREADY_TERMINAL_SAME_OUTCOME": "already ended with the same outcome",
    "CONTACT_LOST": "loss of contact",
    "DATA_PROTECTION_FP": "data protection focal point",
    "DOB_PRECISION": "precision of date of birth",
    "GAVE_UP": "delivery attempts exhausted",
    "IOM_LINE": "IOM telephone line",
    "REFUSED_TO_COOPERATE_PERSON": "the person refused to cooperate",
    "RULE_CRASHED": "processing error",
    "NOBODY_CAME": "no one came to meet the person",
    "OUT_OF_ORDER_SUPERSEDED": "out of order, superseded",
    "PARTNER_FAILED": "the partner could not complete it",
    "PARTNER_WITHDREW": "the partner withdrew",
}
"""Codes whose own words would not be understood."""

COUNTRY_OF_ALPHA2: Final[Mapping[str, str]] = {alpha2: alpha3 for alpha3, alpha2 in ALPHA2.items()}


def sentence(template: str, values: Mapping[str, Any]) -> str:
    """Returns the template with its fields filled in, beginning with a capital letter.

    A value of ``None`` is shown as ``ERASED``: only sealed fields may be missing.
    """
    text = _FORMATTER.vformat(template, (), values)
    return text[:1].upper() + text[1:]


def date_and_time(at: datetime) -> str:
    """Returns a time as "14 December 2026 09:00 UTC"."""
    return f"{at.astimezone(UTC):%d %B %Y %H:%M} UTC"


def code_in_words(code: str) -> str:
    """Returns a stored code as words, and any other text unchanged.

    A failure of the travel gate reads as its subject and the reason: ``GATE.FIT_TO_TRAVEL.MISSING`` is "fit to travel:
    missing", ``GATE.HOLD.CHILD`` is "child protection hold".
    """
    if not CODE.fullmatch(code):
        return code
    code = code.removeprefix("GATE.")
    if code.startswith("HOLD."):
        return requirement(code)
    return ": ".join(PHRASES.get(part) or words(part) for part in code.split("."))


def _plain(value: Any) -> str:
    if value is None:
        return ERASED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, StrEnum):
        return label(value)
    if isinstance(value, datetime):
        return date_and_time(value)
    if isinstance(value, date):
        return f"{value:%d %B %Y}"
    return str(value)


def _words(value: Any) -> str:
    return code_in_words(value) if isinstance(value, str) and not isinstance(value, StrEnum) else _plain(value)


def _field(value: Any) -> str:
    return _words(value.upper())


def place_name(place: str) -> str:
    """Returns the name of a country, and for a part of one the name with its code: ``NG-LA`` is "Nigeria (NG-LA)"."""
    country = COUNTRY_OF_ALPHA2.get(place[:2]) if PART.fullmatch(place) else None
    return f"{country_name(country)} ({place})" if country else country_name(place)


def _country(value: Any) -> str:
    return place_name(value) if isinstance(value, str) else _plain(value)


def _language(value: Any) -> str:
    return language_name(value) if isinstance(value, str) else _plain(value)


def _actor(value: Any) -> str:
    return _plain(value).removeprefix("staff:").removeprefix("partner:")


_FORMATS: Final[Mapping[str, Callable[[Any], str]]] = {
    "": _plain,
    "words": _words,
    "field": _field,
    "country": _country,
    "language": _language,
    "actor": _actor,
}


class _SentenceFormatter(Formatter):
    """Formats single values and lists; the items of a list are separated by commas, and an empty list is "none"."""

    def format_field(self, value: Any, format_spec: str) -> str:
        shown = _FORMATS[format_spec]
        if isinstance(value, (list, tuple, set, frozenset)):
            return ", ".join(shown(item) for item in value) or "none"
        return shown(value)


_FORMATTER: Final = _SentenceFormatter()
