"""Events of the travel documents stage, in the order in which they usually happen."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, ClassVar

from domain.case.aggregate import Case, Consent
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import Purpose, TravelDocumentKind

# Events, in their usual order


class NationalityConfirmed(Event):
    TOPIC: ClassVar[str] = "NationalityConfirmed"
    SENTENCE: ClassVar[str] = "Nationality confirmed by {confirmed_by:words}."

    confirmed_by: str


class NationalityNotConfirmed(Event):
    TOPIC: ClassVar[str] = "NationalityNotConfirmed"
    SENTENCE: ClassVar[str] = "Nationality not confirmed by {asked}."

    asked: str


class ConsularInterviewMissed(Event):
    """The person missed the consular interview; the embassy made no finding on nationality."""

    TOPIC: ClassVar[str] = "ConsularInterviewMissed"
    SENTENCE: ClassVar[str] = "Consular interview with {asked} missed by the person."

    asked: str


class NationalityNotExamined(Event):
    """The embassy did not examine the nationality; the question remains open."""

    TOPIC: ClassVar[str] = "NationalityNotExamined"
    SENTENCE: ClassVar[str] = "Nationality not examined by {asked} (cause: {cause:words})."

    asked: str
    cause: str


class NationalityChanged(Event):
    """The person stated a different nationality than the one on record.

    Answers of embassies, and the consent to share data with an embassy, concerned the former nationality and no longer
    apply. Partners that the person excluded stay excluded.
    """

    TOPIC: ClassVar[str] = "NationalityChanged"
    SENTENCE: ClassVar[str] = "Nationality changed from {before:country} to {nationality:country}."

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
    SENTENCE: ClassVar[str] = "Travel document issued: {kind}, {validity}."

    kind: TravelDocumentKind
    expires_on: date | None = None
    number: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "validity": _validity(self.expires_on)}


class TravelDocumentRefused(Event):
    TOPIC: ClassVar[str] = "TravelDocumentRefused"
    SENTENCE: ClassVar[str] = "Travel document refused by {asked}."

    asked: str


class TravelDocumentHandedOver(Event):
    TOPIC: ClassVar[str] = "TravelDocumentHandedOver"
    SENTENCE: ClassVar[str] = "Travel document handed over to the person."


class TravelDocumentLost(Event):
    TOPIC: ClassVar[str] = "TravelDocumentLost"
    SENTENCE: ClassVar[str] = "Travel document reported lost."


class ExitPermitRequested(Event):
    TOPIC: ClassVar[str] = "ExitPermitRequested"
    SENTENCE: ClassVar[str] = "Exit permit requested."


class ExitPermitGranted(Event):
    TOPIC: ClassVar[str] = "ExitPermitGranted"
    SENTENCE: ClassVar[str] = "Exit permit granted for {airport}, {validity}."

    airport: str
    expires_on: date | None = None
    permit_number: Annotated[str | None, Sealed(Compartment.GEN)] = None

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "validity": _validity(self.expires_on)}


def _validity(expires_on: date | None) -> str:
    return f"valid until {expires_on:%d %B %Y}" if expires_on else "without an expiry date"


class ExitPermitRefused(Event):
    TOPIC: ClassVar[str] = "ExitPermitRefused"
    SENTENCE: ClassVar[str] = "Exit permit refused."

    reason: Annotated[str | None, Sealed(Compartment.SECU)] = None
