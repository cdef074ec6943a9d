"""Receipts that a partner can keep and check alone: a signed statement of what was taken in, when, and as which number.

A receipt is a JWS in compact form (RFC 7515, EdDSA over Ed25519). The key is derived from the master key, so every
gateway signs alike, and the same statement has the same receipt however often it is asked for.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic_core import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg

    from store.crypto.keys import MasterKey

TYPE: Final = "awda-receipt+jws"


class InvalidReceiptError(ValueError):
    """Not a receipt of ours, or one that was changed."""


@dataclass(frozen=True, slots=True)
class ReceiptStatement:
    """What a receipt says. ``number`` is the message's place in the partner's ledger, ``ledger`` the digest so far.

    The digest covers every earlier entry: who keeps one receipt can prove that none of them was changed since.
    """

    partner_id: str
    own_id: str
    sha256: str
    received_at: datetime
    number: int
    ledger: bytes

    def claims(self) -> dict[str, Any]:
        """The statement as it is signed; the time is UTC to the microsecond."""
        return {
            "partner": self.partner_id,
            "id": self.own_id,
            "sha256": self.sha256,
            "received_at": self.received_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "number": self.number,
            "ledger": self.ledger.hex(),
        }


class ReceiptKey:
    """Signs receipts."""

    def __init__(self, master: MasterKey) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(master.fingerprint(b"receipts to partners"))
        self.public = self._private.public_key().public_bytes_raw()
        self.kid = kid_of(self.public)
        self._head = _text({"alg": "EdDSA", "kid": self.kid, "typ": TYPE})

    def sign(self, statement: ReceiptStatement) -> str:
        """The receipt."""
        signed = f"{self._head}.{_text(statement.claims())}"
        return f"{signed}.{_base64url(self._private.sign(signed.encode()))}"


def kid_of(public: bytes) -> str:
    """The name of a public key: its thumbprint (RFC 7638)."""
    members = {name: part for name, part in _members(public).items() if name in ("crv", "kty", "x")}
    return _base64url(sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())


def jwk(public: bytes) -> dict[str, str]:
    """A public key as a JSON Web Key (RFC 8037)."""
    return {**_members(public), "kid": kid_of(public), "use": "sig", "alg": "EdDSA"}


def opened(receipt: str, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """What a receipt states, if one of the keys (by kid) signed it. Raises ``InvalidReceiptError``."""
    try:
        head, claims, signature = receipt.strip().split(".")
    except ValueError:
        raise InvalidReceiptError("it does not read as a receipt: three parts, with dots between them") from None
    about, stated = _object(head), _object(claims)
    if (about.get("alg"), about.get("typ")) != ("EdDSA", TYPE):
        raise InvalidReceiptError("it is signed in another way than our receipts are")
    public = keys.get(str(about.get("kid")))
    if public is None:
        raise InvalidReceiptError("it names a key that never signed receipts here")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(_bytes(signature), f"{head}.{claims}".encode())
    except InvalidSignature:
        raise InvalidReceiptError("its signature does not fit: it was changed, or is not of ours") from None
    return stated


async def published(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, bytes]:
    """Every key that ever signed receipts here, newest first, by kid."""
    rows = await pool.fetch("SELECT kid, public FROM receipt_keys ORDER BY first_used DESC, kid")
    return {row["kid"]: row["public"] for row in rows}


async def publish(pool: asyncpg.Pool[asyncpg.Record], key: ReceiptKey) -> None:
    """Let everybody know the public half. What was published stays, so that old receipts can be checked for ever."""
    await pool.execute(
        "INSERT INTO receipt_keys (kid, public) VALUES ($1, $2) ON CONFLICT DO NOTHING", key.kid, key.public
    )


def _members(public: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}


def _text(value: Mapping[str, Any]) -> str:
    return _base64url(to_json(value))


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """What base64url says. One spelling only: a receipt must not have two texts."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if _base64url(raw) != text:
        raise InvalidReceiptError("a part of it is not base64url")
    return raw


def _object(text: str) -> dict[str, Any]:
    raw = _bytes(text)
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidReceiptError("a part of it is no JSON object")
    return found
