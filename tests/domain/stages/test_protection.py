"""Protection: the listing of these tests is its decision table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.assertions import neutral
from tests.support.builders import (
    CaseScenario,
    a_boarded_case,
    a_departed_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
)

SAFE = {"area": "NG-LA", "result": "SAFE", "advisory_version": "2026-3"}


def status(scenario: CaseScenario, kind: str) -> str | None:
    found = scenario.clearance(kind)
    return found.status if found else None


def test_low_risk_without_a_hold_is_cleared_at_once() -> None:
    assert status(a_screened_case("LOW"), "PROTECTION_CLEARANCE") == "VALID"


def assessed(scenario: CaseScenario, risk: str, *factors: str) -> CaseScenario:
    return scenario.having("RecordVulnerabilityAssessment", overall_risk=risk, factors=factors)


def test_low_risk_with_anything_indicated_asks_a_protection_partner() -> None:
    scenario = a_registered_case().having("RecordNonRefoulementScreen", outcome="NO_CLAIM")
    assessed(scenario, "LOW", "TRAFFICKING_INDICATOR")
    scenario.having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    scenario.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="VRD-1", language="en")
    scenario.having("DetermineEligibility", decision="ELIGIBLE").having("CompleteScreening")
    assert status(scenario, "PROTECTION_CLEARANCE") is None
    assert not scenario.referral("PROTECTION_ASSISTANCE").urgent
    assert "TRAFFICKING" not in neutral(scenario.named("VulnerabilityAssessed")[-1])


FOUND_LATER = [("HIGH", ()), ("HIGH", ("TRAFFICKING",)), ("MEDIUM", ()), ("LOW", ("TRAFFICKING_INDICATOR",))]


@pytest.mark.parametrize(("risk", "factors"), FOUND_LATER)
@pytest.mark.parametrize("beginning", [a_screened_case, a_frozen_case, a_boarded_case])
def test_what_is_found_after_protection_had_cleared_the_way_is_a_concern(
    beginning: Callable[[], CaseScenario], risk: str, factors: tuple[str, ...]
) -> None:
    scenario = assessed(beginning(), risk, *factors)
    assert scenario.named("ProtectionConcernRaised")[-1].facts["content"]["factors"] == list(factors)
    assert status(scenario, "PROTECTION_CLEARANCE") == "REVOKED"
    assert {"GATE.HOLD.PROTECTION", "GATE.PROTECTION_CLEARANCE.REVOKED"} <= set(scenario.failures())
    assert "decide on a protection hold" in [task.task for task in scenario.case.tasks.values()]
    assert scenario.case.seat is None or scenario.case.seat.status == "CONFIRMED", "nobody stays on board"


def test_finding_again_what_was_known_is_no_new_concern() -> None:
    scenario = assessed(a_frozen_case(), "LOW")
    assert scenario.failures() == ()
    assessed(scenario, "MEDIUM", "DEBT", "ALONE").having(
        "LiftHold", hold_id=scenario.held("PROTECTION").hold_id, reason="seen"
    )
    scenario.having("GrantClearance", kind="PROTECTION_CLEARANCE", evidence="seen")
    assert assessed(scenario, "MEDIUM", "ALONE").failures() == ()


def test_high_risk_is_a_concern_however_often_it_is_found() -> None:
    scenario = a_screened_case("HIGH").having("GrantClearance", kind="PROTECTION_CLEARANCE", evidence="looked at")
    assert status(assessed(scenario, "HIGH"), "PROTECTION_CLEARANCE") == "REVOKED"


def test_what_is_found_while_protection_looks_is_a_concern_too() -> None:
    assert assessed(a_screened_case("MEDIUM"), "MEDIUM", "GBV").has_hold("PROTECTION")


def test_what_is_found_in_screening_is_for_protection_to_look_at_and_holds_nothing_yet() -> None:
    assert not assessed(a_registered_case(), "HIGH", "TRAFFICKING").case.holds


def test_what_is_found_after_an_officer_had_cleared_the_way_early_is_a_concern() -> None:
    scenario = a_registered_case().having("GrantClearance", kind="PROTECTION_CLEARANCE", evidence="known to us")
    assert assessed(scenario, "HIGH").has_hold("PROTECTION")


def test_what_is_found_on_the_way_reaches_an_officer_and_holds_nothing_any_more() -> None:
    scenario = assessed(a_departed_case(), "HIGH")
    assert not scenario.case.holds
    assert [task.queue for task in scenario.case.tasks.values()] == ["PROTECTION_OFFICER"]


@pytest.mark.parametrize(("risk", "urgent"), [("MEDIUM", False), ("HIGH", True)])
def test_any_higher_risk_asks_a_protection_partner(risk: str, urgent: bool) -> None:
    scenario = a_screened_case(risk)
    assert status(scenario, "PROTECTION_CLEARANCE") is None
    assert scenario.referral("PROTECTION_ASSISTANCE").urgent is urgent


def test_a_safe_place_completes_protection() -> None:
    scenario = a_screened_case().having("AssessSafetyOfReturn", **SAFE)
    assert scenario.status("PROTECTION") == "COMPLETED"


@pytest.mark.parametrize("result", ["NOT_SAFE", "UNDETERMINED"])
def test_an_unsafe_place_takes_the_permission_back_and_reopens_protection(result: str) -> None:
    scenario = a_screened_case().having("AssessSafetyOfReturn", **SAFE)
    scenario.having("AssessSafetyOfReturn", **(SAFE | {"result": result}))
    assert status(scenario, "SAFETY_OF_RETURN") == "REVOKED"
    assert scenario.status("PROTECTION") == "REOPENED"


def test_a_partners_help_clears_nothing_by_itself() -> None:
    scenario = a_screened_case("HIGH").having(
        "RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en"
    )
    scenario.having_signal("PROTECTION_ASSISTANCE", "COMPLETED", "SERVICE_PROVIDED")
    assert status(scenario, "PROTECTION_CLEARANCE") is None
    assert "TaskRaised" in scenario.names


def test_an_officer_clears_the_way_by_name() -> None:
    scenario = a_screened_case("HIGH").having("GrantClearance", kind="PROTECTION_CLEARANCE", evidence="assessed")
    assert status(scenario, "PROTECTION_CLEARANCE") == "VALID"


def test_the_way_is_not_cleared_under_a_hold() -> None:
    scenario = a_screened_case("HIGH").having("RaiseProtectionConcern", risk_level="HIGH", concern="threatened")
    assert scenario.refused("GrantClearance", kind="PROTECTION_CLEARANCE", evidence="x").rule == "CLEARANCE.HELD"


@pytest.mark.parametrize(
    "kind", ["CONSENT_RETURN", "MEDICAL_ASSESSMENT", "FIT_TO_TRAVEL", "TRAVEL_DOCUMENT", "EXIT_PERMIT"]
)
def test_what_others_must_give_is_not_granted_by_hand(kind: str) -> None:
    assert a_screened_case().refused("GrantClearance", kind=kind, evidence="x").rule == "CLEARANCE.NOT_BY_HAND"


def test_only_a_permission_in_force_is_revoked() -> None:
    assert a_screened_case().refused("RevokeClearance", kind="EXIT_PERMIT", cause="x").rule == "CLEARANCE.NOT_IN_FORCE"


def test_a_concern_holds_the_case_at_any_stage() -> None:
    scenario = a_frozen_case().having("RaiseProtectionConcern", risk_level="HIGH", concern="followed to the airport")
    assert "GATE.HOLD.PROTECTION" in scenario.failures()
    assert status(scenario, "PROTECTION_CLEARANCE") == "REVOKED"
    assert scenario.status("PROTECTION") == "REOPENED"


def test_a_concern_close_to_departure_is_decided_within_four_hours() -> None:
    scenario = a_frozen_case().having("RaiseProtectionConcern", risk_level="HIGH", concern="followed")
    task = list(scenario.case.tasks.values())[-1]
    assert (task.due - scenario.now).total_seconds() == 4 * 3600


def test_lifting_one_hold_lifts_no_other() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="a")
    scenario.having("PlaceHold", hold_type="PROTECTION", reason="b").having("PlaceHold", hold_type="LEGAL", reason="c")
    scenario.having("LiftHold", hold_id=scenario.held("PROTECTION", 0).hold_id, reason="cleared up")
    assert [hold.type for hold in scenario.case.holds.values()] == ["PROTECTION", "LEGAL"]


@pytest.mark.parametrize(("order", "fields"), [("LiftHold", {"reason": "x"}), ("ReviewHold", {"decision": "x"})])
def test_a_hold_that_is_not_there_is_neither_lifted_nor_reviewed(order: str, fields: dict[str, str]) -> None:
    unknown = "6f6d9a3e-0000-4000-8000-00000000ffff"
    assert a_screened_case().refused(order, hold_id=unknown, **fields).rule == "HOLD.UNKNOWN"


def test_a_consent_hold_outlasts_everything_but_a_new_declaration() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    hold_id = scenario.held("CONSENT").hold_id
    assert scenario.refused("LiftHold", hold_id=hold_id, reason="x").rule == "HOLD.CONSENT"
    scenario.after(days=1).having("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True)
    scenario.having("SignVoluntaryReturnDeclaration", country="NGA", form_version="1", language="en")
    scenario.having("LiftHold", hold_id=hold_id, reason="declared again")
    assert not scenario.case.holds


def test_a_review_may_release_the_disclosure_part_so_that_documents_go_on() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute")
    hold = scenario.held("PROTECTION")
    scenario.having("ReviewHold", hold_id=hold.hold_id, decision="documents may go on", unblock=("EMBASSY_DISCLOSURE",))
    assert hold.blocks == {"MANIFEST", "BOARDING", "AUTHORITY_DISCLOSURE"}


def test_a_review_never_lets_anybody_travel() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute")
    refusal = scenario.refused(
        "ReviewHold", hold_id=scenario.held("PROTECTION").hold_id, decision="x", unblock=("BOARDING",)
    )
    assert refusal.rule == "HOLD.NOT_RELEASABLE"


def test_the_disclosure_part_of_a_hold_for_fear_is_never_released() -> None:
    scenario = a_registered_case().having("RecordNonRefoulementScreen", outcome="UNSURE")
    hold_id = scenario.held("PROTECTION").hold_id
    scenario.having("ReviewHold", hold_id=hold_id, decision="x", unblock=("EMBASSY_DISCLOSURE",))
    assert "EMBASSY_DISCLOSURE" in scenario.held("PROTECTION").blocks
