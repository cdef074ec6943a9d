"""The first half of a journey, said to a real house: registered, screened, cleared."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.support.builders import AMINATA, CONSENTS
from tests.support.running_worker import RunningWorker

REGISTRATION: dict[str, Any] = {
    "person": AMINATA.model_dump(mode="json", exclude_none=True),
    "country_of_return": "NGA",
    "channel": "WALK_IN",
    "office": "Tripoli",
    "living_situation": "URBAN_RENTED",
    "consent_to_data_processing": True,
}

FLIGHT: dict[str, Any] = {
    "number": "MOV-2026-1214-MJI-LOS-01",
    "origin": "MJI",
    "destination": "LOS",
    "std": "2026-12-14T09:00:00+00:00",
    "sta": "2026-12-14T14:00:00+00:00",
    "capacity": 150,
}

SCREENING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("AssignCaseWorker", {"user": "fatima"}),
    *(("RecordConsent", {"purpose": purpose, "form_version": "C-1", "language": "en"}) for purpose in CONSENTS),
    ("RecordCounselling", {"topics": ["ALTERNATIVES"], "language": "en"}),
    ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"}),
    ("RecordVulnerabilityAssessment", {"overall_risk": "LOW"}),
    ("AssessVoluntariness", {"understood": True, "free_of_pressure": True, "in_private": True}),
    ("SignVoluntaryReturnDeclaration", {"country": "NGA", "form_version": "VRD-1", "language": "en"}),
    ("DetermineEligibility", {"decision": "ELIGIBLE"}),
)


async def a_registered_case(worker: RunningWorker) -> UUID:
    begun = await worker.begin(**REGISTRATION)
    assert begun.stream_id is not None
    assert (await worker.became(begun.message_id))["status"] == "applied"
    await worker.until(begun.stream_id, "ScreeningStarted")
    return begun.stream_id


async def a_screened_case(worker: RunningWorker) -> UUID:
    case = await a_registered_case(worker)
    for name, fields in SCREENING:
        await worker.say(case, name, **fields)
    became = await worker.told(case, "CompleteScreening")
    assert became["status"] == "applied", became
    return case


async def a_cleared_case(worker: RunningWorker) -> UUID:
    """Safe to return, examined, documented, funded: only the flight is missing."""
    case = await a_screened_case(worker)
    await worker.until(case, "ReferralSent")
    await worker.told(case, "AssessSafetyOfReturn", area="NG-LA", result="SAFE", advisory_version="2026-3")
    await worker.receive_signal(case, "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    await worker.receive_signal(case, "CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
    paper = {"kind": "LAISSEZ_PASSER", "number": "LP-100", "expires_on": "2027-01-22"}
    await worker.receive_signal(case, "TRAVEL_DOCUMENT", "COMPLETED", "ISSUED", payload=paper)
    permit = {"permit_number": "X-7", "airport": "MJI", "expires_on": "2027-01-05"}
    await worker.receive_signal(case, "EXIT_PERMIT", "COMPLETED", "GRANTED", payload=permit)
    became = await worker.told(case, "AllocateFunding", project="VHR-1", until="2027-12-31T00:00:00+00:00")
    assert became["status"] == "applied", became
    return case


async def a_taken_message(worker: RunningWorker, stream: UUID, name: str, **fields: Any) -> None:
    """Said, and applied."""
    became = await worker.told(stream, name, **fields)
    assert became["status"] == "applied", (name, became)
