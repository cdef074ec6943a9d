"""A storm: partners keep sending while gateway, relay, worker, PostgreSQL and Temporal are killed one after the other.

Each partner is a process outside the system that logs which message was acknowledged with which receipt. After the
storm, these logs are compared with Awda's ledgers and log.
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

CONNECTION_ERRORS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, httpx2.HTTPError, RPCError)

PROCESSES = ("gateway", "relay", "case-worker")

PATIENCE_S = 600.0

QUIET_LOOKS = 3

LOOK_EVERY_S = 0.5

AT_LATEST_S = 12.0

CONCURRENT_CASES = 6

SENDERS: Mapping[str, tuple[str, str]] = {
    "partner-023": ("MHPSS", "MHPSS"),
    "partner-012": ("PROTECTION_ASSISTANCE", "SHARE_PROTECTION"),
}
"""Partners to which staff send a further referral: its kind, and the consent that it needs."""

PARTNERS = ("clinic-tripoli", "embassy-nga", "exit-authority", *SENDERS)

PER_CASE = 90
"""Signals that the partners send about one case: six referrals with fifteen steps each."""


@dataclass(frozen=True)
class StormSize:
    """The size of a storm. ``every_s``: the pause between two signals of one partner (seconds, real time).

    ``hurry``: the factor by which partners retry sooner than Standard Webhooks says; the order of pauses stays.
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
    """Returns the size from the environment: ``AWDA_STORM=full`` for forty kills and two thousand messages."""
    chosen = FULL if os.environ.get("AWDA_STORM") == "full" else SHORT
    return replace(chosen, seed=int(os.environ.get("AWDA_STORM_SEED", "1")))


@dataclass
class MessageStorm:
    """One storm over one deployment."""

    deployment: Deployment
    servers: Servers
    size: StormSize
    kills: list[str] = field(default_factory=list)
    acknowledged_at_kill: list[int] = field(default_factory=list)

    @property
    def acknowledged(self) -> dict[str, dict[str, str]]:
        """Returns the receipts that each partner logged, by message id."""
        return {name: one.acknowledged for name, one in self.deployment.partners.items()}

    @property
    def count(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    # Before

    async def prepare(self) -> list[UUID]:
        """Returns screened cases with a referral to each partner. No partner has responded yet."""
        limit = asyncio.Semaphore(CONCURRENT_CASES)
        return list(await asyncio.gather(*(self._a_case(limit) for _ in range(self.size.cases))))

    async def _a_case(self, limit: asyncio.Semaphore) -> UUID:
        async with limit:
            case = await self.deployment.a_screened_case()
            await self.deployment.record_consent(case, *(purpose for _, purpose in SENDERS.values()))
            for partner_id, (kind, _) in SENDERS.items():
                await self.deployment.record(case, "CreateReferral", kind=kind, partner_id=partner_id)
            return case

    # During

    async def kill_in_turn(self) -> None:
        """Kills one process after the other, evenly over the messages, each after the previous one is back."""
        for one in self.deployment.partners.values():
            (await one.post("/speak")).raise_for_status()
        for number, name in enumerate(self._kill_order(), 1):
            await self._acknowledged(number * self.size.messages // (self.size.kills + 1))
            self.acknowledged_at_kill.append(self.count)
            self.kills.append(name)
            await self._kill(name)
            await self._wait_until_back(name)

    def _kill_order(self) -> list[str]:
        """Returns the processes to kill: each one once in every round, in a random order."""
        random_order, victims = random.Random(self.size.seed), [*PROCESSES, "postgres", "temporal"]
        order: list[str] = []
        while len(order) < self.size.kills:
            order += random_order.sample(victims, len(victims))
        return order[: self.size.kills]

    async def _acknowledged(self, wanted: int) -> None:
        """Waits until ``wanted`` messages are acknowledged, but at most ``AT_LATEST_S`` seconds."""
        until = monotonic() + AT_LATEST_S
        while self.count < wanted and monotonic() < until:
            await asyncio.sleep(0.3)

    async def _kill(self, name: str) -> None:
        if name in PROCESSES:
            self.deployment.processes.kill(name)
        else:
            await {"postgres": kill_postgres, "temporal": kill_temporal}[name](self.servers)

    async def _wait_until_back(self, name: str) -> None:
        alive: dict[str, Callable[[], Awaitable[Any]]] = {
            "gateway": lambda: self.deployment.staff.http.get("/healthz"),
            "postgres": lambda: self.deployment.worker.pool.fetchval("SELECT 1"),
            "temporal": self.deployment.worker.client.service_client.check_health,
        }
        async with asyncio.timeout(PATIENCE_S):
            while not await _answers(alive.get(name, _at_once)):
                await asyncio.sleep(0.1)

    # After

    async def wait_until_settled(self) -> float:
        """Waits until partners have sent everything and all of it is settled. Returns the duration (seconds)."""
        started, quiet = monotonic(), 0
        async with asyncio.timeout(PATIENCE_S):
            while quiet < QUIET_LOOKS:
                quiet = quiet + 1 if await _answers(self._is_quiet) else 0
                await asyncio.sleep(LOOK_EVERY_S)
        return monotonic() - started

    async def _is_quiet(self) -> bool:
        sending = [(await one.agenda())["waiting"] for one in self.deployment.partners.values()]
        return not any(sending) and not await self.deployment.worker.pool.fetchval(PENDING)

    async def assert_accounted_for(self) -> Counter[str]:
        """Compares the partners' logs with the inbox: the same messages, each settled in exactly one way."""
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
        for one in self.deployment.partners.values():
            given: dict[str, set[str]] = {}
            for attempt in one.attempts:
                if attempt["status"] == 202:
                    given.setdefault(attempt["id"], set()).add(attempt["receipt"])
            assert all(len(receipts) == 1 for receipts in given.values()), one.partner_id

    async def assert_no_duplicates(self, cases: list[UUID]) -> None:
        """Fails if any signal has more than one event in the log."""
        for case in cases:
            traces = Counter(event.signal_id for event in await self.deployment.log(case) if isinstance(event, TRACES))
            assert set(traces.values()) <= {1}, traces.most_common(3)

    async def assert_verified(self) -> None:
        await Projector(self.deployment.worker.pool).catch_up()
        report = await verify(self.deployment.worker.pool, self.deployment.worker.keys, self.deployment.worker.client)
        assert report.result == "clean", report.as_json()

    @property
    def figures(self) -> dict[str, Any]:
        attempts = [one["status"] for partner in self.deployment.partners.values() for one in partner.attempts]
        return {
            "kills": dict(Counter(self.kills)),
            "processes that died": self.deployment.processes.deaths,
            "attempts": len(attempts),
            "other responses": dict(Counter(str(status) for status in attempts if status != 202)),
            "acknowledged": self.count,
        }


TRACES = (PartnerReport, PartnerSignalIgnored, PartnerSignalQuarantined, LateSignalRecorded)

PENDING = """
SELECT EXISTS (SELECT FROM inbox WHERE status = 'pending' AND stream_id IS NOT NULL)
    OR EXISTS (SELECT FROM outbox o JOIN partners p USING (partner_id)
               WHERE o.status = 'pending' AND p.receiver_url IS NOT NULL)
"""

ROWS = "SELECT message_id, status FROM inbox WHERE source = $1"


async def _at_once() -> bool:
    return True


async def _answers(question: Callable[[], Awaitable[Any]]) -> bool:
    try:
        return bool(await question())
    except CONNECTION_ERRORS:
        return False
