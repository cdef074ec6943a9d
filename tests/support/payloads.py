"""Payloads generated from the payload schemas: a valid one with every field, and ways to spoil one field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from domain.kernel.vocabulary import ReferralKind
from domain.referral.outcomes import OUTCOMES

PAST: Final = "2026-11-20"

FUTURE: Final = "2090-01-01"

BY_FORMAT: Final = {"date": PAST, "date-time": f"{PAST}T09:00:00+02:00"}


def full_payload(kind: ReferralKind) -> dict[str, Any]:
    """Returns a valid payload with a value for every field of the kind."""
    schema = OUTCOMES[kind].payload.model_json_schema()
    return {name: _value(field, schema) for name, field in schema["properties"].items()}


def _value(field: dict[str, Any], schema: dict[str, Any]) -> Any:
    field = field.get("anyOf", [field])[0]
    if "$ref" in field:
        return _value(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if "enum" in field:
        return field["enum"][0]
    if field["type"] == "object":
        return {name: _value(field["properties"][name], schema) for name in field.get("required", [])}
    if field["type"] == "array":
        return [_value(field["items"], schema)]
    words = BY_FORMAT.get(field.get("format", ""), "ABC" if "pattern" in field else "words")
    return {"string": words, "boolean": True, "integer": field.get("minimum", 1), "number": 1.5}[field["type"]]


def spoilt_payloads(kind: ReferralKind) -> Iterator[tuple[str, dict[str, Any]]]:
    """Returns payloads with one wrong field each, with the name of the field."""
    good, model = full_payload(kind), OUTCOMES[kind].payload
    for name in good:
        yield name, {**good, name: {"not": ["what", "belongs", "here"]}}
    for name in model.DONE:
        yield name, {**good, name: FUTURE}
