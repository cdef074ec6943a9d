"""Signatures as Standard Webhooks has them: ``v1`` is HMAC-SHA256, ``v1a`` is Ed25519.

A key is text that says its kind: ``whsec_`` is a shared secret, ``whsk_`` an Ed25519 private key, ``whpk_`` its public
half.
What is signed is ``id.timestamp.body``. Nothing a sender can write makes the verifying raise, or accept by accident.
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECRET: Final = "whsec_"  # noqa: S105 (the word before a secret)

PRIVATE: Final = "whsk_"

PUBLIC: Final = "whpk_"

ID: Final = "webhook-id"

TIMESTAMP: Final = "webhook-timestamp"

SIGNATURE: Final = "webhook-signature"

HEADERS: Final = (ID, TIMESTAMP, SIGNATURE)

TOLERANCE_S: Final = 300

LONGEST_TOLERANCE_S: Final = 900

SECRET_BYTES: Final = range(24, 65)

SIGNATURES: Final = 8

_ID = re.compile(r"[!-\-/-~]{1,128}")  # visible ASCII without the dot, which parts what is signed

_SECONDS = re.compile(r"[1-9][0-9]{0,11}")

_ENTRY = re.compile(r"(v[0-9]{1,2}[a-z]?),([A-Za-z0-9+/]{1,512}={0,2})")


class InvalidKeyError(ValueError):
    """A text that is not a key, or not one of the kind that is needed here."""


def new_secret() -> str:
    """A fresh shared secret."""
    return SECRET + b64encode(urandom(32)).decode()


def new_pair() -> tuple[str, str]:
    """A fresh Ed25519 key: (private, public)."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return PRIVATE + b64encode(private.private_bytes_raw()).decode(), PUBLIC + b64encode(public).decode()


def key_bytes(key: str) -> bytes:
    """The bytes of a key. Raises ``InvalidKeyError``; the text itself is never repeated."""
    kind = next((prefix for prefix in (SECRET, PRIVATE, PUBLIC) if key.startswith(prefix)), None)
    if kind is None:
        raise InvalidKeyError(f"a key begins with {SECRET}, {PRIVATE} or {PUBLIC}; this one begins otherwise")
    try:
        raw = b64decode(key.removeprefix(kind), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidKeyError(f"what follows {kind} must be base64") from None
    if len(raw) not in (SECRET_BYTES if kind == SECRET else (32,)):
        wanted = "24 to 64" if kind == SECRET else "32"
        raise InvalidKeyError(f"a {kind} key has {wanted} bytes; this one has {len(raw)}")
    return raw


def sign(key: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers for a message. ``timestamp`` is seconds (UTC). Raises ``InvalidKeyError`` for a public key."""
    return sign_with((key,), message_id, timestamp, body)


def sign_with(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The same under several keys at once, as while an old one is being replaced."""
    if not _ID.fullmatch(message_id):
        raise ValueError(f"{message_id!r} cannot be a message's id: 1 to 128 visible ASCII characters, no dot")
    signed = _signed(message_id, str(timestamp), body)
    return {
        ID: message_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: " ".join(_signature(key, signed) for key in keys),
    }


def verified(
    keys: Iterable[str], headers: Mapping[str, str], body: bytes, now: float, within_s: float = TOLERANCE_S
) -> bool:
    """Whether one of the keys signed this body, under these headers (lower-case names), about ``now``.

    ``now`` is seconds of the real clock.
    """
    return any(fitting(keys, headers, body, now, within_s))


def fitting(
    keys: Iterable[str], headers: Mapping[str, str], body: bytes, now: float, within_s: float = TOLERANCE_S
) -> list[bool]:
    """The same of each key by itself. Every key is tried against every signature, so that time tells nothing."""
    message_id, timestamp, given = (headers.get(name, "") for name in HEADERS)
    entries = _entries(given)
    tried = list(keys)
    if not (_ID.fullmatch(message_id) and _SECONDS.fullmatch(timestamp) and entries):
        return [False] * len(tried)
    if abs(now - int(timestamp)) > within_s:
        return [False] * len(tried)
    signed = _signed(message_id, timestamp, body)
    return [_signed_by(key, entries, signed) for key in tried]


def _signed_by(key: str, entries: Iterable[tuple[str, str]], signed: bytes) -> bool:
    fits = [_fits(key, version, text, signed) for version, text in entries]
    return any(fits)


def _entries(given: str) -> list[tuple[str, str]]:
    """The signatures in a header; none if any part of it is malformed."""
    found = [_ENTRY.fullmatch(entry) for entry in given.split(" ", SIGNATURES)]
    if len(found) > SIGNATURES:
        return []
    entries = [(entry[1], entry[2]) for entry in found if entry]
    return entries if len(entries) == len(found) else []


def _signed(message_id: str, timestamp: str, body: bytes) -> bytes:
    return f"{message_id}.{timestamp}.".encode() + body


def _signature(key: str, signed: bytes) -> str:
    raw = key_bytes(key)
    if key.startswith(PUBLIC):
        raise InvalidKeyError(f"a {PUBLIC} key can only verify: sign with its {PRIVATE} half")
    if key.startswith(PRIVATE):
        return "v1a," + b64encode(Ed25519PrivateKey.from_private_bytes(raw).sign(signed)).decode()
    return "v1," + _hmac(raw, signed)


def _hmac(secret: bytes, signed: bytes) -> str:
    return b64encode(hmac.digest(secret, signed, sha256)).decode()


def _fits(key: str, version: str, text: str, signed: bytes) -> bool:
    if key.startswith(SECRET) and version == "v1":
        return hmac.compare_digest(_hmac(key_bytes(key), signed), text)
    if key.startswith(PUBLIC) and version == "v1a":
        return _fits_public(key_bytes(key), text, signed)
    return False


def _fits_public(public: bytes, text: str, signed: bytes) -> bool:
    try:
        signature = b64decode(text, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return b64encode(signature).decode() == text  # one signature has one spelling
