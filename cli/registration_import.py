"""Starts one case for each valid row of a registration list."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final
from uuid import UUID

from cli.output import ProgressDisplay
from cli.registration_list import CheckedList, Registration
from gateway.intake.service import Intake
from gateway.tabular.files import RowError
from store.crypto.keys import MasterKey
from store.messages.inbox import IncomingMessage, Receipt, encode_message, message_id_for
from store.postgres.notifier import INBOX

SOURCE: Final = "registration-list"
"""The source is the same for all lists, so that a row keeps its message id, whichever user imports it."""


@dataclass
class ImportResult:
    """The result of an import."""

    rows: int
    bad: list[RowError]
    started: int = 0
    already: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        counted = {"rows": self.rows, "started": self.started, "already": self.already}
        return counted | {"bad": [asdict(each) for each in self.bad], "cases": self.cases}


async def start_all(
    intake: Intake, checked: CheckedList, user: str, progress: ProgressDisplay | None = None
) -> ImportResult:
    """Submits a registration for each valid row, in the order of the list. The workers record them afterwards."""
    result = ImportResult(checked.rows, list(checked.bad))
    for count, each in enumerate(checked.good, 1):
        await _start(intake, each, user, result)
        if progress:
            progress(count, len(checked.good))
    result.bad.sort(key=lambda bad: bad.row)
    return result


async def _start(intake: Intake, each: Registration, user: str, result: ImportResult) -> None:
    receipt = await intake.inbox.start_case(_incoming(intake.keys.master, each, user))
    if receipt.conflicting:
        result.bad.append(_conflict(each, receipt))
        return
    if receipt.status == "pending":
        intake.notifier.notify(INBOX, receipt.stream_id)
    result.already += receipt.repeated
    result.started += not receipt.repeated
    result.cases.append({"row": each.row, "case_number": receipt.number, "already": receipt.repeated})


def _incoming(master: MasterKey, each: Registration, user: str) -> IncomingMessage:
    body = encode_message("RegisterCase", each.fields)
    actor = f"staff:{user}"
    return IncomingMessage(message_of(master, each), None, "staff", "staff.message", body, actor, SOURCE)


def message_of(master: MasterKey, each: Registration) -> UUID:
    """Returns the message id of a row: equal for equal rows, and keyed, so that identities cannot be guessed."""
    return message_id_for(SOURCE, master.fingerprint(b"registration", each.identity).hex())


def _conflict(each: Registration, receipt: Receipt) -> RowError:
    return RowError(
        each.row, "reference", each.reference,
        f"this reference is already registered with other particulars, as case {receipt.number}",
        "correct the person's particulars in that case, or give the row a different reference",
    )  # fmt: skip
