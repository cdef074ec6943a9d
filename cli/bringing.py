"""Bringing registration lists in: a case for each row, once, however often the list comes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import rich_click as click

from cli.failures import START
from cli.house import House, at_home
from cli.importing import Checked, Defaults, Registration, check
from cli.options import OPERATOR, as_json
from cli.talk import Code, Failed, Shown, give, progress, say, table
from cli.words import CHANNELS
from gateway.cells import Unclear, word
from gateway.from_staff import USER
from gateway.handed_in import body_of
from gateway.intake import Desk
from gateway.lists import Bad
from store.clock import now
from store.doorbell import INBOX
from store.inbox import Incoming, Receipt, message_id_for
from store.keys import MasterKey

SOURCE: Final = "registration-list"
"""All lists are one sender: whoever brings a row in, it is the same row."""


@dataclass
class Brought:
    """What became of a list."""

    rows: int
    bad: list[Bad]
    started: int = 0
    already: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        counted = {"rows": self.rows, "started": self.started, "already": self.already}
        return counted | {"bad": [asdict(each) for each in self.bad], "cases": self.cases}


@click.group("import")
def bring() -> None:
    """Bring in registration lists."""


@bring.command("cases", epilog="Example: `awda import cases samples/registrations.csv --dry-run`")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option("--office", metavar="NAME", help="The office of every row that names none.")
@click.option("--channel", metavar="WORD", help="How people came, for every row that does not say.")
@click.option("--as", "user", default=OPERATOR, show_default=True, metavar="USER", help="Who brings it in.")
@as_json
def import_cases(
    *, file: Path, dry_run: bool, office: str | None, channel: str | None, user: str, as_json: bool
) -> None:  # fmt: skip
    """Start a case for each row of a registration list (.csv, .xlsx, .json).

    Rows with anything wrong are reported with their column, value and what to do, and the others are started.
    The same list again starts nothing twice; a corrected row starts the case it lacked.
    """
    if not USER.fullmatch(user):
        raise click.BadParameter(f"{user!r} is no user's name", param_hint="--as")
    defaults = Defaults(office, _channel(channel))
    found = _only_looked_at(file, defaults) if dry_run else at_home(lambda house: _bring(house, file, defaults, user))
    give(found.json(), as_json=as_json, plain=lambda: _tell(found, dry_run=dry_run))
    if found.bad:
        todo = "correct those rows and import the file again; rows that are in already stay as they are"
        raise Failed(Code.PARTLY, f"{len({each.row for each in found.bad})} of {found.rows} rows are not in.", todo)


def _channel(text: str | None) -> str | None:
    try:
        return word(text, CHANNELS, "channel") if text else None
    except Unclear as unclear:
        raise click.BadParameter(str(unclear), param_hint="--channel") from None


async def _bring(house: House, file: Path, defaults: Defaults, user: str) -> Brought:
    checked = check(file, (await now(house.pool)).date(), defaults)
    _remark(checked)
    with progress("Importing", len(checked.good)) as shown:
        return await start_all(house.desk, checked, user, shown)


async def start_all(desk: Desk, checked: Checked, user: str, shown: Shown | None = None) -> Brought:
    """Start a case for each good row, in the order of the list. The recording follows by itself."""
    brought = Brought(checked.rows, list(checked.bad))
    for count, each in enumerate(checked.good, 1):
        await _start(desk, each, user, brought)
        if shown:
            shown(count, len(checked.good))
    brought.bad.sort(key=lambda bad: bad.row)
    return brought


async def _start(desk: Desk, each: Registration, user: str, brought: Brought) -> None:
    receipt = await desk.inbox.start_case(_incoming(desk.keys.master, each, user))
    if receipt.conflicting:
        brought.bad.append(_differs(each, receipt))
        return
    if receipt.status == "pending":
        desk.doorbell.ring(INBOX, receipt.stream_id)
    brought.already += receipt.repeated
    brought.started += not receipt.repeated
    brought.cases.append({"row": each.row, "case_number": receipt.number, "already": receipt.repeated})


def _incoming(master: MasterKey, each: Registration, user: str) -> Incoming:
    body = body_of("RegisterCase", each.fields, None)
    actor = f"staff:{user}"
    return Incoming(message_of(master, each), None, "staff", "staff.message", body, actor, SOURCE)


def message_of(master: MasterKey, each: Registration) -> UUID:
    """The id of a row's message: the same whenever the row comes, and of no use to anyone who would guess at people."""
    return message_id_for(SOURCE, master.fingerprint(b"registration", each.identity).hex())


def _differs(each: Registration, receipt: Receipt) -> Bad:
    return Bad(
        each.row, "reference", each.reference,
        f"this reference came before, with other particulars, and is case {receipt.number}",
        "correct the person's particulars in that case, or give the row a reference of its own",
    )  # fmt: skip


# Without starting anything


def _only_looked_at(file: Path, defaults: Defaults) -> Brought:
    try:
        return at_home(lambda house: _look(house, file, defaults))
    except Failed as failed:
        if failed.exit_code != Code.DOWN:
            raise
    say(f"Nothing runs from this home, so nobody can tell which rows are in already ({START} would).")
    checked = check(file, datetime.now(UTC).date(), defaults)
    _remark(checked)
    return _would_start(checked, set())


async def _look(house: House, file: Path, defaults: Defaults) -> Brought:
    checked = check(file, (await now(house.pool)).date(), defaults)
    _remark(checked)
    ids = {message_of(house.keys.master, each): each.row for each in checked.good}
    rows = await house.pool.fetch("SELECT message_id FROM inbox WHERE message_id = ANY ($1)", list(ids))
    known = {row["message_id"] for row in rows}
    return _would_start(checked, {each.row for each in checked.good if message_of(house.keys.master, each) in known})


def _would_start(checked: Checked, known: set[int]) -> Brought:
    seen: set[bytes] = set()
    brought = Brought(checked.rows, list(checked.bad))
    for each in checked.good:
        again = each.row in known or each.identity in seen
        seen.add(each.identity)
        brought.already += again
        brought.started += not again
    return brought


# Telling


def _remark(checked: Checked) -> None:
    for note in checked.notes:
        say(note)


def _tell(found: Brought, *, dry_run: bool) -> None:
    would = "would be started" if dry_run else "started"
    click.echo(
        f"{found.rows} rows: {found.started} {would}, {found.already} in already, {_count(found.bad)} not right."
    )
    if found.bad:
        columns = ("row", "column", "value", "problem", "todo")
        table(
            ("row", "column", "value", "problem", "what to do"),
            [[getattr(b, name) for name in columns] for b in found.bad],
        )


def _count(bad: Iterable[Bad]) -> int:
    return len({each.row for each in bad})
