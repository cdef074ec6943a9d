"""Evidence: the handler that attaches files to a case.

Rules know only the name of a file and the digest by which its encrypted content is found, never the content.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from domain.case.aggregate import Case
from domain.commands.case import AttachEvidence
from domain.events.evidence import EvidenceAttached
from domain.kernel.context import Context
from domain.kernel.event import Compartment, Event

NAME_LENGTH: Final = 120
"""Names are padded to this length before sealing, so that the size of the sealed value does not reveal the name."""

FOR_FILES: Final = (Compartment.GEN, Compartment.MED, Compartment.PROT)
"""Compartments under which a file may be sealed: for case staff, for medical staff, for protection staff."""


SEALED_AS: Final = {"GEN": "about", "MED": "care_about", "PROT": "protection_about"}


def attach_evidence(_case: Case, command: AttachEvidence, _ctx: Context) -> Iterator[Event]:
    about = {
        "name": command.file_name.ljust(NAME_LENGTH),
        "media_type": command.media_type,
        "note": command.note,
        "size": command.size,
        "content_hash": command.content_hash,
    }
    kept: dict[str, Any] = {SEALED_AS[command.compartment]: about}
    yield EvidenceAttached(file_hash=command.file_hash, sheet_id=command.sheet_id, **kept)
