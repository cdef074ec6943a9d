"""What is wrong with a message is said so that its sender can mend it."""

from __future__ import annotations

import pytest

from gateway.intake.validation import TAKEN, field_errors


def said(name: str, **fields: object) -> dict[str, str]:
    """What is said about a message, by pointer."""
    model = TAKEN[name]
    return {flaw.pointer: flaw.message for flaw in field_errors(name, fields, to=model.TO, sender=model.FROM)}


@pytest.mark.parametrize(
    ("name", "pointer", "wanted"),
    [
        ("RecordNonRefoulementScreen", "/outcome", ": one of NO_CLAIM, CLAIM, UNSURE"),
        ("RecordVulnerabilityAssessment", "/overall_risk", ": one of HIGH, MEDIUM, LOW"),
        ("AssessVoluntariness", "/in_private", " (boolean)"),
        ("RecordTravelDocument", "/expires_on", " (date)"),
        ("AllocateFunding", "/until", " (date-time)"),
        ("RegisterCase", "/person", " (object)"),
    ],
)
def test_a_field_that_is_missing_says_what_it_wants(name: str, pointer: str, wanted: str) -> None:
    assert said(name)[pointer] == f"this field is required{wanted}"


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_an_empty_message_is_told_all_its_fields(name: str) -> None:
    required = {f"/{field}" for field, about in TAKEN[name].model_fields.items() if about.is_required()}
    assert said(name).keys() == required
    assert all(message.startswith("this field is required") for message in said(name).values())


def test_a_field_that_there_is_not_is_told_those_that_there_are() -> None:
    assert said("AddNote", note="x", notes="y") == {"/notes": "there is no such field; the fields are note"}
