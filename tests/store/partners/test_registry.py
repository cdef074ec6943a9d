"""The registry of partners: two keys during a replacement, separate directions, and a history of changes."""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest

from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.disclosure import Recipient
from domain.referral.key_scope import KeyScope
from store.crypto.keys import InvalidMasterKeyError
from store.crypto.webhook_signatures import InvalidKeyError, new_pair, new_secret, sign, sign_with
from store.partners import keys as partner_keys
from store.partners import registry as partners
from store.partners.keys import Direction, KeyEndedError, TooManyKeysError, UnknownKeyError
from store.partners.registry import RegisteredPartner, UnknownPartnerError
from tests.store.conftest import MASTER

CLINIC = "clinic-misrata"

LABORATORY = KeyScope(frozenset({ReferralKind.MEDICAL_ASSESSMENT}), frozenset({SignalType.COMPLETED}))

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def clinic(pool: Pool) -> str:
    known = RegisteredPartner(
        CLINIC, "Clinic, Misrata", frozenset({ReferralKind.MEDICAL_ASSESSMENT}), receiver_url="https://c.example"
    )
    await partners.add(pool, known)
    return CLINIC


async def given(pool: Pool, key: str, **more: Any) -> str:
    return await partner_keys.add_key(pool, MASTER, CLINIC, key, **more)


async def texts(pool: Pool, direction: Direction = Direction.INBOUND) -> list[str]:
    return [key.text for key in await partner_keys.keys_of(pool, MASTER, CLINIC, direction=direction)]


async def states(pool: Pool) -> dict[str, str]:
    now = datetime.now(UTC)
    return {entry.key_id: entry.state(now) for entry in await partner_keys.key_entries(pool, CLINIC)}


# Replacing a key


async def test_two_keys_count_while_one_is_replaced_and_then_only_the_new_one(
    pool: Pool, owner: Pool, clinic: str
) -> None:
    old, new = new_secret(), new_secret()
    key_id = await given(pool, old)

    new_id = await partner_keys.rotate_key(pool, MASTER, key_id, new, grace=timedelta(hours=24))

    assert await texts(pool) == [new, old]
    assert await states(pool) == {new_id: "live", key_id: "ending"}
    await owner.execute("UPDATE partner_keys SET valid_until = clock_timestamp() WHERE key_id = $1", key_id)
    assert await texts(pool) == [new]
    assert (await states(pool))[key_id] == "ended"


async def test_a_key_replaced_without_grace_ends_at_once(pool: Pool, clinic: str) -> None:
    key_id, new = await given(pool, new_secret()), new_secret()

    await partner_keys.rotate_key(pool, MASTER, key_id, new, grace=timedelta(0))

    assert await texts(pool) == [new]


async def test_what_replaces_a_key_speaks_for_the_same_things_and_no_more(pool: Pool, clinic: str) -> None:
    key_id = await given(pool, new_secret(), scope=LABORATORY)

    new_id = await partner_keys.rotate_key(pool, MASTER, key_id, new_pair()[1])

    entry = await partner_keys.key_entry(pool, new_id)
    assert (entry.scope, entry.direction, entry.replaces) == (LABORATORY, Direction.INBOUND, key_id)
    assert {key.scope for key in await partner_keys.keys_of(pool, MASTER, CLINIC)} == {LABORATORY}


async def test_a_key_is_revoked_at_once_and_only_once(pool: Pool, clinic: str) -> None:
    key_id = await given(pool, new_secret())

    assert await partner_keys.revoke_key(pool, key_id)
    assert await texts(pool) == []
    assert not await partner_keys.revoke_key(pool, key_id)
    with pytest.raises(KeyEndedError, match="add a new key"):
        await partner_keys.rotate_key(pool, MASTER, key_id, new_secret())


async def test_a_third_key_for_the_same_things_is_refused(pool: Pool, clinic: str) -> None:
    first = await given(pool, new_secret())
    await partner_keys.rotate_key(pool, MASTER, first, new_secret())

    with pytest.raises(TooManyKeysError):
        await given(pool, new_secret())
    with pytest.raises(TooManyKeysError):
        await partner_keys.rotate_key(pool, MASTER, first, new_secret())

    assert len(await texts(pool)) == 2
    await given(pool, new_secret(), scope=LABORATORY)
    await given(pool, new_secret(), direction=Direction.OUTBOUND)


async def test_of_many_keys_added_at_once_two_count(pool: Pool, clinic: str) -> None:
    added = await asyncio.gather(*(given(pool, new_secret()) for _ in range(8)), return_exceptions=True)

    assert sum(isinstance(each, str) for each in added) == 2
    assert sum(isinstance(each, TooManyKeysError) for each in added) == 6
    assert len(await texts(pool)) == 2


