"""Checks a message against its model and describes every error in plain words: the field, the rule, the value.

Programs read ``pointer`` and ``code``; people read ``message``. A message never shows a regular expression, a Python
type or an error code of the validation library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_json

from domain import call_request
from domain.decider import HANDLERS
from domain.kernel.message import MESSAGES, Message
from domain.kernel.places import PART
from domain.movement import MovementMessage
from gateway.intake.strict_json import StrictJsonError, check

HANDLED: Final[Mapping[str, type[Message]]] = {
    name: model
    for name, model in MESSAGES.items()
    if model in {**HANDLERS, **call_request.RULES}
    or (issubclass(model, MovementMessage) and model is not MovementMessage)
}
"""Every message for which a case, a movement or a call request has a handler."""

STREAMS: Final[Mapping[str, str]] = {
    "case": "a case",
    "movement": "a movement",
    "contact": "a call request",
    "desk": "a partner's desk",
}
"""Kinds of stream, in words."""

LONGEST_VALUE: Final = 200  # characters of a rejected value that are returned

LONGEST_QUOTE: Final = 60  # characters of it that are quoted in a sentence

_DATE: Final = "a date in the form YYYY-MM-DD, for example 2026-11-23"

_TIME: Final = "a date and time with a time zone, for example 2026-11-23T08:00:00Z"

_IDENTIFIER: Final = "an identifier (UUID), for example 3b6f1c1e-7c1f-4a52-9a51-0d9c6f1e2a77"

RULES: Final[Mapping[str, str]] = {
    "string_type": "must be text",
    "string_sub_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
    "date_type": f"must be {_DATE}",
    "date_parsing": f"must be {_DATE}",
    "date_from_datetime_parsing": f"must be {_DATE}",
    "date_from_datetime_inexact": f"must be {_DATE}",
    "datetime_type": f"must be {_TIME}",
    "datetime_parsing": f"must be {_TIME}",
    "datetime_from_date_parsing": f"must be {_TIME}",
    "datetime_object_invalid": f"must be {_TIME}",
    "timezone_aware": f"must be {_TIME}",
    "uuid_type": f"must be {_IDENTIFIER}",
    "uuid_parsing": f"must be {_IDENTIFIER}",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "too_short": "must have at least {min_length} {items}",
    "too_long": "may have at most {max_length} {items}",
    "missing": "is required",
}
"""What a field must satisfy, by the validation library's type of error."""

OTHER_RULE: Final = "does not match its schema"
"""For a type of error that has no sentence of its own."""

_COUNTRY: Final = "must be a three-letter country code (ISO 3166-1), for example NGA"

FORMATS: Final[Mapping[str, str]] = {
    r"^\+[1-9][0-9]{6,14}$": "must be in international format, for example +218912345678",
    "^[A-Z]{3}$": _COUNTRY,
    "IATA": "must be a three-letter airport code (IATA), for example LOS",
    "CURRENCY": "must be a three-letter currency code (ISO 4217), for example EUR",
    "^[a-z]{2,3}$": "must be a language code of two or three small letters (ISO 639), for example ha",
    "^[0-9a-f]{64}$": "must be a SHA-256 digest: 64 hexadecimal digits, in small letters",
    "^[A-Z][A-Z0-9_]{1,60}$": (
        "must be a code of capital letters, digits and underscores, for example NO_SIGNIFICANT_CONDITION"
    ),
    f"^{PART.pattern}$": "must be the code of a part of a country (ISO 3166-2), for example NG-LA",
    "^MOV-[0-9]{4}-[A-Z0-9-]{3,40}$": "must be a movement number, for example MOV-2026-1214-MJI-LOS-01",
    "^[A-Z0-9-]{1,60}$": "must be a movement number, for example MOV-2026-1214-MJI-LOS-01",
    "^[a-z0-9-]+$": "must be a partner id of small letters, digits and hyphens, for example clinic-tripoli",
}
"""What a text must look like, by the description of its field or by its pattern."""

_CHOICE: Final = re.compile(r"\^\(([A-Z_|]+)\)\$")
"""A pattern that is a list of codes."""

_QUOTED: Final = re.compile("'([^']*)'")

_REQUIRED: Final[Mapping[str, str]] = {
    "boolean": "true or false",
    "date": _DATE,
    "date-time": _TIME,
    "uuid": _IDENTIFIER,
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
}
"""What a required field holds, by its format or type in the JSON Schema."""


def pointer(parts: Iterable[object]) -> str:
    """Returns an RFC 6901 pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One error in a message.

    ``pointer`` is an RFC 6901 pointer into what was sent, ``code`` a stable word for programs, ``message`` a sentence
    without its full stop, ``value`` what was sent, if it is short and simple.
    """

    pointer: str
    code: str
    message: str
    value: Any = None

    def json(self) -> dict[str, Any]:
        members = {"pointer": self.pointer, "code": self.code, "message": self.message, "value": self.value}
        return {name: member for name, member in members.items() if member is not None}

    def with_value(self) -> str:
        """Returns the message with the rejected value."""
        if self.value is None or self.code in {"extra_forbidden", "string_too_long"}:
            return self.message
        text = self.value if isinstance(self.value, str) else json.dumps(self.value)
        quoted = text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"
        return f"{self.message} (you entered {quoted})" if quoted.strip() else self.message


def field_errors(name: object, fields: Mapping[str, Any], *, to: str, sender: str = "staff") -> list[FieldError]:
    """Returns every reason why these fields are not the named message; an empty list if the message can be accepted."""
    model = HANDLED.get(name) if isinstance(name, str) else None
    if model is None:
        return [_unknown(name, sender, to)]
    sent_by, sent_to = model.FROM, model.TO
    if sent_by != sender:
        return [FieldError("/message", "message.not_yours", f"{name} cannot be sent by {sender}", name)]
    if sent_to != to:
        wrong = f"{name} must be sent to {STREAMS.get(sent_to, sent_to)}, not to {STREAMS.get(to, to)}"
        return [FieldError("/message", "message.elsewhere", wrong, name)]
    return schema_errors(model, fields)


