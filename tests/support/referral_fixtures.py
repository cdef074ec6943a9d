"""A case with sent referrals, recorded on a real database without a worker."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2

from activities.recording import RecordingActivities
from audit.live_case import live_case
from domain.case.aggregate import Case
from domain.case.referral import Referral
from domain.kernel.event import Event
from domain.kernel.vocabulary import Purpose, ReferralKind
from domain.progress import RecordRequest
from gateway.intake.service import Intake
from gateway.partner_access.task_links import IssuedLink, TaskLinks
from gateway.public_address import PublicAddress
from store.partners.registry import RegisteredPartner, add
from tests.gateway.conftest import REGISTRATION, stream_of

LINE: Final = "+218 21 555 0100"

PARTNER: Final = "embassy-nga"

ALL_KINDS: Final = tuple(sorted(set(ReferralKind) - {ReferralKind.HEALTH_SERVICE}))

PERSONAL: Final = ("Aminata", "Okafor", "1996", "218910000001")
"""Personal data that must not be visible where it was not disclosed."""


@dataclass
class SentReferrals:
    """One case and the referrals that were sent for it."""

    intake: Intake
    recording: RecordingActivities
    number: str
    case_id: UUID
    face: PublicAddress = field(default_factory=lambda: PublicAddress("https://vhr.example.org", LINE))

    @property
    def links(self) -> TaskLinks:
        return TaskLinks(self.intake, self.face)

    async def submit(self, name: str, **fields: Any) -> UUID:
        """Submits a staff message without recording it."""
        return (await self.intake.staff.send(self.number, name, fields, user="fatima", key=uuid4().hex)).message_id

    async def record_message(self, name: str, **fields: Any) -> dict[str, Any]:
        """Submits a staff message, records it and returns its result."""
        message_id = await self.submit(name, **fields)
        await self.record()
        found = await self.intake.staff.wait(message_id, 0)
        assert found is not None
        assert found.status == "applied", found
        return dict(found.result)

    async def record(self) -> None:
        await self.recording.catch_up(RecordRequest(stream_id=self.case_id))

    async def case(self) -> Case:
        return (await live_case(self.intake.pool, self.intake.keys, self.case_id)).case

    async def events(self) -> list[Event]:
        entries = (await live_case(self.intake.pool, self.intake.keys, self.case_id)).folded.entries
        return [entry.event for entry in entries if entry.event]

    async def referral(self, kind: str) -> Referral:
        found = [each for each in (await self.case()).referrals.values() if each.asked_kind == kind]
        return found[-1]

    async def refer(self, kind: str, **more: Any) -> Referral:
        await self.record_message("CreateReferral", kind=kind, partner_id=PARTNER, **more)
        return await self.referral(kind)

    async def link(
        self, kind: str = "CONSULAR_IDENTITY", *, user: str = "fatima", key: str | None = None
    ) -> IssuedLink:
        referral = await self.referral(kind)
        return await self.links.issue(self.number, user=user, key=key or uuid4().hex, referral_id=referral.referral_id)

    async def signals(self) -> list[dict[str, Any]]:
        """Returns the received signals in order, with their actor, source and status."""
        rows = await self.intake.pool.fetch(
            "SELECT message_id, actor, source, status FROM inbox WHERE kind = 'signal' ORDER BY arrival"
        )
        return [dict(row) for row in rows]


async def a_case_with_partners(intake: Intake, *kinds: str) -> SentReferrals:
    """Returns a case with every consent, and a partner for all kinds with referrals of the given ``kinds``."""
    await add(intake.pool, RegisteredPartner(PARTNER, "Embassy", frozenset(ReferralKind), "NGA"))
    begun = await intake.staff.start_case(REGISTRATION, user="fatima", key=uuid4().hex)
    number = str(begun.number)
    referrals = SentReferrals(
        intake, RecordingActivities(intake.pool, intake.keys), number, await stream_of(intake, number)
    )
    for purpose in Purpose:
        await referrals.submit("RecordConsent", purpose=purpose, form_version="C-1", language="en")
    for kind in kinds:
        await referrals.submit("CreateReferral", kind=kind, partner_id=PARTNER)
    await referrals.record()
    return referrals


@dataclass
class Browser:
    """A browser without scripts that opens addresses and submits forms."""

    client: httpx2.AsyncClient
    lang: str = "en"

    async def goes_to(self, path: str) -> httpx2.Response:
        return await self.client.get(path)

    async def opens(self, issued: IssuedLink, code: str | None = None, **more: str) -> httpx2.Response:
        form = {"code": issued.code if code is None else code, "lang": self.lang, **more}
        return await self.client.post(f"/p/{issued.token}", data=form)

    async def sends(self, issued: IssuedLink, page: httpx2.Response, say: str, **typed: str) -> httpx2.Response:
        """Fills in the form of a page and submits it with its hidden fields."""
        return await self.client.post(f"/p/{issued.token}", data={**hidden(page), "say": say, **typed})


def hidden(page: httpx2.Response) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    return {name: html.unescape(value) for name, value in found}


def offered(page: httpx2.Response) -> list[str]:
    """Returns the answers that a page offers."""
    return re.findall(r'name="say" value="([^"]+)"', page.text)


def receipt_of(page: httpx2.Response) -> str:
    """Returns the receipt number on a page."""
    found = re.search(r'class="number"><bdi dir="ltr">([^<]+)<', page.text)
    assert found, page.text
    return found[1]
