"""What a case waits for names the message that settles it, as whole journeys show."""

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
"""Letters between a case and its movement, by the message of staff that sets them off."""

JOURNEY = (
    *(a_registered_case, a_screened_case, a_cleared_case, a_seated_case, a_frozen_case, a_boarded_case),
    *(a_departed_case, an_arrived_case, a_received_case, a_reintegrated_case, a_closed_case),
)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Which messages of staff ended the waiting for what, on one whole journey."""
    found: dict[str, set[str]] = defaultdict(set)
    said = CaseScenario.say

    def watched(told: CaseScenario, message: Message, **how: Any) -> Any:
        before, name = codes(told), type(message).__name__
        decided = said(told, message, **how)
        for code in before - codes(told) if name != "ReceivePartnerSignal" else ():
            found[code].add(BY_LETTER.get(name, name))
        return decided

    monkeypatch.setattr(CaseScenario, "say", watched)
    for chapter in JOURNEY:
        chapter.__wrapped__()  # type: ignore[attr-defined]  # told anew, and not from what is remembered of it
    return found


def codes(told: CaseScenario) -> set[str]:
    return {lack.code for _, lack in requirements_by_stage(told.case, told.moment())}


def test_whatever_staff_settle_on_a_whole_journey_names_the_message(settled: dict[str, set[str]]) -> None:
    assert settled.keys() == COMMANDS_FOR.keys() - {"STAFF.PROTECTION_CLEARANCE", "PERSON.SHARE_EMBASSY"}
    for code, names in settled.items():
        assert names <= set(COMMANDS_FOR[code]), code


def test_a_person_at_risk_waits_for_a_clearance_that_an_officer_grants() -> None:
    told = a_screened_case("MEDIUM")
    assert "STAFF.PROTECTION_CLEARANCE" in codes(told)
    told.having(*COMMANDS_FOR["STAFF.PROTECTION_CLEARANCE"], kind="PROTECTION_CLEARANCE", evidence="seen by a partner")
    assert "STAFF.PROTECTION_CLEARANCE" not in codes(told)


def test_whoever_names_another_nationality_waits_for_a_consent_that_staff_record() -> None:
    told = a_screened_case().having("ChangeNationality", nationality="GIN")
    assert "PERSON.SHARE_EMBASSY" in codes(told)
    told.having(*COMMANDS_FOR["PERSON.SHARE_EMBASSY"], purpose="SHARE_EMBASSY", form_version="C-1", language="en")
    assert "PERSON.SHARE_EMBASSY" not in codes(told)


def test_every_message_that_is_named_exists() -> None:
    assert {name for names in COMMANDS_FOR.values() for name in names} <= MESSAGES.keys()
