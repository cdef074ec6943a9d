"""Commands of the screening stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from domain.events.screening import Free
from domain.kernel.message import Message, Word
from domain.kernel.person import Country, Person
from domain.kernel.vocabulary import IntakeChannel, LivingSituation, Purpose, RiskLevel


class RegisterCase(Message):
    """Registers a case for a person. Requires consent to data processing, or a recorded emergency."""

    person: Person
    country_of_return: Country
    channel: IntakeChannel
    office: Word
    living_situation: LivingSituation = LivingSituation.OTHER
    registered_on: AwareDatetime | None = None
    source: Word | None = None
    consent_to_data_processing: bool
    emergency_override: Annotated[str, Field(max_length=500)] | None = None
    form_version: Word = "DP-1"
    language: Word = "en"


class RecordConsent(Message):
    purpose: Purpose
    given: bool = True
    form_version: Word
    language: Word
    method: Literal["SIGNATURE", "THUMBPRINT", "VERBAL_WITNESSED"] = "SIGNATURE"
    given_by: Literal["SELF", "GUARDIAN"] = "SELF"
    witness: Word | None = None
    excluded_partners: tuple[Word, ...] = ()


class WithdrawConsent(Message):
    purpose: Purpose


class RecordCounselling(Message):
    topics: Annotated[tuple[Word, ...], Field(min_length=1)]
    language: Word


class RecordNonRefoulementScreen(Message):
    outcome: Literal["NO_CLAIM", "CLAIM", "UNSURE"]
    account: Annotated[str, Field(max_length=4000)] | None = None
    concern: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """Any other protection concern raised in the interview."""


class RecordVulnerabilityAssessment(Message):
    overall_risk: RiskLevel
    factors: tuple[Word, ...] = ()


class AssessVoluntariness(Message):
    understood: bool
    free_of_pressure: bool
    capacity: Literal["OK", "DOUBT", "LACKS"] = "OK"
    in_private: bool
    coercion_indicators: tuple[Word, ...] = ()


class SignVoluntaryReturnDeclaration(Message):
    country: Country
    locality: Word | None = None
    form_version: Word
    language: Word
    signed_at: AwareDatetime | None = None
    signer: Literal["SELF", "GUARDIAN"] = "SELF"
    witness: Word | None = None


class DetermineEligibility(Message):
    decision: Literal[
        "ELIGIBLE", "ELIGIBLE_WITH_REFERRALS", "UNDECIDED", "DECLINED", "INELIGIBLE", "NOT_SAFE_TO_RETURN"
    ]
    reasons: tuple[Word, ...] = ()
    funding_profile: Annotated[str, Field(max_length=120)] = ""


class CompleteScreening(Message):
    pass


class RecordDetention(Message):
    situation: Literal[LivingSituation.DETENTION_OFFICIAL, LivingSituation.DETENTION_UNOFFICIAL]
    site: Word | None = None


class RecordRelease(Message):
    pass


def conclusion(assessment: AssessVoluntariness) -> Free:
    """Returns the result of an assessment: pressure means not voluntary; anything short of a clear yes is doubt."""
    if not assessment.free_of_pressure:
        return "NOT_VOLUNTARY"
    clear = assessment.understood and assessment.capacity == "OK" and not assessment.coercion_indicators
    return "VOLUNTARY" if clear else "DOUBT"
