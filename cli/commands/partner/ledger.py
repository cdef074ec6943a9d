"""``awda partner accounts``, ``receipt`` and ``quarantine``: the ledgers of partners, and messages held for review."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

import rich_click as click

from audit.history import history
from audit.quarantine import shown, waiting
from audit.replay import UnknownStreamError
from cli.case_text import minute, print_history
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, TimeParam, as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, print_table
from cli.submission import require_accepted, result_json, status_label
from domain.kernel.labels import label, words
from domain.kernel.vocabulary import ReferralKind
from gateway.api.partner_ledger import account_of
from gateway.api.quarantine import QuarantineDecision, resolve
from gateway.intake.submission import DeclinedError, SubmissionResult, new_key
from store.messages.ledger import LedgerEntry
from store.messages.quarantine import desk_of
from store.messages.receipts import InvalidReceiptError, ReceiptKey, opened, published
from store.partners.registry import UnknownPartnerError, get

COUNTED: Final = (
    "sent",
    "applied",
    "ignored",
    "late",
    "quarantined",
    "refused",
    "pending",
    "unaccounted",
    "conflicting",
)


@click.command("accounts", epilog="Example: `awda partner accounts clinic-tripoli --since 2026-11-01`")
@click.argument("partner_id", metavar="[PARTNER]", required=False)
@click.option("--since", type=TimeParam(), metavar="DATE", help="First day (UTC).")
@click.option("--until", type=TimeParam(), metavar="DATE", help="Last day (UTC).")
@as_json
def accounts(*, partner_id: str | None, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Show for each day how many messages a partner sent, and how many ended with each result.

    The results add up to the number sent. Exit code 6 when an acknowledged message is unaccounted for.
    """
    if since and until and until < since:
        raise click.BadParameter("the last day is before the first day (--since)", param_hint="--until")
    days = (since.date() if since else None, until.date() if until else None)

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        ids = [await _known(context, partner_id)] if partner_id else await context.intake.ledgers.partners()
        return [
            _summed(each, [account_of(day) for day in await context.intake.ledgers.days(each, *days)]) for each in ids
        ]

    found = run_with_context(work)
    rows = [[each["partner"], day["day"], *(day[name] for name in COUNTED)] for each in found for day in each["days"]]
    none = f"No messages from {partner_id or 'any partner'} on these days, and none unaccounted for."
    emit(
        found[0] if partner_id else found,
        as_json=as_json,
        plain=lambda: print_table(("partner", "day", *COUNTED), rows, none=none),
    )
    if missing := sum(each["unaccounted"] for each in found):
        raise CommandError(ExitCode.UNVERIFIED, f"{missing} acknowledged messages are unaccounted for.", "awda verify")


def _summed(partner_id: str, days: list[dict[str, Any]]) -> dict[str, Any]:
    return {"partner": partner_id, "days": days, "unaccounted": sum(day["unaccounted"] for day in days)}


async def _known(context: CommandContext, partner_id: str) -> str:
    if await get(context.pool, partner_id) is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    return partner_id


@click.command("receipt", epilog="Example: `awda partner receipt - < receipt.txt`")
@click.argument("receipt", metavar="RECEIPT|-")
@as_json
def receipt(*, receipt: str, as_json: bool) -> None:
    """Verify a receipt that a partner presents: its signature, and that it agrees with the ledger."""
    text = sys.stdin.read() if receipt == "-" else receipt

    async def work(context: CommandContext) -> tuple[dict[str, Any], bool]:
        keys = {**await published(context.pool), (key := ReceiptKey(context.keys.master)).kid: key.public}
        stated = opened(text, keys)
        entries = await context.intake.ledgers.entries(str(stated["partner"]), int(stated["number"]) - 1, 1)
        return stated, bool(entries) and _agrees(stated, entries[0])

    try:
        stated, agrees = run_with_context(work)
    except InvalidReceiptError as bad:
        raise CommandError(
            ExitCode.UNVERIFIED,
            f"This is not a valid receipt: {bad}.",
            "ask the partner for the complete text of the receipt",
        ) from None
    emit({**stated, "agrees": agrees}, as_json=as_json, plain=lambda: print_fields(_readable(stated)))
    if not agrees:
        raise CommandError(ExitCode.UNVERIFIED, "The signature is valid, but the ledger differs.", "awda verify")
    log("The signature is valid, and the ledger agrees.")


def _readable(stated: dict[str, Any]) -> dict[str, Any]:
    named = {name.replace("_", " "): value for name, value in stated.items()}
    return {**named, "received at": minute(stated["received_at"])}


def _agrees(stated: dict[str, Any], entry: LedgerEntry) -> bool:
    recorded = (entry.own_id, entry.sha256, entry.hash.hex(), entry.received_at)
    return recorded == (stated["id"], stated["sha256"], stated["ledger"], datetime.fromisoformat(stated["received_at"]))


