"""Places of return: countries, their subdivisions and their airports, by standard codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

ALPHA2: Final[Mapping[str, str]] = {
    "NGA": "NG", "MLI": "ML", "NER": "NE", "BGD": "BD", "GMB": "GM", "GIN": "GN", "BFA": "BF", "SEN": "SN",
    "GHA": "GH", "CIV": "CI", "SDN": "SD", "SSD": "SS", "TCD": "TD", "CMR": "CM", "SLE": "SL", "EGY": "EG",
    "PAK": "PK", "MAR": "MA", "ETH": "ET", "SOM": "SO", "BEN": "BJ", "TGO": "TG", "LBR": "LR", "GNB": "GW",
    "GNQ": "GQ", "ERI": "ER", "DJI": "DJ", "KEN": "KE", "UGA": "UG", "RWA": "RW", "BDI": "BI", "TZA": "TZ",
    "COD": "CD", "COG": "CG", "CAF": "CF", "GAB": "GA", "MRT": "MR", "CPV": "CV", "AGO": "AO", "ZMB": "ZM",
    "ZWE": "ZW", "MDG": "MG", "COM": "KM", "DZA": "DZ", "TUN": "TN", "LBY": "LY", "SYR": "SY", "IRQ": "IQ",
    "YEM": "YE", "JOR": "JO", "LBN": "LB", "PSE": "PS", "IND": "IN", "NPL": "NP", "LKA": "LK", "PHL": "PH",
    "AFG": "AF", "IRN": "IR", "TUR": "TR",
}  # fmt: skip
"""ISO 3166-1 alpha-2 code of a country by its alpha-3 code."""

PART: Final = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,3}")
"""Form of an ISO 3166-2 code; it begins with the country's alpha-2 code."""


def part_of(country: str, place: str | None) -> str | None:
    """Returns the ISO 3166-2 code if the place is written as one of that country, otherwise ``None``."""
    if place is None or not PART.fullmatch(place) or place[:2] != ALPHA2.get(country):
        return None
    return place


AIRPORTS: Final[Mapping[str, tuple[str, ...]]] = {
    "BEN": ("COO",),
    "BFA": ("OUA", "BOY"),
    "BGD": ("DAC", "CGP", "ZYL"),
    "CIV": ("ABJ",),
    "CMR": ("NSI", "DLA"),
    "EGY": ("CAI", "HBE"),
    "ETH": ("ADD",),
    "GHA": ("ACC", "KMS", "TML"),
    "GIN": ("CKY",),
    "GMB": ("BJL",),
    "GNB": ("OXB",),
    "LBR": ("ROB",),
    "MAR": ("CMN", "RBA"),
    "MLI": ("BKO",),
    "NER": ("NIM", "AJY", "ZND"),
    "NGA": ("LOS", "ABV", "KAN", "PHC"),
    "PAK": ("ISB", "KHI", "LHE"),
    "SDN": ("PZU", "KRT"),
    "SEN": ("DSS",),
    "SLE": ("FNA",),
    "SOM": ("MGQ", "HGA"),
    "SSD": ("JUB",),
    "TCD": ("NDJ",),
    "TGO": ("LFW",),
    "TUN": ("TUN",),
}
"""Airports (IATA codes) by country (ISO 3166-1 alpha-3), the usual one first."""

COUNTRY_OF: Final[Mapping[str, str]] = {code: country for country, codes in AIRPORTS.items() for code in codes}
