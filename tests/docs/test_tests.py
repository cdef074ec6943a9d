"""Every test can fail: it asserts something itself, or calls a helper whose name states that it asserts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).resolve().parents[1]

ASSERTING: Final = ("assert_", "raises", "fail")

BY_THE_LIBRARY: Final = {"test_subscribers_hear_every_event_once_in_order"}


def asserts(test: ast.AST) -> bool:
    calls = (node.func for node in ast.walk(test) if isinstance(node, ast.Call))
    names = (ast.unparse(called).rpartition(".")[2] for called in calls)
    return any(isinstance(node, ast.Assert) for node in ast.walk(test)) or any(map(says_so, names))


def says_so(name: str) -> bool:
    return name.startswith(ASSERTING)


def found_in(source: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node


@pytest.mark.parametrize("file", sorted(TESTS.rglob("test_*.py")), ids=lambda file: file.stem)
def test_every_test_can_be_false(file: Path) -> None:
    silent = {test.name for test in found_in(file.read_text(encoding="utf-8")) if not asserts(test)}
    assert silent <= BY_THE_LIBRARY


@pytest.mark.parametrize(
    ("source", "silent"),
    [
        ("def test_a(): assert x", False),
        ("async def test_a(): await h.assert_verified()", False),
        ("def test_a():\n with pytest.raises(E): f()", False),
        ("def test_a(): in_order(events)", True),
    ],
)
def test_a_test_that_asserts_nothing_is_found(source: str, silent: bool) -> None:
    (test,) = found_in(source)
    assert asserts(test) is not silent
