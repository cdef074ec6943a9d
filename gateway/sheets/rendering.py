"""Renders a sheet as a workbook to fill in, as CSV, as a page to print, or as JSON. Each row is one referral.

Texts are in English, French or Arabic. Whatever a name contains, no cell is a formula and no page runs a script.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from typing import Any, Final

from domain.kernel.names import DOCUMENT_NAMES, country_name, language_name
from domain.kernel.vocabulary import ReferralKind
from domain.referral.sheets import CELLS, RESULT, SHEET_OUTCOMES, SHEETS, CellType, printed_code
from gateway.sheets.row_parser import CODE, clean, safe
from gateway.sheets.translations import (
    HEADINGS,
    REFUSALS,
    REQUESTS,
    RESULTS,
    RIGHT_TO_LEFT,
    SAYINGS,
    SEXES,
    TITLES,
    YES_OR_NO,
    Language,
)
from store.partners.sheets import IssuedSheet

MEDIA: Final[Mapping[str, str]] = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class SheetPageRow:
    """One referral on a sheet: its row code, its kind, and the minimum data of the person."""

    code: str
    kind: ReferralKind
    person: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SheetPage:
    """The content of a sheet. ``zone`` is the partner's time zone."""

    sheet: IssuedSheet
    partner: str
    language: Language
    zone: timezone
    rows: tuple[SheetPageRow, ...]

    @property
    def given(self) -> tuple[str, ...]:
        """The columns that IOM filled in. A column that no row may show is omitted."""
        shown = {name for row in self.rows for name in row.person}
        return (CODE, "asked for", *(name for name in SHEETS[self.sheet.kind].shows if name in shown or not self.rows))

    @property
    def open(self) -> tuple[str, ...]:
        """The columns that the partner fills in."""
        return SHEETS[self.sheet.kind].returns

    def heading(self, column: str) -> str:
        return HEADINGS[column].in_(self.language)

    def text(self, key: str) -> str:
        return SAYINGS[key].in_(self.language)

    @property
    def title(self) -> str:
        parts = [TITLES[self.sheet.kind].in_(self.language), self.partner, self.sheet.movement]
        return " · ".join(clean(part) for part in parts if part)

    @property
    def day(self) -> str:
        return self.sheet.issued_at.astimezone(self.zone).date().isoformat()

    @property
    def file_name(self) -> str:
        """A name without personal data: file names are visible in folders and in mail."""
        return f"{self.sheet.kind}-{self.sheet.partner_id}-{self.day}"

    def cells(self, row: SheetPageRow) -> Iterator[str]:
        """Yields the values of the filled-in columns of a row."""
        for column in self.given:
            yield clean(self._cell(row, column))

    def _cell(self, row: SheetPageRow, column: str) -> str:
        if column == CODE:
            return printed_code(row.code)
        if column == "asked for":
            return REQUESTS[row.kind].in_(self.language)
        value = row.person.get(column)
        return "" if value is None else FORMATTERS.get(column, _plain)(value, row.person, self.language)

    def choices(self, kind: ReferralKind) -> list[str]:
        """Returns the results that can be chosen in a row of this kind."""
        return [RESULTS[outcome.code].in_(self.language) for outcome in SHEET_OUTCOMES[kind].outcomes]

    @property
    def kinds(self) -> list[ReferralKind]:
        """The kinds of referral on this sheet, in the order that its kind defines."""
        present = {row.kind for row in self.rows}
        return [kind for kind in SHEETS[self.sheet.kind].kinds if kind in present or not present]


Formatter = Callable[[Any, Mapping[str, Any], Language], str]


def _plain(value: Any, _person: Mapping[str, Any], _language: Language) -> str:
    return str(value)


def _birth(value: Any, person: Mapping[str, Any], _language: Language) -> str:
    """Returns the date of birth to its known precision, in a format that a returned sheet is read with."""
    iso_date = str(value)
    precision = str(person.get("dob_precision", "DAY"))
    return {"YEAR": iso_date[:4], "ESTIMATED": f"~{iso_date[:4]}", "MONTH": iso_date[:7]}.get(precision, iso_date)


def _flight(value: Any, _person: Mapping[str, Any], _language: Language) -> str:
    departure = datetime.fromisoformat(value["std"])
    return f"{value['movement']}, {departure:%Y-%m-%d %H:%M} UTC"


FORMATTERS: Final[Mapping[str, Formatter]] = {
    "sex": lambda value, _person, language: SEXES[str(value)].in_(language),
    "date_of_birth": _birth,
    "nationality": lambda value, _person, language: country_name(str(value), language),
    "languages": lambda value, _person, language: ", ".join(language_name(each, language) for each in value),
    "flight": _flight,
}
"""How a value is written on a sheet, by column. Columns that are not listed are written as they are."""


# CSV


