"""``awda partner``: the registry of partners, and the group that the other files add their commands to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import rich_click as click

from cli.case_text import country, minute
from cli.commands.partner.deliveries import deliveries, redeliver, show_digest, test_partner
from cli.commands.partner.keys import ALGORITHMS, key, key_json
from cli.commands.partner.ledger import accounts, quarantine, receipt
from cli.commands.partner.manual_delivery import by_hand, handed_over
from cli.commands.partner.sheets import sheet
from cli.commands.partner.task_links import issue_link, list_links
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, as_text, emit, log, print_fields, print_table
from domain.kernel.labels import label, words
from domain.kernel.vocabulary import ReferralKind
from domain.kernel.working_time import CALENDARS
from domain.referral.disclosure import Recipient, revealing_word
from gateway.tabular.cells import UnclearCellError, nationality
from store.crypto.webhook_signatures import LONGEST_TOLERANCE_S
from store.partners.keys import key_entries
from store.partners.registry import RegisteredPartner, RegistryChange, UnknownPartnerError, add, changes, get, listed


@click.group()
def partner() -> None:
    """Manage partners, their keys and their messages."""


@partner.command("list", epilog="Example: `awda partner list --json`")
@as_json
def list_partners(*, as_json: bool) -> None:
    """List partners with their kinds of referral and their receivers."""
    found = [_partner_json(each) for each in run_with_context(lambda context: listed(context.pool))]
    headings = ("partner", "name", "type", "country", "active", "receiver", "kinds of referral")
    none = "No partner is registered. To register one: awda partner add"
    emit(found, as_json=as_json, plain=lambda: print_table(headings, map(_cells, found), none=none))


def _cells(row: dict[str, Any]) -> list[Any]:
    about = (row["partner_id"], row["name"], words(row["type"] or ""), country(row["country"]))
    return [*about, as_text(row["active"]), row["receiver_url"], _kinds(row["kinds"])]


def _kinds(codes: Iterable[str]) -> str:
    return ", ".join(label(ReferralKind(code)) for code in codes)


def _partner_json(each: RegisteredPartner) -> dict[str, Any]:
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
    """Show a partner: its registration, its keys, and the history of changes to both."""

    async def work(context: CommandContext) -> dict[str, Any]:
        known = await get(context.pool, partner_id)
        if known is None:
            raise UnknownPartnerError(f"there is no partner {partner_id!r}")
        keys = [key_json(entry) for entry in await key_entries(context.pool, partner_id)]
        history = [_change_json(change) for change in await changes(context.pool, partner_id)]
        return {**_partner_json(known), "keys": keys, "changes": history}

    found = run_with_context(work)
    emit(found, as_json=as_json, plain=lambda: _print(found))


def _change_json(change: RegistryChange) -> dict[str, Any]:
    at = change.at.isoformat(timespec="seconds")
    return {"at": at, "by": change.by, "change": change.change, "key_id": change.key_id, **change.details}


def _print(found: dict[str, Any]) -> None:
    print_fields({
        "partner": found["partner_id"],
        "name": found["name"],
        "type": words(found["type"] or ""),
        "kinds of referral": _kinds(found["kinds"]),
        "country": country(found["country"]),
        "calendar": country(found["calendar"]),
        "mandatory reporting": found["mandatory_reporting"],
        "contact": found["contact"],
        "receiver": found["receiver_url"],
        "clock tolerance": f"{found['tolerance_s']} seconds",
        "active": found["active"],
    })  # fmt: skip
    if found["mandatory_reporting"]:
        log("This partner must report to authorities: inform the person before the referral.")
    headings = ("key", "direction", "algorithm", "state", "valid until", "last used at")
    rows = [
        [each["key_id"], each["direction"], ALGORITHMS[each["algorithm"]], each["state"], minute(each["valid_until"]),
         minute(each["last_used_at"])]
        for each in found["keys"]
    ]  # fmt: skip
    click.echo()
    print_table(headings, rows, none="The partner has no key: messages can neither be received from it nor sent to it.")
    click.echo()
    past = [[minute(each["at"]), each["by"], each["change"], each["key_id"]] for each in found["changes"]]
    print_table(("changed at", "changed by", "change", "key"), past)


@partner.command(
    "add",
    epilog="""\
