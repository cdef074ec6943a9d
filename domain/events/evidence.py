"""Events about files attached to a case, and about signals recorded on behalf of a partner."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from domain.kernel.event import Compartment, Event, Sealed

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256")]

FileName = Annotated[str, Field(min_length=1, max_length=120)]


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
