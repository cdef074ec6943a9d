"""The result of a verification: the counts, the findings, and what could not be checked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from store.log.rows import StreamHead


@dataclass(frozen=True, slots=True)
class Finding:
    """One inconsistency. ``case`` is the number of the case; ``detail`` names the version and what is wrong."""

    kind: str
    case: str
    detail: str


@dataclass
class Report:
    """The report of a verification. It is never clean when a part could not be checked."""

    checked: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @property
    def result(self) -> str:
        """Returns ``clean``, ``findings`` or ``not_checked``."""
        if self.findings:
            return "findings"
        return "not_checked" if self.unchecked else "clean"

    def as_json(self) -> dict[str, Any]:
        """Returns the report as ``awda verify --json`` prints it."""
        findings = [{"kind": each.kind, "case": each.case, "detail": each.detail} for each in self.findings]
        report = {"result": self.result, "checked": dict(sorted(self.checked.items())), "findings": findings}
        return report | ({"unchecked": self.unchecked} if self.unchecked else {})

    def __str__(self) -> str:
        lines = [f"{each.case or '-'} {each.kind}: {each.detail}" for each in self.findings]
        return "\n".join([self.result, *lines, *self.unchecked])


def about(head: StreamHead, version: int, problem: str, kind: str) -> Finding:
    """Returns a finding about one version of one stream."""
    return Finding(kind, head.number, f"version {version}: {problem}")
