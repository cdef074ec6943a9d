"""One id with another body: the signal is quarantined and counts against travel until staff decide."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from domain.commands.signal import ReceiveContradiction
from domain.decider import decide
from domain.events.signal import PartnerSignalQuarantined
from domain.kernel.event import Event
from domain.kernel.vocabulary import SignalType
from tests.support.builders import CaseScenario, a_closed_case, a_frozen_case, a_screened_case

KIND, GOOD, BAD = "MEDICAL_ASSESSMENT", "NO_SIGNIFICANT_CONDITION", "UNFIT_TEMPORARY"


def contradicted(
    scenario: CaseScenario, outcome: str | None = BAD, signal: str = "COMPLETED", message: UUID | None = None
) -> list[Event]:
    """Sends other content under the id of an earlier signal."""
    referral = scenario.referral(KIND)
    contradiction = ReceiveContradiction(
        signal_id=referral.completed_by or uuid4(),
        referral_token=referral.token,
        partner_id=referral.partner_id,
        signal_type=SignalType(signal),
        outcome_code=outcome,
        occurred_at=scenario.now,
    )
    decided = decide(scenario.case, contradiction, scenario.moment(f"partner:{contradiction.partner_id}", message))
    scenario.events += decided
    return decided


def quarantined(events: list[Event]) -> list[PartnerSignalQuarantined]:
    return [event for event in events if isinstance(event, PartnerSignalQuarantined)]


def test_a_contradiction_of_a_response_changes_nothing_automatically() -> None:
    scenario = a_screened_case().having_signal(KIND, "COMPLETED", GOOD)

    (signal,) = quarantined(contradicted(scenario))

    assert signal.cause == "CONFLICTING_DUPLICATE"
    assert scenario.referral(KIND).outcome == GOOD
    assert scenario.clearance(KIND)


def test_the_person_cannot_travel_until_staff_have_decided() -> None:
    scenario = a_frozen_case()
    assert scenario.failures() == ()

    contradicted(scenario)
    assert "GATE.SIGNAL.IN_DOUBT" in scenario.failures()

    (signal_id,) = scenario.referral(KIND).disputed
    scenario.having(
        "ResolveQuarantinedSignal", signal_id=signal_id, decision="IGNORE", reason="the clinic says: the first"
    )
    assert scenario.failures() == ()


def test_staff_may_decide_that_the_second_signal_counts() -> None:
    scenario = a_screened_case().having_signal(KIND, "COMPLETED", GOOD)
    contradicted(scenario)
    (signal_id,) = scenario.referral(KIND).disputed

    scenario.having(
        "ResolveQuarantinedSignal", signal_id=signal_id, decision="AMEND", reason="the clinic says: the second"
    )

    assert scenario.referral(KIND).outcome == BAD
    assert scenario.clearance(KIND)
    assert not scenario.case.has_clearance(scenario.clearance(KIND).kind, scenario.now)  # type: ignore[union-attr]


def test_two_contradictions_of_one_message_are_quarantined_separately() -> None:
    scenario = a_screened_case().having_signal(KIND, "COMPLETED", GOOD)
    first, second = UUID(int=1), UUID(int=2)
    contradicted(scenario, message=first)
    contradicted(scenario, "SIGNIFICANT_CONDITION_STABLE", message=second)

    scenario.having("ResolveQuarantinedSignal", signal_id=first, decision="IGNORE", reason="withdrawn")

    assert set(scenario.referral(KIND).disputed) == {second}


@pytest.mark.parametrize("signal_type", ["WITHDRAWAL_REPORTED", "CONCERN_REPORTED"])
def test_a_statement_of_the_person_counts_whatever_its_id(signal_type: str) -> None:
    scenario = a_frozen_case()

    events = contradicted(scenario, None, signal_type)

    assert not quarantined(events)
    assert any(failure.startswith("GATE.HOLD.") for failure in scenario.failures())


def test_a_contradiction_on_a_closed_case_is_late() -> None:
    scenario = a_closed_case()

    assert "LateSignalRecorded" in [event.name for event in contradicted(scenario)]


def test_a_contradiction_on_a_cancelled_referral_is_late() -> None:
    scenario = a_screened_case()
    scenario.having("CancelReferral", referral_id=scenario.referral(KIND).referral_id, reason="wrong person")

    assert "LateSignalRecorded" in [event.name for event in contradicted(scenario)]
