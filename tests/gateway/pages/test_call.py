"""Somebody asks to be called: an open page, one request, and a call within the policy's time."""

from __future__ import annotations

import asyncio
import re
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from audit.verification.verify import verify
from domain.kernel.policy import NEWEST
from domain.kernel.working_time import LIBYA
from gateway.intake.call_requests import request_call
from gateway.intake.service import Intake
from gateway.intake.submission import DeclinedError
from gateway.pages.forms import telephone
from gateway.pages.rate_limit import PageRateLimit
from store.log.streams import by_number, open_streams
from store.postgres import clock
from store.projections.projector import Projector
from tests.gateway.conftest import MASTER_KEY, an_app, rows
from tests.support.databases import Database
from tests.support.referral_fixtures import hidden, receipt_of
from tests.support.running_worker import MASTER, RunningWorker, a_running_worker
from workers.embedded.installation import Servers

TYPED = {"phone": "091 000 0001", "language": "ha", "given_name": "Aminata", "when": "after six"}


async def asks(client: httpx2.AsyncClient, **typed: str) -> httpx2.Response:
    """Open the page, fill it in, send it."""
    page = await client.get("/call?lang=en")
    return await client.post("/call", data={**hidden(page), **TYPED, **typed})


async def test_a_request_is_taken_with_a_number_and_a_promise(client: httpx2.AsyncClient, intake: Intake) -> None:
    answer = await asks(client)

    assert answer.status_code == 200
    assert re.fullmatch(r"CON-20\d\d-000001", receipt_of(answer))
    (kept,) = await rows(intake, "kind, name, actor, status, body")
    assert (kept["kind"], kept["name"], kept["actor"], kept["status"]) == (
        "system", "contact.request", "public", "pending",
    )  # fmt: skip
    assert b"Aminata" not in kept["body"]
    assert await rows(intake, where="stream_id IN (SELECT stream_id FROM streams WHERE kind = 'case')") == []
    due = LIBYA.after(await clock.now(intake.pool), NEWEST.in_force.contact).astimezone(LIBYA.zone)
    assert f"{due:%Y-%m-%d 17:00} UTC+2" in answer.text


async def test_the_same_form_sent_twice_at_once_is_one_request(client: httpx2.AsyncClient, intake: Intake) -> None:
    page = await client.get("/call")
    form = {**hidden(page), **TYPED}

    answers = await asyncio.gather(*(client.post("/call", data=form) for _ in range(5)))
    changed = await client.post("/call", data={**form, "when": "never mind"})

    assert len({receipt_of(answer) for answer in (*answers, changed)}) == 1
    assert len(await open_streams(intake.pool, "contact")) == 1


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"phone": "call me"}, "The number is not clear"),
        ({"phone": ""}, "The number is not clear"),
        ({"language": "xx"}, "Choose a language"),
        ({"when": "x" * 501}, "That is too long"),
        ({"given_name": "x" * 121}, "That is too long"),
    ],
)
async def test_what_cannot_be_called_is_said_and_nothing_is_lost(
    client: httpx2.AsyncClient, intake: Intake, typed: dict[str, str], told: str
) -> None:
    answer = await asks(client, **typed)

    assert answer.status_code == 422
    assert told in answer.text
    assert (typed.get("when") or "after six") in answer.text
    assert await rows(intake) == []


async def test_another_language_keeps_what_was_typed(client: httpx2.AsyncClient, intake: Intake) -> None:
    answer = await asks(client, switch="ar")

    assert 'dir="rtl"' in answer.text
    assert "after six" in answer.text
    assert await rows(intake) == []


async def test_a_flood_from_one_address_is_held_back_and_no_other(database: Database) -> None:
    async with an_app(database, proxied=True) as client:

        async def asks_from(address: str) -> int:
            page = await client.get("/call", headers={"host": "awda.example"})
            headers = {"host": "awda.example", "x-forwarded-for": f"198.51.100.1, {address}"}
            return (await client.post("/call", data={**hidden(page), **TYPED}, headers=headers)).status_code

        flood = [await asks_from("203.0.113.7") for _ in range(12)]
        other = await asks_from("203.0.113.8")

    assert flood == [200] * 10 + [429] * 2
    assert other == 200


def test_a_pace_counts_within_its_time_only() -> None:
    seconds = [0.0]
    pace = PageRateLimit(each=2, all=3, seconds=10, clock=lambda: seconds[0])

    assert [pace.allows(address) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    seconds[0] = 11
    assert pace.allows("c")
    assert len(pace.done) <= pace.remembered


def test_a_pace_remembers_only_so_many_addresses() -> None:
    pace = PageRateLimit(each=1, all=10_000, seconds=10, clock=lambda: 0.0, remembered=5)

    assert all(pace.allows(f"address {nth}") for nth in range(50))
    assert len(pace.done) <= 6


NUMBERS = [
    ("+218 91 000-0001", "+218910000001"),
    ("00218910000001", "+218910000001"),
    ("091 000 0001", "+218910000001"),
    ("٠٩١٠٠٠٠٠٠١", "+218910000001"),
    ("+234 (803) 555 0100", "+2348035550100"),
    ("", None),
    ("12", None),
    ("+", None),
    ("nine", None),
]


@pytest.mark.parametrize(("typed", "meant"), NUMBERS)
def test_a_number_is_understood_as_people_write_it(typed: str, meant: str | None) -> None:
    assert telephone(typed) == meant


# With a worker


async def test_a_request_is_recorded_noticed_when_nobody_calls_and_settled(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at("2026-11-23T08:00:00Z")
        intake = Intake(worker.pool, worker.keys, worker.notifier)
        taken = await request_call(intake, {"phone": "+218910000001", "language": "ha", "channel": "PAGE"}, key="1")
        head = await by_number(worker.pool, taken.number)
        assert head is not None
        await worker.until(head.stream_id, "ContactRequested")
        await worker.at("2026-11-24T14:59:00Z")
        assert "ContactOverdue" not in await worker.names(head.stream_id)

        await worker.at("2026-11-24T15:01:00Z")
        refused = await told(intake, worker, taken.number, "EndContact", {"outcome": "FORGOTTEN"})
        tried = await told(intake, worker, taken.number, "RecordContactTry", {"result": "NO_ANSWER"})
        done = await told(intake, worker, taken.number, "EndContact", {"outcome": "REACHED", "note": "wants to wait"})
        again = await told(intake, worker, taken.number, "EndContact", {"outcome": "REACHED"})
        names = await worker.names(head.stream_id)
        await Projector(worker.pool).catch_up()
        report = await verify(worker.pool, worker.keys, worker.client, workflows=True)

    assert names == ["ContactRequested", "ContactOverdue", "ContactTried", "ContactEnded"]
    assert (refused, tried, done, again) == ("MESSAGE.INVALID", "applied", "applied", "CONTACT.OVER")
    assert report.findings == []
    assert report.unchecked == []


async def told(intake: Intake, worker: RunningWorker, number: str, message: str, fields: dict[str, Any]) -> str:
    """What became of a staff message: its status, or the rule that refused it."""
    try:
        taken = await intake.staff.send(number, message, fields, user="fatima", key=uuid4().hex)
    except DeclinedError as no:
        return str(no.rule)
    became = await worker.became(taken.message_id)
    return str(became.get("rule", became["status"]))


def test_both_houses_have_one_master_key() -> None:
    assert MASTER.fingerprint(b"x") == type(MASTER)(MASTER_KEY).fingerprint(b"x")
