"""Reintegration: the listing of these tests is its decision table."""

from __future__ import annotations

import pytest

from tests.support.builders import CaseScenario, a_closed_case, a_received_case, a_reintegrated_case, an_arrived_case

SHOP = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}

SCHOOL = {"item_id": "school", "type": "EDUCATION_SUPPORT", "description": "fees", "amount_eur": 300}


def a_planned_case(*items: dict[str, object]) -> CaseScenario:
    scenario = a_received_case().having("EnrolReintegration", office="Lagos")
    scenario.having_signal("REINTEGRATION_COUNSELLING", "COMPLETED", "COUNSELLED")
    scenario.having("AssessReintegrationNeeds", needs=("ECONOMIC",))
    return scenario.having("DraftPlan", items=items or (SHOP,), signed_by_returnee=True)


def an_approved_case(*items: dict[str, object]) -> CaseScenario:
    return a_planned_case(*items).having("ApprovePlan")


def test_reintegration_waits_for_reception() -> None:
    assert an_arrived_case().refused("EnrolReintegration", office="Lagos").rule == "STAGE.NOT_OPEN"


def test_the_stage_says_what_comes_next() -> None:
    scenario = a_received_case()
    seen = [scenario.waits_for()[0]]
    scenario.having("EnrolReintegration", office="Lagos")
    seen.append(scenario.waits_for()[0])
    scenario.having("RecordArrivalCounselling")
    seen.append(scenario.waits_for()[0])
    scenario.having("AssessReintegrationNeeds", needs=("ECONOMIC",))
    seen.append(scenario.waits_for()[0])
    scenario.having("DraftPlan", items=(SHOP,), signed_by_returnee=True)
    seen.append(scenario.waits_for()[0])
    scenario.having("ApprovePlan")
    seen.append(scenario.waits_for()[0])
    assert seen == [
        "STAFF.ENROLMENT",
        "PARTNER.COUNSELLING",
        "STAFF.NEEDS",
        "STAFF.PLAN",
        "STAFF.PLAN_APPROVAL",
        "PARTNER.DELIVERY_AND_MONITORING",
    ]


def test_an_unsigned_plan_is_refused() -> None:
    assert a_received_case().refused("DraftPlan", items=(SHOP,), signed_by_returnee=False).rule == "PLAN.UNSIGNED"


def test_two_items_of_one_name_are_refused() -> None:
    assert a_received_case().refused("DraftPlan", items=(SHOP, SHOP), signed_by_returnee=True).rule == "PLAN.ITEM_TWICE"


def test_there_must_be_a_plan_to_approve() -> None:
    assert a_received_case().refused("ApprovePlan").rule == "PLAN.NONE"


def test_a_plan_at_the_ceiling_is_approved() -> None:
    assert "ReintegrationPlanApproved" in an_approved_case(SHOP, SCHOOL).names


def test_a_plan_above_the_ceiling_needs_a_managers_name() -> None:
    scenario = a_planned_case(SHOP | {"amount_eur": 1201})
    assert scenario.refused("ApprovePlan").rule == "PLAN.CEILING"
    scenario.having("ApprovePlan", over_ceiling_approved_by="amaka")
    assert scenario.named("ReintegrationPlanApproved")[-1].facts["approved_by"] == "amaka"


def test_every_item_is_asked_of_a_provider() -> None:
    scenario = an_approved_case(SHOP, SCHOOL)
    assert [sent.item for sent in scenario.case.referrals.values() if sent.item] == ["shop", "school"]


def test_a_partial_delivery_delivers_nothing_and_is_looked_into() -> None:
    scenario = an_approved_case().having_signal("REINTEGRATION_SERVICE", "COMPLETED", "PARTIALLY")
    assert "AssistanceItemDelivered" not in scenario.names
    assert [task.queue for task in scenario.case.tasks.values()] == ["REINTEGRATION_OFFICER"]


@pytest.mark.parametrize("message", ["RecordDelivery", "CancelItem"])
def test_an_item_nobody_approved_is_neither_delivered_nor_cancelled(message: str) -> None:
    fields = {"item_id": "shop"} | ({"reason": "x"} if message == "CancelItem" else {})
    assert a_planned_case().refused(message, **fields).rule == "PLAN.NO_SUCH_ITEM"


def test_a_second_delivery_is_recorded_and_shown_to_a_person() -> None:
    scenario = an_approved_case().having("RecordDelivery", item_id="shop").having("RecordDelivery", item_id="shop")
    assert scenario.names.count("AssistanceItemDelivered") == 2
    assert [task.task for task in scenario.case.tasks.values()] == ["item delivered twice"]


def test_completing_says_everything_that_is_missing() -> None:
    refusal = an_approved_case(SHOP, SCHOOL).refused("CompleteReintegration")
    assert refusal.rule == "REINTEGRATION.UNFINISHED"
    assert refusal.failures == ("item shop", "item school", "a monitoring visit", "the endline survey")


def test_without_an_approved_plan_nothing_completes() -> None:
    assert a_planned_case().refused("CompleteReintegration").failures == ("an approved plan",)


def test_an_item_may_be_cancelled_instead_of_delivered() -> None:
    scenario = an_approved_case().having("CancelItem", item_id="shop", reason="moved away")
    scenario.having("RecordMonitoring", month=6, finding="works").having("RecordRss", wave="ENDLINE", rss_version="1")
    assert scenario.having("CompleteReintegration").status("REINTEGRATION") == "COMPLETED"


def test_an_earlier_survey_is_not_the_endline() -> None:
    scenario = (
        an_approved_case().having("RecordDelivery", item_id="shop").having("RecordMonitoring", month=3, finding="ok")
    )
    scenario.having("RecordRss", wave="BASELINE", rss_version="1")
    assert scenario.refused("CompleteReintegration").failures == ("the endline survey",)


def test_a_finished_reintegration_may_be_closed_by_two_people() -> None:
    assert a_closed_case().case.phase == "CLOSED"


@pytest.mark.parametrize("approver", ["fatima", "staff:fatima"])
def test_nobody_approves_their_own_closing(approver: str) -> None:
    refusal = a_reintegrated_case().refused("CloseCase", reason="COMPLETED_REINTEGRATION", approved_by=approver)
    assert refusal.rule == "CLOSURE.FOUR_EYES"


def test_an_unfinished_reintegration_does_not_close_as_completed() -> None:
    refusal = an_approved_case().refused("CloseCase", reason="COMPLETED_REINTEGRATION", approved_by="amaka")
    assert refusal.rule == "CLOSURE.NOT_REACHED"


def test_a_reason_from_before_departure_does_not_close_after_arrival() -> None:
    assert an_arrived_case().refused("CloseCase", reason="INELIGIBLE", approved_by="amaka").rule == "CLOSURE.PHASE"


def test_a_closed_case_takes_no_more_work() -> None:
    assert a_closed_case().refused("RecordMonitoring", month=9, finding="x").rule == "INV-18"
