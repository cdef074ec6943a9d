"""Reads lists from CSV files: the encoding, the separator, and cells in quotation marks."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.tabular.headings import TITLE_ROWS, column_of, limited, table
from gateway.tabular.model import FileSource, ListFormat, TableFile, UnusableFileError
from gateway.tabular.normalization import tidy

ARABIC_WORD: Final = re.compile("[\u0621-\u064a]{3,}")

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}

BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f\udc80-\udcff]")

FOREIGN: Final = re.compile(r"[\udc80-\udcff]")
"""A byte that is not UTF-8, as the ``surrogateescape`` error handler returns it."""


def read_delimited(name: str, raw: bytes, form: ListFormat) -> TableFile:
    """Reads a list from a CSV file. Raises ``UnusableFileError``."""
    text, encoding = decoded(name, raw)
    if "\0" in text:
        raise UnusableFileError(f"{name} is not a text file: save it as CSV (UTF-8) and submit that file")
    lines = list(io.StringIO(text, newline=""))
    separator = _separator(lines, form)
    records = _Records(name, lines, separator)
    rows = list(limited(records, form))
    notes = () if encoding.startswith("UTF") else (_encoding_note(encoding),)
    found = table(rows, name, form, FileSource("CSV", encoding, SEPARATORS[separator], notes=notes))
    records.require_single_rows(found)
    return found


# Encoding


def decoded(name: str, raw: bytes) -> tuple[str, str]:
    """Returns the text and the name of its encoding. Raises ``UnusableFileError`` for a byte that does not belong."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _strict(name, raw, "utf-16"), "UTF-16"
    text = raw.decode("utf-8", errors="surrogateescape")
    foreign = len(FOREIGN.findall(text))
    if not foreign:
        return text.removeprefix("\ufeff"), "UTF-8"
    if raw.startswith(codecs.BOM_UTF8) or len(BEYOND_ASCII.findall(text)) >= foreign:
        raise _foreign_byte(name, raw, text.index(_first(FOREIGN, text)), text)
    arabic = raw.decode("cp1256")
    if ARABIC_WORD.search(arabic):
        return arabic, "Windows-1256 (Arabic)"
    return _strict(name, raw, "cp1252"), "Windows-1252 (Western)"


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[0] if found else ""


def _foreign_byte(name: str, raw: bytes, place: int, text: str) -> UnusableFileError:
    begin = len(text[:place].encode("utf-8", "surrogateescape"))
    line, near = text.count("\n", 0, place) + 1, _around(text, place)
    return UnusableFileError(
        f"{name} is UTF-8, but byte 0x{raw[begin]:02X} (number {begin + 1}) in line {line}, near {near!r}, is not: "
        "correct this character, or save the list again as CSV UTF-8"
    )


def _around(text: str, place: int) -> str:
    return FOREIGN.sub("\ufffd", " ".join(text[max(place - 15, 0) : place + 15].split()))


def _strict(name: str, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw[: error.start].decode(encoding, "ignore").count("\n") + 1
        raise UnusableFileError(
            f"the encoding of {name} is not known: byte 0x{raw[error.start]:02X} (number {error.start + 1}) in line "
            f"{line} is no character; save the list again as CSV UTF-8"
        ) from None


def _encoding_note(encoding: str) -> str:
    return (
        f"The file is not UTF-8; it was read as {encoding}. Check that the names are correct, or save it as CSV UTF-8."
    )


# Rows


def _separator(lines: Sequence[str], form: ListFormat) -> str:
    """Returns the separator with which a row has the most known headings. Commas in titles and remarks do not count."""
    return max(SEPARATORS, key=lambda separator: _most_headings(lines[: 2 * TITLE_ROWS], separator, form))


def _most_headings(lines: Sequence[str], separator: str, form: ListFormat) -> int:
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return 0
    return max((sum(1 for cell in row if column_of(form.columns, cell)) for row in rows), default=0)


@dataclass
class _Records:
    """The records of a CSV file. A record may take several lines, when a cell contains line breaks."""

    name: str
    lines: Sequence[str]
    separator: str
    long: list[tuple[int, int, int]] = field(default_factory=list)
    """The row number, first line and last line of each record of several lines."""

    def __iter__(self) -> Iterator[Sequence[str]]:
        reader = csv.reader(self.lines, delimiter=self.separator, strict=True)
        number = 0
        while True:
            begin = reader.line_num
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise self.unclosed(begin) from None
            number += 1
            if reader.line_num > begin + 1:
                self.long.append((number, begin, reader.line_num - 1))
            yield row

    def require_single_rows(self, found: TableFile) -> None:
        """Raises ``UnusableFileError`` when a cell contains whole rows: its quotation mark was closed by a later one.

        The lines at which such a cell begins and ends are complete rows of their own.
        """
        first = found.lines[0].row if found.lines else 0
        width = sum(map(bool, found.heading_row))
        for number, begin, end in self.long:
            if number >= first and all(self.lines[at].count(self.separator) + 1 >= width for at in (begin, end)):
                raise self.unclosed(begin)

    def unclosed(self, line: int) -> UnusableFileError:
        """Returns the error for a quotation mark without a partner in this line, counted from 0."""
        near = tidy(self.lines[line])[:60] if line < len(self.lines) else ""
        return UnusableFileError(
            f"{self.name} has a quotation mark without a partner in line {line + 1} ({near!r}): later rows would be "
            "read as part of one cell. Remove the mark, or write it twice inside a cell in quotation marks"
        )
