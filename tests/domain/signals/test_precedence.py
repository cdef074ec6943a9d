"""Precedence of messages received at the same instant (rule SIGNAL.SAME_INSTANT)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from domain.commands.signal import ReceiveContradiction, ReceivePartnerSignal
from domain.kernel.message import MESSAGES, Message
from domain.kernel.vocabulary import HoldType, SignalType
from domain.referral.outcomes import OUTCOMES
from domain.signals.precedence import BY_HOLD, Precedence, precedence, restricts
from tests.support.builders import AMINATA


def a_signal(signal_type: str, outcome: str | None = None, **payload: Any) -> Message:
    return ReceivePartnerSignal(
        signal_id=UUID(int=1),
        referral_token="a token of sixteen",
        partner_id="anybody",
        signal_type=SignalType(signal_type),
        outcome_code=outcome,
        payload=payload,
        occurred_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


def a_contradiction(signal_type: str, outcome: str | None = None) -> Message:
    return ReceiveContradiction.model_validate(a_signal(signal_type, outcome).model_dump())


def a_message(name: str, **fields: Any) -> Message:
    return MESSAGES[name].model_validate(fields)


REGISTRATION = a_message(
    "RegisterCase",
    person=AMINATA,
    country_of_return="NGA",
    channel="WALK_IN",
    office="Tripoli",
    consent_to_data_processing=True,
)

IN_ORDER: list[list[Message | None]] = [
    [REGISTRATION],
    [
        a_signal("WITHDRAWAL_REPORTED"),
        a_contradiction("WITHDRAWAL_REPORTED"),
        a_message("WithdrawVoluntaryReturn", channel="PHONE"),
    ],
    [a_signal("COMPLETED", "DIED"), a_signal("PROGRESS", "DIED_IN_CARE")],
    [
        a_signal("CONCERN_REPORTED"),
        a_signal("COMPLETED", "NOT_SAFE"),
        a_signal("COMPLETED", "UNDETERMINED"),
        a_signal("COMPLETED", "RETURN_NOT_RECOMMENDED"),
        a_signal("COMPLETED", "UNSUITABLE"),
        a_signal("PROGRESS", "REGISTERED"),
        a_signal("COMPLETED", recommended_hold=True),
        a_message("AssessSafetyOfReturn", area="NG-LA", result="UNDETERMINED", advisory_version="1"),
        a_message(
            "ReassessSafety",
            country="NGA",
            level="NO_RETURN",
            advisory_version="2",
            number=1,
            since=datetime(2026, 5, 1, tzinfo=UTC),
        ),
        a_message("RaiseProtectionConcern", risk_level="HIGH", concern="x"),
        a_message("RecordNonRefoulementScreen", outcome="UNSURE"),
        a_message("RecordNonRefoulementScreen", outcome="NO_CLAIM", concern="sold"),
        a_message("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True, concern="sold"),
        a_message("RecordVulnerabilityAssessment", overall_risk="HIGH"),
        a_message("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True, fear_expressed=True),
    ],
    [
        a_signal("COMPLETED", "UNFIT_TEMPORARY"),
        a_signal("AMENDED", "TREATMENT_REQUIRED"),
        a_message("IssueFitToTravel", result="UNFIT"),
    ],
    [
        a_message("PlaceHold", hold_type="LEGAL", reason="x"),
        a_signal("COMPLETED", "PROCEEDINGS_OPEN"),
        a_signal("COMPLETED", "ADVISED", may_depart=False),
        a_message("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=False),
        a_message("AssessVoluntariness", understood=True, free_of_pressure=False, in_private=True),
        a_message("DetermineEligibility", decision="NOT_SAFE_TO_RETURN"),
        a_contradiction("COMPLETED", "GRANTED"),
        a_contradiction("PROGRESS"),
        a_message("RecordDetention", situation="DETENTION_OFFICIAL"),
    ],
    [
        a_signal("COMPLETED", "GRANTED"),
        a_signal("ACCEPTED"),
        a_message("BoardPassenger"),
        a_message("LiftHold", hold_id=UUID(int=1), reason="x"),
        a_message("IssueFitToTravel", result="FIT"),
        a_message("AssessVoluntariness", understood=True, free_of_pressure=True, in_private=True),
        a_message("RecordVulnerabilityAssessment", overall_risk="LOW"),
        a_message("DetermineEligibility", decision="ELIGIBLE"),
        a_message("RecordNonRefoulementScreen", outcome="NO_CLAIM"),
        a_message("AssessSafetyOfReturn", area="NG-LA", result="SAFE_WITH_MITIGATION", advisory_version="1"),
        a_message("RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True),
        None,
    ],
    [a_signal("PROGRESS"), a_signal("PAUSED"), a_signal("RESUMED")],
]


@pytest.mark.parametrize("place", range(len(IN_ORDER)))
def test_each_row_of_the_table_has_its_precedence(place: int) -> None:
    assert {precedence(message) for message in IN_ORDER[place]} == {Precedence(place)}


def test_restrictive_messages_precede_permissive_ones() -> None:
    places = [precedence(row[0]) for row in IN_ORDER]
    assert all(one < other for one, other in pairwise(places))


GRAVE = sorted({(code, hold) for answers in OUTCOMES.values() for code, hold in answers.grave.items()})


@pytest.mark.parametrize(("code", "hold"), GRAVE)
def test_every_grave_outcome_precedes_permissive_messages(code: str, hold: HoldType) -> None:
    assert precedence(a_signal("COMPLETED", code)) <= BY_HOLD[hold] < Precedence.ANYTHING
    assert restricts(a_signal("COMPLETED", code))


def test_the_strictest_part_of_a_signal_decides_its_precedence() -> None:
    message = a_signal("COMPLETED", "PROCEEDINGS_OPEN", recommended_hold=True)
    assert precedence(message) is Precedence.CONCERN
    assert precedence(a_signal("WITHDRAWAL_REPORTED", "UNFIT")) is Precedence.WITHDRAWAL


@pytest.mark.parametrize("row", range(1, len(IN_ORDER)))
def test_only_restrictive_messages_never_wait(row: int) -> None:
    goes_first = Precedence(row) < Precedence.ANYTHING
    assert {restricts(message) for message in IN_ORDER[row]} == {goes_first}


def test_withdrawing_messages_never_wait_either() -> None:
    assert restricts(a_message("WithdrawConsent", purpose="SHARE_CLINIC"))
    assert restricts(a_message("RevokeClearance", kind="EXIT_PERMIT", cause="x"))
    assert not restricts(REGISTRATION)


@pytest.mark.parametrize("name", ["RevokeClearance", "WithdrawConsent", "RecordConsent", "GrantClearance"])
def test_withdrawing_messages_keep_their_order_of_receipt(name: str) -> None:
    """Processed first, it would find nothing to withdraw, and what it withdraws would take effect afterwards."""
    fields = {
        "RevokeClearance": {"kind": "EXIT_PERMIT", "cause": "x"},
        "GrantClearance": {"kind": "EXIT_PERMIT", "evidence": "x"},
        "WithdrawConsent": {"purpose": "SHARE_CLINIC"},
        "RecordConsent": {"purpose": "SHARE_CLINIC", "form_version": "1", "language": "en"},
    }
    assert precedence(a_message(name, **fields[name])) is Precedence.ANYTHING
