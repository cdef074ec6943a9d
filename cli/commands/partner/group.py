"""Partners: who may be asked for what, where they listen, and the keys by which they are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import rich_click as click

from cli.commands.partner.deliveries import deliveries, redeliver, show_digest, test_partner
from cli.commands.partner.keys import key, shown_key
from cli.commands.partner.ledger import accounts, quarantine, receipt
from cli.commands.partner.manual_delivery import by_hand, handed_over
from cli.commands.partner.sheets import sheet
from cli.commands.partner.task_links import give_link, list_links
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, emit, log, print_fields, print_table
from domain.kernel.vocabulary import ReferralKind
from domain.kernel.working_time import CALENDARS
from domain.referral.disclosure import Recipient, telling
from gateway.tabular.cells import UnclearCellError, nationality
from store.crypto.webhook_signatures import LONGEST_TOLERANCE_S
from store.partners.keys import key_entries
from store.partners.registry import RegisteredPartner, RegistryChange, UnknownPartnerError, add, changes, get, listed


@click.group()
def partner() -> None:
    """Partners and their keys."""


@partner.command("list", epilog="Example: `awda partner list --json`")
@as_json
def list_partners(*, as_json: bool) -> None:
    """List partners, what they may be asked, and where they listen."""
    found = [_told(each) for each in run_with_context(lambda context: listed(context.pool))]
    columns = ("partner_id", "name", "type", "country", "active", "receiver_url", "kinds")

    def plain() -> None:
        rows = [[", ".join(row[name]) if name == "kinds" else row[name] for name in columns] for row in found]
        print_table(
            [name.replace("_", " ") for name in columns], rows, none="No partner is registered: awda partner add."
        )

    emit(found, as_json=as_json, plain=plain)


def _told(each: RegisteredPartner) -> dict[str, Any]:
    return {
        "partner_id": each.partner_id,
        "name": each.name,
        "type": each.type,
        "kinds": sorted(each.kinds),
        "country": each.country,
        "calendar": each.calendar,
        "mandatory_reporting": each.mandatory_reporting,
        "contact": each.contact,
        "receiver_url": each.receiver_url,
        "tolerance_s": each.tolerance_s,
        "active": each.active,
    }


@partner.command("show", epilog="Example: `awda partner show clinic-misrata`")
@click.argument("partner_id", metavar="PARTNER")
@as_json
def show_partner(*, partner_id: str, as_json: bool) -> None:
    """What is known of a partner: what it is, its keys, and what was changed of both."""

    async def work(context: CommandContext) -> dict[str, Any]:
        known = await get(context.pool, partner_id)
        if known is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}")
        keys = [shown_key(entry) for entry in await key_entries(context.pool, partner_id)]
        past = [_changed(change) for change in await changes(context.pool, partner_id)]
        return {**_told(known), "keys": keys, "changes": past}

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: _print(found))


def _changed(change: RegistryChange) -> dict[str, Any]:
    at = change.at.isoformat(timespec="seconds")
    return {"at": at, "by": change.by, "change": change.change, "key_id": change.key_id, **change.told}


def _print(found: dict[str, Any]) -> None:
    told = {name: value for name, value in found.items() if name not in ("keys", "changes")}
    print_fields({**told, "kinds": ", ".join(found["kinds"])})
    if found["mandatory_reporting"]:
        log("This partner must report to authorities: say so to the person before referring them.")
    columns = ("key_id", "direction", "algorithm", "state", "valid_until", "last_used_at")
    rows = [[row[name] for name in columns] for row in found["keys"]]
    print_table(columns, rows, none="It has no key: nothing that it sends is taken, and nothing is sent to it.")
    print_table(("at", "by", "change", "key"), [[c["at"], c["by"], c["change"], c["key_id"]] for c in found["changes"]])


@partner.command(
    "add",
    epilog="""\
Example: `awda partner add clinic-misrata --name 'Clinic, Misrata' --kind MEDICAL_ASSESSMENT --contact desk@c.example`

