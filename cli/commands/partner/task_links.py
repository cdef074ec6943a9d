"""Task links: asking a partner that has no system, with a link and a code that travel apart."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.home import here
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
    "--lang", type=click.Choice(list(LANGUAGES)), default="en", show_default=True, help="Of the page."
)


@click.command("link", epilog="Example: `awda partner link LBY-2026-000001 --kind CONSULAR_IDENTITY --lang ar`")
@click.argument("number", metavar="CASE")
@click.option("--referral", type=click.UUID, metavar="ID", help="Which referral, if several are under way.")
@click.option("--kind", metavar="KIND", help="Which referral, by its kind.")
@language
@click.option("--print", "handover", is_flag=True, help="Print a page (HTML) to hand over, and tell the code apart.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who gives it out.")
@click.option("--key", metavar="KEY", help="Idempotency key: the same key gives the same link.")
@as_json
def give_link(
    *, number: str, referral: UUID | None, kind: str | None, lang: str, handover: bool, user: str, key: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Give out a one-time link to a request that was sent, and its code: send them by different ways."""
    face = PublicAddress.read()
    asked = key or new_key()

    async def work(context: CommandContext) -> IssuedLink:
        links = TaskLinks(context.intake, face)
        return await links.issue(number.strip().upper(), user=user, key=asked, referral_id=referral, kind=kind)

    issued = run_with_context(work)
    told = issued_json(issued, base_of(face))
    told["link"] += f"?lang={lang}"
    if handover:
        click.echo(page_of(told, issued, face, lang))
        log(f"Code, to be told by another way than the page: {issued.code}")
        return
    emit(told, as_json=as_json, plain=lambda: _apart(told))


def _apart(told: dict[str, Any]) -> None:
    click.echo(told["link"])
    log(f"Send the link to {told['partner_id']}; it can be opened until {told['expires_at']}.")
    log("Tell the code by another way, such as the telephone:")
    click.echo(told["code"])


def page_of(told: dict[str, Any], issued: IssuedLink, face: PublicAddress, lang: str) -> str:
    """A page to print and hand over: the address, how to open it, and no code."""
    w = in_language(lang)
    return text_of(
        "handover", w, face, title=w.ui["handover"], languages=(), address=told["link"],
        until=clock(issued.link.expires_at), reference=issued.link.reference,
    )  # fmt: skip


def base_of(face: PublicAddress) -> str:
    """The address outside, if one is set; otherwise that of the gateway of this home."""
    settings, home = here()
    running = status(home).get("api_url")
    local = str(running).removesuffix("/api/v1") if running else f"http://{settings.host}:{settings.port}"
    return face.url or local


@click.command("links", epilog="Example: `awda partner links LBY-2026-000001`, or `awda partner links --revoke LINK`")
@click.argument("number", metavar="[CASE]", required=False)
@click.option("--revoke", type=click.UUID, metavar="LINK", help="End a link now, by its link_id.")
@as_json
def list_links(*, number: str | None, revoke: UUID | None, as_json: bool) -> None:
    """List task links, newest first, or end one. A link itself is never shown again."""

    async def work(context: CommandContext) -> list[dict[str, Any]]:
        links = TaskLinks(context.intake, PublicAddress())
        if revoke and not await links.links.revoke(revoke):
            raise CommandError(
                ExitCode.NOT_FOUND, f"There is no link {revoke} that is still open.", "awda partner links"
            )
        stream = await links.stream_of(number.strip().upper()) if number else None
        return await listed(links, await links.links.listed(stream))

    found = run_with_context(work)
    columns = ("reference", "partner_id", "status", "issued_at", "expires_at", "answers", "wrong_codes", "link_id")
    if revoke:
        log(f"{revoke} opens nothing any more.")
    rows = [[row[name] for name in columns] for row in found]
    emit(found, as_json=as_json, plain=lambda: print_table(columns, rows, none="No link was given out."))
