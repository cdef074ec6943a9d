"""What the pages say, in English, French and Arabic: one data file each, all with the same keys."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "translations"

DEFAULT: Final = "en"

ISOLATED: Final = ("\u2068", "\u2069")
"""Unicode's own brackets: what stands between them does not turn the direction of the text around it."""

_WANTED: Final = re.compile(r"([a-zA-Z]{1,8})(?:-[a-zA-Z0-9-]+)?\s*(?:;\s*q=([0-9.]+))?")

Section = Mapping[str, str]


@dataclass(frozen=True)
class PageTexts:
    """One language. Codes that have no words read as themselves, so that nothing is left out."""

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

    def say(self, key: str, **values: str) -> str:
        """A sentence with values in it, each kept apart from the direction of the text."""
        begin, end = ISOLATED
        return self.ui[key].format_map({name: begin + value + end for name, value in values.items()})


def _read(file: Path) -> PageTexts:
    return PageTexts(**tomllib.loads(file.read_text(encoding="utf-8")))


LANGUAGES: Final[Mapping[str, PageTexts]] = {lang: _read(FOLDER / f"{lang}.toml") for lang in ("en", "fr", "ar")}


def in_language(asked: str | None, accepted: str = "") -> PageTexts:
    """The language asked for, or the one the browser would rather have (``Accept-Language``), or English."""
    wanted = [asked or "", *_preferred(accepted)]
    return LANGUAGES[next((lang for lang in wanted if lang in LANGUAGES), DEFAULT)]


def _preferred(accepted: str) -> Iterable[str]:
    found = [(_weight(weight), lang.lower()) for lang, weight in _WANTED.findall(accepted[:200])]
    return [lang for _, lang in sorted(found, key=lambda each: -each[0])]


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
