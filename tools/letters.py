"""The table of what partners are sent, in the middle of the page that connects them: a row for each kind of letter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.referral.notifications import AMENDED, ENDING, LETTERS, REMINDER, SENT

PAGE: Final = Path(__file__).parent.parent / "docs" / "partners" / "README.md"

HEAD: Final = "| `type` | Says | `data` |\n|---|---|---|\n"

SAYS: Final = {
    SENT: ("please do this", "as above"),
    AMENDED: (
        "something changed on our side: this holds instead of what you were sent before, and asks nothing new",
        "`referral_token`, `kind`, `person`",
    ),
    REMINDER: ("you have not answered yet", "`referral_token`, `step`, `due`"),
    ENDING: ("no longer needed; the reason never says more than that", "`referral_token`, `reason`"),
}
"""What each letter says, and what stands in it beside the envelope."""


def page() -> str:
    """The page, with the table as it should be. Raises ``KeyError`` for a letter of which nothing is said."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD)
    _, _, after = rest.partition("\n\n")
    return before + HEAD + "\n".join(_rows()) + "\n\n" + after


def _rows() -> Iterator[str]:
    for name, _ in LETTERS.values():
        says, data = SAYS[name]
        yield f"| `org.iom.vhr.{name}.v1` | {says} | {data} |"
    yield "| `org.iom.vhr.test.v1` | can you hear us? | nothing to keep |"
