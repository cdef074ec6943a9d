"""Texts of the pages in English, French and Arabic. Each language has a file; all files have the same keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from domain.kernel.names import COUNTRIES, DOCUMENT_NAMES, LANGUAGE_NAMES, Translation

FOLDER: Final = Path(__file__).parent / "translations"

DEFAULT: Final = "en"

ISOLATED: Final = ("\u2068", "\u2069")
"""Unicode isolates: text between them does not change the direction of the text around it."""

CALL_LANGUAGES: Final = ("en", "fr", "ar", "ha", "bn", "am", "ti", "so", "ff", "bm", "wo", "yo", "ig", "ur")
"""The languages in which IOM can call, in the order of the page."""

_ACCEPTED: Final = re.compile(r"([a-zA-Z]{1,8})(?:-[a-zA-Z0-9-]+)?\s*(?:;\s*q=([0-9.]+))?")

Section = Mapping[str, str]


@dataclass(frozen=True)
class PageTexts:
    """The texts of one language. A code without a text is shown as it is, so that no value is omitted."""

    lang: str
    dir: str
    name: str
    ui: Section
    field: Section
    value: Section
    kind: Section
    outcome: Section
    country: Section
    language: Section

    def format(self, key: str, **values: str) -> str:
        """Returns a text with values inserted. Each value is isolated from the direction of the text."""
        begin, end = ISOLATED
        return self.ui[key].format_map({name: begin + value + end for name, value in values.items()})


def _read(file: Path) -> PageTexts:
    data: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    lang = data["lang"]
    data["value"] |= _names(DOCUMENT_NAMES, lang)
    return PageTexts(**data, country=_names(COUNTRIES, lang), language=_names(LANGUAGE_NAMES, lang))


def _names(table: Mapping[str, Translation], lang: str) -> Section:
    return {code: name.in_(lang) for code, name in table.items()}


LANGUAGES: Final[Mapping[str, PageTexts]] = {lang: _read(FOLDER / f"{lang}.toml") for lang in ("en", "fr", "ar")}


def in_language(requested: str | None, accepted: str = "") -> PageTexts:
    """Returns the texts in the requested language, else in one that the browser accepts, else in English.

    ``accepted`` is the value of the ``Accept-Language`` header.
    """
    candidates = [requested or "", *_preferred(accepted)]
    return LANGUAGES[next((lang for lang in candidates if lang in LANGUAGES), DEFAULT)]


def _preferred(accepted: str) -> Iterable[str]:
    found = [(_weight(weight), lang.lower()) for lang, weight in _ACCEPTED.findall(accepted[:200])]
    return [lang for _, lang in sorted(found, key=lambda each: -each[0])]


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
