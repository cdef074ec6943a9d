"""Guarantees for partners: verifiable receipts, one effect per id, and no disclosure of anything about a case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from gateway.intake import signature_verifier as signers
from gateway.intake.batching import LARGEST, BatchWriter
from gateway.intake.service import Intake
from gateway.intake.submission import DeclinedError
from store.crypto.webhook_signatures import new_secret
from store.messages.ledger import Accepted, PartnerMessage
from store.messages.receipts import opened, published
from store.partners.keys import add_key, key_entries, keys_of, revoke_key
from store.postgres import clock
from tests.gateway.conftest import TOKEN, Clinic, a_partner, rows
from tests.support.databases import Database

FIELDS: dict[str, Any] = {
    "signal_id": "6f6d9a3e-0000-4000-8000-000000000009",
    "referral_token": TOKEN,
    "signal_type": "COMPLETED",
    "outcome_code": "NO_SIGNIFICANT_CONDITION",
    "occurred_at": "2026-11-23T09:00:00Z",
}


async def posted(client: httpx2.AsyncClient, clinic: Clinic, event: dict[str, Any]) -> httpx2.Response:
    headers, body = clinic.signed(event)
    return await client.post(f"/api/v1/inbox/{clinic.partner_id}", content=body, headers=headers)


# Receipts


async def test_a_receipt_states_what_was_received_and_verifies_with_the_published_key(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    event = clinic.event()
    body = clinic.signed(event)[1]

    first, second = await posted(client, clinic, event), await posted(client, clinic, clinic.event())

    keys = {each["kid"]: each for each in (await client.get("/partners/receipt-key")).json()["keys"]}
    stated = opened(first.json()["receipt"], await published(intake.pool))
    assert set(first.json()) == {"receipt", "status"}
    assert (stated["partner"], stated["id"], stated["number"]) == (clinic.partner_id, event["id"], 1)
    assert stated["sha256"] == sha256(body).hexdigest()
    assert set(await published(intake.pool)) == set(keys)
    assert opened(second.json()["receipt"], await published(intake.pool))["number"] == 2


async def test_a_year_later_the_same_message_has_the_same_receipt_and_no_effect(
    database: Database, client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    event = clinic.event()
    first = await posted(client, clinic, event)
    async with asyncpg.create_pool(database.owner_dsn) as owner:
        await clock.stop(owner, await clock.now(intake.pool) + timedelta(days=366))
    await intake.pool.execute("UPDATE inbox SET status = 'applied' WHERE kind = 'signal'")

    later = await posted(client, clinic, event)

    assert (later.status_code, later.json()) == (202, first.json())
    assert len(await rows(intake, where="kind = 'signal'")) == 1


async def test_every_receipt_seals_the_ledger_before_it(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    stated = [
        opened((await posted(client, clinic, clinic.event())).json()["receipt"], await published(intake.pool))
        for _ in range(3)
    ]

    found = await intake.ledgers.entries(clinic.partner_id)
    assert [each["ledger"] for each in stated] == [entry.hash.hex() for entry in found]


# The same id


async def test_the_same_id_with_another_body_is_refused_and_kept_for_a_person(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    event = clinic.event()
    await posted(client, clinic, event)
    other = {**event, "data": {**event["data"], "outcome_code": "UNFIT_TEMPORARY"}}

    answers = [await posted(client, clinic, other) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["type"] == "/problems/id-reused"
    kept = await rows(intake, "name, stream_id, status, contradicts IS NOT NULL AS second", "kind = 'signal'")
    assert [tuple(row) for row in kept] == [
        ("partner.signal", clinic.case, "pending", False),
        ("partner.contradiction", clinic.case, "pending", True),
    ]
    assert [day.sent for day in await intake.ledgers.days(clinic.partner_id)] == [1]


async def test_a_contradiction_without_a_case_is_held_at_the_partners_desk(intake: Intake, clinic: Clinic) -> None:
    event = clinic.event(data={"referral_token": "x" * 22})
    await intake.partners.receive(clinic.partner_id, *clinic.signed(event))
    other = {**event, "data": {**event["data"], "outcome_code": "UNFIT_TEMPORARY"}}

    with pytest.raises(DeclinedError, match="id-reused"):
        await intake.partners.receive(clinic.partner_id, *clinic.signed(other))

    kept = await rows(intake, "status, result::json->>'cause' AS cause", "kind = 'signal'")
    assert [tuple(row) for row in kept] == [("quarantined", "UNKNOWN_TOKEN"), ("quarantined", "CONFLICTING_DUPLICATE")]


# Nothing is disclosed


async def test_known_unknown_and_anothers_referral_are_answered_alike(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    await a_partner(intake, "clinic-misrata", clinic.case, "a-token-of-misrata's")
    erased = "a-token-of-an-erased-case"
    await intake.pool.execute(
        "INSERT INTO referral_tokens VALUES ($1, $2, 'r', $3)", erased, uuid4(), clinic.partner_id
    )
    await intake.keys.destroy(
        await intake.pool.fetchval("SELECT stream_id FROM referral_tokens WHERE token = $1", erased)
    )

    answers = [
        await posted(client, clinic, clinic.event(data={"referral_token": token}))
        for token in (TOKEN, "x" * 22, "a-token-of-misrata's", erased)
    ]

    assert {answer.status_code for answer in answers} == {202}
    assert {answer.json()["status"] for answer in answers} == {"received"}
    assert len({tuple(answer.headers.keys()) for answer in answers}) == 1
    assert len({tuple(sorted(answer.json())) for answer in answers}) == 1
    stated = [opened(answer.json()["receipt"], await published(intake.pool)) for answer in answers]
    assert len({tuple(each) for each in stated}) == 1
    assert len({len(answer.content) for answer in answers}) == 1


async def test_known_and_unknown_referrals_cost_the_same_queries(intake: Intake, clinic: Clinic) -> None:
    """Response times depend on this: neither token nor partner changes the number of database statements."""
    await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))
    queries: list[int] = []
    for token in (TOKEN, "x" * 22):
        before = await _queries(intake)
        await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event(data={"referral_token": token})))
        queries.append(await _queries(intake) - before)

    assert queries[0] == queries[1] <= 3


async def _queries(intake: Intake) -> int:
    """Counts the statements of the intake's pool since the first call."""
    counted = getattr(intake, "_counted", None)
    if counted is None:
        counted = [0]
        object.__setattr__(intake, "_counted", counted)
        for holder in intake.pool._holders:  # type: ignore[attr-defined]
            if holder._con is not None:
                holder._con.add_query_logger(lambda _: counted.__setitem__(0, counted[0] + 1))
    return int(counted[0])


