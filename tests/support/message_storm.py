"""A storm: partners go on sending while gateway, relay, worker, PostgreSQL and Temporal are killed, one after the other.

Each partner is a process outside the system and writes down for itself which message was acknowledged with which
receipt. When the storm is over, these logs are held against what the programme says that it has.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg
import httpx2
from temporalio.service import RPCError

from audit.verification.verify import verify
from domain.events.partner_report import PartnerReport
from domain.events.signal import LateSignalRecorded, PartnerSignalIgnored, PartnerSignalQuarantined
from store.messages.inbox import SETTLED, message_id_for
from store.projections.projector import Projector
from tests.durability.test_servers_die import kill_postgres, kill_temporal
from tests.support.deployment import Deployment
from workers.embedded.installation import Servers

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, httpx2.HTTPError, RPCError)

CREW = ("gateway", "relay", "case-worker")

PATIENCE_S = 600.0

QUIET_LOOKS = 3

LOOK_EVERY_S = 0.5

AT_LATEST_S = 12.0

COUNSELLORS = 6

SENDERS: Mapping[str, tuple[str, str]] = {
    "partner-023": ("MHPSS", "MHPSS"),
    "partner-012": ("PROTECTION_ASSISTANCE", "SHARE_PROTECTION"),
}
"""Whom staff ask beside those that are asked by the procedure: for what, and on which consent."""

COMPANY = ("clinic-tripoli", "embassy-nga", "exit-authority", *SENDERS)

PER_CASE = 90
"""Messages that this company says about one case: six referrals, fifteen steps each."""


@dataclass(frozen=True)
class StormSize:
    """How much of it. ``every_s`` is the time between two messages of one partner (real time).

    ``hurry``: how many times sooner than Standard Webhooks says partners send again; the order of pauses stays.
    """

    cases: int
    kills: int
    every_s: float
    hurry: float
    seed: int = 1

    @property
    def messages(self) -> int:
        return self.cases * PER_CASE


SHORT = StormSize(cases=2, kills=5, every_s=0.15, hurry=300)

FULL = StormSize(cases=23, kills=40, every_s=0.3, hurry=300)


def size() -> StormSize:
    """As long as one has time for: ``AWDA_STORM=full`` for forty kills and two thousand messages."""
    chosen = FULL if os.environ.get("AWDA_STORM") == "full" else SHORT
    return replace(chosen, seed=int(os.environ.get("AWDA_STORM_SEED", "1")))


@dataclass
class MessageStorm:
    """One storm over one town."""

    deployment: Deployment
    servers: Servers
    size: StormSize
    kills: list[str] = field(default_factory=list)
    acknowledged_at_kill: list[int] = field(default_factory=list)

    @property
    def acknowledged(self) -> dict[str, dict[str, str]]:
        """What each partner wrote down for itself: the receipts, by the id of the message."""
        return {name: one.acknowledged for name, one in self.deployment.neighbours.items()}

    @property
    def count(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    # Before

    async def prepare(self) -> list[UUID]:
        """Cases that are screened, and about which everybody has been asked. Nobody has answered yet."""
        counsellors = asyncio.Semaphore(COUNSELLORS)
        return list(await asyncio.gather(*(self._a_case(counsellors) for _ in range(self.size.cases))))

    async def _a_case(self, counsellors: asyncio.Semaphore) -> UUID:
        async with counsellors:
            case = await self.deployment.a_screened_case()
            await self.deployment.agrees_to(case, *(purpose for _, purpose in SENDERS.values()))
            for partner_id, (kind, _) in SENDERS.items():
                await self.deployment.takes(case, "CreateReferral", kind=kind, partner_id=partner_id)
            return case

    # During

    async def rage(self) -> None:
        """Kill one after the other, evenly over the messages; the next one when the last one has come back."""
        for one in self.deployment.neighbours.values():
            (await one.post("/speak")).raise_for_status()
        for number, name in enumerate(self._victims(), 1):
            await self._acknowledged(number * self.size.messages // (self.size.kills + 1))
            self.acknowledged_at_kill.append(self.count)
            self.kills.append(name)
            await self._kill(name)
            await self._is_back(name)

    def _victims(self) -> list[str]:
        """Everybody in turn, each round in another order."""
        dice, everybody = random.Random(self.size.seed), [*CREW, "postgres", "temporal"]
        order: list[str] = []
        while len(order) < self.size.kills:
            order += dice.sample(everybody, len(everybody))
        return order[: self.size.kills]

    async def _acknowledged(self, wanted: int) -> None:
        """Until so many messages have been acknowledged; while nothing moves, not for ever."""
        until = monotonic() + AT_LATEST_S
        while self.count < wanted and monotonic() < until:
            await asyncio.sleep(0.3)

    async def _kill(self, name: str) -> None:
        if name in CREW:
            self.deployment.processes.kill(name)
        else:
            await {"postgres": kill_postgres, "temporal": kill_temporal}[name](self.servers)

    async def _is_back(self, name: str) -> None:
        alive: dict[str, Callable[[], Awaitable[Any]]] = {
            "gateway": lambda: self.deployment.staff.http.get("/healthz"),
            "postgres": lambda: self.deployment.worker.pool.fetchval("SELECT 1"),
            "temporal": self.deployment.worker.client.service_client.check_health,
        }
        async with asyncio.timeout(PATIENCE_S):
            while not await _answers(alive.get(name, _at_once)):
                await asyncio.sleep(0.1)

    # After

    async def is_over(self) -> float:
        """Wait until partners have nothing more to say, and everything said is settled. Returns how long it took."""
        began, quiet = monotonic(), 0
        async with asyncio.timeout(PATIENCE_S):
            while quiet < QUIET_LOOKS:
                quiet = quiet + 1 if await _answers(self._is_quiet) else 0
                await asyncio.sleep(LOOK_EVERY_S)
        return monotonic() - began

    async def _is_quiet(self) -> bool:
        speaking = [(await one.agenda())["waiting"] for one in self.deployment.neighbours.values()]
        return not any(speaking) and not await self.deployment.worker.pool.fetchval(UNDER_WAY)

    async def assert_accounted_for(self) -> Counter[str]:
        """Hold the partners' logs against the accounts: the same messages, each settled in exactly one way."""
        total: Counter[str] = Counter()
        for partner_id, receipts in self.acknowledged.items():
            rows = await self.deployment.worker.pool.fetch(ROWS, f"partner:{partner_id}")
            expected = {message_id_for(f"partner:{partner_id}", own_id) for own_id in receipts}
            assert {row["message_id"] for row in rows} == expected, (partner_id, len(rows), len(expected))
            assert {row["status"] for row in rows} <= SETTLED, Counter(row["status"] for row in rows)
            account = await self.deployment.account(partner_id)
            assert sum(account.values()) == len(receipts), (partner_id, account, len(receipts))
            total += account
        return total

    def assert_receipts_never_changed(self) -> None:
        for one in self.deployment.neighbours.values():
            given: dict[str, set[str]] = {}
            for attempt in one.attempts:
                if attempt["status"] == 202:
                    given.setdefault(attempt["id"], set()).add(attempt["receipt"])
            assert all(len(receipts) == 1 for receipts in given.values()), one.partner_id

    async def assert_nothing_twice(self, cases: list[UUID]) -> None:
        """No signal left two traces in the log."""
        for case in cases:
            traces = Counter(event.signal_id for event in await self.deployment.log(case) if isinstance(event, TRACES))
            assert set(traces.values()) <= {1}, traces.most_common(3)

    async def assert_verified(self) -> None:
        await Projector(self.deployment.worker.pool).catch_up()
        report = await verify(self.deployment.worker.pool, self.deployment.worker.keys, self.deployment.worker.client)
        assert report.result == "clean", report.as_json()

    @property
    def figures(self) -> dict[str, Any]:
        attempts = [one["status"] for neighbour in self.deployment.neighbours.values() for one in neighbour.attempts]
        return {
            "kills": dict(Counter(self.kills)),
            "processes that died": self.deployment.processes.deaths,
            "attempts": len(attempts),
            "answered otherwise": dict(Counter(str(status) for status in attempts if status != 202)),
            "acknowledged": self.count,
        }


TRACES = (PartnerReport, PartnerSignalIgnored, PartnerSignalQuarantined, LateSignalRecorded)

UNDER_WAY = """
SELECT EXISTS (SELECT FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL)
    OR EXISTS (SELECT FROM outbox o JOIN partners p USING (partner_id)
               WHERE o.status = 'pending' AND p.receiver_url IS NOT NULL)
"""

ROWS = "SELECT message_id, status FROM inbox WHERE source = $1"


async def _at_once() -> bool:
    return True


async def _answers(asked: Callable[[], Awaitable[Any]]) -> bool:
    try:
        return bool(await asked())
    except AWAY:
        return False
