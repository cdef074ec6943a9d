"""The scenario of each case and the durations of staff work (estimates, not statistics).

The script of a case says whether the person travels, or at which point and for which reason the case closes. It
depends only on the seed and the case's place in the list, so the expected end of every case is known in advance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.kernel.vocabulary import ClosureReason
from simulator.seeded_random import DurationSpread, chosen, seeded_random

AT_ONCE: Final = DurationSpread(0)


# How cases end


@dataclass(frozen=True)
class JourneyScript:
    """The planned course of one case.

    ``leaves``: the point at which it closes early, or ``None``; ``reason``: the closure reason.
    """

    reason: ClosureReason = ClosureReason.COMPLETED_REINTEGRATION
    leaves: str | None = None
    after: DurationSpread = AT_ONCE
    misses_first_flight: bool = False
    at_risk: bool = False

    @property
    def travels(self) -> bool:
        return self.leaves is None


SCREENING, CLEARING, SEATED = "SCREENING", "CLEARING", "SEATED"

JOURNEY_PCT: Final = 73.0

LEAVING_PCT: Final[Mapping[tuple[ClosureReason, str], float]] = {
    (ClosureReason.WITHDRAWN_BY_MIGRANT, SCREENING): 2.0,
    (ClosureReason.WITHDRAWN_BY_MIGRANT, CLEARING): 4.0,
    (ClosureReason.WITHDRAWN_BY_MIGRANT, SEATED): 2.0,
    (ClosureReason.NO_CONTACT, SCREENING): 4.0,
    (ClosureReason.NO_CONTACT, CLEARING): 5.0,
    (ClosureReason.INELIGIBLE, SCREENING): 1.0,
    (ClosureReason.NOT_SAFE_TO_RETURN, CLEARING): 1.0,
    (ClosureReason.REFERRED_TO_UNHCR, SCREENING): 1.5,
    (ClosureReason.RETURNED_BY_OTHER_MEANS, CLEARING): 3.0,
    (ClosureReason.NATIONALITY_NOT_ESTABLISHED, CLEARING): 2.0,
    (ClosureReason.LEGAL_PROCEEDINGS, CLEARING): 1.5,
}

LEAVES_AFTER: Final[Mapping[str, DurationSpread]] = {
    SCREENING: DurationSpread(6, 0.6, 40),
    CLEARING: DurationSpread(12, 0.6, 60),
    SEATED: DurationSpread(2, 0.3, 3),
}

NO_SHOW_PCT: Final = 4.0

AT_RISK_PCT: Final = 22.0

CANCELLED_FLIGHT_PCT: Final = 8.0


def journey_script(seed: int, place: int) -> JourneyScript:
    """Returns the script of the case at a place in the list."""
    rolls = seeded_random(seed, "script", place)
    reason, leaves = chosen(rolls, {(ClosureReason.COMPLETED_REINTEGRATION, None): JOURNEY_PCT, **LEAVING_PCT})
    return JourneyScript(
        reason=reason,
        leaves=leaves,
        after=LEAVES_AFTER.get(leaves or "", AT_ONCE),
        misses_first_flight=leaves is None and rolls.random() * 100 < NO_SHOW_PCT,
        at_risk=rolls.random() * 100 < AT_RISK_PCT,
    )


# How long staff take (programme days)

STAFF_TAKES: Final[Mapping[str, DurationSpread]] = {
    "SCREENING": DurationSpread(6, 0.94, 40),
    "PROTECTION": DurationSpread(1, 1.0, 10),
    "FUNDING": DurationSpread(1, 0.5, 5),
    "RENEWAL": DurationSpread(1, 0.3, 3),
    "CLOSURE": DurationSpread(1, 0.5, 5),
    "RECEPTION_DONE": DurationSpread(2, 0.4, 6),
    "ENROLMENT": DurationSpread(20, 1.0, 80),
    "NEEDS": DurationSpread(6, 0.6, 30),
    "PLAN": DurationSpread(10, 0.6, 40),
    "PLAN_APPROVAL": DurationSpread(20, 0.8, 90),
    "MONITORING": DurationSpread(90, 0.2, 150),
    "ENDLINE": DurationSpread(150, 0.3, 240),
    "COMPLETION": DurationSpread(5, 0.5, 20),
}

PLAN_ITEMS: Final[tuple[Mapping[str, Any], ...]] = (
    {"item_id": "shop", "type": "MICROBUSINESS", "description": "a small shop", "amount_eur": 900},
    {"item_id": "training", "type": "VOCATIONAL_TRAINING", "description": "tailoring course", "amount_eur": 700},
    {"item_id": "tools", "type": "MATERIAL_ASSISTANCE", "description": "tools of the trade", "amount_eur": 650},
    {"item_id": "livestock", "type": "MICROBUSINESS", "description": "goats and feed", "amount_eur": 800},
)
