"""Codes as words: every enumeration value that people see has one, and no code is shown as it is stored."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from domain.kernel import labels, vocabulary
from domain.kernel.labels import LABELS, REQUIREMENTS, label, requirement, words
from domain.kernel.vocabulary import HoldType, ReferralKind, Stage
from domain.stages.remedies import COMMANDS_FOR

ENUMERATIONS = [each for each in vars(vocabulary).values() if isinstance(each, type) and issubclass(each, StrEnum)]


@pytest.mark.parametrize("enumeration", [each for each in ENUMERATIONS if each is not StrEnum])
def test_every_member_of_an_enumeration_has_words(enumeration: type[StrEnum]) -> None:
    for member in enumeration:
        text = label(member)
        assert text == text.strip()
        assert not re.search(r"[A-Z]+_|_", text), member


def test_labels_belong_to_members_of_their_enumeration() -> None:
    for enumeration, members in LABELS.items():
        assert all(isinstance(member, enumeration) for member in members)


def test_one_code_has_the_words_of_its_enumeration() -> None:
    assert label(Stage.MEDICAL) == "medical clearance"
    assert label(HoldType.MEDICAL) == "medical"
    assert label(ReferralKind.MHPSS) == "mental health and psychosocial support"


@pytest.mark.parametrize("code", COMMANDS_FOR)
def test_every_requirement_that_staff_can_meet_has_words(code: str) -> None:
    subject = code.partition(".")[2]
    assert code in REQUIREMENTS or subject in vocabulary.ClearanceKind.__members__ or subject == "BOARDING"
    assert requirement(code).replace("-", "").replace(" ", "").isalpha()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("CLINIC.MEDICAL_ASSESSMENT", "medical assessment"),
        ("PARTNER.MHPSS", "mental health and psychosocial support"),
        ("HOLD.CONTACT_LOST", "loss of contact hold"),
        ("STAFF", "IOM staff"),
        ("STAFF.COUNSELLOR", "counsellor"),
        ("", ""),
    ],
)
def test_a_requirement_of_a_case_and_of_the_list_of_cases_reads_as_words(code: str, text: str) -> None:
    assert requirement(code) == text


def test_a_code_without_a_label_reads_in_lower_case_and_keeps_abbreviations() -> None:
    assert words("NO_ANSWER") == "no answer"
    assert words("AAP_OFFICER") == "AAP officer"
    assert labels.words("UNHCR") == "UNHCR"
