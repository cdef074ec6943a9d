"""What a person brings to a partner: listed and printed once its case has given leave; and that it was brought."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args
from uuid import UUID

import rich_click as click

from activities.release_check import ReleaseCheck, Verdict
from audit.replay import replay
from cli.context import CommandContext, run_with_context
from cli.options import acting, as_json
from cli.output import CommandError, ExitCode, emit, log, print_table
from cli.submission import SubmissionOptions, submit
from domain.case.aggregate import Case
from domain.commands.referral import ReportHandedOver
from gateway.partner_access.task_links import chosen
from store.log.streams import heads
from store.messages.outbox import Delivery, Outbox, open_delivery
from store.partners.registry import UnknownPartnerError, get

WAYS: Final = get_args(ReportHandedOver.model_fields["how"].annotation)

COLUMNS: Final = ("partner_id", "case_number", "letter", "since", "outbox_id")

ERASED: Final = "ERASED"


# What waits


@click.command(
    "by-hand",
    epilog="""\
Example: `awda partner by-hand` (what waits, and for whom; nothing of it names a person)

Example: `awda partner by-hand embassy-nga --print` (what each message says, to be brought today)

Example: `awda partner handed-over LBY-2026-000001 PAPER` (it has been brought)""",
)
@click.argument("partner_id", metavar="[PARTNER]", required=False)
@click.option(
    "--print", "printed", is_flag=True, help="Print what each says, if it may still be told. It names people."
)
@as_json
def by_hand(*, partner_id: str | None, printed: bool, as_json: bool) -> None:
    """List what somebody has to bring to partners that have no receiver, oldest first.

    Before anything is printed its case is asked whether it may still be told. What is printed counts as known to the
    partner: if the referral ends before you are there, the partner is to be told of the end as well.
    """
    if printed and partner_id is None:
        raise click.UsageError("--print is for one partner at a time: name it")
    found = run_with_context(lambda context: _waiting(context, partner_id, printed=printed))
    emit(found, as_json=as_json, plain=lambda: _tell(found, printed=printed))


async def _waiting(context: CommandContext, partner_id: str | None, *, printed: bool) -> list[dict[str, Any]]:
    if partner_id is not None and await get(context.pool, partner_id) is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    waiting = await Outbox(context.pool).by_hand(partner_id)
    cases = await heads(context.pool, list({each.stream_id for each in waiting}))
    listed = [_listed(each, cases[each.stream_id].number) for each in waiting]
    if not printed:
        return listed
    leaving = ReleaseCheck(context.pool, context.keys)
    return [row | await _letter(leaving, each) for row, each in zip(listed, waiting, strict=True)]


def _listed(each: Delivery, number: str) -> dict[str, Any]:
    return {
        "outbox_id": str(each.outbox_id),
        "partner_id": each.partner_id,
        "case_number": number,
        "referral_id": each.referral_id,
        "letter": each.name,
        "since": each.created_at.isoformat(timespec="seconds"),
    }


async def _letter(leaving: ReleaseCheck, delivery: Delivery) -> dict[str, Any]:
    """Whether it may be told now; if so what it says, which its partner may know from this moment on."""
    leave = await leaving.ask(delivery)
    if leave.verdict is not Verdict.GO:
        return {"leave": leave.verdict, "says": None}
    body = open_delivery(leave.keyring, delivery)
    if body is None:
        return {"leave": ERASED, "says": None}
    if not await leaving.outbox.taken_along(delivery.outbox_id, leave.revision):
        return {"leave": Verdict.HELD, "says": None}
    return {"leave": leave.verdict, "says": json.loads(body)}


def _tell(found: list[dict[str, Any]], *, printed: bool) -> None:
    if not printed:
        rows = [[row[name] for name in COLUMNS] for row in found]
        print_table([name.replace("_", " ") for name in COLUMNS], rows, none="Nothing waits to be brought.")
        return
    for row in found:
        if row["says"] is None:
            log(f"{row['outbox_id']} ({row['case_number']}) may not be told now: {row['leave']}.")
        else:
            _print(row)


def _print(row: Mapping[str, Any]) -> None:
    click.echo(f"To {row['partner_id']}: {row['letter']}, since {row['since']}")
    click.echo(json.dumps(row["says"], ensure_ascii=False, indent=2))
    log(f"Once it is there: awda partner handed-over {row['case_number']} PAPER --referral {row['referral_id']}")


# What was brought


@click.command("handed-over", epilog="Example: `awda partner handed-over LBY-2026-000001 PAPER --kind EXIT_PERMIT`")
@click.argument("number", metavar="CASE")
@click.argument("how", metavar="HOW", type=click.Choice(WAYS, case_sensitive=False))
@click.option("--referral", type=click.UUID, metavar="ID", help="Which referral, if several are under way.")
@click.option("--kind", metavar="KIND", help="Which referral, by its kind.")
@acting
@as_json
def handed_over(*, number: str, how: str, referral: UUID | None, kind: str | None, as_json: bool, **acts: Any) -> None:
    """Say that you brought a partner what a case asks of it: on PAPER, by PHONE, in a VISIT, by a LINK or a SHEET.

    Whatever of that referral was to be brought by hand is settled with it, and so is the task to bring it.
    """
    called = number.strip().upper()
    meant = run_with_context(lambda context: _meant(context, called, referral, kind))
    fields = {"referral_id": str(meant), "how": how.upper()}
    submit(
        SubmissionOptions(**acts),
        lambda context, by: context.intake.staff.send(called, "ReportHandedOver", fields, **by),
        as_json=as_json,
    )


async def _meant(context: CommandContext, number: str, referral: UUID | None, kind: str | None) -> UUID:
    case = (await replay(context.pool, context.keys, await context.stream(number))).state
    if not isinstance(case, Case):
        raise CommandError(ExitCode.NOT_FOUND, f"{number} is no case.", "awda case list")
    return chosen(case, referral, kind).referral_id
