"""The rule book held against the code: every code that users see resolves, every citation too, and no rule is dead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from audit.rule_book import FOLDER, Rule, RuleBookError, load, parse, rule_book
from cli.commands.rule import rule as rule_command
from cli.output import ExitCode
from domain.clearance.travel_gate import REQUIRED_AT
from domain.kernel.vocabulary import Checkpoint, ClearanceStatus, HoldType, Purpose, ReferralStatus
from domain.stages.remedies import COMMANDS_FOR
from gateway.http.problems import problem, rule_url

ROOT: Final = Path(__file__).resolve().parents[2]

PACKAGES: Final = ("domain", "store", "activities", "workflows", "audit", "gateway", "workers", "simulator", "cli")

CODE: Final = r"(?:INV-\d{2}|[A-Z][A-Z0-9_]*(?:\.[A-Z][A-Z0-9_]*)+)"

CODE_ALONE: Final = re.compile(CODE)

CITATION: Final = re.compile(rf"\brules?\s+({CODE}(?:(?:,\s+(?:and\s+)?|\s+and\s+){CODE})*)")

INVARIANT: Final = re.compile(r"\bINV-\d{2}\b")

LINK: Final = re.compile(r"\b(?:docs/rules/|rules/)?([a-z-]+\.md)#([a-z0-9_.-]+)")

FORMER: Final = re.compile(r"\bdomain\.md\b|[\"(]domain \d+\.\d+|\bsections? 00\b|\(\d\.\d rule \d\)|\(00[.,] ?\d+")

SHOWN_AS_RULE: Final = {"Rejected": 0, "Unroutable": 0, "Omitted": 1}
"""Which argument of a call is a code that users see."""

REASONS: Final = {
    "domain/referral/requests.py": {"sending_blocked_by"},
    "domain/referral/sheets.py": {"listing_blocked_by"},
    "domain/signals/handler.py": {"_quarantine_cause", "_late_disposition"},
    "gateway/partner_access/task_links.py": {"_why_not", "why_not_show"},
    "gateway/sheets/issue.py": {"why_not", "_rule"},
    "store/messages/ledger.py": {"_destination", "_quarantine_cause"},
}
"""Functions that return codes."""

CAUSE_OF_CALL: Final = {"quarantine": 2, "record_superseded": 2, "ignored": 1, "receive_doubtful_signal": 2}
"""Which argument of a call says why a signal is quarantined or ignored."""

CAUSES_BY_NAME: Final = (
    "domain/signals/unprocessable.py",
    "domain/signals/contradiction.py",
    "domain/referral/key_scope.py",
)
"""Modules whose named texts are causes."""

ASSIGNED: Final = ("cause", "breaches")
"""Variables that hold a cause before it is shown."""

CAUSE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")

FAMILIES: Final[Mapping[str, list[str]]] = {
    "GATE.HOLD.{hold.type}": [f"GATE.HOLD.{each}" for each in HoldType],
    "GATE.{checkpoint}": [f"GATE.{each}" for each in Checkpoint],
    "GATE.{kind}.{failure}": [
        f"GATE.{kind}.{failure}"
        for kind, failure in product(
            REQUIRED_AT,
            {"MISSING", *ClearanceStatus, "EXPIRES_BEFORE_STD", "EXPIRES_BEFORE_ARRIVAL"}
            - {ClearanceStatus.VALID, ClearanceStatus.NOT_REQUIRED},
        )
    ],
    "CONSENT.{PUBLIC_PURPOSE.get(purpose, purpose)}": [f"CONSENT.{each}" for each in Purpose],
    "HOLD.{name}": [f"HOLD.{each}" for each in HoldType],
    "CLINIC.{kind}": ["CLINIC.MEDICAL_ASSESSMENT", "CLINIC.FIT_TO_TRAVEL"],
    "STAFF.{kind}": ["STAFF.PROTECTION_CLEARANCE", "STAFF.SAFETY_OF_RETURN"],
    "STAFF.{ClearanceKind.SAFETY_OF_RETURN}": ["STAFF.SAFETY_OF_RETURN"],
    "STAFF.{QUEUE}": ["STAFF.COUNSELLOR"],
    "{who}.{kind}": ["EMBASSY.TRAVEL_DOCUMENT", "EXIT_AUTHORITY.EXIT_PERMIT"],
    "MOVEMENT.{step}": ["MOVEMENT.CHECK_IN", "MOVEMENT.BOARDING", "MOVEMENT.DEPARTURE"],
    "REFERRAL_{referral.status}": [
        f"REFERRAL_{each}"
        for each in (ReferralStatus.CANCELLED, ReferralStatus.EXPIRED, ReferralStatus.ENTERED_IN_ERROR)
    ],
}
"""Codes that the code composes: by the template as it is written, every code that it can become."""

NO_RULES: Final = frozenset({"E.164"})
"""What is written like a code and is none."""


@cache
def modules() -> Mapping[str, ast.Module]:
    files = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def constants(tree: ast.Module) -> dict[str, str]:
    """The module's names for texts, also those it imports from another module of ours."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            there = modules().get(f"{node.module.replace('.', '/')}.py")
            names = {each.name: each.asname or each.name for each in node.names}
            if there is not None and any(name.isupper() for name in names):
                found |= {names[name]: text for name, text in texts_named(there).items() if name in names}
    return found | texts_named(tree)


