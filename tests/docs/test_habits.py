"""What developers rely on: root commands, markers, and the files that editors and Git read."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest
import yaml

ROOT: Final = Path(__file__).resolve().parents[2]

MAKEFILE: Final = (ROOT / "Makefile").read_text()

PHONY: Final = frozenset(MAKEFILE.partition(".PHONY:")[2].splitlines()[0].split())

SETTINGS: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())

COMMIT: Final = re.compile(r"[0-9a-f]{40}")

INDEX: Final = re.compile(r"index-url|find-links|pypi|https?://[^/\s]*(registry|index)", re.IGNORECASE)

RULES_WITHOUT_ERROR_SUFFIX: Final = {"Rejected", "TooEarly", "Unroutable"}


def lines_of(name: str) -> list[str]:
    """The lines of a file that are neither empty nor comments."""
    return [line for line in (ROOT / name).read_text().splitlines() if line.strip() and not line.startswith("#")]


def test_every_root_command_has_a_line_of_help() -> None:
    described = set(re.findall(r"^([a-z]+):.*## .+", MAKEFILE, re.MULTILINE))
    assert described == PHONY
    assert {"up", "test", "unit", "fmt", "typecheck", "check", "demo", "bench", "lock"} <= described


def test_unknown_markers_are_errors_and_the_known_ones_are_described() -> None:
    pytest_settings = SETTINGS["tool"]["pytest"]["ini_options"]
    assert "--strict-markers" in pytest_settings["addopts"]
    described = dict(marker.split(": ", 1) for marker in pytest_settings["markers"])
    assert described.keys() == {"unit", "integration", "slow", "exclusive"}


def test_every_line_of_the_blame_list_is_a_whole_commit_id() -> None:
    ids = lines_of(".git-blame-ignore-revs")
    assert len(ids) >= 3
    assert [line for line in ids if not COMMIT.fullmatch(line)] == []


def test_hooks_before_a_commit_run_the_tools_of_this_project() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["id"] for hook in hooks if ".venv/bin/" not in hook["entry"]] == []


def test_the_python_version_is_the_one_that_is_checked_and_allowed() -> None:
    (version,) = lines_of(".python-version")
    assert SETTINGS["tool"]["mypy"]["python_version"] == version
    assert SETTINGS["project"]["requires-python"] == f">={version}"
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert container["image"].startswith(f"python:{version}-")


def test_the_owners_of_paths_own_paths_that_exist() -> None:
    owned = [line.split()[0] for line in lines_of(".github/CODEOWNERS")]
    assert owned[0] == "*"
    assert [path for path in owned[1:] if not any(ROOT.glob(path.strip("/")))] == []


@pytest.mark.parametrize(
    "name",
    ["Makefile", "pyproject.toml", ".pre-commit-config.yaml", "requirements.lock", "requirements-fhir.lock",
     "requirements-fuzz.lock", ".devcontainer/devcontainer.json"],
)  # fmt: skip
def test_no_file_names_a_package_index(name: str) -> None:
    text = (ROOT / name).read_text().replace("--no-emit-index-url", "").replace("--no-emit-find-links", "")
    assert INDEX.findall(text) == []


def test_coverage_measures_branches_of_every_package_that_runs() -> None:
    measured = SETTINGS["tool"]["coverage"]["run"]
    assert measured["branch"] is True
    packages = {each.name for each in ROOT.iterdir() if (each / "__init__.py").exists()}
    assert set(measured["source"]) == packages - {"bench", "tools"}


def test_only_the_outcomes_of_rules_are_exceptions_without_the_suffix_error() -> None:
    assert "N818" not in SETTINGS["tool"]["ruff"]["lint"]["ignore"]
    exempt = {
        name
        for file in ROOT.glob("[a-z]*/**/*.py")
        for name in re.findall(r"^class (\w+)\(.*# noqa: .*\bN818\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert exempt == RULES_WITHOUT_ERROR_SUFFIX
