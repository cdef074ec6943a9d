"""Accounts and feed: a partner can find and close a gap without us, and they disclose nothing about any case."""

from __future__ import annotations

import asyncio
import json
import time
from hashlib import sha256
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from fastapi import FastAPI

from gateway.api.partner_ledger import WAITING
from gateway.intake.service import Intake
from store.crypto.webhook_signatures import sign
from tests.gateway.api.test_partner_inbox import posted
from tests.gateway.conftest import TOKEN, Clinic, a_partner, an_app
from tests.support.databases import Database

STATUSES = ("applied", "ignored", "late", "quarantined", "refused", "pending")


async def read_signed(client: httpx2.AsyncClient, clinic: Clinic, what: str, **changed: Any) -> httpx2.Response:
    """Sends a partner's request, with its request line signed."""
    path = f"/api/v1/partners/{clinic.partner_id}/{what}"
    line = changed.get("line", f"GET {path}")
    headers = sign(changed.get("key", clinic.secret), uuid4().hex, changed.get("at", int(time.time())), line.encode())
    return await client.get(path, headers=headers)


async def feed(client: httpx2.AsyncClient, clinic: Clinic, query: str = "") -> dict[str, Any]:
    answer = await read_signed(client, clinic, f"feed{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# The feed


async def test_a_partner_reads_its_own_messages_in_order_from_where_it_was(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    events = [clinic.event() for _ in range(5)]
    for event in events:
        await posted(client, clinic, event)

    first = await feed(client, clinic, "?limit=3")
    second = await feed(client, clinic, f"?after={first['next']}")
    third = await feed(client, clinic, f"?after={second['next']}")

    entries = first["entries"] + second["entries"]
    assert [entry["id"] for entry in entries] == [event["id"] for event in events]
    assert [entry["number"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["sha256"] for entry in entries] == [sha256(clinic.signed(each)[1]).hexdigest() for each in events]
    assert (first["last"], third["entries"], third["next"]) == (5, [], 5)


async def test_a_partner_finds_a_lost_message_and_sends_it_again(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    """It compares its own list with the feed, and sends the missing messages again."""
    sent = [clinic.event() for _ in range(6)]
    for event in (*sent[:2], *sent[3:5]):
        await posted(client, clinic, event)

    listed = {entry["id"]: entry["sha256"] for entry in (await feed(client, clinic))["entries"]}
    for event in sent:
        if listed.get(event["id"]) != sha256(clinic.signed(event)[1]).hexdigest():
            await posted(client, clinic, event)

    assert {entry["id"] for entry in (await feed(client, clinic))["entries"]} == {event["id"] for event in sent}


async def test_a_long_poll_returns_as_soon_as_a_message_arrives(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    waiting = asyncio.create_task(feed(client, clinic, "?after=0&wait=25"))
    await asyncio.sleep(0)
    await posted(client, clinic, clinic.event())

    found = await asyncio.wait_for(waiting, 20)

    assert [entry["number"] for entry in found["entries"]] == [1]


async def test_only_a_few_long_polls_of_one_partner_are_held(database: Database, clinic: Clinic) -> None:
    async with an_app(database) as client:
        app: FastAPI = client._transport.app  # type: ignore[attr-defined]
        waiting = [asyncio.create_task(feed(client, clinic, "?wait=25")) for _ in range(WAITING)]
        async with asyncio.timeout(20):
            while app.state.waiting[clinic.partner_id] < WAITING:
                await asyncio.sleep(0.01)

        assert (await asyncio.wait_for(feed(client, clinic, "?wait=25"), 20))["entries"] == []
        await posted(client, clinic, clinic.event())
        assert all(found["entries"] for found in await asyncio.wait_for(asyncio.gather(*waiting), 20))
        assert not app.state.waiting


async def test_an_id_that_was_used_twice_is_marked_contradicted(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    event = clinic.event()
    for signal in (event, {**event, "data": {**event["data"], "outcome_code": "UNFIT"}}, clinic.event()):
        await posted(client, clinic, signal)

    assert [entry["status"] for entry in (await feed(client, clinic))["entries"]] == ["contradicted", "received"]


# Disclosure


async def test_what_became_of_a_message_does_not_show(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    """Whatever the results of the messages are, the partner's responses are identical to the byte."""
    tokens = (TOKEN, "x" * 22, TOKEN, TOKEN, TOKEN, TOKEN)
    for token in tokens:
        await posted(client, clinic, clinic.event(data={"referral_token": token}))
    shown = []
    for world in (STATUSES, STATUSES[::-1], ("applied",) * 6, ("quarantined",) * 6):
        for number, status in enumerate(world, 1):
            await intake.pool.execute(
                "UPDATE inbox SET status = $1, result = $2 WHERE message_id = (SELECT message_id FROM ledger WHERE seq = $3)",
                status, json.dumps({"cause": status}), number,
            )  # fmt: skip
        answers = [await read_signed(client, clinic, "feed"), await read_signed(client, clinic, "accounts")]
        shown.append([(answer.status_code, sorted(answer.headers.items()), answer.content) for answer in answers])

    assert all(each == shown[0] for each in shown)


async def test_the_digest_of_a_day_lets_two_lists_be_compared_at_once(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    events = [clinic.event() for _ in range(4)]
    for event in events:
        await posted(client, clinic, event)
    lines = [f"{n} {each['id']} {sha256(clinic.signed(each)[1]).hexdigest()}\n" for n, each in enumerate(events, 1)]

    (day,) = (await read_signed(client, clinic, "accounts")).json()["days"]

    assert day["sha256"] == sha256("".join(lines).encode()).hexdigest()
    assert {name: day[name] for name in ("first", "last", "sent", "unaccounted", "conflicting")} == {
        "first": 1, "last": 4, "sent": 4, "unaccounted": 0, "conflicting": 0,
    }  # fmt: skip
    assert not set(STATUSES) & set(day)


# Access


async def test_either_kind_of_key_may_read(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    for key in (clinic.secret, clinic.private):
        assert (await read_signed(client, clinic, "accounts", key=key)).status_code == 200


async def test_a_signature_is_valid_for_one_request_of_one_partner(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    other = await a_partner(intake, "embassy-nga", clinic.case, "a-token-of-the-embassy")
    feed_line = f"GET /api/v1/partners/{clinic.partner_id}/feed"
    for answer in (
        await read_signed(client, clinic, "feed?after=3", line=feed_line),
        await read_signed(client, clinic, "feed", line=f"{feed_line}?after=3"),
        await read_signed(client, clinic, "accounts", line=feed_line),
        await read_signed(client, clinic, "feed", line=feed_line.replace("GET", "POST")),
        await read_signed(client, clinic, "feed", line=""),
        await read_signed(client, clinic, "feed", key=other.secret),
        await read_signed(client, Clinic("nobody", clinic.secret, clinic.private, clinic.case), "feed"),
        await read_signed(client, clinic, "feed", at=int(time.time()) - 400),
    ):
        assert answer.status_code == 401
        assert answer.json()["type"] == "/problems/signature"


async def test_a_signed_read_request_is_not_accepted_as_a_message(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    line = f"GET /api/v1/partners/{clinic.partner_id}/feed".encode()
    headers, body = clinic.signed_bytes(line, "m-1")

    assert (await client.post(f"/api/v1/inbox/{clinic.partner_id}", content=body, headers=headers)).status_code == 422


async def test_staff_see_the_result_of_every_message_and_the_sum_is_right(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    for token in (TOKEN, "x" * 22, "y" * 22):
        await posted(client, clinic, clinic.event(data={"referral_token": token}))

    (day,) = (await client.get(f"/api/v1/partners/{clinic.partner_id}/accounts")).json()["days"]

    assert (day["sent"], day["pending"], day["quarantined"], day["unaccounted"]) == (3, 1, 2, 0)
    assert day["sent"] == sum(day[status] for status in STATUSES)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("nobody/accounts", 404),
        ("nobody/feed", 404),
        ("clinic-tripoli%00/feed", 404),
        ("clinic-tripoli/feed?after=-1", 422),
        ("clinic-tripoli/feed?after=" + "9" * 40, 422),
        ("clinic-tripoli/feed?limit=0", 422),
        ("clinic-tripoli/feed?wait=26", 422),
        ("clinic-tripoli/accounts?since=2026-12-01&until=2026-11-01", 422),
        ("clinic-tripoli/accounts?since=2020-01-01&until=2026-11-01", 422),
        ("clinic-tripoli/accounts?since=0001-01-01", 422),
        ("clinic-tripoli/accounts?until=0001-01-01", 422),
        ("clinic-tripoli/accounts?until=9999-12-31", 422),
        ("clinic-tripoli/accounts?until=2199-12-31", 200),
    ],
)
async def test_invalid_parameters_are_answered_with_a_problem(
    client: httpx2.AsyncClient, clinic: Clinic, path: str, status: int
) -> None:
    assert (await client.get(f"/api/v1/partners/{path}")).status_code == status
