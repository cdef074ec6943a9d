"""Sheets for tests: people with pending referrals, an office that issues and collects sheets, and completed sheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from openpyxl import load_workbook

from domain.kernel.person import Person
from domain.referral.sheets import SheetKind, printed_code
from gateway.intake.service import Intake
from gateway.sheets.collect import CheckedSheet, LineResult, check, collect_sheet, read_sheet, settled
from gateway.sheets.issue import SheetIssue, issue_sheet, registered
from gateway.sheets.rendering import WRITTEN
from gateway.sheets.translations import HEADINGS
from gateway.tabular.files import RowError
from store.partners.registry import RegisteredPartner, add
from tests.support.builders import AMINATA, PARTNERS
from tests.support.journey_steps import REGISTRATION, SCREENING, a_taken_message
from tests.support.running_worker import RunningWorker

MUSA = Person(
    family_name="Danjuma",
    given_names="Musa",
    name_native_script="موسى دانجوما",
    sex="MALE",
    date_of_birth="1990-12-31",
    dob_precision="YEAR",
    nationality="NGA",
    phone="+218910000002",
    languages=("ha", "en"),
)

Cells = Mapping[str, str]


async def with_partners(intake: Intake) -> None:
    """Registers the partners of the running worker in the table that sheets read."""
    for partner in PARTNERS.partners.values():
        await add(
            intake.pool, RegisteredPartner(partner.partner_id, partner.partner_id, partner.kinds, partner.country)
        )


async def a_waiting_person(worker: RunningWorker, person: Person = AMINATA) -> UUID:
    """Returns a case after screening, with referrals to the embassy and the clinic."""
    begun = await worker.begin(**{**REGISTRATION, "person": person.model_dump(mode="json", exclude_none=True)})
    assert begun.stream_id is not None
    assert (await worker.became(begun.message_id))["status"] == "applied"
    await worker.until(begun.stream_id, "ScreeningStarted")
    for name, fields in SCREENING:
        await worker.say(begun.stream_id, name, **fields)
    await a_taken_message(worker, begun.stream_id, "CompleteScreening")
    await wait_for_referral(worker, begun.stream_id, "MEDICAL_ASSESSMENT")
    await wait_for_referral(worker, begun.stream_id, "CONSULAR_IDENTITY")
    return begun.stream_id


async def wait_for_referral(worker: RunningWorker, case: UUID, kind: str) -> None:
    """Waits until a referral of this kind has been sent."""
    await worker.until(case, "ReferralSent")
    for _ in range(400):
        if any(event.name == "ReferralSent" and event.facts["kind"] == kind for event in await worker.log(case)):
            return
        await worker.rests()
    raise AssertionError(f"no {kind} referral was sent")


@dataclass
class SheetOffice:
    """A staff member who issues one kind of sheet to one partner and collects it."""

    intake: Intake
    partner_id: str = "embassy-nga"
    kind: SheetKind = SheetKind.EMBASSY_SESSION
    user: str = "fatima"

    async def issue(self, **options: Any) -> SheetIssue:
        user = options.pop("user", self.user)
        return await issue_sheet(self.intake, self.partner_id, self.kind, user=user, **options)

    async def checked(self, name: str, raw: bytes) -> CheckedSheet:
        return await check(self.intake, await registered(self.intake, self.partner_id), read_sheet(name, raw))

    async def collect(self, name: str, raw: bytes, user: str | None = None) -> tuple[list[LineResult], list[RowError]]:
        """Submits the sheet, and returns the outcome of every line and the errors."""
        checked = await self.checked(name, raw)
        lines, errors = await collect_sheet(self.intake, checked, user or self.user)
        return await settled(self.intake, lines, 30), [*checked.bad, *errors]

    async def collect_filled(
        self, found: SheetIssue, *rows: Cells, written: str = "csv"
    ) -> tuple[list[LineResult], list[RowError]]:
        """Submits the sheet with these cells filled in, row by row."""
        return await self.collect(f"sheet.{written}", filled(found, *rows, written=written))


def filled(found: SheetIssue, *rows: Cells, written: str = "csv") -> bytes:
    """Returns the completed sheet as a file: each row with these cells, by column name."""
    page = found.page
    answers = {printed_code(row.code): cells for row, cells in zip(page.rows, rows, strict=False)}
    headings = {HEADINGS[column].in_(page.language): column for column in (*page.given, *page.open)}
    raw = WRITTEN[written](page)
    return (_filled_csv if written == "csv" else _filled_xlsx)(raw, headings, answers)


def _filled_csv(raw: bytes, headings: Mapping[str, str], answers: Mapping[str, Cells]) -> bytes:
    heads, *rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))
    names = [headings[head] for head in heads]
    for row in rows:
        for column, text in answers.get(row[0], {}).items():
            row[names.index(column)] = text
    out = io.StringIO()
    csv.writer(out).writerows([heads, *rows])
    return out.getvalue().encode()


def _filled_xlsx(raw: bytes, headings: Mapping[str, str], answers: Mapping[str, Cells]) -> bytes:
    book = load_workbook(io.BytesIO(raw))
    sheet: Any = book.worksheets[0]
    top = next(row for row in sheet.iter_rows() if sum(cell.value in headings for cell in row) > 2)
    places = {headings[str(cell.value)]: cell.column for cell in top if cell.value in headings}
    for row in sheet.iter_rows(min_row=top[0].row + 1):
        for column, text in answers.get(str(row[0].value), {}).items():
            sheet.cell(row[0].row, places[column]).value = text
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
