"""Verification: changes made directly in the database, with full rights, are found and located."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from audit.verification.report import Report
from audit.verification.verify import verify
from domain.events.case import NoteAdded
from domain.events.evidence import EvidenceAttached
from store.content_store import FileSealer, FolderContentStore
from store.crypto.keys import KeyStore, MasterKey
from store.log.recorder import Recorder
from store.projections.projector import Projector
from tests.support.builders import MONDAY, a_closed_case, a_screened_case
from tests.support.recorded_archive import RecordedArchive


async def verified(archive: RecordedArchive, case: UUID | None = None, **more: Any) -> Report:
    """Verifies while a projector keeps the read tables current; nothing else is waited for."""
    projecting = asyncio.create_task(keep_projecting(archive))
    try:
        options = {"workflows": False, "patience_s": 0.0} | more
        await Projector(archive.pool).catch_up()
        return await verify(archive.pool, archive.keys, None, case=case, **options)
    finally:
        projecting.cancel()
        await asyncio.gather(projecting, return_exceptions=True)


async def keep_projecting(archive: RecordedArchive) -> None:
    projector = Projector(archive.pool)
    while True:
        await projector.catch_up()
        await asyncio.sleep(0.02)


async def number_of(archive: RecordedArchive, stream: UUID) -> str:
    return str(await archive.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", stream))


async def a_log(archive: RecordedArchive) -> UUID:
    """Stores a closed case and an open one, and returns the id of the open one."""
    await archive.keep(a_closed_case().events)
    stream = await archive.keep(a_screened_case().events)
    await archive.append(stream, [NoteAdded(note="came by").placed_in(stream, 0, MONDAY)])
    return stream


async def test_what_was_recorded_properly_is_clean(archive: RecordedArchive) -> None:
    await a_log(archive)

    report = await verified(archive)

    assert str(report) == "clean"
    assert report.checked["streams"] == 2
    assert report.checked["events"] == await archive.pool.fetchval("SELECT count(*) FROM events")
    assert report.as_json() == {"result": "clean", "checked": dict(sorted(report.checked.items())), "findings": []}


TAMPERED = {
    "its state": ("chain", "UPDATE events SET state = convert_to(replace(convert_from(state, 'UTF8'), 'Tripoli', 'Benghazi'), 'UTF8') WHERE stream_id = $1 AND version = 1", 1),
    "its metadata": ("chain", "UPDATE events SET metadata = replace(metadata, 'fatima', 'nobody') WHERE stream_id = $1 AND version = 3", 3),
    "its topic": ("chain", "UPDATE events SET topic = 'ScreeningCompleted' WHERE stream_id = $1 AND version = 2", 2),
    "an unknown topic": ("unreadable", "UPDATE events SET topic = 'os.system' WHERE stream_id = $1 AND version = 2", 2),
    "an event that is gone": ("stream", "DELETE FROM events WHERE stream_id = $1 AND version = 5", 5),
    "an end that is gone": ("head", "DELETE FROM events WHERE stream_id = $1 AND version = (SELECT max(version) FROM events WHERE stream_id = $1)", None),
    "its place in the feed": ("order", "UPDATE events SET xact = (xact::text::bigint + 1000000)::text::xid8 WHERE stream_id = $1 AND version = 1", 2),
    "its head": ("head", "UPDATE streams SET hash = decode(repeat('ab', 32), 'hex') WHERE stream_id = $1", None),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
async def test_an_edit_by_hand_is_found_and_named(archive: RecordedArchive, what: str) -> None:
    stream = await a_log(archive)
    kind, statement, version = TAMPERED[what]
    await Projector(archive.pool).catch_up()
    await archive.tamper(statement, stream)

    report = await verified(archive)

    assert report.result == "findings"
    named = [each for each in report.findings if each.kind == kind]
    assert named, str(report)
    assert {each.case for each in report.findings} == {await number_of(archive, stream)}
    if version is not None:
        assert named[0].detail.startswith(f"version {version}: ")


async def test_two_events_that_have_changed_places_are_found(archive: RecordedArchive) -> None:
    stream = await a_log(archive)
    for old, new in ((3, 9000), (4, 3), (9000, 4)):
        await archive.tamper("UPDATE events SET version = $3 WHERE stream_id = $1 AND version = $2", stream, old, new)

    found = {(each.kind, each.detail.partition(":")[0]) for each in (await verified(archive)).findings}

    assert ("chain", "version 3") in found
    assert ("chain", "version 4") in found


async def test_only_the_case_asked_for_is_looked_at(archive: RecordedArchive) -> None:
    stream, other = await a_log(archive), await archive.keep(a_screened_case().events)
    await archive.tamper("UPDATE events SET metadata = '{}' WHERE stream_id = $1 AND version = 1", stream)

    assert (await verified(archive, other)).result == "clean"
    assert (await verified(archive, stream)).result == "findings"
    assert (await verified(archive, uuid4())).result == "findings"


async def test_a_lost_key_is_found_and_a_destroyed_one_is_not(archive: RecordedArchive) -> None:
    lost, erased = await a_log(archive), await archive.keep(a_screened_case().events)
    await archive.keys.destroy(erased)
    assert (await verified(archive)).result == "clean"

    await archive.tamper("DELETE FROM case_keys WHERE stream_id = $1", lost)
    report = await verified(archive)

    assert {(each.kind, each.case) for each in report.findings} == {("keys", await number_of(archive, lost))}


async def test_the_master_key_of_another_home_is_found(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().events)
    archive.keys = KeyStore(archive.pool, MasterKey(bytes(32)))

    assert "keys" in {each.kind for each in (await verified(archive)).findings}


async def test_something_sealed_that_was_moved_elsewhere_is_found(archive: RecordedArchive) -> None:
    stream = await a_log(archive)
    await archive.append(stream, [NoteAdded(note="left again").placed_in(stream, 0, MONDAY)])
    await archive.tamper(
        "UPDATE events e SET state = o.state FROM events o WHERE e.stream_id = $1 AND o.stream_id = $1"
        " AND e.topic = 'NoteAdded' AND o.topic = 'NoteAdded' AND e.version > o.version",
        stream,
    )

    assert {"seal", "chain"} <= {each.kind for each in (await verified(archive)).findings}


MESSAGES = {
    "applied without its event": ("inbox", "UPDATE inbox SET message_id = gen_random_uuid() WHERE stream_id = $1"),
    "refused although its event is there": ("inbox", "UPDATE inbox SET status = 'refused' WHERE stream_id = $1"),
    "settled at a version there never was": ("inbox", "UPDATE inbox SET settled_version = 4711 WHERE stream_id = $1"),
    "never came": ("event", "DELETE FROM inbox WHERE stream_id = $1"),
    "never went out": ("outbox", "DELETE FROM outbox WHERE stream_id = $1"),
    "was swapped for another": ("seal", "UPDATE inbox SET body = overlay(body PLACING '\\x00'::bytea FROM 30 FOR 1) WHERE stream_id = $1"),
}  # fmt: skip


@pytest.mark.parametrize("what", MESSAGES)
async def test_a_message_that_does_not_agree_with_the_log_is_found(archive: RecordedArchive, what: str) -> None:
    stream = await a_log(archive)
    kind, statement = MESSAGES[what]
    await archive.tamper(statement, stream)

    report = await verified(archive)

    assert kind in {each.kind for each in report.findings}, str(report)
    assert {each.case for each in report.findings} == {await number_of(archive, stream)}


async def test_a_message_settled_before_its_version_was_recorded_is_found(archive: RecordedArchive) -> None:
    stream = await a_log(archive)
    await archive.tamper("UPDATE inbox SET settled_at = settled_at - interval '1 hour' WHERE stream_id = $1", stream)

    assert "before that version was recorded" in str(await verified(archive))


async def test_a_message_that_is_not_processed_is_found_once_it_is_old(archive: RecordedArchive) -> None:
    stream = await a_log(archive)
    loaded = await Recorder(archive.pool).load(stream)
    assert loaded.head is not None
    message_id = await archive.append(stream, [NoteAdded(note="again").placed_in(stream, 0, MONDAY)])
    await archive.tamper("DELETE FROM events WHERE metadata::jsonb->>'message_id' = $1", str(message_id))
    await archive.tamper(
        "UPDATE streams SET version = $2, hash = $3 WHERE stream_id = $1", stream, loaded.head.version, loaded.head.hash
    )
    await archive.tamper("UPDATE inbox SET status = 'pending', settled_at = NULL WHERE message_id = $1", message_id)

    young = await verified(archive)
    await archive.tamper(
        "UPDATE inbox SET received_at = now() - interval '10 minutes' WHERE message_id = $1", message_id
    )
    old = await verified(archive)

    assert young.result == "clean"
    assert [each.kind for each in old.findings] == ["inbox-stuck"]


async def test_a_read_table_changed_by_hand_is_found(archive: RecordedArchive) -> None:
    stream = await a_log(archive)
    await Projector(archive.pool).catch_up()
    await archive.tamper("UPDATE case_list SET phase = 'CLOSED' WHERE stream_id = $1", stream)
    await archive.tamper("DELETE FROM referral_list WHERE stream_id = $1", stream)

    report = await verified(archive)

    details = {each.detail for each in report.findings if each.kind == "read-table"}
    assert any(detail.startswith("case_list: phase does not match the log at version ") for detail in details)
    assert "referral_list: a row is missing" in details


async def test_a_projector_that_stands_still_is_found(archive: RecordedArchive) -> None:
    await archive.keep(a_screened_case().events)

    report = await verify(archive.pool, archive.keys, None, workflows=False, patience_s=0.0)

    assert [each.kind for each in report.findings] == ["read-table-behind"]


async def test_events_without_a_head_are_found(archive: RecordedArchive) -> None:
    stream = await a_log(archive)
    await Projector(archive.pool).catch_up()
    await archive.tamper("DELETE FROM streams WHERE stream_id = $1", stream)

    assert {(each.kind, each.case) for each in (await verified(archive)).findings} == {("stream", str(stream))}


async def test_what_could_not_be_checked_is_never_clean(archive: RecordedArchive) -> None:
    await a_log(archive)

    report = await verified(archive, workflows=True)

    assert report.result == "not_checked"
    assert "Temporal" in report.as_json()["unchecked"][0]


async def test_looking_while_cases_are_recorded_finds_nothing(archive: RecordedArchive) -> None:
    streams = [await archive.keep(a_screened_case().events) for _ in range(3)]
    writing = asyncio.create_task(keep_writing(archive, streams))
    reports = [await verified(archive, patience_s=5.0) for _ in range(5)]
    await writing

    assert [str(report) for report in reports] == ["clean"] * 5


async def keep_writing(archive: RecordedArchive, streams: list[UUID]) -> None:
    for nth in range(30):
        stream = streams[nth % 3]
        await archive.append(stream, [NoteAdded(note="more").placed_in(stream, 0, MONDAY)])


# Files


async def a_case_with_a_file(archive: RecordedArchive, files: FolderContentStore) -> tuple[UUID, str]:
    """Stores a case with an attached file; returns the id of the stream and the name of the stored file."""
    stream = await archive.keep(a_screened_case().events)
    sealing = FileSealer([await archive.keys.keyring(stream)], "GEN")
    sealing.feed(b"%PDF-1.7 a passport")
    sealed = sealing.finish()
    with sealed.bytes:
        files.put(sealed.name, sealed.bytes)
    about = {"name": "passport.pdf", "content_hash": sealed.content_hash}
    await archive.append(stream, [EvidenceAttached(file_hash=sealed.name, about=about).placed_in(stream, 0, MONDAY)])
    return stream, sealed.name


async def test_a_file_that_is_kept_as_it_was_is_clean(archive: RecordedArchive, tmp_path: Path) -> None:
    files = FolderContentStore(tmp_path)
    await a_case_with_a_file(archive, files)
    report = await verified(archive, files=files)
    assert (str(report), report.checked["files"]) == ("clean", 1)


async def test_a_file_that_is_gone_or_changed_is_a_finding_of_every_case_that_names_it(
    archive: RecordedArchive, tmp_path: Path
) -> None:
    files = FolderContentStore(tmp_path)
    stream, name = await a_case_with_a_file(archive, files)
    other = await archive.keep(a_screened_case().events)
    about = {"name": "passport.pdf"}
    await archive.append(other, [EvidenceAttached(file_hash=name, about=about).placed_in(other, 0, MONDAY)])
    numbers = {await number_of(archive, each) for each in (stream, other)}
    kept = tmp_path / name[:2] / name
    kept.write_bytes(kept.read_bytes() + b"\0")
    changed = (await verified(archive, files=files)).findings
    assert {(each.kind, each.case) for each in changed} == {("file", number) for number in numbers}
    assert all("differs from the file that was attached" in each.detail for each in changed)
    kept.unlink()
    missing = (await verified(archive, files=files)).findings
    assert all("missing from the content store" in each.detail for each in missing)


async def test_an_erased_case_needs_no_file(archive: RecordedArchive, tmp_path: Path) -> None:
    stream, _ = await a_case_with_a_file(archive, FolderContentStore(tmp_path / "one"))
    await archive.keys.destroy(stream)
    assert str(await verified(archive, files=FolderContentStore(tmp_path / "empty"))) == "clean"


async def test_files_that_could_not_be_checked_are_not_called_clean(archive: RecordedArchive, tmp_path: Path) -> None:
    await a_case_with_a_file(archive, FolderContentStore(tmp_path))
    report = await verified(archive)
    assert report.result == "not_checked"
    assert "content store" in report.unchecked[0]
