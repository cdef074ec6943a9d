"""The rule book as data: every rule of ``docs/rules/``, found by the codes that users see.

The pages are the only source. Each rule is a heading ``### CODE: Title`` below an explicit anchor, one to four
sentences, and a short list that names the other codes under which it is shown, the code and the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "rules"

RULE: Final = re.compile(r'^<a id="(?P<anchor>[^"]+)"></a>\n### (?P<code>\S+): (?P<title>.+)$', re.MULTILINE)

LIST_ITEM: Final = re.compile(r"^\* (Also shown as|Code|Tests): (.+)$", re.MULTILINE)

LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]+\)")

QUOTED: Final = re.compile(r"`([^`]+)`")

SECTION: Final = re.compile(r"^#{1,3} ", re.MULTILINE)

NEAREST: Final = 5


class RuleBookError(Exception):
    """The pages of the rule book contradict each other: a code belongs to two rules."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``shown_as`` holds other codes of the same rule; a ``*`` in one stands for any text."""

    code: str
    title: str
    text: str
    page: str
    anchor: str
    shown_as: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """The rule's page and anchor, from the root of the repository."""
        return f"docs/rules/{self.page}#{self.anchor}"

    def json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "title": self.title,
            "text": self.text,
            "page": self.location,
            "shown_as": list(self.shown_as),
            "modules": list(self.modules),
            "tests": list(self.tests),
        }


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules by code. A code resolves by its own heading, then by an exact other code, then by a pattern."""

    rules: Mapping[str, Rule]
    _exact: Mapping[str, Rule] = field(init=False, repr=False)
    _patterns: Sequence[tuple[str, Rule]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shown = [(code, rule) for rule in self.rules.values() for code in rule.shown_as]
        exact = dict(self.rules)
        for code, rule in shown:
            if "*" not in code and exact.setdefault(code, rule) is not rule:
                raise RuleBookError(f"{code} belongs to {exact[code].code} and to {rule.code}")
        patterns = [(code, rule) for code, rule in shown if "*" in code]
        object.__setattr__(self, "_exact", exact)
        object.__setattr__(self, "_patterns", sorted(patterns, key=lambda each: -len(each[0])))

    def find(self, code: str) -> Rule | None:
        """Returns the rule behind a code that a user sees, or ``None``. Of several patterns the longest counts."""
        known = self._exact.get(code)
        return known or next((rule for pattern, rule in self._patterns if fnmatchcase(code, pattern)), None)

    def nearest(self, code: str) -> list[str]:
        """Returns the codes that resemble an unknown one, best first."""
        return get_close_matches(code, self._exact, NEAREST, cutoff=0.5)


def parse(page: str, text: str) -> Iterator[Rule]:
    """Yields the rules of one page. ``page`` is its file name."""
    for found in RULE.finditer(text):
        body = SECTION.split(text[found.end() :].partition("\n<a id=")[0], maxsplit=1)[0]
        listed = {name: tuple(QUOTED.findall(values)) for name, values in LIST_ITEM.findall(body)}
        yield Rule(
            code=found["code"],
            title=found["title"],
            text=LINK.sub(r"\1", LIST_ITEM.sub("", body)).strip(),
            page=page,
            anchor=found["anchor"],
            shown_as=listed.get("Also shown as", ()),
            modules=listed.get("Code", ()),
            tests=listed.get("Tests", ()),
        )


def load(folder: Path) -> RuleBook:
    """Reads every page of a folder. Raises ``RuleBookError`` when one code belongs to two rules."""
    rules: dict[str, Rule] = {}
    for file in sorted(folder.glob("*.md")):
        for rule in parse(file.name, file.read_text(encoding="utf-8")):
            if rule.code in rules:
                raise RuleBookError(f"{rule.code} is described in {rules[rule.code].page} and in {rule.page}")
            rules[rule.code] = rule
    return RuleBook(rules)


@cache
def rule_book() -> RuleBook:
    """Returns the rule book of this installation, read once."""
    return load(FOLDER)
