"""Hostile and damaged files: archives that expand without limit, very large files, damaged workbooks."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Callable, Sequence

import psutil
import pytest
from openpyxl import Workbook

from gateway.tabular.files import read_bytes
from gateway.tabular.model import ListFormat, UnusableFileError
from gateway.tabular.normalization import spelled
from gateway.tabular.workbook import NOT_COMPUTED, PARTS

LIST = ListFormat(spelled({"name": "nom", "result": "résultat"}), "name, result", rows=100)

MIB = 1024 * 1024


def a_book(*rows: Sequence[object], edit: Callable[[Workbook], None] | None = None) -> bytes:
    book = Workbook()
    for row in [["name", "result"], *rows]:
        book.worksheets[0].append(list(row))
    if edit:
        edit(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def with_part(raw: bytes, name: str, content: bytes, *, instead: bool = True) -> bytes:
    """Returns the workbook with one part added, or replaced."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            if not (instead and item.filename == name):
                new.writestr(item, old.read(item))
        new.writestr(name, content)
    return out.getvalue()


def memory_growth(work: Callable[[], object]) -> int:
    """Returns the growth of the process in bytes during the work."""
    before = psutil.Process().memory_info().rss
    work()
    return int(psutil.Process().memory_info().rss - before)


def refused(name: str, raw: bytes) -> str:
    with pytest.raises(UnusableFileError) as error:
        read_bytes(name, raw, LIST)
    return str(error.value)


def test_a_small_file_that_unpacks_into_a_very_large_one_is_refused_before_it_is_unpacked() -> None:
    bomb = with_part(a_book(["Awa", "x"]), "xl/worksheets/sheet1.xml", b" " * (LIST.unpacked + 1))
    assert len(bomb) < MIB
    messages = list[str]()
    assert memory_growth(lambda: messages.append(refused("sheet.xlsx", bomb))) < 20 * MIB
    assert "far more data than a list" in messages[0]


def test_a_workbook_of_very_many_parts_is_refused() -> None:
    raw = a_book(["Awa", "x"])
    out = io.BytesIO(raw)
    with zipfile.ZipFile(out, "a") as book:
        for number in range(PARTS):
            book.writestr(f"xl/extra{number}.xml", b"")
    assert "far more data than a list" in refused("sheet.xlsx", out.getvalue())


def test_nested_entities_are_not_expanded() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY e0 "ha">{entities}]><worksheet>&e11;</worksheet>'.encode()
    raw = with_part(a_book(["Awa", "x"]), "xl/worksheets/sheet1.xml", laughs)
    assert memory_growth(lambda: refused("sheet.xlsx", raw)) < 50 * MIB


def test_nothing_outside_the_workbook_is_read() -> None:
    outside = b'<?xml version="1.0"?><!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]><worksheet>&x;</worksheet>'
    assert "root:" not in refused("sheet.xlsx", with_part(a_book(["Awa"]), "xl/worksheets/sheet1.xml", outside))


def test_a_list_with_too_many_rows_is_refused_whatever_its_kind() -> None:
    rows = [["Awa", "x"]] * 101
    csv = "\n".join(["name,result", *(",".join(row) for row in rows)]).encode()
    objects = json.dumps([{"name": "Awa", "result": "x"}] * 101).encode()
    for name, raw in (("s.csv", csv), ("s.xlsx", a_book(*rows)), ("s.json", objects)):
        assert "more than 100 rows" in refused(name, raw)


def test_a_row_a_million_rows_down_is_found_without_a_million_rows_in_memory() -> None:
    raw = a_book(edit=lambda book: book.worksheets[0].cell(1_000_000, 1).__setattr__("value", "Awa"))
    found = read_bytes("sheet.xlsx", raw, LIST)
    assert [(line.row, line.cells["name"]) for line in found.lines] == [(1_000_000, "Awa")]


def test_a_row_beyond_the_last_row_of_a_spreadsheet_causes_no_delay() -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" t="inlineStr"><is><t>result</t></is></c>'
        b'</row><row r="2000000000"><c r="A2000000000"><v>1</v></c></row></sheetData></worksheet>'
    )
    found = read_bytes("sheet.xlsx", with_part(a_book(), "xl/worksheets/sheet1.xml", sheet), LIST)
    assert found.lines == ()


def test_a_formula_is_read_as_its_last_value_or_as_text_according_to_the_format() -> None:
    raw = a_book(["=1+1", "=HYPERLINK(1)"])
    text = ListFormat(LIST.columns, LIST.example, computed=False)
    (line,) = read_bytes("sheet.xlsx", raw, text).lines
    assert line.cells == {"name": "=1+1", "result": "=HYPERLINK(1)"}
    (line,) = read_bytes("sheet.xlsx", raw, LIST).lines
    assert set(line.cells.values()) == {NOT_COMPUTED}


def test_a_hidden_sheet_of_a_workbook_is_not_read() -> None:
    def hide(book: Workbook) -> None:
        hidden = book.create_sheet("choices", 0)
        hidden.sheet_state = "hidden"
        hidden.append(["name", "result"])
        hidden.append(["not", "this"])

    found = read_bytes("sheet.xlsx", a_book(["Awa", "x"], edit=hide), LIST)
    assert [line.cells["name"] for line in found.lines] == ["Awa"]
    assert found.notes == ()


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml", "xl/styles.xml"]
)
@pytest.mark.parametrize("content", [b"", b"<a>", b"\xff\xfe", b"<worksheet/>"])
@pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")
def test_a_damaged_workbook_is_refused_or_read_without_an_unexpected_error(part: str, content: bytes) -> None:
    with contextlib.suppress(UnusableFileError):
        assert read_bytes("sheet.xlsx", with_part(a_book(["Awa", "x"]), part, content), LIST).headings


def test_a_cell_that_does_not_end_is_reported() -> None:
    raw = b'name,result\n"' + b"x" * 200_000
    assert "quotation mark without a partner" in refused("sheet.csv", raw)