async def test_a_key_counts_from_its_first_moment_to_its_last(pool: Pool, clinic: str) -> None:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    coming = await given(pool, new_secret(), valid_from=now + hour)
    passing = await given(pool, new_secret(), scope=LABORATORY, valid_until=now + hour)

    assert await states(pool) == {coming: "waiting", passing: "ending"}
    assert len(await texts(pool)) == 1
    with pytest.raises(InvalidKeyError, match="later than its beginning"):
        await given(pool, new_secret(), valid_from=now + hour, valid_until=now)


async def test_unknown_partners_and_keys_are_named(pool: Pool, clinic: str) -> None:
    with pytest.raises(UnknownPartnerError, match="nobody"):
        await partner_keys.add_key(pool, MASTER, "nobody", new_secret())
    with pytest.raises(UnknownKeyError, match="key-0"):
        await partner_keys.rotate_key(pool, MASTER, "key-0", new_secret())
    assert not await partner_keys.revoke_key(pool, "key-0")


# Directions


async def test_a_key_of_one_direction_is_unknown_in_the_other(pool: Pool, clinic: str) -> None:
    theirs, ours = new_secret(), new_secret()
    await given(pool, theirs)
    assert await partner_keys.outbound(pool, MASTER, CLINIC) is None

    await given(pool, ours, direction=Direction.OUTBOUND)

    assert await texts(pool) == [theirs]
    found = await partner_keys.outbound(pool, MASTER, CLINIC)
    assert found is not None
    assert (found.url, found.secrets, found.secret) == ("https://c.example", (ours,), ours)
    headers = sign(ours, "m-1", int(time.time()), b"{}")
    inbound = await partner_keys.keys_of(pool, MASTER, CLINIC)
    assert partner_keys.signers(inbound, headers, b"{}", time.time()) == ()


async def test_we_sign_with_every_key_that_counts_and_a_partner_may_know_either(pool: Pool, clinic: str) -> None:
    private, _ = new_pair()
    first = await given(pool, private, direction=Direction.OUTBOUND)
    await partner_keys.rotate_key(pool, MASTER, first, new_secret())
    found = await partner_keys.outbound(pool, MASTER, CLINIC)
    assert found is not None

    headers = sign_with(found.secrets, "m-1", int(time.time()), b"{}")

    shown = (await partner_keys.key_entry(pool, first)).public
    assert shown is not None
    theirs = [partner_keys.PartnerKey("theirs", CLINIC, "v1a", shown)]
    assert len(partner_keys.signers(theirs, headers, b"{}", time.time())) == 1
    assert [part[:3] for part in headers["webhook-signature"].split(" ")] == ["v1,", "v1a"]


async def test_a_secret_opens_in_no_other_direction(pool: Pool, owner: Pool, clinic: str) -> None:
    await given(pool, new_secret())

    await owner.execute("UPDATE partner_keys SET direction = 'outbound'")

    with pytest.raises(InvalidMasterKeyError):
        await partner_keys.outbound(pool, MASTER, CLINIC)


@pytest.mark.parametrize(
    ("direction", "key", "more"),
    [
        (Direction.INBOUND, new_pair()[0], {}),
        (Direction.OUTBOUND, new_pair()[1], {}),
        (Direction.OUTBOUND, new_secret(), {"scope": LABORATORY}),
        (Direction.INBOUND, "whsec_short", {}),
    ],
    ids=["a private key inbound", "a public key outbound", "a scope outbound", "too short"],
)
async def test_a_key_that_cannot_serve_that_way_is_refused_without_being_repeated(
    pool: Pool, clinic: str, direction: Direction, key: str, more: dict[str, Any]
) -> None:
    with pytest.raises(InvalidKeyError) as no:
        await given(pool, key, direction=direction, **more)

    assert key[6:] not in str(no.value)
    assert await partner_keys.key_entries(pool, CLINIC) == []


async def test_nothing_secret_is_stored_in_the_open_or_shown(pool: Pool, clinic: str) -> None:
    secret, (private, public) = new_secret(), new_pair()
    await given(pool, secret)
    await given(pool, private, direction=Direction.OUTBOUND)

    stored = await pool.fetch(
        "SELECT k::text AS line FROM partner_keys k UNION ALL SELECT c::text FROM partner_changes c"
    )
    for key in (secret, private):
        raw = base64.b64decode(key.split("_", 1)[1])
        assert [row for row in stored if raw.hex() in row["line"] or key in row["line"]] == []
    shown = repr(await partner_keys.key_entries(pool, CLINIC)) + repr(await partner_keys.keys_of(pool, MASTER, CLINIC))
    found = repr(await partner_keys.outbound(pool, MASTER, CLINIC))
    assert secret not in shown + found
    assert private not in shown + found
    assert public in shown


async def test_whoever_only_reads_sees_no_key(owner: Pool, clinic: str) -> None:
    may = "SELECT has_table_privilege('awda_reader', $1, 'SELECT')"
    assert not await owner.fetchval(may, "partner_keys")
    assert await owner.fetchval(may, "partner_changes")


