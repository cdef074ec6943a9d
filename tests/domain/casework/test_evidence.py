"""Signals recorded on behalf of a partner, and what is public about an attached file."""

from __future__ import annotations

import pytest

from domain.kernel.sentences import ERASED
from tests.support.assertions import neutral, redacted
from tests.support.builders import AMINATA, a_closed_case, a_screened_case
from tests.support.journeys import A_SCAN

SHEET = "9d4f8a52-1111-4222-8333-444455556666"


def test_what_staff_put_in_names_them_and_the_partner_who_said_it() -> None:
    scenario = a_screened_case()
    scenario.partner_says("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED", by="staff:fatima", sheet_id=SHEET)
    said = scenario.named("SignalRecordedOnBehalf")[-1].say()
    assert said == f"Signal recorded by fatima on behalf of embassy-nga, from sheet {SHEET}."
    assert scenario.named("NationalityConfirmed")[-1].say() == "Nationality confirmed by embassy-nga."


def test_what_a_partner_signed_itself_was_put_in_by_nobody_whatever_it_says() -> None:
    scenario = a_screened_case()
    scenario.partner_says("CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED", sheet_id=SHEET)
    assert "SignalRecordedOnBehalf" not in scenario.names


@pytest.mark.parametrize("signal", ["WITHDRAWAL_REPORTED", "CONCERN_REPORTED", "ACCEPTED", "REJECTED"])
def test_every_signal_that_is_put_in_by_hand_says_so(signal: str) -> None:
    scenario = a_screened_case()
    scenario.partner_says("MEDICAL_ASSESSMENT", signal, by="staff:fatima")
    assert len(scenario.named("SignalRecordedOnBehalf")) == 1


def test_a_late_signal_that_is_put_in_by_hand_says_so_too() -> None:
    scenario = a_closed_case()
    scenario.partner_says("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", by="staff:fatima")
    assert [event.name for event in scenario.events[-2:]] == ["SignalRecordedOnBehalf", "LateSignalRecorded"]


@pytest.mark.parametrize("compartment", ["GEN", "MED", "PROT"])
def test_of_a_file_only_the_digest_of_its_sealed_bytes_is_public(compartment: str) -> None:
    attached = a_screened_case().send("AttachEvidence", **A_SCAN, compartment=compartment)[0]
    public = neutral(attached)
    assert A_SCAN["file_hash"] in public
    assert not any(str(A_SCAN[name]) in public for name in ("content_hash", "file_name", "note", "media_type", "size"))
    assert attached.say() == "Evidence attached: Okafor, Aminata.pdf (signed by the consul)."
    assert redacted(attached).say() == f"Evidence attached: {ERASED}."


def test_two_names_of_different_length_are_sealed_at_the_same_length() -> None:
    scenario = a_screened_case()
    one, other = (
        scenario.send("AttachEvidence", **{**A_SCAN, "file_name": name})[0].facts["about"]["name"]
        for name in ("a.pdf", "b" * 120)
    )
    assert len(one) == len(other)


def test_a_file_may_be_attached_after_the_case_is_closed() -> None:
    assert a_closed_case().send("AttachEvidence", **A_SCAN)[0].name == "EvidenceAttached"


@pytest.mark.parametrize(
    "written", ["Zoé  Amina", "ZOE\u0301 AMINA", "zoé amina", "\u200fZoé Amina\u200f", "Amina", " zoé "]
)
def test_a_name_is_the_same_however_its_letters_are_composed_and_spaced(written: str) -> None:
    scenario = a_screened_case()
    scenario.case.person = AMINATA.model_copy(update={"given_names": "Zoé \u200e Amina"})
    check = {"given_name": written, "year_of_birth": 1996}
    scenario.partner_says("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", subject_check=check)
    assert "PartnerSignalQuarantined" not in scenario.names


def test_another_name_is_another_name() -> None:
    scenario = a_screened_case()
    scenario.partner_says(
        "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", subject_check={"given_name": "Musa"}
    )
    assert "PartnerSignalQuarantined" in scenario.names
