"""Reads lists from CSV, XLSX and JSON files. Columns are identified by their headings, and sizes are limited.

Nothing in a file is executed: formulas are not computed, links are not followed and external entities are not resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.tabular.delimited import read_delimited
from gateway.tabular.model import ListFormat, TableFile, UnusableFileError
from gateway.tabular.objects import read_objects
from gateway.tabular.workbook import read_workbook

LIMIT: Final = 20_000_000  # bytes


def read_list(path: Path, form: ListFormat) -> TableFile:
    """Reads a list from a file. Raises ``UnusableFileError``."""
    if not path.is_file():
        raise UnusableFileError(f"there is no file {path.name}: check the name and the folder")
    if path.stat().st_size > LIMIT:
        raise UnusableFileError(
            f"{path.name} is larger than {LIMIT // 1_000_000} MB: divide the list and submit the parts separately"
        )
    return read_bytes(path.name, path.read_bytes(), form)


def read_bytes(name: str, raw: bytes, form: ListFormat) -> TableFile:
    """Reads a list from bytes. The suffix of the name decides the format. Raises ``UnusableFileError``."""
    reader = READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise UnusableFileError(f"the format of {name} is not supported: give a .csv, .xlsx or .json file")
    return reader(name, raw, form)


READERS: Final[Mapping[str, Callable[[str, bytes, ListFormat], TableFile]]] = {
    ".csv": read_delimited,
    ".txt": read_delimited,
    ".xlsx": read_workbook,
    ".json": read_objects,
}
