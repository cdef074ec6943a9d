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
"""All lists are one sender: whoever brings a row in, it is the same row."""


@dataclass
class ImportResult:
    """What became of a list."""

    rows: int
    bad: list[RowError]
    started: int = 0
    already: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        counted = {"rows": self.rows, "started": self.started, "already": self.already}
        return counted | {"bad": [asdict(each) for each in self.bad], "cases": self.cases}


async def start_all(
    intake: Intake, checked: CheckedList, user: str, shown: ProgressDisplay | None = None
) -> ImportResult:
    """Start a case for each good row, in the order of the list. The recording follows by itself."""
    brought = ImportResult(checked.rows, list(checked.bad))
    for count, each in enumerate(checked.good, 1):
        await _start(intake, each, user, brought)
        if shown:
            shown(count, len(checked.good))
    brought.bad.sort(key=lambda bad: bad.row)
    return brought


async def _start(intake: Intake, each: Registration, user: str, brought: ImportResult) -> None:
    receipt = await intake.inbox.start_case(_incoming(intake.keys.master, each, user))
    if receipt.conflicting:
        brought.bad.append(_differs(each, receipt))
        return
    if receipt.status == "pending":
        intake.notifier.notify(INBOX, receipt.stream_id)
    brought.already += receipt.repeated
    brought.started += not receipt.repeated
    brought.cases.append({"row": each.row, "case_number": receipt.number, "already": receipt.repeated})


def _incoming(master: MasterKey, each: Registration, user: str) -> IncomingMessage:
    body = encode_message("RegisterCase", each.fields)
    actor = f"staff:{user}"
    return IncomingMessage(message_of(master, each), None, "staff", "staff.message", body, actor, SOURCE)


def message_of(master: MasterKey, each: Registration) -> UUID:
    """The id of a row's message: the same whenever the row comes, and of no use to anyone who would guess at people."""
    return message_id_for(SOURCE, master.fingerprint(b"registration", each.identity).hex())


def _differs(each: Registration, receipt: Receipt) -> RowError:
    return RowError(
        each.row, "reference", each.reference,
        f"this reference came before, with other particulars, and is case {receipt.number}",
        "correct the person's particulars in that case, or give the row a reference of its own",
    )  # fmt: skip
