"""The documentation is written in plain English: these expressions are avoided, because other words say it directly."""

from __future__ import annotations

import re
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

CODE: Final = re.compile(r"```.*?```|`[^`\n]*`|<[^>\n]+>|\]\([^)\n]*\)", re.DOTALL)

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
