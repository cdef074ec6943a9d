"""The projections: computed without the domain, and always in agreement with it."""

from __future__ import annotations

import asyncio
import random
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from domain.case.aggregate import Case
from domain.movement import CancelMovement, FreezeManifest, RecordFlightArrival, RecordFlightDeparture
from store.postgres.notifier import EVENTS, Notifier
from store.projections.escalation_digest import digest
from store.projections.projector import PROJECTIONS, Projector, UnknownProjectionError, wait_for
from store.projections.rebuild import rebuild
from tests.support.builders import MONDAY, a_cleared_case, a_closed_case, a_frozen_case, a_screened_case, a_seated_case
from tests.support.flight_fixtures import PASSENGERS, a_flight
from tests.support.journeys import letters_lost_and_brought
from tests.support.recorded_archive import RecordedArchive
from workers.projector import run


async def test_a_case_looks_the_same_in_the_list_as_in_its_own_log(archive: RecordedArchive) -> None:
    """Checks every version of the standard journey."""
    told = a_closed_case()
    stream = await archive.keep(told.events[:1])
    case: Any = Case(stream, number="?")
    projector = Projector(archive.pool)
    for nth, event in enumerate(told.events):
        event.placed_in(stream, nth + 1, event.timestamp).mutate(case)
        if nth:
            await archive.append(stream, [event])
        if nth % 7 == 0 or nth == len(told.events) - 1:
            await projector.catch_up()
            await assert_shown(archive, case)