@click.group()
def quarantine() -> None:
    """Messages held for review."""


@quarantine.command("list", epilog="Example: `awda partner quarantine list clinic-tripoli`")
@click.argument("partner_id", metavar="[PARTNER]", required=False)
@as_json
def list_held(*, partner_id: str | None, as_json: bool) -> None:
    """List messages held for review, oldest first, with the decisions that are possible."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        known = await _known(context, partner_id) if partner_id else None
        return await waiting(context.pool, context.keys, known)

    found = run_with_context(work)
    headings = ("message", "partner", "received at", "cause", "case", "referral", "pair", "possible decisions")
    none = "No message is held for review."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _cells(row: dict[str, Any]) -> list[Any]:
    cause, kind = words(row["cause"] or ""), row["referral_kind"]
    referral = label(ReferralKind(kind)) if kind else None
    about = (row["message_id"], row["partner"], minute(row["received_at"]), cause, row["case_number"], referral)
    return [*about, row["pair"], ", ".join(row["may"])]


@quarantine.command("show", epilog="Example: `awda partner quarantine show 6f6d9a3e-0000-4000-8000-000000000009`")
@click.argument("message_id", metavar="MESSAGE", type=click.UUID)
@as_json
def show_held(*, message_id: UUID, as_json: bool) -> None:
    """Show a message held for review, beside the message it contradicts or may have been exchanged with."""
    found = run_with_context(lambda context: shown(context.pool, context.keys, message_id))
    if found is None:
        raise CommandError(
            ExitCode.NOT_FOUND, f"Message {message_id} is not held for review.", "awda partner quarantine list"
        )
    emit(found, as_json=as_json, plain=lambda: _print(found))


def _print(found: dict[str, Any]) -> None:
    nested = ("said", "first", "other")
    fields = {name.replace("_", " "): value for name, value in found.items() if name not in nested}
    print_fields({
        **fields,
        "received at": minute(found["received_at"]),
        "cause": words(found["cause"] or ""),
        "may": ", ".join(found["may"]),
    })  # fmt: skip
    titles = (("Content", found), ("Contradicted message", found["first"]), ("Possibly exchanged with", found["other"]))
    for title, part in titles:
        if part and part["said"]:
            click.echo(f"\n{title}:")
            print_fields(part["said"])


@quarantine.command(
    "resolve", epilog="Example: `awda partner quarantine resolve MESSAGE SET_ASIDE --reason 'sent by mistake'`"
)
@click.argument("message_id", metavar="MESSAGE", type=click.UUID)
@click.argument("decision", type=click.Choice(get_args(QuarantineDecision.model_fields["decision"].annotation)))
@click.option("--reason", required=True, metavar="TEXT", help="Reason for the decision; stored encrypted.")
@click.option("--case", "case_number", metavar="CASE", help="For ASSIGN: the case that the message is about.")
@click.option(
    "--referral", "referral_id", metavar="REFERRAL", help="For ASSIGN: the referral that the message answers."
)
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.")
@click.option("--key", metavar="KEY", help="Idempotency key: a repeated key has no further effect.")
@as_json
def resolve_held(
    *, message_id: UUID, decision: str, reason: str, case_number: str | None, referral_id: str | None, user: str,
    key: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Decide on a message held for review.

    AMEND or IGNORE: decide in its case. ASSIGN: give it to a referral. AGAIN: submit it to its case again. SET_ASIDE:
    take no action.
    """
    chosen = QuarantineDecision.model_validate(
        {"decision": decision, "reason": reason, "case_number": case_number, "referral_id": referral_id}
    )

    async def work(context: CommandContext) -> SubmissionResult:
        try:
            accepted = await resolve(context.intake, message_id, chosen, user, key or new_key())
        except DeclinedError as declined:
            if declined.problem != "not-found" or case_number:
                raise
            raise CommandError(ExitCode.NOT_FOUND, declined.detail, "awda partner quarantine list") from None
        return await context.intake.staff.wait(accepted.message_id, 10) or accepted

    result = run_with_context(work)
    done = f"Message {message_id}, decision {words(decision)}: {status_label(result.status)}"
    emit(result_json(result), as_json=as_json, plain=lambda: click.echo(done))
    require_accepted(result)


@quarantine.command("history", epilog="Example: `awda partner quarantine history clinic-tripoli`")
@click.argument("partner_id", metavar="PARTNER")
@as_json
def show_history(*, partner_id: str, as_json: bool) -> None:
    """Show the decisions on messages of a partner that no case could process."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        try:
            return await history(context.pool, context.keys, desk_of(await _known(context, partner_id)))
        except UnknownStreamError:
            return []

    found = run_with_context(work)
    none = f"No decision on messages of {partner_id} is recorded."
    emit(found, as_json=as_json, plain=lambda: print_history(found) if found else log(none))
