"""Reads lists from JSON files: a list of objects, one for each row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.tabular.headings import places_of, require_row_limit, unused_columns
from gateway.tabular.model import FileSource, ListFormat, TableFile, TableRow, UnusableFileError
from gateway.tabular.workbook import as_text


def read_objects(name: str, raw: bytes, form: ListFormat) -> TableFile:
    """Reads a list of objects. Raises ``UnusableFileError``."""
    found = _objects(name, raw, form)
    require_row_limit(len(found), name, form)
    names = tuple(dict.fromkeys(str(heading) for each in found for heading in each))
    places = places_of(names, form)
    lines = tuple(_line(row, each, names, places) for row, each in enumerate(found, 1))
    headings = {column: names[place] for column, place in places.items()}
    unused = tuple(unused_columns(names, places, lines, form))
    return TableFile(lines, headings, FileSource("JSON"), names, places, unused)


def _objects(name: str, raw: bytes, form: ListFormat) -> list[dict[str, Any]]:
    try:
        found = json.loads(raw)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UnusableFileError(
            f"{name} has a byte that is not UTF-8 (0x{raw[error.start]:02X}, number {error.start + 1}) in line {line}: "
            "correct this character, or save the file as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise UnusableFileError(
            f"{name} is not JSON ({error.msg}, line {error.lineno}): give a list of objects, one for each {form.person}"
        ) from None
    except (ValueError, RecursionError):
        raise UnusableFileError(f"{name} is not JSON: give a list of objects, one for each {form.person}") from None
    example = form.example.split(",")[0]
    if not isinstance(found, list):
        raise UnusableFileError(f'{name} is not a list of objects: write [{{"{example}": …}}, …]')
    for number, each in enumerate(found, 1):
        if not isinstance(each, dict):
            raise UnusableFileError(
                f'{name} is not a list of objects: item {number} must be an object, for example {{"{example}": …}}'
            )
    return found


def _line(row: int, item: Mapping[str, Any], names: tuple[str, ...], places: Mapping[str, int]) -> TableRow:
    written = tuple(_as_text(item.get(heading)) for heading in names)
    return TableRow(row, {column: written[place] for column, place in places.items()}, written=written)


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else as_text(value)
