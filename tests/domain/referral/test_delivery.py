"""Deliveries to partners: a failure is recorded in the case and raises a task.

See rule DELIVERY.FAILURE.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.kernel.message import MESSAGES
from domain.referral.notifications import notifications_of
from tests.support.builders import CaseScenario, a_closed_case, a_registered_case, a_screened_case

EMBASSY = "CONSULAR_IDENTITY"


def failed(scenario: CaseScenario, kind: str = EMBASSY, cause: str = "GAVE_UP", **more: str) -> CaseScenario:
    fields = {"referral_id": scenario.referral(kind).referral_id, "cause": cause, **more}
    return scenario.having("ReportDeliveryFailure", **fields)


def test_an_undelivered_request_is_recorded_and_raises_a_task() -> None:
    scenario = failed(a_screened_case())
    fact = scenario.named("ReferralDeliveryFailed")[-1]
    assert (
        fact.say() == "Message to embassy-nga not delivered (delivery attempts exhausted); manual follow-up required."
    )
    task = list(scenario.case.tasks.values())[-1]
    assert (task.task, task.queue) == ("a message to a partner was not delivered", "CASE_SUPERVISOR")
    assert scenario.referral(EMBASSY).status == "SENT"


def test_the_task_for_an_urgent_request_is_due_within_hours() -> None:
    scenario = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    failed(scenario.having("CreateReferral", kind="VOT_ASSISTANCE"), "VOT_ASSISTANCE")
    assert (list(scenario.case.tasks.values())[-1].due - scenario.now).total_seconds() == 4 * 3600


def test_a_partner_without_a_receiver_gets_its_messages_by_hand_without_a_failure() -> None:
    scenario = failed(a_screened_case(), cause="NO_RECEIVER")
    assert "ReferralDeliveryFailed" not in scenario.names
    assert [task.task for task in scenario.case.tasks.values()] == ["bring a partner its message by hand"]


def test_a_partner_that_never_received_the_request_gets_no_reminder() -> None:
    scenario = failed(a_screened_case()).after(days=9)
    assert "ReferralReminderHeldBack" in scenario.names
    assert scenario.referral(EMBASSY).timeliness in ("OVERDUE", "ESCALATED_L1"), "the supervisor is still informed"


def test_a_partner_that_never_received_the_request_gets_no_notice_of_its_end() -> None:
    scenario = failed(a_screened_case())
    scenario.having("CancelReferral", referral_id=scenario.referral(EMBASSY).referral_id, reason="x").after(days=9)
    assert "ReferralCancellationNotified" not in scenario.names


def test_a_draft_ends_without_a_notice() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="SHELTER_DIRECT_ASSISTANCE")
    scenario.having(
        "CancelReferral", referral_id=scenario.referral("SHELTER_DIRECT_ASSISTANCE").referral_id, reason="x"
    )
    assert "ReferralCancellationNotified" not in scenario.after(days=9).names


def test_a_request_delivered_by_hand_counts_as_received() -> None:
    scenario = failed(a_screened_case())
    mine = scenario.referral(EMBASSY).referral_id
    scenario.having("ReportHandedOver", referral_id=mine, how="PAPER")
    assert not scenario.referral(EMBASSY).undelivered
    assert (
        scenario.named("ReferralHandedOver")[-1].say()
        == "Consular identity verification: referral delivered to embassy-nga manually (paper)."
    )
    scenario.having("CancelReferral", referral_id=mine, reason="x").after(days=9)
    assert "ReferralCancellationNotified" in scenario.names


def test_delivery_by_hand_completes_the_task_for_it() -> None:
    scenario = failed(failed(a_screened_case(), cause="NO_RECEIVER"), "MEDICAL_ASSESSMENT", cause="NO_RECEIVER")
    scenario.having("ReportHandedOver", referral_id=scenario.referral(EMBASSY).referral_id, how="VISIT")
    assert scenario.named("TaskCompleted")[-1].say() == (
        "Task completed: bring a partner its message by hand (brought by a person (VISIT))."
    )
    assert len(scenario.case.tasks) == 1, "the message to the clinic still has to be delivered"


def test_a_draft_cannot_be_delivered_by_hand() -> None:
    scenario = a_screened_case().having("CreateReferral", kind="SHELTER_DIRECT_ASSISTANCE")
    mine = scenario.referral("SHELTER_DIRECT_ASSISTANCE").referral_id
    assert scenario.refused("ReportHandedOver", referral_id=mine, how="PAPER").rule == "REFERRAL.NOT_SENT"


def test_a_partner_that_responded_has_received_the_request() -> None:
    scenario = failed(a_screened_case().having_signal(EMBASSY, "ACCEPTED"))
    assert not scenario.referral(EMBASSY).undelivered


def test_a_response_after_a_failed_delivery_shows_that_the_request_was_received() -> None:
    scenario = failed(a_screened_case()).having_signal(EMBASSY, "ACKNOWLEDGED")
    assert not scenario.referral(EMBASSY).undelivered
    scenario.having("CancelReferral", referral_id=scenario.referral(EMBASSY).referral_id, reason="x").after(days=9)
    assert "ReferralCancellationNotified" in scenario.names


def test_a_listed_referral_counts_as_received() -> None:
    scenario = failed(a_screened_case())
    mine = scenario.referral(EMBASSY).referral_id
    scenario.having("ListReferral", referral_id=mine, sheet_id=UUID(int=9))
    assert not failed(scenario).referral(EMBASSY).undelivered


def test_an_undelivered_reminder_does_not_make_the_request_undelivered() -> None:
    scenario = failed(a_screened_case(), letter="referral.reminder")
    assert not scenario.referral(EMBASSY).undelivered
    assert scenario.named("ReferralDeliveryFailed")[-1].facts["letter"] == "referral.reminder"


def test_a_failure_is_recorded_on_a_closed_case_too() -> None:
    scenario = a_closed_case()
    report: dict[str, Any] = {"referral_id": scenario.referral(EMBASSY).referral_id, "cause": "GAVE_UP"}
    assert [event.name for event in scenario.send("ReportDeliveryFailure", **report)] == [
        *("ReferralDeliveryFailed", "TaskRaised")
    ]


def test_only_the_system_reports_a_failed_delivery() -> None:
    assert MESSAGES["ReportDeliveryFailure"].FROM == "system"
    assert MESSAGES["ReportHandedOver"].FROM == "staff"


@pytest.mark.parametrize("message", ["ReportDeliveryFailure", "ReportHandedOver"])
def test_a_report_about_an_unknown_referral_names_it(message: str) -> None:
    fields = {"referral_id": a_screened_case().case.id} | (
        {"cause": "GAVE_UP"} if message == "ReportDeliveryFailure" else {"how": "PAPER"}
    )
    assert a_screened_case().refused(message, **fields).rule == "REFERRAL.UNKNOWN"


# Amendments by IOM


def test_an_amendment_is_sent_to_the_partner_and_recorded_as_a_disclosure() -> None:
    scenario = a_screened_case().having_signal(EMBASSY, "ACCEPTED")
    scenario.having("AmendReferral", referral_id=scenario.referral(EMBASSY).referral_id)
    assert scenario.names[-2:] == ["ReferralAmended", "DisclosureRecorded"]
    message = notifications_of(scenario.case, scenario.named("ReferralAmended")[-1])
    assert message is not None
    assert (message.name, sorted(message.data)) == ("referral.amended", ["kind", "person", "referral_token"])


@pytest.mark.parametrize("ends", ["COMPLETED", "DRAFT"])
def test_an_amendment_is_rejected_unless_a_partner_works_on_the_referral(ends: str) -> None:
    scenario = a_screened_case()
    kind = "MEDICAL_ASSESSMENT" if ends == "COMPLETED" else "SHELTER_DIRECT_ASSISTANCE"
    if ends == "COMPLETED":
        scenario.having_signal(kind, "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    else:
        scenario.having("CreateReferral", kind=kind)
    assert (
        scenario.refused("AmendReferral", referral_id=scenario.referral(kind).referral_id).rule
        == "REFERRAL.NOT_WITH_PARTNER"
    )


def test_an_amendment_is_rejected_while_a_hold_blocks_it() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="CONSENT", reason="x")
    assert scenario.refused("AmendReferral", referral_id=scenario.referral(EMBASSY).referral_id).rule == "HOLD.CONSENT"
