"""A task link as a partner without a system meets it: a code, a page, an answer, a receipt."""

from __future__ import annotations

import httpx2
import pytest

from gateway.intake import Desk
from tests.gateway.asked import PERSONAL, Asked, Browser, a_case_with_partners, offered, receipt_of


@pytest.fixture
async def asked(desk: Desk) -> Asked:
    return await a_case_with_partners(desk, "CONSULAR_IDENTITY")


@pytest.fixture
def embassy(client: httpx2.AsyncClient) -> Browser:
    return Browser(client)


async def test_an_embassy_confirms_a_nationality_with_a_link_and_a_code(asked: Asked, embassy: Browser) -> None:
    issued = await asked.link()

    first = await embassy.goes_to(f"/p/{issued.token}")
    page = await embassy.opens(issued)
    answer = await embassy.sends(issued, page, "COMPLETED:NATIONALITY_CONFIRMED")
    await asked.record()

    assert (first.status_code, page.status_code, answer.status_code) == (200, 200, 200)
    assert not [word for word in PERSONAL if word in first.text]
    assert "Aminata" in page.text
    assert "COMPLETED:NATIONALITY_CONFIRMED" in offered(page)
    assert [signal["status"] for signal in await asked.signals()] == ["applied", "applied"]
    assert receipt_of(answer) == str((await asked.signals())[-1]["message_id"])
    assert (await asked.case()).nationality_confirmed
