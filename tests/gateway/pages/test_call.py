"""Call requests: an open page, one request, and a call within the time that the policy sets."""

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

ENTRIES = {"phone": "091 000 0001", "language": "ha", "given_name": "Aminata", "when": "after six"}


async def request_a_call(client: httpx2.AsyncClient, **entries: str) -> httpx2.Response:
    """Opens the page, fills in the form and submits it."""
    page = await client.get("/call?lang=en")
    return await client.post("/call", data={**hidden(page), **ENTRIES, **entries})


async def test_a_request_is_accepted_with_a_number_and_a_due_time(client: httpx2.AsyncClient, intake: Intake) -> None:
    answer = await request_a_call(client)

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
    form = {**hidden(page), **ENTRIES}

    answers = await asyncio.gather(*(client.post("/call", data=form) for _ in range(5)))
    changed = await client.post("/call", data={**form, "when": "never mind"})

    assert len({receipt_of(answer) for answer in (*answers, changed)}) == 1
    assert len(await open_streams(intake.pool, "contact")) == 1


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        ({"phone": "call me"}, "Telephone number: enter the number in international format"),
        ({"phone": ""}, "Telephone number: enter the number in international format"),
        ({"language": "xx"}, "Language for the call: choose a language"),
        ({"when": "x" * 501}, "Time when a call is safe: enter at most 500 characters"),
        ({"given_name": "x" * 121}, "Name to use in the call: enter at most 120 characters"),
    ],
)
async def test_an_invalid_entry_is_reported_and_the_other_entries_are_kept(
    client: httpx2.AsyncClient, intake: Intake, entries: dict[str, str], error: str
) -> None:
    answer = await request_a_call(client, **entries)

    assert answer.status_code == 422
    assert error in answer.text
    assert (entries.get("when") or "after six") in answer.text
    assert await rows(intake) == []


async def test_changing_the_language_keeps_the_entries(client: httpx2.AsyncClient, intake: Intake) -> None:
    answer = await request_a_call(client, switch="ar")

    assert 'dir="rtl"' in answer.text
    assert "after six" in answer.text
    assert await rows(intake) == []


async def test_a_flood_from_one_address_is_limited_and_other_addresses_are_not(database: Database) -> None:
    async with an_app(database, proxied=True) as client:

        async def status_from(address: str) -> int:
            page = await client.get("/call", headers={"host": "awda.example"})
            headers = {"host": "awda.example", "x-forwarded-for": f"198.51.100.1, {address}"}
            return (await client.post("/call", data={**hidden(page), **ENTRIES}, headers=headers)).status_code

        flood = [await status_from("203.0.113.7") for _ in range(12)]
        other = await status_from("203.0.113.8")

    assert flood == [200] * 10 + [429] * 2
    assert other == 200


def test_a_rate_limit_counts_within_its_interval_only() -> None:
    seconds = [0.0]
    limit = PageRateLimit(each=2, all=3, seconds=10, clock=lambda: seconds[0])

    assert [limit.allows(address) for address in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    seconds[0] = 11
    assert limit.allows("c")
    assert len(limit.done) <= limit.remembered


def test_a_rate_limit_remembers_a_limited_number_of_addresses() -> None:
    limit = PageRateLimit(each=1, all=10_000, seconds=10, clock=lambda: 0.0, remembered=5)

    assert all(limit.allows(f"address {nth}") for nth in range(50))
    assert len(limit.done) <= 6


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


@pytest.mark.parametrize(("written", "number"), NUMBERS)
def test_a_telephone_number_is_read_in_the_usual_formats(written: str, number: str | None) -> None:
    assert telephone(written) == number


# With a worker


async def test_a_request_is_recorded_and_becomes_overdue_and_is_settled(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at("2026-11-23T08:00:00Z")
        intake = Intake(worker.pool, worker.keys, worker.notifier)
        accepted = await request_call(intake, {"phone": "+218910000001", "language": "ha", "channel": "PAGE"}, key="1")
        head = await by_number(worker.pool, accepted.number)
        assert head is not None
        await worker.until(head.stream_id, "ContactRequested")
        await worker.at("2026-11-24T14:59:00Z")
        assert "ContactOverdue" not in await worker.names(head.stream_id)

        await worker.at("2026-11-24T15:01:00Z")
        refused = await outcome_of(intake, worker, accepted.number, "EndContact", {"outcome": "FORGOTTEN"})
        tried = await outcome_of(intake, worker, accepted.number, "RecordContactTry", {"result": "NO_ANSWER"})
        done = await outcome_of(
            intake, worker, accepted.number, "EndContact", {"outcome": "REACHED", "note": "wants to wait"}
        )
        again = await outcome_of(intake, worker, accepted.number, "EndContact", {"outcome": "REACHED"})
        names = await worker.names(head.stream_id)
        await Projector(worker.pool).catch_up()
        report = await verify(worker.pool, worker.keys, worker.client, workflows=True)

    assert names == ["ContactRequested", "ContactOverdue", "ContactTried", "ContactEnded"]
    assert (refused, tried, done, again) == ("MESSAGE.INVALID", "applied", "applied", "CONTACT.OVER")
    assert report.findings == []
    assert report.unchecked == []


async def outcome_of(intake: Intake, worker: RunningWorker, number: str, message: str, fields: dict[str, Any]) -> str:
    """Returns the status of a staff message, or the rule that refused it."""
    try:
        accepted = await intake.staff.send(number, message, fields, user="fatima", key=uuid4().hex)
    except DeclinedError as error:
        return str(error.rule)
    outcome = await worker.became(accepted.message_id)
    return str(outcome.get("rule", outcome["status"]))


def test_the_worker_and_the_gateway_of_tests_have_the_same_master_key() -> None:
    assert MASTER.fingerprint(b"x") == type(MASTER)(MASTER_KEY).fingerprint(b"x")
