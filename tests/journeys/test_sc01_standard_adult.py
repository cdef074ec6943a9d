"""SC-01: a standard adult from Nigeria returns home through every stage, on real servers."""

from __future__ import annotations

from uuid import UUID

from domain.case.aggregate import Case
from domain.kernel.vocabulary import Phase, Stage, StageStatus
from domain.movement import Movement
from tests.support.databases import Database
from tests.support.journey_steps import FLIGHT, a_cleared_case, a_screened_case, a_taken_message
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers

DECISIVE = [
    "CaseRegistered",
    "CaseWorkerAssigned",
    "ConsentGiven",
    "NonRefoulementScreened",
    "VulnerabilityAssessed",
    "VoluntarinessAssessed",
    "VoluntaryReturnDeclared",
    "EligibilityDetermined",
    "ScreeningCompleted",
    "ClearanceGranted",
    "SafetyOfReturnAssessed",
    "ReferralCompleted",
    "NationalityConfirmed",
    "TravelDocumentIssued",
    "ExitPermitRequested",
    "ExitPermitGranted",
    "PassengerNominated",
    "SeatReserved",
    "ReferralAccepted",
    "ManifestFrozen",
    "FitToTravelAssessed",
    "VoluntaryReturnReaffirmed",
    "DepartureInterviewHeld",
    "PassengerCheckedIn",
    "TravelGateEvaluated",
    "PassengerBoarded",
    "FlightDeparted",
    "FlightArrived",
    "ArrivalConfirmed",
    "ReturneeMet",
    "ImmediateAssistanceProvided",
    "OnwardTransportProvided",
    "ReceptionCompleted",
    "ReintegrationEnrolled",
    "ReintegrationPlanDrafted",
    "ReintegrationPlanApproved",
    "AssistanceItemDelivered",
    "MonitoringVisitConducted",
    "ReintegrationSurveyRecorded",
    "ReintegrationCompleted",
    "CaseClosed",
]


async def test_sc_01_a_standard_adult_goes_home_through_all_seven_stages(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at("2026-11-23T08:00:00+00:00")
        case = await a_cleared_case(worker)
        movement = await is_seated(worker, case)
        await flies(worker, case, movement)
        await is_received(worker, case)
        await is_reintegrated(worker, case)

        assert follows(DECISIVE, await worker.names(case))
        state = await worker.state(case)
        assert isinstance(state, Case)
        assert state.phase is Phase.CLOSED
        assert {status.status for status in state.stages.values()} == {StageStatus.COMPLETED}
        landed = await worker.state(movement)
        assert isinstance(landed, Movement)
        assert landed.status == "ARRIVED"


async def test_stages_open_in_the_order_of_the_procedure_and_only_when_ordered(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at("2026-11-23T08:00:00+00:00")
        case = await a_screened_case(worker)
        await worker.until(case, "ReferralSent")

        opened = [event.facts["stage"] for event in await worker.log(case) if event.name == "StageOpened"]

        assert opened == [Stage.SCREENING, Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS]


async def is_seated(worker: RunningWorker, case: UUID) -> UUID:
    flight = await worker.begin("PlanMovement", kind="movement", called=FLIGHT["number"], **FLIGHT)
    movement = flight.stream_id
    assert movement is not None
    await a_taken_message(worker, movement, "ConfirmMovement", carrier="charter")
    about = {"movement_id": str(movement), "movement": FLIGHT["number"], "std": FLIGHT["std"], "sta": FLIGHT["sta"]}
    await a_taken_message(worker, case, "NominatePassenger", **about)
    await worker.until(case, "SeatReserved")
    await worker.at("2026-12-01T08:00:00+00:00")
    assert (await worker.receive_signal(case, "RECEPTION", "ACCEPTED", "CONFIRMED"))["status"] == "applied"
    return movement


async def flies(worker: RunningWorker, case: UUID, movement: UUID) -> None:
    await worker.at("2026-12-12T14:00:00+00:00")
    await worker.until(case, "ManifestFrozen")
    await a_taken_message(worker, case, "IssueFitToTravel", result="FIT")
    await worker.at("2026-12-14T04:30:00+00:00")
    await a_taken_message(worker, case, "ReaffirmVoluntaryReturn")
    await a_taken_message(worker, case, "RecordDepartureInterview", in_private=True, voluntary_reaffirmed=True)
    await a_taken_message(worker, case, "CheckInPassenger")
    await a_taken_message(worker, case, "BoardPassenger")
    await worker.at(FLIGHT["std"])
    await a_taken_message(worker, movement, "RecordFlightDeparture")
    await worker.until(case, "FlightDeparted")
    await worker.at(FLIGHT["sta"])
    await a_taken_message(worker, movement, "RecordFlightArrival")
    await worker.until(case, "FlightArrived")


async def is_received(worker: RunningWorker, case: UUID) -> None:
    await a_taken_message(worker, case, "ConfirmArrival")
    await a_taken_message(worker, case, "RecordReception", met=True, met_by="Ngozi")
    await a_taken_message(worker, case, "ProvideImmediateAssistance", items=["meal", "NFI kit"], cash_eur=65)
    await a_taken_message(worker, case, "ProvideOnwardTransport", mode="BUS")
    assert (await worker.receive_signal(case, "RECEPTION", "COMPLETED", "RECEIVED"))["status"] == "applied"
    await a_taken_message(worker, case, "CompleteReception", outcome="RECEIVED")


async def is_reintegrated(worker: RunningWorker, case: UUID) -> None:
    await worker.until(case, "ReceptionCompleted")
    await worker.after(days=5)
    await a_taken_message(worker, case, "EnrolReintegration", office="Lagos")
    await worker.receive_signal(case, "REINTEGRATION_COUNSELLING", "COMPLETED", "COUNSELLED")
    await a_taken_message(worker, case, "AssessReintegrationNeeds", needs=["ECONOMIC"])
    item = {"item_id": "shop", "type": "MICROBUSINESS", "description": "small shop", "amount_eur": 900}
    await a_taken_message(worker, case, "DraftPlan", items=[item], signed_by_returnee=True)
    await a_taken_message(worker, case, "ApprovePlan", by="staff:amaka")
    await worker.after(days=2)
    await worker.receive_signal(case, "REINTEGRATION_SERVICE", "COMPLETED", "DELIVERED")
    await worker.after(days=180)
    await a_taken_message(worker, case, "RecordMonitoring", month=6, finding="shop open")
    await worker.after(days=180)
    await a_taken_message(worker, case, "RecordRss", wave="ENDLINE", rss_version="1", composite=0.7)
    await a_taken_message(worker, case, "CompleteReintegration")
    await a_taken_message(worker, case, "CloseCase", reason="COMPLETED_REINTEGRATION", approved_by="amaka")


def follows(wanted: list[str], names: list[str]) -> bool:
    """Whether the names occur in this order, possibly with others between them."""
    left = iter(names)
    return all(name in left for name in wanted)
