"""Submission through every channel: accepted once, refusals stored, streams notified after the commit."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway.intake.service import Intake, open_intake
from gateway.intake.submission import DeclinedError, SubmissionResult
from store.log.mapper import open_body
from store.postgres.notifier import INBOX, listen
from tests.gateway.conftest import MASTER_KEY, REGISTRATION, Clinic, a_partner, rows, stream_of
from tests.support.databases import Database

MOVEMENT = "MOV-2026-1214-MJI-LOS-01"

FLIGHT = {
    "number": MOVEMENT,
    "origin": "MJI",
    "destination": "LOS",
    "std": "2026-12-14T09:00:00Z",
    "sta": "2026-12-14T14:00:00Z",
    "capacity": 150,
}


async def begun(intake: Intake, key: str = "k-1", **changed: Any) -> SubmissionResult:
    return await intake.staff.start_case({**REGISTRATION, **changed}, user="fatima", key=key)


async def test_a_case_gets_a_number_and_its_message_waits(intake: Intake) -> None:
    answer = await begun(intake)

    assert answer.number is not None
    assert answer.number.startswith("LBY-")
    assert (answer.status, answer.repeated) == ("pending", False)


async def test_the_same_key_twice_starts_one_case(intake: Intake) -> None:
    first, second = await begun(intake), await begun(intake)

    assert second.repeated
    assert (second.number, second.message_id) == (first.number, first.message_id)
    assert await intake.pool.fetchval("SELECT count(*) FROM streams") == 1


async def test_the_same_key_of_another_user_is_another_message(intake: Intake) -> None:
    first = await begun(intake)
    second = await intake.staff.start_case(REGISTRATION, user="omar", key="k-1")

    assert second.number != first.number


async def test_the_same_key_for_another_message_is_declined(intake: Intake) -> None:
    await begun(intake)

    with pytest.raises(DeclinedError) as declined:
        await begun(intake, office="Misrata")

    assert declined.value.problem == "key-reused"


@pytest.mark.parametrize(
    ("changed", "pointer", "value"),
    [
        ({"colour": "blue"}, "/colour", "blue"),
        ({"consent_to_data_processing": "yes"}, "/consent_to_data_processing", "yes"),
        ({"person": {**REGISTRATION["person"], "date_of_birth": "1996-02-30"}}, "/person/date_of_birth", "1996-02-30"),
        ({"person": {**REGISTRATION["person"], "date_of_birth": 86400}}, "/person/date_of_birth", 86400),
        ({"channel": "PIGEON"}, "/channel", "PIGEON"),
    ],
)
async def test_an_invalid_field_is_named_with_its_value_and_the_refusal_is_stored(
    intake: Intake, changed: dict[str, Any], pointer: str, value: object
) -> None:
    with pytest.raises(DeclinedError) as declined:
        await begun(intake, **changed)

    assert (declined.value.problem, declined.value.rule) == ("invalid-message", "MESSAGE.INVALID")
    assert [(flaw.pointer, flaw.value) for flaw in declined.value.flaws] == [(pointer, value)]
    kept = await rows(intake, "message_id, status, actor, result, settled_at IS NOT NULL AS settled")
    assert [tuple(row)[:3] for row in kept] == [(declined.value.message_id, "refused", "staff:fatima")]
    assert kept[0]["settled"]
    assert json.loads(kept[0]["result"])["field"] == pointer


async def test_a_refusal_repeated_is_the_same_refusal(intake: Intake) -> None:
    with pytest.raises(DeclinedError) as first:
        await begun(intake, colour="blue")
    with pytest.raises(DeclinedError) as second:
        await begun(intake, colour="blue")

    assert second.value.repeated
    assert second.value.message_id == first.value.message_id
    assert len(await rows(intake)) == 1


async def test_an_unknown_message_is_refused_with_the_nearest_name(intake: Intake) -> None:
    number = str((await begun(intake)).number)

    with pytest.raises(DeclinedError, match="did you mean PlaceHold") as declined:
        await intake.staff.send(number, "PlaceHolt", {}, user="fatima", key="k-2")

    assert declined.value.rule == "MESSAGE.UNKNOWN"
    assert (await rows(intake, "status"))[-1]["status"] == "refused"


NOT_FOR_STAFF: list[Any] = [
    "ReceivePartnerSignal",
    "TakeSeat",
    "FreezeManifest",
    "MovementMessage",
    "",
    None,
    7,
    ["AddNote"],
]


async def test_what_staff_may_not_send_to_a_case_is_refused(intake: Intake, subtests: pytest.Subtests) -> None:
    for name in NOT_FOR_STAFF:
        with subtests.test(name=str(name)[:60]):
            number = str((await begun(intake)).number)

            with pytest.raises(DeclinedError) as declined:
                await intake.staff.send(number, name, {}, user="fatima", key=uuid4().hex)

            assert declined.value.flaws[0].pointer == "/message"


async def test_only_a_registration_starts_a_case(intake: Intake) -> None:
    with pytest.raises(DeclinedError) as declined:
        await intake.staff.start_case({"note": "hello"}, user="fatima", key="k-1", name="AddNote")

    assert declined.value.flaws[0].code == "message.needs_a_case"
    assert await intake.pool.fetchval("SELECT count(*) FROM streams") == 0


async def test_a_case_that_does_not_exist_is_not_found(intake: Intake) -> None:
    with pytest.raises(DeclinedError) as declined:
        await intake.staff.send("LBY-2026-999999", "AddNote", {"note": "hello"}, user="fatima", key="k-1")

    assert declined.value.problem == "not-found"
    assert await rows(intake) == []


async def test_a_time_in_the_future_is_declined(intake: Intake) -> None:
    number = str((await begun(intake)).number)
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    with pytest.raises(DeclinedError) as declined:
        await intake.staff.send(number, "AddNote", {"note": "x"}, user="fatima", key="k-2", happened_at=tomorrow)

    assert declined.value.flaws[0].code == "time.future"


async def test_a_message_is_kept_sealed_with_its_reason_and_the_time_it_tells_of(intake: Intake) -> None:
    number = str((await begun(intake)).number)
    yesterday = datetime.now(UTC) - timedelta(days=1)

    answer = await intake.staff.send(
        number,
        "AddNote",
        {"note": "Aminata called"},
        user="fatima",
        key="k-2",
        happened_at=yesterday,
        reason="by phone",
    )

    stream = await stream_of(intake, number)
    body, claimed = (await rows(intake, "body, claimed_at"))[-1]
    assert claimed == yesterday
    assert b"Aminata" not in body
    opened = open_body(await intake.keys.keyring(stream), stream, f"inbox:{answer.message_id}", body)
    assert json.loads(opened or b"") == {
        "message": "AddNote",
        "fields": {"note": "Aminata called"},
        "reason": "by phone",
    }


async def test_a_movement_is_planned_once_under_its_number(intake: Intake) -> None:
    planned = await intake.staff.send(MOVEMENT, "PlanMovement", FLIGHT, user="omar", key="k-1")
    again = await intake.staff.send(MOVEMENT, "PlanMovement", FLIGHT, user="omar", key="k-1")

    assert (planned.number, planned.repeated, again.repeated) == (MOVEMENT, False, True)
    with pytest.raises(DeclinedError) as declined:
        await intake.staff.send(MOVEMENT, "PlanMovement", FLIGHT, user="omar", key="k-2")
    assert declined.value.problem == "number-taken"
    assert (await intake.staff.send(MOVEMENT, "FreezeManifest", {}, user="omar", key="k-3")).status == "pending"


SENDERS: list[Any] = [
    ("", "k"),
    ("partner:x", "k"),
    ("a b", "k"),
    ("fatima", ""),
    ("fatima", "a b"),
    ("fatima", "k" * 256),
    ("fatima", "ключ"),
]


async def test_a_sender_without_a_valid_name_or_key_is_declined(intake: Intake, subtests: pytest.Subtests) -> None:
    for user, key in SENDERS:
        with subtests.test(user=str(user)[:60]):
            with pytest.raises(DeclinedError) as declined:
                await intake.staff.start_case(REGISTRATION, user=user, key=key)

            assert declined.value.problem in {"bad-user", "bad-key"}


async def test_the_bell_rings_after_the_commit(intake: Intake, database: Database) -> None:
    notified: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.create_task(listen(database.app_dsn, INBOX, notified.put_nowait))
    assert await asyncio.wait_for(notified.get(), 5) == ""

    answer = await begun(intake)

    assert await asyncio.wait_for(notified.get(), 5) == str(await stream_of(intake, str(answer.number)))
    listening.cancel()


async def test_an_erased_case_accepts_no_more_messages(intake: Intake) -> None:
    number = str((await begun(intake)).number)
    await intake.keys.destroy(await stream_of(intake, number))

    with pytest.raises(DeclinedError) as declined:
        await intake.staff.send(number, "AddNote", {"note": "x"}, user="fatima", key="k-2")

    assert declined.value.problem == "erased"


async def test_many_refusals_at_once_all_find_a_connection(database: Database) -> None:
    async with open_intake(database.app_dsn, MASTER_KEY) as intake:
        refused = await asyncio.wait_for(
            asyncio.gather(*(begun(intake, f"k-{n}", colour="blue") for n in range(60)), return_exceptions=True), 20
        )

    assert all(isinstance(no, DeclinedError) for no in refused)


# Partners


async def test_a_partners_answer_is_accepted_for_its_case(intake: Intake, clinic: Clinic) -> None:
    event = clinic.event()

    answer = await intake.partners.receive(clinic.partner_id, *clinic.signed(event))

    row = (await rows(intake, "stream_id, kind, name, actor, status, claimed_at"))[-1]
    assert tuple(row) == (
        *(clinic.case, "signal", "partner.signal", "partner:clinic-tripoli", "pending"),
        datetime(2026, 11, 23, 9, tzinfo=UTC),
    )
    assert answer.receipt


async def test_an_exact_repeat_gets_the_same_receipt_under_a_new_time(intake: Intake, clinic: Clinic) -> None:
    event = clinic.event()

    first = await intake.partners.receive(
        clinic.partner_id, *clinic.signed(event, at=datetime.now(UTC).timestamp() - 100)
    )
    second = await intake.partners.receive(clinic.partner_id, *clinic.signed(event, key=clinic.private))

    assert (second.receipt, second.repeated) == (first.receipt, True)
    assert len(await rows(intake, where="kind = 'signal'")) == 1


async def test_the_same_id_with_another_body_is_a_conflict(intake: Intake, clinic: Clinic) -> None:
    event = clinic.event()
    await intake.partners.receive(clinic.partner_id, *clinic.signed(event))

    other = {**event, "data": {**event["data"], "outcome_code": "UNFIT_TEMPORARY"}}
    with pytest.raises(DeclinedError) as declined:
        await intake.partners.receive(clinic.partner_id, *clinic.signed(other))

    assert declined.value.problem == "id-reused"


async def test_an_unknown_token_and_anothers_are_quarantined_without_a_case(intake: Intake, clinic: Clinic) -> None:
    other = await a_partner(intake, "clinic-misrata", clinic.case, "a-token-of-misrata's")
    unknown = clinic.event(data={"referral_token": "x" * 22})
    foreign = clinic.event(data={"referral_token": "a-token-of-misrata's"})

    answers = [
        await intake.partners.receive(clinic.partner_id, *clinic.signed(event)) for event in (unknown, foreign, unknown)
    ]

    assert answers[2].receipt == answers[0].receipt
    kept = await rows(intake, "stream_id, status, result::json->>'cause' AS cause", "kind = 'signal'")
    assert [tuple(row) for row in kept] == [
        (None, "quarantined", "UNKNOWN_TOKEN"),
        (None, "quarantined", "FOREIGN_TOKEN"),
    ]
    assert other.case == clinic.case


async def test_an_answer_for_an_erased_case_is_received_like_any_other(intake: Intake, clinic: Clinic) -> None:
    await intake.keys.destroy(clinic.case)

    assert (await intake.partners.receive(clinic.partner_id, *clinic.signed(clinic.event()))).receipt

    assert [tuple(row) for row in await rows(intake, "stream_id, status", "kind = 'signal'")] == [(None, "quarantined")]


CLOCKS: list[Any] = [
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "2026-11-23T08:00:00.1234567Z",
    "2031-01-01T00:00:00Z",
]


async def test_a_partners_wrong_clock_loses_nothing(intake: Intake, clinic: Clinic, subtests: pytest.Subtests) -> None:
    for when in CLOCKS:
        with subtests.test(when=str(when)[:60]):
            answer = await intake.partners.receive(
                clinic.partner_id, *clinic.signed(clinic.event(data={"occurred_at": when}))
            )

            assert answer.status == "pending"


SHAPES: list[Any] = [
    ({"id": "another"}, "/id"),
    ({"source": "awda:partner:embassy-nga"}, "/source"),
    ({"type": "org.iom.vhr.referral.sent.v1"}, "/type"),
    ({"specversion": "0.3"}, "/specversion"),
    ({"datacontenttype": "text/plain"}, "/datacontenttype"),
    ({"data": {"colour": "blue"}}, "/data/colour"),
    ({"data": {"signal_type": "DONE"}}, "/data/signal_type"),
    ({"data": {"occurred_at": "yesterday"}}, "/data/occurred_at"),
    ({"data": {"partner_id": "embassy-nga"}}, "/data/partner_id"),
    ({"data": {"referral_token": "short"}}, "/data/referral_token"),
]


async def test_a_signal_of_another_shape_is_declined_by_pointer(
    intake: Intake, clinic: Clinic, subtests: pytest.Subtests
) -> None:
    for changed, pointer in SHAPES:
        with subtests.test(changed=str(changed)[:60]):
            body = json.dumps(clinic.event(**changed)).encode()
            message_id = str(uuid4()) if pointer == "/id" else json.loads(body)["id"]

            with pytest.raises(DeclinedError) as declined:
                await intake.partners.receive(clinic.partner_id, *clinic.signed_bytes(body, message_id))

            assert declined.value.problem == "shape"
            assert pointer in [flaw.pointer for flaw in declined.value.flaws]


TWO_READINGS: list[Any] = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"data": 7}',
    b"\xff\xfe",
    b'{"id": NaN}',
    b'{"id": 1e999}',
    b'{"id": "a", "id": "a"}',
    b'{"id": ' + b"9" * 5000 + b"}",
    b'{"id": ' + b"[" * 30000,
    b'{"id": "\\ud800"}',
    b'{"a": ' + b"[" * 25 + b"]" * 25 + b"}",
]


async def test_ambiguous_json_is_declined_and_nothing_crashes(
    intake: Intake, clinic: Clinic, subtests: pytest.Subtests
) -> None:
    for body in TWO_READINGS:
        with subtests.test(body=str(body)[:60]):
            with pytest.raises(DeclinedError) as declined:
                await intake.partners.receive(clinic.partner_id, *clinic.signed_bytes(body, str(uuid4())))

            assert declined.value.problem == "shape"
