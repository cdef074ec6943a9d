"""Names and heads of modules: no public class name twice, no module or package without its docstring."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]

FOLDERS: Final = (
    "domain", "store", "gateway", "cli", "audit", "workers", "workflows", "activities", "simulator",
    "bench", "tools", "tests",
)  # fmt: skip

MODULES: Final = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))

PACKAGES: Final = [module.parent for module in MODULES if module.name == "__init__.py"]


def titled(path: Path) -> str:
    return str(path.relative_to(ROOT))


def docstring_of(source: str) -> str:
    return ast.get_docstring(ast.parse(source)) or ""


def public_classes(source: str) -> list[str]:
    """The classes that a module defines at its top level and does not mark as private."""
    found = (node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    return [name for name in found if not name.startswith("_")]


def defined_twice(sources: dict[str, str]) -> dict[str, list[str]]:
    """The names that more than one class has, with the modules that define them."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module, source in sources.items():
        for name in public_classes(source):
            places[name].append(module)
    return {name: modules for name, modules in places.items() if len(modules) > 1}


def test_every_top_level_package_is_covered() -> None:
    assert {each.name for each in ROOT.iterdir() if (each / "__init__.py").exists()} <= set(FOLDERS)


def test_no_public_class_name_is_defined_twice() -> None:
    assert defined_twice({titled(module): module.read_text(encoding="utf-8") for module in MODULES}) == {}


def test_every_module_has_a_docstring() -> None:
    assert [titled(module) for module in MODULES if not docstring_of(module.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("package", PACKAGES, ids=titled)
def test_the_head_of_a_package_says_where_to_start_and_the_file_is_there(package: Path) -> None:
    head = docstring_of((package / "__init__.py").read_text(encoding="utf-8"))
    assert 2 <= len(head.replace("\n\n", "\n").splitlines()) <= 5
    start = re.search(r"Start\s+with\s+``([^`]+)``", head)
    assert start, "the head names the file to start with"
    assert (package / start[1]).exists(), start[1]


@pytest.mark.parametrize(
    ("sources", "twice"),
    [
        ({"a.py": "class A: ...", "b.py": "class B: ..."}, {}),
        ({"a.py": "class A: ...", "b.py": "class A: ..."}, {"A": ["a.py", "b.py"]}),
        ({"a.py": "class A: ...\nclass A: ..."}, {"A": ["a.py", "a.py"]}),
        ({"a.py": "class _A: ...", "b.py": "class _A: ..."}, {}),
        ({"a.py": "class A:\n class B: ...", "b.py": "class B: ..."}, {}),
    ],
)
def test_a_name_that_is_defined_twice_is_found(sources: dict[str, str], twice: dict[str, list[str]]) -> None:
    assert defined_twice(sources) == twice
