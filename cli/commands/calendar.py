"""Working days: holidays that were announced after the calendars were published, and who announced them."""

from __future__ import annotations

from datetime import date
from typing import Any

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, DateParam, as_json
from cli.output import emit, log, print_table
from domain.kernel.working_time import CALENDARS
from store.reference.holidays import Holiday, announce, announcements


class CountryParam(click.ParamType[str]):
    """A country whose calendar is kept, by its code (ISO 3166, alpha-3)."""

    name = "country"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        code = str(value).strip().upper()
        if code not in CALENDARS:
            self.fail(f"no calendar is kept for {value!r}; there are {', '.join(sorted(CALENDARS))}", param, ctx)
        return code


@click.group()
def calendar() -> None:
    """Working days and holidays."""


@calendar.command("announce", epilog="Example: `awda calendar announce LBY 2026-11-24 'Day of mourning' --as fatima`")
@click.argument("country", type=CountryParam())
@click.argument("day", type=DateParam())
@click.argument("name")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who does it.")
@as_json
def announce_holiday(*, country: str, day: date, name: str, user: str, as_json: bool) -> None:
    """Announce that a country's offices are closed on a day.

    What its partners owe in working days is due a day later, in every case and within ten seconds. Nothing becomes
    overdue by it, and an announcement is not taken back.
    """

    async def work(context: CommandContext) -> tuple[bool, Holiday]:
        news = await announce(context.pool, country, day, name.strip(), by=f"staff:{user}")
        (known,) = [each for each in await announcements(context.pool, country) if each.day == day]
        return news, known

    news, known = run_with_context(work)
    emit({**_told(known), "news": news}, as_json=as_json, plain=lambda: click.echo(_sentence(known, news=news)))
    if not CALENDARS[country].works(day):
        log(f"By the published calendar {country} did not work on that day anyway: no due date moves.")


def _sentence(known: Holiday, *, news: bool) -> str:
    said = f"{known.country} does not work on {known.day} ({known.name})"
    return f"{said}." if news else f"{said}, as {known.announced_by} announced on {known.announced_at:%d %B %Y}."


@calendar.command("list", epilog="Example: `awda calendar list LBY --json`")
@click.argument("country", type=CountryParam(), required=False)
@as_json
def list_holidays(*, country: str | None, as_json: bool) -> None:
    """List the holidays that were announced since the calendars were published, by day."""
    found = [_told(each) for each in run_with_context(lambda context: announcements(context.pool, country))]
    columns = ("country", "day", "name", "announced_at", "announced_by")
    headings = [name.replace("_", " ") for name in columns]
    emit(
        found, as_json=as_json, plain=lambda: print_table(headings, [[row[name] for name in columns] for row in found])
    )


def _told(known: Holiday) -> dict[str, Any]:
    return {
        "country": known.country,
        "day": known.day.isoformat(),
        "name": known.name,
        "announced_at": known.announced_at.isoformat(timespec="seconds"),
        "announced_by": known.announced_by,
    }
