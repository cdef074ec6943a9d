"""Keys that are equal for spellings of one name: without case, accents, order of the words, and transliteration.

They serve to find rows that may describe the same person. They do not prove that two persons are the same.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.tabular.normalization import folded

ARABIC: Final = str.maketrans({
    **dict.fromkeys("اأإآءئؤويىعة", ""),
    "ب": "b", "پ": "b", "ت": "t", "ط": "t", "ث": "t", "ج": "j", "ح": "h", "خ": "h", "ه": "h", "د": "d", "ض": "d",
    "ذ": "d", "ر": "r", "ز": "z", "ظ": "z", "س": "s", "ص": "s", "ش": "s", "غ": "g", "گ": "g", "ف": "f", "ڤ": "f",
    "ق": "k", "ك": "k", "ک": "k", "ل": "l", "م": "m", "ن": "n",
})  # fmt: skip
"""The consonants of Arabic as the letters below. Weak letters are left out, because few spellings agree on them."""

LATIN: Final = (
    ("kh", "h"), ("gh", "g"), ("sh", "s"), ("ch", "s"), ("th", "t"), ("dh", "d"), ("dj", "j"), ("ph", "f"),
    ("c", "k"), ("q", "k"), ("v", "f"), ("p", "b"), ("x", "ks"),
)  # fmt: skip

WEAK: Final = re.compile(r"[aeiouyw]")

REPEATED: Final = re.compile(r"(.)\1+")

ARTICLE: Final = re.compile(r"^(?:el|al)$|^(?:el|al|ال)(?=\w{3})")


def exact_key(name: str) -> str:
    """Returns the words of a name in a fixed order, without case and accents."""
    return " ".join(sorted(re.sub(r"[\W_]+", " ", folded(name)).split()))


def tolerant_key(name: str) -> str:
    """Returns the consonants of a name in a fixed order, the same in Latin and Arabic script.

    The order makes "MO HAMED AISSA" and "Aïssa Mohamed" equal; so are a few different names, so that the key must be
    used together with other particulars, such as the full date of birth.
    """
    return "".join(sorted("".join(_consonants(word) for word in re.sub(r"[\W_]+", " ", folded(name)).split())))


def _consonants(word: str) -> str:
    plain = ARTICLE.sub("", word)
    for written, letter in LATIN:  # before the translation: Arabic has no digraphs
        plain = plain.replace(written, letter)
    return REPEATED.sub(r"\1", WEAK.sub("", plain.translate(ARABIC))).removesuffix("h")