async def test_whatever_was_said_the_list_agrees(archive: RecordedArchive) -> None:
    """Covers withdrawal, holds, a released seat, a pause, reminders, closure and reopening."""
    withdrawn = a_frozen_case().having("WithdrawVoluntaryReturn", channel="HOTLINE")
    withdrawn.having("CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="amaka").after(days=2)
    withdrawn.having("ReopenCase", target_phase="PRE_DEPARTURE", reason="changed their mind")
    held = a_cleared_case().having("PlaceHold", hold_type="MEDICAL", reason="x")
    held.having("PlaceHold", hold_type="MEDICAL", reason="y").having(
        "SetPriority", priority="P2_HIGHLY_VULNERABLE", basis="z"
    )
    held.having("LiftHold", hold_id=next(iter(held.case.holds)), reason="well again")
    paused = (
        a_screened_case()
        .having_signal("MEDICAL_ASSESSMENT", "PAUSED")
        .after(days=3)
        .having_signal("MEDICAL_ASSESSMENT", "RESUMED")
    )
    silent = a_screened_case().after(days=40)
    late = a_screened_case().having_signal("CONSULAR_IDENTITY", "ACCEPTED").after(days=26)
    late.having_signal("CONSULAR_IDENTITY", "STARTED").having_signal("CONSULAR_IDENTITY", "PAUSED").after(days=2)
    late.having_signal("CONSULAR_IDENTITY", "RESUMED").having_signal(
        "CONSULAR_IDENTITY", "PROGRESS", "VERIFICATION_IN_CAPITAL"
    )
    doubted = a_screened_case().having_signal("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    doubted.having_signal("MEDICAL_ASSESSMENT", "FAILED")
    signal = next(iter(doubted.referral("MEDICAL_ASSESSMENT").disputed))
    doubted.having("ResolveQuarantinedSignal", signal_id=signal, decision="AMEND", reason="they gave up")
    promised = a_seated_case().having_signal("RECEPTION", "STARTED").having_signal("RECEPTION", "ACCEPTED", "CONFIRMED")

    for told in (withdrawn, held, paused, silent, late, doubted, promised, letters_lost_and_brought(), a_seated_case()):
        stream = await archive.keep(told.events)
        await Projector(archive.pool).catch_up()
        told.case.id = stream
        await assert_shown(archive, told.case)


async def assert_shown(archive: RecordedArchive, case: Case) -> None:
    row = await archive.pool.fetchrow("SELECT *, stages::text AS s FROM case_list WHERE stream_id = $1", case.id)
    assert row is not None
    assert row["phase"] == case.phase
    assert row["holds"] == sorted(hold.type for hold in case.holds.values())
    assert row["movement"] == (case.seat.movement if case.seat else None)
    assert (row["country_of_return"], row["priority"]) == (case.country_of_return, case.priority)
    assert row["version"] == case.version
    assert _json(row["s"]) == {name: state.status for name, state in case.stages.items()}
    shown = await archive.pool.fetch("SELECT *, dues::text AS d FROM referral_list WHERE stream_id = $1", case.id)
    referrals = {str(referral.referral_id): referral for referral in case.referrals.values()}
    assert {each["referral_id"] for each in shown} == set(referrals)
    for each in shown:
        referral = referrals[each["referral_id"]]
        assert (each["kind"], each["partner_id"]) == (referral.kind, referral.partner_id)
        assert (each["status"], each["timeliness"]) == (referral.status, referral.timeliness)
        assert (each["sent_at"], each["paused_since"]) == (referral.sent_at, referral.paused_since)
        assert set(each["told"]) == referral.told
        assert _json(each["d"]) == {step: due.isoformat().replace("+00:00", "Z") for step, due in referral.dues.items()}


def _json(text: str) -> Any:
    import json

    return json.loads(text)


async def test_a_flight_looks_the_same_in_the_list_as_in_its_own_log(archive: RecordedArchive) -> None:
    for ends in (
        [FreezeManifest(), RecordFlightDeparture(boarded=PASSENGERS[:1]), RecordFlightArrival()],
        [CancelMovement(cause="X")],
    ):
        flight, events = a_flight(ends)
        stream = await archive.keep(events, kind="movement", number=f"MOV-2026-{uuid4().hex[:5]}")
        await Projector(archive.pool).catch_up()

        row = await archive.pool.fetchrow("SELECT * FROM movement_list WHERE stream_id = $1", stream)

        assert row is not None
        assert (row["status"], row["capacity"], row["version"]) == (flight.status, flight.capacity, flight.version)
        assert (row["origin"], row["destination"]) == (flight.origin, flight.destination)
        assert (row["std"], row["sta"]) == (flight.std, flight.sta)
        assert (row["seats"], row["waiting"]) == (list(flight.seats), flight.waiting)


async def test_however_the_log_is_cut_into_pages_a_shadow_rebuild_finds_no_difference(archive: RecordedArchive) -> None:
    dice = random.Random(20261123)
    builders = (a_closed_case, a_seated_case, a_screened_case, a_frozen_case)
    projector = Projector(archive.pool)
    for _ in range(12):
        told = dice.choice(builders)()
        cut = dice.randrange(1, len(told.events))
        stream = await archive.keep(told.events[:cut])
        projector.page = dice.choice((1, 3, 50, 500))
        await projector.catch_up()
        await archive.append(stream, told.events[cut:])
    await projector.catch_up()

    for name in PROJECTIONS:
        rebuilt = await rebuild(archive.pool, name)
        assert rebuilt.equal, rebuilt
        assert rebuilt.events
    assert (await rebuild(archive.pool, "case_list")).rows == 12


async def test_a_shadow_rebuild_finds_and_mends_what_was_changed_by_hand(archive: RecordedArchive) -> None:
    cases = [await archive.keep(a_screened_case().events) for _ in range(3)]
    await Projector(archive.pool).catch_up()
    await archive.tamper("UPDATE case_list SET phase = 'CLOSED' WHERE stream_id = $1", cases[0])
    await archive.tamper("DELETE FROM case_list WHERE stream_id = $1", cases[1])
    await archive.tamper(
        "INSERT INTO case_list SELECT (jsonb_populate_record(c, jsonb_build_object('stream_id', gen_random_uuid()))).* FROM case_list c LIMIT 1"
    )

    found, again = await rebuild(archive.pool, "case_list"), await rebuild(archive.pool, "case_list")

    assert (found.missing, found.extra, found.different) == (1, 1, 1)
    assert again.equal
    assert again.rows == 3


async def test_a_rebuild_in_place_empties_the_table_first(archive: RecordedArchive) -> None:
    stream = await archive.keep(a_screened_case().events)
    await Projector(archive.pool).catch_up()
    before = await archive.pool.fetchrow("SELECT * FROM case_list")
    await archive.tamper("UPDATE case_list SET office = 'Elsewhere' WHERE stream_id = $1", stream)

    await rebuild(archive.pool, "case_list", shadow=False)

    assert await archive.pool.fetchrow("SELECT * FROM case_list") == before


async def test_the_living_table_may_move_on_during_a_rebuild(archive: RecordedArchive) -> None:
    for _ in range(4):
        await archive.keep(a_screened_case().events)
    projector = Projector(archive.pool, page=20)

    rebuilt, _ = await asyncio.gather(rebuild(archive.pool, "case_list"), projector.catch_up())

    assert rebuilt.equal
    assert (await rebuild(archive.pool, "case_list")).rows == 4


async def test_two_projectors_do_not_apply_a_page_twice(archive: RecordedArchive) -> None:
    for _ in range(6):
        await archive.keep(a_seated_case().events)
    projectors = [Projector(archive.pool, page=17) for _ in range(3)]

    carried = await asyncio.gather(*(projector.catch_up() for projector in projectors))

    assert sum(carried) == await archive.pool.fetchval("SELECT count(*) FROM events")
    assert (await rebuild(archive.pool, "case_list")).equal


async def test_an_unknown_topic_is_noted_and_the_projector_lives(archive: RecordedArchive) -> None:
    stream = await archive.keep(a_screened_case().events)
    await archive.tamper("UPDATE events SET topic = 'FromTheFuture' WHERE stream_id = $1 AND version = 4", stream)
    await archive.tamper("UPDATE events SET state = 'rubbish' WHERE stream_id = $1 AND topic = 'StageOpened'", stream)

    await Projector(archive.pool).catch_up()

    noted = {row["topic"]: row["detail"] for row in await archive.pool.fetch("SELECT * FROM quarantined_rows")}
    assert "unknown topic" in noted["FromTheFuture"]
    assert noted["StageOpened"] == "case_list: ValueError"
    assert await archive.pool.fetchval("SELECT count(*) FROM case_list") == 1


async def test_a_reader_can_wait_for_its_own_write(archive: RecordedArchive, database: Any) -> None:
    stream = await archive.keep(a_screened_case().events)
    assert not await wait_for(archive.pool, stream, 1, 0.1), "nobody carries anything over yet"
    stop = asyncio.Event()
    projecting = asyncio.create_task(run(archive.pool, database.app_dsn, stop))
    async with Notifier(database.app_dsn) as notifier:
        assert await wait_for(archive.pool, stream, 1, 5)
        more = a_screened_case().events[-1]
        await archive.append(stream, [more])
        notifier.notify(EVENTS)
        version = await archive.pool.fetchval("SELECT version FROM streams WHERE stream_id = $1", stream)

        assert await wait_for(archive.pool, stream, version, 5)
        assert not await wait_for(archive.pool, stream, version + 1, 0.1)
    stop.set()
    await asyncio.wait_for(projecting, 5)


async def test_the_worklist_says_whose_answer_is_due_first_and_until_when(archive: RecordedArchive) -> None:
    stream = await archive.keep(a_screened_case().events, next_due=MONDAY)
    await Projector(archive.pool).catch_up()

    row = await archive.pool.fetchrow("SELECT * FROM worklist WHERE stream_id = $1", stream)
    owed = await archive.pool.fetch("SELECT * FROM owed_answers WHERE stream_id = $1", stream)

    assert row is not None
    first = min(owed, key=lambda each: each["due"])
    assert (row["waiting_on"], row["next_deadline"]) == (f"PARTNER.{first['kind']}", MONDAY)
    assert (first["kind"], first["partner_id"]) == ("MEDICAL_ASSESSMENT", "clinic-misrata")
    assert {each["partner_id"] for each in owed} == {"clinic-misrata", "embassy-nga"}
    assert all(each["due"] > MONDAY for each in owed)


@pytest.mark.parametrize(("heard", "step"), [((), "ack"), (("ACKNOWLEDGED",), "accept"), (("ACCEPTED",), "start")])
async def test_an_owed_answer_is_the_step_that_comes_next(
    archive: RecordedArchive, heard: tuple[str, ...], step: str
) -> None:
    told = a_screened_case()
    for signal in heard:
        told.having_signal("CONSULAR_IDENTITY", signal)
    stream = await archive.keep(told.events)
    await Projector(archive.pool).catch_up()

    owed = await archive.pool.fetchrow(
        "SELECT * FROM owed_answers WHERE stream_id = $1 AND kind = 'CONSULAR_IDENTITY'", stream
    )

    assert owed is not None
    assert (owed["step"], owed["due"]) == (step, told.referral("CONSULAR_IDENTITY").dues[step])


async def test_a_digest_counts_by_partner_and_kind_what_came_so_far_that_day(archive: RecordedArchive) -> None:
    for _ in range(2):
        await archive.keep(a_screened_case().after(days=14).events)
    await Projector(archive.pool).catch_up()

    digest = await archive.pool.fetch("SELECT * FROM escalation_digest ORDER BY partner_id")

    assert [(each["partner_id"], each["kind"], each["timeliness"], each["referrals"]) for each in digest] == [
        ("clinic-misrata", "MEDICAL_ASSESSMENT", "ESCALATED_L2", 2),
        ("embassy-nga", "CONSULAR_IDENTITY", "ESCALATED_L2", 2),
    ]
    assert [f"{each['day']:%m-%d}" for each in digest] == ["12-03", "12-06"]


async def test_a_person_reads_the_digest_newest_day_first_and_from_a_day_on(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().after(days=14).events)
    await Projector(archive.pool).catch_up()

    whole, later = await digest(archive.pool), await digest(archive.pool, date(2026, 12, 4))

    assert [(f"{each.day:%m-%d}", each.partner_id, each.referrals) for each in whole] == [
        ("12-06", "embassy-nga", 1),
        ("12-03", "clinic-misrata", 1),
    ]
    assert later == whole[:1]


async def test_nothing_sealed_reaches_a_read_table(archive: RecordedArchive) -> None:
    told = a_screened_case().having("RaiseProtectionConcern", risk_level="HIGH", concern="threatened by a smuggler")
    told.having("CreateReferral", kind="GBV_SERVICES", partner_id=None)
    await archive.keep(told.events)
    await Projector(archive.pool).catch_up()

    text = ""
    for name in PROJECTIONS:
        text += str(await archive.pool.fetch(f"SELECT * FROM {name}"))  # noqa: S608

    assert "PROTECTION" in text
    for secret in ("smuggler", "GBV", "Aminata", "Okafor", "ConcernRaised"):
        assert secret not in text


async def test_asking_for_a_table_that_is_not_there_names_those_that_are(archive: RecordedArchive) -> None:
    with pytest.raises(UnknownProjectionError, match="case_list, referral_list, movement_list"):
        await rebuild(archive.pool, "weather")
