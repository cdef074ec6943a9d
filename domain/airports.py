"""In which country the usual airports of return lie, so that nobody is seated on a flight to another one by mistake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
"""By country (ISO 3166-1, alpha-3), the codes of its airports (IATA), the usual one first."""

COUNTRY_OF: Final[Mapping[str, str]] = {code: country for country, codes in AIRPORTS.items() for code in codes}