def schema_errors(
    model: type[Message], fields: Mapping[str, Any], at: str = "", *, parsed_strictly: bool = False
) -> list[FieldError]:
    """Returns where the fields do not match the model, by pointer below ``at``.

    Validation is strict: a text is never read as a number, nor a number as a date. ``parsed_strictly`` says that the
    fields come from ``strict_json``, so that every database and reader accepts them.
    """
    try:
        if not parsed_strictly:
            check(dict(fields))
        model.model_validate_json(to_json(fields, fallback=str), strict=True)
    except StrictJsonError as error:
        return [FieldError(at, "json", str(error))]
    except ValidationError as error:
        return [field_error(details, at, model) for details in error.errors(include_url=False)]
    return []


def field_error(error: ErrorDetails, at: str = "", model: type[BaseModel] | None = None) -> FieldError:
    """Describes one error of the validation library. ``model`` is the message that was validated, if it was one."""
    code, path = error["type"], error["loc"]
    value = None if code == "missing" else _short(error["input"])
    if code == "extra_forbidden":
        message = f"There is no field {str(path[-1])[:LONGEST_QUOTE]}" + _known_fields(model, path)
    else:
        message = f"{_label(path or (at.rpartition('/')[2],))} {_rule(error, model)}"
    return FieldError(at + pointer(path), code, message, value)


def names_for(sender: str, to: str) -> list[str]:
    """Returns the names of the messages that this kind of sender may send to this kind of stream."""
    return sorted(name for name, model in HANDLED.items() if model.FROM == sender and model.TO == to)  # noqa: SIM300


def sentence(errors: Iterable[FieldError], *, values: bool = False) -> str:
    """Returns all errors as one text.

    Without ``values`` it repeats nothing of what was sent: partners write such texts to their logs.
    """
    return " ".join(f"{error.with_value() if values else error.message}." for error in errors)


def one_of(codes: Iterable[str]) -> str:
    """Returns a list of alternatives: ``one of A, B or C``."""
    *others, last = codes
    return f"one of {', '.join(others)} or {last}" if others else last


def _unknown(name: object, sender: str, to: str) -> FieldError:
    known = names_for(sender, to)
    near = get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
    problem = "The field message is required: it names the message" if name is None else "There is no message"
    named = f" {_short(name)}" if isinstance(name, str) and name else ""
    return FieldError("/message", "message.unknown", f"{problem}{named}; {hint}", _short(name))


def _label(path: Iterable[object]) -> str:
    """Returns a field's path in words: ``Person: date of birth``, ``Attachments: item 1: sha256``."""
    words = (
        f"item {part + 1}" if isinstance(part, int) else str(part)[:LONGEST_QUOTE].replace("_", " ") for part in path
    )
    label = ": ".join(words)
    return label[:1].upper() + label[1:]


def _rule(error: ErrorDetails, model: type[BaseModel] | None) -> str:
    code, context = error["type"], error.get("ctx", {})
    if code in {"enum", "literal_error"}:
        codes = _QUOTED.findall(str(context.get("expected", "")))
        return f"must be {one_of(codes)}" if codes else OTHER_RULE
    if code == "string_pattern_mismatch":
        return _format(str(context.get("pattern", "")), error, model)
    if code == "string_too_short":
        least = context.get("min_length")
        return "must not be empty" if least == 1 else f"must have at least {least} characters"
    if code == "string_too_long":
        return f"may have at most {context.get('max_length')} characters and has {len(str(error['input']))}"
    if code == "missing":
        return RULES[code] + _required(error, model)
    numbers = {name: _number(part) for name, part in context.items()}
    items = "item" if 1 in {context.get("min_length"), context.get("max_length")} else "items"
    return RULES.get(code, OTHER_RULE).format_map({**numbers, "items": items})


def _format(pattern: str, error: ErrorDetails, model: type[BaseModel] | None) -> str:
    choice = _CHOICE.fullmatch(pattern)
    if choice:
        return f"must be {one_of(choice[1].split('|'))}"
    field = model.model_fields.get(str(error["loc"][0])) if model and len(error["loc"]) == 1 else None
    described = FORMATS.get(field.description or "") if field else None
    return described or FORMATS.get(pattern, OTHER_RULE)


def _required(error: ErrorDetails, model: type[BaseModel] | None) -> str:
    """Returns what a missing field of the message must hold."""
    field = model.model_fields.get(str(error["loc"][0])) if model and len(error["loc"]) == 1 else None
    if field is None:
        return ""
    annotation: Any = field.annotation
    schema = TypeAdapter(annotation).json_schema()
    codes = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if codes:
        return f": {one_of(codes)}"
    return f": {_REQUIRED.get(schema.get('format', ''), _REQUIRED.get(schema.get('type', ''), 'an object'))}"


def _known_fields(model: type[BaseModel] | None, path: tuple[int | str, ...]) -> str:
    if model is None or len(path) != 1:
        return ""
    names = ", ".join(sorted(model.model_fields))
    return f"; the fields are {names}" if names else "; this message has no fields"


def _number(part: object) -> str:
    return f"{part:g}" if isinstance(part, float) and part < 10**6 else str(part)


def _short(value: object) -> Any:
    """Returns a value that is small enough to be returned to its sender, or nothing."""
    if isinstance(value, str):
        return value[:LONGEST_VALUE]
    return value if isinstance(value, (bool, int, float)) else None
