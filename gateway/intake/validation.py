"""What is wrong with a message, said so that its sender can mend it: where, which rule, which value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_json

from domain import call_request as contact
from domain.decider import HANDLERS
from domain.kernel.message import MESSAGES, Message
from domain.movement import MovementMessage
from gateway.intake.strict_json import StrictJsonError, check

TAKEN: Final[Mapping[str, type[Message]]] = {
    name: model
    for name, model in MESSAGES.items()
    if model in {**HANDLERS, **contact.RULES} or (issubclass(model, MovementMessage) and model is not MovementMessage)
}
"""Every message that a case, a movement or a request to be called knows what to do with."""

SHOWN: Final = 200

SAYINGS: Final[Mapping[str, str]] = {
    "extra_forbidden": "there is no such field",
    "missing": "this field is required",
}


def pointer(parts: Iterable[object]) -> str:
    """An RFC 6901 pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong. ``pointer`` is an RFC 6901 pointer into what was sent; ``code`` a stable word."""

    pointer: str
    code: str
    message: str
    value: Any = None

    def json(self) -> dict[str, Any]:
        told = {"pointer": self.pointer, "code": self.code, "message": self.message, "value": self.value}
        return {name: part for name, part in told.items() if part is not None}


def field_errors(name: object, fields: Mapping[str, Any], *, to: str, sender: str = "staff") -> list[FieldError]:
    """Everything that keeps these fields from being that message; empty when it can be taken."""
    model = TAKEN.get(name) if isinstance(name, str) else None
    if model is None:
        return [_unknown(name, sender, to)]
    sent_by, goes_to = model.FROM, model.TO
    if sent_by != sender:
        return [FieldError("/message", "message.not_yours", f"{name} is not for {sender} to send", name)]
    if goes_to != to:
        return [FieldError("/message", "message.elsewhere", f"{name} goes to a {goes_to}, not to a {to}", name)]
    return unfit(model, fields)


def unfit(model: type[Message], fields: Mapping[str, Any], at: str = "", *, sound: bool = False) -> list[FieldError]:
    """Where the fields break the model, by pointer below ``at``. A text is no number, a number no date.

    ``sound``: they were parsed strictly, so that every database and reader takes them.
    """
    try:
        if not sound:
            check(dict(fields))
        model.model_validate_json(to_json(fields, fallback=str), strict=True)
    except StrictJsonError as flaw:
        return [FieldError(at, "json", str(flaw))]
    except ValidationError as error:
        return [_flaw(found, at, model) for found in error.errors(include_url=False)]
    return []


def names_for(sender: str, to: str) -> list[str]:
    """The messages somebody may send, by name."""
    return sorted(name for name, model in TAKEN.items() if model.FROM == sender and model.TO == to)  # noqa: SIM300


def sentence(flaws: Iterable[FieldError]) -> str:
    """All flaws in one line, without the values."""
    return "; ".join(f"{flaw.pointer or '/'}: {flaw.message}" for flaw in flaws)


def _unknown(name: object, sender: str, to: str) -> FieldError:
    known = names_for(sender, to)
    near = get_close_matches(str(name), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    said = "the body must name its message" if name is None else f"there is no message {_short(name)}"
    return FieldError("/message", "message.unknown", f"{said}; {hint}", _short(name))


def _flaw(error: ErrorDetails, at: str, model: type[Message]) -> FieldError:
    code, where = error["type"], at + pointer(error["loc"])
    said = SAYINGS.get(code, error["msg"])
    if len(error["loc"]) == 1:
        said += _hint(code, str(error["loc"][0]), model)
    return FieldError(where, code, said, None if code == "missing" else _short(error["input"]))


def _hint(code: str, name: str, model: type[Message]) -> str:
    """What would have been right."""
    if code == "extra_forbidden":
        return f"; the fields are {', '.join(sorted(model.model_fields)) or 'none'}"
    field = model.model_fields.get(name) if code == "missing" else None
    if field is None:
        return ""
    annotation: Any = field.annotation
    wanted = TypeAdapter(annotation).json_schema()
    values = ", ".join(wanted.get("enum", ()))
    return f": one of {values}" if values else f" ({wanted.get('format') or wanted.get('type', 'object')})"


def _short(value: object) -> Any:
    """A value small enough to be repeated to whoever sent it."""
    if isinstance(value, str):
        return value[:SHOWN]
    return value if isinstance(value, (bool, int, float)) else None
