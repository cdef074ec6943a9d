"""Manual deliveries to partners without a receiver: list, print after a release check, and record them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args
from uuid import UUID

import rich_click as click

from activities.release_check import ReleaseCheck, Verdict
from audit.replay import replay
from cli.case_text import minute
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

METHODS: Final = get_args(ReportHandedOver.model_fields["how"].annotation)

HEADINGS: Final = ("partner", "case", "message", "pending since", "delivery")

ERASED: Final = "ERASED"

NOT_RELEASED: Final[Mapping[str, str]] = {
    Verdict.BEHIND: "an earlier message of the same referral is not delivered yet",
    Verdict.HELD: "it is held in the current state of the case",
    Verdict.WITHDRAWN: "it has been withdrawn",
    ERASED: "its content has been erased",
}
"""Why a message is not printed."""


# Pending deliveries


@click.command(
    "by-hand",
    epilog="""\
Example: `awda partner by-hand` (all pending deliveries, without personal data)

Example: `awda partner by-hand embassy-nga --print` (print the messages for delivery today)

Example: `awda partner handed-over LBY-2026-000001 PAPER` (record the delivery)""",
)
@click.argument("partner_id", metavar="[PARTNER]", required=False)
@click.option(
    "--print",
    "printed",
    is_flag=True,
    help="Print the messages that may still be disclosed. They contain personal data.",
)
@as_json
def by_hand(*, partner_id: str | None, printed: bool, as_json: bool) -> None:
    """List pending manual deliveries, oldest first: messages to partners that have no receiver.

    With --print, each message is first checked against its case. A printed message counts as disclosed to the partner:
    if the referral ends before you deliver it, the partner must be informed of the end as well.
    """
    if printed and partner_id is None:
        raise click.UsageError("--print requires a PARTNER; messages are printed for one partner at a time")
    found = run_with_context(lambda context: _waiting(context, partner_id, printed=printed))
    emit(found, as_json=as_json, plain=lambda: _print(found, printed=printed))


async def _waiting(context: CommandContext, partner_id: str | None, *, printed: bool) -> list[dict[str, Any]]:
    if partner_id is not None and await get(context.pool, partner_id) is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    waiting = await Outbox(context.pool).by_hand(partner_id)
    cases = await heads(context.pool, list({each.stream_id for each in waiting}))
    rows = [_row(each, cases[each.stream_id].number) for each in waiting]
    if not printed:
        return rows
    release_check = ReleaseCheck(context.pool, context.keys)
    return [row | await _content(release_check, each) for row, each in zip(rows, waiting, strict=True)]


def _row(each: Delivery, number: str) -> dict[str, Any]:
    return {
        "outbox_id": str(each.outbox_id),
        "partner_id": each.partner_id,
        "case_number": number,
        "referral_id": each.referral_id,
        "letter": each.name,
        "since": each.created_at.isoformat(timespec="seconds"),
    }


async def _content(release_check: ReleaseCheck, delivery: Delivery) -> dict[str, Any]:
    """Returns the result of the release check, and the content if released; from then on it counts as disclosed."""
    release = await release_check.check(delivery)
    if release.verdict is not Verdict.GO:
        return {"leave": release.verdict, "says": None}
    body = open_delivery(release.keyring, delivery)
    if body is None:
        return {"leave": ERASED, "says": None}
    if not await release_check.outbox.begin_manual_delivery(delivery.outbox_id, release.revision):
        return {"leave": Verdict.HELD, "says": None}
    return {"leave": release.verdict, "says": json.loads(body)}


def _print(found: list[dict[str, Any]], *, printed: bool) -> None:
    if not printed:
        print_table(HEADINGS, map(_cells, found), none="No manual delivery is pending.")
        return
    for row in found:
        if row["says"] is None:
            reason = NOT_RELEASED[row["leave"]]
            log(f"Delivery {row['outbox_id']} ({row['case_number']}) must not be disclosed now: {reason}.")
        else:
            _print_message(row)


def _cells(row: Mapping[str, Any]) -> list[Any]:
    return [row["partner_id"], row["case_number"], row["letter"], minute(row["since"]), row["outbox_id"]]


def _print_message(row: Mapping[str, Any]) -> None:
    click.echo(f"To {row['partner_id']}: {row['letter']}, pending since {minute(row['since'])}")
    click.echo(json.dumps(row["says"], ensure_ascii=False, indent=2))
    log(f"After delivery: awda partner handed-over {row['case_number']} PAPER --referral {row['referral_id']}")


# Completed deliveries


@click.command("handed-over", epilog="Example: `awda partner handed-over LBY-2026-000001 PAPER --kind EXIT_PERMIT`")
@click.argument("number", metavar="CASE")
@click.argument("how", metavar="HOW", type=click.Choice(METHODS, case_sensitive=False))
@click.option("--referral", type=click.UUID, metavar="ID", help="The referral, if several are open.")
@click.option("--kind", metavar="KIND", help="The referral, by its kind.")
@acting
@as_json
def handed_over(*, number: str, how: str, referral: UUID | None, kind: str | None, as_json: bool, **acts: Any) -> None:
    """Record that you delivered a referral to a partner: on PAPER, by PHONE, in a VISIT, by a LINK or a SHEET.

    All pending manual deliveries of the referral, and the task to deliver them, are completed with it.
    """
    case_number = number.strip().upper()
    referral_id = run_with_context(lambda context: _referral_id(context, case_number, referral, kind))
    fields = {"referral_id": str(referral_id), "how": how.upper()}
    submit(
        SubmissionOptions(**acts),
        lambda context, by: context.intake.staff.send(case_number, "ReportHandedOver", fields, **by),
        as_json=as_json,
    )


async def _referral_id(context: CommandContext, number: str, referral: UUID | None, kind: str | None) -> UUID:
    case = (await replay(context.pool, context.keys, await context.stream(number))).state
    if not isinstance(case, Case):
        raise CommandError(ExitCode.NOT_FOUND, f"{number} is not a case.", "awda case list")
    return chosen(case, referral, kind).referral_id
