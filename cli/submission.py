"""Handing a message in at the desk, and telling what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

import click

from cli.context import CommandContext, run_with_context
from cli.output import CommandError, ExitCode, emit, log
from gateway.intake.submission import SubmissionResult, new_key

CONFLICTS = frozenset({"CASE.EXISTS", "MOVEMENT.EXISTS"})

FINE = frozenset({"pending", "applied", "ignored", "late"})


class SubmissionFields(TypedDict):
    """What the desk wants to know beside the message."""

    user: str
    key: str
    happened_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """Who hands it in, and how long they wait."""

    user: str
    reason: str | None
    happened_at: datetime | None
    key: str | None
    wait: float
    no_wait: bool = False

    @property
    def by(self) -> SubmissionFields:
        return SubmissionFields(
            user=self.user, key=self.key or new_key(), happened_at=self.happened_at, reason=self.reason
        )


Handing = Callable[[CommandContext, SubmissionFields], Awaitable[SubmissionResult]]


def submit(acting: SubmissionOptions, handing: Handing, *, as_json: bool, number_only: bool = False) -> None:
    """Hand it in, wait, and tell; a refusal ends the command with its rule."""

    async def work(context: CommandContext) -> SubmissionResult:
        taken = await handing(context, acting.by)
        if taken.settled or acting.no_wait:
            return taken
        return await context.intake.staff.wait(taken.message_id, acting.wait) or taken

    answer = run_with_context(work)
    emit(told(answer), as_json=as_json, plain=lambda: _say(answer, number_only=number_only))
    insist(answer)


def told(answer: SubmissionResult) -> dict[str, Any]:
    result = {name: part for name, part in answer.result.items() if name not in {"status", "version"}}
    return {
        "case_number" if (answer.number or "").startswith("LBY-") else "number": answer.number,
        "message_id": str(answer.message_id),
        "status": answer.status,
        "version": answer.version,
        **result,
        "repeated": answer.repeated,
    }


def _say(answer: SubmissionResult, *, number_only: bool) -> None:
    if number_only:
        click.echo(answer.number)
    if answer.status == "pending":
        log(f"Handed in ({answer.message_id}); not recorded yet. Is a worker running? See `awda status`.")
    elif answer.status in FINE and not number_only:
        version = f" at version {answer.version}" if answer.version else ""
        click.echo(f"{answer.number}: {answer.status}{version}")


def insist(answer: SubmissionResult) -> None:
    """End the command with a failure unless the message was taken."""
    if answer.status in FINE:
        return
    rule, detail = answer.result.get("rule"), answer.result.get("detail") or answer.result.get("cause") or ""
    lines = [f"{answer.number}: {answer.status} by {rule}. {detail}" if rule else f"{answer.status}. {detail}"]
    lines += [f"  {failure}" for failure in answer.result.get("failures") or ()]
    code = ExitCode.CONFLICT if rule in CONFLICTS else ExitCode.REFUSED
    raise CommandError(code, "\n".join(lines), f"awda case why {answer.number}")
