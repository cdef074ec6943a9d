"""Normalizes what people write on lists: nationalities, languages, sexes, and yes or no.

Spellings are in English, French and Arabic, as offices and partners write them. They are compared without case,
accents or direction marks.
"""

from __future__ import annotations

import re
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

NOT_VALUES: Final = frozenset(map(folded, ("na", "nan", "n.a.", "nul", "nil", "nat", "<na>", "(null)", "(blank)")))
"""Folded texts that programs write for a missing value. Some are also names, so they are never read as one."""

DUMMIES: Final = frozenset(
    map(folded, ("test", "tests", "testing", "dummy", "sample", "tbd", "tbc", "todo", "asdf", "essai", "تجربة"))
)
"""Folded words that people write to have something in a cell."""

PROGRAM_ERROR: Final = re.compile(r"^#(?:[\w/ ]+[!?]|N/A|N/D|N/V|NV)$|^Err:\d+$", re.IGNORECASE)
"""An error of a spreadsheet's formula, in any of its languages."""

FILLER: Final = re.compile(r"^([^\W\d_])\1{2,}$|^xx$")
"""One letter, three times or more."""


def is_placeholder(text: str) -> bool:
    """Returns whether a text, or a word of it, was written by a program or only to fill the cell."""
    whole = folded(text)
    no_value = whole in NOT_VALUES or whole in MISSING or not any(letter.isalnum() for letter in whole)
    return no_value or is_program_error(text) or any(map(_is_dummy, tidy(text).split()))


def is_program_error(text: str) -> bool:
    """Returns whether a text is the error of a spreadsheet's formula."""
    return PROGRAM_ERROR.match(tidy(text)) is not None


def _is_dummy(word: str) -> bool:
    plain = folded(word)
    known_word = plain in DUMMIES or plain in {"nan", "null", "n/a", "<na>"}
    return known_word or FILLER.match(plain) is not None or is_program_error(word)


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
