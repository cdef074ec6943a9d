"""Each requirement of a case names the command that satisfies it, as whole journeys show."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from domain.decider import requirements_by_stage
from domain.kernel.message import MESSAGES, Message
from domain.stages.remedies import COMMANDS_FOR
from tests.support.builders import (
    CaseScenario,
    a_boarded_case,
    a_cleared_case,
    a_closed_case,
    a_departed_case,
    a_frozen_case,
    a_received_case,
    a_registered_case,
    a_reintegrated_case,
    a_screened_case,
    a_seated_case,
    an_arrived_case,
)

BY_LETTER = {
    "TakeSeat": "NominatePassenger",
    "ManifestIsFrozen": "FreezeManifest",
    "FlightHasDeparted": "RecordFlightDeparture",
    "FlightHasArrived": "RecordFlightArrival",
}
"""Messages between a case and its movement, by the command of staff that causes them."""

JOURNEY = (
    *(a_registered_case, a_screened_case, a_cleared_case, a_seated_case, a_frozen_case, a_boarded_case),
    *(a_departed_case, an_arrived_case, a_received_case, a_reintegrated_case, a_closed_case),
)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Returns which commands of staff satisfied which requirements, on one whole journey."""
    found: dict[str, set[str]] = defaultdict(set)
    said = CaseScenario.say

    def watched(scenario: CaseScenario, message: Message, **how: Any) -> Any:
        before, name = codes(scenario), type(message).__name__
        decided = said(scenario, message, **how)
        for code in before - codes(scenario) if name != "ReceivePartnerSignal" else ():
            found[code].add(BY_LETTER.get(name, name))
        return decided

    monkeypatch.setattr(CaseScenario, "say", watched)
    for chapter in JOURNEY:
        chapter.__wrapped__()  # type: ignore[attr-defined]  # built again, not copied from the cache
    return found


def codes(scenario: CaseScenario) -> set[str]:
    return {lack.code for _, lack in requirements_by_stage(scenario.case, scenario.moment())}


def test_whatever_staff_settle_on_a_whole_journey_names_the_message(settled: dict[str, set[str]]) -> None:
    assert settled.keys() == COMMANDS_FOR.keys() - {"STAFF.PROTECTION_CLEARANCE", "PERSON.SHARE_EMBASSY"}
    for code, names in settled.items():
        assert names <= set(COMMANDS_FOR[code]), code


def test_a_person_at_risk_waits_for_a_clearance_that_an_officer_grants() -> None:
    scenario = a_screened_case("MEDIUM")
    assert "STAFF.PROTECTION_CLEARANCE" in codes(scenario)
    scenario.having(
        *COMMANDS_FOR["STAFF.PROTECTION_CLEARANCE"], kind="PROTECTION_CLEARANCE", evidence="seen by a partner"
    )
    assert "STAFF.PROTECTION_CLEARANCE" not in codes(scenario)


def test_whoever_names_another_nationality_waits_for_a_consent_that_staff_record() -> None:
    scenario = a_screened_case().having("ChangeNationality", nationality="GIN")
    assert "PERSON.SHARE_EMBASSY" in codes(scenario)
    scenario.having(*COMMANDS_FOR["PERSON.SHARE_EMBASSY"], purpose="SHARE_EMBASSY", form_version="C-1", language="en")
    assert "PERSON.SHARE_EMBASSY" not in codes(scenario)


def test_every_message_that_is_named_exists() -> None:
    assert {name for names in COMMANDS_FOR.values() for name in names} <= MESSAGES.keys()
