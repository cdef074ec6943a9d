"""Holds as data: what each type blocks, who owns it, and which blocks stop which checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.kernel.vocabulary import TRAVEL, Block, Checkpoint, HoldType

BLOCKED_BY: Final[Mapping[Checkpoint, frozenset[Block]]] = {
    Checkpoint.NOMINATE: frozenset({Block.MANIFEST}),
    Checkpoint.FREEZE: frozenset({Block.MANIFEST}),
    Checkpoint.CHECK_IN: frozenset({Block.MANIFEST, Block.BOARDING}),
    Checkpoint.BOARD: frozenset({Block.MANIFEST, Block.BOARDING}),
}

OWNER_OF = {
    HoldType.PROTECTION: "PROTECTION_OFFICER",
    HoldType.CHILD: "CHILD_PROTECTION_OFFICER",
    HoldType.MEDICAL: "MEDICAL_OFFICER",
    HoldType.CONSENT: "CASE_SUPERVISOR",
    HoldType.SAFETY: "PROTECTION_OFFICER",
    HoldType.DETENTION: "PROTECTION_OFFICER",
    HoldType.IDENTITY: "CASE_SUPERVISOR",
    HoldType.LEGAL: "PROTECTION_OFFICER",
    HoldType.FAMILY: "CHILD_PROTECTION_OFFICER",
    HoldType.CONTACT_LOST: "COUNSELLOR",
    HoldType.COMPLAINT_SAFEGUARD: "AAP_OFFICER",
    HoldType.FUNDING: "PROGRAMME_MANAGER",
}
"""The role that owns a hold of each type and may lift it (rule HOLD.OWNER)."""

BLOCKS: Final[Mapping[HoldType, frozenset[Block]]] = {
    HoldType.PROTECTION: TRAVEL | {Block.EMBASSY_DISCLOSURE, Block.AUTHORITY_DISCLOSURE},
    HoldType.CHILD: TRAVEL,
    HoldType.MEDICAL: frozenset({Block.BOARDING}),
    HoldType.CONSENT: TRAVEL | {Block.DISCLOSURE},
    HoldType.SAFETY: TRAVEL,
    HoldType.DETENTION: frozenset({Block.BOARDING}),
    HoldType.IDENTITY: TRAVEL,
    HoldType.LEGAL: frozenset({Block.BOARDING}),
    HoldType.FAMILY: frozenset({Block.BOARDING}),
    HoldType.CONTACT_LOST: frozenset({Block.MANIFEST}),
    HoldType.COMPLAINT_SAFEGUARD: frozenset(),
    HoldType.FUNDING: frozenset({Block.MANIFEST}),
}
