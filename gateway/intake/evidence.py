"""Evidence files of cases: read in pieces, encrypted on the way, stored, and only then recorded in the case.

Only the first bytes of a file are examined, to recognise its type. Its content is never rendered or executed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final
from uuid import UUID

from audit.replay import replay
from domain.commands.case import AttachEvidence
from domain.events.evidence import EvidenceAttached
from domain.kernel.policy import NEWEST
from gateway.intake.service import Intake
from gateway.intake.submission import DeclinedError
from gateway.intake.validation import schema_errors, sentence
from store.content_store import ContentStore, FileSealer, OpenedFile, open_file
from store.log.mapper import KeyErasedError
from store.messages.inbox import IncomingMessage, Receipt, encode_message, message_id_for
from store.postgres.notifier import INBOX

SOURCE: Final = "evidence"
"""One source for all files, so that the same file is one message, whichever user attaches it."""

FILE_SIGNATURES: Final[Mapping[bytes, str]] = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
"""Media types by the first bytes of a file. Its name and declared type are not trusted."""

LONGEST_SIGNATURE: Final = max(map(len, FILE_SIGNATURES))

SHORTEST_DIGEST: Final = 8


class EvidenceNotFoundError(LookupError):
    """The case has no such file."""


@dataclass(frozen=True, slots=True)
class EvidenceDetails:
    """Description of a file. ``compartment``: under which of the cases' keys it is encrypted."""

    file_name: str
    note: str | None = None
    compartment: str = "GEN"
    sheet_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AttachmentReceipt:
    """Receipt of one case. ``repeated``: the case had the file already."""

    stream_id: UUID
    message_id: UUID
    repeated: bool
    status: str


class EvidenceUpload:
    """A file that is being received."""

    def __init__(self, intake: Intake, sealing: FileSealer, about: EvidenceDetails) -> None:
        self.intake, self.about = intake, about
        self.media_type = ""
        self._sealing, self._first_bytes, self._size = sealing, b"", 0

    def feed(self, piece: bytes) -> None:
        """Adds the next bytes. Raises ``DeclinedError`` as soon as it is clear that the file cannot be accepted."""
        self._size += len(piece)
        if self._size > NEWEST.in_force.evidence_bytes:
            limit = NEWEST.in_force.evidence_bytes // 1_000_000
            raise DeclinedError("too-large", f"A file may have at most {limit} MB. Scan it in grey, or in fewer pages.")
        if not self.media_type:
            self._first_bytes += piece[:LONGEST_SIGNATURE]
            if len(self._first_bytes) >= LONGEST_SIGNATURE:
                self._recognise()
        self._sealing.feed(piece)

    async def finish(
        self, store: ContentStore, cases: Sequence[UUID], user: str, *, claimed: str | None = None
    ) -> list[AttachmentReceipt]:
        """Stores the file and records it in these cases, once in each. Raises ``DeclinedError``.

        ``claimed`` is the media type that the sender declared; it must be that of the content.
        """
        if not self.media_type:
            self._recognise()
        if claimed is not None and claimed != self.media_type:
            raise DeclinedError(
                "media-type",
                f"The file's content is {self.media_type}, but it was sent as {claimed[:60]}. Correct that.",
            )
        sealed = self._sealing.finish()
        try:
            ids = {case: self._message_id(case, sealed.content_hash) for case in cases}
            known = await _received(self.intake, ids)
            if len(known) < len(ids):
                await asyncio.to_thread(store.put, sealed.name, sealed.bytes)
        finally:
            sealed.bytes.close()
        fields = {
            "file_hash": sealed.name,
            "content_hash": sealed.content_hash,
            "size": sealed.size,
            "media_type": self.media_type,
            **_description(self.about),
        }
        return [
            known.get(case) or await self._record(case, message_id, fields, user) for case, message_id in ids.items()
        ]

    def drop(self) -> None:
        """Discards what was received so far. Has no effect after ``finish``."""
        self._sealing.drop()

    def _recognise(self) -> None:
        kind = next((kind for begins, kind in FILE_SIGNATURES.items() if self._first_bytes.startswith(begins)), None)
        if kind not in NEWEST.in_force.evidence_types:
            allowed = ", ".join(each.rpartition("/")[2].upper() for each in NEWEST.in_force.evidence_types)
            raise DeclinedError("media-type", f"The file's type is not accepted. Accepted are {allowed}.")
        self.media_type = str(kind)

    def _message_id(self, case: UUID, content_hash: str) -> UUID:
        parts = (case.bytes, self.about.compartment.encode(), content_hash.encode())
        return message_id_for(SOURCE, self.intake.keys.master.fingerprint(b"evidence", *parts).hex())

    async def _record(self, case: UUID, message_id: UUID, fields: Mapping[str, Any], user: str) -> AttachmentReceipt:
        actor = f"staff:{user}"
        body = encode_message("AttachEvidence", fields)
        receipt = await self.intake.inbox.put(
            IncomingMessage(message_id, case, "staff", "staff.message", body, actor, actor)
        )
        if receipt.status == "pending":
            self.intake.notifier.notify(INBOX, case)
        return _attached(case, receipt)


