"""Return advisories: nobody is flown to where it has become unsafe, and nobody else is stopped."""

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


def advised(told: CaseScenario, *advisories: Advisory) -> CaseScenario:
    """From now on everybody knows it, whatever the case has been told."""
    told.directory = replace(told.directory, advisories=advisories)
    return told


def order(advisory: Advisory) -> dict[str, object]:
    return {
        "country": advisory.country,
        "area": advisory.area,
        "level": advisory.level,
        "advisory_version": advisory.version,
        "number": advisory.number,
        "since": advisory.since,
    }


def reassessed(told: CaseScenario, advisory: Advisory) -> CaseScenario:
    """The advisory changes, and the case is told of it."""
    return advised(told, advisory).having("ReassessSafety", **order(advisory))


def safety(told: CaseScenario) -> str:
    found = told.clearance("SAFETY_OF_RETURN")
    return found.status if found else "MISSING"


# SC-19


def test_sc_19_a_region_becomes_unsafe_after_the_freeze() -> None:
    told = a_frozen_case()
    before = len(told.events)
    reassessed(told, NO_RETURN)
    assert_in_order(
        told.events[before:],
        "ReturnAdvisoryChanged[NG-LA NO_RETURN 2026-4]",
        "ClearanceRevoked[SAFETY_OF_RETURN ADVISORY_CHANGED]",
        "SeatReleased",
        "HoldPlaced[SAFETY]",
    )
    assert told.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True).rule == (
        "SAFETY.NO_RETURN"
    )
    told.having("AssessSafetyOfReturn", area="NG-KN", result="SAFE", advisory_version="2026-4", individual=True)
    assert told.named("SafetyOfReturnAssessed")[-1].facts["advisory_version"] == "2026-4"
    told.having("LiftHold", hold_id=told.held("SAFETY").hold_id, reason="she goes to her sister instead")
    assert {failure for failure in told.failures() if "SAFETY" in failure} == set()


def test_sc_19_and_whoever_returns_to_another_region_is_not_touched() -> None:
    elsewhere = an_advisory("2026-4", "NO_RETURN", "NG-BO")
    told = advised(a_frozen_case(), elsewhere)
    assert told.refused("ReassessSafety", **order(elsewhere)).rule == "SAFETY.NOT_CONCERNED"
    assert told.having("CheckInPassenger").having("BoardPassenger").case.seat is not None


# What a change ends


@pytest.mark.parametrize(
    "advisory", [NO_RETURN, CAUTION, an_advisory("2026-4", "NO_RETURN")], ids=lambda each: each.mark
)
def test_who_was_cleared_by_another_version_is_held_and_assessed_anew(advisory: Advisory) -> None:
    told = reassessed(a_cleared_case(), advisory)
    assert (safety(told), told.has_hold("SAFETY")) == ("REVOKED", True)
    assert "assess the safety of return anew" in [task.task for task in told.case.tasks.values()]
    assert told.status("PROTECTION") == "REOPENED"
    assert "STAFF.SAFETY_OF_RETURN" in told.waits_for()


def test_where_a_place_opens_who_was_cleared_by_a_look_at_the_country_is_assessed_anew_without_a_hold() -> None:
    told = reassessed(a_cleared_case(), OPENED)
    assert (safety(told), told.has_hold("SAFETY")) == ("REVOKED", False)


def test_where_a_place_opens_who_was_looked_at_individually_stays_cleared() -> None:
    told = reassessed(a_cleared_case(), CAUTION)
    told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert advised(told, OPENED).refused("ReassessSafety", **order(OPENED)).rule == "SAFETY.NOT_CONCERNED"
    assert (safety(told), CHANGED in told.failures()) == ("VALID", False)


@pytest.mark.parametrize("level", ["CAUTION_INDIVIDUAL_ASSESSMENT", "NO_RETURN"])
def test_where_caution_stays_advised_under_another_version_everybody_is_looked_at_again(level: str) -> None:
    told = reassessed(a_cleared_case(), CAUTION)
    told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert safety(reassessed(told, replace(OPENED, level=AdvisoryLevel(level)))) == "REVOKED"


def test_before_the_freeze_the_seat_is_kept_and_the_freeze_asks_again() -> None:
    told = reassessed(a_seated_case(), NO_RETURN)
    assert told.case.seat is not None
    told.at("2026-12-12T09:00:00Z")
    told.having("ManifestIsFrozen", movement_id=FLIGHT["movement_id"], movement=FLIGHT["movement"])
    assert told.case.seat is None


@pytest.mark.parametrize("beginning", [a_frozen_case, a_boarded_case])
def test_after_the_freeze_the_seat_goes_back_and_nobody_stays_on_board(beginning: Callable[[], CaseScenario]) -> None:
    told = reassessed(beginning(), NO_RETURN)
    assert told.case.seat is None
    assert ("PassengerOffloaded" in told.names) is ("PassengerBoarded" in told.names)


