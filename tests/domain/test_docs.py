"""Generated pages are current, and the names in the glossary and the how-to pages exist in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from domain.decider import STAGES
from tools.docs import PAGE, main, page

ROOT = Path(__file__).parent.parent.parent

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for part in ("domain", "store", "activities", "workflows", "gateway")
    for path in (*(ROOT / part).rglob("*.py"), *(ROOT / part).rglob("*.sql"))
)


def test_the_page_of_the_procedure_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tools.docs"
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(\w+)`", GLOSSARY))))
def test_every_name_in_the_glossary_is_a_name_in_the_code(name: str) -> None:
    defined = rf"(?:class|def) {name}\b|^\s*{name}(?:: [^\n]+)?(?: =|$)"
    assert re.search(defined, CODE, re.MULTILINE), f"{name} is explained in docs/glossary.md and defined nowhere"


@pytest.mark.parametrize("title", [rules.title for rules in STAGES.values()])
def test_every_stage_is_in_the_glossary(title: str) -> None:
    assert title.casefold() in GLOSSARY.casefold()


@pytest.mark.parametrize("page_name", ["adding-a-stage.md", "changing-an-event.md"])
def test_every_file_and_test_that_a_page_names_exists(page_name: str) -> None:
    text = (ROOT / "docs" / page_name).read_text(encoding="utf-8")
    for path in re.findall(r"`((?:domain|tests|docs|tools)/[\w/.-]+\.(?:py|md|json))`", text):
        assert (ROOT / path).exists(), path
    for test in re.findall(r"`(test_\w+)`", text):
        assert any(
            f"def {test}(" in found.read_text(encoding="utf-8") for found in (ROOT / "tests" / "domain").rglob("*.py")
        )
