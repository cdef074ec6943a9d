"""Signatures: what the reference library signs is accepted, and every forged or damaged signature is rejected."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook

from gateway.intake.service import Intake
from store.crypto.webhook_signatures import InvalidKeyError, new_pair, new_secret, sign, sign_with, verified
from store.partners.keys import add_key, keys_of, outbound, revoke_key
from store.partners.registry import RegisteredPartner, UnknownPartnerError, add, directory, get
from store.partners.seed import seed
from tests.gateway.conftest import Clinic, rows

SECRET, BODY, NOW = new_secret(), b'{"a": "\xd8\xb9"}', 1_800_000_000

PRIVATE, PUBLIC = new_pair()


def test_what_the_reference_library_signs_is_accepted() -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    headers = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(NOW),
        "webhook-signature": Webhook(SECRET).sign("m-1", at, BODY.decode()),
    }

    assert verified((SECRET,), headers, BODY, NOW)


def test_what_we_sign_the_reference_library_accepts() -> None:
    headers = sign(SECRET, "m-1", int(time.time()), BODY)

    assert Webhook(SECRET).verify(BODY, headers) == {"a": "ع"}


QUIETLY = settings(max_examples=50, deadline=None, derandomize=True, database=None)

IDS = st.text(
    st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="."), min_size=1, max_size=40
)


@QUIETLY
@given(IDS, st.text(max_size=200), st.integers(-299, 299))
def test_we_and_the_reference_library_accept_each_other(message_id: str, text: str, late: int) -> None:
    """The library reads the real clock, so both use the present time."""
    at, body = int(time.time()) + late, text.encode(errors="replace")
    theirs = Webhook(SECRET).sign(message_id, datetime.fromtimestamp(at, UTC), body.decode())
    ours = sign(SECRET, message_id, at, body)

    assert verified((SECRET,), {**ours, "webhook-signature": theirs}, body, time.time())
    Webhook(SECRET).verify(body, ours, json_parse=False)


@QUIETLY
@given(IDS, st.text(max_size=200), st.text(max_size=60))
def test_what_the_reference_library_rejects_we_reject(message_id: str, text: str, signature: str) -> None:
    body, headers = text.encode(errors="replace"), sign(SECRET, message_id, int(time.time()), b"something else")
    for given_signature in (signature, headers["webhook-signature"], f"v1,{signature}"):
        changed = {**headers, "webhook-signature": given_signature}
        with pytest.raises(Exception):  # noqa: B017 (it raises many types)
            Webhook(SECRET).verify(body, changed, json_parse=False)
        assert not verified((SECRET,), changed, body, time.time())


HOSTILE = {
    "no comma": {"webhook-signature": "v1"},
    "two commas": {"webhook-signature": "v1,AAAA,AAAA"},
    "bad base64": {"webhook-signature": "v1,A"},
    "not ASCII": {"webhook-signature": "v1,\N{ARABIC LETTER AIN}AAA"},
    "empty entries": {"webhook-signature": "   "},
    "surrogate in the id": {"webhook-id": "m\ud800"},
    "number without end": {"webhook-timestamp": "9" * 5000},
}


@pytest.mark.parametrize("how", HOSTILE)
def test_what_crashes_the_reference_library_we_reject_without_an_error(how: str) -> None:
    headers = {**sign(SECRET, "m-1", int(time.time()), BODY), **HOSTILE[how]}

    with pytest.raises(Exception):  # noqa: B017 (it raises many types)
        Webhook(SECRET).verify(BODY, headers)
    assert verified((SECRET,), headers, BODY, time.time()) is False


@pytest.mark.parametrize(("key", "known"), [(SECRET, SECRET), (PRIVATE, PUBLIC)], ids=["shared secret", "key pair"])
def test_either_kind_of_key_authenticates_its_owner(key: str, known: str) -> None:
    headers = sign(key, "m-1", NOW, BODY)

    assert verified((known,), headers, BODY, NOW)
    assert verified((new_secret(), new_pair()[1], known), headers, BODY, NOW)
    assert not verified((new_secret(), new_pair()[1]), headers, BODY, NOW)
    assert not verified((), headers, BODY, NOW)


def test_while_a_key_is_replaced_both_signatures_travel() -> None:
    old, new = new_secret(), new_secret()
    headers = sign_with((old, new, PRIVATE), "m-1", NOW, BODY)

    assert all(verified((key,), headers, BODY, NOW) for key in (old, new, PUBLIC))


@pytest.mark.parametrize(("late", "accepted"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_a_signature_is_valid_for_five_minutes_either_way(late: int, accepted: bool) -> None:
    assert verified((SECRET,), sign(SECRET, "m-1", NOW, BODY), BODY, NOW + late) is accepted


@pytest.mark.parametrize(
    "key",
    ["", "whsec_", "whsec_!", "whsec_" + base64.b64encode(b"x" * 23).decode(), "whpk_AAAA", SECRET[6:]],
    ids=["empty", "prefix only", "not base64", "too short", "public key too short", "without its prefix"],
)
def test_an_invalid_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(InvalidKeyError) as declined:
        sign(key, "m-1", NOW, BODY)

    assert len(key) < 7 or key[6:] not in str(declined.value)


def test_a_public_key_cannot_sign_and_a_message_id_has_no_dot() -> None:
    with pytest.raises(InvalidKeyError, match="whsk_"):
        sign(PUBLIC, "m-1", NOW, BODY)
    for name in ("a.b", "", "a b", "ключ", "x" * 129):
        with pytest.raises(ValueError, match="Message id"):
            sign(SECRET, name, NOW, BODY)


def mangled(headers: dict[str, str], body: bytes) -> Iterator[tuple[str, dict[str, str], bytes]]:
    """Yields two hundred almost correct requests."""
    signature = headers["webhook-signature"]
    version, _, text = signature.partition(",")
    raw = base64.b64decode(text)
    for position in range(0, len(raw), 2):
        flipped = bytearray(raw)
        flipped[position] ^= 1
        yield (
            f"bit {position}",
            {**headers, "webhook-signature": f"{version},{base64.b64encode(flipped).decode()}"},
            body,
        )
    for length in (0, 1, 16, len(raw) - 1):
        yield (
            f"cut {length}",
            {**headers, "webhook-signature": f"{version},{base64.b64encode(raw[:length]).decode()}"},
            body,
        )
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    respelt = text.rstrip("=")
    respelt = respelt[:-1] + last[last.index(respelt[-1]) ^ 1] + "=" * (len(text) - len(respelt))
    for name, value in {
        "respelt": f"{version},{respelt}",
        "unpadded": f"{version},{text.rstrip('=')}",
        "overpadded": f"{version},{text}=",
        "urlsafe": f"{version},{base64.urlsafe_b64encode(raw).decode()}" + ("" if {"+", "/"} & set(text) else "-"),
        "hex": f"{version},{raw.hex()}",
        "bare": text,
        "no text": f"{version},",
        "no version": f",{text}",
        "no comma": f"{version}{text}",
        "two commas": f"{version},,{text}",
        "equals": f"{version}={text}",
        "upper": f"{version.upper()},{text}",
        "v0": f"v0,{text}",
        "v2": f"v2,{text}",
        "v1b": f"v1b,{text}",
        "other kind": f"{'v1' if version == 'v1a' else 'v1a'},{text}",
        "leading space": f" {signature}",
        "trailing space": f"{signature} ",
        "tab": f"{signature}\t{signature}",
        "double space": f"{signature}  {signature}",
        "comma list": f"{signature},{signature}",
        "semicolon": f"{signature};{signature}",
        "beside rubbish": f"{signature} rubbish",
        "after rubbish": f"rubbish {signature}",
        "too many": " ".join([signature] * 9),
        "quoted": f'"{signature}"',
        "newline": f"{signature}\n",
        "nul": f"{signature}\0",
        "letter": f"{version},{text[:-4]}é===",
        "arabic": "v١," + text,
        "empty": "",
        "long": f"{version}," + "A" * 100_000,
    }.items():
        yield name, {**headers, "webhook-signature": value}, body
    at = headers["webhook-timestamp"]
    for value in (
        "",
        "0",
        "-1",
        "+" + at,
        " " + at,
        at + " ",
        at + ".0",
        at + "0",
        "0" + at,
        "1e9",
        "NaN",
        "٣",
        "9" * 400,
        hex(int(at)),
        str(int(at) + 1),
        str(int(at) - 1),
        str(int(at) - 301),
        str(int(at) + 301),
    ):
        yield f"time {value[:20]!r}", {**headers, "webhook-timestamp": value}, body
    name = headers["webhook-id"]
    for value in (
        "",
        " ",
        name + " ",
        " " + name,
        name + ".",
        "." + name,
        name[:-1],
        name.upper() + "x",
        name + "\0",
        "é",
        name * 60,
        f"{name}.{at}",
    ):
        yield f"id {value[:20]!r}", {**headers, "webhook-id": value}, body
    for gone in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        yield f"without {gone}", {key: value for key, value in headers.items() if key != gone}, body
    for altered in (
        b"",
        body + b" ",
        b" " + body,
        body[:-1],
        body.replace(b"COMPLETED", b"FAILED"),
        body + b"\n",
        b"\xef\xbb\xbf" + body,
        body * 2,
        b"null",
    ):
        yield "body", headers, altered


def all_mangled(clinic: Clinic) -> list[tuple[str, dict[str, str], bytes]]:
    found = []
    for key in (clinic.secret, clinic.private):
        headers, body = clinic.signed(clinic.event(), key=key)
        found += list(mangled(headers, body))
    headers, body = clinic.signed(clinic.event(), key=new_secret())
    return [
        *found,
        ("another's secret", headers, body),
        ("an unknown key", *clinic.signed(clinic.event(), key=new_pair()[0])),
    ]


async def test_two_hundred_forged_signatures_are_all_rejected(
    client: httpx2.AsyncClient, clinic: Clinic, intake: Intake
) -> None:
    forged = all_mangled(clinic)
    assert len(forged) >= 200

    for name, headers, body in forged:
        assert not verified((clinic.secret, new_pair()[1]), headers, body, time.time()), name
        if all(value.isascii() and value.isprintable() for value in headers.values()):
            answer = await client.post(f"/api/v1/inbox/{clinic.partner_id}", content=body, headers=headers)
            assert answer.status_code == 401, name

    assert await rows(intake, where="kind = 'signal'") == []


def invalid_bodies(event: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yields a hundred bodies that could be signed but are not signals."""
    text = json.dumps(event)
    odd: list[Any] = [None, 7, -1, 1.5, "", "x", [], {}, [[]], {"a": 1}, True, "\u0000", "x" * 5000, 2**60]
    for name in ("specversion", "id", "source", "type", "data"):
        yield f"without {name}", json.dumps({key: part for key, part in event.items() if key != name}).encode()
        for value in odd[:12]:
            yield f"{name} is {str(value)[:9]}", json.dumps({**event, name: value}).encode()
    for name in ("signal_id", "referral_token", "signal_type", "occurred_at"):
        for value in odd:
            data = {**event["data"], name: value}
            if (name, value) != ("referral_token", "x" * 5000):
                yield f"data.{name} is {str(value)[:9]}", json.dumps({**event, "data": data}).encode()
    for name, body in {
        "twice": text[:-1] + ', "id": "x"}',
        "NaN": text.replace('"COMPLETED"', "NaN"),
        "infinite": text.replace('"COMPLETED"', "1e999"),
        "a long number": text.replace('"COMPLETED"', "9" * 5000),
        "a comment": text + "// x",
        "two documents": text + text,
        "cut": text[:-5],
        "single quotes": text.replace('"', "'"),
        "a list of it": f"[{text}]",
        "text of it": json.dumps(text),
        "deep": '{"data": ' + "[" * 20_000 + "]" * 20_000 + "}",
        "a surrogate": text.replace("COMPLETED", "\\ud800"),
    }.items():
        yield name, body.encode()
    yield "latin 1", text.replace("COMPLETED", "é").encode("latin-1")
    yield "utf-16", text.encode("utf-16")
    yield "a mark in front", b"\xef\xbb\xbf" + text.encode()
    yield "compressed", gzip.compress(text.encode())


