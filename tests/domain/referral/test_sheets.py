"""Sheets: their rows and columns, the results to choose from, and what keeps a referral off every sheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel.directory import Directory, Partner
from domain.kernel.vocabulary import PUBLIC_KIND, STATEMENTS, ReferralKind, SignalType
from domain.referral import outcomes as answers
from domain.referral.disclosure import MAY_SEE, NOT_PERSONAL, RECIPIENT_OF, minimum_data
from domain.referral.sheets import (
    ALPHABET,
    CELLS,
    CODE_LENGTH,
    LISTED_KINDS,
    NOTE,
    PERMITS,
    SHEET_OUTCOMES,
    SHEETS,
    STATEMENT_COLUMNS,
    SheetKind,
    parse_code,
    printed_code,
    row_code,
)
from tests.support.builders import AMINATA, FLIGHT, CaseScenario, a_cleared_case, a_closed_case, a_screened_case
from tests.support.journeys import fear_at_screening

CATALOGUE = {
    "CONSULAR_IDENTITY": "NATIONALITY_CONFIRMED NOT_CONFIRMED VERIFICATION_IN_CAPITAL INTERVIEW_NO_SHOW"
    " REFUSED_TO_COOPERATE_PERSON EMBASSY_CLOSED",
    "TRAVEL_DOCUMENT": "ISSUED REFUSED REQUIRES_ITINERARY FEE_REQUIRED",
    "MEDICAL_ASSESSMENT": "NO_SIGNIFICANT_CONDITION SIGNIFICANT_CONDITION_STABLE TREATMENT_REQUIRED UNFIT_TEMPORARY"
    " UNFIT_LONG_TERM DECLINED_BY_PERSON",
    "FIT_TO_TRAVEL": "FIT FIT_WITH_CONDITIONS UNFIT_TEMPORARY UNFIT",
    "EXIT_PERMIT": "GRANTED REFUSED MORE_INFO",
    "RECEPTION": "CONFIRMED CONFIRMED_WITH_LIMITS CANNOT_RECEIVE RECEIVED NOT_ARRIVED REFUSED_ASSISTANCE",
    "MEDICAL_HANDOVER": "HANDED_OVER ADMITTED NO_SHOW",
    "CHILD_HANDOVER": "HANDED_OVER CAREGIVER_ABSENT",
}

CODES = st.text(ALPHABET, min_size=CODE_LENGTH - 1, max_size=CODE_LENGTH - 1).map(row_code)

A_SHEET = "9d4f8a52-1111-4222-8333-444455556666"

NATIVE = AMINATA.model_copy(update={"name_native_script": "أميناتا"})

ANYBODY = Directory({"anybody": Partner("anybody", frozenset(ReferralKind))})


def listed(scenario: CaseScenario, kind: str) -> list[str]:
    events = scenario.send("ListReferral", referral_id=scenario.referral(kind).referral_id, sheet_id=A_SHEET)
    return [event.name for event in events]


def why_not(scenario: CaseScenario, kind: str) -> str:
    return scenario.refused("ListReferral", referral_id=scenario.referral(kind).referral_id, sheet_id=A_SHEET).rule


# The tables


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_each_kind_offers_the_outcomes_of_the_catalogue(kind: str) -> None:
    carried = [each.outcome_code for each in SHEET_OUTCOMES[ReferralKind(kind)].outcomes if each.outcome_code]
    assert sorted(carried) == sorted(CATALOGUE[kind].split())


@pytest.mark.parametrize("kind", sorted(LISTED_KINDS))
def test_a_sheet_offers_only_outcomes_that_a_signal_may_have(kind: ReferralKind) -> None:
    assert set(SHEET_OUTCOMES[kind].cells.values()) <= set(answers.OUTCOMES[kind].payload.model_fields)
    assert set(PERMITS[kind]) <= {each.outcome_code for each in SHEET_OUTCOMES[kind].outcomes}


def test_only_listed_kinds_have_sheet_outcomes() -> None:
    assert LISTED_KINDS == set(SHEET_OUTCOMES) == {ReferralKind(kind) for kind in CATALOGUE}


def test_a_kind_whose_presence_would_reveal_something_is_on_no_sheet() -> None:
    assert not LISTED_KINDS & set(PUBLIC_KIND)


@pytest.mark.parametrize("kind", list(SheetKind))
def test_no_printed_column_is_forbidden_to_all_recipients_of_the_sheet(kind: SheetKind) -> None:
    seen = frozenset[str]().union(*(MAY_SEE[RECIPIENT_OF[kind_listed]] for kind_listed in SHEETS[kind].kinds))
    assert set(SHEETS[kind].shows) <= seen


@pytest.fixture(scope="module")
def known() -> CaseScenario:
    """A case with all data and a referral of every kind that sheets list."""
    scenario = a_cleared_case().having("NominatePassenger", **FLIGHT).having("TakeSeat", **FLIGHT, destination="LOS")
    scenario.case.person, scenario.directory = NATIVE, ANYBODY
    for kind in sorted(LISTED_KINDS):
        scenario.having("CreateReferral", kind=kind)
    return scenario


@pytest.mark.parametrize("kind", sorted(LISTED_KINDS))
def test_a_row_shows_what_its_own_recipient_may_see_and_no_more(known: CaseScenario, kind: ReferralKind) -> None:
    sheet = next(sheet for sheet in SHEETS.values() if kind in sheet.kinds)
    shown = {name for name in minimum_data(known.case, known.referral(kind)) if name in sheet.shows}
    assert shown == set(sheet.shows) & MAY_SEE[RECIPIENT_OF[kind]]


@pytest.mark.parametrize("kind", list(SheetKind))
def test_every_sheet_has_columns_for_statements_of_the_person(kind: SheetKind) -> None:
    assert {"withdrawal", "concern"} <= set(SHEETS[kind].returns)


def test_no_sheet_can_report_consent() -> None:
    assert set(STATEMENT_COLUMNS.values()) <= STATEMENTS - {SignalType.CONTACT_CHANGED}
    signals = {outcome.signal for answers in SHEET_OUTCOMES.values() for outcome in answers.outcomes}
    assert signals == {
        SignalType.COMPLETED, SignalType.PROGRESS, SignalType.PAUSED, SignalType.ACCEPTED, SignalType.REJECTED,
    }  # fmt: skip


@pytest.mark.parametrize("kind", sorted(LISTED_KINDS))
def test_the_cells_that_an_outcome_needs_are_columns_of_its_kind(kind: ReferralKind) -> None:
    answers = SHEET_OUTCOMES[kind]
    for outcome in answers.outcomes:
        assert outcome.needs <= {*answers.cells, NOTE}
        assert outcome.permits or not outcome.needs, "a restrictive outcome requires no further cells"
    assert set(answers.cells) <= set(CELLS)


# Row codes


@given(CODES)
def test_a_code_is_read_however_it_is_typed(code: str) -> None:
    for typed in (
        code,
        printed_code(code),
        printed_code(code).lower(),
        f"  {code[:4]} {code[4:]} ",
        code.replace("1", "l"),
    ):
        assert parse_code(typed) == code


@given(CODES, st.data())
def test_one_wrong_character_is_detected(code: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, CODE_LENGTH - 1))
    wrong = data.draw(st.sampled_from([sign for sign in ALPHABET if sign != code[place]]))
    assert parse_code(code[:place] + wrong + code[place + 1 :]) is None


@given(CODES, st.integers(0, CODE_LENGTH - 2))
def test_two_transposed_characters_are_detected(code: str, place: int) -> None:
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or parse_code(swapped) is None


@given(st.text())
def test_any_text_is_read_as_a_code_or_as_none(text: str) -> None:
    read = parse_code(text)
    assert read is None or row_code(read[:-1]) == read


# Which referrals are listed


def test_listing_is_recorded_with_its_disclosure_and_consent() -> None:
    scenario = a_screened_case()
    assert listed(scenario, "CONSULAR_IDENTITY") == ["ReferralListed", "DisclosureRecorded"]
    sent, again = scenario.named("DisclosureRecorded")[0], scenario.named("DisclosureRecorded")[-1]
    assert again.facts["recipient"] == "embassy-nga"
    assert again.facts["consent"] == "SHARE_EMBASSY"
    assert (
        set(again.facts["fields"])
        == set(minimum_data(scenario.case, scenario.referral("CONSULAR_IDENTITY"))) - NOT_PERSONAL
    )
    assert sent.facts["fields"]


def test_a_referral_without_consent_is_not_listed() -> None:
    scenario = a_screened_case().having("WithdrawConsent", purpose="SHARE_EMBASSY")
    assert why_not(scenario, "CONSULAR_IDENTITY") == "REFERRAL.NOT_SENT", (
        "the open referral ended, and the new draft waits"
    )
    other = a_screened_case().having("WithdrawConsent", purpose="SHARE_CLINIC")
    assert why_not(other, "MEDICAL_ASSESSMENT") == "REFERRAL.NOT_SENT"


def test_a_person_under_a_protection_hold_is_on_no_embassys_sheet_but_on_the_clinics() -> None:
    scenario = a_screened_case().having("PlaceHold", hold_type="PROTECTION", reason="family dispute")
    assert why_not(scenario, "CONSULAR_IDENTITY") == "REFERRAL.OVER", (
        "any such hold ends the open referrals to an embassy"
    )
    assert listed(scenario, "MEDICAL_ASSESSMENT") == ["ReferralListed", "DisclosureRecorded"]


def test_a_person_who_expressed_fear_is_omitted_for_the_same_reason_as_under_any_protection_hold() -> None:
    scenario = fear_at_screening()
    scenario.having("CreateReferral", kind="CONSULAR_IDENTITY")
    assert why_not(scenario, "CONSULAR_IDENTITY") == "REFERRAL.NOT_SENT"


def test_a_person_who_withdrew_is_listed_only_for_care() -> None:
    scenario = a_screened_case().having("WithdrawVoluntaryReturn", channel="PHONE")
    assert why_not(scenario, "CONSULAR_IDENTITY") in ("REFERRAL.OVER", "HOLD.CONSENT")
    assert listed(scenario, "MEDICAL_ASSESSMENT") == ["ReferralListed", "DisclosureRecorded"]


def test_a_completed_referral_is_not_listed_again() -> None:
    assert why_not(a_cleared_case(), "MEDICAL_ASSESSMENT") == "REFERRAL.OVER"


def test_a_closed_case_is_on_no_sheet() -> None:
    scenario = a_closed_case()
    assert scenario.refused("ListReferral", referral_id=A_SHEET, sheet_id=A_SHEET).rule == "INV-18"


def test_an_unknown_referral_is_rejected() -> None:
    assert a_screened_case().refused("ListReferral", referral_id=A_SHEET, sheet_id=A_SHEET).rule == "REFERRAL.UNKNOWN"


def test_a_kind_requested_by_separate_message_is_on_no_sheet() -> None:
    scenario = a_screened_case().having("RecordConsent", purpose="SHARE_PROTECTION", form_version="1", language="en")
    scenario.having("CreateReferral", kind="PROTECTION_ASSISTANCE")
    assert why_not(scenario, "PROTECTION_ASSISTANCE") == "REFERRAL.NOT_ON_SHEETS"
