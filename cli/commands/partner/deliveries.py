"""Deliveries to partners: test the connection, list, send again; and the digest of escalated referrals."""

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
from cli.case_text import minute
from cli.commands.partner.task_links import base_url
from cli.context import CommandContext, run_with_context
from cli.options import DateParam, as_json
from cli.output import CommandError, ExitCode, emit, print_fields, print_table
from cli.sample_data import SamplePartners
from domain.kernel.labels import label
from domain.kernel.vocabulary import ReferralKind, Timeliness
from gateway.intake.partners import CLOUD_EVENT, SIGNAL_TYPE, source_of
from gateway.pages.time_format import clock
from gateway.public_address import PublicAddress
from store.crypto.webhook_signatures import sign, sign_with
from store.messages.outbox import Delivery, Outbox
from store.partners.keys import OutboundKeys, keys_of, outbound
from store.partners.registry import UnknownPartnerError, get
from store.postgres.notifier import OUTBOX
from store.projections.escalation_digest import digest
from workers.egress import partner_client

NO_KEY: Final = "it has no outbound key"

TEST_TYPE: Final = "org.iom.vhr.test.v1"

GUIDE: Final = "docs/partners/README.md"

ADDRESS_REMEDIES: Final = {
    "BAD_URL": "awda partner add PARTNER --receiver https://… (port 443, without user name or fragment)",
    "ADDRESS_NOT_ALLOWED": "register a receiver whose host name resolves to public addresses only",
    "NO_SUCH_NAME": "check the spelling of the receiver's host name, and its DNS entry",
}
"""Next steps when the receiver's address is the cause, by the error of the attempt."""


@click.command(
    "test",
    epilog="""\
Example: `awda partner test clinic-misrata` (sends a signed test event to the receiver)

Example: `awda partner test clinic-misrata --inbound` (prints a signed curl command, valid for minutes)""",
)
@click.argument("partner_id", metavar="PARTNER")
@click.option("--inbound", is_flag=True, help="Print a signed request as the partner would send it; it has no effect.")
@click.option("--url", help="With --inbound: base URL of this gateway as the partner sees it.")
@as_json
def test_partner(*, partner_id: str, inbound: bool, url: str | None, as_json: bool) -> None:
    """Test the connection to a partner: send a signed test event to its receiver and show the response."""
    if inbound:
        request = run_with_context(lambda context: _signed_request(context, partner_id, url))
        emit({"partner_id": partner_id, "curl": request}, as_json=as_json, plain=lambda: click.echo(request))
        return
    result = run_with_context(lambda context: _send_test(context, partner_id))
    emit(result, as_json=as_json, plain=lambda: print_fields(_spaced(result)))
    if not result["received"]:
        todo = ADDRESS_REMEDIES.get(result.get("error", ""), "check the receiver's log, its address and its key")
        raise CommandError(ExitCode.DOWN, f"{partner_id} did not accept the test event.", todo)


