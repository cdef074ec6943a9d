"""Generates documentation pages from the code: the procedure, the signals of partners, and the table of letters.

``python -m tools.docs`` writes the pages. ``python -m tools.docs --check`` only checks that they are current.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

from domain.decider import STAGES
from domain.events.escalation import ESCALATED_TO
from domain.kernel.labels import label, words
from domain.kernel.policy import NEWEST, ResponseTimes
from domain.kernel.vocabulary import PUBLIC_KIND, ReferralKind, Stage
from domain.procedure import EDITIONS, Procedure
from domain.referral.disclosure import RECIPIENT_OF
from domain.referral.outcomes import OUTCOMES
from domain.stages.stage import StageRules
from tools import history_example, letters, signals

PAGE = Path(__file__).parent.parent / "docs" / "procedure.md"

REFERRALS: dict[Stage, tuple[ReferralKind, ...]] = {
    stage: tuple(dict.fromkeys(kind for kind, _ in rules.answers)) for stage, rules in STAGES.items()
}


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    return max([_write_or_check(file, generate(), check=check) for file, generate in PAGES.items()])


def _write_or_check(file: Path, text: str, *, check: bool) -> int:
    if not check:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return 0
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return 0
    path = file.relative_to(PAGE.parent.parent)
    sys.stderr.write(f"{path} is out of date: run `python -m tools.docs` and commit the result\n")
    return 1


def page() -> str:
    return "\n".join([*_head(), *_editions(), *_stages(), *_deadlines()]) + "\n"


def _head() -> Iterator[str]:
    yield "# The procedure"
    yield ""
    yield "The stages of a case, the referrals of each stage, and the response times."
    yield ""
    yield "This page is generated from `domain/procedure.py`, `domain/stages/` and `domain/kernel/policy.py`."
    yield "Edit those files, then run `python -m tools.docs`."
    yield ""


def _editions() -> Iterator[str]:
    for edition, procedure in EDITIONS.items():
        yield f"## Edition {edition}"
        yield ""
        yield "A case works on the first row that is not complete. The stages of one row run in parallel."
        yield ""
        yield from _rows(procedure)
        early = ", ".join(STAGES[stage].title for stage in procedure.early)
        yield ""
        yield f"Stages that may open before their row is reached, if their own rule allows it: {early or 'none'}."
        yield ""


def _rows(procedure: Procedure) -> Iterator[str]:
    yield "| Row | Stage | Referrals | File |"
    yield "|---|---|---|---|"
    for number, row in enumerate(procedure.rows, start=1):
        for stage in row:
            kinds = ", ".join(f"`{kind}`" for kind in REFERRALS[stage]) or "none (staff work only)"
            yield f"| {number} | {STAGES[stage].title} | {kinds} | `domain/stages/{stage.lower()}.py` |"


def _stages() -> Iterator[str]:
    yield "## The stages"
    yield ""
    for stage, rules in STAGES.items():
        yield f"### {rules.title}"
        yield ""
        yield from _label(stage)
        yield from _messages(rules)
        yield ""


def _label(stage: Stage) -> Iterator[str]:
    """Yields the docstring of the stage's module as a table."""
    docstring = inspect.getdoc(import_module(f"domain.stages.{stage.lower()}")) or ""
    title, _, rest = docstring.partition("\n")
    yield title
    yield ""
    yield "| | |"
    yield "|---|---|"
    for heading, text in re.findall(r"^(Who|Shows|Done|Returned|Halts)\s+(.+)$", rest, re.MULTILINE):
        yield f"| {heading} | {text} |"
    yield ""


def _messages(rules: StageRules) -> Iterator[str]:
    named = ", ".join(f"`{message.__name__}`" for message in rules.rules if message.FROM == "staff")
    yield f"Messages of staff: {named}."
    letters = ", ".join(f"`{message.__name__}`" for message in rules.rules if message.FROM == "letter")
    if letters:
        yield f"Messages from the movement: {letters}."


def _deadlines() -> Iterator[str]:
    yield f"## Response times of referrals (policy {NEWEST.edition})"
    yield ""
    yield "`h` are clock hours, `d` calendar days, `wd` working days in the partner's own calendar."
    yield ""
    yield "A referral with a sealed kind has the times of its public kind. Where a life may depend on the response,"
    yield "urgent referrals count clock time only, and a missing response is escalated to the highest level."
    yield ""
    yield "| Referral | Recipient | Acknowledge | Accept | Start | Complete | Open for at most |"
    yield "|---|---|---|---|---|---|---|"
    for kind, answer in NEWEST.pinned.answers.items():
        yield f"| `{kind}` | {_recipients(kind)} | {_spans(answer)} |"
        if kind in NEWEST.pinned.urgent:
            yield f"| `{kind}`, urgent | | {_spans(NEWEST.pinned.urgent[kind])} |"
    yield ""
    yield "| Escalation after the due date | Standard | Urgent or high priority | Life at risk |"
    yield "|---|---|---|---|"
    pinned = NEWEST.pinned
    for level, to in ESCALATED_TO.items():
        usual = pinned.escalations[level] if level != "L3" else "never"
        urgent = pinned.urgent_first_escalation if level == "L1" else usual
        yield f"| {level}: {words(to)} | {usual} | {urgent} | {pinned.life_escalations[level]} |"
    yield ""
    yield "Except where a life is at risk, escalations above the first level are sent in a daily digest,"
    yield f"at {pinned.digest_at:%H:%M} on working days in Libya."
    yield f"Embassies and authorities learn of ended referrals from their daily letters, at {pinned.batch_at:%H:%M}."
    yield ""
    yield from _outcomes()
    yield "## Validity of clearances"
    yield ""
    yield "| Clearance | Valid for |"
    yield "|---|---|"
    for clearance, span in NEWEST.in_force.validity.items():
        yield f"| `{clearance}` | {span or 'no limit; ends by an event or by staff'} |"


PAGES: Mapping[Path, Callable[[], str]] = {
    PAGE: page,
    signals.PAGE: signals.page,
    letters.PAGE: letters.page,
    history_example.PAGE: history_example.page,
}
"""The pages that are generated, in whole or in part, with the function that generates each."""


def _recipients(kind: ReferralKind) -> str:
    """Returns the recipients of a public kind, including those of the sealed kinds that it stands for."""
    hidden = [true for true, public in PUBLIC_KIND.items() if public is kind]
    return ", ".join(dict.fromkeys(label(RECIPIENT_OF[each]) for each in (*hidden, kind) if each in RECIPIENT_OF))


def _spans(answer: ResponseTimes) -> str:
    return " | ".join(
        str(span or "") for span in (answer.ack, answer.accept, answer.start, answer.complete, answer.stands)
    )


def _outcomes() -> Iterator[str]:
    yield "## Outcomes of referrals"
    yield ""
    yield "Outcomes in bold place a hold as soon as they are received. Any other outcome code is quarantined until a"
    yield "person has reviewed it."
    yield ""
    yield "| Referral | Outcomes of `COMPLETED` | Outcomes of `PROGRESS` | Payload |"
    yield "|---|---|---|---|"
    for kind, answers in OUTCOMES.items():
        ends = ", ".join(f"**`{code}`**" if code in answers.grave else f"`{code}`" for code in answers.ends)
        non_final = ", ".join(f"`{code}`" for code in sorted(answers.non_final))
        fields = ", ".join(f"`{name}`" for name in answers.payload.model_fields)
        yield f"| `{kind}` | {ends} | {non_final} | {fields} |"
    yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
