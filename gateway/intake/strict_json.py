"""Strict JSON that every parser reads alike: no duplicate keys, NaN, deep nesting or integers beyond 2^53."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

DEPTH: Final = 20  # levels of nesting

LARGEST: Final = 2**53

DIGITS: Final = 17  # of an integer; longer ones are rejected before they are converted


class StrictJsonError(ValueError):
    """The text is not strict JSON. The message names the rule and repeats nothing of the text."""


def parse(body: bytes) -> Any:
    """Returns the value of a JSON text. Raises ``StrictJsonError`` and no other error."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_real,
        )
    except UnicodeDecodeError as error:
        raise StrictJsonError(f"The body is not UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        raise StrictJsonError(
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise StrictJsonError(f"The body is nested deeper than {DEPTH} levels") from None
    if b"\\u" in body or body.count(b"[") + body.count(b"{") > DEPTH:  # otherwise there is nothing to check
        check(value)
    return value


def parse_object(body: bytes) -> dict[str, Any]:
    """Returns the object in a JSON text. Raises ``StrictJsonError``, also for any other value."""
    value = parse(body)
    if not isinstance(value, dict):
        raise StrictJsonError("The body must be one JSON object: {…}")
    return value


def check(value: Any, levels: int = DEPTH) -> None:
    """Rejects values that a database or another parser cannot store. Raises ``StrictJsonError``."""
    if isinstance(value, str):
        _check_text(value)
    if not isinstance(value, (dict, list)):
        return
    if not levels:
        raise StrictJsonError(f"The body is nested deeper than {DEPTH} levels")
    for part in (*value, *value.values()) if isinstance(value, dict) else value:
        check(part, levels - 1)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise StrictJsonError("A text contains a NUL character")
    if not _encodable(text):
        raise StrictJsonError("A text contains half of a surrogate pair")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("A key occurs twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise StrictJsonError(f"{name} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > DIGITS or abs(int(text)) > LARGEST:
        raise StrictJsonError(
            "An integer is larger than 2^53, so that not every program reads it exactly; send it as text"
        )
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise StrictJsonError("A number is too large")
    return number


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
