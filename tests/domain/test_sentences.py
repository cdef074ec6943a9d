"""Sentences of events: words instead of codes, names of countries and languages, dates as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest

from domain.kernel.event import REGISTRY
from domain.kernel.sentences import ERASED, code_in_words, sentence
from domain.kernel.vocabulary import HoldType, ReferralKind
from tests.support.assertions import redacted
from tests.support.journeys import everything

CODE_SHOWN = re.compile(r"\b[A-Z]+_[A-Z_]+\b|\bstaff:|\b(True|False|None)\b")


def test_no_sentence_of_the_journeys_shows_a_code() -> None:
    for event in everything():
        for shown in (event.say(), redacted(event).say()):
            assert not CODE_SHOWN.search(shown), shown


def test_every_sentence_begins_with_a_capital_letter() -> None:
    assert [event.say() for event in everything() if not event.say()[0].isupper()] == []


@pytest.mark.parametrize("topic", sorted(REGISTRY))
def test_every_template_shows_its_fields_in_a_known_way(topic: str) -> None:
    template = REGISTRY[topic].SENTENCE
    assert set(re.findall(r"\{\w+:(\w+)\}", template)) <= {"words", "field", "country", "language", "actor"}
    assert "!" not in template


@pytest.mark.parametrize(
    ("template", "value", "text"),
    [
        ("{value}", ReferralKind.MHPSS, "Mental health and psychosocial support"),
        ("{value}", True, "Yes"),
        ("{value}", datetime(2026, 12, 14, 9, 0, tzinfo=UTC), "14 December 2026 09:00 UTC"),
        ("{value}", date(2027, 1, 5), "05 January 2027"),
        ("{value}", (), "None"),
        ("in private: {value}", False, "In private: no"),
        ("erased: {value}", None, f"Erased: {ERASED}"),
        ("holds: {value}", (HoldType.CHILD, HoldType.SAFETY), "Holds: child protection, safety of return"),
        ("{value:words}", "NO_ANSWER", "No answer"),
        ("{value:words}", "moved to Kano", "Moved to Kano"),
        ("{value:field}", ("date_of_birth", "sex"), "Date of birth, sex"),
        ("{value:country}", "NGA", "Nigeria"),
        ("{value:country}", "NG-LA", "Nigeria (NG-LA)"),
        ("{value:country}", "XX-9", "XX-9"),
        ("in {value:language}", "ha", "In Hausa"),
        ("by {value:actor}", "staff:fatima", "By fatima"),
    ],
)
def test_a_value_is_shown_as_people_write_it(template: str, value: object, text: str) -> None:
    assert sentence(template, {"value": value}) == text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("GATE.HOLD.CHILD", "child protection hold"),
        ("GATE.FIT_TO_TRAVEL.MISSING", "fit to travel: missing"),
        ("RULE_CRASHED", "processing error"),
        ("embassy-nga", "embassy-nga"),
    ],
)
def test_a_code_reads_as_words_and_other_text_is_unchanged(code: str, text: str) -> None:
    assert code_in_words(code) == text
