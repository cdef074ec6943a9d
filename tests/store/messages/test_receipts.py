"""Receipts: a holder can prove what was accepted, and receipts cannot be forged."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TypeAlias

import asyncpg
import pytest

from store.crypto.keys import MasterKey
from store.messages.receipts import (
    InvalidReceiptError,
    ReceiptKey,
    ReceiptStatement,
    jwk,
    kid_of,
    opened,
    publish,
    published,
)

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

KEY = ReceiptKey(MasterKey(bytes(range(32))))

KEYS = {KEY.kid: KEY.public}

SAID = ReceiptStatement(
    "clinic-tripoli", "m-1", "ab" * 32, datetime(2026, 11, 23, 9, 0, 0, 5, tzinfo=UTC), 17, b"\x01" * 32
)


def test_a_receipt_says_what_was_taken_in_and_nothing_of_a_case() -> None:
    assert opened(KEY.sign(SAID), KEYS) == {
        "partner": "clinic-tripoli",
        "id": "m-1",
        "sha256": "ab" * 32,
        "received_at": "2026-11-23T09:00:00.000005Z",
        "number": 17,
        "ledger": "01" * 32,
    }


def test_the_same_statement_has_the_same_receipt_for_ever() -> None:
    there = SAID.received_at.astimezone(timezone(timedelta(hours=2)))
    again = ReceiptStatement(SAID.partner_id, SAID.own_id, SAID.sha256, there, SAID.number, SAID.ledger)

    assert KEY.sign(again) == ReceiptKey(MasterKey(bytes(range(32)))).sign(SAID)


def test_the_key_is_named_by_its_thumbprint() -> None:
    """RFC 8037, appendix A.3: the thumbprint of the key given there."""
    public = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")

    assert kid_of(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert jwk(public)["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


def forged() -> dict[str, str]:
    head, claims, signature = KEY.sign(SAID).split(".")
    other = ReceiptKey(MasterKey(bytes(32)))
    none = _part({"alg": "none", "kid": KEY.kid, "typ": "awda-receipt+jws"})
    return {
        "another key's": other.sign(SAID),
        "another key's, under our name": ".".join([head, *other.sign(SAID).split(".")[1:]]),
        "another number": ".".join([head, _part({**SAID.claims(), "number": 18}), signature]),
        "no algorithm": f"{none}.{claims}.",
        "no signature": f"{head}.{claims}.",
        "a cut signature": f"{head}.{claims}.{signature[:-4]}",
        "a padded signature": f"{head}.{claims}.{signature}==",
        "another spelling": f"{head}.{claims}.{signature[:-1]}{'h' if signature[-1] != 'h' else 'i'}",
        "two parts": f"{head}.{claims}",
        "four parts": f"{head}.{claims}.{signature}.{signature}",
        "nothing": "",
        "a list": f"{_part(['x'])}.{claims}.{signature}",
        "not text": f"{head}.\N{ARABIC LETTER AIN}.{signature}",
        "deep": f"{base64.urlsafe_b64encode(b'[' * 50_000).decode()}.{claims}.{signature}",
    }


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


@pytest.mark.parametrize("how", forged())
def test_what_was_not_signed_here_is_no_receipt(how: str) -> None:
    with pytest.raises(InvalidReceiptError):
        opened(forged()[how], KEYS)


async def test_keys_that_ever_signed_stay_published(pool: Pool) -> None:
    new = ReceiptKey(MasterKey(bytes(32)))
    for key in (KEY, KEY, new):
        await publish(pool, key)

    assert await published(pool) == {new.kid: new.public, KEY.kid: KEY.public}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await pool.execute("DELETE FROM receipt_keys")
