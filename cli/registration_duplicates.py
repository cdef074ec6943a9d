"""Identifies registrations, and finds rows of one list that may describe the same person.

Only the rows of one list are compared with each other. Registered cases are compared by the identity of a row alone,
because their names are sealed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.tabular.model import RowError, TableFile
from gateway.tabular.name_keys import exact_key, tolerant_key
from gateway.tabular.normalization import folded

SHORTEST_KEY: Final = 3  # consonants; shorter keys are equal for too many names


@dataclass(frozen=True, slots=True)
class Registration:
    """A row without errors. ``fields`` are those of ``RegisterCase``, as plain JSON."""

    row: int
    reference: str
    fields: Mapping[str, Any]

    @property
    def identity(self) -> bytes:
        """Identifies the registration when the list is imported again. Personal data: must be digested with a key.

        Without a reference, the name, the date of birth and the nationality identify it, so that a corrected list
        finds the cases that it started before the correction.
        """
        if self.reference:
            return f"reference:{folded(self.reference)}".encode()
        person = self.fields["person"]
        born = [person.get(name) for name in ("date_of_birth", "dob_precision", "nationality")]
        return _json(["person", exact_key(f"{person['given_names']} {person['family_name']}"), *born])

    @property
    def former_identity(self) -> bytes:
        """The identity of a row without a reference before rows were identified by the person."""
        return _json(self.fields)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


# Rows of one list


@dataclass(frozen=True, slots=True)
class SharedReference:
    """A row whose reference stands before it in the list, with other particulars."""

    registration: Registration
    error: RowError


Compared = tuple[list[Registration], list[RowError], list[SharedReference]]


def compared(found: Sequence[Registration], listing: TableFile, distinct: frozenset[int]) -> Compared:
    """Returns the rows that can be registered, the suspected duplicates, and the rows with a reference of another row.

    Of rows that may describe one person, the first one is registered. ``distinct`` are rows that the user has compared.
    """
    good, suspected, shared = list[Registration](), list[RowError](), list[SharedReference]()
    seen = dict[bytes | tuple[str, ...], Registration]()
    for each in found:
        same = seen.get(each.identity)
        if same and each.reference and same.fields != each.fields:
            shared.append(SharedReference(each, _same_reference(each, same, listing)))
            continue
        similar = same or (None if each.row in distinct else _similar(each, seen))
        if similar:
            suspected.append(suspicion(each, f"row {similar.row} of this list", listing.headings))
            continue
        good.append(each)
        seen |= dict.fromkeys([each.identity, *_person_keys(each)], each)
    return good, suspected, shared


def _similar(each: Registration, seen: Mapping[bytes | tuple[str, ...], Registration]) -> Registration | None:
    return next((seen[key] for key in _person_keys(each) if key in seen), None)


def _person_keys(each: Registration) -> Iterator[tuple[str, ...]]:
    """Yields the keys under which a person is found: exact without a full date of birth, tolerant with one."""
    person = each.fields["person"]
    born, nation = person.get("date_of_birth", ""), person["nationality"]
    for name in filter(None, (f"{person['given_names']} {person['family_name']}", person.get("name_native_script"))):
        yield ("exact", exact_key(name), born, nation)
        key = tolerant_key(name)
        if person.get("dob_precision") == "DAY" and len(key) >= SHORTEST_KEY:
            yield ("tolerant", key, born, nation)


def _same_reference(each: Registration, other: Registration, listing: TableFile) -> RowError:
    return RowError(
        each.row, listing.headings.get("reference", "reference"), each.reference,
        f"row {other.row} has the same reference with other particulars",
        "give each person a reference of their own, or remove the wrong row",
    )  # fmt: skip


def suspicion(each: Registration, of: str, headings: Mapping[str, str]) -> RowError:
    """Returns the report on a row that may describe a person who is registered already, or is in another row."""
    person = each.fields["person"]
    name = f"{person['given_names']} {person['family_name']}"
    column = next((headings[name] for name in ("family name", "full name", "native name") if name in headings), "name")
    return RowError(
        each.row, column, name, f"the person may be the same as in {of}",
        "if it is the same person, remove the row or correct the case; if not, give each row a reference of its own "
        f"and import with --not-duplicate {each.row}",
    )  # fmt: skip
