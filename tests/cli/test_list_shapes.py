"""Lists in many shapes are read as what their author meant, or they are refused; no row disappears."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from cli.registration_list import CheckedList, Choices, check_list
from gateway.tabular.cells import DateOrder
from gateway.tabular.model import UnusableFileError

TODAY = date(2026, 11, 23)

PROVED = Choices()

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "cp1252", "cp1256")

SEPARATORS = (",", ";", "\t")

HEADINGS: Mapping[str, Sequence[str]] = {
    "reference": ("Ref", "Reference number", "Reg. no.", "N° d'enregistrement"),
    "family": ("Family name", "SURNAME", "Nom", "Nom / Surname"),
    "given": ("Given names", "First name", "Prénom(s)", "Forename *"),
    "sex": ("Sex", "Sex (M/F)", "Sexe (H/F)", "Gender"),
    "born": ("Date of birth", "DOB", "Né(e) le", "Birthdate"),
    "nation": ("Nationality", "Nationalité *", "Citizenship"),
    "phone": ("Phone no.", "Telephone", "Tél", "Mobile (optional)"),
    "office": ("Office", "Bureau"),
    "channel": ("Channel", "Canal"),
    "consent": ("Consent", "Consent (yes/no)", "Consentement"),
}

SAFE_NAMES = ("Traore", "O'Connor", "El Tayeb", "Keita", "Mahamat", "Ibrahim", "Danjuma", "Sow", "Njie")

NAMES_IN = {
    "cp1252": ("Traoré", "Aïssata", "Né", "N'Guessan"),
    "cp1256": ("الطيب", "عثمان", "محمد علي"),
    "utf-8": ("Traoré", "الطيب", "Ñuñez", "Čović", "Aïssata"),
}

BROKEN = ("#N/A", "#REF!", "nan", "NA", "xxx", "test", "#VALEUR!")


@dataclass(frozen=True)
class Meant:
    """What the author of a row means. ``broken`` is the text in place of the family name, of which none can be read."""

    family: str
    given: str
    sex: str
    born: date
    local_phone: str
    broken: str | None = None
    hidden: bool = False
    typed_date: bool = False


@dataclass(frozen=True)
class Shape:
    """How a list is written."""

    kind: str
    encoding: str
    separator: str
    order: DateOrder
    headings: Mapping[str, str]
    columns: tuple[str, ...]
    title_rows: int
    cover: bool
    quoting: int
    iso: bool
    phone: Callable[[str], str]


PHONES: tuple[Callable[[str], str], ...] = (
    lambda local: f"0{local}",
    lambda local: f"+218 (0) {local[:2]} {local[2:5]} {local[5:]}",
    lambda local: f"00218{local}",
    lambda local: f"+218-{local}",
    lambda local: local,
)


def people(encoding: str) -> st.SearchStrategy[Meant]:
    own = NAMES_IN.get(encoding, NAMES_IN["utf-8"])
    return st.builds(
        Meant,
        st.sampled_from((*SAFE_NAMES, *own)),
        st.sampled_from((*SAFE_NAMES, *own)),
        st.sampled_from(("MALE", "FEMALE")),
        st.dates(date(1940, 1, 2), date(2020, 1, 1)).filter(lambda day: day != date(1970, 1, 1)),
        st.integers(910_000_000, 949_999_999).map(str),
        st.none() | st.none() | st.none() | st.sampled_from(BROKEN),
        st.booleans(),
        st.booleans(),
    )


@st.composite
def lists(draw: st.DrawFn) -> tuple[Shape, list[Meant]]:
    encoding = draw(st.sampled_from(ENCODINGS))
    headings = {field: draw(st.sampled_from(names)) for field, names in HEADINGS.items()}
    if encoding == "cp1256":  # it has few of the accents
        headings = {field: names[0] for field, names in HEADINGS.items()}
    kind = draw(st.sampled_from(("csv", "xlsx")))
    shape = Shape(
        kind, encoding, draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(DateOrder)), headings,
        tuple(draw(st.permutations(tuple(HEADINGS)))), draw(st.integers(0, 4)), draw(st.booleans()),
        draw(st.sampled_from((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))), draw(st.booleans()), draw(st.sampled_from(PHONES)),
    )  # fmt: skip
    rows = draw(st.lists(people("utf-8" if kind == "xlsx" else encoding), min_size=1, max_size=8))
    return shape, rows


def cells(shape: Shape, number: int, row: Meant) -> dict[str, str]:
    ordered = f"{row.born:%d/%m/%Y}" if shape.order is DateOrder.DAY_FIRST else f"{row.born:%m/%d/%Y}"
    return {
        "reference": f"R-{number}",
        "family": row.broken or row.family,
        "given": row.given,
        "sex": row.sex[0],
        "born": row.born.isoformat() if shape.iso else ordered,
        "nation": "Mali",
        "phone": shape.phone(row.local_phone),
        "office": "Tripoli",
        "channel": "online",
        "consent": "yes",
    }


def written(shape: Shape, rows: Sequence[Meant]) -> bytes:
    return (written_csv if shape.kind == "csv" else written_xlsx)(shape, rows)


def written_csv(shape: Shape, rows: Sequence[Meant]) -> bytes:
    out = io.StringIO()
    out.writelines(f"Week {number}, Sebha; Ubari, 12 people\r\n" for number in range(shape.title_rows))
    writer = csv.writer(out, delimiter=shape.separator, quoting=shape.quoting)  # type: ignore[arg-type]
    writer.writerow([shape.headings[field] for field in shape.columns])
    for number, row in enumerate(rows):
        found = cells(shape, number, row)
        writer.writerow([found[field] for field in shape.columns])
    text = out.getvalue()
    return ("\ufeff" + text if shape.encoding.startswith("utf-16") else text).encode(shape.encoding)


def written_xlsx(shape: Shape, rows: Sequence[Meant]) -> bytes:
    book = Workbook()
    sheet: Any = book.worksheets[0]
    if shape.cover:
        sheet.append(["Registrations of Sebha"])
        sheet = book.create_sheet("List")
    for number in range(shape.title_rows):
        sheet.append([f"Week {number}"])
        sheet.merge_cells(start_row=number + 1, end_row=number + 1, start_column=1, end_column=5)
    sheet.append([shape.headings[field] for field in shape.columns])
    for number, row in enumerate(rows):
        found: dict[str, object] = dict(cells(shape, number, row))
        if row.typed_date and shape.iso:
            found["born"] = row.born
        sheet.append([found[field] for field in shape.columns])
        sheet.row_dimensions[sheet.max_row].hidden = row.hidden
        for cell in sheet[sheet.max_row]:
            if isinstance(cell.value, str) and cell.value.startswith("#"):
                cell.data_type = "e"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def checked(shape: Shape, raw: bytes, choices: Choices = PROVED) -> CheckedList:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"list.{shape.kind}"
        file.write_bytes(raw)
        return check_list(file, TODAY, choices=choices)


def is_proved(shape: Shape, rows: Sequence[Meant]) -> bool:
    """Returns whether the column shows its order, or needs none."""
    return shape.iso or any(row.born.day > 12 for row in rows) or all(row.born.day == row.born.month for row in rows)


def rows_of(found: CheckedList) -> list[int]:
    suspected = [each.row for each in found.suspected]
    shared = [each.registration.row for each in found.shared]
    return sorted([*(each.row for each in found.good), *{each.row for each in found.bad}, *suspected, *shared])


@settings(max_examples=200)
@given(lists())
def test_a_list_is_read_as_its_author_meant_it(drawn: tuple[Shape, list[Meant]]) -> None:
    shape, rows = drawn
    raw = written(shape, rows)
    if not is_proved(shape, rows):
        with pytest.raises(UnusableFileError, match="--date-order"):
            checked(shape, raw)
    found = checked(shape, raw, PROVED if is_proved(shape, rows) else Choices(shape.order))
    first = found.numbers[0]
    assert found.numbers == list(range(first, first + len(rows)))
    assert rows_of(found) == found.numbers
    assert {each.row for each in found.bad} == {first + at for at, row in enumerate(rows) if row.broken}
    hidden = {first + at for at, row in enumerate(rows) if row.hidden} if shape.kind == "xlsx" else set()
    assert found.listing.source.hidden_rows == hidden
    for each in found.good:
        row, person = rows[each.row - first], each.fields["person"]
        read = (person["family_name"], person["given_names"], person["sex"], person["date_of_birth"], person["phone"])
        assert read == (row.family, row.given, row.sex, row.born.isoformat(), f"+218{row.local_phone}")


@settings(max_examples=60)
@given(lists(), st.data())
def test_a_lone_quotation_mark_never_makes_a_row_disappear(
    drawn: tuple[Shape, list[Meant]], data: st.DataObject
) -> None:
    shape, rows = drawn
    shape = replace(shape, kind="csv", encoding="utf-8", quoting=csv.QUOTE_MINIMAL)
    lines = written(shape, rows).decode().split("\r\n")
    at = data.draw(st.integers(shape.title_rows + 1, len(lines) - 2))
    parts = lines[at].split(shape.separator)
    place = data.draw(st.integers(0, len(parts) - 1))
    parts[place] = data.draw(st.sampled_from((f'"{parts[place]}', f'{parts[place]}"', f'{parts[place]}"x')))
    lines[at] = shape.separator.join(parts)
    try:
        found = checked(shape, "\r\n".join(lines).encode(), Choices(None if is_proved(shape, rows) else shape.order))
    except UnusableFileError:
        return  # refused as a whole
    assert len(found.numbers) == len(rows)
    assert rows_of(found) == found.numbers


@settings(max_examples=60)
@given(lists(), st.data())
def test_a_foreign_byte_in_a_list_with_other_letters_is_never_read(
    drawn: tuple[Shape, list[Meant]], data: st.DataObject
) -> None:
    shape, rows = drawn
    rows = [*rows, Meant("Traoré", "Aïssata", "FEMALE", TODAY - timedelta(9999), "912345678")]
    raw = written(replace(shape, kind="csv", encoding="utf-8-sig"), rows)
    place = data.draw(st.integers(3, len(raw)))
    while place < len(raw) and raw[place] & 0xC0 == 0x80:
        place += 1
    with pytest.raises(UnusableFileError, match="byte 0xE9") as error:
        checked(replace(shape, kind="csv"), raw[:place] + b"\xe9" + raw[place:])
    assert f"in line {raw.count(10, 0, place) + 1}" in str(error.value)
