"""Documentation and code are written in plain English: these expressions are avoided, because other words say it directly."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

PAGES: Final = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

GENERATED: Final = {ROOT / "docs" / "procedure.md", ROOT / "docs" / "partners" / "signals.md"}
"""Their words are those of the code; they are corrected there."""

INSTEAD: Final = {
    r"whoever|whomever|whatsoever": "name the actor: staff, the partner, the caller",
    r"nobody|somebody|anybody|everybody": "name the actor, or write: no person, a person, anyone, everyone",
    r"told|heard": "informed, notified, received, disclosed",
    r"anew": "again",
    r"by (?:itself|themselves)": "automatically, separately",
    r"in the end|as it were|so to speak|lest": "leave it out",
    r"bells?|doorbells?|rings?|rang|rung|ringing": "signal, notify",
    r"mend(?:s|ed|ing)?": "correct, repair",
    r"hands? in|handed in|takes? in|taken in|took in": "submit, accept",
    r"goes out|go out|went out|comes back|come back|came back": "is sent, is returned",
    r"brings? in|brought in|hands? out|handed out|handing out": "collect, import, issue",
    r"the house|leash|doorstep|crew|town": "use the term of the glossary",
    r"lies|speaks for": "is stored, is valid for",
    r"for ever|way out": "permanently, network access",
    r"turned away|turns away|let in": "refused, accepted",
    r"stand-ins?": "simulated or sample partners",
}
"""What to write instead of each expression."""

PACKAGES: Final = (
    *("activities", "audit", "bench", "cli", "domain", "gateway"),
    *("simulator", "store", "tools", "workers", "workflows"),
)

MODULES: Final = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

STORED: Final = {
    "taken in": "part of the name from which an event id is derived",
    "confirm that nobody answers": "a task",
    "a life may be at risk: nobody answers": "a task",
    "look at a message that could not be taken in": "a task",
    "assess the safety of return anew": "a task",
}
"""Texts that are in the log of existing cases, and therefore stay as they are."""

COLUMNS: Final = re.compile(r"\btold\b(?=[,)]| FROM)")
"""A column of the table of changes to partners."""

CODE: Final = re.compile(r"```.*?```|``[^`]+``|`[^`\n]*`|<[^>\n]+>|\]\([^)\n]*\)", re.DOTALL)

QUOTED: Final = re.compile(r'"[^"\n]*"|“[^”\n]*”|^> .*$', re.MULTILINE)


def prose(text: str) -> str:
    """Returns a page without code, link targets, quotations and quoted examples."""
    return QUOTED.sub(" ", CODE.sub(" ", text))


def found_in(text: str) -> list[str]:
    """Returns each avoided expression in a text, with what to write instead."""
    words = prose(text)
    return [
        f"{found[0]!r}: {instead}"
        for expression, instead in INSTEAD.items()
        for found in re.finditer(rf"\b(?:{expression})\b", words, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in GENERATED], ids=lambda page: page.name)
def test_pages_avoid_expressions_that_slow_a_reader_down(page: Path) -> None:
    assert found_in(page.read_text(encoding="utf-8")) == []


def texts_of(module: Path) -> Iterator[tuple[int, str]]:
    """Yields the comments of a module, and its texts of more than one word, with their lines."""
    source = module.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_code_avoids_them_in_docstrings_comments_and_messages(module: Path) -> None:
    found = [
        (line, expression)
        for line, text in texts_of(module)
        if text not in STORED
        for expression in found_in(COLUMNS.sub(" ", text))
    ]
    assert found == []


def test_every_text_that_is_kept_because_it_is_stored_is_in_the_code() -> None:
    texts = {text for module in MODULES for _, text in texts_of(module)}
    assert set(STORED) <= texts


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Whoever reads this is told anew.", 3),
        ("The relay notifies the workflow.", 0),
        ("The stored signal is named `ring`.", 0),
        ('Write "anyone" instead of "somebody".', 0),
    ],
)
def test_avoided_expressions_are_found_outside_code_and_quotations(text: str, count: int) -> None:
    assert len(found_in(text)) == count