def _spaced(data: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", " "): value for name, value in data.items()}


async def _send_test(context: CommandContext, partner_id: str) -> dict[str, Any]:
    to = await _destination(context, partner_id)
    event_id, started = str(uuid4()), time.monotonic()
    body = test_event(event_id, datetime.now(UTC))
    headers = {**sign_with(to.secrets, event_id, int(time.time()), body), "content-type": CLOUD_EVENT}
    sent = {"partner_id": partner_id, "url": to.url, "event_id": event_id}
    try:
        answer = await (await _client(context)).post(to.url, headers, body)
    except NotReachedError as why:
        return {**sent, "received": False, "error": why.word, "seconds": _elapsed(started)}
    response = {"status": answer.status, "answer": answer.body.decode(errors="replace")}
    received = HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES
    return {**sent, "received": received, **response, "seconds": _elapsed(started)}


async def _client(context: CommandContext) -> WebhookClient:
    """Returns the client that deliveries use. Loopback addresses are allowed only with simulated partners."""
    loopback = context.settings.loopback_receivers or SamplePartners.exist_in(context.home)
    return await partner_client(replace(context.settings, loopback_receivers=loopback), context.pool)


async def _destination(context: CommandContext, partner_id: str) -> OutboundKeys:
    known = await get(context.pool, partner_id)
    if known is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    to = await outbound(context.pool, context.keys.master, partner_id)
    if to is None:
        reason = "it has no receiver" if not known.receiver_url else NO_KEY if known.active else "it is inactive"
        todo = f"awda partner add {partner_id} --receiver URL, awda partner key add {partner_id} --outbound --generate"
        raise CommandError(ExitCode.REFUSED, f"Nothing can be sent to {partner_id}: {reason}.", todo)
    return to


def test_event(event_id: str, at: datetime) -> bytes:
    """Returns a test event: a receiver verifies its signature, responds with 2xx and takes no other action."""
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


async def _signed_request(context: CommandContext, partner_id: str, url: str | None) -> str:
    """Returns a curl command for the rehearsal endpoint, signed with the partner's shared secret."""
    if await get(context.pool, partner_id) is None:
        raise UnknownPartnerError(f"there is no partner {partner_id!r}")
    keys = await keys_of(context.pool, context.keys.master, partner_id)
    shared = [key.text for key in keys if key.algorithm == "v1"]
    if not shared:
        message = f"{partner_id} has no shared secret; it signs with its own private key."
        raise CommandError(ExitCode.REFUSED, message, f"sign with openssl, as described in {GUIDE}")
    body = _rehearsal(partner_id, message_id := str(uuid4()))
    base = url or base_url(PublicAddress.read())
    headers = {"content-type": CLOUD_EVENT, **sign(shared[0], message_id, int(time.time()), body.encode())}
    options = "".join(f" \\\n  -H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    where = shlex.quote(f"{base.rstrip('/')}/api/v1/inbox/{partner_id}/rehearsal")
    return f"curl -sS {where}{options} \\\n  --data-binary {shlex.quote(body)}"


def _rehearsal(partner_id: str, message_id: str) -> str:
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
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Maximum number.")
@as_json
def deliveries(*, partner_id: str, limit: int, as_json: bool) -> None:
    """List deliveries to a partner, newest first, with their status."""

    async def work(context: CommandContext) -> list[Delivery]:
        if await get(context.pool, partner_id) is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}")
        return await Outbox(context.pool).of_partner(partner_id, limit)

    found = [_delivery(each) for each in run_with_context(work)]
    headings = ("delivery", "message", "status", "attempts", "created at", "last error")
    none = f"No message has been prepared for {partner_id}."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _delivery(each: Delivery) -> dict[str, Any]:
    """Returns a delivery as ``--json`` prints it, without its body."""
    return {name: value for name, value in asdict(each).items() if name != "body"}


DELIVERY_STATUSES: Final = {"by_hand": "manual delivery", "dead": "given up"}
"""Statuses of deliveries whose code is not a plain word."""


def _cells(row: dict[str, Any]) -> list[Any]:
    status, error = DELIVERY_STATUSES.get(row["status"], row["status"]), row["last_error"]
    return [row["outbox_id"], row["name"], status, row["attempts"], clock(row["created_at"]), error]


@click.command("redeliver", epilog="Example: `awda partner redeliver 0b8b4d8c-5c0f-4c8f-9a53-0f1d3f0d2b11`")
@click.argument("outbox_id", type=click.UUID, metavar="OUTBOX_ID")
@as_json
def redeliver(*, outbox_id: UUID, as_json: bool) -> None:
    """Retry a delivery that was given up, with the full number of attempts."""

    async def work(context: CommandContext) -> None:
        outbox = Outbox(context.pool)
        known = await outbox.get(outbox_id)
        if known is None:
            raise CommandError(
                ExitCode.NOT_FOUND, f"There is no delivery {outbox_id}.", "awda partner deliveries PARTNER"
            )
        if not await outbox.redeliver(outbox_id):
            status = DELIVERY_STATUSES.get(known.status, known.status)
            message = f"Delivery {outbox_id} is {status}; only a delivery that was given up can be retried."
            raise CommandError(ExitCode.CONFLICT, message, f"awda partner deliveries {known.partner_id}")
        context.intake.notifier.notify(OUTBOX)

    run_with_context(work)
    result = {"outbox_id": str(outbox_id), "status": "pending"}
    emit(result, as_json=as_json, plain=lambda: click.echo(f"Delivery {outbox_id} will be retried."))


@click.command("digest", epilog="Example: `awda partner digest --since 2026-12-01 --json`")
@click.option("--since", type=DateParam(), metavar="DAY", help="List only escalations on or after this day.")
@as_json
def show_digest(*, since: date | None, as_json: bool) -> None:
    """List referrals escalated above level 1, by day, partner and kind, newest first."""
    found = [
        {**asdict(each), "since": when(each.since)}
        for each in run_with_context(lambda context: digest(context.pool, since))
    ]
    headings = ("day", "partner", "kind", "timeliness", "referrals", "since")
    none = "No referral is escalated above level 1."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_digest_cells, found), none=none))


def _digest_cells(row: dict[str, Any]) -> list[Any]:
    kind, timeliness = label(ReferralKind(row["kind"])), label(Timeliness(row["timeliness"]))
    return [row["day"], row["partner_id"], kind, timeliness, row["referrals"], minute(row["since"])]


def _elapsed(started: float) -> float:
    return round(time.monotonic() - started, 3)
