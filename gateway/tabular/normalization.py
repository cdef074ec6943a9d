"""Normalizes what people write on lists: nationalities, languages, sexes, and yes or no.

Spellings are in English, French and Arabic, as offices and partners write them. They are compared without case,
accents or direction marks.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from domain.kernel.names import COUNTRIES, LANGUAGE_NAMES, Translation

MARKS: Final = (0xFEFF, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))

INVISIBLE: Final = dict.fromkeys(MARKS)

ARABIC_SPELLINGS: Final = str.maketrans({"ى": "ي", "ة": "ه", "ـ": None, "ٱ": "ا", "’": "'", "_": " "})


def tidy(text: str) -> str:
    """Returns the text in Unicode form C, without invisible marks and with single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(INVISIBLE).split())


def folded(text: str) -> str:
    """Returns a form in which spellings that differ in case, accents, marks or outer punctuation are equal."""
    plain = unicodedata.normalize("NFKD", tidy(text)).translate(ARABIC_SPELLINGS).casefold()
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split()).strip(" .:*")


def likeness(text: str) -> str:
    """Returns the look-up key of a word: ``folded``, with hyphens replaced by spaces."""
    return " ".join(folded(text).replace("-", " ").split())


def spelled(words: Mapping[str, str]) -> Mapping[str, str]:
    """Returns the meaning of every spelling, by look-up key. In ``words``, spellings are separated by ``|``."""
    return {
        likeness(each): meaning for meaning, spellings in words.items() for each in (meaning, *spellings.split("|"))
    }


def known_by(words: Mapping[str, Translation], only: Iterable[str] | None = None) -> Mapping[str, str]:
    """Returns the code of every accepted spelling, for all translations or for the codes in ``only``."""
    codes = words.keys() if only is None else only
    return spelled({code: words[code].spellings for code in codes})


def known(words: Mapping[str, str], text: str) -> str | None:
    """Returns the meaning of a text in a table made by ``spelled``, or ``None`` when it is not in the table."""
    return words.get(likeness(text))


NOTHING: Final = (
    "-|--|—|?|n/a|none|null|unknown|not known|inconnu|inconnue|non connu|غير معروف|غير معروفة|لا يوجد|مجهول"
)

MISSING: Final = frozenset(("", *map(folded, NOTHING.split("|"))))
"""Folded texts that mean that a value is not known."""

SEXES: Final = spelled({
    "MALE": "m|male|man|boy|h|homme|masculin|garçon|ذكر|رجل|ولد",
    "FEMALE": "f|female|woman|girl|femme|féminin|fille|أنثى|انثى|امرأة|بنت",
    "NOT_APPLICABLE": "not applicable|sans objet",
    "UNKNOWN": "u|x|other|autre|غير محدد",
})  # fmt: skip

ANSWERS: Final = spelled({
    "yes": "y|true|1|given|signed|x|✓|✔|o|oui|vrai|donné|signé|نعم|أجل|موافق|موافقة",
    "no": "n|false|0|refused|not given|non|faux|refusé|لا|رفض|غير موافق",
})  # fmt: skip

LANGUAGE_SPELLINGS: Final = known_by(LANGUAGE_NAMES)

NATIONALITIES: Final = known_by(COUNTRIES)
"""Every way to write a nationality: the country's codes, its names, and the names of its people."""
