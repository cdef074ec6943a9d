"""Cases whose referrals the test delivers directly, to a receiver in a separate process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from activities.delivery import Attempt, DeliveryActivities
from activities.webhook_client import WebhookClient
from domain.case.aggregate import Case
from domain.case.referral import Referral
from store.crypto.webhook_signatures import new_secret
from store.messages.outbox import Delivery, Outbox
from store.partners import keys as partner_keys
from store.partners import registry as partners
from tests.support.journey_steps import REGISTRATION, SCREENING
from tests.support.receiver_process import ReceiverProcess, a_receiver_process
from tests.support.running_worker import RunningWorker, an_intake

CLINIC = "clinic-misrata"


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[ReceiverProcess]:
    async with a_receiver_process(tmp_path) as found:
        yield found


@pytest.fixture
async def post(database: Any, servers: Any, stranger: ReceiverProcess) -> AsyncIterator[Post]:
    """The intake, and deliveries to receivers on this machine with a read timeout of one second."""
    async with an_intake(database, servers) as worker:
        yield Post(
            worker, DeliveryActivities(worker.pool, worker.keys, WebhookClient(loopback=True, read_s=1.0)), stranger
        )


@dataclass(frozen=True)
class Post:
    """Cases whose referrals are sent to one receiver. The test records and delivers; no workflow runs."""

    worker: RunningWorker
    delivering: DeliveryActivities
    stranger: ReceiverProcess

    @property
    def outbox(self) -> Outbox:
        return self.delivering.outbox

    async def partner(self, doing: str | None, partner_id: str = CLINIC) -> str:
        """Registers a partner whose receiver behaves as named, or that has none. Returns the shared secret."""
        url, secret = self.stranger.url(doing) if doing else None, new_secret()
        await partners.add(
            self.worker.pool, partners.RegisteredPartner(partner_id, "Clinic", frozenset(), receiver_url=url)
        )
        await partner_keys.add_key(
            self.worker.pool, self.worker.keys.master, partner_id, secret, direction=partner_keys.Direction.OUTBOUND
        )
        return secret

    async def case(self) -> UUID:
        """Starts a case up to the end of screening. Referrals to a clinic and an embassy exist and are not delivered yet."""
        begun = await self.worker.begin(**REGISTRATION)
        assert begun.stream_id is not None
        await self.worker.order_open(begun.stream_id, "SCREENING")
        for name, fields in SCREENING:
            await self.worker.say(begun.stream_id, name, **fields)
        await self.says(begun.stream_id, "CompleteScreening")
        await self.worker.order_open(begun.stream_id, "PROTECTION", "MEDICAL", "DOCUMENTS")
        return begun.stream_id

    async def says(self, case: UUID, name: str, **fields: Any) -> None:
        """Sends a staff message, records it, and expects that it is applied."""
        receipt = await self.worker.say(case, name, **fields)
        await self.worker.record(case)
        became = await self.worker.became(receipt.message_id)
        assert became["status"] == "applied", became

    async def reminds(self, case: UUID) -> None:
        """Moves the clock to the first reminder of the clinic and records it."""
        due = await self.worker.pool.fetchval("SELECT next_due FROM streams WHERE stream_id = $1", case)
        await self.worker.stands_at(due)
        await self.worker.record(case)
        assert [line.name for line in await self.lines(case)] == ["referral.sent", "referral.reminder"]

    async def referral(self, case: UUID, kind: str = "MEDICAL_ASSESSMENT") -> Referral:
        return await self.worker.asked(case, kind)

    async def state(self, case: UUID) -> Case:
        found = await self.worker.state(case)
        assert isinstance(found, Case)
        return found

    async def lines(self, case: UUID, partner_id: str = CLINIC) -> list[Delivery]:
        """Returns the outgoing messages about one case to one partner, oldest first."""
        found = [row for row in await self.outbox.of_partner(partner_id) if row.stream_id == case]
        return found[::-1]

    async def attempt(self, delivery: Delivery) -> Attempt:
        return await self.delivering.attempt(delivery.outbox_id)

    async def now(self, delivery: Delivery) -> Delivery:
        found = await self.outbox.get(delivery.outbox_id)
        assert found is not None
        return found
