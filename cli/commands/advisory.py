"""``awda advisory``: change a return advisory, send the change to the cases it affects, and list advisories."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import rich_click as click

from cli.context import CommandContext, run_with_context
from cli.options import OPERATOR, as_json, valid_user
from cli.output import CommandError, ExitCode, emit, log, print_table, progress_bar
from domain.kernel.labels import label
from domain.kernel.places import ALPHA2, part_of
from domain.kernel.vocabulary import AdvisoryLevel
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
    change,
    changes,
    mark_notified,
)

logger = logging.getLogger("awda.cli")

COLUMNS: Final = ("place", "level", "version", "since", "changed by", "basis")

NOT_CONCERNED: Final = frozenset({"SAFETY.NOT_CONCERNED", "SAFETY.ARRIVED"})

VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,39}")

LONGEST_BASIS: Final = 2000


@dataclass
class AdvisoryBroadcast:
    """The result of sending a change to the cases: which must be assessed again, and how many are not affected."""

    change: AdvisoryChange
    reassess: list[str] = field(default_factory=list)
    untouched: int = 0
    undecided: list[str] = field(default_factory=list)
    """Cases that have neither recorded the change nor refused it as not affected; among them erased cases."""

    def json(self) -> dict[str, Any]:
        found = {"assess_anew": self.reassess, "untouched": self.untouched, "undecided": self.undecided}
        return {**_row(self.change), "news": self.change.news, **found}


@click.group()
def advisory() -> None:
    """Manage return advisories."""


@advisory.command(
    "change",
    epilog="Example: `awda advisory change NGA --area NG-BO --level NO_RETURN --version 2026-4 --basis 'UNHCR, May'`",
)
@click.argument("country")
@click.option("--area", metavar="CODE", help="Part of the country, ISO 3166-2 (default: the whole country).")
@click.option("--level", type=click.Choice(list(AdvisoryLevel)), required=True, help="Advice from now on.")
@click.option("--version", required=True, metavar="VERSION", help="Version that assessments refer to, such as 2026-4.")
@click.option("--basis", required=True, metavar="TEXT", help="Source of the advice.")
@click.option(
    "--as",
    "user",
    default=OPERATOR,
    show_default=True,
    metavar="USER",
    help="Acting user.",
    callback=valid_user,
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 600),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time to wait for the results of the cases.",
)
@as_json
def change_advisory(
    *, country: str, area: str | None, level: str, version: str, basis: str, user: str, wait: float, as_json: bool
) -> None:  # fmt: skip
    """Change the return advisory for a country (ISO 3166-1, alpha-3) or a part of it, and notify all affected cases.

    Safety of return that was assessed under another version ends and must be assessed again. Unless the new level is
    OPEN, the case gets a hold that stops travel, and its seat on a frozen manifest is released. To continue after an
    interruption, run the same command again.
    """
    version, basis = _version(version), _basis(basis)

    async def work(context: CommandContext) -> AdvisoryBroadcast:
        place = await _country(context, country), _area(country, area)
        known = await change(context.pool, *place, AdvisoryLevel(level), version, basis=basis, by=f"staff:{user}")
        await _require_newest(context, known)
        return await _notify_all(context, known, wait)

    try:
        result = run_with_context(work)
    except AdvisoryVersionTakenError as taken:
        raise CommandError(ExitCode.CONFLICT, f"{taken}.", "use a new --version for this change") from None
    emit(result.json(), as_json=as_json, plain=lambda: _print(result, basis))
    if result.undecided:
        todo = "run the same command again to see their results; inspect a case with awda case show CASE"
        raise CommandError(ExitCode.PARTLY, f"{len(result.undecided)} cases have not recorded the change yet.", todo)


def _version(text: str) -> str:
    if not VERSION.fullmatch(text.strip()):
        rule = "use at most 40 letters, digits, dots and hyphens, such as 2026-4"
        raise click.BadParameter(f"{text!r} is not a version; {rule}", param_hint="--version")
    return text.strip()


def _basis(text: str) -> str:
    if not 0 < len(text.strip()) <= LONGEST_BASIS:
        raise click.BadParameter(f"give the source in 1 to {LONGEST_BASIS} characters", param_hint="--basis")
    return text.strip()


async def _country(context: CommandContext, text: str) -> str:
    """Returns the code of a country that is in the list of countries, or to which a case returns."""
    code = text.strip().upper()
    known = code in ALPHA2 or await context.pool.fetchval(_RETURNED_TO, code)
    if not known:
        rule = "write its three-letter code (ISO 3166-1), such as NGA"
        raise click.BadParameter(f"{text!r} is not a known country of return; {rule}", param_hint="COUNTRY")
    return code


def _area(country: str, text: str | None) -> str | None:
    area, country = text.strip().upper() if text else None, country.strip().upper()
    if area is not None and part_of(country, area) is None:
        example = f"{ALPHA2.get(country, 'XX')}-BO"
        rule = f"write its code (ISO 3166-2), in the form {example}"
        raise click.BadParameter(f"{text!r} is not a part of {country}; {rule}", param_hint="--area")
    return area


async def _require_newest(context: CommandContext, known: AdvisoryChange) -> None:
    newest = next(each for each in await advised(context.pool) if each.place == known.advisory.place)
    if newest != known.advisory:
        current = f"the current version for {newest.place} is {newest.version} ({label(newest.level)})"
        message = f"Version {known.advisory.version} is no longer in force: {current}."
        raise CommandError(ExitCode.CONFLICT, message, f"awda advisory list {newest.country}")


async def _notify_all(context: CommandContext, known: AdvisoryChange, wait_s: float) -> AdvisoryBroadcast:
    """Sends the change to all cases that it may affect, to each once, even when the command is repeated."""
    cases, result = await addressees(context.pool, known.advisory), AdvisoryBroadcast(known)
    with progress_bar("Notifying cases", len(cases)) as progress:
        for count, case in enumerate(cases, 1):
            try:
                await _notify(context, case, known)
            except KeyErasedError:
                logger.warning("%s was erased and cannot be notified", case.number)
            progress(count)
    await mark_notified(context.pool, known.advisory)
    until = monotonic() + wait_s
    for case in cases:
        _count(result, case.number, await context.intake.staff.wait(case.message_id, max(0.0, until - monotonic())))
    return result


async def _notify(context: CommandContext, case: AffectedCase, known: AdvisoryChange) -> None:
    advisory = known.advisory
    fields = {
        "country": advisory.country,
        "area": advisory.area,
        "level": advisory.level,
        "advisory_version": advisory.version,
        "number": advisory.number,
        "since": advisory.since.isoformat(),
    }
    body = encode_message("ReassessSafety", fields)
    incoming = IncomingMessage(
        case.message_id, case.stream_id, "system", "system.report", body, known.changed_by, SOURCE
    )
    receipt = await context.intake.inbox.put(incoming)
    if receipt.status == "pending":
        context.intake.notifier.notify(INBOX, case.stream_id)


def _count(result: AdvisoryBroadcast, number: str, answer: SubmissionResult | None) -> None:
    if answer and answer.status == "applied":
        result.reassess.append(number)
    elif answer and answer.result.get("rule") in NOT_CONCERNED:
        result.untouched += 1
    else:
        result.undecided.append(number)


def _print(result: AdvisoryBroadcast, basis: str) -> None:
    advisory, by = result.change.advisory, result.change.changed_by
    about = f"{advisory.place}: {label(advisory.level)} (version {advisory.version})"
    click.echo(f"{about} since {clock(advisory.since)}, changed by {by}.")
    if basis != result.change.basis:
        log(f"This version is registered already; its source is unchanged: {result.change.basis}")
    click.echo(f"Cases to assess again: {len(result.reassess)}. Cases not affected: {result.untouched}.")
    for number in result.reassess:
        click.echo(f"  {number}")
    for number in result.undecided:
        click.echo(f"  {number}: not recorded yet")


@advisory.command("list", epilog="Example: `awda advisory list NGA --json`")
@click.argument("country", required=False)
@as_json
def list_advisories(*, country: str | None, as_json: bool) -> None:
    """List return advisories and earlier versions, newest first; the newest of a place is in force."""
    code = country.strip().upper() if country else None
    found = run_with_context(lambda context: changes(context.pool, code))
    none = "No return advisory is registered."
    emit(
        [_row(each) for each in found],
        as_json=as_json,
        plain=lambda: print_table(COLUMNS, map(_cells, found), none=none),
    )


def _cells(known: AdvisoryChange) -> list[str]:
    advisory = known.advisory
    level = label(advisory.level)
    return [advisory.place, level, advisory.version, clock(advisory.since), known.changed_by, known.basis]


def _row(known: AdvisoryChange) -> dict[str, Any]:
    advisory = known.advisory
    return {
        "place": advisory.place,
        "country": advisory.country,
        "area": advisory.area,
        "level": advisory.level.value,
        "version": advisory.version,
        "since": advisory.since.isoformat(timespec="seconds"),
        "changed_by": known.changed_by,
        "basis": known.basis,
    }


_RETURNED_TO = "SELECT 1 FROM case_list WHERE country_of_return = $1 LIMIT 1"
