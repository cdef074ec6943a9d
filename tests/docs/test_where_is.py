"""The page "Where is…?" names files that exist, and names that are defined in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

PAGE: Final = (ROOT / "docs" / "where-is.md").read_text(encoding="utf-8")

ROWS: Final = re.findall(r"^\| (.+\?) \| `([^`]+)` \|(?: `(\w+)`)? \|$", PAGE, re.MULTILINE)


def defined_in(file: Path) -> set[str]:
    """Returns what a module defines at its top level, or which functions a migration creates."""
    source = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        return set(names_of(ast.parse(source)))
    return set(re.findall(r"CREATE (?:TABLE|VIEW|FUNCTION) (\w+)", source))


def names_of(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            yield from (ast.unparse(target) for target in targets)


def test_the_page_answers_at_least_twenty_five_questions_in_rows_of_one_form() -> None:
    assert len(ROWS) >= 25
    assert len({question for question, _, _ in ROWS}) == len(ROWS)
    table_rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Question")]
    assert len(table_rows) == len(ROWS)


@pytest.mark.parametrize(("question", "path", "name"), ROWS, ids=[question for question, _, _ in ROWS])
def test_the_file_exists_and_defines_the_name(question: str, path: str, name: str) -> None:
    assert (ROOT / path).is_file(), question
    assert not name or name in defined_in(ROOT / path), f"{path} does not define {name}"
    assert name or Path(path).suffix not in {".py", ".sql"}, f"{question} needs a name to look for"
