"""Commands of the travel documents stage."""

from __future__ import annotations

from datetime import date
from typing import Literal

from domain.kernel.message import Message, Word
from domain.kernel.person import Country
from domain.kernel.vocabulary import TravelDocumentKind

# Messages


class ChangeNationality(Message):
    """The person names another nationality than the one on record, say after an embassy did not confirm that one."""

    nationality: Country


class RecordTravelDocument(Message):
    """A document the person already has, seen by staff."""

    kind: TravelDocumentKind
    number: Word
    expires_on: date
    authenticity: Literal["CHECKED", "DOUBTED"]
    issued_by: Country | None = None
    """Whose document it is; needed once the person has named another nationality than before."""


class HandOverTravelDocument(Message):
    pass


class ReportDocumentLost(Message):
    pass
