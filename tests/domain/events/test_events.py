"""Every event has a permanent topic and a sentence, and can be read in all its stored versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from domain.events.case import CaseClosed
from domain.kernel.event import REGISTRY, Compartment, Event, EventDeclarationError, Sealed, sealed_fields
from domain.kernel.sentences import ERASED
from tests.support.assertions import redacted
from tests.support.builders import folded
from tests.support.journeys import CASES, everything

RECORDED = Path(__file__).parents[1] / "recorded"

SAMPLES = sorted(RECORDED.glob("*.json"))

TOPICS = sorted(REGISTRY)


def sample(path: Path) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def read(stored: dict[str, Any]) -> Event:
    kind = REGISTRY[stored["topic"]]
    kind.upcast(state := dict(stored["state"]), stored["version"])
    return kind.model_validate(state)


@pytest.mark.parametrize("topic", TOPICS)
def test_every_event_has_a_sample_of_its_version(topic: str) -> None:
    path = RECORDED / f"{topic.replace('/', '.')}.v{REGISTRY[topic].class_version}.json"
    assert path in SAMPLES, f"{topic} has no stored sample; run python -m tools.record_samples and keep what it writes"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_was_stored_is_read_and_says_the_same(path: Path) -> None:
    stored = sample(path)
    assert stored["topic"] in REGISTRY, f"{stored['topic']} was stored once and must stay readable"
    event = read(stored)
    assert (event.name, event.say()) == (stored["name"], stored["sentence"])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_nothing_that_was_stored_is_lost_by_reading_it(path: Path) -> None:
    stored = sample(path)
    if stored["version"] == REGISTRY[stored["topic"]].class_version:
        again = read(stored).model_dump(mode="json")
        assert {key: again[key] for key in stored["state"]} == stored["state"]


def test_every_event_of_the_journeys_says_itself() -> None:
    for event in everything():
        said = event.say()
        assert said.endswith(".") or event.TOPIC == "NoteAdded", said
        assert "{" not in said


def test_every_event_says_itself_also_after_its_keys_are_gone() -> None:
    for event in everything():
        said = redacted(event).say()
        assert said
        assert "None" not in said or "None" in event.say(), said


def test_what_was_erased_reads_as_erased() -> None:
    note = next(event for event in everything() if event.TOPIC == "NoteAdded")
    assert redacted(note).say() == f"Note: {ERASED}"


@pytest.mark.parametrize("topic", TOPICS)
def test_sealed_fields_may_be_missing(topic: str) -> None:
    kind = REGISTRY[topic]
    assert [name for name in sealed_fields(kind) if kind.model_fields[name].is_required()] == []


@pytest.mark.parametrize("journey", CASES)
def test_a_case_folds_again_from_its_stored_events_into_the_same_case(journey: str) -> None:
    scenario = CASES[journey]()
    stored = [type(event).model_validate_json(event.model_dump_json()) for event in scenario.events]
    assert folded(stored) == scenario.case


@pytest.mark.parametrize("kind", list(REGISTRY.values()), ids=lambda kind: kind.TOPIC)
def test_no_event_inherits_another_events_name(kind: type[Event]) -> None:
    assert kind.__subclasses__() == []


def test_a_name_is_given_once() -> None:
    with pytest.raises(EventDeclarationError, match="already belongs"):

        class Again(Event):
            TOPIC: ClassVar[str] = "CaseClosed"
            SENTENCE: ClassVar[str] = "Closed again."


def test_an_event_without_a_sentence_is_refused() -> None:
    with pytest.raises(EventDeclarationError, match="SENTENCE"):

        class Speechless(Event):
            TOPIC: ClassVar[str] = "Test/Speechless"


def test_a_named_event_has_no_heirs() -> None:
    with pytest.raises(EventDeclarationError, match="inherits"):

        class Heir(CaseClosed):
            TOPIC: ClassVar[str] = "Test/Heir"
            SENTENCE: ClassVar[str] = "Heir."


def test_a_sealed_field_that_must_be_given_is_refused() -> None:
    with pytest.raises(EventDeclarationError, match="must default to None"):

        class Stubborn(Event):
            TOPIC: ClassVar[str] = "Test/Stubborn"
            SENTENCE: ClassVar[str] = "Stubborn."

            secret: Annotated[str, Sealed(Compartment.PROT)] = "text"
