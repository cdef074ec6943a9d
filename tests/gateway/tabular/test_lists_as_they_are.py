"""Lists as offices keep them: no row disappears, and a refusal names the cause."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from gateway.tabular.files import read_bytes
from gateway.tabular.model import ListFormat, TableFile, UnusableFileError
from gateway.tabular.normalization import spelled

COLUMNS = ("name", "sex", "result", "phone")

LIST = ListFormat(spelled({name: name for name in COLUMNS}), ", ".join(COLUMNS))

ROWS = [["Awa Traoré", "F", "fit", "1"], ["Ali Keita", "M", "unfit", "2"], ["Issa Diallo", "M", "fit", "3"]]


def csv_text(*rows: list[str], separator: str = ",") -> str:
    return "\r\n".join(separator.join(row) for row in [list(COLUMNS), *rows]) + "\r\n"


def names(found: TableFile) -> list[str]:
    return [line.cells["name"] for line in found.lines]


def refused(raw: bytes, name: str = "list.csv") -> str:
    with pytest.raises(UnusableFileError) as error:
        read_bytes(name, raw, LIST)
    return str(error.value)


def a_book(*edits: Callable[[Worksheet], object], cover: bool = False) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    if cover:
        sheet.title = "Cover"
        sheet.append(["Registrations of Sebha, week 12"])
        sheet = book.create_sheet("List")
    for row in [COLUMNS, *ROWS]:
        sheet.append(list(row))
    for edit in edits:
        edit(sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


# Quotation marks


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("column", [0, 1, 2, 3])
def test_a_lone_quotation_mark_is_named_with_its_line(separator: str, row: int, column: int) -> None:
    rows = [list(cells) for cells in ROWS]
    rows[row][column] = f'"{rows[row][column]}'
    assert f"quotation mark without a partner in line {row + 2}" in refused(
        csv_text(*rows, separator=separator).encode()
    )


@pytest.mark.parametrize("opens", [(0, 0), (0, 3), (1, 1)])
@pytest.mark.parametrize("closes", [(1, 2), (2, 0), (2, 3)])
def test_two_lone_quotation_marks_do_not_hide_the_rows_between_them(
    opens: tuple[int, int], closes: tuple[int, int]
) -> None:
    rows = [list(cells) for cells in ROWS]
    rows[opens[0]][opens[1]] = '"' + rows[opens[0]][opens[1]]
    rows[closes[0]][closes[1]] += '"'
    raw = csv_text(*rows).encode()
    if opens[0] == closes[0]:
        return
    assert f"in line {opens[0] + 2}" in refused(raw)


def test_quotation_marks_inside_a_cell_and_cells_of_several_lines_are_read() -> None:
    rows = [['Awa "Momo" Traoré', "F", '"fit, but\r\ntired, see note"', "1"], *ROWS[1:]]
    found = read_bytes("list.csv", csv_text(*rows).encode(), LIST)
    assert names(found) == ['Awa "Momo" Traoré', "Ali Keita", "Issa Diallo"]


# Encodings


def test_one_foreign_byte_in_a_utf_8_file_is_named_with_its_line() -> None:
    for bom in (b"", b"\xef\xbb\xbf"):
        raw = bom + csv_text(*ROWS).replace("Issa", "Ïssa").encode().replace("Ï".encode(), b"\xcf", 1)
        message = refused(raw)
        assert "byte 0xCF" in message
        assert "in line 4" in message
        assert f"number {raw.index(0xCF) + 1}" in message


def test_a_file_that_begins_as_utf_8_is_never_read_in_another_encoding() -> None:
    raw = b"\xef\xbb\xbf" + csv_text(*ROWS).encode("cp1252").replace(b"Issa", b"\xcfssa")
    assert "byte 0xE9" in refused(raw)


def test_byte_order_marks_are_no_part_of_a_heading() -> None:
    for mark in ("\ufeff", "\ufeff\ufeff"):
        assert read_bytes("list.csv", (mark + csv_text(*ROWS)).encode(), LIST).headings["name"] == "name"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_first_column_is_found_in_every_encoding(encoding: str) -> None:
    found = read_bytes("list.csv", csv_text(*ROWS).encode(encoding), LIST)
    assert names(found)[0] == "Awa Traoré"
    assert found.headings["name"] == "name"


def test_a_byte_that_no_encoding_has_is_named() -> None:
    assert "byte 0x81" in refused(csv_text(*ROWS).encode("cp1252").replace(b"Ali", b"Al\x81"))


def test_utf_16_that_ends_within_a_character_is_refused() -> None:
    assert "encoding of list.csv is not known" in refused(csv_text(*ROWS).encode("utf-16") + b"x")


# Separators and headings


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_in_titles_and_remarks_do_not_count(separator: str) -> None:
    title = "Week 12; Sebha, Ubari, Ghat, Murzuq, Hun, Brak\tTripoli; Misrata; Zliten; Zuwara; Sirte"
    rows = [
        [*row[:2], 'fit, "if, and only if", seen; again, soon' if separator == "\t" else "fit", row[3]] for row in ROWS
    ]
    found = read_bytes("list.csv", f"{title}\r\n{csv_text(*rows, separator=separator)}".encode(), LIST)
    assert names(found) == [row[0] for row in ROWS]
    assert found.lines[0].row == 3


def test_a_filled_column_is_reported_with_or_without_a_heading() -> None:
    raw = b"name,sex,result,phone,guardian,,name\nAwa,F,fit,1,Fatou,x,\nAli,M,fit,2,,y,Aly\n"
    unused = read_bytes("list.csv", raw, LIST).unused
    assert [(column.letter, column.heading, column.filled, column.repeats) for column in unused] == [
        ("E", "guardian", 1, None), ("F", "", 2, None), ("G", "name", 1, "name"),
    ]  # fmt: skip


# Workbooks


def test_a_cover_sheet_is_passed_over() -> None:
    found = read_bytes("list.xlsx", a_book(cover=True), LIST)
    assert names(found) == [row[0] for row in ROWS]
    assert any("'List'" in note and "Cover" in note for note in found.notes)


def test_a_second_list_is_not_dropped_silently() -> None:
    def add_list(sheet: Worksheet) -> None:
        assert sheet.parent
        other = sheet.parent.create_sheet("More")
        other.append(list(COLUMNS))
        other.append(ROWS[0])

    assert "more than one sheet ('Sheet', 'More')" in refused(a_book(add_list), "list.xlsx")


def test_a_file_without_headings_shows_its_first_row() -> None:
    book = Workbook()
    book.worksheets[0].append(["Registrations of Sebha"])
    out = io.BytesIO()
    book.save(out)
    assert "its first row is 'Registrations of Sebha'" in refused(out.getvalue(), "list.xlsx")


def test_hidden_rows_are_read_and_reported() -> None:
    def hide(sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["C"].hidden = True

    found = read_bytes("list.xlsx", a_book(hide), LIST)
    assert names(found) == [row[0] for row in ROWS]
    assert found.source.hidden_rows == {3}
    assert found.source.hidden_columns == {2}
    assert "Hidden rows are read as well (1): 3." in found.notes


def test_headings_in_two_rows_with_merged_cells_are_read() -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    rows: list[list[str | None]] = [["name", "sex", "Visit", None], [None, None, "result", "phone"]]
    rows += [list[str | None](row) for row in ROWS]
    for row in rows:
        sheet.append(row)
    for merged in ("A1:A2", "B1:B2", "C1:D1"):
        sheet.merge_cells(merged)
    out = io.BytesIO()
    book.save(out)
    found = read_bytes("list.xlsx", out.getvalue(), LIST)
    assert set(found.headings) == set(COLUMNS)
    assert [tuple(line.cells[column] for column in COLUMNS) for line in found.lines] == [tuple(row) for row in ROWS]
    assert found.unused == ()


def test_a_formula_without_a_stored_value_is_an_error_and_not_an_empty_cell() -> None:
    def compute(sheet: Worksheet) -> None:
        sheet["C3"] = "=VLOOKUP(A3,Z:Z,1)"

    found = read_bytes("list.xlsx", a_book(compute), LIST)
    assert found.lines[1].cells["result"] == "#NOT COMPUTED!"


# JSON


def test_a_text_that_cannot_be_stored_does_not_end_the_reading_of_a_json_list() -> None:
    raw = json.dumps([{"name": "Awa\ud800", "sex": "F"}, {"name": {"a": 1}, "sex": "M"}, {"name": None}]).encode()
    assert names(read_bytes("list.json", raw, LIST)) == ["Awa\ud800", '{"a": 1}', ""]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'[{"name": "a"}, 7]', "item 2 must be an object"),
        (b'[{"name": "a"},\n{"name": "\xcf"}]', "byte that is not UTF-8 (0xCF, number 27) in line 2"),
        (b'[{"name": "a"},\n{"name": }]', "line 2"),
    ],
)
def test_a_damaged_json_list_is_refused_with_the_place(raw: bytes, message: str) -> None:
    assert message in refused(raw, "list.json")
