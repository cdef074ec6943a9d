"""Validation errors are written for people: field, rule, value, and never the words of the validation library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel

from domain.kernel.message import MESSAGES, Message
from gateway.intake.validation import (
    FORMATS,
    HANDLED,
    OTHER_RULE,
    FieldError,
    field_errors,
    one_of,
    schema_errors,
    sentence,
)


def messages_of(name: str, **fields: object) -> dict[str, str]:
    """Returns the error messages for a message, by pointer."""
    model = HANDLED[name]
    return {error.pointer: error.message for error in field_errors(name, fields, to=model.TO, sender=model.FROM)}


@pytest.mark.parametrize(
    ("name", "pointer", "message"),
    [
        ("RecordNonRefoulementScreen", "/outcome", "Outcome is required: one of NO_CLAIM, CLAIM or UNSURE"),
        ("RecordVulnerabilityAssessment", "/overall_risk", "Overall risk is required: one of HIGH, MEDIUM or LOW"),
        ("AssessVoluntariness", "/in_private", "In private is required: true or false"),
        (
            "RecordTravelDocument",
            "/expires_on",
            "Expires on is required: a date in the form YYYY-MM-DD, for example 2026-11-23",
        ),
        (
            "AllocateFunding",
            "/until",
            "Until is required: a date and time with a time zone, for example 2026-11-23T08:00:00Z",
        ),
        ("RegisterCase", "/person", "Person is required: an object"),
    ],
)
def test_a_missing_field_is_named_with_what_it_must_hold(name: str, pointer: str, message: str) -> None:
    assert messages_of(name)[pointer] == message


@pytest.mark.parametrize("name", sorted(HANDLED))
def test_an_empty_message_gets_one_error_for_each_required_field(name: str) -> None:
    required = {f"/{field}" for field, about in HANDLED[name].model_fields.items() if about.is_required()}
    assert messages_of(name).keys() == required
    assert all(" is required" in message for message in messages_of(name).values())


def test_an_unknown_field_is_answered_with_the_known_fields() -> None:
    assert messages_of("AddNote", note="x", notes="y") == {"/notes": "There is no field notes; the fields are note"}


CALL: Final = {"phone": "+218912345678", "language": "ha", "channel": "PAGE"}

SENTENCES: Final[list[tuple[str, dict[str, Any], str]]] = [
    (
        "RequestContact",
        {**CALL, "phone": "091 000 0001"},
        "Phone must be in international format, for example +218912345678 (you entered 091 000 0001).",
    ),
    (
        "RequestContact",
        {**CALL, "language": "Hausa"},
        "Language must be a language code of two or three small letters (ISO 639), for example ha (you entered Hausa).",
    ),
    (
        "RequestContact",
        {**CALL, "channel": "PIGEON"},
        "Channel must be one of PAGE, HOTLINE, OFFICE or PARTNER (you entered PIGEON).",
    ),
    ("AddNote", {"note": ""}, "Note must not be empty."),
    ("AddNote", {"note": None}, "Note must be text."),
    ("AddNote", {"note": True}, "Note must be text (you entered true)."),
    ("AddNote", {"note": "x" * 2001}, "Note may have at most 2000 characters and has 2001."),
    (
        "PlanMovement",
        {
            "number": "MOV-2026-1214-MJI",
            "origin": "Tripoli",
            "destination": "LOS",
            "std": "2026-12-14T09:00:00",
            "sta": "2026-12-14T14:00:00Z",
            "capacity": 0,
        },
        (
            "Origin must be a three-letter airport code (IATA), for example LOS (you entered Tripoli). "
            "Std must be a date and time with a time zone, for example 2026-11-23T08:00:00Z"
            " (you entered 2026-12-14T09:00:00). "
            "Capacity must be 1 or more (you entered 0)."
        ),
    ),
    (
        "ChangeNationality",
        {"nationality": "Nigeria"},
        "Nationality must be a three-letter country code (ISO 3166-1), for example NGA (you entered Nigeria).",
    ),
    ("ReportHandedOver", {"referral_id": "r-1", "how": "PAPER"}, (
        "Referral id must be an identifier (UUID), for example 3b6f1c1e-7c1f-4a52-9a51-0d9c6f1e2a77 (you entered r-1)."
    )),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "text"), SENTENCES)
def test_an_error_names_field_rule_and_value(name: str, fields: dict[str, Any], text: str) -> None:
    assert sentence(schema_errors(MESSAGES[name], fields), values=True) == text


def test_a_text_for_a_log_repeats_nothing_of_what_was_sent() -> None:
    errors = schema_errors(MESSAGES["RequestContact"], {**CALL, "phone": "091 000 0001"})

    assert sentence(errors) == "Phone must be in international format, for example +218912345678."


# Every field of every message

BAD_VALUES: Final[list[Any]] = [
    None, True, 7, -3.5, 10**30, "", "x", "é !", "x" * 5000, "ZZ", "2026-02-30", "2026-13-01T00:00:00Z",
    "2026-11-23T08:00:00", [], [7], ["x"], [None], [{}], [[]], {}, {"colour": 1}, {"colour": {}},
]  # fmt: skip
"""Wrong types, wrong forms, wrong codes, too long, too short, empty, nested."""

FORBIDDEN: Final = re.compile(
    r"""
    \b(True|False|None|NoneType|NaN)\b      # constants of the language
    | \b(str|int|float|bool|dict|tuple|list\[|set|frozenset|datetime|UUID\ object|bytes|enum|literal)\b
    | [a-z]+_(type|parsing|error|mismatch|invalid|forbidden|short|long|aware|expected)\b   # error codes
    | \[[A-Za-z0-9_^\\-]+\] | [\^$\\{}]     # parts of a regular expression
    | Input\ should | \bvalid\ (string|integer|boolean|date|dictionary) | after\ validation | Extra\ inputs
    """,
    re.VERBOSE,
)


def of_each_field(model: type[Message]) -> Iterator[tuple[dict[str, Any], FieldError]]:
    """Yields every error that a bad value brings about, alone in its field, and inside the objects the field holds."""
    samples: list[dict[str, Any]] = [{"unknown_field": "y"}, {}]
    for name, field in model.model_fields.items():
        samples += [{name: value} for value in BAD_VALUES]
        for inner in models_in(field.annotation):
            for part in inner.model_fields:
                nested = [{part: value} for value in BAD_VALUES]
                samples += [{name: value} for value in nested] + [{name: [value]} for value in nested]
    for fields in samples:
        for error in schema_errors(model, fields):
            yield fields, error


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_no_field_of_any_message_is_answered_in_the_words_of_the_library(name: str) -> None:
    found = list(of_each_field(MESSAGES[name]))

    assert found, "an unknown field is an error in every message"
    for fields, error in found:
        text = error.with_value()
        sent = error.value if isinstance(error.value, str) else json.dumps(error.value)
        own = text.replace(f"(you entered {sent})", "").partition("; the fields are ")[0]
        assert not FORBIDDEN.search(own), (fields, error)
        assert OTHER_RULE not in text, f"{error.code} needs a sentence in RULES or FORMATS: {fields}"
        assert text[0].isupper(), text


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from patterns(part)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_pattern_of_a_published_schema_has_a_description(name: str) -> None:
    for pattern in patterns(MESSAGES[name].model_json_schema()):
        assert pattern in FORMATS or re.fullmatch(r"\^\([A-Z_|]+\)\$", pattern), pattern


def test_the_forbidden_words_are_found_where_they_are() -> None:
    for text in (
        "String should match pattern '^[A-Z]{3}$'",
        "Input should be a valid string",
        "Phone is a string_type",
        "Note must be a str",
        "you entered True",
        "Field must be a datetime",
    ):
        assert FORBIDDEN.search(text), text


def test_alternatives_are_listed_as_people_list_them() -> None:
    assert [one_of(["A"]), one_of(["A", "B"]), one_of(["A", "B", "C"])] == ["A", "one of A or B", "one of A, B or C"]
    assert json.dumps(FieldError("/a", "b", "c").json()) == '{"pointer": "/a", "code": "b", "message": "c"}'
