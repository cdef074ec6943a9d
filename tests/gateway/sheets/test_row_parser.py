"""Rows as people fill them in: what is read, what is reported, and that no input causes an unexpected error."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.names import COUNTRIES, DOCUMENT_NAMES, LANGUAGE_NAMES, Translation, country_name, language_name
from domain.kernel.places import ALPHA2
from domain.kernel.vocabulary import ReferralKind, SignalType
from domain.referral.sheets import CELLS, LISTED_KINDS, SHEET_OUTCOMES, SHEETS, STATEMENT_COLUMNS, SheetKind, parse_code
from gateway.intake.validation import schema_errors
from gateway.sheets.rendering import as_html
from gateway.sheets.row_parser import RowContext, RowStatement, clean, form, read_row, safe, unsafe
from gateway.sheets.translations import COLUMNS, HEADINGS, LANGUAGES, REFUSALS, REQUESTS, RESULTS
from gateway.tabular.files import RowError, TableRow, UnusableFileError, read_bytes
from gateway.tabular.normalization import NATIONALITIES, known, known_by
from tools import sample_sheets

TODAY = date(2026, 11, 23)

ISSUED = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)

TRIPOLI = timezone(timedelta(hours=2))

IDENTITY, PAPER, EXAMINED, FIT, EXIT, MET, CHILD = (
    ReferralKind.CONSULAR_IDENTITY, ReferralKind.TRAVEL_DOCUMENT, ReferralKind.MEDICAL_ASSESSMENT,
    ReferralKind.FIT_TO_TRAVEL, ReferralKind.EXIT_PERMIT, ReferralKind.RECEPTION, ReferralKind.CHILD_HANDOVER,
)  # fmt: skip

MADE_UP = {"signal_id": "9d4f8a52-1111-4222-8333-444455556666", "referral_token": "t" * 20, "partner_id": "p"}


def read(kind: ReferralKind, **cells: str) -> tuple[list[RowStatement], list[RowError]]:
    """Reads a row with these cells. In column names, underscores stand for spaces."""
    line = TableRow(7, {name if name in HEADINGS else name.replace("_", " "): text for name, text in cells.items()})
    return read_row(line, {}, RowContext(kind, ISSUED, TODAY, TRIPOLI))


def the_fields(kind: ReferralKind, **cells: str) -> dict[str, Any]:
    (statement,), errors = read(kind, **cells)
    assert not errors, errors
    assert schema_errors(ReceivePartnerSignal, {**statement.fields, **MADE_UP}) == []
    return dict(statement.fields)


def the_error(kind: ReferralKind, **cells: str) -> RowError:
    _, (error,) = read(kind, **cells)
    assert error.row == 7
    assert error.problem
    assert error.todo
    return error


# Texts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(LISTED_KINDS))
def test_every_printed_result_is_accepted_in_a_returned_sheet(kind: ReferralKind, language: Any) -> None:
    answers = SHEET_OUTCOMES[kind]
    spellings = known_by(RESULTS, [each.code for each in answers.outcomes])
    for outcome in answers.outcomes:
        assert known(spellings, RESULTS[outcome.code].in_(language)) == outcome.code
        assert known(spellings, outcome.code) == outcome.code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_printed_heading_is_accepted_in_a_returned_sheet(language: Any) -> None:
    assert {column: known(COLUMNS, words.in_(language)) for column, words in HEADINGS.items()} == {
        column: column for column in HEADINGS
    }


@pytest.mark.parametrize("words", [HEADINGS, RESULTS, REQUESTS, REFUSALS, COUNTRIES, LANGUAGE_NAMES, DOCUMENT_NAMES])
def test_every_text_has_three_languages(words: dict[str, Translation]) -> None:
    assert [name for name, each in words.items() if not all((each.en, each.fr, each.ar))] == []


@pytest.mark.parametrize("kind", list(SheetKind))
def test_every_column_of_every_sheet_has_a_heading(kind: SheetKind) -> None:
    assert {*SHEETS[kind].shows, *SHEETS[kind].returns} <= set(HEADINGS)


# The result of the partner


def test_a_confirmed_nationality() -> None:
    fields = the_fields(IDENTITY, result="nationality confirmed", date="22/11/2026", given_names="Aminata")
    assert fields == {
        "signal_type": "COMPLETED",
        "outcome_code": "NATIONALITY_CONFIRMED",
        "occurred_at": "2026-11-22T00:00:00+02:00",
        "payload": {"interviewed_on": "2026-11-22"},
        "subject_check": {"given_name": "Aminata"},
    }


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-11-22", "2026-11-22"), ("22/11/2026", "2026-11-22"), ("22.11.2026", "2026-11-22"),
        ("22-11-2026", "2026-11-22"), ("٢٢/١١/٢٠٢٦", "2026-11-22"), ("٢٠٢٦-١١-٢٢", "2026-11-22"), ("۲۲/۱۱/۲۰۲۶", "2026-11-22"),
        (" 22 / 11 / 2026 ".replace(" / ", "/"), "2026-11-22"), ("2026-11-22 00:00:00", "2026-11-22"),
        ("2026-11-22 14:30", "2026-11-22T14:30:00+02:00"), ("22/11/2026 9h05", "2026-11-22T09:05:00+02:00"),
        ("٢٢/١١/٢٠٢٦ ٠٩:٠٥", "2026-11-22T09:05:00+02:00"), ("2026-11-22T14:30:59", "2026-11-22T14:30:00+02:00"),
    ],
)  # fmt: skip
def test_a_date_is_read_in_the_usual_formats(written: str, day: str) -> None:
    assert the_fields(EXAMINED, result="NO_SIGNIFICANT_CONDITION", date=written)["payload"]["examined_at"] == day


@pytest.mark.parametrize(
    "written", ["31/02/2026", "22/11/26", "24/11/2026", "yesterday", "11/22/2026", "2026-11-22 25:00"]
)
def test_a_permissive_result_with_an_invalid_date_is_not_accepted(written: str) -> None:
    statements, errors = read(EXAMINED, result="NO_SIGNIFICANT_CONDITION", date=written)
    assert statements == []
    assert {each.column for each in errors} == {"date"}
    assert errors[0].value == written


def test_a_document_may_be_valid_until_a_future_day() -> None:
    fields = the_fields(
        PAPER,
        result="Issued",
        document_kind="LP",
        document_number="A 17/4",
        issued_on="2026-11-01",
        expires_on="01/02/2027",
    )
    assert fields["payload"] == {
        "kind": "LAISSEZ_PASSER", "number": "A 17/4", "issued_on": "2026-11-01", "expires_on": "2027-02-01",
    }  # fmt: skip


def test_an_exit_permit_with_all_of_its_cells() -> None:
    fields = the_fields(
        EXIT, result="تمت الموافقة", permit_number="X-٧", list_number="L2", airport="معيتيقة", expires_on="2027-01-05"
    )
    assert fields["payload"] == {"permit_number": "X-7", "list_no": "L2", "airport": "MJI", "expires_on": "2027-01-05"}


def test_a_reception_with_the_assistance_that_was_provided() -> None:
    fields = the_fields(MET, result="Accueilli", date="2026-11-22", cash_in_EUR="65 €", nights="٣", transport="bus")
    assert fields["payload"] == {"met_at": "2026-11-22", "cash_eur": 65, "shelter_nights": 3, "onward_transport": "bus"}


@pytest.mark.parametrize(
    ("kind", "result", "signal", "code"),
    [
        (IDENTITY, "VERIFICATION_IN_CAPITAL", "PROGRESS", "VERIFICATION_IN_CAPITAL"),
        (PAPER, "REQUIRES_ITINERARY", "PROGRESS", "REQUIRES_ITINERARY"),
        (PAPER, "FEE_REQUIRED", "PAUSED", "FEE_REQUIRED"),
        (EXIT, "MORE_INFO", "PAUSED", "MORE_INFO"),
        (MET, "CONFIRMED", "ACCEPTED", "CONFIRMED"),
        (MET, "CANNOT_RECEIVE", "REJECTED", "CANNOT_RECEIVE"),
        (IDENTITY, "Accepted, not yet completed", "ACCEPTED", None),
        (EXAMINED, "Not possible", "REJECTED", None),
    ],
)
def test_a_result_becomes_the_right_signal(kind: ReferralKind, result: str, signal: str, code: str | None) -> None:
    fields = the_fields(kind, result=result)
    assert (fields["signal_type"], fields.get("outcome_code")) == (signal, code)


def test_a_result_without_a_date_has_the_date_of_the_sheet_so_that_a_repetition_is_the_same() -> None:
    assert the_fields(IDENTITY, result="NOT_CONFIRMED")["occurred_at"] == ISSUED.isoformat()


# Permissive and restrictive results


@pytest.mark.parametrize(
    ("kind", "result", "missing"),
    [
        (PAPER, "ISSUED", {"document kind", "document number"}),
        (EXAMINED, "NO_SIGNIFICANT_CONDITION", {"date"}),
        (FIT, "FIT", {"date"}),
        (FIT, "FIT_WITH_CONDITIONS", {"date", "note"}),
        (EXIT, "GRANTED", {"permit number"}),
        (CHILD, "HANDED_OVER", {"date", "identity checked"}),
    ],
)
def test_an_incomplete_permissive_result_is_not_accepted(kind: ReferralKind, result: str, missing: set[str]) -> None:
    statements, errors = read(kind, result=result)
    assert statements == []
    assert {each.column for each in errors} == missing


def test_a_child_is_not_handed_over_to_a_caregiver_whose_identity_was_not_checked() -> None:
    statements, (error,) = read(CHILD, result="HANDED_OVER", date="2026-11-22", identity_checked="no")
    assert (statements, error.column) == ([], "identity checked")
    assert the_fields(CHILD, result="HANDED_OVER", date="2026-11-22", identity_checked="oui")["payload"]["id_checked"]


@pytest.mark.parametrize("kind", sorted(LISTED_KINDS))
def test_a_restrictive_result_is_accepted_whatever_is_illegible_beside_it(kind: ReferralKind) -> None:
    rubbish = dict.fromkeys((*CELLS, "note"), "§§")
    for outcome in SHEET_OUTCOMES[kind].outcomes:
        statements, _ = read_row(
            TableRow(7, {**rubbish, "result": outcome.code}, ("shifted",)), {}, RowContext(kind, ISSUED, TODAY, TRIPOLI)
        )
        assert bool(statements) is not outcome.permits, outcome.code


def test_a_shifted_row_permits_nothing() -> None:
    line = TableRow(7, {"result": "NATIONALITY_CONFIRMED"}, ("one too many",))
    statements, (error,) = read_row(line, {}, RowContext(IDENTITY, ISSUED, TODAY, TRIPOLI))
    assert statements == []
    assert "more cells" in error.problem


def test_a_word_that_is_not_a_result_of_this_row_is_reported_with_the_possible_results() -> None:
    error = the_error(IDENTITY, result="FIT")
    assert error.value == "FIT"
    assert "Nationality confirmed" in error.todo


def test_a_row_without_a_result_but_with_values_is_reported() -> None:
    assert the_error(PAPER, document_number="LP-1").column == "document number"
    assert the_error(IDENTITY, note="came without papers").column == "note"


def test_a_value_that_was_not_requested_is_reported_and_does_not_stop_the_result() -> None:
    (statement,), (error,) = read(IDENTITY, result="NATIONALITY_CONFIRMED", document_number="LP-1")
    assert statement.fields["outcome_code"] == "NATIONALITY_CONFIRMED"
    assert error.column == "document number"
    assert "not recorded" in error.problem


@pytest.mark.parametrize("empty", ["", "-", "—", "?", "n/a", "inconnu", "غير معروف", "  "])
def test_an_empty_row_has_no_statement(empty: str) -> None:
    assert read(IDENTITY, result=empty, given_names="Aminata") == ([], [])


# Statements of the person


@pytest.mark.parametrize("column", STATEMENT_COLUMNS)
@pytest.mark.parametrize("written", ["", "no", "Non", "لا", "-", "0", "rien", "N", "لا يوجد"])
def test_only_a_clear_no_means_that_there_is_no_statement(column: str, written: str) -> None:
    assert read(IDENTITY, **{column: written}) == ([], [])


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("yes", None), ("x", None), ("✓", None), ("نعم", None), ("OUI", None), ("TRUE", None),
        ("refused", "refused"), ("?", "?"), ("unknown", "unknown"), ("no longer wants to go", "no longer wants to go"),
        ("said he is not sure", "said he is not sure"), ("=1+1", "=1+1"),
    ],
)  # fmt: skip
def test_any_other_text_is_a_statement_of_the_person(written: str, reason: str | None) -> None:
    fields = the_fields(IDENTITY, withdrawal=written)
    assert (fields["signal_type"], fields.get("reason")) == (SignalType.WITHDRAWAL_REPORTED, reason)


def test_a_statement_longer_than_a_reason_is_kept_in_full() -> None:
    long = "she is afraid " * 300
    fields = the_fields(IDENTITY, concern=long)
    assert len(fields["reason"]) == 2000
    assert fields["payload"]["text"] == clean(long)


def test_the_persons_statement_comes_before_the_result() -> None:
    statements, _ = read(IDENTITY, result="NATIONALITY_CONFIRMED", withdrawal="yes", concern="her brother")
    assert [each.part for each in statements] == ["withdrawal", "concern", "result"]


# The person in the row


@pytest.mark.parametrize(
    ("given", "born", "check"),
    [
        ("Aminata", "1996-04-02", {"given_name": "Aminata", "year_of_birth": 1996}),
        ("Aminata", "~1996", {"given_name": "Aminata", "year_of_birth": 1996}),
        ("Aminata", "١٩٩٦", {"given_name": "Aminata", "year_of_birth": 1996}),
        ("Aminata", "?", {"given_name": "Aminata"}),
        ("", "1996-04-02", None),
        ("x" * 121, "1996-04-02", None),
    ],
)
def test_the_name_in_the_row_is_submitted_with_the_statement(
    given: str, born: str, check: dict[str, Any] | None
) -> None:
    fields = the_fields(IDENTITY, result="NOT_CONFIRMED", given_names=given, date_of_birth=born)
    assert fields.get("subject_check") == check


# Formulas


@given(st.text())
def test_an_escaped_text_never_begins_a_formula_and_is_read_back_unchanged(text: str) -> None:
    assert not safe(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unsafe(safe(text)) == text or text.startswith("'")


# Arbitrary input

TEXTS = st.one_of(
    st.text(), st.sampled_from(["yes", "no", "1", "2026-11-22", "REFUSED", "FIT", "=1", "'=1", "\x00", "\ud800", "٠"])
)

ROWS = st.dictionaries(st.sampled_from(list(HEADINGS)), TEXTS)


@given(cells=ROWS, kind=st.sampled_from(sorted(LISTED_KINDS)), result=st.sampled_from(["", *RESULTS]))
def test_any_row_is_read_or_reported(cells: dict[str, str], kind: ReferralKind, result: str) -> None:
    line = TableRow(7, {**cells, **({"result": result} if result else {})})
    statements, errors = read_row(line, {}, RowContext(kind, ISSUED, TODAY, TRIPOLI))
    assert all(each.problem and each.todo for each in errors)
    for each in statements:
        assert schema_errors(ReceivePartnerSignal, {**each.fields, **MADE_UP}) == []
        assert each.part in ("result", "withdrawal", "concern")
    again, _ = read_row(line, {}, RowContext(kind, ISSUED, TODAY + timedelta(days=3), TRIPOLI))
    assert [each for each in again if each.part != "result"] == [each for each in statements if each.part != "result"]


@given(raw=st.binary(max_size=2000), name=st.sampled_from(["sheet.csv", "sheet.xlsx", "sheet.json"]))
def test_any_file_is_read_or_refused(raw: bytes, name: str) -> None:
    with contextlib.suppress(UnusableFileError):
        assert read_bytes(name, raw, form(100)).headings


# The samples


@pytest.mark.parametrize("kind", list(SheetKind))
def test_the_returned_sample_is_read_without_errors(kind: SheetKind) -> None:
    raw = (sample_sheets.FOLDER / f"{kind}-filled.csv").read_bytes()
    listing = read_bytes("sample.csv", raw, form(10))
    kinds = {sample_sheets.code_of(kind, at): what for at, (what, _) in enumerate(sample_sheets.SAMPLES[kind][3])}
    for line in listing.lines:
        code = parse_code(line.cells["row code"])
        assert code is not None
        context = RowContext(kinds[code], ISSUED, date(2026, 12, 20), TRIPOLI)
        statements, errors = read_row(line, listing.headings, context)
        assert errors == []
        assert bool(statements) is any(line.cells[column] for column in ("result", *STATEMENT_COLUMNS))


@pytest.mark.parametrize("kind", list(SheetKind))
def test_the_samples_are_what_sheets_look_like_now(kind: SheetKind) -> None:
    again = "run python -m tools.sample_sheets and commit the files"
    assert (sample_sheets.FOLDER / f"{kind}.html").read_bytes() == as_html(sample_sheets.page(kind)), again
    assert (sample_sheets.FOLDER / f"{kind}-filled.csv").read_bytes() == sample_sheets.filled(kind), again


# Names instead of codes


def test_a_sheet_shows_countries_and_languages_by_name() -> None:
    page = sample_sheets.page(SheetKind.RECEPTION_DESK)
    cells = [dict(zip(page.given, page.cells(row), strict=True)) for row in page.rows]
    assert (cells[0]["nationality"], cells[0]["languages"]) == ("Burkina Faso", "Mooré, French")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_of_a_country_is_read_as_that_country(language: str) -> None:
    assert {code: known(NATIONALITIES, country_name(code, language)) for code in ALPHA2} == {
        code: code for code in ALPHA2
    }


def test_a_code_without_a_name_is_shown_as_it_is() -> None:
    assert (country_name("XXX", "fr"), language_name("xx", "ar")) == ("XXX", "xx")


@pytest.mark.parametrize("old", ["Cannot do it", "Accepted, not done yet", "Accepté, pas encore fait"])
def test_a_result_that_was_printed_on_earlier_sheets_is_still_accepted(old: str) -> None:
    assert read(EXAMINED, result=old)[1] == []
