"""A flight's worth of answers at once: all answered, all settled soon, none lost and none twice, whoever is killed."""

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
from tests.support.message_storm import PATIENCE_S, TRACES, UNDER_WAY
from tests.support.running_worker import MASTER
from workers.embedded.installation import Servers

CONNECTIONS = 40

TAKEN_AGAIN_S = 60.0

SETTLED_WITHIN_S = 120.0

COUNSELLORS = 6

ENDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "EXIT_PERMIT": (
        "exit-authority",
        "GRANTED",
        {"permit_number": "X-7", "airport": "MJI", "expires_on": "2027-06-05"},
    ),
    "FIT_TO_TRAVEL": ("clinic-tripoli", "FIT", {}),
}
"""What is answered about each passenger: by whom, and with what in the end."""


@dataclass(frozen=True)
class LoadSize:
    """``reports``: how often each partner reports progress on each passenger before it is done."""

    passengers: int
    reports: dict[str, int]
    kills: int

    @property
    def messages(self) -> int:
        return self.passengers * sum(reports + 3 for reports in self.reports.values())


SHORT = LoadSize(passengers=6, reports={"EXIT_PERMIT": 17, "FIT_TO_TRAVEL": 17}, kills=1)

FULL = LoadSize(passengers=200, reports={"EXIT_PERMIT": 10, "FIT_TO_TRAVEL": 9}, kills=3)


@dataclass(frozen=True)
class SentAnswer:
    """One message of a partner, ready to be signed; the so-many-th about its passenger."""

    partner_id: str
    own_id: str
    body: bytes
    nth: int


@dataclass
class Callers:
    """Forty connections that send until everything has been answered, and keep the receipts."""

    port: int
    secrets: dict[str, str]
    waiting: list[SentAnswer]
    receipts: dict[str, str] = field(default_factory=dict)
    otherwise: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    async def send_all(self) -> None:
        await asyncio.gather(*(self._call() for _ in range(CONNECTIONS)))

    async def _call(self) -> None:
        made: HttpConnection | None = None
        while self.waiting:
            said = self.waiting.pop()
            try:
                made = made or await connect_to(self.port)
                reply = await made.ask(self._request(said))
            except (BrokenConnectionError, OSError) as fault:
                made, reply = None, Reply(0, type(fault).__name__.encode(), 0.0, "0.2")
            await self._heard(said, reply)

    def _request(self, said: SentAnswer) -> bytes:
        headers = sign(self.secrets[said.partner_id], said.own_id, int(time.time()), said.body)
        return post(self.port, f"/api/v1/inbox/{said.partner_id}", {**headers, "content-type": CLOUD_EVENT}, said.body)

    async def _heard(self, said: SentAnswer, reply: Reply) -> None:
        if reply.status == 202:
            self.slowest = max(self.slowest, reply.seconds)
            self.receipts[said.own_id] = json.loads(reply.body)["receipt"]
            return
        self.otherwise[str(reply.status or reply.body.decode())] += 1
        await asyncio.sleep(float(reply.retry_after or 0.2))
        self.waiting.append(said)