Example: `awda partner add clinic-misrata --mandatory-reporting` (everything else stays as it is)""",
)
@click.argument("partner_id", metavar="PARTNER")
@click.option("--name", help="What people call it.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="A kind of referral; repeatable.")
@click.option("--type", "recipient", type=click.Choice(list(Recipient), case_sensitive=False), help="What it is.")
@click.option("--country", help="The only country of return it serves.")
@click.option("--calendar", help="The country whose working week it keeps.")
@click.option("--contact", help="How to reach the organisation.")
@click.option("--receiver", "receiver_url", metavar="URL", help="Where it receives.")
@click.option(
    "--tolerance",
    "tolerance_s",
    type=click.IntRange(1, LONGEST_TOLERANCE_S),
    metavar="SECONDS",
    help="How wrong the clock of its signatures may be.",
)
@click.option(
    "--mandatory-reporting/--no-mandatory-reporting", default=None, help="Whether it must report people to authorities."
)
@click.option("--active/--inactive", default=None, help="Whether it may be asked.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who does it.")
@as_json
def add_partner(*, partner_id: str, user: str, as_json: bool, **given: Any) -> None:
    """Register a partner, or change what is registered of it: what is not given stays as it is."""
    told = _given(given)

    async def work(context: CommandContext) -> RegisteredPartner:
        known = await get(context.pool, partner_id)
        changed = _with(partner_id, known, told)
        _insist_on_telling_nothing(changed, is_new=known is None)
        await add(context.pool, changed, by=f"staff:{user}")
        return await get(context.pool, partner_id) or changed

    found = run_with_context(work)
    emit(_told(found), as_json=as_json, plain=lambda: click.echo(f"{partner_id} is registered."))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """What was said, as it is registered."""
    told = {name: value for name, value in options.items() if value not in (None, ())}
    return {name: READ[name](value) if name in READ else value for name, value in told.items()}


def _with(partner_id: str, known: RegisteredPartner | None, told: dict[str, Any]) -> RegisteredPartner:
    if known is not None:
        return replace(known, **told)
    if not {"name", "kinds"} <= told.keys():
        raise CommandError(
            ExitCode.USAGE, f"{partner_id} is new: it needs --name and --kind.", "awda partner add --help"
        )
    return RegisteredPartner(partner_id, **told)


def _insist_on_telling_nothing(wanted: RegisteredPartner, *, is_new: bool) -> None:
    """An id stands in lists, in events and in addresses, outside all seals; once given it cannot be changed."""
    word = telling(wanted.partner_id, wanted.kinds)
    if word is None:
        return
    said = f"The id {wanted.partner_id!r} tells by {word!r} for what somebody is sent there, and it is sealed nowhere."
    if is_new:
        raise CommandError(
            ExitCode.REFUSED, said, "an id that tells nothing, such as partner-058; what it is called goes into --name"
        )
    log(f"{said} Register it anew under an id such as partner-058, and make this one --inactive.")


def kinds_of(given: tuple[str, ...]) -> frozenset[ReferralKind]:
    """Kinds of referral, by their names."""
    unknown = [kind for kind in given if kind.upper() not in ReferralKind.__members__]
    if unknown:
        known = ", ".join(ReferralKind.__members__)
        raise click.BadParameter(f"{unknown[0]!r} is no kind of referral; there are {known}", param_hint="--kind")
    return frozenset(ReferralKind(kind.upper()) for kind in given)


def _country(given: str) -> str:
    try:
        return nationality(given)
    except UnclearCellError as unclear:
        raise click.BadParameter(str(unclear), param_hint="--country") from None


def _calendar(given: str) -> str:
    if given.upper() not in CALENDARS:
        known = ", ".join(sorted(CALENDARS))
        raise click.BadParameter(f"no calendar is kept for {given!r}; there are {known}", param_hint="--calendar")
    return given.upper()


READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "kinds": kinds_of,
    "country": _country,
    "calendar": _calendar,
    "recipient": Recipient,
}

for _command in (
    key,
    test_partner,
    deliveries,
    by_hand,
    redeliver,
    show_digest,
    handed_over,
    accounts,
    receipt,
    quarantine,
    give_link,
    list_links,
    sheet,
):
    partner.add_command(_command)
