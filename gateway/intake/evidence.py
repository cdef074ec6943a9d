"""Files for a case: taken in piece by piece, sealed on the way, kept, and only then told to the case.

A file is looked at no further than its first bytes, which say what it is; nothing in it is drawn or carried out.
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
from gateway.intake.validation import sentence, unfit
from store.content_store import ContentStore, FileSealer, OpenedFile, open_file
from store.log.mapper import KeyErasedError
from store.messages.inbox import IncomingMessage, Receipt, encode_message, message_id_for
from store.postgres.notifier import INBOX

SOURCE: Final = "evidence"
"""All files are one sender's: whoever attaches one, it is the same file."""

BEGINNINGS: Final[Mapping[bytes, str]] = {
    b"%PDF-": "application/pdf",
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
}
"""What a file is, by how it begins. Its name and its sender's word count for nothing."""

LONGEST_BEGINNING: Final = max(map(len, BEGINNINGS))

SHORTEST_DIGEST: Final = 8


class EvidenceNotFoundError(LookupError):
    """The case has no such file."""


@dataclass(frozen=True, slots=True)
class EvidenceDetails:
    """What is said of a file. ``compartment``: under which of the cases' keys it is kept."""

    file_name: str
    note: str | None = None
    compartment: str = "GEN"
    sheet_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AttachmentReceipt:
    """One case's receipt. ``repeated``: it had the file already."""

    stream_id: UUID
    message_id: UUID
    repeated: bool
    status: str


class EvidenceUpload:
    """One file being taken in."""

    def __init__(self, intake: Intake, sealing: FileSealer, about: EvidenceDetails) -> None:
        self.intake, self.about = intake, about
        self.media_type = ""
        self._sealing, self._begin, self._size = sealing, b"", 0

    def feed(self, piece: bytes) -> None:
        """The next bytes. Raises ``DeclinedError`` as soon as it is known that the file cannot be taken."""
        self._size += len(piece)
        if self._size > NEWEST.in_force.evidence_bytes:
            limit = NEWEST.in_force.evidence_bytes // 1_000_000
            raise DeclinedError("too-large", f"a file may have {limit} MB: scan it in grey, or in fewer pages")
        if not self.media_type:
            self._begin += piece[:LONGEST_BEGINNING]
            if len(self._begin) >= LONGEST_BEGINNING:
                self._recognise()
        self._sealing.feed(piece)

    async def finish(
        self, store: ContentStore, cases: Sequence[UUID], user: str, *, claimed: str | None = None
    ) -> list[AttachmentReceipt]:
        """Keep the file and tell these cases of it, each once. ``claimed``: what its sender says it is.

        Raises ``DeclinedError``.
        """
        if not self.media_type:
            self._recognise()
        if claimed not in (None, self.media_type):
            raise DeclinedError("media-type", f"the file begins as {self.media_type} and is sent as something else")
        sealed = self._sealing.finish()
        try:
            ids = {case: self._message_id(case, sealed.content_hash) for case in cases}
            there = await _received(self.intake, ids)
            if len(there) < len(ids):
                await asyncio.to_thread(store.put, sealed.name, sealed.bytes)
        finally:
            sealed.bytes.close()
        fields = {
            "file_hash": sealed.name,
            "content_hash": sealed.content_hash,
            "size": sealed.size,
            "media_type": self.media_type,
            **_said(self.about),
        }
        return [there.get(case) or await self._tell(case, message_id, fields, user) for case, message_id in ids.items()]

    def drop(self) -> None:
        """Forget what was taken in so far; after ``finish`` there is nothing to forget."""
        self._sealing.drop()

    def _recognise(self) -> None:
        kind = next((kind for begins, kind in BEGINNINGS.items() if self._begin.startswith(begins)), None)
        if kind not in NEWEST.in_force.evidence_types:
            allowed = ", ".join(each.rpartition("/")[2].upper() for each in NEWEST.in_force.evidence_types)
            raise DeclinedError("media-type", f"only these kinds of files are taken: {allowed}")
        self.media_type = str(kind)

    def _message_id(self, case: UUID, content_hash: str) -> UUID:
        parts = (case.bytes, self.about.compartment.encode(), content_hash.encode())
        return message_id_for(SOURCE, self.intake.keys.master.fingerprint(b"evidence", *parts).hex())

    async def _tell(self, case: UUID, message_id: UUID, fields: Mapping[str, Any], user: str) -> AttachmentReceipt:
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


