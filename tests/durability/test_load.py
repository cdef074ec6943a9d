"""The signals of a whole flight at once: all are acknowledged and settled soon and once, whichever process is killed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest

from audit.verification.report import Report
from audit.verification.verify import verify
from bench.client import BrokenConnectionError, HttpConnection, Reply, connect_to, post
from gateway.intake.partners import CLOUD_EVENT, SIGNAL_TYPE, source_of
from store.crypto.webhook_signatures import sign
from store.messages.inbox import SETTLED, message_id_for
from store.partners.seed import seed
from store.projections.projector import Projector
from tests.support.databases import Database
from tests.support.deployment import Deployment, a_deployment
from tests.support.message_storm import PATIENCE_S, PENDING, TRACES
from tests.support.running_worker import MASTER
from workers.embedded.installation import Servers

CONNECTIONS = 40

RETRIED_WITHIN_S = 60.0

SETTLED_WITHIN_S = 120.0

CONCURRENT_CASES = 6

ENDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "EXIT_PERMIT": (
        "exit-authority",
        "GRANTED",
        {"permit_number": "X-7", "airport": "MJI", "expires_on": "2027-06-05"},
    ),
    "FIT_TO_TRAVEL": ("clinic-tripoli", "FIT", {}),
}
"""For each kind of referral the partner, its final outcome and the payload."""


@dataclass(frozen=True)
class LoadSize:
    """The size of the load. ``reports``: progress reports for each passenger, by kind of referral."""

    passengers: int
    reports: dict[str, int]
    kills: int

    @property
    def messages(self) -> int:
        return self.passengers * sum(reports + 3 for reports in self.reports.values())


SHORT = LoadSize(passengers=6, reports={"EXIT_PERMIT": 17, "FIT_TO_TRAVEL": 17}, kills=1)

FULL = LoadSize(passengers=200, reports={"EXIT_PERMIT": 10, "FIT_TO_TRAVEL": 9}, kills=3)


@dataclass(frozen=True)
class PreparedSignal:
    """One signal of a partner, ready to be signed. ``nth``: its place among the signals about its passenger."""

    partner_id: str
    own_id: str
    body: bytes
    nth: int


@dataclass
class Callers:
    """Forty connections that send until every signal is acknowledged, and keep the receipts."""

    port: int
    secrets: dict[str, str]
    waiting: list[PreparedSignal]
    receipts: dict[str, str] = field(default_factory=dict)
    other_responses: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    async def send_all(self) -> None:
        await asyncio.gather(*(self._call() for _ in range(CONNECTIONS)))

    async def _call(self) -> None:
        connection: HttpConnection | None = None
        while self.waiting:
            signal = self.waiting.pop()
            try:
                connection = connection or await connect_to(self.port)
                reply = await connection.ask(self._request(signal))
            except (BrokenConnectionError, OSError) as error:
                connection, reply = None, Reply(0, type(error).__name__.encode(), 0.0, "0.2")
            await self._handle(signal, reply)

    def _request(self, signal: PreparedSignal) -> bytes:
        headers = sign(self.secrets[signal.partner_id], signal.own_id, int(time.time()), signal.body)
        path = f"/api/v1/inbox/{signal.partner_id}"
        return post(self.port, path, {**headers, "content-type": CLOUD_EVENT}, signal.body)

    async def _handle(self, signal: PreparedSignal, reply: Reply) -> None:
        if reply.status == 202:
            self.slowest = max(self.slowest, reply.seconds)
            self.receipts[signal.own_id] = json.loads(reply.body)["receipt"]
            return
        self.other_responses[str(reply.status or reply.body.decode())] += 1
        await asyncio.sleep(float(reply.retry_after or 0.2))
        self.waiting.append(signal)


@pytest.mark.slow
@pytest.mark.exclusive
async def test_a_flights_answers_are_all_settled_within_two_minutes_while_the_worker_and_the_relay_are_killed(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    size = FULL if os.environ.get("AWDA_LOAD") == "full" else SHORT
    async with a_deployment(database, servers, tmp_path, {}, at=None) as deployment:
        cases = await cases_with_referrals(deployment, size)
        secrets = dict(await seed(deployment.worker.owner, MASTER))
        signals = mixed([signal for case in cases for signal in await signals_about(deployment, case, size)])
        assert len(signals) == size.messages
        sent = {one.own_id: one.partner_id for one in signals}
        callers, started = Callers(int(deployment.gateway.rpartition(":")[2]), secrets, signals), monotonic()

        calling = asyncio.create_task(callers.send_all())
        await kill_meanwhile(deployment, callers, size)
        await calling
        acknowledged_s, ended = monotonic() - started, monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while await deployment.worker.pool.fetchval(PENDING):
                await asyncio.sleep(0.2)
        settled_s = monotonic() - ended

        assert callers.receipts.keys() == sent.keys(), "every signal was acknowledged"
        account = await each_is_settled_once(deployment, cases, sent)
        assert settled_s <= SETTLED_WITHIN_S
        report = {
            "messages": len(sent), "acknowledged in": f"{acknowledged_s:.1f} s, {len(sent) / acknowledged_s:.0f}/s",
            "slowest response": f"{callers.slowest:.2f} s", "other responses": dict(callers.other_responses),
            "settled after the last response": f"{settled_s:.1f} s", "account": dict(account), "deaths": deployment.processes.deaths,
        }  # fmt: skip
        sys.stderr.write(json.dumps(report, indent=2) + "\n")


async def cases_with_referrals(deployment: Deployment, size: LoadSize) -> list[UUID]:
    """Returns screened cases with referrals for an exit permit and for fitness to travel."""
    limit = asyncio.Semaphore(CONCURRENT_CASES)

    async def one() -> UUID:
        async with limit:
            case = await deployment.a_screened_case()
            for kind, (partner_id, _, _) in ENDS.items():
                await deployment.record(case, "CreateReferral", kind=kind, partner_id=partner_id)
            return case

    return list(await asyncio.gather(*(one() for _ in range(size.passengers))))


async def signals_about(deployment: Deployment, case: UUID, size: LoadSize) -> list[PreparedSignal]:
    """Returns the acknowledgement, acceptance, progress reports and completion of both partners."""
    found = []
    for kind, (partner_id, outcome, payload) in ENDS.items():
        token = (await deployment.referral(case, kind)).token
        found += [_signal(partner_id, token, *one) for one in enumerate(steps(size.reports[kind], outcome, payload))]
    return found


def steps(reports: int, outcome: str, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"signal_type": "ACKNOWLEDGED"}
    yield {"signal_type": "ACCEPTED"}
    for number in range(reports):
        yield {"signal_type": "PROGRESS", "partner_seq": number}
    yield {"signal_type": "COMPLETED", "outcome_code": outcome, "payload": payload}


def mixed(signals: list[PreparedSignal]) -> list[PreparedSignal]:
    """Mixes the signals of all passengers, each passenger's in order; callers take them from the end of the list."""
    order = random.Random(1)
    return sorted(signals, key=lambda one: (-one.nth, order.random()))


