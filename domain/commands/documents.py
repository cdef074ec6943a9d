"""Commands of the travel documents stage."""

from __future__ import annotations

from datetime import date
from typing import Literal

from domain.kernel.message import Message, Word
from domain.kernel.person import Country
from domain.kernel.vocabulary import TravelDocumentKind


class ChangeNationality(Message):
    """The person states a nationality other than the one on record, for example after an embassy did not confirm it."""

    nationality: Country


class RecordTravelDocument(Message):
    """Records a travel document that the person already holds and that staff have seen."""

    kind: TravelDocumentKind
    number: Word
    expires_on: date
    authenticity: Literal["CHECKED", "DOUBTED"]
    issued_by: Country | None = None
    """Country that issued the document; required once the person has stated a different nationality."""


class HandOverTravelDocument(Message):
    pass


class ReportDocumentLost(Message):
    pass
