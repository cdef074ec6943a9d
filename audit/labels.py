"""Codes as words, for the sentences that people read. JSON keeps the codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

IRREGULAR: Final[Mapping[str, str]] = {
    "AAP_OFFICER": "accountability (AAP) officer",
    "BID_PANEL": "best interests determination",
    "CHILD_BIA": "best interests assessment",
    "GBV_SERVICES": "gender-based violence services",
    "MHPSS": "mental health and psychosocial support",
    "UNHCR": "UNHCR",
    "UNHCR_ASYLUM": "UNHCR asylum",
    "VOT_ASSISTANCE": "assistance to a victim of trafficking",
}
"""Codes whose words are not simply the code in lower case. A stage is named by its title in the procedure."""


def in_words(code: str) -> str:
    """Returns a code as words: ``MEDICAL_ASSESSMENT`` is "medical assessment"."""
    return IRREGULAR.get(code) or code.replace("_", " ").lower()
