"""What goes to a partner and what became of it, who does not answer, and whether the two can talk at all."""

from __future__ import annotations

import json
import shlex
import time
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID, uuid4

import rich_click as click

from activities.webhook_client import NotReachedError, WebhookClient
from audit.case_view import when
from cli.commands.partner.task_links import base_of
from cli.context import CommandContext, run_with_context
from cli.options import DateParam, as_json
from cli.output import CommandError, ExitCode, emit, print_fields, print_table
from cli.sample_data import SamplePartners
from gateway.intake.partners import CLOUD_EVENT, SIGNAL_TYPE, source_of
from gateway.public_address import PublicAddress
from store.crypto.webhook_signatures import sign, sign_with
from store.messages.outbox import Delivery, Outbox
from store.partners.keys import OutboundKeys, keys_of, outbound
from store.partners.registry import UnknownPartnerError, get
from store.postgres.notifier import OUTBOX
from store.projections.escalation_digest import digest
from workers.egress import partner_client

TEST_TYPE: Final = "org.iom.vhr.test.v1"

GUIDE: Final = "docs/partners/README.md"

MISLED: Final = {
    "BAD_URL": "awda partner add PARTNER --receiver https://… (port 443, no user, no #)",
    "ADDRESS_NOT_ALLOWED": "a receiver whose name leads to public addresses only",
    "NO_SUCH_NAME": "the spelling of the receiver's name, and who answers for it",
}
"""What to do where the address itself is at fault, by what became of the attempt."""


@click.command(
    "test",
    epilog="""\
Example: `awda partner test clinic-misrata` (sends its receiver a signed test event)

Example: `awda partner test clinic-misrata --inbound` (prints a signed curl that the clinic can try within minutes)""",
)
@click.argument("partner_id", metavar="PARTNER")
@click.option("--inbound", is_flag=True, help="Print a request as the partner would send it; it changes nothing.")
@click.option("--url", help="Where the partner reaches this gateway; with --inbound.")
@as_json
def test_partner(*, partner_id: str, inbound: bool, url: str | None, as_json: bool) -> None:
    """Try the line to a partner: a signed test event to its receiver, and what came back."""
    if inbound:
        request = run_with_context(lambda context: _as_the_partner(context, partner_id, url))
        emit({"partner_id": partner_id, "curl": request}, as_json=as_json, plain=lambda: click.echo(request))
        return
    told = run_with_context(lambda context: _knock(context, partner_id))
    emit(told, as_json=as_json, plain=lambda: print_fields(told))
    if not told["received"]:
        todo = MISLED.get(told.get("error", ""), "its log, its receiver's address, its key")
        raise CommandError(ExitCode.DOWN, f"{partner_id} did not take the test event.", todo)


async def _knock(context: CommandContext, partner_id: str) -> dict[str, Any]:
    to = await _where(context, partner_id)
    event_id, started = str(uuid4()), time.monotonic()
    body = test_event(event_id, datetime.now(UTC))
    headers = {**sign_with(to.secrets, event_id, int(time.time()), body), "content-type": CLOUD_EVENT}
    told = {"partner_id": partner_id, "url": to.url, "event_id": event_id}
    try:
        answer = await (await _way_out(context)).post(to.url, headers, body)
    except NotReachedError as why:
        return {**told, "received": False, "error": why.word, "seconds": _since(started)}
    shown = {"status": answer.status, "answer": answer.said.decode(errors="replace")}
    received = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    return {**told, "received": received, **shown, "seconds": _since(started)}


async def _way_out(context: CommandContext) -> WebhookClient:
    """The way a delivery takes: to this machine itself only where partners are made up."""
    loopback = context.settings.loopback_receivers or SamplePartners.play_in(context.home)
    return await partner_client(replace(context.settings, loopback_receivers=loopback), context.pool)


async def _where(context: CommandContext, partner_id: str) -> OutboundKeys:
    known = await get(context.pool, partner_id)
    if known is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    to = await outbound(context.pool, context.keys.master, partner_id)
    if to is None:
        lacks = "a receiver" if not known.receiver_url else "an outbound key" if known.active else "to be active"
        todo = f"awda partner add {partner_id} --receiver URL, awda partner key add {partner_id} --outbound --generate"
        raise CommandError(ExitCode.REFUSED, f"{partner_id} lacks {lacks}: nothing is sent to it.", todo)
    return to


def test_event(event_id: str, at: datetime) -> bytes:
    """An event that asks for nothing: a receiver that knows the signature answers with 2xx and forgets it."""
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": "awda",
        "type": TEST_TYPE,
        "time": at.isoformat(timespec="seconds"),
        "datacontenttype": "application/json",
        "data": {"test": True},
    }
    return json.dumps(event, separators=(",", ":")).encode()


