"""The passenger check: messages sent before departure count, recorded or not, and the wait for them is limited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from temporalio.exceptions import ApplicationError

from domain.case.aggregate import Case
from domain.decider import note_quarantine
from domain.kernel.event import Event
from domain.kernel.vocabulary import AdvisoryLevel
from domain.movement import Movement, MovementFlightDeparted
from domain.signals.unprocessable import CRASHED
from store.log.recorder import StaleRevisionError
from store.messages.inbox import IncomingMessage
from store.reference.advisories import change
from tests.support.builders import FLIGHT, CaseScenario, a_boarded_case, a_frozen_case
from tests.support.recorded_archive import RecordedArchive
from tests.support.running_worker import RunningWorker, an_intake

AT_THE_GATE = "2026-12-14T05:00:00Z"


@pytest.fixture
async def gate(database: Any, servers: Any) -> AsyncIterator[AirportGate]:
    async with an_intake(database, servers) as worker:
        await worker.stands_at("2026-11-23T08:00:00Z")
        archive = RecordedArchive(worker.pool, worker.owner)
        archive.keys = worker.keys
        planned = await worker.begin("PlanMovement", kind="movement", called=FLIGHT["movement"], **PLAN)
        assert planned.stream_id
        found = AirportGate(worker, archive, planned.stream_id)
        await found.says(planned.stream_id, "ConfirmMovement", carrier="Buraq")
        await worker.stands_at(AT_THE_GATE)
        yield found


PLAN = {
    "number": FLIGHT["movement"],
    "origin": "MJI",
    "destination": "LOS",
    "std": FLIGHT["std"],
    "sta": FLIGHT["sta"],
    "capacity": 9,
}


@dataclass
class AirportGate:
    """A confirmed flight and its passengers, built in memory and stored in a real log; no workflow runs."""

    worker: RunningWorker
    archive: RecordedArchive
    flight: UUID

    async def passenger(self, told: CaseScenario) -> UUID:
        """Stores the case of a scenario as a passenger of this flight."""
        events = [self.on_this_flight(event) for event in told.events]
        case = await self.archive.keep(events, open=True)
        seat = json.dumps({"message": "RequestSeat", "fields": {"case_id": str(case)}, "reason": None}).encode()
        await self.worker.inbox.put(IncomingMessage(uuid4(), self.flight, "letter", "letter", seat, "system", "awda"))
        await self.worker.record(self.flight)
        await self.worker.record(case)  # confirms the seat
        return case

    def on_this_flight(self, event: Event) -> Event:
        return event.model_copy(update={"movement_id": self.flight}) if hasattr(event, "movement_id") else event

    async def says(self, stream: UUID, name: str, **fields: Any) -> dict[str, Any]:
        """Sends a message, records it, and returns its result."""
        receipt = await self.worker.say(stream, name, **fields)
        await self.worker.record(stream)
        return await self.worker.became(receipt.message_id)

    async def doors_close(self, **fields: Any) -> asyncio.Task[Any]:
        await self.worker.say(self.flight, "RecordFlightDeparture", **fields)
        return asyncio.create_task(self.worker.record(self.flight))

    async def departure(self) -> MovementFlightDeparted:
        log = await self.worker.log(self.flight)
        return next(event for event in log if isinstance(event, MovementFlightDeparted))

    async def has_departed(self) -> bool:
        state = await self.worker.state(self.flight)
        return isinstance(state, Movement) and state.status == "DEPARTED"


async def test_a_boarding_said_just_before_doors_close_is_on_the_list_and_in_the_air(gate: AirportGate) -> None:
    case = await gate.passenger(a_frozen_case().having("CheckInPassenger"))
    await gate.worker.say(case, "BoardPassenger")

    closing = await gate.doors_close()
    await asyncio.sleep(0.2)
    assert not await gate.has_departed()
    await gate.worker.record(case)
    await closing
    await gate.worker.record(case)

    assert (await gate.departure()).boarded == (case,)
    names = await gate.worker.names(case)
    assert "PassengerNoShow" not in names
    assert names.count("FlightDeparted") == 1


RESTRICTING: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "a withdrawal": ("WithdrawVoluntaryReturn", {"channel": "AIRPORT"}),
    "fear in the last interview": (
        "RecordDepartureInterview",
        {"in_private": True, "voluntary_reaffirmed": True, "fear_expressed": True, "account": "afraid"},
    ),
    "a concern": ("RaiseProtectionConcern", {"risk_level": "HIGH", "concern": "threatened"}),
    "a hold": ("PlaceHold", {"hold_type": "PROTECTION", "reason": "x"}),
    "unfit to travel": ("IssueFitToTravel", {"result": "UNFIT"}),
}


@pytest.mark.parametrize("said", RESTRICTING)
async def test_whoever_restricts_before_doors_close_is_not_on_board_by_the_rules(gate: AirportGate, said: str) -> None:
    name, fields = RESTRICTING[said]
    case = await gate.passenger(a_boarded_case())
    receipt = await gate.worker.say(case, name, **fields)

    closing = await gate.doors_close()
    await asyncio.sleep(0.1)
    await gate.worker.record(case)
    await closing

    assert (await gate.worker.became(receipt.message_id))["status"] == "applied"
    departure = await gate.departure()
    assert (departure.boarded, departure.left_behind) == ((), (case,))


async def test_what_is_said_between_reading_and_writing_is_heard_before_doors_close(
    gate: AirportGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await gate.passenger(a_boarded_case())
    write, tries = gate.worker.recording.repository.recorder.write, list[Exception]()

    async def write_after_a_withdrawal(changeset: Any) -> Any:
        if changeset.stream_id == gate.flight and not tries:
            await gate.worker.say(case, "WithdrawVoluntaryReturn", channel="AIRPORT")
        try:
            return await write(changeset)
        except StaleRevisionError as stale:
            tries.append(stale)
            raise

    monkeypatch.setattr(gate.worker.recording.repository.recorder, "write", write_after_a_withdrawal)
    closing = await gate.doors_close()
    await asyncio.sleep(0.3)
    await gate.worker.record(case)
    await closing

    assert len(tries) == 1
    assert (await gate.departure()).left_behind == (case,)


async def test_doors_that_nobody_can_close_ask_for_a_list_and_hold_up_nothing_else(gate: AirportGate) -> None:
    case = await gate.passenger(a_boarded_case())
    await gate.worker.say(case, "AddNote", note="nobody records this")

    closing = await gate.doors_close()
    with pytest.raises(ApplicationError, match="STALE"):
        await closing

    gate.worker.recording.passenger_check.max_wait_s = 0
    became = await gate.says(gate.flight, "RecordFlightDeparture")
    assert (became["status"], became["rule"]) == ("refused", "MOVEMENT.UNHEARD")

    became = await gate.says(gate.flight, "RecordFlightDeparture", boarded=[str(case)])
    assert became["status"] == "applied"
    assert (await gate.departure()).breaches == (case,)
    await gate.worker.record(case)
    assert isinstance(state := await gate.worker.state(case), Case)
    assert state.phase == "TRANSIT"


async def test_a_case_that_cannot_be_read_is_not_waited_for_and_not_on_board_by_the_rules(gate: AirportGate) -> None:
    case = await gate.passenger(a_boarded_case())
    await gate.archive.tamper(
        "UPDATE events SET topic = 'Nobody knows this' WHERE stream_id = $1 AND version = 2", case
    )

    assert (await gate.says(gate.flight, "RecordFlightDeparture"))["rule"] == "MOVEMENT.UNHEARD"
    await gate.says(gate.flight, "RecordFlightDeparture", boarded=[str(case)])
    assert (await gate.departure()).breaches == (case,)


async def test_who_is_still_aboard_although_her_case_is_in_doubt_is_not_on_board_by_the_rules(
    gate: AirportGate,
) -> None:
    told = a_boarded_case()
    told.events += note_quarantine(
        told.case, uuid4(), CRASHED, told.moment("system")
    )  # the rules of the stages crashed too
    case = await gate.archive.keep([gate.on_this_flight(event) for event in told.events], open=True)

    await gate.says(gate.flight, "RecordFlightDeparture", boarded=[str(case)])
    assert (await gate.departure()).breaches == (case,)


async def test_who_is_aboard_to_where_it_became_unsafe_is_not_on_board_by_the_rules(gate: AirportGate) -> None:
    case = await gate.passenger(a_boarded_case())
    place = ("NGA", "NG-LA", AdvisoryLevel.NO_RETURN, "2026-4")
    await change(
        gate.worker.pool, *place, basis="UNHCR position of May", by="staff:fatima"
    )  # and the case is not notified

    refused = await gate.says(gate.flight, "RecordFlightDeparture")
    assert refused["rule"] == "MOVEMENT.UNHEARD"
    await gate.says(gate.flight, "RecordFlightDeparture", boarded=[str(case)])
    assert (await gate.departure()).breaches == (case,)