def _signal(partner_id: str, token: str, nth: int, data: dict[str, Any]) -> PreparedSignal:
    own_id = str(uuid4())
    event = {
        "specversion": "1.0", "id": own_id, "source": source_of(partner_id), "type": SIGNAL_TYPE,
        "data": {"signal_id": own_id, "referral_token": token, "occurred_at": "2026-11-23T09:00:00Z", **data},
    }  # fmt: skip
    return PreparedSignal(partner_id, own_id, json.dumps(event).encode(), nth)


async def kill_meanwhile(deployment: Deployment, callers: Callers, size: LoadSize) -> None:
    """Kills the worker and the relay in turn, evenly over the signals."""
    kills = ("case-worker", "relay") * size.kills
    for number, name in enumerate(kills, 1):
        while len(callers.receipts) < number * size.messages // (len(kills) + 1):
            await asyncio.sleep(0.02)
        deployment.processes.kill(name)


async def each_is_settled_once(deployment: Deployment, cases: list[UUID], sent: dict[str, str]) -> Counter[str]:
    """Checks that each signal has one row in a final status and at most one event, and that verify is clean."""
    found = await deployment.worker.pool.fetch("SELECT message_id, status FROM inbox WHERE name = 'partner.signal'")
    rows = {row["message_id"]: row["status"] for row in found}
    assert rows.keys() == {message_id_for(f"partner:{name}", own_id) for own_id, name in sent.items()}
    assert set(rows.values()) <= SETTLED
    for case in cases:
        traces = Counter(event.signal_id for event in await deployment.log(case) if isinstance(event, TRACES))
        assert set(traces.values()) <= {1}
    await Projector(deployment.worker.pool).catch_up()
    report = await verified_at_rest(deployment)
    assert report.result == "clean", report.as_json()
    return Counter(rows.values())


async def verified_at_rest(deployment: Deployment) -> Report:
    """Verifies after workflow tasks that ended with a killed worker were retried; each retry counts as an attempt."""
    until = monotonic() + RETRIED_WITHIN_S
    while True:
        report = await verify(deployment.worker.pool, deployment.worker.keys, deployment.worker.client)
        if {finding.kind for finding in report.findings} != {"stuck-run"} or monotonic() > until:
            return report
        await asyncio.sleep(1)