async def test_a_statement_of_the_person_reaches_the_case_of_any_token(intake: Intake, clinic: Clinic) -> None:
    embassy = await a_partner(intake, "embassy-nga", clinic.case, "a-token-of-the-embassy")
    statement = {"referral_token": TOKEN, "signal_type": "WITHDRAWAL_REPORTED", "outcome_code": None}

    await intake.partners.receive(embassy.partner_id, *embassy.signed(embassy.event(data=statement)))

    assert [tuple(row) for row in await rows(intake, "stream_id, status", "kind = 'signal'")] == [
        (clinic.case, "pending")
    ]


# Other channels


async def test_an_answer_through_another_channel_is_one_of_the_partners_messages(
    intake: Intake, clinic: Clinic
) -> None:
    by = {"actor": "staff:fatima", "source": "sheet:4711"}

    first, again = [await intake.partners.submit(clinic.partner_id, "row-3", FIELDS, **by) for _ in range(2)]

    assert (first.repeated, again.repeated, again.receipt) == (False, True, first.receipt)
    assert first.ledger_number == 1
    assert [tuple(row) for row in await rows(intake, "actor, source, partner_id", "kind = 'signal'")] == [
        ("staff:fatima", "sheet:4711", clinic.partner_id)
    ]


async def test_two_channels_may_use_the_same_key(intake: Intake, clinic: Clinic) -> None:
    one = await intake.partners.submit(clinic.partner_id, "1", FIELDS, source="sheet:1")
    other = await intake.partners.submit(clinic.partner_id, "1", FIELDS, source="sheet:2")

    assert one.message_id != other.message_id


