"""Events about files attached to a case, and about signals recorded on behalf of a partner."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field

from domain.kernel.event import Compartment, Event, Sealed

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256")]

FileName = Annotated[str, Field(min_length=1, max_length=120)]


# Events


class EvidenceAttached(Event):
    """A file was attached. Its name, type and note are sealed; only the digest that locates it is public."""

    TOPIC: ClassVar[str] = "EvidenceAttached"
    SENTENCE: ClassVar[str] = "Evidence attached: {name}."

    file_hash: Digest
    sheet_id: UUID | None = None
    about: Annotated[dict[str, Any] | None, Sealed(Compartment.GEN)] = None
    care_about: Annotated[dict[str, Any] | None, Sealed(Compartment.MED)] = None
    protection_about: Annotated[dict[str, Any] | None, Sealed(Compartment.PROT)] = None

    @property
    def visible_details(self) -> dict[str, Any]:
        """Name, media type, note, size and digest of the file, as far as the reader's compartments allow."""
        return self.about or self.care_about or self.protection_about or {}

    def sentence_values(self) -> dict[str, Any]:
        note = self.visible_details.get("note")
        name = str(self.visible_details.get("name", "")).strip() or None
        return {**self.facts, "name": f"{name} ({note})" if name and note else name}


class SignalRecordedOnBehalf(Event):
    """A member of staff recorded a signal on behalf of a partner; the event names both."""

    TOPIC: ClassVar[str] = "SignalRecordedOnBehalf"
    SENTENCE: ClassVar[str] = "Signal recorded by {recorded_by:actor} on behalf of {partner_id}{source}."

    signal_id: UUID
    referral_id: UUID
    partner_id: str
    recorded_by: str
    sheet_id: UUID | None = None

    def sentence_values(self) -> dict[str, Any]:
        return {**self.facts, "source": f", from sheet {self.sheet_id}" if self.sheet_id else ""}
