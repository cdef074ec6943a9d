"""The page about receipts and accounts: its programs run as printed, and its claims and figures are correct."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.http import connection
from gateway.http import request_body as bodies
from gateway.intake.partners import PARTNER_BODY
from store.messages.receipts import ReceiptStatement
from tests.gateway.api.test_partner_inbox import posted
from tests.gateway.conftest import Clinic
from tests.gateway.test_server import serving
from tests.support.databases import Database

PAGE: Final = (Path(__file__).parents[3] / "docs" / "partners" / "receipts.md").read_text(encoding="utf-8")

CHECK, ASK = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


async def run(program: str, *words: str) -> tuple[int, str]:
    """Runs a program of the page as a partner would. Returns exit code and stdout."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await asyncio.wait_for(running.communicate(), 60)
    return running.returncode or 0, out.decode()


async def test_the_programs_of_the_page_check_a_receipt_and_ask_for_the_feed(
    database: Database, clinic: Clinic
) -> None:
    async with serving(database) as (client, _, _):
        site, event = str(client.base_url).rstrip("/"), clinic.event()
        receipt = (await posted(client, clinic, event)).json()["receipt"]
        head, claims, signature = receipt.split(".")

        good = await run(CHECK, receipt, f"{site}/partners/receipt-key")
        forged = await run(CHECK, f"{head}.{claims[:-2]}AA.{signature}", f"{site}/partners/receipt-key")
        feed = await run(ASK, site, clinic.secret, f"/api/v1/partners/{clinic.partner_id}/feed?after=0&wait=1")
        accounts = await run(ASK, site, clinic.secret, f"/api/v1/partners/{clinic.partner_id}/accounts")
        stranger = await run(ASK, site, "whsec_" + "A" * 43 + "=", f"/api/v1/partners/{clinic.partner_id}/feed")

    stated: dict[str, Any] = json.loads(good[1])
    assert good[0] == feed[0] == accounts[0] == 0
    assert (stated["id"], stated["number"]) == (event["id"], 1)
    assert [entry["id"] for entry in json.loads(feed[1])["entries"]] == [event["id"]]
    assert json.loads(accounts[1])["days"][0]["sent"] == 1
    assert forged[0] != 0
    assert stranger[0] != 0


def test_the_verifier_has_ten_lines() -> None:
    assert len([line for line in CHECK.splitlines() if line]) <= 10


def test_the_page_names_every_claim() -> None:
    statement = ReceiptStatement("p", "m", "s", datetime(2026, 1, 1, tzinfo=UTC), 1, b"")
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(statement.claims())


@pytest.mark.parametrize("figure", [f"{PARTNER_BODY // 1024} KiB", f"{connection.HEAD // 1024} KiB", "ten seconds"])
def test_the_limits_on_the_page_are_those_in_force(figure: str) -> None:
    assert figure in PAGE
    assert bodies.BODY_WITHIN_S == 10
