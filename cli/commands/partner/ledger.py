"""What partners sent and what became of it, receipts that somebody brings along, and messages in doubt."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

import rich_click as click

from audit.history import history
from audit.quarantine import shown, waiting
from audit.replay import UnknownStreamError
from cli.case_text import tell_history
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, TimeParam, as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, print_table
from cli.submission import insist, told
from gateway.api.partner_ledger import account_of
from gateway.api.quarantine import QuarantineDecision, resolve
from gateway.intake.submission import DeclinedError, SubmissionResult, new_key
from store.messages.ledger import LedgerEntry
from store.messages.quarantine import desk_of
from store.messages.receipts import InvalidReceiptError, ReceiptKey, opened, published
from store.partners.registry import UnknownPartnerError, get

COUNTED = ("sent", "applied", "ignored", "late", "quarantined", "refused", "pending", "unaccounted", "conflicting")


@click.command("accounts", epilog="Example: `awda partner accounts clinic-tripoli --since 2026-11-01`")
@click.argument("partner_id", metavar="[PARTNER]", required=False)
@click.option("--since", type=TimeParam(), metavar="DATE", help="The first day (UTC).")
@click.option("--until", type=TimeParam(), metavar="DATE", help="The last day (UTC).")
@as_json
def accounts(*, partner_id: str | None, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Show for each day what a partner sent and what became of it; the sum is what was sent.

    Ends with 6 if anything that was acknowledged is unaccounted for.
    """
    if since and until and until < since:
        raise click.BadParameter("the last day comes before the first", param_hint="--until")
    days = (since.date() if since else None, until.date() if until else None)

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        who = [await _known(context, partner_id)] if partner_id else await context.intake.ledgers.partners()
        return [
            _summed(each, [account_of(day) for day in await context.intake.ledgers.days(each, *days)]) for each in who
        ]

    found = run_with_context(work)
    rows = [[each["partner"], day["day"], *(day[name] for name in COUNTED)] for each in found for day in each["days"]]
    none = f"Nothing was taken from {partner_id or 'any partner'} on these days, and nothing is unaccounted for."
    emit(
        found[0] if partner_id else found,
        as_json=as_json,
        plain=lambda: print_table(("partner", "day", *COUNTED), rows, none=none),
    )
    if missing := sum(each["unaccounted"] for each in found):
        raise CommandError(ExitCode.UNVERIFIED, f"{missing} messages are unaccounted for.", "awda verify")


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
    """Check a receipt that a partner brings: its signature, and whether our ledger still says the same."""
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
            ExitCode.UNVERIFIED, f"This is no receipt of ours: {bad}.", "ask the partner for the whole text"
        ) from None
    emit({**stated, "agrees": agrees}, as_json=as_json, plain=lambda: print_fields(stated))
    if not agrees:
        raise CommandError(ExitCode.UNVERIFIED, "We signed it, and our ledger says something else now.", "awda verify")
    log("Signed by us, and our ledger says the same.")


def _agrees(stated: dict[str, Any], entry: LedgerEntry) -> bool:
    ours = (entry.own_id, entry.sha256, entry.hash.hex(), entry.received_at)
    return ours == (stated["id"], stated["sha256"], stated["ledger"], datetime.fromisoformat(stated["received_at"]))


@click.group()
def quarantine() -> None:
    """Messages in doubt, whoever sent them: see them, and decide."""


@quarantine.command("list", epilog="Example: `awda partner quarantine list clinic-tripoli`")
@click.argument("partner_id", metavar="[PARTNER]", required=False)
@as_json
def list_doubts(*, partner_id: str | None, as_json: bool) -> None:
    """List what waits for a person, longest first, and what may be decided."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        who = await _known(context, partner_id) if partner_id else None
        return await waiting(context.pool, context.keys, who)

    found = run_with_context(work)
    columns = ("message_id", "partner", "received_at", "cause", "case_number", "referral_kind", "pair", "may")

    def plain() -> None:
        rows = [[", ".join(row[name]) if name == "may" else row[name] for name in columns] for row in found]
        print_table([name.replace("_", " ") for name in columns], rows, none="Nothing waits for a person.")

    emit(found, as_json=as_json, plain=plain)


@quarantine.command("show", epilog="Example: `awda partner quarantine show 6f6d9a3e-0000-4000-8000-000000000009`")
@click.argument("message_id", metavar="MESSAGE", type=click.UUID)
@as_json
def show_doubt(*, message_id: UUID, as_json: bool) -> None:
    """Show what a message says, beside what it contradicts or may have been exchanged for."""
    found = run_with_context(lambda context: shown(context.pool, context.keys, message_id))
    if found is None:
        raise CommandError(
            ExitCode.NOT_FOUND, f"Message {message_id} does not wait for a person.", "awda partner quarantine list"
        )
    emit(found, as_json=as_json, plain=lambda: _tell(found))


def _tell(found: dict[str, Any]) -> None:
    nested = ("said", "first", "other")
    print_fields({name.replace("_", " "): value for name, value in found.items() if name not in nested})
    for title, part in (("said", found), ("said first", found["first"]), ("said of the other", found["other"])):
        if part and part["said"]:
            click.echo(f"\n{title}:")
            print_fields(part["said"])


@quarantine.command(
    "resolve", epilog="Example: `awda partner quarantine resolve MESSAGE SET_ASIDE --reason 'sent by mistake'`"
)
@click.argument("message_id", metavar="MESSAGE", type=click.UUID)
@click.argument("decision", type=click.Choice(get_args(QuarantineDecision.model_fields["decision"].annotation)))
@click.option("--reason", required=True, metavar="TEXT", help="Why; sealed, and kept with the decision.")
@click.option("--case", "case_number", metavar="CASE", help="ASSIGN: the case it is about.")
@click.option("--referral", "referral_id", metavar="REFERRAL", help="ASSIGN: the referral it answers.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who decides.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key never decides twice.")
@as_json
def resolve_doubt(
    *, message_id: UUID, decision: str, reason: str, case_number: str | None, referral_id: str | None, user: str,
    key: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Decide: AMEND or IGNORE in its case; ASSIGN to a referral, give to its case AGAIN, or SET_ASIDE."""
    said = QuarantineDecision.model_validate(
        {"decision": decision, "reason": reason, "case_number": case_number, "referral_id": referral_id}
    )

    async def work(context: CommandContext) -> SubmissionResult:
        try:
            taken = await resolve(context.intake, message_id, said, user, key or new_key())
        except DeclinedError as no:
            if no.problem != "not-found" or case_number:
                raise
            raise CommandError(ExitCode.NOT_FOUND, no.detail, "awda partner quarantine list") from None
        return await context.intake.staff.wait(taken.message_id, 10) or taken

    answer = run_with_context(work)
    emit(told(answer), as_json=as_json, plain=lambda: click.echo(f"{message_id}: {decision} ({answer.status})"))
    insist(answer)


@quarantine.command("history", epilog="Example: `awda partner quarantine history clinic-tripoli`")
@click.argument("partner_id", metavar="PARTNER")
@as_json
def show_history(*, partner_id: str, as_json: bool) -> None:
    """Show what people decided about a partner's messages that no case could take."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        try:
            return await history(context.pool, context.keys, desk_of(await _known(context, partner_id)))
        except UnknownStreamError:
            return []

    found = run_with_context(work)
    none = f"Nothing has been decided about messages of {partner_id}."
    emit(found, as_json=as_json, plain=lambda: tell_history(found) if found else log(none))
