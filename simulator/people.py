"""Synthetic registrations, composed from syllable lists; the same seed gives the same people."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from simulator.seeded_random import chosen, seeded_random

COUNTRIES_PCT: Final[Mapping[str, float]] = {
    "NGA": 22, "MLI": 13, "NER": 11, "BGD": 10, "GMB": 8, "GIN": 6, "BFA": 5, "SEN": 5, "GHA": 4, "CIV": 3.5, "SDN": 2,
    "TCD": 2, "CMR": 1.5, "SLE": 1.2, "EGY": 1, "PAK": 1, "MAR": 0.8, "ETH": 0.8, "SOM": 0.5, "BEN": 0.5, "TGO": 0.5,
    "LBR": 0.3, "GNB": 0.4,
}  # fmt: skip

AGES_PCT: Final[Mapping[tuple[int, int], float]] = {(18, 24): 34, (25, 34): 45, (35, 44): 15, (45, 59): 5, (60, 70): 1}

SEX_PCT: Final = {"MALE": 79.0, "FEMALE": 21.0}

CHANNELS_PCT: Final = {"WALK_IN": 40.0, "HOTLINE": 30.0, "OUTREACH_MRRM": 20.0, "EMBASSY": 10.0}

LIVING_PCT: Final = {"URBAN_RENTED": 55.0, "INFORMAL": 20.0, "EMPLOYER": 15.0, "SHELTER": 10.0}

OFFICES: Final = ("Tripoli", "Benghazi", "Misrata", "Sebha")

_ENGLISH = ("NGA", "GHA", "GMB", "SLE", "LBR")

_ARABIC = ("SDN", "EGY", "MAR", "SOM", "TCD")

LANGUAGES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(_ENGLISH, ("en",)),
    **dict.fromkeys(_ARABIC, ("ar",)),
    "BGD": ("bn",), "PAK": ("ur",), "ETH": ("am",), "GNB": ("pt",),
}  # fmt: skip

_FIRST = ("A", "Ba", "Bi", "Da", "Di", "Fa", "Ha", "I", "Ja", "Ka", "La", "Ma", "Mo", "Na", "O", "Ra", "Sa", "Su", "Ya")

_MIDDLE = ("bi", "da", "di", "fe", "ka", "li", "ma", "mi", "na", "ni", "ra", "ri", "sa", "ta", "wa", "ya")

_LAST = ("ba", "di", "do", "ka", "la", "llo", "ma", "ne", "nou", "ra", "ré", "ta", "tou", "wé", "yo", "zi")

EARLIEST: Final = date(2026, 1, 11)


def people(seed: int, count: int) -> list[dict[str, Any]]:
    """Returns registrations as the fields of ``RegisterCase``. No two people share name and date of birth."""
    return [_registration(seed, place) for place in range(count)]


def _registration(seed: int, place: int) -> dict[str, Any]:
    rolls = seeded_random(seed, "person", place)
    country = chosen(rolls, COUNTRIES_PCT)
    return {
        "person": _person(rolls, country, place),
        "country_of_return": country,
        "channel": chosen(rolls, CHANNELS_PCT),
        "office": rolls.choice(OFFICES),
        "living_situation": chosen(rolls, LIVING_PCT),
        "source": "synthetic",
        "consent_to_data_processing": True,
    }


def _person(rolls: random.Random, country: str, place: int) -> dict[str, Any]:
    born = EARLIEST - timedelta(days=365 * rolls.randint(*chosen(rolls, AGES_PCT)) + rolls.randrange(20, 365))
    known = rolls.random() < 0.7
    return {
        "family_name": _name(rolls, 3),
        "given_names": _name(rolls, 2),
        "sex": chosen(rolls, SEX_PCT),
        "date_of_birth": born.isoformat() if known else f"{born.year}-01-01",
        "dob_precision": "DAY" if known else "ESTIMATED",
        "nationality": country,
        "phone": f"+2189{10_000_000 + place * 7919 % 89_999_999}",
        "languages": list(LANGUAGES.get(country, ("fr",))),
    }


def _name(rolls: random.Random, syllables: int) -> str:
    middle = (rolls.choice(_MIDDLE) for _ in range(syllables - 2))
    return rolls.choice(_FIRST) + "".join(middle) + rolls.choice(_LAST)