def texts_named(tree: ast.Module) -> dict[str, str]:
    found = {}
    for node in tree.body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            found[target.id] = value.value
    return found


def template(node: ast.JoinedStr) -> str:
    parts = (
        str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
        for part in node.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )
    return "".join(parts)


def codes_in(node: ast.AST, named: Mapping[str, str]) -> Iterator[str]:
    """The codes and templates of codes that an expression can be; what is given to a call is not among them."""
    if isinstance(node, ast.JoinedStr):
        yield template(node)
    elif isinstance(node, ast.Name) and node.id in named:
        yield named[node.id]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (code for each in (node.body, node.orelse) for code in codes_in(each, named))
    elif not isinstance(node, ast.Call | ast.Compare):
        yield from (code for each in ast.iter_child_nodes(node) for code in codes_in(each, named))


SHAPE: Final = re.compile(r"(?:[A-Z][A-Z0-9_-]*|\{[^}]+\})(?:[._]?(?:[A-Z0-9_-]+|\{[^}]+\}))*")


def shown(path: str, tree: ast.Module) -> Iterator[str]:
    """Every code of a module that a user may see: as a rule, a cause, or what a case waits for."""
    named, reasons = constants(tree), REASONS.get(path, ())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from fitting(SHAPE, (code for part in arguments_shown(node) for code in codes_in(part, named)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in reasons:
            yield from fitting(CAUSE, returned_by(node, named))
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ASSIGNED:
            yield from fitting(CAUSE, codes_in(node.value, {}))
        else:
            yield from written(node)
    if path in CAUSES_BY_NAME:
        yield from fitting(CAUSE, texts_named(tree).values())


def fitting(shape: re.Pattern[str], texts: Iterable[str]) -> Iterator[str]:
    return (text for text in texts if shape.fullmatch(text))


def returned_by(function: ast.AST, named: Mapping[str, str]) -> Iterator[str]:
    given = (node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None)
    return (code for value in given for code in codes_in(value, named))


def written(node: ast.AST) -> Iterator[str]:
    """A text that is a code, or a template of codes, wherever it stands."""
    if isinstance(node, ast.JoinedStr) and template(node) in FAMILIES:
        yield template(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE_ALONE.fullmatch(node.value):
        yield node.value


def arguments_shown(call: ast.Call) -> Iterator[ast.expr]:
    name = ast.unparse(call.func).rpartition(".")[2]
    place = SHOWN_AS_RULE.get(name, CAUSE_OF_CALL.get(name))
    if place is not None and len(call.args) > place:
        yield call.args[place]
    if name == "Requirement":
        yield from (call.args[0], call.args[2])
    yield from (each.value for each in call.keywords if each.arg in ("rule", "breaches") and name != "MessageOutcome")


@cache
def shown_codes() -> Mapping[str, frozenset[str]]:
    """Each code that users see, with the modules in which it is written; templates are expanded."""
    found: dict[str, set[str]] = {}
    for path, tree in modules().items():
        for code in shown(path, tree):
            for each in FAMILIES.get(code, [code]):
                if each not in NO_RULES and each.upper() == each:
                    found.setdefault(each, set()).add(path)
    return {code: frozenset(paths) for code, paths in found.items()}


def text_files() -> list[Path]:
    """What we wrote: code, tests and documents."""
    folders = [ROOT / name for name in (*PACKAGES, "bench", "tools", "tests", "docs", "deploy")]
    files = [
        file for folder in folders for suffix in ("*.py", "*.md", "*.html", "*.toml") for file in folder.rglob(suffix)
    ]
    return sorted({*files, *ROOT.glob("*.md"), *ROOT.glob("*.toml")} - {Path(__file__).resolve()})


@cache
def citations() -> Mapping[str, frozenset[str]]:
    """Each cited code, with the files that cite it. Rules that refer to rules do not count."""
    found: dict[str, set[str]] = {}
    for file in text_files():
        text = file.read_text(encoding="utf-8")
        cited = [code for several in CITATION.findall(text) for code in CODE_ALONE.findall(several)]
        for code in (*cited, *INVARIANT.findall(text)):
            if FOLDER not in file.parents:
                found.setdefault(code, set()).add(str(file.relative_to(ROOT)))
    return {code: frozenset(paths) for code, paths in found.items()}


def all_rules() -> list[Rule]:
    return sorted(rule_book().rules.values(), key=lambda rule: rule.code)


# Codes


def test_every_code_that_users_see_resolves() -> None:
    codes = shown_codes()
    assert len(codes) > 200, "the search finds the codes"
    assert {code: sorted(paths) for code, paths in codes.items() if rule_book().find(code) is None} == {}


def test_a_code_that_is_written_out_has_a_rule_of_its_own_and_not_only_a_pattern() -> None:
    composed = {code for family in FAMILIES.values() for code in family}
    own = {code for rule in all_rules() for code in (rule.code, *rule.shown_as)}
    assert sorted(set(shown_codes()) - composed - own) == []


def test_every_template_of_codes_is_known_and_used() -> None:
    written = {code for path, tree in modules().items() for code in shown(path, tree) if "{" in code}
    assert written == set(FAMILIES)


@pytest.mark.parametrize(
    "code",
    [
        "VRD.TWO_INTERVIEWS",
        "INV-18",
        "GATE.BOARD",
        "GATE.HOLD.PROTECTION",
        "GATE.EXIT_PERMIT.EXPIRED",
        "CONSENT.SHARE_EMBASSY",
        "REFERRAL.OVER",
        "NATIONALITY.ASK_FIRST",
        "PARTNER.MANDATORY_REPORTING",
        "MESSAGE.INVALID",
        "CASE.UNSETTLED",
        "LINK.WHICH",
        "IDENTITY_MISMATCH",
        "UNKNOWN_TOKEN",
        "CONFLICTING_DUPLICATE",
        "RULE_CRASHED",
        "KEY_NOT_FOR_THIS",
        "NOT_OWNER",
        "AMENDMENT",
        "NOT_RECORDED_YET",
        "SCREENING.PRIVATE_INTERVIEW",
        "ALREADY_HEARD",
        "STALE_SEQUENCE",
        "REFERRAL_EXPIRED",
        "STAFF.COUNSELLOR",
        "NOT_BOARDED_BY_THE_RULES",
        "ERASED",
    ],
)
def test_the_search_finds_codes_of_every_place(code: str) -> None:
    assert code in shown_codes()


@pytest.mark.parametrize("code", sorted(COMMANDS_FOR))
def test_what_a_case_waits_for_can_be_looked_up(code: str) -> None:
    assert rule_book().find(code) is not None


def test_every_rule_has_a_code_that_exists() -> None:
    alive = {*shown_codes(), *citations()}
    lived = {found.code for code in alive if (found := rule_book().find(code))}
    assert sorted(set(rule_book().rules) - lived) == []


def test_no_other_code_of_a_rule_is_dead() -> None:
    alive = {*shown_codes(), *citations()}
    patterns = {each for rule in all_rules() for each in rule.shown_as}
    matched = {
        each for each in patterns for code in alive if re.fullmatch(each.replace(".", r"\.").replace("*", ".*"), code)
    }
    assert sorted(patterns - matched) == []


# Citations


def test_every_citation_resolves() -> None:
    cited = citations()
    assert len(cited) > 40, "the search finds the citations"
    assert {code: sorted(files) for code, files in cited.items() if rule_book().find(code) is None} == {}


def test_the_document_that_the_rules_came_from_is_cited_no_more() -> None:
    found = {str(file.relative_to(ROOT)): FORMER.findall(file.read_text(encoding="utf-8")) for file in text_files()}
    assert {path: cited for path, cited in found.items() if cited} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("held (rule GATE.HOLD).", ["GATE.HOLD"]),
        ("(rules HOLD.OWNER, INV-03 and\n    VRD.AFTER_DOUBT)", ["HOLD.OWNER", "INV-03", "VRD.AFTER_DOUBT"]),
        ("See rule FTT.WINDOW.", ["FTT.WINDOW"]),
        ("no rule here, nor in rules of E.g. others", []),
    ],
)
def test_a_citation_is_recognised(text: str, found: list[str]) -> None:
    assert [code for several in CITATION.findall(text) for code in CODE_ALONE.findall(several)] == found


# The pages


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_rule_is_complete(rule: Rule) -> None:
    sentences = len(re.findall(r"[.!?](?=\s|$)", re.sub(r"\bfor example\b", "", rule.text)))
    assert rule.anchor == rule.code.lower()
    assert 1 <= sentences <= 6, "a rule is one to four sentences, five or six where it must be"
    assert [path for path in (*rule.modules, *rule.tests) if not (ROOT / path).is_file()] == []
    assert rule.modules or rule.tests, "a rule says where it is in the code, or which tests hold it"


def test_every_heading_of_a_rule_is_read_and_every_link_between_rules_resolves() -> None:
    pages = {page.name: page.read_text(encoding="utf-8") for page in FOLDER.glob("*.md") if page.name != "README.md"}
    headings = sum(text.count("\n### ") for text in pages.values())
    anchors = {(rule.page, rule.anchor) for rule in all_rules()}
    links = {link for text in pages.values() for link in LINK.findall(text)}
    assert headings == len(rule_book().rules)
    assert links <= anchors


def test_the_index_lists_every_page() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", index)) == {page.name for page in FOLDER.glob("*.md")} - {"README.md"}


def test_a_code_of_two_rules_is_refused(tmp_path: Path) -> None:
    entry = '<a id="a.b"></a>\n### A.B: One\n\nText.\n\n* Also shown as: `X.Y`\n'
    (tmp_path / "one.md").write_text(entry)
    (tmp_path / "two.md").write_text(entry.replace("A.B", "C.D").replace("a.b", "c.d"))
    with pytest.raises(RuleBookError, match=r"X\.Y"):
        load(tmp_path)
    (tmp_path / "two.md").write_text(entry)
    with pytest.raises(RuleBookError, match=r"A\.B"):
        load(tmp_path)


def test_a_rule_is_read_with_everything_that_its_entry_says() -> None:
    (rule,) = parse(
        "page.md",
        '# Page\n\n<a id="a.b"></a>\n### A.B: One\n\nText, [here](b.md#b).\n\n* Code: `x.py`\n* Tests: `t.py`\n',
    )
    assert rule == Rule("A.B", "One", "Text, here.", "page.md", "a.b", (), ("x.py",), ("t.py",))
    assert rule.location == "docs/rules/page.md#a.b"


# The command and the problem documents


def test_the_command_explains_a_rule() -> None:
    done = CliRunner().invoke(rule_command, ["gate.hold.protection"])
    assert done.exit_code == ExitCode.DONE
    assert done.output.startswith("GATE.HOLD: A hold blocks the checkpoint\n")
    assert "docs/rules/travel-gate.md#gate.hold" in done.output


def test_the_command_lists_all_rules() -> None:
    done = CliRunner().invoke(rule_command, [])
    assert done.exit_code == ExitCode.DONE
    assert [line.partition("\t")[0] for line in done.output.splitlines()] == sorted(rule_book().rules)


def test_an_unknown_code_ends_with_the_nearest_ones() -> None:
    done = CliRunner().invoke(rule_command, ["GATE.HOLDS"])
    assert done.exit_code == ExitCode.NOT_FOUND
    assert "GATE.HOLD" in done.output


def test_a_problem_document_links_to_its_rule() -> None:
    told = bytes(problem("conflict", "no", rule="REFERRAL.OVER").body).decode()
    assert f'"rule_url":"{rule_url("REFERRAL.OVER")}"' in told
    assert "rule_url" not in bytes(problem("internal", "no").body).decode()
