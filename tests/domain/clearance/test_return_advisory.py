"""Return advisories: no person travels to a place that has become unsafe, and no other person is stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.clearance.return_advisory import in_force, still_counts, with_change
from domain.decider import requirements_by_stage
from domain.events.protection import SafetyOfReturnAssessed
from domain.kernel.advisory import Advisory
from domain.kernel.vocabulary import AdvisoryLevel
from tests.support.assertions import assert_in_order
from tests.support.builders import (
    FLIGHT,
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_departed_case,
    a_frozen_case,
    a_registered_case,
    a_screened_case,
    a_seated_case,
    an_arrived_case,
)

MAY = datetime(2026, 5, 1, tzinfo=UTC)

CHANGED = "GATE.SAFETY_OF_RETURN.ADVISORY_CHANGED"

SAFE = {"area": "NG-LA", "result": "SAFE"}


def an_advisory(version: str, level: str, area: str | None = None, *, days: int = 0, country: str = "NGA") -> Advisory:
    return Advisory(country, area, AdvisoryLevel(level), version, days, MAY + timedelta(days=days))


NO_RETURN = an_advisory("2026-4", "NO_RETURN", "NG-LA")

CAUTION = an_advisory("2026-4", "CAUTION_INDIVIDUAL_ASSESSMENT", "NG-LA")

OPENED = an_advisory("2026-5", "OPEN", "NG-LA", days=1)


def advised(scenario: CaseScenario, *advisories: Advisory) -> CaseScenario:
    """Puts advisories in force without a message to the case."""
    scenario.directory = replace(scenario.directory, advisories=advisories)
    return scenario


def order(advisory: Advisory) -> dict[str, object]:
    return {
        "country": advisory.country,
        "area": advisory.area,
        "level": advisory.level,
        "advisory_version": advisory.version,
        "number": advisory.number,
        "since": advisory.since,
    }


def reassessed(scenario: CaseScenario, advisory: Advisory) -> CaseScenario:
    """Changes an advisory and sends the change to the case."""
    return advised(scenario, advisory).having("ReassessSafety", **order(advisory))


def safety(scenario: CaseScenario) -> str:
    found = scenario.clearance("SAFETY_OF_RETURN")
    return found.status if found else "MISSING"


# SC-19


def test_sc_19_a_region_becomes_unsafe_after_the_freeze() -> None:
    scenario = a_frozen_case()
    before = len(scenario.events)
    reassessed(scenario, NO_RETURN)
    assert_in_order(
        scenario.events[before:],
        "ReturnAdvisoryChanged[NG-LA NO_RETURN 2026-4]",
        "ClearanceRevoked[SAFETY_OF_RETURN ADVISORY_CHANGED]",
        "SeatReleased",
        "HoldPlaced[SAFETY]",
    )
    assert scenario.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True).rule == (
        "SAFETY.NO_RETURN"
    )
    scenario.having("AssessSafetyOfReturn", area="NG-KN", result="SAFE", advisory_version="2026-4", individual=True)
    assert scenario.named("SafetyOfReturnAssessed")[-1].facts["advisory_version"] == "2026-4"
    scenario.having("LiftHold", hold_id=scenario.held("SAFETY").hold_id, reason="she goes to her sister instead")
    assert {failure for failure in scenario.failures() if "SAFETY" in failure} == set()


def test_sc_19_a_person_returning_to_another_region_is_not_affected() -> None:
    elsewhere = an_advisory("2026-4", "NO_RETURN", "NG-BO")
    scenario = advised(a_frozen_case(), elsewhere)
    assert scenario.refused("ReassessSafety", **order(elsewhere)).rule == "SAFETY.NOT_CONCERNED"
    assert scenario.having("CheckInPassenger").having("BoardPassenger").case.seat is not None


# What a change ends


@pytest.mark.parametrize(
    "advisory", [NO_RETURN, CAUTION, an_advisory("2026-4", "NO_RETURN")], ids=lambda each: each.mark
)
def test_a_person_cleared_under_another_version_is_held_and_reassessed(advisory: Advisory) -> None:
    scenario = reassessed(a_cleared_case(), advisory)
    assert (safety(scenario), scenario.has_hold("SAFETY")) == ("REVOKED", True)
    assert "assess the safety of return anew" in [task.task for task in scenario.case.tasks.values()]
    assert scenario.status("PROTECTION") == "REOPENED"
    assert "STAFF.SAFETY_OF_RETURN" in scenario.waits_for()


def test_where_a_place_opens_a_clearance_by_country_is_reassessed_without_a_hold() -> None:
    scenario = reassessed(a_cleared_case(), OPENED)
    assert (safety(scenario), scenario.has_hold("SAFETY")) == ("REVOKED", False)


def test_where_a_place_opens_an_individual_assessment_stays_valid() -> None:
    scenario = reassessed(a_cleared_case(), CAUTION)
    scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert advised(scenario, OPENED).refused("ReassessSafety", **order(OPENED)).rule == "SAFETY.NOT_CONCERNED"
    assert (safety(scenario), CHANGED in scenario.failures()) == ("VALID", False)


@pytest.mark.parametrize("level", ["CAUTION_INDIVIDUAL_ASSESSMENT", "NO_RETURN"])
def test_where_caution_stays_advised_under_another_version_every_case_is_reassessed(level: str) -> None:
    scenario = reassessed(a_cleared_case(), CAUTION)
    scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert safety(reassessed(scenario, replace(OPENED, level=AdvisoryLevel(level)))) == "REVOKED"


def test_before_the_freeze_the_seat_is_kept_and_checked_again_at_the_freeze() -> None:
    scenario = reassessed(a_seated_case(), NO_RETURN)
    assert scenario.case.seat is not None
    scenario.at("2026-12-12T09:00:00Z")
    scenario.having("ManifestIsFrozen", movement_id=FLIGHT["movement_id"], movement=FLIGHT["movement"])
    assert scenario.case.seat is None


@pytest.mark.parametrize("beginning", [a_frozen_case, a_boarded_case])
def test_after_the_freeze_the_seat_is_released_and_a_boarded_person_offloaded(
    beginning: Callable[[], CaseScenario],
) -> None:
    scenario = reassessed(beginning(), NO_RETURN)
    assert scenario.case.seat is None
    assert ("PassengerOffloaded" in scenario.names) is ("PassengerBoarded" in scenario.names)


def test_a_place_without_a_known_region_counts_as_affected() -> None:
    scenario = a_screened_case().having("AssessSafetyOfReturn", area="near Lagos", result="SAFE", advisory_version="1")
    assert safety(reassessed(scenario, NO_RETURN)) == "REVOKED"


@pytest.mark.parametrize("beginning", [a_registered_case, a_screened_case])
def test_a_person_not_yet_assessed_loses_no_clearance(beginning: Callable[[], CaseScenario]) -> None:
    scenario = advised(beginning(), NO_RETURN)
    assert scenario.refused("ReassessSafety", **order(NO_RETURN)).rule == "SAFETY.NOT_CONCERNED"


def test_a_person_in_transit_is_reviewed_and_nothing_else_changes() -> None:
    scenario = advised(a_departed_case(), NO_RETURN).having("ReassessSafety", **order(NO_RETURN))
    assert "look at the onward journey" in [task.task for task in scenario.case.tasks.values()]
    assert (safety(scenario), scenario.has_hold("SAFETY")) == ("VALID", False)


def test_a_person_who_has_arrived_is_referred_to_protection() -> None:
    assert an_arrived_case().refused("ReassessSafety", **order(NO_RETURN)).rule == "SAFETY.ARRIVED"


def test_an_older_change_received_late_does_not_end_a_newer_clearance() -> None:
    scenario = reassessed(a_cleared_case(), replace(CAUTION, version="2026-6", number=9))
    scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-6", individual=True)
    assert scenario.refused("ReassessSafety", **order(OPENED)).rule == "SAFETY.NOT_CONCERNED"


# The gate checks current advisories


@pytest.mark.parametrize("checkpoint", ["NOMINATE", "FREEZE", "CHECK_IN", "BOARD"])
def test_the_gate_applies_an_advisory_that_the_case_has_not_received(checkpoint: str) -> None:
    scenario = a_frozen_case()
    assert CHANGED not in scenario.failures(checkpoint)
    assert CHANGED in advised(scenario, CAUTION).failures(checkpoint)


def test_a_checked_in_person_is_offloaded_with_the_next_message() -> None:
    scenario = advised(a_boarded_case(), NO_RETURN).having("AddNote", note="anything")
    assert scenario.case.seat is None


def test_a_worker_with_an_older_advisory_uses_the_one_that_the_case_received() -> None:
    scenario = reassessed(a_cleared_case(), CAUTION)
    scenario.directory = replace(scenario.directory, advisories=())
    assert scenario.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-3").rule == "SAFETY.ADVISORY"


@pytest.mark.parametrize("advisory", [CAUTION, NO_RETURN], ids=lambda each: each.mark)
def test_a_version_quoted_before_its_publication_does_not_count(advisory: Advisory) -> None:
    scenario = a_screened_case().having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert CHANGED in advised(scenario, advisory).failures()


def test_one_version_may_differ_for_a_country_and_its_part() -> None:
    scenario = advised(a_screened_case(), an_advisory("2026-4", "OPEN"))
    scenario.having("AssessSafetyOfReturn", area="NG-BO", result="SAFE", advisory_version="2026-4")
    part = an_advisory("2026-4", "CAUTION_INDIVIDUAL_ASSESSMENT", "NG-BO", days=1)
    assert safety(reassessed(scenario, part)) == "REVOKED"


def test_a_clearance_granted_by_an_officer_does_not_rest_on_an_earlier_assessment() -> None:
    scenario = a_cleared_case().having(
        "AssessSafetyOfReturn", **SAFE | {"result": "NOT_SAFE"}, advisory_version="2026-4"
    )
    scenario.having("GrantClearance", kind="SAFETY_OF_RETURN", evidence="she goes to her sister in Borno")
    assert CHANGED in advised(scenario, an_advisory("2026-5", "NO_RETURN", "NG-BO")).failures()


def test_a_case_without_the_change_waits_for_a_new_assessment_because_of_it() -> None:
    scenario = advised(a_frozen_case(), CAUTION)
    assert scenario.status("PROTECTION") == "COMPLETED"
    (lack,) = [
        lack
        for _, lack in requirements_by_stage(scenario.case, scenario.moment())
        if lack.code == "STAFF.SAFETY_OF_RETURN"
    ]
    assert lack.since == CAUTION.since


def test_the_case_shows_that_its_clearance_rests_on_an_older_advisory() -> None:
    scenario = advised(a_cleared_case(), CAUTION).having("AddNote", note="anything")
    assert scenario.status("PROTECTION") == "REOPENED"
    assert "STAFF.SAFETY_OF_RETURN" in scenario.waits_for()


def test_the_gate_records_the_advisory_at_boarding() -> None:
    scenario = advised(a_screened_case(), CAUTION)
    scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert scenario.named("SafetyOfReturnAssessed")[-1].facts["advised"] == "NG-LA 2026-4 CAUTION_INDIVIDUAL_ASSESSMENT"
    boarded = advised(a_frozen_case(), an_advisory("2026-3", "OPEN", country="SDN")).having("CheckInPassenger")
    assert boarded.having("BoardPassenger").named("TravelGateEvaluated")[-1].facts["advised"] is None


# Assessment


def test_an_assessment_under_a_superseded_advisory_is_rejected() -> None:
    scenario = advised(a_screened_case(), OPENED)
    refusal = scenario.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-3")
    assert (refusal.rule, refusal.field) == ("SAFETY.ADVISORY", "advisory_version")
    assert "advisory 2026-5 (open) is in force for Nigeria (NG-LA), not 2026-3" in refusal.detail
    assert safety(scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-5")) == "VALID"


def test_caution_requires_an_individual_assessment() -> None:
    scenario = advised(a_screened_case(), CAUTION)
    assert scenario.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4").rule == "SAFETY.INDIVIDUAL"
    scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert safety(scenario) == "VALID"


@pytest.mark.parametrize("result", ["NOT_SAFE", "UNDETERMINED"])
def test_an_unsafe_result_is_accepted_under_any_advisory(result: str) -> None:
    scenario = advised(a_cleared_case(), OPENED)
    scenario.having("AssessSafetyOfReturn", area="NG-LA", result=result, advisory_version="2026-3")
    assert safety(scenario) == "REVOKED"


def test_where_an_advisory_exists_safety_is_not_granted_by_hand() -> None:
    by_hand = {"kind": "SAFETY_OF_RETURN", "evidence": "seen"}
    assert advised(a_screened_case(), OPENED).refused("GrantClearance", **by_hand).rule == "CLEARANCE.ASSESSED"
    assert safety(advised(a_screened_case()).having("GrantClearance", **by_hand)) == "VALID"


def test_a_safety_hold_is_lifted_only_after_a_new_assessment() -> None:
    scenario = reassessed(a_cleared_case(), CAUTION)
    lifting = {"hold_id": scenario.held("SAFETY").hold_id, "reason": "x"}
    assert scenario.refused("LiftHold", **lifting).rule == "HOLD.SAFETY"
    scenario.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert not scenario.having("LiftHold", **lifting).has_hold("SAFETY")


# Which advisory counts

COUNTRY = an_advisory("C", "OPEN", days=3)

REGION = an_advisory("R", "NO_RETURN", "NG-BO")


@pytest.mark.parametrize(
    ("area", "version"),
    [("NG-BO", "R"), ("NG-LA", "C"), ("Maiduguri", "R"), (None, "R")],
)
def test_the_strictest_advisory_for_a_place_counts(area: str | None, version: str) -> None:
    found = in_force([COUNTRY, REGION], "NGA", area)
    assert found is not None
    assert found.version == version


def test_among_equals_the_newest_counts() -> None:
    found = in_force([an_advisory("old", "OPEN"), an_advisory("new", "OPEN", "NG-LA", days=1)], "NGA", "NG-LA")
    assert found is not None
    assert found.version == "new"


def test_an_advisory_for_another_country_does_not_count() -> None:
    assert in_force([an_advisory("S", "NO_RETURN", country="SDN")], "NGA", "NG-LA") is None


def test_a_change_replaces_only_the_previous_advisory_for_that_place() -> None:
    lifted = replace(REGION, level=AdvisoryLevel.OPEN, version="R2", number=5)
    assert with_change([COUNTRY, REGION], lifted) == [COUNTRY, lifted]
    assert with_change([COUNTRY, lifted], REGION) == [COUNTRY, lifted]


def test_without_an_advisory_the_assessment_counts() -> None:
    assert still_counts(None, None)
    assert not still_counts(None, COUNTRY)
    assert still_counts(an_assessment("C", advised=COUNTRY.mark), COUNTRY)


@pytest.mark.parametrize("advised", [None, "NGA C NO_RETURN", "NG-BO C OPEN"])
def test_an_assessment_counts_only_under_all_advisories_of_its_time(advised: str | None) -> None:
    assert not still_counts(an_assessment("C", advised=advised), COUNTRY)


@pytest.mark.parametrize("individual", [True, False])
def test_under_no_return_no_assessment_counts(individual: bool) -> None:
    assert not still_counts(an_assessment("R", advised=REGION.mark, individual=individual), REGION)


def an_assessment(version: str, *, advised: str | None, individual: bool = False) -> SafetyOfReturnAssessed:
    return SafetyOfReturnAssessed(area="NG-LA", advisory_version=version, individual=individual, advised=advised)
