"""Whether a message reached its partner is a fact of the case, and something a person sees to if it did not.

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


def failed(told: CaseScenario, kind: str = EMBASSY, cause: str = "GAVE_UP", **more: str) -> CaseScenario:
    fields = {"referral_id": told.referral(kind).referral_id, "cause": cause, **more}
    return told.having("ReportDeliveryFailure", **fields)


def test_a_request_that_could_not_be_delivered_is_a_fact_and_a_task() -> None:
    told = failed(a_screened_case())
    fact = told.named("ReferralDeliveryFailed")[-1]
    assert fact.say() == (
        "Message to embassy-nga not delivered (delivery attempts exhausted); manual follow-up required."
    )
    task = list(told.case.tasks.values())[-1]
    assert (task.task, task.queue) == ("a message to a partner was not delivered", "CASE_SUPERVISOR")
    assert told.referral(EMBASSY).status == "SENT"


def test_what_is_urgent_is_seen_to_within_hours() -> None:
    told = a_registered_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    failed(told.having("CreateReferral", kind="VOT_ASSISTANCE"), "VOT_ASSISTANCE")
    assert (list(told.case.tasks.values())[-1].due - told.now).total_seconds() == 4 * 3600


def test_a_partner_without_a_receiver_is_served_by_hand_and_nothing_has_failed() -> None:
    told = failed(a_screened_case(), cause="NO_RECEIVER")
    assert "ReferralDeliveryFailed" not in told.names
    assert [task.task for task in told.case.tasks.values()] == ["bring a partner its message by hand"]


def test_a_partner_that_never_got_the_request_is_not_reminded_of_it() -> None:
    told = failed(a_screened_case()).after(days=9)
    assert "ReferralReminderHeldBack" in told.names
    assert told.referral(EMBASSY).timeliness in ("OVERDUE", "ESCALATED_L1"), "we are told all the same"


def test_a_partner_that_never_got_the_request_is_not_told_of_its_end() -> None:
    told = failed(a_screened_case())
    told.having("CancelReferral", referral_id=told.referral(EMBASSY).referral_id, reason="x").after(days=9)
    assert "ReferralCancellationNotified" not in told.names


def test_a_draft_that_never_left_is_ended_without_telling_anybody() -> None:
    told = a_screened_case().having("CreateReferral", kind="SHELTER_DIRECT_ASSISTANCE")
    told.having("CancelReferral", referral_id=told.referral("SHELTER_DIRECT_ASSISTANCE").referral_id, reason="x")
    assert "ReferralCancellationNotified" not in told.after(days=9).names


def test_what_a_person_has_brought_counts_as_received() -> None:
    told = failed(a_screened_case())
    mine = told.referral(EMBASSY).referral_id
    told.having("ReportHandedOver", referral_id=mine, how="PAPER")
    assert not told.referral(EMBASSY).undelivered
    assert told.named("ReferralHandedOver")[-1].say() == (
        "Consular identity verification: referral delivered to embassy-nga manually (paper)."
    )
    told.having("CancelReferral", referral_id=mine, reason="x").after(days=9)
    assert "ReferralCancellationNotified" in told.names


def test_whoever_has_brought_a_message_need_not_be_asked_to_bring_it() -> None:
    told = failed(failed(a_screened_case(), cause="NO_RECEIVER"), "MEDICAL_ASSESSMENT", cause="NO_RECEIVER")
    told.having("ReportHandedOver", referral_id=told.referral(EMBASSY).referral_id, how="VISIT")
    assert told.named("TaskCompleted")[-1].say() == (
        "Task completed: bring a partner its message by hand (brought by a person (VISIT))."
    )
    assert len(told.case.tasks) == 1, "the clinic's message is still to be brought"


def test_what_was_never_sent_is_brought_to_nobody() -> None:
    told = a_screened_case().having("CreateReferral", kind="SHELTER_DIRECT_ASSISTANCE")
    mine = told.referral("SHELTER_DIRECT_ASSISTANCE").referral_id
    assert told.refused("ReportHandedOver", referral_id=mine, how="PAPER").rule == "REFERRAL.NOT_SENT"


def test_a_partner_that_has_answered_has_received() -> None:
    told = failed(a_screened_case().heard(EMBASSY, "ACCEPTED"))
    assert not told.referral(EMBASSY).undelivered


def test_a_partner_that_answers_what_did_not_arrive_has_received_it_all_the_same() -> None:
    told = failed(a_screened_case()).heard(EMBASSY, "ACKNOWLEDGED")
    assert not told.referral(EMBASSY).undelivered
    told.having("CancelReferral", referral_id=told.referral(EMBASSY).referral_id, reason="x").after(days=9)
    assert "ReferralCancellationNotified" in told.names


def test_what_stands_on_a_sheet_has_been_received() -> None:
    told = failed(a_screened_case())
    mine = told.referral(EMBASSY).referral_id
    told.having("ListReferral", referral_id=mine, sheet_id=UUID(int=9))
    assert not failed(told).referral(EMBASSY).undelivered


def test_a_reminder_that_did_not_arrive_says_nothing_of_the_request() -> None:
    told = failed(a_screened_case(), letter="referral.reminder")
    assert not told.referral(EMBASSY).undelivered
    assert told.named("ReferralDeliveryFailed")[-1].facts["letter"] == "referral.reminder"


def test_a_failure_is_recorded_on_a_closed_case_too() -> None:
    told = a_closed_case()
    report: dict[str, Any] = {"referral_id": told.referral(EMBASSY).referral_id, "cause": "GAVE_UP"}
    assert [event.name for event in told.send("ReportDeliveryFailure", **report)] == [
        *("ReferralDeliveryFailed", "TaskRaised")
    ]


def test_only_we_ourselves_report_that_something_was_not_delivered() -> None:
    assert MESSAGES["ReportDeliveryFailure"].FROM == "system"
    assert MESSAGES["ReportHandedOver"].FROM == "staff"


@pytest.mark.parametrize("message", ["ReportDeliveryFailure", "ReportHandedOver"])
def test_a_referral_that_is_not_there_is_named(message: str) -> None:
    fields = {"referral_id": a_screened_case().case.id} | (
        {"cause": "GAVE_UP"} if message == "ReportDeliveryFailure" else {"how": "PAPER"}
    )
    assert a_screened_case().refused(message, **fields).rule == "REFERRAL.UNKNOWN"


# What has changed on our side


def test_a_partner_is_told_what_has_changed_and_it_is_on_record() -> None:
    told = a_screened_case().heard(EMBASSY, "ACCEPTED")
    told.having("AmendReferral", referral_id=told.referral(EMBASSY).referral_id)
    assert told.names[-2:] == ["ReferralAmended", "DisclosureRecorded"]
    message = notifications_of(told.case, told.named("ReferralAmended")[-1])
    assert message is not None
    assert (message.name, sorted(message.data)) == ("referral.amended", ["kind", "person", "referral_token"])


@pytest.mark.parametrize("ends", ["COMPLETED", "DRAFT"])
def test_who_does_not_work_on_it_is_told_of_no_change(ends: str) -> None:
    told = a_screened_case()
    kind = "MEDICAL_ASSESSMENT" if ends == "COMPLETED" else "SHELTER_DIRECT_ASSISTANCE"
    if ends == "COMPLETED":
        told.heard(kind, "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    else:
        told.having("CreateReferral", kind=kind)
    assert (
        told.refused("AmendReferral", referral_id=told.referral(kind).referral_id).rule == "REFERRAL.NOT_WITH_PARTNER"
    )


def test_no_change_is_told_against_a_hold() -> None:
    told = a_screened_case().having("PlaceHold", hold_type="CONSENT", reason="x")
    assert told.refused("AmendReferral", referral_id=told.referral(EMBASSY).referral_id).rule == "HOLD.CONSENT"
