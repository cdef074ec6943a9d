"""Partners: who may be asked for what, where they listen, and the keys by which they are known."""

from __future__ import annotations

import sys
from typing import Any

import rich_click as click

from cli.cells import Unclear, nationality
from cli.house import House, at_home
from cli.options import as_json
from cli.partner_accounts import accounts, quarantine, receipt
from cli.talk import Code, Failed, give, say, table
from domain.words import ReferralKind
from store.partners import Registered, add, add_key, get, listed
from store.signing import new_secret


@click.group()
def partner() -> None:
    """Partners and their keys."""


for command in (accounts, receipt, quarantine):
    partner.add_command(command)


@partner.command("list", epilog="Example: `awda partner list --json`")
@as_json
def list_partners(*, as_json: bool) -> None:
    """List partners, what they may be asked, and where they listen."""
    found = [_told(each) for each in at_home(lambda house: listed(house.pool))]
    columns = ("partner_id", "name", "country", "active", "receiver_url", "kinds")

    def plain() -> None:
        rows = [[", ".join(row[name]) if name == "kinds" else row[name] for name in columns] for row in found]
        table([name.replace("_", " ") for name in columns], rows)

    give(found, as_json=as_json, plain=plain)


def _told(each: Registered) -> dict[str, Any]:
    return {
        "partner_id": each.partner_id,
        "name": each.name,
        "kinds": sorted(each.kinds),
        "country": each.country,
        "receiver_url": each.receiver_url,
        "active": each.active,
    }


@partner.command("add", epilog="Example: `awda partner add clinic-misrata --name 'Clinic' --kind MEDICAL_ASSESSMENT`")
@click.argument("partner_id", metavar="PARTNER")
@click.option("--name", required=True, help="What people call it.")
@click.option("--kind", "kinds", multiple=True, required=True, metavar="KIND", help="A kind of referral; repeatable.")
@click.option("--country", help="The only country of return it serves.")
@click.option("--receiver", metavar="URL", help="Where it receives.")
@click.option("--inactive", is_flag=True, help="Known, but not to be asked.")
@as_json
def add_partner(
    *, partner_id: str, name: str, kinds: tuple[str, ...], country: str | None, receiver: str | None,
    inactive: bool, as_json: bool,
) -> None:  # fmt: skip
    """Register a partner, or change what is registered of it."""
    registered = Registered(partner_id, name, _kinds(kinds), _country(country), receiver, not inactive)

    async def work(house: House) -> Registered:
        await add(house.pool, registered)
        return await get(house.pool, partner_id) or registered

    found = at_home(work)
    give(_told(found), as_json=as_json, plain=lambda: click.echo(f"{partner_id} is registered."))


def _kinds(given: tuple[str, ...]) -> frozenset[ReferralKind]:
    unknown = [kind for kind in given if kind.upper() not in ReferralKind.__members__]
    if unknown:
        known = ", ".join(ReferralKind.__members__)
        raise click.BadParameter(f"{unknown[0]!r} is no kind of referral; there are {known}", param_hint="--kind")
    return frozenset(ReferralKind(kind.upper()) for kind in given)


def _country(given: str | None) -> str | None:
    try:
        return nationality(given) if given else None
    except Unclear as unclear:
        raise click.BadParameter(str(unclear), param_hint="--country") from None


@partner.group()
def key() -> None:
    """The keys by which a partner's messages are known."""


@key.command("add", epilog="Example: `awda partner key add clinic-misrata --generate`")
@click.argument("partner_id", metavar="PARTNER")
@click.argument("text", metavar="[KEY|-]", required=False)
@click.option("--generate", is_flag=True, help="Make a shared secret and print it, this once.")
@as_json
def add_partner_key(*, partner_id: str, text: str | None, generate: bool, as_json: bool) -> None:
    """Accept a key from now on: whpk_… (public, Ed25519) or whsec_… (shared secret); - reads it from standard input."""
    if bool(text) == generate:
        raise Failed(Code.USAGE, "Give one key, or ask for one.", "awda partner key add PARTNER --generate")
    if text and text.startswith("whsec_"):
        say("A secret on the command line can be seen by others on this machine; - reads it from standard input.")
    secret = new_secret() if generate else sys.stdin.readline().strip() if text == "-" else str(text)
    key_id = at_home(lambda house: add_key(house.pool, house.keys.master, partner_id, secret))
    told = {"partner_id": partner_id, "key_id": key_id} | ({"secret": secret} if generate else {})
    give(told, as_json=as_json, plain=lambda: click.echo(secret if generate else key_id))