async def _as_the_partner(context: CommandContext, partner_id: str, url: str | None) -> str:
    """A rehearsal that this partner's shared secret has signed, as a command line."""
    if await get(context.pool, partner_id) is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    keys = await keys_of(context.pool, context.keys.master, partner_id)
    shared = [key.text for key in keys if key.algorithm == "v1"]
    if not shared:
        said = f"{partner_id} has no shared secret here; only it can sign with its own private key."
        raise CommandError(ExitCode.REFUSED, said, f"the recipe with openssl in {GUIDE}")
    body = _rehearsed(partner_id, message_id := str(uuid4()))
    base = url or base_of(PublicAddress.read())
    headers = {"content-type": CLOUD_EVENT, **sign(shared[0], message_id, int(time.time()), body.encode())}
    given = "".join(f" \\\n  -H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    where = shlex.quote(f"{base.rstrip('/')}/api/v1/inbox/{partner_id}/rehearsal")
    return f"curl -sS {where}{given} \\\n  --data-binary {shlex.quote(body)}"


def _rehearsed(partner_id: str, message_id: str) -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    data = {
        "signal_id": str(uuid4()),
        "referral_token": "the-token-of-your-referral",
        "signal_type": "ACKNOWLEDGED",
        "occurred_at": now,
    }
    event = {"specversion": "1.0", "id": message_id, "source": source_of(partner_id), "type": SIGNAL_TYPE, "data": data}
    return json.dumps(event, separators=(",", ":"))


@click.command("deliveries", epilog="Example: `awda partner deliveries clinic-misrata --limit 20`")
@click.argument("partner_id", metavar="PARTNER")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json
def deliveries(*, partner_id: str, limit: int, as_json: bool) -> None:
    """List what was sent to a partner, newest first, and what became of it."""

    async def work(context: CommandContext) -> list[Delivery]:
        if await get(context.pool, partner_id) is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}")
        return await Outbox(context.pool).of_partner(partner_id, limit)

    found = [_delivery(each) for each in run_with_context(work)]
    columns = ("outbox_id", "name", "status", "attempts", "created_at", "last_error")
    headings = [name.replace("_", " ") for name in columns]
    emit(
        found,
        as_json=as_json,
        plain=lambda: print_table(
            headings,
            [[row.get(name) for name in columns] for row in found],
            none=f"Nothing was ever to be sent to {partner_id}.",
        ),
    )


def _delivery(each: Delivery) -> dict[str, Any]:
    """A delivery without its body."""
    return {name: value for name, value in asdict(each).items() if name != "body"}


@click.command("redeliver", epilog="Example: `awda partner redeliver 0b8b4d8c-5c0f-4c8f-9a53-0f1d3f0d2b11`")
@click.argument("outbox_id", type=click.UUID, metavar="OUTBOX_ID")
@as_json
def redeliver(*, outbox_id: UUID, as_json: bool) -> None:
    """Send again what was given up: from now on it is tried as if it were new."""

    async def work(context: CommandContext) -> None:
        outbox = Outbox(context.pool)
        known = await outbox.get(outbox_id)
        if known is None:
            raise CommandError(
                ExitCode.NOT_FOUND, f"There is no delivery {outbox_id}.", "awda partner deliveries PARTNER"
            )
        if not await outbox.redeliver(outbox_id):
            said = f"{outbox_id} is {known.status}: only what was given up is sent again."
            raise CommandError(ExitCode.CONFLICT, said, f"awda partner deliveries {known.partner_id}")
        context.intake.notifier.notify(OUTBOX)

    run_with_context(work)
    told = {"outbox_id": str(outbox_id), "status": "pending"}
    emit(told, as_json=as_json, plain=lambda: click.echo(f"{outbox_id} is on its way again."))


@click.command("digest", epilog="Example: `awda partner digest --since 2026-12-01 --json`")
@click.option("--since", type=DateParam(), metavar="DAY", help="Only what came so far on that day or later.")
@as_json
def show_digest(*, since: date | None, as_json: bool) -> None:
    """Whom nobody has heard from although it was escalated: by day, partner and kind, newest first."""
    found = [
        {**asdict(each), "since": when(each.since)}
        for each in run_with_context(lambda context: digest(context.pool, since))
    ]
    columns = ("day", "partner_id", "kind", "timeliness", "referrals", "since")
    headings = [name.replace("_", " ") for name in columns]
    emit(
        found, as_json=as_json, plain=lambda: print_table(headings, [[row[name] for name in columns] for row in found])
    )


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
