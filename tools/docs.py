"""Generates the pages that say what the code says, so that they cannot lie: the procedure, and what partners may say.

``python -m tools.docs`` writes them; ``python -m tools.docs --check`` says whether they are current and writes nothing.
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
from domain.kernel.policy import NEWEST, ResponseTimes
from domain.kernel.vocabulary import PUBLIC_KIND, ReferralKind, Stage
from domain.procedure import EDITIONS, Procedure
from domain.referral.disclosure import RECIPIENT_OF
from domain.referral.outcomes import OUTCOMES
from domain.stages.stage import StageRules
from tools import history_example, letters, signals

PAGE = Path(__file__).parent.parent / "docs" / "procedure.md"

ASKS: dict[Stage, tuple[ReferralKind, ...]] = {
    stage: tuple(dict.fromkeys(kind for kind, _ in rules.answers)) for stage, rules in STAGES.items()
}


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    return max([_made(file, wanted(), check=check) for file, wanted in PAGES.items()])


def _made(file: Path, wanted: str, *, check: bool) -> int:
    if not check:
        file.parent.mkdir(exist_ok=True)
        file.write_text(wanted, encoding="utf-8")
        return 0
    if file.exists() and file.read_text(encoding="utf-8") == wanted:
        return 0
    where = file.relative_to(PAGE.parent.parent)
    sys.stderr.write(f"{where} does not say what the code says: run python -m tools.docs and keep the result\n")
    return 1


def page() -> str:
    return "\n".join([*_head(), *_editions(), *_stages(), *_deadlines()]) + "\n"


def _head() -> Iterator[str]:
    yield "# The procedure"
    yield ""
    yield "This page is generated from `domain/procedure.py`, `domain/stages/`"
    yield "and `domain/kernel/policy.py`; edit those."
    yield "Write it anew with `python -m tools.docs`."
    yield ""


def _editions() -> Iterator[str]:
    for edition, procedure in EDITIONS.items():
        yield f"## Edition {edition}"
        yield ""
        yield "A case works on its first unfinished row; the stages of one row run side by side."
        yield ""
        yield from _rows(procedure)
        early = ", ".join(STAGES[stage].title for stage in procedure.early)
        yield ""
        yield f"May open before its row is reached, if its own rule lets it: {early or 'none'}."
        yield ""


def _rows(procedure: Procedure) -> Iterator[str]:
    yield "| Row | Stage | Asks | File |"
    yield "|---|---|---|---|"
    for number, row in enumerate(procedure.rows, start=1):
        for stage in row:
            asks = ", ".join(f"`{kind}`" for kind in ASKS[stage]) or "nobody: staff's own work"
            yield f"| {number} | {STAGES[stage].title} | {asks} | `domain/stages/{stage.lower()}.py` |"


def _stages() -> Iterator[str]:
    yield "## The stages"
    yield ""
    for stage, rules in STAGES.items():
        yield f"### {rules.title}"
        yield ""
        yield from _in_words(stage)
        yield from _messages(rules)
        yield ""


def _in_words(stage: Stage) -> Iterator[str]:
    """The stage file's own opening, as a table."""
    words = inspect.getdoc(import_module(f"domain.stages.{stage.lower()}")) or ""
    title, _, rest = words.partition("\n")
    yield title
    yield ""
    yield "| | |"
    yield "|---|---|"
    for word, said in re.findall(r"^(Who|Shows|Done|Returned|Halts)\s+(.+)$", rest, re.MULTILINE):
        yield f"| {word} | {said} |"
    yield ""


def _messages(rules: StageRules) -> Iterator[str]:
    named = ", ".join(f"`{message.__name__}`" for message in rules.rules if message.FROM == "staff")
    yield f"Messages: {named}."
    letters = ", ".join(f"`{message.__name__}`" for message in rules.rules if message.FROM == "letter")
    if letters:
        yield f"Letters from the flight: {letters}."


def _deadlines() -> Iterator[str]:
    yield f"## Who is asked, and how long they have (policy {NEWEST.edition})"
    yield ""
    yield "`h` are clock hours, `d` calendar days, `wd` working days in the partner's own calendar."
    yield ""
    yield "Referrals whose true kind is sealed are counted by their public one. Where a life may depend on the answer,"
    yield "urgent ones count clock time only and silence is told up to the top."
    yield ""
    yield "| Referral | Goes to | Acknowledged | Accepted | Begun | Completed | Stands for |"
    yield "|---|---|---|---|---|---|---|"
    for kind, answer in NEWEST.pinned.answers.items():
        yield f"| `{kind}` | {_goes_to(kind)} | {_spans(answer)} |"
        if kind in NEWEST.pinned.urgent:
            yield f"| `{kind}`, urgent | | {_spans(NEWEST.pinned.urgent[kind])} |"
    yield ""
    yield "| After a due date | Usual | Urgent, or of high priority | Where a life is at risk |"
    yield "|---|---|---|---|"
    pinned = NEWEST.pinned
    for level, to in ESCALATED_TO.items():
        usual = pinned.escalations[level] if level != "L3" else "never"
        urgent = pinned.urgent_first_escalation if level == "L1" else usual
        yield f"| {level}: `{to}` | {usual} | {urgent} | {pinned.life_escalations[level]} |"
    yield ""
    yield f"What is above the first level is told in a digest, at {pinned.digest_at:%H:%M} on working days in Libya."
    yield f"Embassies and authorities hear of endings with their ordinary letters, at {pinned.batch_at:%H:%M}."
    yield ""
    yield from _answers()
    yield "| Permission | Lasts |"
    yield "|---|---|"
    for clearance, span in NEWEST.in_force.validity.items():
        yield f"| `{clearance}` | {span or 'until something ends it'} |"


PAGES: Mapping[Path, Callable[[], str]] = {
    PAGE: page,
    signals.PAGE: signals.page,
    letters.PAGE: letters.page,
    history_example.PAGE: history_example.page,
}
"""Every page that is generated, as a whole or in part, and what makes it."""


def _goes_to(kind: ReferralKind) -> str:
    """Whom a public kind goes to; one that hides several, to each of them."""
    hidden = [true for true, public in PUBLIC_KIND.items() if public is kind]
    return ", ".join(dict.fromkeys(RECIPIENT_OF[each] for each in (*hidden, kind) if each in RECIPIENT_OF))


def _spans(answer: ResponseTimes) -> str:
    return " | ".join(
        str(span or "") for span in (answer.ack, answer.accept, answer.start, answer.complete, answer.stands)
    )


def _answers() -> Iterator[str]:
    yield "## What partners may answer"
    yield ""
    yield "Codes in bold hold the journey from the moment they are heard. Whatever else comes waits for a person."
    yield ""
    yield "| Referral | Completed with | Goes on with | Payload |"
    yield "|---|---|---|---|"
    for kind, answers in OUTCOMES.items():
        ends = ", ".join(f"**`{code}`**" if code in answers.grave else f"`{code}`" for code in answers.ends)
        goes_on = ", ".join(f"`{code}`" for code in sorted(answers.goes_on))
        fields = ", ".join(f"`{name}`" for name in answers.payload.model_fields)
        yield f"| `{kind}` | {ends} | {goes_on} | {fields} |"
    yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
