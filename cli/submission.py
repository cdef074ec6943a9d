"""Submits a message to the intake, waits for its result, and prints it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict

import click

from cli.context import CommandContext, run_with_context
from cli.output import CommandError, ExitCode, emit, log
from domain.kernel.labels import words
from gateway.intake.submission import SubmissionResult, new_key

CONFLICTS: Final = frozenset({"CASE.EXISTS", "MOVEMENT.EXISTS"})

ACCEPTED: Final = frozenset({"pending", "applied", "ignored", "late"})
"""Statuses with which a command succeeds."""

STATUSES: Final[Mapping[str, str]] = {
    "pending": "accepted, not recorded yet",
    "applied": "recorded",
    "ignored": "accepted, without effect",
    "late": "accepted, but received too late to have an effect",
    "quarantined": "held for review",
}
"""Statuses of messages in words; JSON keeps the codes."""


class SubmissionFields(TypedDict):
    """What the intake needs beside the message."""

    user: str
    key: str
    happened_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """The acting user, and how long to wait for the result (seconds)."""

    user: str
    reason: str | None
    happened_at: datetime | None
    key: str | None
    wait: float
    no_wait: bool = False

    @property
    def by(self) -> SubmissionFields:
        """Returns the options as the intake takes them, with a new idempotency key if none was given."""
        return SubmissionFields(
            user=self.user, key=self.key or new_key(), happened_at=self.happened_at, reason=self.reason
        )


Send = Callable[[CommandContext, SubmissionFields], Awaitable[SubmissionResult]]


def submit(options: SubmissionOptions, send: Send, *, as_json: bool, number_only: bool = False) -> None:
    """Submits a message, waits for the result and prints it. Raises ``CommandError`` when a rule refuses it."""

    async def work(context: CommandContext) -> SubmissionResult:
        accepted = await send(context, options.by)
        if accepted.settled or options.no_wait:
            return accepted
        return await context.intake.staff.wait(accepted.message_id, options.wait) or accepted

    result = run_with_context(work)
    emit(result_json(result), as_json=as_json, plain=lambda: _print_result(result, number_only=number_only))
    require_accepted(result)


def result_json(result: SubmissionResult) -> dict[str, Any]:
    """Returns a result as ``--json`` prints it."""
    details = {name: part for name, part in result.result.items() if name not in {"status", "version"}}
    return {
        "case_number" if (result.number or "").startswith("LBY-") else "number": result.number,
        "message_id": str(result.message_id),
        "status": result.status,
        "version": result.version,
        **details,
        "repeated": result.repeated,
    }


def _print_result(result: SubmissionResult, *, number_only: bool) -> None:
    if number_only:
        click.echo(result.number)
    if result.status == "pending":
        log(
            f"Message {result.message_id} is accepted and not recorded yet. "
            "If this lasts, check with awda status that the workers run."
        )
    elif result.status in ACCEPTED and not number_only:
        version = f" (version {result.version})" if result.version else ""
        click.echo(f"{result.number}: {status_label(result.status)}{version}")


def status_label(status: str) -> str:
    """Returns the status of a message in words."""
    return STATUSES.get(status) or words(status)


def require_accepted(result: SubmissionResult) -> None:
    """Raises ``CommandError`` unless the message was accepted."""
    if result.status in ACCEPTED:
        return
    rule, detail = result.result.get("rule"), result.result.get("detail") or result.result.get("cause") or ""
    about = ", ".join(filter(None, (result.number, f"rule {rule}" if rule else "")))
    lines = [f"{status_label(result.status).capitalize()}{f' ({about})' if about else ''}: {detail}".rstrip(": ")]
    lines += [f"  {failure}" for failure in result.result.get("failures") or ()]
    code = ExitCode.CONFLICT if rule in CONFLICTS else ExitCode.REFUSED
    raise CommandError(code, "\n".join(lines), f"awda case why {result.number}")
