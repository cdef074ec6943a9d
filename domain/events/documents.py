"""Events of the travel documents stage, in the order in which they usually happen."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from domain.case.aggregate import Case, Consent
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import Purpose, TravelDocumentKind

# Facts, in the order they usually happen


class NationalityConfirmed(Event):
    TOPIC: ClassVar[str] = "NationalityConfirmed"
    SENTENCE: ClassVar[str] = "Nationality confirmed by {confirmed_by}."

    confirmed_by: str


class NationalityNotConfirmed(Event):
    TOPIC: ClassVar[str] = "NationalityNotConfirmed"
    SENTENCE: ClassVar[str] = "Nationality not confirmed by {asked}."

    asked: str


class ConsularInterviewMissed(Event):
    """Nobody judged anything: the person was not there."""

    TOPIC: ClassVar[str] = "ConsularInterviewMissed"
    SENTENCE: ClassVar[str] = "The person did not come to the interview with {asked}."

    asked: str


class NationalityNotExamined(Event):
    """The question was not looked at, and is as open as before."""

    TOPIC: ClassVar[str] = "NationalityNotExamined"
    SENTENCE: ClassVar[str] = "Nationality was not examined by {asked} ({cause})."

    asked: str
    cause: str


class NationalityChanged(Event):
    """The person has named another nationality than before. Whatever an embassy said was of the former one.

    So was the consent to tell one; whom the person excluded stays excluded.
    """

    TOPIC: ClassVar[str] = "NationalityChanged"
    SENTENCE: ClassVar[str] = "Nationality changed from {before} to {nationality}."

    before: Annotated[Country | None, Sealed(Compartment.GEN)] = None
    nationality: Annotated[Country | None, Sealed(Compartment.GEN)] = None

    def apply_to(self, case: Case) -> None:
        case.nationality_since = self.originator_version
        if case.person is not None and self.nationality is not None:
            case.person = case.person.model_copy(update={"nationality": self.nationality})
        if Purpose.SHARE_EMBASSY in case.consents:
            excluded = case.excluded_for(Purpose.SHARE_EMBASSY)
            case.consents[Purpose.SHARE_EMBASSY] = Consent(given=False, since=self.timestamp, excluded=excluded)


class TravelDocumentIssued(Event):
    TOPIC: ClassVar[str] = "TravelDocumentIssued"
    SENTENCE: ClassVar[str] = "{kind} issued, to be used until {expires_on}."

    kind: TravelDocumentKind
    expires_on: date | None = None
    number: Annotated[str | None, Sealed(Compartment.GEN)] = None


class TravelDocumentRefused(Event):
    TOPIC: ClassVar[str] = "TravelDocumentRefused"
    SENTENCE: ClassVar[str] = "The travel document was refused by {asked}."

    asked: str


class TravelDocumentHandedOver(Event):
    TOPIC: ClassVar[str] = "TravelDocumentHandedOver"
    SENTENCE: ClassVar[str] = "The travel document was handed to the person."


class TravelDocumentLost(Event):
    TOPIC: ClassVar[str] = "TravelDocumentLost"
    SENTENCE: ClassVar[str] = "The travel document was lost."


class ExitPermitRequested(Event):
    TOPIC: ClassVar[str] = "ExitPermitRequested"
    SENTENCE: ClassVar[str] = "Exit permit requested."


class ExitPermitGranted(Event):
    TOPIC: ClassVar[str] = "ExitPermitGranted"
    SENTENCE: ClassVar[str] = "Exit permit granted for {airport} until {expires_on}."

    airport: str
    expires_on: date | None = None
    permit_number: Annotated[str | None, Sealed(Compartment.GEN)] = None


class ExitPermitRefused(Event):
    TOPIC: ClassVar[str] = "ExitPermitRefused"
    SENTENCE: ClassVar[str] = "Exit permit refused."

    reason: Annotated[str | None, Sealed(Compartment.SECU)] = None