def test_a_place_that_is_not_written_as_a_part_of_the_country_may_lie_in_it() -> None:
    told = a_screened_case().having("AssessSafetyOfReturn", area="near Lagos", result="SAFE", advisory_version="1")
    assert safety(reassessed(told, NO_RETURN)) == "REVOKED"


@pytest.mark.parametrize("beginning", [a_registered_case, a_screened_case])
def test_who_has_not_been_assessed_has_nothing_to_lose(beginning: Callable[[], CaseScenario]) -> None:
    told = advised(beginning(), NO_RETURN)
    assert told.refused("ReassessSafety", **order(NO_RETURN)).rule == "SAFETY.NOT_CONCERNED"


def test_who_is_on_the_way_is_looked_at_and_nothing_else_is_touched() -> None:
    told = advised(a_departed_case(), NO_RETURN).having("ReassessSafety", **order(NO_RETURN))
    assert "look at the onward journey" in [task.task for task in told.case.tasks.values()]
    assert (safety(told), told.has_hold("SAFETY")) == ("VALID", False)


def test_who_has_arrived_is_a_matter_of_protection() -> None:
    assert an_arrived_case().refused("ReassessSafety", **order(NO_RETURN)).rule == "SAFETY.ARRIVED"


def test_a_change_that_comes_late_ends_nothing_that_a_newer_one_covers() -> None:
    told = reassessed(a_cleared_case(), replace(CAUTION, version="2026-6", number=9))
    told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-6", individual=True)
    assert told.refused("ReassessSafety", **order(OPENED)).rule == "SAFETY.NOT_CONCERNED"


# The gate looks by itself


@pytest.mark.parametrize("checkpoint", ["NOMINATE", "FREEZE", "CHECK_IN", "BOARD"])
def test_the_gate_knows_an_advisory_that_the_case_has_not_been_told(checkpoint: str) -> None:
    told = a_frozen_case()
    assert CHANGED not in told.failures(checkpoint)
    assert CHANGED in advised(told, CAUTION).failures(checkpoint)


def test_who_has_checked_in_is_taken_off_with_the_next_word_that_comes() -> None:
    told = advised(a_boarded_case(), NO_RETURN).having("AddNote", note="anything")
    assert told.case.seat is None


def test_a_worker_that_does_not_know_yet_believes_what_the_case_was_told() -> None:
    told = reassessed(a_cleared_case(), CAUTION)
    told.directory = replace(told.directory, advisories=())
    assert told.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-3").rule == "SAFETY.ADVISORY"


@pytest.mark.parametrize("advisory", [CAUTION, NO_RETURN], ids=lambda each: each.mark)
def test_a_version_that_was_quoted_before_it_was_set_is_none(advisory: Advisory) -> None:
    told = a_screened_case().having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert CHANGED in advised(told, advisory).failures()


def test_one_version_may_say_one_thing_of_a_country_and_another_of_its_part() -> None:
    told = advised(a_screened_case(), an_advisory("2026-4", "OPEN"))
    told.having("AssessSafetyOfReturn", area="NG-BO", result="SAFE", advisory_version="2026-4")
    part = an_advisory("2026-4", "CAUTION_INDIVIDUAL_ASSESSMENT", "NG-BO", days=1)
    assert safety(reassessed(told, part)) == "REVOKED"


def test_what_an_officer_granted_rests_on_no_assessment_that_was_made_before() -> None:
    told = a_cleared_case().having("AssessSafetyOfReturn", **SAFE | {"result": "NOT_SAFE"}, advisory_version="2026-4")
    told.having("GrantClearance", kind="SAFETY_OF_RETURN", evidence="she goes to her sister in Borno")
    assert CHANGED in advised(told, an_advisory("2026-5", "NO_RETURN", "NG-BO")).failures()


def test_a_case_that_was_not_told_waits_for_a_new_assessment_since_the_advisory_changed() -> None:
    told = advised(a_frozen_case(), CAUTION)
    assert told.status("PROTECTION") == "COMPLETED"
    (lack,) = [
        lack for _, lack in requirements_by_stage(told.case, told.moment()) if lack.code == "STAFF.SAFETY_OF_RETURN"
    ]
    assert lack.since == CAUTION.since


def test_the_case_says_itself_that_its_safety_rests_on_yesterday() -> None:
    told = advised(a_cleared_case(), CAUTION).having("AddNote", note="anything")
    assert told.status("PROTECTION") == "REOPENED"
    assert "STAFF.SAFETY_OF_RETURN" in told.waits_for()