def _attached(case: UUID, receipt: Receipt) -> AttachmentReceipt:
    return AttachmentReceipt(case, receipt.message_id, receipt.repeated, receipt.status)


def _description(about: EvidenceDetails) -> dict[str, Any]:
    described = {"file_name": about.file_name, "note": about.note, "compartment": about.compartment}
    return {**described, "sheet_id": str(about.sheet_id) if about.sheet_id else None}


async def begin(intake: Intake, about: EvidenceDetails, holders: Sequence[UUID]) -> EvidenceUpload:
    """Starts to receive a file in which all of these cases are named. Raises ``DeclinedError``."""
    placeholder = {"file_hash": "0" * 64, "content_hash": "0" * 64, "size": 0, "media_type": "application/pdf"}
    if errors := schema_errors(AttachEvidence, {**placeholder, **_description(about)}):
        raise DeclinedError(
            "invalid-message", sentence(errors, values=True), rule="MESSAGE.INVALID", flaws=tuple(errors)
        )
    keyrings = await intake.keys.keyrings(holders, (about.compartment,))
    try:
        return EvidenceUpload(intake, FileSealer(list(keyrings.values()), about.compartment), about)
    except KeyErasedError:
        raise DeclinedError(
            "erased",
            "The data of a person named in this file was erased. Black the person out, and attach the file to the other"
            " cases one by one.",
        ) from None


async def attach(
    intake: Intake,
    store: ContentStore,
    file: IO[bytes],
    about: EvidenceDetails,
    *,
    holders: Sequence[UUID],
    cases: Sequence[UUID],
    user: str,
) -> list[AttachmentReceipt]:
    """Stores an open file and records it in some of the cases that are named in it. Raises ``DeclinedError``."""
    upload = await begin(intake, about, holders)
    try:
        while piece := file.read(LARGEST_PIECE):
            upload.feed(piece)
        return await upload.finish(store, cases, user)
    finally:
        upload.drop()


LARGEST_PIECE: Final = 256 * 1024


async def _received(intake: Intake, ids: Mapping[UUID, UUID]) -> dict[UUID, AttachmentReceipt]:
    """Returns the receipts of the cases that have this file already."""
    query = "SELECT message_id, status FROM inbox WHERE message_id = ANY ($1)"
    found = {row["message_id"]: row["status"] for row in await intake.pool.fetch(query, list(ids.values()))}
    return {
        case: AttachmentReceipt(case, message_id, repeated=True, status=found[message_id])
        for case, message_id in ids.items()
        if message_id in found
    }


# Reading


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of a case, opened for reading."""

    file_name: str
    media_type: str
    content_hash: str
    opened: OpenedFile

    def pieces(self) -> Iterator[bytes]:
        try:
            yield from self.opened.pieces()
        finally:
            self.opened.close()


async def evidence(intake: Intake, store: ContentStore, stream_id: UUID, digest: str) -> EvidenceFile:
    """Opens the file of a case by its digest or the first characters of it, of the encrypted file or of its content.

    Raises ``EvidenceNotFoundError``, ``FileNotStoredError``, ``KeyErasedError`` and ``TamperedError``.
    """
    event = await _attached_under(intake, stream_id, digest.strip().lower())
    if not event.visible_details:
        raise KeyErasedError("The keys of this file were destroyed, so it cannot be read any more.")
    stored = await asyncio.to_thread(store.open, event.file_hash)
    try:
        opened = await open_file(intake.pool, intake.keys.master, stored)
    except Exception:
        stored.close()
        raise
    details = event.visible_details
    return EvidenceFile(str(details["name"]).strip(), str(details["media_type"]), str(details["content_hash"]), opened)


async def _attached_under(intake: Intake, stream_id: UUID, digest: str) -> EvidenceAttached:
    entries = (await replay(intake.pool, intake.keys, stream_id)).entries
    attached = [entry.event for entry in entries if isinstance(entry.event, EvidenceAttached)]
    if len(digest) >= SHORTEST_DIGEST:
        for event in attached:
            if event.file_hash.startswith(digest) or str(event.visible_details.get("content_hash", "")).startswith(
                digest
            ):
                return event
    raise EvidenceNotFoundError(f"This case has no file {digest[:64]!r}. The case's history lists its files.")
