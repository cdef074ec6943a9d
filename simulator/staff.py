"""Simulated staff: they read cases, take the next step after a typical delay, and plan flights.

They use only the staff API. Their actions and times follow from the seed and from what the API shows, so the same seed
gives the same course of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from simulator.flights import PlannedFlight, next_departure
from simulator.scenarios import STAFF_TAKES, JourneyScript
from simulator.seeded_random import DurationSpread, seeded_random, when_offices_open
from simulator.staff_client import StaffClient
from simulator.staff_steps import CaseFile, StaffMessage, messages_of, next_step, ready_to_fly

CONCURRENT_REQUESTS: Final = 6
"""How many requests run concurrently."""

USERS: Final[Mapping[str, str]] = {
    "PROTECTION": "huda",
    "PREPARATION": "yusuf",
    "BOARDING": "yusuf",
    "NO_SHOW": "yusuf",
    "FUNDING": "karim",
    "NOMINATION": "yusuf",
    "ARRIVAL": "ngozi",
    "RECEPTION_DONE": "ngozi",
    "ENROLMENT": "ngozi",
    "PLAN_APPROVAL": "amaka",
}

COUNSELLOR: Final = "fatima"

PROMPTLY: Final = DurationSpread(1, 0.3, 3)


@dataclass(frozen=True)
class UnexpectedRejectionError:
    """A message of a simulated step that a rule refused."""

    number: str
    step: str
    message: str
    rule: str | None


@dataclass
class Staff:
    """All simulated staff, with the cases and flights they work on."""

    api: StaffClient
    seed: int
    files: dict[str, CaseFile] = field(default_factory=dict)
    flights: dict[str, PlannedFlight] = field(default_factory=dict)
    rejections: list[UnexpectedRejectionError] = field(default_factory=list)

    # Registering

    async def register(
        self,
        people: Sequence[Mapping[str, Any]],
        script: Callable[[int], JourneyScript],
        progress: Callable[[int], None],
    ) -> None:
        """Registers a case for each person, in order, so that case numbers are the same in every run."""
        for place, fields in enumerate(people):
            key = f"demo-{self.seed}-{place}"
            registered = await self.api.submit("cases", "RegisterCase", fields, user=COUNSELLOR, key=key, wait=False)
            if registered.number is None:
                raise ValueError(f"registration {place + 1} was refused: {registered.rule}")
            self.files[registered.number] = CaseFile(registered.number, place, self.seed, script(place))
            progress(place + 1)

    # Reading cases

    async def read_cases(self, now: datetime) -> None:
        """Reads every case that has changed since it was last read, and schedules its next step."""
        versions = await self.api.versions()
        changed = [file for file in self.files.values() if versions.get(file.number, 0) != file.version]
        await _limited(self._read(file, now) for file in changed)

    async def _read(self, file: CaseFile, now: datetime) -> None:
        file.view = await self.api.case(file.number)
        step = next_step(file)
        if step == file.step and step is not None:
            return
        file.step = step
        file.due = when_offices_open(now + self._time_for(file, step)) if step else None

    def _time_for(self, file: CaseFile, step: str) -> timedelta:
        takes = file.script.after if step == "LEAVE" else STAFF_TAKES.get(step, PROMPTLY)
        return takes.drawn(seeded_random(self.seed, "staff", file.place, step, file.done.get(step, 0)))

    @property
    def next_at(self) -> datetime | None:
        """Returns the time of the next scheduled step (UTC), or ``None``."""
        cases = (file.due for file in self.files.values() if file.due)
        return min((*cases, *(flight.next_at for flight in self.flights.values() if flight.next_at)), default=None)

    @property
    def open_files(self) -> list[CaseFile]:
        return [file for file in self.files.values() if not file.closed]

    # Acting

    async def act(self, now: datetime) -> bool:
        """Takes every step that is due, and plans flights. Returns whether anything was done."""
        due = [file for file in self.files.values() if file.due and file.due <= now]
        await _limited(self._take_step(file) for file in due)
        leaving = self._flights_due(now)
        for flight in leaving:
            await self._do_agenda(flight)
        return await self._plan(now) or bool(due or leaving)

    async def _take_step(self, file: CaseFile) -> None:
        step, file.step, file.due = file.step or "", None, None
        await self._submit(file, step, messages_of(step, file))

    async def _submit(self, file: CaseFile, step: str, messages: Sequence[StaffMessage]) -> bool:
        """Submits the messages of one step in order, and waits for the result of the last."""
        count = file.done.get(step, 0)
        file.done[step] = count + 1
        for place, (name, fields) in enumerate(messages):
            outcome = await self.api.submit(
                f"cases/{file.number}/messages",
                name,
                fields,
                user=USERS.get(step, COUNSELLOR),
                key=f"demo-{self.seed}-{file.place}-{step}-{count}-{place}",
                wait=place == len(messages) - 1,
            )
            if outcome.status == "refused":
                self.rejections.append(UnexpectedRejectionError(file.number, step, name, outcome.rule))
                return False
        return True

    # Flights

    def _flights_due(self, now: datetime) -> list[PlannedFlight]:
        due = (flight for flight in self.flights.values() if flight.next_at and flight.next_at <= now)
        return sorted(due, key=lambda flight: flight.number)

    async def _plan(self, now: datetime) -> bool:
        """Nominates everyone who is ready for the next flight home, in the order of case numbers."""
        std = next_departure(now)
        ready = sorted((file for file in self.files.values() if ready_to_fly(file, std)), key=lambda file: file.number)
        ready = [file for file in ready if file.done.get(f"NOMINATION {std}") is None]
        for file in ready:
            flight = await self._flight(file.view["country_of_return"], std)
            file.done[f"NOMINATION {std}"] = 1
            await self._submit(file, "NOMINATION", [("NominatePassenger", flight.seat)])
        return bool(ready)

    async def _flight(self, country: str, std: datetime) -> PlannedFlight:
        flight = PlannedFlight(country, std, self.seed)
        known = self.flights.get(flight.number)
        if known is not None:
            return known
        await self._submit_for_flight("movements", flight, "PlanMovement", flight.plan)
        await self._submit_for_flight(
            f"movements/{flight.number}/messages", flight, "ConfirmMovement", {"carrier": "Charter"}
        )
        flight.movement_id = (await self.api.movement(flight.number))["movement_id"]
        self.flights[flight.number] = flight
        return flight

    async def _do_agenda(self, flight: PlannedFlight) -> None:
        _, action = flight.agenda.pop(0)
        aboard = sorted((file for file in self.open_files if file.movement == flight.number), key=lambda f: f.number)
        if action in ("PREPARATION", "BOARDING"):
            frozen = [file for file in aboard if file.view["phase"] == "DEPARTURE"]
            await _limited(self._at_flight(file, action) for file in frozen)
        else:
            await self._report(flight, action)

    async def _at_flight(self, file: CaseFile, action: str) -> None:
        misses = action == "BOARDING" and file.script.misses_first_flight and not file.done.get("NO_SHOW")
        step = "NO_SHOW" if misses else action
        await self._submit(file, step, messages_of(step, file))

    async def _report(self, flight: PlannedFlight, action: str) -> None:
        name, fields = {
            "CANCEL": ("CancelMovement", {"cause": "CARRIER"}),
            "DEPARTURE": ("RecordFlightDeparture", {"atd": flight.std.isoformat()}),
            "ARRIVAL": ("RecordFlightArrival", {"ata": flight.sta.isoformat()}),
        }[action]
        await self._submit_for_flight(f"movements/{flight.number}/messages", flight, name, fields)

    async def _submit_for_flight(self, path: str, flight: PlannedFlight, name: str, fields: Mapping[str, Any]) -> None:
        key = f"demo-{self.seed}-{flight.number}-{name}"
        outcome = await self.api.submit(path, name, fields, user="yusuf", key=key, wait=True)
        if outcome.status == "refused":
            self.rejections.append(UnexpectedRejectionError(flight.number, "FLIGHT", name, outcome.rule))


async def _limited(work: Iterable[Awaitable[Any]]) -> None:
    limit = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def run(one: Awaitable[Any]) -> None:
        async with limit:
            await one

    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(run(one))
