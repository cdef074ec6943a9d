"""Standard Webhooks signatures: ``v1`` is HMAC-SHA256, ``v1a`` is Ed25519.

The prefix of a key names its kind: ``whsec_`` is a shared secret, ``whsk_`` an Ed25519 private key, ``whpk_`` the
matching public key. The signed content is ``id.timestamp.body``. Verification never raises, whatever a sender writes,
and rejects every malformed header.
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

SECRET: Final = "whsec_"  # noqa: S105 (the prefix of a secret)

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

_ID = re.compile(r"[!-\-/-~]{1,128}")  # visible ASCII without the dot, which separates the signed parts

_SECONDS = re.compile(r"[1-9][0-9]{0,11}")

_ENTRY = re.compile(r"(v[0-9]{1,2}[a-z]?),([A-Za-z0-9+/]{1,512}={0,2})")


class InvalidKeyError(ValueError):
    """The text is not a key, or not a key of the required kind."""


def new_secret() -> str:
    """Returns a new shared secret."""
    return SECRET + b64encode(urandom(32)).decode()


def new_pair() -> tuple[str, str]:
    """Returns a new Ed25519 key pair: (private, public)."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return PRIVATE + b64encode(private.private_bytes_raw()).decode(), PUBLIC + b64encode(public).decode()


def key_bytes(key: str) -> bytes:
    """Returns the bytes of a key. Raises ``InvalidKeyError``, whose text never contains the key."""
    kind = next((prefix for prefix in (SECRET, PRIVATE, PUBLIC) if key.startswith(prefix)), None)
    if kind is None:
        raise InvalidKeyError(f"A key must begin with {SECRET}, {PRIVATE} or {PUBLIC}")
    try:
        raw = b64decode(key.removeprefix(kind), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidKeyError(f"The part of the key after {kind} must be base64") from None
    if len(raw) not in (SECRET_BYTES if kind == SECRET else (32,)):
        required = "24 to 64" if kind == SECRET else "32"
        raise InvalidKeyError(f"A {kind} key must have {required} bytes; this one has {len(raw)}")
    return raw


def sign(key: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns the three headers of a message. ``timestamp``: Unix time. Raises ``InvalidKeyError`` for a public key."""
    return sign_with((key,), message_id, timestamp, body)


def sign_with(keys: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Returns the headers with one signature per key, as needed while a key is being replaced."""
    if not _ID.fullmatch(message_id):
        raise ValueError(f"Message id {message_id!r} must have 1 to 128 visible ASCII characters and no dot")
    signed = _signed(message_id, str(timestamp), body)
    return {
        ID: message_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: " ".join(_signature(key, signed) for key in keys),
    }


def verified(
    keys: Iterable[str], headers: Mapping[str, str], body: bytes, now: float, within_s: float = TOLERANCE_S
) -> bool:
    """Returns whether one of the keys signed this body, within ``within_s`` seconds of ``now``.

    Header names are in lower case. ``now`` is Unix time of the real clock.
    """
    return any(matching(keys, headers, body, now, within_s))


def matching(
    keys: Iterable[str], headers: Mapping[str, str], body: bytes, now: float, within_s: float = TOLERANCE_S
) -> list[bool]:
    """Returns for each key whether it signed. Tries every key with every signature, so that timing reveals nothing."""
    message_id, timestamp, given = (headers.get(name, "") for name in HEADERS)
    entries = _entries(given)
    candidates = list(keys)
    if not (_ID.fullmatch(message_id) and _SECONDS.fullmatch(timestamp) and entries):
        return [False] * len(candidates)
    if abs(now - int(timestamp)) > within_s:
        return [False] * len(candidates)
    signed = _signed(message_id, timestamp, body)
    return [_signed_by(key, entries, signed) for key in candidates]


def _signed_by(key: str, entries: Iterable[tuple[str, str]], signed: bytes) -> bool:
    fits = [_fits(key, version, text, signed) for version, text in entries]
    return any(fits)


def _entries(given: str) -> list[tuple[str, str]]:
    """Returns the signatures in a header, or none if any part of it is malformed."""
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
        raise InvalidKeyError(f"A {PUBLIC} key can only verify signatures: sign with the matching {PRIVATE} key")
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
    return b64encode(signature).decode() == text  # each signature has exactly one accepted encoding