# Registration


async def test_what_is_known_of_a_partner_reaches_the_rules(pool: Pool) -> None:
    known = RegisteredPartner(
        "hospital", "Hospital", frozenset({ReferralKind.SPECIALIST_CARE, ReferralKind.RECEPTION}), recipient=Recipient.CLINIC, calendar="EGY",
        mandatory_reporting=True, contact="desk@hospital.example", tolerance_s=900,
    )  # fmt: skip
    await partners.add(pool, known)

    assert await partners.get(pool, "hospital") == known
    asked = (await partners.directory(pool)).partners["hospital"]
    assert (asked.mandatory_reporting, asked.calendar.country) == (True, "EGY")


async def test_a_partners_type_is_what_it_does_unless_said_otherwise(pool: Pool, clinic: str) -> None:
    found = await partners.get(pool, CLINIC)
    assert found is not None
    assert found.type is Recipient.CLINIC
    both = RegisteredPartner("both", "Both", frozenset({ReferralKind.RECEPTION, ReferralKind.PROCUREMENT}))
    assert both.type is None


async def test_a_partners_working_week_is_the_usual_one_unless_said_otherwise(pool: Pool) -> None:
    for name, calendar in (("a", None), ("b", "LBY")):
        await partners.add(
            pool, RegisteredPartner(name, name, frozenset({ReferralKind.RECEPTION}), "NGA", calendar=calendar)
        )

    known = (await partners.directory(pool)).partners
    assert (known["a"].calendar.country, known["b"].calendar.country) == ("NGA", "LBY")


@pytest.mark.parametrize("seconds", [0, 901])
async def test_no_clock_may_be_wrong_by_more_than_a_quarter_of_an_hour(
    pool: Pool, owner: Pool, clinic: str, seconds: int
) -> None:
    with pytest.raises(ValueError, match="900"):
        RegisteredPartner("x", "X", frozenset(), tolerance_s=seconds)
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("UPDATE partners SET tolerance_s = $1", seconds)


async def test_each_partners_clock_has_the_tolerance_agreed_with_it(pool: Pool, clinic: str) -> None:
    secret, now = new_secret(), time.time()
    await given(pool, secret)
    early = sign(secret, "m-1", int(now) - 600, b"{}")

    strict = await partner_keys.keys_of(pool, MASTER, CLINIC)
    known = await partners.get(pool, CLINIC)
    assert known is not None
    await partners.add(pool, RegisteredPartner(CLINIC, known.name, known.kinds, tolerance_s=900))
    patient = await partner_keys.keys_of(pool, MASTER, CLINIC)

    assert partner_keys.signers(strict, early, b"{}", now) == ()
    assert len(partner_keys.signers(patient, early, b"{}", now)) == 1
    assert partner_keys.signers(patient, sign(secret, "m-1", int(now) - 901, b"{}"), b"{}", now) == ()


async def test_a_key_in_use_is_noticed_once_an_hour(pool: Pool, owner: Pool, clinic: str) -> None:
    await given(pool, new_secret())
    used = "SELECT last_used_at FROM partner_keys"
    assert await pool.fetchval(used) is None

    await partner_keys.notice(pool, await partner_keys.keys_of(pool, MASTER, CLINIC))
    first = await pool.fetchval(used)
    await partner_keys.notice(pool, await partner_keys.keys_of(pool, MASTER, CLINIC))
    assert await pool.fetchval(used) == first

    await owner.execute("UPDATE partner_keys SET last_used_at = last_used_at - interval '61 minutes'")
    await partner_keys.notice(pool, await partner_keys.keys_of(pool, MASTER, CLINIC))
    assert await pool.fetchval(used) >= first


async def test_the_registry_keeps_who_changed_what_for_ever(pool: Pool, owner: Pool, clinic: str) -> None:
    key_id = await given(pool, new_secret(), by="staff:omar")
    new_id = await partner_keys.rotate_key(pool, MASTER, key_id, new_secret(), by="staff:amal")
    await partner_keys.revoke_key(pool, key_id, by="staff:amal")
    await partners.add(
        pool, RegisteredPartner(CLINIC, "Clinic", frozenset(), active=False, contact="Dr. A"), by="staff:omar"
    )

    kept = await partners.changes(pool, CLINIC)

    assert [(change.by, change.change, change.key_id) for change in kept] == [
        ("staff:omar", "changed", None),
        ("staff:amal", "key revoked", key_id),
        ("staff:amal", "key replaced", key_id),
        ("staff:amal", "key added", new_id),
        ("staff:omar", "key added", key_id),
        ("system", "registered", None),
    ]
    assert "Dr. A" not in repr(kept)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await owner.execute("DELETE FROM partner_changes")
