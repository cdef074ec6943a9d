"""Events of the screening stage, in the order in which they usually happen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime

from domain.case.aggregate import Case, Consent
from domain.kernel.event import Compartment, Event, Sealed
from domain.kernel.person import Country
from domain.kernel.vocabulary import LivingSituation, Phase, Purpose, RiskLevel


class VoluntaryReturnWithdrawn(Event):
    """The person withdrew from voluntary return. A withdrawal takes precedence over any other statement."""

    TOPIC: ClassVar[str] = "VoluntaryReturnWithdrawn"
    SENTENCE: ClassVar[str] = "Voluntary return withdrawn (channel: {channel:words}, place: {place:words})."

    reported_by_other: bool = False
    channel: Annotated[str | None, Sealed(Compartment.CONS)] = None
    place: Annotated[str | None, Sealed(Compartment.CONS)] = None


Free = Literal["VOLUNTARY", "DOUBT", "NOT_VOLUNTARY"]


# Events, in their usual order


class ConsentGiven(Event):
    TOPIC: ClassVar[str] = "ConsentGiven"
    SENTENCE: ClassVar[str] = "Consent given: {purpose} ({method:words}, form {form_version}, in {language:language})."

    purpose: Purpose
    """Public name of the purpose; ``true_purpose`` holds the real one where it would reveal the recipient."""
    form_version: str
    language: str
    method: str
    given_by: str
    excluded_partners: tuple[str, ...] = ()
    witness: Annotated[str | None, Sealed(Compartment.CONS)] = None
    true_purpose: Annotated[Purpose | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.consents[self.true_purpose or self.purpose] = Consent(
            given=True, since=self.timestamp, excluded=frozenset(self.excluded_partners)
        )


class ConsentRefused(Event):
    TOPIC: ClassVar[str] = "ConsentRefused"
    SENTENCE: ClassVar[str] = "Consent refused: {purpose}."

    purpose: Purpose
    form_version: str
    true_purpose: Annotated[Purpose | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        case.consents[self.true_purpose or self.purpose] = Consent(given=False, since=self.timestamp)


class ConsentWithdrawn(Event):
    TOPIC: ClassVar[str] = "ConsentWithdrawn"
    SENTENCE: ClassVar[str] = "Consent withdrawn: {purpose}; earlier disclosures cannot be undone."

    purpose: Purpose
    true_purpose: Annotated[Purpose | None, Sealed(Compartment.PROT)] = None

    def apply_to(self, case: Case) -> None:
        purpose = self.true_purpose or self.purpose
        excluded = case.excluded_for(purpose)
        case.consents[purpose] = Consent(given=False, since=self.timestamp, excluded=excluded)


class ScreeningStarted(Event):
    TOPIC: ClassVar[str] = "ScreeningStarted"
    SENTENCE: ClassVar[str] = "Screening started."


class CounsellingSessionHeld(Event):
    TOPIC: ClassVar[str] = "CounsellingSessionHeld"
    SENTENCE: ClassVar[str] = "Counselling session held in {language:language}; topics: {topics:words}."

    language: str
    topics: Annotated[tuple[str, ...] | None, Sealed(Compartment.CONS)] = None


class NonRefoulementScreened(Event):
    """The person was asked in private about fear of return. Only the fact of the interview is public."""

    TOPIC: ClassVar[str] = "NonRefoulementScreened"
    SENTENCE: ClassVar[str] = "Protection screening interview held in private."
    class_version: ClassVar[int] = 2

    outcome: Annotated[str | None, Sealed(Compartment.ASYL)] = None
    account: Annotated[str | None, Sealed(Compartment.ASYL)] = None

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Removes a public field of version 1: it was false only after fear of return was expressed."""
        state.pop("documents_may_start", None)


class VulnerabilityAssessed(Event):
    TOPIC: ClassVar[str] = "VulnerabilityAssessed"
    SENTENCE: ClassVar[str] = "Vulnerability assessed; overall risk: {risk_level}."

    risk_level: RiskLevel
    nothing_indicated: bool = False
    """Whether no vulnerability factor was found; the factors themselves are sealed."""
    factors: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None


class VoluntarinessAssessed(Event):
    TOPIC: ClassVar[str] = "VoluntarinessAssessed"
    SENTENCE: ClassVar[str] = "Voluntariness assessed: {result:words} (in private: {in_private})."

    result: Free
    in_private: bool
    assessor: str
    held_at: AwareDatetime | None = None
    """When the interview was held (UTC), if that was before it was recorded."""
    coercion_indicators: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None

    @property
    def when(self) -> datetime:
        return self.held_at or self.timestamp


class VoluntaryReturnDeclared(Event):
    TOPIC: ClassVar[str] = "VoluntaryReturnDeclared"
    SENTENCE: ClassVar[str] = (
        "Signed the voluntary return declaration ({country:country}), on {signed_at}, by {signatory}."
    )

    country: Country
    form_version: str
    language: str
    signed_at: AwareDatetime
    signer: str
    place_anew: bool = False
    """Whether it names another place within the country than before; the place itself is sealed."""
    locality: Annotated[str | None, Sealed(Compartment.GEN)] = None
    witness: Annotated[str | None, Sealed(Compartment.CONS)] = None

    def apply_to(self, case: Case) -> None:
        if self.country != case.country_of_return:
            case.country_of_return, case.country_since = self.country, self.originator_version

    def sentence_values(self) -> dict[str, Any]:
        signatory = "the guardian" if self.signer == "GUARDIAN" else "the person"
        return {**self.facts, "signatory": signatory}


class EligibilityDetermined(Event):
    TOPIC: ClassVar[str] = "EligibilityDetermined"
    SENTENCE: ClassVar[str] = "Eligibility determined: {decision:words} (reasons: {reasons:words})."

    decision: str
    reasons: Annotated[tuple[str, ...] | None, Sealed(Compartment.PROT)] = None
    funding_profile: Annotated[str | None, Sealed(Compartment.FIN)] = None

    def apply_to(self, case: Case) -> None:
        if self.decision in ELIGIBLE and case.phase is Phase.INTAKE:
            case.phase = Phase.PRE_DEPARTURE


class ScreeningCompleted(Event):
    TOPIC: ClassVar[str] = "ScreeningCompleted"
    SENTENCE: ClassVar[str] = "Screening completed."


class DetentionRecorded(Event):
    TOPIC: ClassVar[str] = "DetentionRecorded"
    SENTENCE: ClassVar[str] = "Detention recorded: {situation}."

    situation: LivingSituation
    site: Annotated[str | None, Sealed(Compartment.SECU)] = None

    def apply_to(self, case: Case) -> None:
        case.living_situation = self.situation


class DetentionReleased(Event):
    TOPIC: ClassVar[str] = "DetentionReleased"
    SENTENCE: ClassVar[str] = "Release from detention recorded."

    def apply_to(self, case: Case) -> None:
        case.living_situation = LivingSituation.OTHER


ELIGIBLE = frozenset({"ELIGIBLE", "ELIGIBLE_WITH_REFERRALS"})
