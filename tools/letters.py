"""The table of messages to partners in the middle of ``docs/partners/README.md``: one row for each type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.referral.notifications import AMENDED, ENDING, NOTIFICATIONS, REMINDER, SENT

PAGE: Final = Path(__file__).parent.parent / "docs" / "partners" / "README.md"

HEAD: Final = "| `type` | Says | `data` |\n|---|---|---|\n"

SAYS: Final = {
    SENT: ("a new referral", "as above"),
    AMENDED: (
        "the data of the referral have changed; these data replace the earlier ones and request nothing new",
        "`referral_token`, `kind`, `person`",
    ),
    REMINDER: ("a reminder: the next response is outstanding", "`referral_token`, `step`, `due`"),
    ENDING: ("the referral is no longer needed; the reason contains no details", "`referral_token`, `reason`"),
}
"""The meaning of each type, and the fields of its ``data``."""


def page() -> str:
    """Returns the page with the current table. Raises ``KeyError`` for a type that has no entry in ``SAYS``."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD)
    _, _, after = rest.partition("\n\n")
    return before + HEAD + "\n".join(_rows()) + "\n\n" + after


def _rows() -> Iterator[str]:
    for name, _ in NOTIFICATIONS.values():
        says, data = SAYS[name]
        yield f"| `org.iom.vhr.{name}.v1` | {says} | {data} |"
    yield "| `org.iom.vhr.test.v1` | a test of the connection; please respond `2xx` | nothing to store |"