def test_the_gate_records_what_was_advised_when_the_person_boarded() -> None:
    told = advised(a_screened_case(), CAUTION)
    told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert told.named("SafetyOfReturnAssessed")[-1].facts["advised"] == "NG-LA 2026-4 CAUTION_INDIVIDUAL_ASSESSMENT"
    boarded = advised(a_frozen_case(), an_advisory("2026-3", "OPEN", country="SDN")).having("CheckInPassenger")
    assert boarded.having("BoardPassenger").named("TravelGateEvaluated")[-1].facts["advised"] is None


# Assessing


def test_nothing_is_safe_by_an_advisory_that_is_no_more_in_force() -> None:
    told = advised(a_screened_case(), OPENED)
    refusal = told.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-3")
    assert (refusal.rule, refusal.field) == ("SAFETY.ADVISORY", "advisory_version")
    assert "advisory 2026-5 (open) is in force for Nigeria (NG-LA), not 2026-3" in refusal.detail
    assert safety(told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-5")) == "VALID"


def test_where_caution_is_advised_the_person_is_assessed_not_the_country() -> None:
    told = advised(a_screened_case(), CAUTION)
    assert told.refused("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4").rule == "SAFETY.INDIVIDUAL"
    told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert safety(told) == "VALID"


@pytest.mark.parametrize("result", ["NOT_SAFE", "UNDETERMINED"])
def test_that_it_is_not_safe_is_taken_under_whatever_advisory(result: str) -> None:
    told = advised(a_cleared_case(), OPENED)
    told.having("AssessSafetyOfReturn", area="NG-LA", result=result, advisory_version="2026-3")
    assert safety(told) == "REVOKED"


def test_where_anything_is_advised_nobody_is_cleared_by_hand() -> None:
    by_hand = {"kind": "SAFETY_OF_RETURN", "evidence": "seen"}
    assert advised(a_screened_case(), OPENED).refused("GrantClearance", **by_hand).rule == "CLEARANCE.ASSESSED"
    assert safety(advised(a_screened_case()).having("GrantClearance", **by_hand)) == "VALID"


def test_a_safety_hold_is_lifted_only_after_a_new_assessment() -> None:
    told = reassessed(a_cleared_case(), CAUTION)
    lifting = {"hold_id": told.held("SAFETY").hold_id, "reason": "x"}
    assert told.refused("LiftHold", **lifting).rule == "HOLD.SAFETY"
    told.having("AssessSafetyOfReturn", **SAFE, advisory_version="2026-4", individual=True)
    assert not told.having("LiftHold", **lifting).has_hold("SAFETY")


# Which word counts

COUNTRY = an_advisory("C", "OPEN", days=3)

REGION = an_advisory("R", "NO_RETURN", "NG-BO")


@pytest.mark.parametrize(
    ("area", "version"),
    [("NG-BO", "R"), ("NG-LA", "C"), ("Maiduguri", "R"), (None, "R")],
)
def test_the_strictest_word_about_a_place_counts(area: str | None, version: str) -> None:
    found = in_force([COUNTRY, REGION], "NGA", area)
    assert found is not None
    assert found.version == version


def test_among_equals_the_newest_counts() -> None:
    found = in_force([an_advisory("old", "OPEN"), an_advisory("new", "OPEN", "NG-LA", days=1)], "NGA", "NG-LA")
    assert found is not None
    assert found.version == "new"


def test_another_country_is_another_matter() -> None:
    assert in_force([an_advisory("S", "NO_RETURN", country="SDN")], "NGA", "NG-LA") is None


def test_a_change_takes_the_place_of_what_was_said_before_and_of_nothing_else() -> None:
    lifted = replace(REGION, level=AdvisoryLevel.OPEN, version="R2", number=5)
    assert with_change([COUNTRY, REGION], lifted) == [COUNTRY, lifted]
    assert with_change([COUNTRY, lifted], REGION) == [COUNTRY, lifted]


def test_where_nothing_is_advised_what_was_assessed_counts() -> None:
    assert still_counts(None, None)
    assert not still_counts(None, COUNTRY)
    assert still_counts(an_assessment("C", advised=COUNTRY.mark), COUNTRY)


@pytest.mark.parametrize("advised", [None, "NGA C NO_RETURN", "NG-BO C OPEN"])
def test_what_was_assessed_counts_under_all_that_was_advised_then_not_by_the_word_alone(advised: str | None) -> None:
    assert not still_counts(an_assessment("C", advised=advised), COUNTRY)


@pytest.mark.parametrize("individual", [True, False])
def test_where_nobody_returns_to_no_assessment_counts(individual: bool) -> None:
    assert not still_counts(an_assessment("R", advised=REGION.mark, individual=individual), REGION)


def an_assessment(version: str, *, advised: str | None, individual: bool = False) -> SafetyOfReturnAssessed:
    return SafetyOfReturnAssessed(area="NG-LA", advisory_version=version, individual=individual, advised=advised)
