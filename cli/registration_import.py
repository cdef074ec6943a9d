"""Starts one case for each valid row of a registration list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg

from cli.output import ProgressDisplay
from cli.registration_duplicates import Registration, suspicion
from cli.registration_list import CheckedList
from gateway.intake.service import Intake
from gateway.tabular.model import RowError
from store.crypto.keys import MasterKey
from store.messages.inbox import IncomingMessage, encode_message, fingerprint, message_id_for, stream_id_for
from store.postgres.notifier import INBOX

SOURCE: Final = "registration-list"
"""The source is the same for all lists, so that a row keeps its message id, whichever user imports it."""

NAME: Final = "staff.message"

MESSAGE: Final = "RegisterCase"


@dataclass
class ImportResult:
    """The result of an import: for each row exactly one outcome."""

    checked: CheckedList
    bad: list[RowError]
    suspected: list[RowError]
    started: int = 0
    already: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, checked: CheckedList) -> ImportResult:
        """Returns the result before any valid row is submitted."""
        return cls(checked, list(checked.bad), list(checked.suspected))

    @property
    def rows(self) -> int:
        """The number of rows of the list."""
        return self.checked.rows

    @property
    def with_errors(self) -> int:
        """The number of rows with errors."""
        return len({each.row for each in self.bad})

    @property
    def needs_attention(self) -> bool:
        """Whether a row has errors or is a suspected duplicate."""
        return bool(self.bad or self.suspected)

    def add(self, each: Registration, number: str | None, *, already: bool) -> None:
        """Adds a row that was started, or is registered already. A dry run has no number for the former."""
        self.already += already
        self.started += not already
        self.cases.append({"row": each.row, "case_number": number, "already": already})

    def outcomes(self) -> dict[int, str]:
        """Returns the outcome of each row. Raises ``RuntimeError`` when a row has none, or more than one."""
        found = [(case["row"], "already registered" if case["already"] else "started") for case in self.cases]
        found += [(each.row, "suspected duplicate") for each in self.suspected]
        found += [(row, "error") for row in {each.row for each in self.bad}]
        if sorted(row for row, _ in found) != sorted(self.checked.numbers):
            raise RuntimeError(f"the import has {len(found)} outcomes for {self.rows} rows")
        return dict(sorted(found))

    def sort(self) -> None:
        """Sorts the reports by row."""
        self.bad.sort(key=lambda each: each.row)
        self.suspected.sort(key=lambda each: each.row)

    def json(self) -> dict[str, Any]:
        counted = {"rows": self.rows, "started": self.started, "already": self.already}
        reports = {"suspected": self._reports(self.suspected), "bad": self._reports(self.bad)}
        outcomes = [{"row": row, "outcome": outcome} for row, outcome in self.outcomes().items()]
        return counted | reports | {"cases": self.cases, "outcomes": outcomes}

    @staticmethod
    def _reports(reports: Iterable[RowError]) -> list[dict[str, Any]]:
        return [asdict(each) for each in reports]


async def start_all(
    intake: Intake, checked: CheckedList, user: str, progress: ProgressDisplay | None = None
) -> ImportResult:
    """Submits a registration for each new row, in the order of the list. The workers record them afterwards."""
    result = ImportResult.of(checked)
    new = await compare_all(intake.pool, intake.keys.master, checked, result)
    for count, each in enumerate(new, 1):
        await _start(intake, each, user, result)
        if progress:
            progress(count, len(new))
    result.sort()
    return result


async def compare_all(
    pool: asyncpg.Pool[asyncpg.Record], master: MasterKey, checked: CheckedList, result: ImportResult
) -> list[Registration]:
    """Adds the rows that are registered already to the result, and returns the new ones."""
    valid = [*checked.good, *(each.registration for each in checked.shared)]
    ids = [found for each in valid for found in _ids(master, each)]
    rows = await pool.fetch(_REGISTERED, ids)
    known = {row["message_id"]: row for row in rows}
    new = []
    for each in valid:
        row = next((known[found] for found in _ids(master, each) if found in known), None)
        if row is None:
            new.append(each)
        elif row["body_hash"] == _body_hash(master, each, row["message_id"]):
            result.add(each, row["number"], already=True)
        else:
            _conflict(each, row["number"], result)
    return new


def _ids(master: MasterKey, each: Registration) -> list[UUID]:
    return [_message_id(master, identity) for identity in (each.identity, each.former_identity)]


def _body_hash(master: MasterKey, each: Registration, message_id: UUID) -> bytes:
    return fingerprint(master, NAME, stream_id_for(message_id), encode_message(MESSAGE, each.fields))


async def _start(intake: Intake, each: Registration, user: str, result: ImportResult) -> None:
    receipt = await intake.inbox.start_case(_incoming(intake.keys.master, each, user))
    if receipt.conflicting:
        _conflict(each, receipt.number, result)
        return
    if receipt.status == "pending":
        intake.notifier.notify(INBOX, receipt.stream_id)
    result.add(each, receipt.number, already=receipt.repeated)


def _incoming(master: MasterKey, each: Registration, user: str) -> IncomingMessage:
    body = encode_message(MESSAGE, each.fields)
    actor = f"staff:{user}"
    return IncomingMessage(message_of(master, each), None, "staff", NAME, body, actor, SOURCE)


def message_of(master: MasterKey, each: Registration) -> UUID:
    """Returns the message id of a row: equal for rows of one identity, and keyed, so that it cannot be guessed."""
    return _message_id(master, each.identity)


def _message_id(master: MasterKey, identity: bytes) -> UUID:
    return message_id_for(SOURCE, master.fingerprint(b"registration", identity).hex())


def _conflict(each: Registration, number: str | None, result: ImportResult) -> None:
    """Reports a row whose identity is registered with other particulars."""
    headings = result.checked.listing.headings
    if each.reference:
        problem = f"this reference is already registered with other particulars, as case {number}"
        todo = "correct the person's particulars in that case, or give the row a different reference"
        result.bad.append(RowError(each.row, headings.get("reference", "reference"), each.reference, problem, todo))
    else:
        result.suspected.append(suspicion(each, f"case {number}, which has other particulars", headings))


_REGISTERED = """
SELECT message_id, body_hash, number FROM inbox JOIN streams USING (stream_id) WHERE message_id = ANY ($1)
"""