@pytest.mark.slow
async def test_a_flights_answers_are_all_settled_within_two_minutes_while_the_worker_and_the_relay_are_killed(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    size = FULL if os.environ.get("AWDA_LOAD") == "full" else SHORT
    async with a_deployment(database, servers, tmp_path, {}, at=None) as deployment:
        cases = await everybody_is_asked_about(deployment, size)
        secrets = dict(await seed(deployment.worker.owner, MASTER))
        said = mixed([message for case in cases for message in await answers_about(deployment, case, size)])
        assert len(said) == size.messages
        sent = {one.own_id: one.partner_id for one in said}
        callers, began = Callers(int(deployment.gateway.rpartition(":")[2]), secrets, said), monotonic()

        calling = asyncio.create_task(callers.send_all())
        await kill_on_the_way(deployment, callers, size)
        await calling
        answered_s, ended = monotonic() - began, monotonic()
        async with asyncio.timeout(PATIENCE_S):
            while await deployment.worker.pool.fetchval(UNDER_WAY):
                await asyncio.sleep(0.2)
        settled_s = monotonic() - ended

        assert callers.receipts.keys() == sent.keys(), "every message was answered"
        account = await each_is_settled_once(deployment, cases, sent)
        assert settled_s <= SETTLED_WITHIN_S
        told = {
            "messages": len(sent), "answered in": f"{answered_s:.1f} s, {len(sent) / answered_s:.0f}/s",
            "slowest answer": f"{callers.slowest:.2f} s", "answered otherwise": dict(callers.otherwise),
            "settled after the last answer": f"{settled_s:.1f} s", "account": dict(account), "deaths": deployment.processes.deaths,
        }  # fmt: skip
        sys.stderr.write(json.dumps(told, indent=2) + "\n")


async def everybody_is_asked_about(deployment: Deployment, size: LoadSize) -> list[UUID]:
    """People who may be on the flight: exit permit and fitness to travel are asked for."""
    at_once = asyncio.Semaphore(COUNSELLORS)

    async def one() -> UUID:
        async with at_once:
            case = await deployment.a_screened_case()
            for kind, (partner_id, _, _) in ENDS.items():
                await deployment.takes(case, "CreateReferral", kind=kind, partner_id=partner_id)
            return case

    return list(await asyncio.gather(*(one() for _ in range(size.passengers))))


async def answers_about(deployment: Deployment, case: UUID, size: LoadSize) -> list[SentAnswer]:
    """Received, accepted, progress, done: from both partners."""
    found = []
    for kind, (partner_id, outcome, payload) in ENDS.items():
        token = (await deployment.referral(case, kind)).token
        found += [_said(partner_id, token, *one) for one in enumerate(steps(size.reports[kind], outcome, payload))]
    return found


def steps(reports: int, outcome: str, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"signal_type": "ACKNOWLEDGED"}
    yield {"signal_type": "ACCEPTED"}
    for number in range(reports):
        yield {"signal_type": "PROGRESS", "partner_seq": number}
    yield {"signal_type": "COMPLETED", "outcome_code": outcome, "payload": payload}


def mixed(said: list[SentAnswer]) -> list[SentAnswer]:
    """All passengers' answers among one another, each passenger's in their order; the last comes first in the list."""
    dice = random.Random(1)
    return sorted(said, key=lambda one: (-one.nth, dice.random()))


def _said(partner_id: str, token: str, nth: int, data: dict[str, Any]) -> SentAnswer:
    own_id = str(uuid4())
    event = {
        "specversion": "1.0", "id": own_id, "source": source_of(partner_id), "type": SIGNAL_TYPE,
        "data": {"signal_id": own_id, "referral_token": token, "occurred_at": "2026-11-23T09:00:00Z", **data},
    }  # fmt: skip
    return SentAnswer(partner_id, own_id, json.dumps(event).encode(), nth)


async def kill_on_the_way(deployment: Deployment, callers: Callers, size: LoadSize) -> None:
    """The worker and the relay in turn, evenly over the messages."""
    kills = ("case-worker", "relay") * size.kills
    for number, name in enumerate(kills, 1):
        while len(callers.receipts) < number * size.messages // (len(kills) + 1):
            await asyncio.sleep(0.02)
        deployment.processes.kill(name)


async def each_is_settled_once(deployment: Deployment, cases: list[UUID], sent: dict[str, str]) -> Counter[str]:
    """One row for each message, in one final state; one trace in the log at most; and everything agrees."""
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
    """What `verify` says once tasks that died with a worker have been taken by the next one: each cost a try."""
    until = monotonic() + TAKEN_AGAIN_S
    while True:
        report = await verify(deployment.worker.pool, deployment.worker.keys, deployment.worker.client)
        if {finding.kind for finding in report.findings} != {"stuck-run"} or monotonic() > until:
            return report
        await asyncio.sleep(1)
