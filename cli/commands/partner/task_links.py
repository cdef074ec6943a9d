"""Task links for partners without a system: a one-time link and a code, sent over different channels."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import rich_click as click

from cli.case_text import minute
from cli.context import CommandContext, run_with_context
from cli.home import settings_and_home
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, emit, log, print_table
from gateway.api.task_links import issued_json, listed
from gateway.intake.submission import new_key
from gateway.pages.render import text_of
from gateway.pages.time_format import clock
from gateway.pages.translations import LANGUAGES, in_language
from gateway.partner_access.task_links import IssuedLink, TaskLinks
from gateway.public_address import PublicAddress
from workers.embedded.installation import status

language = click.option(
    "--lang", type=click.Choice(list(LANGUAGES)), default="en", show_default=True, help="Language of the page."
)


@click.command("link", epilog="Example: `awda partner link LBY-2026-000001 --kind CONSULAR_IDENTITY --lang ar`")
@click.argument("number", metavar="CASE")
@click.option("--referral", type=click.UUID, metavar="ID", help="The referral, if several are open.")
@click.option("--kind", metavar="KIND", help="The referral, by its kind.")
@language
@click.option(
    "--print",
    "handover",
    is_flag=True,
    help="Print an HTML page with the link to hand over; the code is shown separately.",
)
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.")
@click.option("--key", metavar="KEY", help="Idempotency key: a repeated key returns the same link.")
@as_json
def issue_link(
    *, number: str, referral: UUID | None, kind: str | None, lang: str, handover: bool, user: str, key: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Issue a one-time link to a referral that was sent, and its code. Send them over different channels."""
    address = PublicAddress.read()
    idempotency_key = key or new_key()

    async def work(context: CommandContext) -> IssuedLink:
        links = TaskLinks(context.intake, address)
        return await links.issue(
            number.strip().upper(), user=user, key=idempotency_key, referral_id=referral, kind=kind
        )

    issued = run_with_context(work)
    link = issued_json(issued, base_url(address))
    link["link"] += f"?lang={lang}"
    if handover:
        click.echo(handover_page(link, issued, address, lang))
        log(f"Code, to be sent separately from the page: {issued.code}")
        return
    emit(link, as_json=as_json, plain=lambda: _print(link))


def _print(link: dict[str, Any]) -> None:
    click.echo(link["link"])
    log(f"Send the link to {link['partner_id']}; it is valid until {minute(link['expires_at'])}.")
    log("Send the code over another channel, such as the telephone:")
    click.echo(link["code"])


def handover_page(link: dict[str, Any], issued: IssuedLink, address: PublicAddress, lang: str) -> str:
    """Returns a page to print and hand over: the link and instructions, without the code."""
    texts = in_language(lang)
    return text_of(
        "handover", texts, address, title=texts.ui["handover"], languages=(), address=link["link"],
        until=clock(issued.link.expires_at), reference=issued.link.reference,
    )  # fmt: skip


def base_url(address: PublicAddress) -> str:
    """Returns the public base URL if one is set, otherwise that of the gateway of this home."""
    settings, home = settings_and_home()
    running = status(home).get("api_url")
    local = str(running).removesuffix("/api/v1") if running else f"http://{settings.host}:{settings.port}"
    return address.url or local


@click.command("links", epilog="Example: `awda partner links LBY-2026-000001`, or `awda partner links --revoke LINK`")
@click.argument("number", metavar="[CASE]", required=False)
@click.option("--revoke", type=click.UUID, metavar="LINK", help="Revoke the link with this id.")
@as_json
def list_links(*, number: str | None, revoke: UUID | None, as_json: bool) -> None:
    """List task links, newest first, or revoke one. The links themselves are not shown again."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        links = TaskLinks(context.intake, PublicAddress())
        if revoke and not await links.links.revoke(revoke):
            raise CommandError(ExitCode.NOT_FOUND, f"There is no open link with the id {revoke}.", "awda partner links")
        stream = await links.stream_of(number.strip().upper()) if number else None
        return await listed(links, await links.links.listed(stream))

    found = run_with_context(work)
    headings = ("reference", "partner", "status", "issued at", "valid until", "answers", "wrong codes", "link id")
    if revoke:
        log(f"Link {revoke} is revoked.")
    none = "No link has been issued."
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _cells(row: dict[str, Any]) -> list[Any]:
    times = (minute(row["issued_at"]), minute(row["expires_at"]))
    about = (row["reference"], row["partner_id"], row["status"])
    return [*about, *times, row["answers"], row["wrong_codes"], row["link_id"]]