async def test_a_hundred_signed_bodies_that_are_not_signals_are_all_rejected(
    client: httpx2.AsyncClient, clinic: Clinic, intake: Intake
) -> None:
    unfit = list(invalid_bodies(clinic.event(id="m-1")))
    assert len(unfit) >= 100

    for name, body in unfit:
        headers, _ = clinic.signed_bytes(body, "m-1")
        answer = await client.post(f"/api/v1/inbox/{clinic.partner_id}", content=body, headers=headers)
        assert answer.status_code == 422, (name, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"

    assert await rows(intake, where="kind = 'signal'") == []


# Partners


async def test_a_partner_is_registered_changed_and_listed_for_the_rules(intake: Intake) -> None:
    await seed(intake.pool, intake.keys.master)
    known = await directory(intake.pool)
    clinic = await get(intake.pool, "clinic-tripoli")
    assert clinic is not None

    await add(intake.pool, RegisteredPartner("clinic-tripoli", clinic.name, clinic.kinds, active=False))

    assert {"embassy-nga", "reception-nga", "provider-nga", "exit-authority"} <= set(known.partners)
    assert known.partners["embassy-nga"].country == "NGA"
    assert "clinic-tripoli" not in (await directory(intake.pool)).partners


async def test_seeding_again_keeps_secrets_and_what_was_changed(intake: Intake) -> None:
    first = await seed(intake.pool, intake.keys.master, lambda partner: f"http://127.0.0.1:9/receive/{partner}")
    await add(intake.pool, RegisteredPartner("carrier", "Another carrier", frozenset(), active=False))

    second = await seed(intake.pool, intake.keys.master)

    assert first == second
    carrier, clinic = (
        await get(intake.pool, "carrier"),
        await outbound(intake.pool, intake.keys.master, "clinic-tripoli"),
    )
    assert carrier is not None
    assert (carrier.name, carrier.active) == ("Another carrier", False)
    assert clinic is not None
    assert (clinic.url, clinic.secrets) == ("http://127.0.0.1:9/receive/clinic-tripoli", (first["clinic-tripoli"],))
    assert await outbound(intake.pool, intake.keys.master, "carrier") is None


async def test_a_secret_is_stored_encrypted_and_a_revoked_key_is_rejected(intake: Intake, clinic: Clinic) -> None:
    keys = await keys_of(intake.pool, intake.keys.master, clinic.partner_id)
    stored = await intake.pool.fetchval("SELECT secret FROM partner_keys WHERE algorithm = 'v1'")
    assert base64.b64decode(clinic.secret[6:]) not in stored
    assert {key.text for key in keys} >= {clinic.secret}

    assert all([await revoke_key(intake.pool, key.key_id) for key in keys])

    assert await keys_of(intake.pool, intake.keys.master, clinic.partner_id) == []
    assert not await revoke_key(intake.pool, keys[0].key_id)


async def test_a_key_needs_a_partner_and_a_private_key_stays_where_it_is(intake: Intake) -> None:
    with pytest.raises(UnknownPartnerError):
        await add_key(intake.pool, intake.keys.master, "nobody", new_secret())
    with pytest.raises(InvalidKeyError, match="must stay with the partner"):
        await add_key(intake.pool, intake.keys.master, "nobody", new_pair()[0])
