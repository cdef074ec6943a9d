"""Whether a person wants to go: what puts it in doubt, and what still counts after that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.clearance.actions import grant, hold
from domain.clearance.voluntariness import latest_doubt, still_stands
from domain.events.documents import NationalityChanged
from domain.events.screening import (
    DetentionRecorded,
    VoluntarinessAssessed,
    VoluntaryReturnDeclared,
    VoluntaryReturnWithdrawn,
)
from domain.kernel.event import Event
from domain.kernel.vocabulary import ClearanceKind, HoldType, LivingSituation
from tests.support.builders import CaseScenario, a_registered_case, a_screened_case


def recorded(told: CaseScenario, fact: Event) -> Event:
    placed = fact.placed_in(told.case.id, told.case.version + 1, told.now)
    placed.mutate(told.case)
    return placed


def an_assessment(result: str) -> Event:
    facts = {"result": result, "in_private": True, "assessor": "staff:fatima"}
    return VoluntarinessAssessed.model_validate(facts)


def test_each_of_these_facts_puts_the_wish_in_doubt_by_itself() -> None:
    moment = CaseScenario().moment()
    for fact in (
        VoluntaryReturnWithdrawn(),
        an_assessment("DOUBT"),
        an_assessment("NOT_VOLUNTARY"),
        hold(HoldType.CONSENT, moment),
        DetentionRecorded(situation=LivingSituation.DETENTION_OFFICIAL),
        NationalityChanged(before="MLI", nationality="GIN"),
    ):
        told = a_screened_case()
        assert latest_doubt(told.case) is None
        placed = recorded(told, fact)
        assert latest_doubt(told.case) == placed, fact.name


@pytest.mark.parametrize("kind", sorted(set(HoldType) - {HoldType.CONSENT}))
def test_no_other_hold_and_no_yes_does(kind: HoldType) -> None:
    told = a_screened_case()
    recorded(told, hold(kind, told.moment()))
    recorded(told, an_assessment("VOLUNTARY"))
    assert latest_doubt(told.case) is None


@pytest.mark.parametrize(("said", "stands"), [(timedelta(), True), (timedelta(seconds=1), False)])
def test_a_word_counts_if_it_was_recorded_and_said_after_the_doubt(said: timedelta, stands: bool) -> None:
    told = a_screened_case()
    before = told.case.latest(VoluntaryReturnDeclared)
    assert before is not None
    doubt = recorded(told, VoluntaryReturnWithdrawn())
    after = recorded(told, before.model_copy())
    assert not still_stands(told.case, before, told.now + timedelta(days=1))
    assert still_stands(told.case, after, doubt.timestamp - said) is stands


def test_a_doubt_while_an_older_hold_stands_is_a_doubt_of_its_own() -> None:
    """The hold for a withdrawal is still there; what was signed between it and the doubt completes no screening."""
    free = {"understood": True, "free_of_pressure": True, "in_private": True}
    told = a_registered_case().having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    told.having("RecordVulnerabilityAssessment", overall_risk="LOW")
    told.having("WithdrawVoluntaryReturn", channel="OFFICE").having("AssessVoluntariness", **free)
    told.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="1", language="en")
    told.having("AssessVoluntariness", **(free | {"capacity": "DOUBT"})).having("AssessVoluntariness", **free)
    assert told.refused("DetermineEligibility", decision="ELIGIBLE").failures == ("PERSON.DECLARATION",)


def test_a_hold_is_not_lifted_on_a_paper_from_before_it_even_if_that_once_counted() -> None:
    """Cases that were recorded before papers were held to their dates are held to them now."""
    told = a_screened_case().after(hours=1).having("WithdrawVoluntaryReturn", channel="PHONE").after(hours=1)
    signed = told.case.latest(VoluntaryReturnDeclared)
    assert signed is not None
    recorded(told, signed.model_copy())
    recorded(told, grant(ClearanceKind.CONSENT_RETURN, told.moment()))
    assert told.refused("LiftHold", hold_id=told.held("CONSENT").hold_id, reason="signed").rule == "HOLD.CONSENT"