def _said(about: EvidenceDetails) -> dict[str, Any]:
    told = {"file_name": about.file_name, "note": about.note, "compartment": about.compartment}
    return {**told, "sheet_id": str(about.sheet_id) if about.sheet_id else None}


async def begin(intake: Intake, about: EvidenceDetails, holders: Sequence[UUID]) -> EvidenceUpload:
    """Begin to take in a file in which all of these cases are named. Raises ``DeclinedError``."""
    likely = {"file_hash": "0" * 64, "content_hash": "0" * 64, "size": 0, "media_type": "application/pdf"}
    if flaws := unfit(AttachEvidence, {**likely, **_said(about)}):
        raise DeclinedError("invalid-message", sentence(flaws), rule="MESSAGE.INVALID", flaws=tuple(flaws))
    rings = await intake.keys.keyrings(holders, (about.compartment,))
    try:
        return EvidenceUpload(intake, FileSealer(list(rings.values()), about.compartment), about)
    except KeyErasedError:
        said = "somebody named in this file was erased: black them out, and attach it to the others' cases one by one"
        raise DeclinedError("erased", said) from None


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
    """Take in a file that is at hand, for some of the cases that are named in it. Raises ``DeclinedError``."""
    taking = await begin(intake, about, holders)
    try:
        while piece := file.read(LARGEST_PIECE):
            taking.feed(piece)
        return await taking.finish(store, cases, user)
    finally:
        taking.drop()


LARGEST_PIECE: Final = 256 * 1024


async def _received(intake: Intake, ids: Mapping[UUID, UUID]) -> dict[UUID, AttachmentReceipt]:
    """The cases that were told of this file before."""
    query = "SELECT message_id, status FROM inbox WHERE message_id = ANY ($1)"
    found = {row["message_id"]: row["status"] for row in await intake.pool.fetch(query, list(ids.values()))}
    return {
        case: AttachmentReceipt(case, message_id, repeated=True, status=found[message_id])
        for case, message_id in ids.items()
        if message_id in found
    }


# Looking at one again


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file of a case, open for reading."""

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
    """The file of a case with this digest, or the beginning of it: of what is stored, or of what it holds.

    Raises ``EvidenceNotFoundError``, ``NoSuchFile``, ``KeyErasedError`` and ``Tampered``.
    """
    event = await _attached_under(intake, stream_id, digest.strip().lower())
    if not event.visible_details:
        raise KeyErasedError("the keys of this file have been destroyed")
    stored = await asyncio.to_thread(store.open, event.file_hash)
    try:
        opened = await open_file(intake.pool, intake.keys.master, stored)
    except Exception:
        stored.close()
        raise
    told = event.visible_details
    return EvidenceFile(str(told["name"]).strip(), str(told["media_type"]), str(told["content_hash"]), opened)


async def _attached_under(intake: Intake, stream_id: UUID, digest: str) -> EvidenceAttached:
    entries = (await replay(intake.pool, intake.keys, stream_id)).entries
    attached = [entry.event for entry in entries if isinstance(entry.event, EvidenceAttached)]
    if len(digest) >= SHORTEST_DIGEST:
        for event in attached:
            if event.file_hash.startswith(digest) or str(event.visible_details.get("content_hash", "")).startswith(
                digest
            ):
                return event
    raise EvidenceNotFoundError(f"this case has no file {digest[:64]!r}; its history names those it has")
