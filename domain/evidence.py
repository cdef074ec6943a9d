"""Evidence: files that belong to a case, and whose hand put in what a partner said.

A file itself is no business of the rules: they know what it is called, and by which digest its sealed bytes are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import Field

from domain.case import Case
from domain.event import Compartment, Event, Sealed
from domain.messages import Message, ReceivePartnerSignal, Word
from domain.moment import Moment

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256")]
FileName = Annotated[str, Field(min_length=1, max_length=120)]

NAME_ROOM: Final = 120  # every name is sealed at this length, so that none shows by its own
FOR_FILES: Final = (Compartment.GEN, Compartment.MED, Compartment.PROT)
"""Under which keys a file may be sealed: for whoever works on the case, for medical staff, for protection staff."""

# Facts


class EvidenceAttached(Event):
    """A file was attached. What it is called, holds and proves is sealed; outside stands only where its bytes are."""

    TOPIC: ClassVar[str] = "EvidenceAttached"
    SENTENCE: ClassVar[str] = "Evidence attached: {name}."

    file_hash: Digest
    sheet_id: UUID | None = None
    about: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    care_about: Annotated[dict[str, Any] | None, Sealed(Compartment.MED)] = None
    protection_about: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def told(self) -> dict[str, Any]:
        """Name, media type, note, size and digest of the file, as far as this reader may know."""
        return self.about or self.care_about or self.protection_about or {}

    def say(self) -> str:
        note = self.told.get("note")
        name = str(self.told.get("name", "")).strip() or "[erased]"
        return self.SENTENCE.format(name=f"{name} ({note})" if note else name)


class SignalRecordedOnBehalf(Event):
    """A partner said it, and one of us put it in: both are named, so that neither can be taken for the other."""

    TOPIC: ClassVar[str] = "SignalRecordedOnBehalf"
    SENTENCE: ClassVar[str] = "Recorded by {recorded_by} on behalf of {partner_id}."

    signal_id: UUID
    referral_id: UUID
    partner_id: str
    recorded_by: str
    sheet_id: UUID | None = None

    def say(self) -> str:
        said = super().say()
        return said if self.sheet_id is None else f"{said[:-1]}, from sheet {self.sheet_id}."


# Messages


class AttachEvidence(Message):
    """A file that has been sealed and kept. Comes only with its file, through the door for files."""

    FROM: ClassVar[str] = "file"

    file_hash: Digest
    content_hash: Digest
    file_name: FileName
    media_type: Word
    size: Annotated[int, Field(ge=0)]
    note: Annotated[str, Field(max_length=2000)] | None = None
    compartment: Literal["GEN", "MED", "PROT"] = "GEN"
    sheet_id: UUID | None = None


# Rules

SEALED_AS: Final = {"GEN": "about", "MED": "care_about", "PROT": "protection_about"}


def attach(_case: Case, report: AttachEvidence, _m: Moment) -> Iterator[Event]:
    about = {
        "name": report.file_name.ljust(NAME_ROOM),
        "media_type": report.media_type,
        "note": report.note,
        "size": report.size,
        "content_hash": report.content_hash,
    }
    kept: dict[str, Any] = {SEALED_AS[report.compartment]: about}
    yield EvidenceAttached(file_hash=report.file_hash, sheet_id=report.sheet_id, **kept)


def on_behalf(referral_id: UUID, signal: ReceivePartnerSignal, m: Moment) -> Iterator[Event]:
    """Who put the signal in, when it was not the partner. The sender is known by the door, never by what is said."""
    if m.actor.startswith("staff:"):
        yield SignalRecordedOnBehalf(
            signal_id=signal.signal_id,
            referral_id=referral_id,
            partner_id=signal.partner_id,
            recorded_by=m.actor,
            sheet_id=signal.sheet_id,
        )
