"""Return advisories: what the protection unit advises about a place, and every case told of a change."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final
from uuid import UUID

import rich_click as click

from cli.house import House, at_home
from cli.options import OPERATOR, as_json
from cli.talk import Code, Failed, give, progress, say, table
from domain.advisory import AREA
from domain.words import AdvisoryLevel
from gateway.from_staff import USER
from gateway.pages.clock import clock
from store.advisories import Change, VersionTaken, change, changes

ON_THE_WAY: Final = ("TRANSIT", "POST_ARRIVAL", "CLOSED")
COLUMNS: Final = ("place", "level", "version", "since", "changed_by", "basis")


@dataclass
class Told:
    """What became of a change: the cases that must be assessed anew, and how many others were told."""

    known: Change
    anew: list[str] = field(default_factory=list)
    untouched: int = 0
    pending: int = 0

    def json(self) -> dict[str, Any]:
        counted = {"untouched": self.untouched, "pending": self.pending}
        return {**_row(self.known), "news": self.known.news, "assess_anew": self.anew, **counted}


@click.group()
def advisory() -> None:
    """What is advised about places of return."""


@advisory.command(
    "change",
    epilog="Example: `awda advisory change NGA --area NG-BO --level NO_RETURN --version 2026-4 --basis 'UNHCR, May'`",
)
@click.argument("country")
@click.option("--area", metavar="CODE", help="A part of the country (ISO 3166-2); without it, all of it.")
@click.option("--level", type=click.Choice(list(AdvisoryLevel)), required=True, help="What is advised from now on.")
@click.option("--version", required=True, metavar="WORD", help="How assessments quote it.")
@click.option("--basis", required=True, metavar="TEXT", help="On what it rests.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who does it.")
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for what the cases say.",
)
@as_json
def change_advisory(
    *, country: str, area: str | None, level: str, version: str, basis: str, user: str, wait: float, as_json: bool
) -> None:  # fmt: skip
    """Change what is advised about a country (ISO 3166-1, alpha-3) or a part of it, and tell every case.

    Whoever was cleared under another version is cleared no more and must be assessed anew; unless the place is OPEN
    now, a hold keeps them from travelling, and a seat on a frozen manifest goes back. The same command again goes on
    where it was interrupted.
    """
    place = _country(country), _area(area)
    if not USER.fullmatch(user):
        raise click.BadParameter(f"{user!r} is no user's name", param_hint="--as")

    async def work(house: House) -> Told:
        by = f"staff:{user}"
        known = await change(house.pool, *place, AdvisoryLevel(level), version.strip(), basis=basis.strip(), by=by)
        return await _tell_all(house, known, user, wait)

    try:
        told = at_home(work)
    except VersionTaken as taken:
        raise Failed(Code.CONFLICT, f"{taken}.", "give the change a version of its own") from None
    give(told.json(), as_json=as_json, plain=lambda: _say(told))


def _country(text: str) -> str:
    code = text.strip().upper()
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise click.BadParameter(f"{text!r} is no country's code (ISO 3166-1, alpha-3), such as NGA")
    return code


def _area(text: str | None) -> str | None:
    code = text.strip().upper() if text else None
    if code is not None and not AREA.fullmatch(code):
        raise click.BadParameter(f"{text!r} is no part of a country (ISO 3166-2), such as NG-BO", param_hint="--area")
    return code


async def _tell_all(house: House, known: Change, user: str, wait_s: float) -> Told:
    """Every case that has not left yet and would return to that country; each once, however often it is told."""
    numbers = await house.pool.fetch(_WOULD_RETURN, known.advisory.country, list(ON_THE_WAY))
    told, sent = Told(known), {}
    with progress("Telling the cases", len(numbers)) as shown:
        for count, (number,) in enumerate(numbers, 1):
            sent[number] = await _tell(house, number, known, user)
            shown(count)
    await _count(house, sent, told, wait_s)
    return told


async def _tell(house: House, number: str, known: Change, user: str) -> UUID:
    said = known.advisory
    fields = {
        "country": said.country,
        "area": said.area,
        "level": said.level,
        "advisory_version": said.version,
        "since": said.since.isoformat(),
    }
    taken = await house.desk.send(
        number, "ReassessSafety", fields, user=user, key=f"advisory/{said.place}/{said.version}/{number}"
    )
    return taken.message_id


async def _count(house: House, sent: dict[str, UUID], told: Told, wait_s: float) -> None:
    """What became of them, as far as it is known in that time."""
    until = monotonic() + wait_s
    for number, message_id in sent.items():
        answer = await house.desk.wait(message_id, max(0.0, until - monotonic()))
        status = answer.status if answer else "pending"
        if status == "applied":
            told.anew.append(number)
        elif status == "refused":
            told.untouched += 1
        else:
            told.pending += 1


def _say(told: Told) -> None:
    said = told.known.advisory
    since = f"since {clock(said.since)}, as {told.known.changed_by} said"
    click.echo(f"{said.place}: {said.level} ({said.version}) {since}.")
    click.echo(f"To be assessed anew: {len(told.anew)}. Cases that do not rest on it: {told.untouched}.")
    for number in told.anew:
        click.echo(f"  {number}")
    if told.pending:
        say(f"Told, and not recorded yet: {told.pending}. The same command again tells how it went.")


@advisory.command("list", epilog="Example: `awda advisory list NGA --json`")
@click.argument("country", required=False)
@as_json
def list_advisories(*, country: str | None, as_json: bool) -> None:
    """List what is advised and what was before, the newest first; of each place the newest counts."""
    code = _country(country) if country else None
    found = at_home(lambda house: changes(house.pool, code))
    shown = [_row(each) | {"since": clock(each.advisory.since)} for each in found]
    headings = [name.replace("_", " ") for name in COLUMNS]
    give(
        [_row(each) for each in found],
        as_json=as_json,
        plain=lambda: table(headings, [[row[name] for name in COLUMNS] for row in shown]),
    )


def _row(known: Change) -> dict[str, Any]:
    said = known.advisory
    return {
        "place": said.place,
        "country": said.country,
        "area": said.area,
        "level": said.level.value,
        "version": said.version,
        "since": said.since.isoformat(timespec="seconds"),
        "changed_by": known.changed_by,
        "basis": known.basis,
    }


_WOULD_RETURN = """
SELECT number FROM case_list WHERE country_of_return = $1 AND phase <> ALL ($2) ORDER BY 1
"""
