"""The same id with another body: kept, in doubt, and in the way of travelling until a person has decided."""

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
    told: CaseScenario, outcome: str | None = BAD, signal: str = "COMPLETED", message: UUID | None = None
) -> list[Event]:
    """The partner says something else under the id of what it said before."""
    referral = told.referral(KIND)
    said = ReceiveContradiction(
        signal_id=referral.completed_by or uuid4(),
        referral_token=referral.token,
        partner_id=referral.partner_id,
        signal_type=SignalType(signal),
        outcome_code=outcome,
        occurred_at=told.now,
    )
    decided = decide(told.case, said, told.moment(f"partner:{said.partner_id}", message))
    told.events += decided
    return decided


def doubts(events: list[Event]) -> list[PartnerSignalQuarantined]:
    return [event for event in events if isinstance(event, PartnerSignalQuarantined)]


def test_what_contradicts_an_answer_changes_nothing_by_itself() -> None:
    told = a_screened_case().heard(KIND, "COMPLETED", GOOD)

    (doubt,) = doubts(contradicted(told))

    assert doubt.cause == "CONFLICTING_DUPLICATE"
    assert told.referral(KIND).outcome == GOOD
    assert told.clearance(KIND)


def test_nobody_travels_on_either_until_a_person_has_decided() -> None:
    told = a_frozen_case()
    assert told.failures() == ()

    contradicted(told)
    assert "GATE.SIGNAL.IN_DOUBT" in told.failures()

    (doubt,) = told.referral(KIND).disputed
    told.having("ResolveQuarantinedSignal", signal_id=doubt, decision="IGNORE", reason="the clinic says: the first")
    assert told.failures() == ()


def test_a_person_may_find_that_the_second_was_meant() -> None:
    told = a_screened_case().heard(KIND, "COMPLETED", GOOD)
    contradicted(told)
    (doubt,) = told.referral(KIND).disputed

    told.having("ResolveQuarantinedSignal", signal_id=doubt, decision="AMEND", reason="the clinic says: the second")

    assert told.referral(KIND).outcome == BAD
    assert told.clearance(KIND)
    assert not told.case.has_clearance(told.clearance(KIND).kind, told.now)  # type: ignore[union-attr]


def test_two_contradictions_of_one_message_are_two_doubts() -> None:
    told = a_screened_case().heard(KIND, "COMPLETED", GOOD)
    first, second = UUID(int=1), UUID(int=2)
    contradicted(told, message=first)
    contradicted(told, "SIGNIFICANT_CONDITION_STABLE", message=second)

    told.having("ResolveQuarantinedSignal", signal_id=first, decision="IGNORE", reason="withdrawn")

    assert set(told.referral(KIND).disputed) == {second}


@pytest.mark.parametrize("said", ["WITHDRAWAL_REPORTED", "CONCERN_REPORTED"])
def test_the_persons_own_word_counts_whatever_its_id(said: str) -> None:
    told = a_frozen_case()

    events = contradicted(told, None, said)

    assert not doubts(events)
    assert any(failure.startswith("GATE.HOLD.") for failure in told.failures())


def test_what_contradicts_on_a_closed_case_is_late() -> None:
    told = a_closed_case()

    assert "LateSignalRecorded" in [event.name for event in contradicted(told)]


def test_what_contradicts_on_a_referral_we_cancelled_is_late() -> None:
    told = a_screened_case()
    told.having("CancelReferral", referral_id=told.referral(KIND).referral_id, reason="wrong person")

    assert "LateSignalRecorded" in [event.name for event in contradicted(told)]
