"""Signed receipts: a statement of what was accepted, when, and under which number, which a partner can verify offline.

A receipt is a JWS in compact form (RFC 7515, EdDSA over Ed25519). The signing key is derived from the master key, so
all gateways sign with the same key, and the same statement always has the same receipt.
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
    """The text is not a receipt of this installation, or it was changed."""


@dataclass(frozen=True, slots=True)
class ReceiptStatement:
    """The content of a receipt. ``number``: number in the partner's ledger; ``ledger``: hash of the ledger up to it.

    The hash covers all earlier entries: with one receipt a partner can prove that none of them was changed since.
    """

    partner_id: str
    own_id: str
    sha256: str
    received_at: datetime
    number: int
    ledger: bytes

    def claims(self) -> dict[str, Any]:
        """Returns the signed claims; the time is UTC in microseconds."""
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
        """Returns the receipt."""
        signed = f"{self._head}.{_text(statement.claims())}"
        return f"{signed}.{_base64url(self._private.sign(signed.encode()))}"


def kid_of(public: bytes) -> str:
    """Returns the key id of a public key: its thumbprint (RFC 7638)."""
    members = {name: part for name, part in _members(public).items() if name in ("crv", "kty", "x")}
    return _base64url(sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest())


def jwk(public: bytes) -> dict[str, str]:
    """Returns a public key as a JSON Web Key (RFC 8037)."""
    return {**_members(public), "kid": kid_of(public), "use": "sig", "alg": "EdDSA"}


def opened(receipt: str, keys: Mapping[str, bytes]) -> dict[str, Any]:
    """Returns the claims of a receipt signed by one of the keys (by key id). Raises ``InvalidReceiptError``."""
    try:
        head, claims, signature = receipt.strip().split(".")
    except ValueError:
        raise InvalidReceiptError(
            "The receipt must have three parts separated by dots: check that it was copied completely"
        ) from None
    about, stated = _object(head), _object(claims)
    if (about.get("alg"), about.get("typ")) != ("EdDSA", TYPE):
        raise InvalidReceiptError(
            "The receipt has another signature algorithm or type than the receipts of this installation"
        )
    public = keys.get(str(about.get("kid")))
    if public is None:
        raise InvalidReceiptError("The receipt names a signing key that is unknown to this installation")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(_bytes(signature), f"{head}.{claims}".encode())
    except InvalidSignature:
        raise InvalidReceiptError(
            "The signature is not valid: the receipt was changed, or another installation issued it"
        ) from None
    return stated


async def published(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, bytes]:
    """Returns all public keys that ever signed receipts, newest first, by key id."""
    rows = await pool.fetch("SELECT kid, public FROM receipt_keys ORDER BY first_used DESC, kid")
    return {row["kid"]: row["public"] for row in rows}


async def publish(pool: asyncpg.Pool[asyncpg.Record], key: ReceiptKey) -> None:
    """Publishes the public key. Published keys are never removed, so that old receipts can still be verified."""
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
    """Returns decoded base64url. Accepts only the canonical encoding, so that a receipt has exactly one text."""
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    if _base64url(raw) != text:
        raise InvalidReceiptError("A part of the receipt is not valid base64url")
    return raw


def _object(text: str) -> dict[str, Any]:
    raw = _bytes(text)
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidReceiptError("A part of the receipt is not a JSON object")
    return found
