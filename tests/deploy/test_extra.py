"""The optional FHIR dependencies: their lock file agrees with the main one and adds little."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

PIN: Final = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+) \\$", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text()))


def test_the_extra_changes_no_version_of_what_is_here_already() -> None:
    ours, extra = pins("requirements.lock"), pins("requirements-fhir.lock")
    assert {name: ours[name] for name in extra if name in ours} == {n: v for n, v in extra.items() if n in ours}


def test_the_extra_brings_fhirs_models_and_nothing_else() -> None:
    assert pins("requirements-fhir.lock").keys() - pins("requirements.lock").keys() == {"fhir-resources", "fhir-core"}


def test_the_lock_of_the_extra_is_hashed_and_names_no_index() -> None:
    text = (ROOT / "requirements-fhir.lock").read_text()
    assert text.count("==") == len(PIN.findall(text))
    assert "--hash=sha256:" in text
    assert "http" not in text
    assert "--index" not in text
