"""``awda calendar``: holidays that were announced after the calendars were published."""

from __future__ import annotations

from datetime import date
from typing import Any

import rich_click as click

from cli.case_text import country as country_label
from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, DateParam, as_json
from cli.output import emit, log, print_table
from domain.kernel.working_time import CALENDARS
from gateway.pages.time_format import clock
from store.reference.holidays import Holiday, announce, announcements


class CountryParam(click.ParamType[str]):
    """A country with a working calendar, by its code (ISO 3166-1, alpha-3)."""

    name = "country"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        code = str(value).strip().upper()
        if code not in CALENDARS:
            self.fail(f"there is no calendar for {value!r}; choose one of {', '.join(sorted(CALENDARS))}", param, ctx)
        return code


@click.group()
def calendar() -> None:
    """Manage public holidays."""


@calendar.command("announce", epilog="Example: `awda calendar announce LBY 2026-11-24 'Day of mourning' --as fatima`")
@click.argument("country", type=CountryParam())
@click.argument("day", type=DateParam())
@click.argument("name")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Acting user.")
@as_json
def announce_holiday(*, country: str, day: date, name: str, user: str, as_json: bool) -> None:
    """Announce a public holiday: the country's offices are closed on that day.

    Due dates in working days of partners in that country move by one day, in every case, within ten seconds. An
    announcement makes nothing overdue and cannot be withdrawn.
    """

    async def work(context: CommandContext) -> tuple[bool, Holiday]:
        news = await announce(context.pool, country, day, name.strip(), by=f"staff:{user}")
        (known,) = [each for each in await announcements(context.pool, country) if each.day == day]
        return news, known

    news, known = run_with_context(work)
    emit({**_row(known), "news": news}, as_json=as_json, plain=lambda: click.echo(_summary(known, news=news)))
    if not CALENDARS[country].works(day):
        log(f"{day} is not a working day in the calendar of {country_label(country)}: no due date moves.")


def _summary(known: Holiday, *, news: bool) -> str:
    holiday = f"{known.day} is a public holiday in {country_label(known.country)} ({known.name})"
    return f"{holiday}." if news else f"{holiday}; {known.announced_by} announced it at {clock(known.announced_at)}."


@calendar.command("list", epilog="Example: `awda calendar list LBY --json`")
@click.argument("country", type=CountryParam(), required=False)
@as_json
def list_holidays(*, country: str | None, as_json: bool) -> None:
    """List announced holidays by day."""
    found = run_with_context(lambda context: announcements(context.pool, country))
    headings = ("country", "day", "name", "announced at", "announced by")
    emit(
        [_row(each) for each in found],
        as_json=as_json,
        plain=lambda: print_table(headings, map(_cells, found), none="No holiday has been announced."),
    )


def _cells(known: Holiday) -> list[str]:
    return [
        country_label(known.country),
        known.day.isoformat(),
        known.name,
        clock(known.announced_at),
        known.announced_by,
    ]


def _row(known: Holiday) -> dict[str, Any]:
    return {
        "country": known.country,
        "day": known.day.isoformat(),
        "name": known.name,
        "announced_at": known.announced_at.isoformat(timespec="seconds"),
        "announced_by": known.announced_by,
    }