Example: `awda partner add clinic-misrata --name 'Clinic, Misrata' --kind MEDICAL_ASSESSMENT --contact desk@c.example`

Example: `awda partner add clinic-misrata --mandatory-reporting` (everything else is unchanged)""",
)
@click.argument("partner_id", metavar="PARTNER")
@click.option("--name", help="Name of the organisation.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Kind of referral it accepts; repeatable.")
@click.option(
    "--type", "recipient", type=click.Choice(list(Recipient), case_sensitive=False), help="Type of organisation."
)
@click.option("--country", help="Country of return it serves, if only one.")
@click.option("--calendar", help="Country whose working days apply to it.")
@click.option("--contact", help="Contact details of the organisation.")
@click.option("--receiver", "receiver_url", metavar="URL", help="URL that receives its messages.")
@click.option(
    "--tolerance",
    "tolerance_s",
    type=click.IntRange(1, LONGEST_TOLERANCE_S),
    metavar="SECONDS",
    help="Permitted clock difference of its signatures.",
)
@click.option(
    "--mandatory-reporting/--no-mandatory-reporting",
    default=None,
    help="Whether it is obliged to report to authorities.",
)
@click.option("--active/--inactive", default=None, help="Whether it may receive referrals.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.")
@as_json
def add_partner(*, partner_id: str, user: str, as_json: bool, **given: Any) -> None:
    """Register a partner, or change its registration: options that are not given leave their value unchanged."""
    values = _parsed(given)

    async def work(context: CommandContext) -> RegisteredPartner:
        known = await get(context.pool, partner_id)
        changed = _merged(partner_id, known, values)
        _require_neutral_id(changed, is_new=known is None)
        await add(context.pool, changed, by=f"staff:{user}")
        return await get(context.pool, partner_id) or changed

    found = run_with_context(work)
    emit(_partner_json(found), as_json=as_json, plain=lambda: click.echo(f"{partner_id} is registered."))


def _parsed(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that were given, as the registry stores them."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    return {name: PARSERS[name](value) if name in PARSERS else value for name, value in given.items()}


def _merged(partner_id: str, known: RegisteredPartner | None, values: dict[str, Any]) -> RegisteredPartner:
    if known is not None:
        return replace(known, **values)
    if not {"name", "kinds"} <= values.keys():
        message = f"{partner_id} is not registered yet; a new partner requires --name and --kind."
        raise CommandError(ExitCode.USAGE, message, "awda partner add --help")
    return RegisteredPartner(partner_id, **values)


def _require_neutral_id(wanted: RegisteredPartner, *, is_new: bool) -> None:
    """Refuses an id that reveals the service: ids are in lists, events and URLs, unencrypted, and cannot be changed."""
    word = revealing_word(wanted.partner_id, wanted.kinds)
    if word is None:
        return
    message = f"The id {wanted.partner_id!r} contains {word!r}, which reveals the service; ids are not encrypted."
    if is_new:
        raise CommandError(
            ExitCode.REFUSED, message, "use a neutral id, such as partner-058, and give the name with --name"
        )
    log(f"{message} Register the partner again with a neutral id, such as partner-058, and set this one --inactive.")


def kinds_of(given: tuple[str, ...]) -> frozenset[ReferralKind]:
    """Returns kinds of referral by their codes. Raises ``BadParameter`` for an unknown one."""
    unknown = [kind for kind in given if kind.upper() not in ReferralKind.__members__]
    if unknown:
        known = ", ".join(ReferralKind.__members__)
        raise click.BadParameter(f"{unknown[0]!r} is not a kind of referral; choose from {known}", param_hint="--kind")
    return frozenset(ReferralKind(kind.upper()) for kind in given)


def _country(given: str) -> str:
    try:
        return nationality(given)
    except UnclearCellError as unclear:
        raise click.BadParameter(str(unclear), param_hint="--country") from None


def _calendar(given: str) -> str:
    if given.upper() not in CALENDARS:
        known = ", ".join(sorted(CALENDARS))
        raise click.BadParameter(f"there is no calendar for {given!r}; choose one of {known}", param_hint="--calendar")
    return given.upper()


PARSERS: Final[Mapping[str, Callable[[Any], Any]]] = {
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
    issue_link,
    list_links,
    sheet,
):
    partner.add_command(_command)