def as_csv(page: SheetPage) -> bytes:
    """Returns the sheet as CSV in UTF-8, with a byte order mark so that spreadsheets detect the encoding."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([page.heading(column) for column in (*page.given, *page.open)])
    for row in page.rows:
        writer.writerow([*map(safe, page.cells(row)), *("" for _ in page.open)])
    return out.getvalue().encode("utf-8-sig")


# A workbook

CHOICES: Final = "choices"

TOP: Final = 4  # rows above the heading row

WIDE: Final = frozenset({"note", "concern", "result", "family_name", "given_names", "name_native_script", "flight"})

FILLED_COLOUR: Final = "FFF7F7F0"

HEADING_COLOUR: Final = "FFE8EEF4"


def as_xlsx(page: SheetPage) -> bytes:
    """Returns a workbook with drop-down lists. Filled-in cells are locked, so that row codes stay with their people."""
    from openpyxl import Workbook  # noqa: PLC0415 - takes half a second, and only spreadsheets need it

    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = TITLES[page.sheet.kind].in_(page.language)[:31]
    sheet.sheet_view.rightToLeft = page.language in RIGHT_TO_LEFT
    _write_top(sheet, page)
    for at, row in enumerate(page.rows, TOP + 2):
        _write_row(sheet, page, at, row)
    _write_choices(book, sheet, page)
    _set_up(sheet, page)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_top(sheet: Any, page: SheetPage) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill  # noqa: PLC0415

    for at, text in enumerate((page.title, _summary(page), page.text("confidential"), page.text("instructions")), 1):
        _text(sheet.cell(at, 1), text)
        sheet.cell(at, 1).font = Font(bold=at == 1, size=14 if at == 1 else 10)
    for at, column in enumerate((*page.given, *page.open), 1):
        cell = sheet.cell(TOP + 1, at)
        _text(cell, page.heading(column))
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", HEADING_COLOUR)
        cell.alignment = Alignment(wrap_text=True, vertical="top")


def _summary(page: SheetPage) -> str:
    rows = f"{page.text('rows')}: {len(page.rows)}"
    return f"{page.text('sheet')} {str(page.sheet.sheet_id)[:8]} · {page.text('issued on')} {page.day} · {rows}"


def _write_row(sheet: Any, page: SheetPage, at: int, row: SheetPageRow) -> None:
    from openpyxl.styles import Alignment, PatternFill, Protection  # noqa: PLC0415

    for column, text in enumerate(page.cells(row), 1):
        cell = sheet.cell(at, column)
        _text(cell, text)
        cell.fill, cell.alignment = PatternFill("solid", FILLED_COLOUR), Alignment(wrap_text=True, vertical="top")
    for column, name in enumerate(page.open, len(page.given) + 1):
        cell = sheet.cell(at, column)
        cell.protection = Protection(locked=False)
        cell.number_format = FORMATS.get(CELLS.get(name, CellType.TEXT), "General")


FORMATS: Final[Mapping[CellType, str]] = {
    CellType.DAY: "yyyy-mm-dd",
    CellType.COMING: "yyyy-mm-dd",
    CellType.MOMENT: "yyyy-mm-dd",
    CellType.TEXT: "@",
    CellType.NUMBER: "@",
}


def _text(cell: Any, text: str) -> None:
    """Writes a text cell that a spreadsheet does not compute, whatever the text begins with."""
    cell.value = text
    cell.data_type = "s"
    cell.quotePrefix = text.startswith(("=", "+", "-", "@"))


def _write_choices(book: Any, sheet: Any, page: SheetPage) -> None:
    """Adds the drop-down lists. Their values are on a hidden sheet of the workbook."""
    hidden = book.create_sheet(CHOICES)
    hidden.sheet_state = "hidden"
    for number, kind in enumerate(page.kinds, 1):
        place = _list(hidden, number, page.choices(kind))
        rows = [at for at, row in enumerate(page.rows, TOP + 2) if row.kind is kind]
        _choose(sheet, place, [_letter(page, RESULT) + str(at) for at in rows])
    fixed = {CellType.DOCUMENT: DOCUMENT_NAMES, CellType.REFUSAL: REFUSALS, CellType.ANSWER: YES_OR_NO}
    chosen = [(name, fixed[CELLS[name]]) for name in page.open if name in CELLS and CELLS[name] in fixed]
    for number, (name, words) in enumerate(chosen, len(page.kinds) + 1):
        place = _list(hidden, number, [each.in_(page.language) for each in words.values()])
        _choose(sheet, place, [_letter(page, name) + str(at) for at in range(TOP + 2, TOP + 2 + len(page.rows))])


def _list(hidden: Any, number: int, choices: Sequence[str]) -> str:
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    for at, choice in enumerate(choices, 1):
        _text(hidden.cell(at, number), choice)
    letter = get_column_letter(number)
    return f"{CHOICES}!${letter}$1:${letter}${len(choices)}"


def _choose(sheet: Any, place: str, cells: Sequence[str]) -> None:
    from openpyxl.worksheet.datavalidation import DataValidation  # noqa: PLC0415

    if not cells:
        return
    rule = DataValidation(type="list", formula1=place, allow_blank=True, showErrorMessage=True)
    sheet.add_data_validation(rule)
    for cell in cells:
        rule.add(cell)


def _letter(page: SheetPage, column: str) -> str:
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    return get_column_letter((*page.given, *page.open).index(column) + 1)


def _set_up(sheet: Any, page: SheetPage) -> None:
    """Sets A4 landscape, repeats the headings on every printed page, and keeps the row codes visible."""
    from openpyxl.utils import get_column_letter  # noqa: PLC0415

    for at, column in enumerate((*page.given, *page.open), 1):
        sheet.column_dimensions[get_column_letter(at)].width = 24 if column in WIDE else 14
    sheet.freeze_panes = f"B{TOP + 2}"
    sheet.protection.sheet = True
    sheet.protection.formatColumns = sheet.protection.formatRows = False
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = f"{TOP + 1}:{TOP + 1}"
    sheet.oddFooter.center.text = "&P / &N"


# A page to print

STYLE: Final = """
@page { size: A4 landscape; margin: 12mm; @bottom-center { content: counter(page) " / " counter(pages); } }
body { font: 10pt/1.35 sans-serif; color: #000; margin: 0; }
h1 { font-size: 15pt; margin: 0 0 2mm; }
p { margin: 0 0 2mm; }
.secret { border: 1pt solid #000; padding: 1mm 2mm; display: inline-block; font-weight: bold; }
table { border-collapse: collapse; width: 100%; margin: 3mm 0; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border: 0.5pt solid #555; padding: 1mm; text-align: start; vertical-align: top; }
th { background: #eee; font-size: 8.5pt; }
td.open { min-width: 14mm; height: 10mm; }
td.code { font-family: monospace; white-space: nowrap; font-size: 11pt; }
dl { columns: 2; margin: 0 0 4mm; font-size: 9pt; } dt { font-weight: bold; } dd { margin: 0 0 1.5mm; }
.hand { display: flex; gap: 10mm; margin-top: 8mm; break-inside: avoid; }
.hand div { flex: 1; border-top: 0.5pt solid #000; padding-top: 1mm; }
"""


def as_html(page: SheetPage) -> bytes:
    """Returns a page to print: completed and signed by hand, then entered by its row codes."""
    direction = "rtl" if page.language in RIGHT_TO_LEFT else "ltr"
    lines = [
        f'<!doctype html><html lang="{page.language}" dir="{direction}"><head><meta charset="utf-8">',
        f"<title>{escape(page.title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(page.title)}</h1><p>{escape(_summary(page))}</p>",
        f'<p class="secret">{escape(page.text("confidential"))}</p><p>{escape(page.text("instructions"))}</p>',
        f"<p>{escape(page.text('statement'))}</p>",
        *_table(page),
        *_legend(page),
        '<div class="hand">',
        *(f"<div>{escape(page.text(key))}</div>" for key in ("filled in by", "recorded by", "on")),
        "</div></body></html>",
    ]
    return "\n".join(lines).encode()


def _table(page: SheetPage) -> Iterator[str]:
    headings = "".join(f"<th>{escape(page.heading(column))}</th>" for column in (*page.given, *page.open))
    yield f"<table><thead><tr>{headings}</tr></thead><tbody>"
    blank = '<td class="open"></td>' * len(page.open)
    for row in page.rows:
        code, *others = page.cells(row)
        filled = "".join(f'<td dir="auto">{escape(text)}</td>' for text in others)
        yield f'<tr><td class="code" dir="ltr">{escape(code)}</td>{filled}{blank}</tr>'
    yield "</tbody></table>"


def _legend(page: SheetPage) -> Iterator[str]:
    yield f"<h2>{escape(page.text('results'))}</h2><dl>"
    for kind in page.kinds:
        yield f"<dt>{escape(REQUESTS[kind].in_(page.language))}</dt><dd>{escape(' / '.join(page.choices(kind)))}</dd>"
    for column in page.open:
        if column in CELLS and CELLS[column] in (CellType.DOCUMENT, CellType.REFUSAL):
            words = DOCUMENT_NAMES if CELLS[column] is CellType.DOCUMENT else REFUSALS
            choices = " / ".join(each.in_(page.language) for each in words.values())
            yield f"<dt>{escape(page.heading(column))}</dt><dd>{escape(choices)}</dd>"
    yield "</dl>"


WRITTEN: Final[Mapping[str, Callable[[SheetPage], bytes]]] = {"xlsx": as_xlsx, "csv": as_csv, "html": as_html}


def as_json(page: SheetPage) -> dict[str, Any]:
    """Returns the sheet for programs: the data that it discloses and the answers that it accepts, as codes."""
    return {
        "sheet_id": str(page.sheet.sheet_id),
        "kind": page.sheet.kind.value,
        "partner_id": page.sheet.partner_id,
        "movement": page.sheet.movement,
        "day": page.day,
        "columns": list(page.open),
        "rows": [_row_as_json(page, row) for row in page.rows],
    }


def _row_as_json(page: SheetPage, row: SheetPageRow) -> dict[str, Any]:
    shown = {name: value for name, value in row.person.items() if name in page.given or name == "dob_precision"}
    outcomes = [outcome.code for outcome in SHEET_OUTCOMES[row.kind].outcomes]
    return {"row_code": row.code, "kind": row.kind.value, "person": shown, "outcomes": outcomes}
