"""Evidence: files that belong to a case, and whose hand put in what a partner said.

A file itself is no business of the rules: they know what it is called, and by which digest its sealed bytes are found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from domain.case.aggregate import Case
from domain.commands.case import AttachEvidence
from domain.events.evidence import EvidenceAttached
from domain.kernel.context import Context
from domain.kernel.event import Compartment, Event

NAME_ROOM: Final = 120  # every name is sealed at this length, so that none shows by its own

FOR_FILES: Final = (Compartment.GEN, Compartment.MED, Compartment.PROT)
"""Under which keys a file may be sealed: for whoever works on the case, for medical staff, for protection staff."""


# Rules

SEALED_AS: Final = {"GEN": "about", "MED": "care_about", "PROT": "protection_about"}


def attach_evidence(_case: Case, report: AttachEvidence, _ctx: Context) -> Iterator[Event]:
    about = {
        "name": report.file_name.ljust(NAME_ROOM),
        "media_type": report.media_type,
        "note": report.note,
        "size": report.size,
        "content_hash": report.content_hash,
    }
    kept: dict[str, Any] = {SEALED_AS[report.compartment]: about}
    yield EvidenceAttached(file_hash=report.file_hash, sheet_id=report.sheet_id, **kept)
