"""Voluntariness of the return: what raises a doubt about it, and which declarations count afterwards."""

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


def recorded(scenario: CaseScenario, fact: Event) -> Event:
    placed = fact.placed_in(scenario.case.id, scenario.case.version + 1, scenario.now)
    placed.mutate(scenario.case)
    return placed


def an_assessment(result: str) -> Event:
    facts = {"result": result, "in_private": True, "assessor": "staff:fatima"}
    return VoluntarinessAssessed.model_validate(facts)


def test_each_of_these_events_raises_a_doubt_about_voluntariness() -> None:
    moment = CaseScenario().moment()
    for fact in (
        VoluntaryReturnWithdrawn(),
        an_assessment("DOUBT"),
        an_assessment("NOT_VOLUNTARY"),
        hold(HoldType.CONSENT, moment),
        DetentionRecorded(situation=LivingSituation.DETENTION_OFFICIAL),
        NationalityChanged(before="MLI", nationality="GIN"),
    ):
        scenario = a_screened_case()
        assert latest_doubt(scenario.case) is None
        placed = recorded(scenario, fact)
        assert latest_doubt(scenario.case) == placed, fact.name


@pytest.mark.parametrize("kind", sorted(set(HoldType) - {HoldType.CONSENT}))
def test_no_other_hold_and_no_voluntary_result_does(kind: HoldType) -> None:
    scenario = a_screened_case()
    recorded(scenario, hold(kind, scenario.moment()))
    recorded(scenario, an_assessment("VOLUNTARY"))
    assert latest_doubt(scenario.case) is None


@pytest.mark.parametrize(("age", "counts"), [(timedelta(), True), (timedelta(seconds=1), False)])
def test_a_declaration_counts_if_it_was_recorded_and_made_after_the_doubt(age: timedelta, counts: bool) -> None:
    scenario = a_screened_case()
    before = scenario.case.latest(VoluntaryReturnDeclared)
    assert before is not None
    doubt = recorded(scenario, VoluntaryReturnWithdrawn())
    after = recorded(scenario, before.model_copy())
    assert not still_stands(scenario.case, before, scenario.now + timedelta(days=1))
    assert still_stands(scenario.case, after, doubt.timestamp - age) is counts


def test_a_doubt_under_an_existing_hold_is_a_separate_doubt() -> None:
    """The hold of the withdrawal still exists; a declaration signed between it and the doubt completes no screening."""
    free = {"understood": True, "free_of_pressure": True, "in_private": True}
    scenario = a_registered_case().having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    scenario.having("RecordVulnerabilityAssessment", overall_risk="LOW")
    scenario.having("WithdrawVoluntaryReturn", channel="OFFICE").having("AssessVoluntariness", **free)
    scenario.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="1", language="en")
    scenario.having("AssessVoluntariness", **(free | {"capacity": "DOUBT"})).having("AssessVoluntariness", **free)
    assert scenario.refused("DetermineEligibility", decision="ELIGIBLE").failures == ("PERSON.DECLARATION",)


def test_a_hold_is_not_lifted_on_a_declaration_signed_before_it() -> None:
    """The rule also applies to cases recorded before the date of a declaration was checked."""
    scenario = a_screened_case().after(hours=1).having("WithdrawVoluntaryReturn", channel="PHONE").after(hours=1)
    signed = scenario.case.latest(VoluntaryReturnDeclared)
    assert signed is not None
    recorded(scenario, signed.model_copy())
    recorded(scenario, grant(ClearanceKind.CONSENT_RETURN, scenario.moment()))
    assert (
        scenario.refused("LiftHold", hold_id=scenario.held("CONSENT").hold_id, reason="signed").rule == "HOLD.CONSENT"
    )
