"""Return advisories: what the protection unit advises about a place, and every case told of a change."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json
from cli.output import CommandError, ExitCode, emit, log, print_table, progress_bar
from domain.kernel.places import ALPHA2, part_of
from domain.kernel.vocabulary import AdvisoryLevel
from gateway.intake.staff import USER
from gateway.intake.submission import SubmissionResult
from gateway.pages.time_format import clock
from store.log.mapper import KeyErasedError
from store.messages.inbox import IncomingMessage, encode_message
from store.postgres.notifier import INBOX
from store.reference.advisories import (
    SOURCE,
    AdvisoryChange,
    AdvisoryVersionTakenError,
    AffectedCase,
    addressees,
    advised,
    all_told,
    change,
    changes,
)

logger = logging.getLogger("awda.cli")

COLUMNS: Final = ("place", "level", "version", "since", "changed_by", "basis")

NOT_CONCERNED: Final = frozenset({"SAFETY.NOT_CONCERNED", "SAFETY.ARRIVED"})

VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}")

MOST_BASIS: Final = 2000


@dataclass
class AdvisoryBroadcast:
    """What became of a change: the cases that were to be assessed anew, and how many others were told."""

    known: AdvisoryChange
    anew: list[str] = field(default_factory=list)
    untouched: int = 0
    undecided: list[str] = field(default_factory=list)
    """Told, but neither recorded nor refused as not concerned; or erased, so that they could not be told."""

    def json(self) -> dict[str, Any]:
        found = {"assess_anew": self.anew, "untouched": self.untouched, "undecided": self.undecided}
        return {**_row(self.known), "news": self.known.news, **found}


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
    if not USER.fullmatch(user):
        raise click.BadParameter(f"{user!r} is no user's name", param_hint="--as")
    said = _version(version), _basis(basis)

    async def work(context: CommandContext) -> AdvisoryBroadcast:
        place = await _country(context, country), _area(country, area)
        known = await change(context.pool, *place, AdvisoryLevel(level), said[0], basis=said[1], by=f"staff:{user}")
        await _insist_on_newest(context, known)
        return await _tell_all(context, known, wait)

    try:
        told = run_with_context(work)
    except AdvisoryVersionTakenError as taken:
        raise CommandError(ExitCode.CONFLICT, f"{taken}.", "give the change a version of its own") from None
    emit(told.json(), as_json=as_json, plain=lambda: _say(told, said[1]))
    if told.undecided:
        todo = "look at them with `awda case show`; the same command again tells how it went"
        raise CommandError(ExitCode.PARTLY, f"{len(told.undecided)} cases have not said what it means for them.", todo)


def _version(text: str) -> str:
    if not VERSION.fullmatch(text.strip()):
        said = f"{text!r} is no version: at most 40 letters, digits, dots and hyphens, such as 2026-4"
        raise click.BadParameter(said, param_hint="--version")
    return text.strip()


def _basis(text: str) -> str:
    if not 0 < len(text.strip()) <= MOST_BASIS:
        raise click.BadParameter(f"say on what it rests, in at most {MOST_BASIS} characters", param_hint="--basis")
    return text.strip()


async def _country(context: CommandContext, text: str) -> str:
    """A country that is known here, or that somebody returns to."""
    code = text.strip().upper()
    known = code in ALPHA2 or await context.pool.fetchval(_RETURNED_TO, code)
    if not known:
        said = f"{text!r} is no country that anybody returns to; write its code (ISO 3166-1, alpha-3), such as NGA"
        raise click.BadParameter(said, param_hint="COUNTRY")
    return code


def _area(country: str, text: str | None) -> str | None:
    area, country = text.strip().upper() if text else None, country.strip().upper()
    if area is not None and part_of(country, area) is None:
        short = ALPHA2.get(country, "its short code")
        said = f"{text!r} is no part of {country}: write it as in ISO 3166-2, {short} and what follows, such as NG-BO"
        raise click.BadParameter(said, param_hint="--area")
    return area


async def _insist_on_newest(context: CommandContext, known: AdvisoryChange) -> None:
    newest = next(each for each in await advised(context.pool) if each.place == known.advisory.place)
    if newest != known.advisory:
        said = f"{known.advisory.version} counts no more: {newest.version} says {newest.level} about {newest.place}."
        raise CommandError(ExitCode.CONFLICT, said, f"awda advisory list {newest.country}")


async def _tell_all(context: CommandContext, known: AdvisoryChange, wait_s: float) -> AdvisoryBroadcast:
    """Everybody who may rest on what was advised before; each once, however often and by whomever it is told."""
    cases, told = await addressees(context.pool, known.advisory), AdvisoryBroadcast(known)
    with progress_bar("Telling the cases", len(cases)) as shown:
        for count, case in enumerate(cases, 1):
            try:
                await _tell(context, case, known)
            except KeyErasedError:
                logger.warning("%s was erased and cannot be told", case.number)
            shown(count)
    await all_told(context.pool, known.advisory)
    until = monotonic() + wait_s
    for case in cases:
        _count(told, case.number, await context.intake.wait(case.message_id, max(0.0, until - monotonic())))
    return told


async def _tell(context: CommandContext, case: AffectedCase, known: AdvisoryChange) -> None:
    said = known.advisory
    fields = {
        "country": said.country,
        "area": said.area,
        "level": said.level,
        "advisory_version": said.version,
        "number": said.number,
        "since": said.since.isoformat(),
    }
    body = encode_message("ReassessSafety", fields)
    incoming = IncomingMessage(
        case.message_id, case.stream_id, "system", "system.report", body, known.changed_by, SOURCE
    )
    receipt = await context.intake.inbox.put(incoming)
    if receipt.status == "pending":
        context.intake.notifier.notify(INBOX, case.stream_id)


def _count(told: AdvisoryBroadcast, number: str, answer: SubmissionResult | None) -> None:
    if answer and answer.status == "applied":
        told.anew.append(number)
    elif answer and answer.result.get("rule") in NOT_CONCERNED:
        told.untouched += 1
    else:
        told.undecided.append(number)


def _say(told: AdvisoryBroadcast, basis: str) -> None:
    said = told.known.advisory
    click.echo(f"{said.place}: {said.level} ({said.version}) since {clock(said.since)}, by {told.known.changed_by}.")
    if basis != told.known.basis:
        log(f"Known already, and its basis stays: {told.known.basis}")
    click.echo(f"To be assessed anew: {len(told.anew)}. Cases that do not rest on it: {told.untouched}.")
    for number in told.anew:
        click.echo(f"  {number}")
    for number in told.undecided:
        click.echo(f"  {number}: not recorded yet, or to be looked at")


@advisory.command("list", epilog="Example: `awda advisory list NGA --json`")
@click.argument("country", required=False)
@as_json
def list_advisories(*, country: str | None, as_json: bool) -> None:
    """List what is advised and what was before, the newest first; of each place the newest counts."""
    code = country.strip().upper() if country else None
    found = run_with_context(lambda context: changes(context.pool, code))
    shown = [_row(each) | {"since": clock(each.advisory.since)} for each in found]
    headings = [name.replace("_", " ") for name in COLUMNS]
    emit(
        [_row(each) for each in found],
        as_json=as_json,
        plain=lambda: print_table(headings, [[row[name] for name in COLUMNS] for row in shown]),
    )


def _row(known: AdvisoryChange) -> dict[str, Any]:
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


_RETURNED_TO = "SELECT 1 FROM case_list WHERE country_of_return = $1 LIMIT 1"
