"""JSON without room for two readings: no duplicate keys, no NaN, no depths, no numbers that other readers round."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

DEPTH: Final = 20

LARGEST: Final = 2**53

DIGITS: Final = 17


class StrictJsonError(ValueError):
    """The text is not JSON as it is taken here; says which rule it breaks, and repeats none of it."""


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises ``StrictJsonError`` and nothing else."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_real,
        )
    except UnicodeDecodeError as flaw:
        raise StrictJsonError(f"the body is not UTF-8 (byte {flaw.start})") from None
    except json.JSONDecodeError as flaw:
        raise StrictJsonError(f"the body is not JSON: {flaw.msg} (line {flaw.lineno}, column {flaw.colno})") from None
    except RecursionError:
        raise StrictJsonError(f"the body is nested deeper than {DEPTH} levels") from None
    if b"\\u" in body or body.count(b"[") + body.count(b"{") > DEPTH:  # otherwise there is nothing to be found
        check(value)
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """The same, for a text that must be one object."""
    value = parse(body)
    if not isinstance(value, dict):
        raise StrictJsonError("the body must be one JSON object: {…}")
    return value


def check(value: Any, levels: int = DEPTH) -> None:
    """Refuse what no database or reader takes, however the value came about. Raises ``StrictJsonError``."""
    if isinstance(value, str):
        _check_text(value)
    if not isinstance(value, (dict, list)):
        return
    if not levels:
        raise StrictJsonError(f"the body is nested deeper than {DEPTH} levels")
    for part in (*value, *value.values()) if isinstance(value, dict) else value:
        check(part, levels - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise StrictJsonError("a text holds a NUL character")
    if not _encodable(text):
        raise StrictJsonError("a text holds half of a surrogate pair")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise StrictJsonError(f"{name} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > DIGITS or abs(int(text)) > LARGEST:
        raise StrictJsonError("an integer is beyond 2^53, where readers begin to differ")
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise StrictJsonError("a number is too large")
    return number


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
