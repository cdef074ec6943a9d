"""The documentation is checked against the project: links, commands, files, checks, terms, the example history."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

from cli.main import COMMANDS
from domain.kernel.vocabulary import Stage
from tests.support.builders import a_closed_case

ROOT: Final = Path(__file__).resolve().parents[2]

PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").glob("*.md")])

DECISIONS: Final = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

README: Final = (ROOT / "README.md").read_text()

PARTS: Final = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]

LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)]*)?\)")

ANCHOR: Final = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)")

FILE: Final = re.compile(r"`((?:[a-z_]+/)+[\w.-]+\.(?:py|sql|toml|json|md|css|html|svg))`")

PICTURE: Final = ROOT / "docs" / "images" / "terminal.svg"

NAMED_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")

NAMED_CONTRACT: Final = re.compile(r"import contract \*(.+?)\*")

MAKE: Final = re.compile(r"\bmake ([a-z]+)\b")

AWDA: Final = re.compile(r"\bawda ([a-z]+)\b")

CODE: Final = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)

SEPARATORS: Final = re.compile(r"[\s_-]+")

TRAIL: Final = re.compile(r"^ *(\d+)  (\d\d \w{3}) (\d\d:\d\d)  (.+)$", re.MULTILINE)


def titled(page: Path) -> str:
    return str(page.relative_to(ROOT))


def section(page: Path, title: str) -> str:
    return page.read_text().split(f"## {title}\n", 1)[-1].split("\n## ", 1)[0]


def typed(text: str) -> str:
    """Returns code blocks and code spans: what a reader would type."""
    return "\n".join(block or word for block, word in CODE.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=titled)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [to for to in LINK.findall(page.read_text()) if not (page.parent / to).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=titled)
def test_every_link_to_a_section_leads_to_a_heading(page: Path) -> None:
    assert [
        f"{to}#{anchor}"
        for to, anchor in ANCHOR.findall(page.read_text())
        if anchor not in anchors_of(page.parent / to if to else page)
    ] == []


def anchors_of(page: Path) -> set[str]:
    """Returns the anchors that a page has: its headings as GitHub writes them, and its own ``<a id>``."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    own = re.findall(r'<a id="([^"]+)">', text)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(own)


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=titled)
def test_every_file_a_page_names_exists(page: Path) -> None:
    named = set(FILE.findall(page.read_text()))
    assert [file for file in sorted(named) if not ((ROOT / file).exists() or (page.parent / file).exists())] == []


def test_every_page_is_in_the_documentation_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / to).resolve() for to in LINK.findall(index.read_text())}
    in_folders_with_an_index = {page for page in PAGES if page.parent.name in {"decisions", "rules"}}
    unlisted = set(PAGES) - linked - in_folders_with_an_index - {index, ROOT / "SECURITY.md"}
    assert sorted(map(titled, unlisted)) == []


def test_the_picture_in_the_readme_shows_real_commands_and_names_no_other_host() -> None:
    picture = PICTURE.read_text(encoding="utf-8")
    assert PICTURE.relative_to(ROOT).as_posix() in README
    assert re.findall(r"https?://[^\s\"<)]+", picture) == ["http://www.w3.org/2000/svg"]
    assert "@font-face" not in picture
    typed_commands = re.findall(r"\$&#160;awda&#160;([a-z]+)", picture)
    assert typed_commands
    assert set(typed_commands) <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=titled)
def test_every_command_a_page_names_exists(page: Path) -> None:
    commands = typed(page.read_text())
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(commands)) <= targets
    assert set(AWDA.findall(commands)) <= set(COMMANDS)


@pytest.mark.parametrize("page", DECISIONS, ids=titled)
def test_a_decision_has_its_parts_and_checks_that_exist(page: Path) -> None:
    assert re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE) == PARTS
    enforced = section(page, "Enforced by")
    tests, contracts = NAMED_TEST.findall(enforced), NAMED_CONTRACT.findall(enforced)
    assert len(tests) + len(contracts) == enforced.count("\n* "), "every line names one check"
    assert tests or contracts
    assert [f"{file}::{test}" for file, test in tests if not defines(ROOT / file, test)] == []
    assert set(contracts) <= import_contracts()


def defines(file: Path, test: str) -> bool:
    return file.exists() and f"def {test}(" in file.read_text()


def import_contracts() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}


def test_the_index_lists_every_decision_under_its_title() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    listed = dict(re.findall(r"^\| \[\d{4}\]\((.+?)\) \| (.+) \|$", index, re.MULTILINE))
    titles = {page.name: page.read_text().splitlines()[0].partition(". ")[2] for page in DECISIONS}
    assert listed == titles
    assert [page.name[:4] for page in DECISIONS] == [f"{n:04d}" for n in range(1, len(DECISIONS) + 1)]


def test_the_trail_in_the_readme_is_what_a_case_says() -> None:
    said = {
        event.originator_version: (f"{event.timestamp:%d %b}", f"{event.timestamp:%H:%M}", event.say())
        for event in a_closed_case().events
    }
    shown = {int(version): (day, time, sentence) for version, day, time, sentence in TRAIL.findall(README)}
    assert len(shown) >= 8
    assert shown == {version: said.get(version) for version in shown}


def test_the_readme_names_every_stage_and_every_folder() -> None:
    assert [stage for stage in Stage if stage.title() not in README] == []
    folders = {each.name for each in ROOT.iterdir() if (each / "__init__.py").exists()} - {"tools"}
    assert [folder for folder in sorted(folders) if f"`{folder}/`" not in README] == []


def test_the_order_of_packages_is_the_one_that_is_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ladder = " > ".join(next(each["layers"] for each in contracts if each["name"] == "Imports point downwards"))
    for page in ("README.md", "docs/architecture.md"):
        assert ladder in (ROOT / page).read_text(), page


def test_every_word_of_the_glossary_occurs_in_what_we_wrote() -> None:
    glossary = ROOT / "docs" / "glossary.md"
    words = re.findall(r"\*\*([\w' -]+)\*\*", glossary.read_text())
    written = "\n".join(each.read_text() for each in [*PAGES, *code_files()] if each != glossary).lower()
    run_together = SEPARATORS.sub("", written)
    assert words
    assert [word for word in words if SEPARATORS.sub("", word.lower()) not in run_together] == []


def code_files() -> list[Path]:
    packages = [each for each in ROOT.iterdir() if (each / "__init__.py").exists()]
    return [file for package in packages for file in package.rglob("*.py")]
