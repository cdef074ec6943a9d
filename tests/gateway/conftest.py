"""Fixtures: an intake and an application on a real database, and partners with real keys."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from gateway.app import GatewaySettings, create_app
from gateway.intake.partners import CLOUD_EVENT, SIGNAL_TYPE, source_of
from gateway.intake.service import Intake, open_intake
from store.crypto.webhook_signatures import new_pair, new_secret, sign
from store.partners.keys import add_key
from store.partners.registry import RegisteredPartner, add
from tests.support.builders import AMINATA
from tests.support.databases import Database

MASTER_KEY = b"a master key for tests, 32 bytes"

TOKEN = "a-token-nobody-guesses"

REGISTRATION: dict[str, Any] = {
    "person": AMINATA.model_dump(mode="json", exclude_none=True),
    "country_of_return": "NGA",
    "channel": "WALK_IN",
    "office": "Tripoli",
    "living_situation": "URBAN_RENTED",
    "consent_to_data_processing": True,
}


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Intake]:
    async with open_intake(database.app_dsn, MASTER_KEY) as intake:
        yield intake


@dataclass(frozen=True)
class Clinic:
    """A partner that signs its messages. ``case`` is the stream with its referral, under ``TOKEN``."""

    partner_id: str
    secret: str
    private: str
    case: UUID

    def event(self, **changed: Any) -> dict[str, Any]:
        """Returns a signal as a CloudEvent."""
        message_id = str(changed.pop("id", uuid4()))
        data = {
            "signal_id": str(uuid4()),
            "referral_token": TOKEN,
            "signal_type": "COMPLETED",
            "outcome_code": "NO_SIGNIFICANT_CONDITION",
            "occurred_at": "2026-11-23T09:00:00Z",
            **changed.pop("data", {}),
        }
        event = {
            "specversion": "1.0",
            "id": message_id,
            "source": source_of(self.partner_id),
            "type": SIGNAL_TYPE,
            "datacontenttype": "application/json",
            "data": data,
        }
        return {**event, **changed}

    def signed(
        self, event: dict[str, Any], *, key: str | None = None, at: float | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Returns headers and body as they are sent."""
        return self.signed_bytes(json.dumps(event).encode(), str(event["id"]), key=key, at=at)

    def signed_bytes(
        self, body: bytes, message_id: str, *, key: str | None = None, at: float | None = None
    ) -> tuple[dict[str, str], bytes]:
        headers = sign(key or self.secret, message_id, int(at or time.time()), body)
        return {**headers, "content-type": CLOUD_EVENT}, body


@pytest.fixture
async def clinic(intake: Intake) -> Clinic:
    begun = await intake.staff.start_case(REGISTRATION, user="fatima", key=uuid4().hex)
    case = await stream_of(intake, str(begun.number))
    return await a_partner(intake, "clinic-tripoli", case, TOKEN)


async def a_partner(intake: Intake, partner_id: str, case: UUID, token: str) -> Clinic:
    """Registers a partner with a shared secret, an Ed25519 key and a referral under this token."""
    secret, (private, public) = new_secret(), new_pair()
    await add(intake.pool, RegisteredPartner(partner_id, partner_id, frozenset()))
    await add_key(intake.pool, intake.keys.master, partner_id, secret)
    await add_key(intake.pool, intake.keys.master, partner_id, public)
    await intake.pool.execute(
        "INSERT INTO referral_tokens VALUES ($1, $2, $3, $4)", token, case, str(uuid4()), partner_id
    )
    return Clinic(partner_id, secret, private, case)


async def stream_of(intake: Intake, number: str) -> UUID:
    found: UUID = await intake.pool.fetchval("SELECT stream_id FROM streams WHERE number = $1", number)
    return found


async def rows(intake: Intake, what: str = "status", where: str = "true") -> list[asyncpg.Record]:
    return await intake.pool.fetch(f"SELECT {what} FROM inbox WHERE {where} ORDER BY arrival")  # noqa: S608 (constants of the tests)


@asynccontextmanager
async def an_app(database: Database, **changed: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """Yields a client of the application on a real database."""
    app = create_app(GatewaySettings(database.app_dsn, MASTER_KEY, **changed))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app, raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8600") as client:
            yield client


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with an_app(database) as client:
        yield client
