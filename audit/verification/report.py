"""What a verification says: what was counted, what was found, and what could not be looked at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from store.log.rows import StreamHead


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be. ``case`` is its number; ``detail`` names the version and the rule."""

    kind: str
    case: str
    detail: str


@dataclass
class Report:
    """Never clean when a part could not be checked."""

    checked: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """``clean``, ``findings`` or ``not_checked``."""
        if self.findings:
            return "findings"
        return "not_checked" if self.unchecked else "clean"

    def as_json(self) -> dict[str, Any]:
        """The report as ``awda verify --json`` prints it."""
        found = [{"kind": each.kind, "case": each.case, "detail": each.detail} for each in self.findings]
        told = {"result": self.result, "checked": dict(sorted(self.checked.items())), "findings": found}
        return told | ({"unchecked": self.unchecked} if self.unchecked else {})

    def __str__(self) -> str:
        lines = [f"{each.case or '-'} {each.kind}: {each.detail}" for each in self.findings]
        return "\n".join([self.result, *lines, *self.unchecked])


def about(head: StreamHead, version: int, what: str, kind: str) -> Finding:
    """A finding at one version of one stream."""
    return Finding(kind, head.number, f"version {version}: {what}")
