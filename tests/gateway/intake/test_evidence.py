"""Evidence files: uploaded, encrypted, stored once, read again, and lost with the keys of an erased person."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.kernel.policy import NEWEST
from gateway.intake.evidence import AttachmentReceipt, EvidenceDetails, EvidenceNotFoundError, attach, evidence
from gateway.intake.service import Intake
from gateway.intake.submission import DeclinedError
from store.content_store import FileNotStoredError, FolderContentStore, digest_of
from store.log.mapper import KeyErasedError, TamperedError
from tests.gateway.conftest import an_app
from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers

PDF = b"%PDF-1.7\n" + b"the consul's own hand " * 8000

SCAN = EvidenceDetails("scan.pdf")

KINDS = {
    "application/pdf": PDF,
    "image/jpeg": b"\xff\xd8\xff\xe0 a picture",
    "image/png": b"\x89PNG\r\n\x1a\n a picture",
    "image/tiff": b"II*\x00 a picture",
}


@pytest.fixture
async def worker(database: Database, servers: Servers) -> AsyncIterator[RunningWorker]:
    async with a_running_worker(database, servers) as worker:
        yield worker


@pytest.fixture
def store(tmp_path: Path) -> FolderContentStore:
    return FolderContentStore(tmp_path / "files")


async def a_case(worker: RunningWorker) -> UUID:
    begun = await worker.begin(**REGISTRATION)
    assert begun.stream_id is not None
    await worker.became(begun.message_id)
    return begun.stream_id


async def given(
    intake: Intake,
    store: FolderContentStore,
    case: UUID,
    content: bytes = PDF,
    about: EvidenceDetails = SCAN,
    **more: Any,
) -> AttachmentReceipt:
    how = {"holders": [case], "cases": [case], "user": "fatima"} | more
    return (await attach(intake, store, io.BytesIO(content), about, **how))[0]


async def attached(worker: RunningWorker, case: UUID) -> list[Any]:
    return [event for event in await worker.log(case) if event.name == "EvidenceAttached"]


def kept(store: FolderContentStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file()) if store.root.exists() else []


async def test_a_file_is_attached_and_comes_back_as_it_was(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    about = EvidenceDetails("Okafor, Aminata – جواز.pdf", "seen at the embassy", "GEN")
    receipt = await given(intake, store, case, about=about)
    assert (await worker.became(receipt.message_id))["status"] == "applied"

    (event,) = await attached(worker, case)
    assert event.say() == "Evidence attached: Okafor, Aminata – جواز.pdf (seen at the embassy)."
    (file,) = kept(store)
    assert file.name == event.file_hash == digest_of(io.BytesIO(file.read_bytes()))
    for digest in (
        event.file_hash,
        event.file_hash[:8],
        event.visible_details["content_hash"],
        event.visible_details["content_hash"][:12],
    ):
        found = await evidence(intake, store, case, digest)
        assert b"".join(found.pieces()) == PDF
        assert (found.file_name, found.media_type) == (about.file_name, "application/pdf")


async def test_the_same_file_twice_is_one_file_whoever_attaches_it(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    first, again = await given(intake, store, case), await given(intake, store, case, user="omar")
    assert (first.message_id, first.repeated) == (again.message_id, False)
    assert again.repeated
    await worker.became(first.message_id)
    assert len(await attached(worker, case)) == len(kept(store)) == 1


async def test_the_type_of_a_file_is_recognised_by_its_first_bytes(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    for content in KINDS.values():
        await worker.became((await given(intake, store, case, content, EvidenceDetails("innocent.exe"))).message_id)
    assert [event.visible_details["media_type"] for event in await attached(worker, case)] == list(KINDS)


async def test_a_file_of_another_type_is_declined(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    for content in (b"", b"MZ\x90\x00 a program", b"<html><script>", b"PK\x03\x04", b" %PDF-1.7", b"%PD"):
        with pytest.raises(DeclinedError) as declined:
            await given(intake, store, case, content)
        assert declined.value.problem == "media-type"
    assert kept(store) == []


async def test_a_file_beyond_the_limit_is_declined_during_the_upload(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    sizes = []

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size)
            return b"%PDF-" + bytes(size or 0)

    with pytest.raises(DeclinedError) as declined:
        await attach(intake, store, Endless(), EvidenceDetails("big.pdf"), holders=[case], cases=[case], user="fatima")
    assert declined.value.problem == "too-large"
    assert sum(size or 0 for size in sizes) < NEWEST.in_force.evidence_bytes + 1_000_000
    assert kept(store) == []


async def test_the_description_of_a_file_is_validated(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    for about in (
        EvidenceDetails(""),
        EvidenceDetails("x" * 121),
        EvidenceDetails("x", "n" * 2001),
        EvidenceDetails("x", None, "TRAF"),
    ):
        with pytest.raises(DeclinedError) as declined:
            await given(intake, store, case, about=about)
        assert declined.value.rule == "MESSAGE.INVALID"
    assert kept(store) == []


# Erasure


async def test_without_its_keys_a_file_is_unreadable_and_the_history_is_not(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    await worker.became((await given(intake, store, case)).message_id)
    (event,) = await attached(worker, case)
    await intake.keys.destroy(case)
    with pytest.raises(KeyErasedError):
        await evidence(intake, store, case, event.file_hash)
    with pytest.raises(DeclinedError) as declined:
        await given(intake, store, case, PDF + b"more")
    assert declined.value.problem == "erased"
    (erased,) = await attached(worker, case)
    assert erased.say() == "Evidence attached: [erased]."


async def test_a_scan_that_names_several_is_kept_once_and_gone_for_all_when_one_is_erased(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    one, other, silent = [await a_case(worker) for _ in range(3)]
    receipts = await attach(
        intake,
        store,
        io.BytesIO(PDF),
        EvidenceDetails("list.pdf"),
        holders=[one, other, silent],
        cases=[one, other],
        user="fatima",
    )
    for receipt in receipts:
        await worker.became(receipt.message_id)
    hashes = {event.file_hash for case in (one, other) for event in await attached(worker, case)}
    assert len(hashes) == len(kept(store)) == 1
    assert await attached(worker, silent) == []
    (file_hash,) = hashes
    assert b"".join((await evidence(intake, store, other, file_hash)).pieces()) == PDF

    await intake.keys.destroy(silent)

    for case in (one, other):
        with pytest.raises(KeyErasedError):
            await evidence(intake, store, case, file_hash)
    again = await attach(
        intake,
        store,
        io.BytesIO(PDF),
        EvidenceDetails("list.pdf"),
        holders=[one, other],
        cases=[one, other],
        user="fatima",
    )
    assert [receipt.repeated for receipt in again] == [True, True], "an attached file stays as it was"


# Tampering


async def test_a_missing_or_changed_file_raises_an_error(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case = await a_case(worker)
    await worker.became((await given(intake, store, case)).message_id)
    (file,) = kept(store)
    raw = file.read_bytes()
    file.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(TamperedError):
        await evidence(intake, store, case, file.name)
    file.unlink()
    with pytest.raises(FileNotStoredError):
        await evidence(intake, store, case, file.name)


async def test_a_file_is_found_only_in_the_case_that_names_it(
    worker: RunningWorker, intake: Intake, store: FolderContentStore
) -> None:
    case, other = await a_case(worker), await a_case(worker)
    await worker.became((await given(intake, store, case)).message_id)
    (event,) = await attached(worker, case)
    for stream, digest in ((other, event.file_hash), (case, event.file_hash[:7]), (case, ""), (case, "zz" * 32)):
        with pytest.raises(EvidenceNotFoundError):
            await evidence(intake, store, stream, digest)


async def test_staff_cannot_send_attach_evidence_without_a_file(
    worker: RunningWorker, intake: Intake, database: Database
) -> None:
    case = await a_case(worker)
    number = await intake.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case)
    message = {"message": "AttachEvidence", "file_hash": "ab" * 32, "content_hash": "cd" * 32, "file_name": "x"}
    async with an_app(database) as client:
        answer = await client.post(
            f"/api/v1/cases/{number}/messages", json={**message, "media_type": "image/png", "size": 1},
            headers={"Idempotency-Key": "k"},
        )  # fmt: skip
        assert answer.status_code == 422
        assert "AttachEvidence cannot be sent by staff" in answer.json()["detail"]
        assert (await client.get("/schemas/AttachEvidence.json")).status_code == 404
    assert await attached(worker, case) == []


# Over HTTP


async def test_a_file_is_uploaded_and_downloaded_over_http_with_its_name_in_a_header(
    worker: RunningWorker, intake: Intake, database: Database, tmp_path: Path
) -> None:
    case = await a_case(worker)
    number = await intake.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case)
    where = f"/api/v1/cases/{number}/files"
    labels = {"X-Awda-File-Name": "Rapport%20m%C3%A9dical.pdf", "X-Awda-Note": "clinic", "X-Awda-Compartment": "MED"}
    async with an_app(database, files=tmp_path / "files") as client:
        unkeyed = await client.post(where, content=PDF, headers={"content-type": "application/pdf", **labels})
        assert (unkeyed.status_code, unkeyed.json()["type"]) == (400, "/problems/bad-key")
        client.headers["Idempotency-Key"] = "k"
        answer = await client.post(where, content=PDF, headers={"content-type": "application/pdf", **labels})
        assert answer.status_code == 202, answer.text
        await worker.became(UUID(answer.json()["message_id"]))
        (event,) = await attached(worker, case)
        assert event.say() == "Evidence attached: Rapport médical.pdf (clinic)."
        assert event.care_about is not None
        file = await client.get(f"{where}/{event.file_hash}")
        assert (file.status_code, file.content) == (200, PDF)
        assert file.headers["content-disposition"] == "attachment; filename*=UTF-8''Rapport%20m%C3%A9dical.pdf"
        assert file.headers["x-content-type-options"] == "nosniff"

        refused = {
            415: await client.post(where, content=b"<html>", headers={"content-type": "application/pdf"}),
            413: await client.post(where, content=b"%PDF-" + bytes(NEWEST.in_force.evidence_bytes)),
            404: await client.get(f"{where}/{'ab' * 32}"),
            422: await client.post(where, content=PDF, headers={"X-Awda-Compartment": "TRAF"}),
        }
        lied = await client.post(where, content=PDF + b"x", headers={"content-type": "image/png"})
        assert {status: answer.status_code for status, answer in refused.items()} == {each: each for each in refused}
        assert lied.status_code == 415
        elsewhere = await client.post("/api/v1/cases/LBY-2026-999999/files", content=PDF)
        assert elsewhere.status_code == 404
        await intake.keys.destroy(case)
        assert (await client.get(f"{where}/{event.file_hash}")).status_code == 410
    assert len(await attached(worker, case)) == 1


async def test_a_gateway_without_a_content_store_says_so(
    worker: RunningWorker, intake: Intake, database: Database
) -> None:
    case = await a_case(worker)
    number = await intake.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case)
    async with an_app(database) as client:
        answer = await client.post(f"/api/v1/cases/{number}/files", content=PDF, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 503
    assert "AWDA_FILES" in answer.json()["detail"]