@pytest.mark.parametrize(
    ("key", "changed"),
    [("a b", {}), ("", {}), ("k", {"colour": "blue"}), ("k", {"partner_id": "embassy-nga"}), ("k", {"signal_type": 7})],
)
async def test_an_invalid_answer_is_declined_in_every_channel(
    intake: Intake, clinic: Clinic, key: str, changed: dict[str, Any]
) -> None:
    with pytest.raises(DeclinedError) as declined:
        await intake.partners.submit(clinic.partner_id, key, {**FIELDS, **changed})

    assert declined.value.problem == "shape"


# Keys


async def test_a_revoked_key_is_rejected_within_seconds(intake: Intake, clinic: Clinic) -> None:
    assert signers.FRESH_S <= 2
    await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))
    for key in await keys_of(intake.pool, intake.keys.master, clinic.partner_id):
        await revoke_key(intake.pool, key.key_id)

    with pytest.raises(DeclinedError, match="signature"):  # noqa: PT012 (until it is rejected)
        async with asyncio.timeout(30):
            while True:
                await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))
                await asyncio.sleep(0.05)


async def test_a_key_is_accepted_as_soon_as_it_was_added(intake: Intake, clinic: Clinic) -> None:
    await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))
    secret, (first, *_) = new_secret(), await key_entries(intake.pool, clinic.partner_id)
    await revoke_key(intake.pool, first.key_id)  # two may be valid at a time
    await add_key(intake.pool, intake.keys.master, clinic.partner_id, secret)

    assert (
        await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event(), key=secret))
    ).status == "pending"


async def test_a_key_that_cannot_be_decrypted_does_not_lock_out_other_partners(
    intake: Intake, clinic: Clinic, database: Database
) -> None:
    await a_partner(intake, "clinic-misrata", clinic.case, "a-token-of-misrata's")
    async with asyncpg.create_pool(database.owner_dsn) as owner:
        await owner.execute(
            "UPDATE partner_keys SET secret = '\\x00' WHERE partner_id = 'clinic-misrata' AND secret IS NOT NULL"
        )

    assert (await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))).status == "pending"


# Concurrency


async def test_concurrent_messages_share_a_batch_and_each_is_answered(intake: Intake, clinic: Clinic) -> None:
    lots: list[int] = []
    accept = intake.ledgers.accept

    async def counted(signals: Sequence[PartnerMessage]) -> list[Accepted]:
        lots.append(len(signals))
        return await accept(signals)

    intake.partners.batch_writer = BatchWriter(counted)
    events = [clinic.event() for _ in range(3 * LARGEST)]

    answers = await asyncio.gather(
        *(intake.partners.receive(clinic.partner_id, *clinic.signed(event)) for event in events)
    )

    assert {answer.ledger_number for answer in answers} == set(range(1, len(events) + 1))
    assert sum(lots) == len(events)
    assert len(lots) < len(events) / 2


async def test_twenty_copies_at_once_are_one_message(intake: Intake, clinic: Clinic) -> None:
    event = clinic.event()

    answers = await asyncio.gather(
        *(intake.partners.receive(clinic.partner_id, *clinic.signed(event)) for _ in range(20))
    )

    assert len({answer.receipt for answer in answers}) == 1
    assert [answer.repeated for answer in answers].count(False) == 1


async def test_a_message_that_cannot_be_stored_does_not_fail_its_batch(intake: Intake, clinic: Clinic) -> None:
    answer = await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))
    spoilt = PartnerMessage(clinic.partner_id, "n\0t text", TOKEN, b"{}", b"{}", "partner:x\0", "partner:x")
    good = [replace(spoilt, own_id=f"m-{n}", actor="partner:x") for n in range(5)]

    found = await asyncio.gather(
        *map(intake.partners.batch_writer.put, [*good[:3], spoilt, *good[3:]]), return_exceptions=True
    )

    assert [isinstance(each, Accepted) for each in found] == [True] * 3 + [False] + [True] * 2
    assert answer.ledger_number == 1


def test_two_bodies_are_the_same_only_if_their_bytes_are() -> None:
    """Also years later, however this program then parses the body."""
    one = PartnerMessage("p", "m", "t", b"{}", json.dumps(FIELDS).encode(), "a", "s")
    other = replace(one, sent=json.dumps(FIELDS, indent=1).encode())

    assert one.sha256 != other.sha256
    assert one.message_id == other.message_id
