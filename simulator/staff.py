"""The programme's staff: they look at cases, do what is theirs to do when they find the time, and plan flights.

They use the staff API and nothing else. What they do and when follows from the seed and from what they see, so the
same seed gives the same days.
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
from simulator.staff_steps import CaseFile, Said, messages_of, next_step, ready_to_fly

AT_ONCE: Final = 6

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
    """A message that was refused although staff thought it was time for it."""

    number: str
    step: str
    message: str
    rule: str | None


@dataclass
class Staff:
    """Everybody who works for the programme, and what lies on their desks."""

    api: StaffClient
    seed: int
    files: dict[str, CaseFile] = field(default_factory=dict)
    flights: dict[str, PlannedFlight] = field(default_factory=dict)
    mishaps: list[UnexpectedRejectionError] = field(default_factory=list)

    # Registering

    async def register(
        self, people: Sequence[Mapping[str, Any]], script: Callable[[int], JourneyScript], said: Callable[[int], None]
    ) -> None:
        """Open a case for each registration, in their order, so that numbers are the same every time."""
        for place, fields in enumerate(people):
            key = f"demo-{self.seed}-{place}"
            began = await self.api.hand_in("cases", "RegisterCase", fields, user=COUNSELLOR, key=key, wait=False)
            if began.number is None:
                raise ValueError(f"registration {place + 1} was not taken in: {began.rule}")
            self.files[began.number] = CaseFile(began.number, place, self.seed, script(place))
            said(place + 1)

    # Looking

    async def look(self, now: datetime) -> None:
        """Read every case that has changed since it was last read, and decide what to do for it and when."""
        versions = await self.api.versions()
        changed = [file for file in self.files.values() if versions.get(file.number, 0) != file.version]
        await _few_at_once(self._read(file, now) for file in changed)

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
        """The next moment at which somebody has something to do."""
        cases = (file.due for file in self.files.values() if file.due)
        return min((*cases, *(flight.next_at for flight in self.flights.values() if flight.next_at)), default=None)

    @property
    def open_files(self) -> list[CaseFile]:
        return [file for file in self.files.values() if not file.closed]

    # Acting

    async def act(self, now: datetime) -> bool:
        """Do everything that is due, and plan flights for those who are ready. Whether anything was done."""
        due = [file for file in self.files.values() if file.due and file.due <= now]
        await _few_at_once(self._take_step(file) for file in due)
        leaving = self._flights_due(now)
        for flight in leaving:
            await self._fly(flight)
        return await self._plan(now) or bool(due or leaving)

    async def _take_step(self, file: CaseFile) -> None:
        step, file.step, file.due = file.step or "", None, None
        await self._say(file, step, messages_of(step, file))

    async def _say(self, file: CaseFile, step: str, messages: Sequence[Said]) -> bool:
        """Hand in the messages of one step in their order, and wait for what becomes of the last."""
        nth = file.done.get(step, 0)
        file.done[step] = nth + 1
        for place, (name, fields) in enumerate(messages):
            became = await self.api.hand_in(
                f"cases/{file.number}/messages",
                name,
                fields,
                user=USERS.get(step, COUNSELLOR),
                key=f"demo-{self.seed}-{file.place}-{step}-{nth}-{place}",
                wait=place == len(messages) - 1,
            )
            if became.status == "refused":
                self.mishaps.append(UnexpectedRejectionError(file.number, step, name, became.rule))
                return False
        return True

    # Flights

    def _flights_due(self, now: datetime) -> list[PlannedFlight]:
        due = (flight for flight in self.flights.values() if flight.next_at and flight.next_at <= now)
        return sorted(due, key=lambda flight: flight.number)

    async def _plan(self, now: datetime) -> bool:
        """Seat everybody who is ready on the next flight home, by case number."""
        std = next_departure(now)
        ready = sorted((file for file in self.files.values() if ready_to_fly(file, std)), key=lambda file: file.number)
        ready = [file for file in ready if file.done.get(f"NOMINATION {std}") is None]
        for file in ready:
            flight = await self._flight(file.view["country_of_return"], std)
            file.done[f"NOMINATION {std}"] = 1
            await self._say(file, "NOMINATION", [("NominatePassenger", flight.seat)])
        return bool(ready)

    async def _flight(self, country: str, std: datetime) -> PlannedFlight:
        flight = PlannedFlight(country, std, self.seed)
        known = self.flights.get(flight.number)
        if known is not None:
            return known
        await self._tell("movements", flight, "PlanMovement", flight.plan)
        await self._tell(f"movements/{flight.number}/messages", flight, "ConfirmMovement", {"carrier": "Charter"})
        flight.movement_id = (await self.api.movement(flight.number))["movement_id"]
        self.flights[flight.number] = flight
        return flight

    async def _fly(self, flight: PlannedFlight) -> None:
        _, what = flight.agenda.pop(0)
        aboard = sorted((file for file in self.open_files if file.movement == flight.number), key=lambda f: f.number)
        if what in ("PREPARATION", "BOARDING"):
            frozen = [file for file in aboard if file.view["phase"] == "DEPARTURE"]
            await _few_at_once(self._at_flight(file, what) for file in frozen)
        else:
            await self._report(flight, what)

    async def _at_flight(self, file: CaseFile, what: str) -> None:
        misses = what == "BOARDING" and file.script.misses_first_flight and not file.done.get("NO_SHOW")
        step = "NO_SHOW" if misses else what
        await self._say(file, step, messages_of(step, file))

    async def _report(self, flight: PlannedFlight, what: str) -> None:
        name, fields = {
            "CANCEL": ("CancelMovement", {"cause": "CARRIER"}),
            "DEPARTURE": ("RecordFlightDeparture", {"atd": flight.std.isoformat()}),
            "ARRIVAL": ("RecordFlightArrival", {"ata": flight.sta.isoformat()}),
        }[what]
        await self._tell(f"movements/{flight.number}/messages", flight, name, fields)

    async def _tell(self, path: str, flight: PlannedFlight, name: str, fields: Mapping[str, Any]) -> None:
        key = f"demo-{self.seed}-{flight.number}-{name}"
        became = await self.api.hand_in(path, name, fields, user="yusuf", key=key, wait=True)
        if became.status == "refused":
            self.mishaps.append(UnexpectedRejectionError(flight.number, "FLIGHT", name, became.rule))


async def _few_at_once(work: Iterable[Awaitable[Any]]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def through(one: Awaitable[Any]) -> None:
        async with gate:
            await one

    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(through(one))
