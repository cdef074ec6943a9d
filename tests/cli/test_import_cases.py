"""Registration lists as field offices keep them: how cells are read, and how errors are reported."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from cli.registration_list import SAMPLE, CheckedList, Choices, Defaults
from cli.registration_list import check_list as check_with
from cli.registration_vocabulary import COLUMNS
from gateway.tabular.cells import DateOrder
from gateway.tabular.headings import column_of
from gateway.tabular.model import RowError, UnusableFileError
from gateway.tabular.normalization import MISSING, folded

TODAY = date(2026, 11, 23)

NO_DEFAULTS = Defaults()

DAY_FIRST = Choices(DateOrder.DAY_FIRST)


def check_list(path: Path, today: date, defaults: Defaults = NO_DEFAULTS, choices: Choices = DAY_FIRST) -> CheckedList:
    """Checks a list. Most lists here have one row, so that their dates do not show their order."""
    return check_with(path, today, defaults, choices)


HEADINGS = "ref,family name,given names,native name,sex,date of birth,nationality,phone,office,channel,living,consent"

AMINATA = {
    "ref": "R-1",
    "family name": "Okafor",
    "given names": "Aminata",
    "sex": "F",
    "date of birth": "1996-04-02",
    "nationality": "NGA",
    "office": "Tripoli",
    "channel": "Walk-in",
    "consent": "yes",
}


def a_list(tmp_path: Path, *changes: dict[str, str]) -> Path:
    """Returns a CSV file with one row for each set of changes to the row of Aminata."""
    columns = HEADINGS.split(",")
    rows = [",".join(f'"{({**AMINATA, **change}).get(name, "")}"' for name in columns) for change in changes]
    file = tmp_path / "list.csv"
    file.write_text("\n".join([HEADINGS, *rows]), encoding="utf-8")
    return file


def the_fields(tmp_path: Path, **change: str) -> dict[str, Any]:
    found = check_list(a_list(tmp_path, {name.replace("_", " "): value for name, value in change.items()}), TODAY)
    assert not found.bad, found.bad
    return dict(found.good[0].fields)


def the_person(tmp_path: Path, **change: str) -> dict[str, Any]:
    person: dict[str, Any] = the_fields(tmp_path, **change)["person"]
    return person


def the_error(tmp_path: Path, **change: str) -> RowError:
    found = check_list(a_list(tmp_path, {name.replace("_", " "): value for name, value in change.items()}), TODAY)
    assert not found.good
    assert len(found.bad) == 1, found.bad
    return found.bad[0]


def bytes_list(tmp_path: Path, raw: bytes) -> CheckedList:
    file = tmp_path / "list.csv"
    file.write_bytes(raw)
    return check_list(file, TODAY)


# The sample


def test_all_fifty_rows_of_the_sample_can_be_imported() -> None:
    found = check_list(SAMPLE, date(2026, 1, 11))
    assert (found.rows, len(found.good), found.bad) == (50, 50, ())
    assert len({each.identity for each in found.good}) == 50


def test_the_sample_holds_what_field_lists_hold() -> None:
    people = [each.fields["person"] for each in check_list(SAMPLE, date(2026, 1, 11)).good]
    assert {person.get("dob_precision") for person in people} == {"DAY", "MONTH", "YEAR", "ESTIMATED", None}
    assert any("ا" in person["family_name"] or "م" in person["family_name"] for person in people)
    assert any("name_native_script" in person for person in people)


# Dates


@pytest.mark.parametrize(
    ("written", "born", "precision"),
    [
        ("1996-04-02", "1996-04-02", "DAY"),
        ("02/04/1996", "1996-04-02", "DAY"),
        ("2/4/1996", "1996-04-02", "DAY"),
        ("02-04-1996", "1996-04-02", "DAY"),
        ("02.04.1996", "1996-04-02", "DAY"),
        ("٠٢/٠٤/١٩٩٦", "1996-04-02", "DAY"),
        ("29/02/1996", "1996-02-29", "DAY"),
        ("1996", "1996-12-31", "YEAR"),
        ("02/1996", "1996-02-29", "MONTH"),
        ("1996-02", "1996-02-29", "MONTH"),
        ("~1996", "1996-12-31", "ESTIMATED"),
        ("env. 1996", "1996-12-31", "ESTIMATED"),
        ("Vers 1996", "1996-12-31", "ESTIMATED"),
        ("about 1996", "1996-12-31", "ESTIMATED"),
        ("حوالي ١٩٩٦", "1996-12-31", "ESTIMATED"),
        ("2026", "2026-11-23", "YEAR"),
    ],
)
def test_a_date_of_birth_is_read_with_its_precision(tmp_path: Path, written: str, born: str, precision: str) -> None:
    person = the_person(tmp_path, date_of_birth=written)
    assert (person["date_of_birth"], person["dob_precision"]) == (born, precision)


@pytest.mark.parametrize("written", ["", "-", "unknown", "Inconnu", "غير معروف", "N/A"])
def test_a_date_of_birth_may_be_missing(tmp_path: Path, written: str) -> None:
    person = the_person(tmp_path, date_of_birth=written)
    assert "date_of_birth" not in person
    assert "dob_precision" not in person


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("31/02/1996", "not a date in the calendar"),
        ("29/02/1997", "not a date in the calendar"),
        ("1996/25/04", "25 in the place of the month"),
        ("1900-01-01", "when they have none"),
        ("01/01/1900", "when they have none"),
        ("1900", "when they have none"),
        ("1904-01-01", "when they have none"),
        ("1970-01-01", "when they have none"),
        ("1899-12-30", "before 1900"),
        ("00/00/0000", "not a date in the calendar"),
        ("35157", "number by which a spreadsheet counts days"),
        ("13/13/1996", "not a date in the calendar"),
        ("2027-01-01", "in the future"),
        ("24/11/2026", "in the future"),
        ("2030", "in the future"),
        ("1896-04-02", "before 1900"),
        ("13/1996", "month that does not exist"),
        ("02/04/96", "one way only"),
        ("2 April", "one way only"),
        ("0000-01-01", "not a date in the calendar"),
    ],
)
def test_an_invalid_date_is_reported_with_its_correction(tmp_path: Path, written: str, message: str) -> None:
    error = the_error(tmp_path, date_of_birth=written)
    assert (error.row, error.column, error.value) == (2, "date of birth", written)
    assert message in error.problem
    assert error.todo


# Names


def test_a_name_only_in_arabic_is_the_name_and_the_native_name(tmp_path: Path) -> None:
    person = the_person(tmp_path, family_name="", given_names="", native_name="محمد أحمد  علي")
    assert person["given_names"] == "محمد أحمد"
    assert person["family_name"] == "علي"
    assert person["name_native_script"] == "محمد أحمد علي"


def test_a_single_name_serves_for_both(tmp_path: Path) -> None:
    person = the_person(tmp_path, family_name="", given_names="Lamin")
    assert (person["given_names"], person["family_name"]) == ("Lamin", "Lamin")


def test_a_row_without_any_name_is_reported(tmp_path: Path) -> None:
    assert "no name" in the_error(tmp_path, family_name="", given_names="").problem


def test_direction_marks_and_double_spaces_are_removed_from_names(tmp_path: Path) -> None:
    person = the_person(tmp_path, family_name="\u200fEl \u202a Tayeb\u202c ")
    assert person["family_name"] == "El Tayeb"


def test_a_name_that_is_too_long_is_reported_at_its_column(tmp_path: Path) -> None:
    assert the_error(tmp_path, family_name="x" * 121).column == "family name"


# Words and numbers


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0912345678", "+218912345678"),
        ("912345678", "+218912345678"),
        ("091-234 5678", "+218912345678"),
        ("+218 91 234 5678", "+218912345678"),
        ("00218912345678", "+218912345678"),
        ("218912345678", "+218912345678"),
        ("(+234) 803.123.4567", "+2348031234567"),
        ("+218 (0) 91 234 5678", "+218912345678"),
        ("+218(0)912345678", "+218912345678"),
        ("00218 (0) 91-234-5678", "+218912345678"),
        ("+2180912345678", "+218912345678"),
        ("+44 (0) 20 7946 0958", "+442079460958"),
        ("+225 01 02 03 04 05", "+2250102030405"),
        ("٠٩١٢٣٤٥٦٧٨", "+218912345678"),
    ],
)
def test_a_telephone_number_gets_its_country(tmp_path: Path, written: str, number: str) -> None:
    assert the_person(tmp_path, phone=written)["phone"] == number


@pytest.mark.parametrize(
    "written",
    ["12345", "call Musa", "+0912345678", "0912345678 / 0923456789", "+2189123", "9.12E+08", "+218 91 234 5678 9"],
)
def test_an_invalid_telephone_number_is_reported(tmp_path: Path, written: str) -> None:
    assert the_error(tmp_path, phone=written).column == "phone"


@pytest.mark.parametrize(
    ("written", "code"),
    [("NGA", "NGA"), ("ng", "NGA"), ("Nigeria", "NGA"), ("nigérian", "NGA"), ("Niger", "NER"), ("Nigérien", "NER"),
     ("Cote d'Ivoire", "CIV"), ("Côte d’Ivoire", "CIV"), ("guinea bissau", "GNB"), ("Guinée", "GIN"),
     ("السودان", "SDN"), ("مصري", "EGY"), ("Bangladeshi", "BGD")],
)  # fmt: skip
def test_a_nationality_is_known_by_its_names(tmp_path: Path, written: str, code: str) -> None:
    fields = the_fields(tmp_path, nationality=written)
    assert (fields["person"]["nationality"], fields["country_of_return"]) == (code, code)


def test_a_nationality_with_a_slip_is_reported_with_a_suggestion(tmp_path: Path) -> None:
    error = the_error(tmp_path, nationality="Nigerria")
    assert error.value == "Nigerria"
    assert "Nigeria?" in error.todo


@pytest.mark.parametrize(
    ("written", "sex"),
    [("F", "FEMALE"), ("Femme", "FEMALE"), ("أنثى", "FEMALE"), ("m", "MALE"), ("H", "MALE"), ("ذكر", "MALE")],
)
def test_a_sex_is_read_in_three_languages(tmp_path: Path, written: str, sex: str) -> None:
    assert the_person(tmp_path, sex=written)["sex"] == sex


@pytest.mark.parametrize("written", ["yes", "Y", "Oui", "نعم", "TRUE", "1", "✓"])
def test_consent_is_read_in_three_languages(tmp_path: Path, written: str) -> None:
    assert the_fields(tmp_path, consent=written)["consent_to_data_processing"] is True


@pytest.mark.parametrize("written", ["no", "Non", "لا", "", "perhaps"])
def test_a_row_without_consent_is_not_imported(tmp_path: Path, written: str) -> None:
    assert the_error(tmp_path, consent=written).column == "consent"


def test_all_errors_of_a_row_are_reported_together(tmp_path: Path) -> None:
    found = check_list(a_list(tmp_path, {"sex": "??!", "phone": "1", "nationality": "Atlantis"}), TODAY)
    assert {bad.column for bad in found.bad} == {"sex", "phone", "nationality"}


def test_valid_rows_are_imported_beside_rows_with_errors(tmp_path: Path) -> None:
    found = check_list(a_list(tmp_path, {}, {"sex": "robot"}, {"ref": "R-3", "given names": "Zainab"}), TODAY)
    assert [each.row for each in found.good] == [2, 4]
    assert [bad.row for bad in found.bad] == [3]


def test_office_and_channel_may_be_set_for_the_whole_list(tmp_path: Path) -> None:
    file = a_list(tmp_path, {"office": "", "channel": ""})
    assert {bad.column for bad in check_list(file, TODAY).bad} == {"office", "channel"}
    assert all("--" in bad.todo for bad in check_list(file, TODAY).bad)
    fields = check_list(file, TODAY, Defaults("Sebha", "HOTLINE")).good[0].fields
    assert (fields["office"], fields["channel"]) == ("Sebha", "HOTLINE")


# Files

ROW = "Traoré;Awa;F;02/04/1996;Mali;Tripoli;hotline;oui"

FRENCH = f"Nom;Prénom;Sexe;Date de naissance;Nationalité;Bureau;Canal;Consentement\r\n{ROW}\r\n"

ARABIC = "اللقب;الاسم;الجنس;تاريخ الميلاد;الجنسية;المكتب;المصدر;الموافقة\r\nالطيب;عثمان;ذكر;02/04/1996;السودان;طرابلس;سفارة;نعم\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_french_list_is_read_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    found = bytes_list(tmp_path, FRENCH.encode(encoding))
    assert found.good[0].fields["person"]["family_name"] == "Traoré"
    assert any("Windows-1252" in note for note in found.notes) == (encoding == "cp1252")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1256"])
def test_an_arabic_list_is_read_in_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    found = bytes_list(tmp_path, ARABIC.encode(encoding))
    fields = found.good[0].fields
    assert fields["person"]["family_name"] == "الطيب"
    assert (fields["channel"], fields["person"]["nationality"]) == ("EMBASSY", "SDN")
    assert any("Windows-1256" in note for note in found.notes) == (encoding == "cp1256")


def test_a_title_above_the_headings_is_skipped_and_rows_keep_their_numbers(tmp_path: Path) -> None:
    found = bytes_list(tmp_path, ("Liste de Sebha, novembre;;\r\n\r\n" + FRENCH).encode())
    assert found.good[0].row == 4


def test_columns_that_are_not_imported_are_named(tmp_path: Path) -> None:
    found = bytes_list(tmp_path, FRENCH.replace("\r\n", ";Remarques\r\n", 1).encode())
    assert found.notes == ("Columns that are not imported: Remarques.",)


@pytest.mark.parametrize("heading", ["Remarques", "Tuteur", "", "Nom", "Date of birth of the child"])
def test_a_filled_column_without_a_meaning_stops_the_import_until_it_is_named(tmp_path: Path, heading: str) -> None:
    raw = FRENCH.replace("\r\n", f";{heading}\r\n", 1).replace(ROW, f"{ROW};mineur").encode()
    with pytest.raises(UnusableFileError, match="has 1 filled cells") as error:
        bytes_list(tmp_path, raw)
    assert f'--ignore-column "{heading or "I"}"' in str(error.value)
    found = check_list(tmp_path / "list.csv", TODAY, choices=Choices(DateOrder.DAY_FIRST, (heading or "I",)))
    assert len(found.good) == 1


def test_an_ignored_column_that_is_not_in_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(FRENCH, encoding="utf-8")
    with pytest.raises(UnusableFileError, match="names no column"):
        check_list(tmp_path / "list.csv", TODAY, choices=Choices(DateOrder.DAY_FIRST, ("Remarks",)))


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Date of birth (dd/mm/yyyy)", "date of birth"), ("DOB [dd-mm-yyyy]", "date of birth"),
        ("Date de naissance (jj/mm/aaaa) *", "date of birth"), ("Sex (M/F)", "sex"), ("Sexe (H/F)", "sex"),
        ("Phone no.", "phone"), ("Phone number (optional)", "phone"), ("Tel. No", "phone"), ("Ref. no.", "reference"),
        ("Consent (yes/no)", "consent"), ("Nationality*", "nationality"), ("Sex / الجنس", "sex"),
        ("Nationalité - Nationality", "nationality"), ("Surname\nNom", "family name"), ("NAME", "full name"),
        ("Name (father)", None), ("Phone (emergency contact)", None), ("Name / Nom", None), ("Sister's phone no.", None),
        ("Date of birth of the child", None), ("(optional)", None), ("No.", None), ("Consent signed by", None),
    ],
)  # fmt: skip
def test_a_heading_keeps_its_meaning_with_a_hint_and_is_never_read_in_part(heading: str, column: str | None) -> None:
    assert column_of(COLUMNS, heading) == column


PLACEHOLDERS = ["nan", "NaN", "NA", "#N/A", "#REF!", "#VALEUR!", "null", "NULL", "xxx", "XXXX", "test", "Test Test",
                "TBD", "<NA>", "aaa", "...", "Moussa nan", "#NOM?", "nil"]  # fmt: skip


@pytest.mark.parametrize("column", ["family name", "given names", "full name", "native name"])
@pytest.mark.parametrize("written", PLACEHOLDERS)
def test_a_placeholder_never_becomes_a_name(tmp_path: Path, column: str, written: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f'{column},nationality,office,channel,consent\n"{written}",Mali,Tripoli,online,yes\n', "utf-8")
    found = check_list(file, TODAY)
    assert not found.good
    assert {error.column for error in found.bad} == {column}


def test_a_placeholder_in_one_of_two_name_columns_is_reported(tmp_path: Path) -> None:
    for written in PLACEHOLDERS:
        if folded(written) not in MISSING:  # such a cell is empty, as a hyphen is
            assert the_error(tmp_path, family_name=written).value == written


@pytest.mark.parametrize("column", ["office", "ref", "phone", "sex", "date of birth", "nationality", "consent"])
def test_the_error_of_a_formula_is_never_a_value(tmp_path: Path, column: str) -> None:
    error = the_error(tmp_path, **{column: "#REF!"})
    assert (error.column, error.value, "formula" in error.problem) == (column, "#REF!", True)


@pytest.mark.parametrize("written", ["Nanou", "Natasha", "Nullah", "O'Brien", "Ng", "Al-Tester", "M'Bala", "Aaminah"])
def test_names_that_begin_like_placeholders_are_names(tmp_path: Path, written: str) -> None:
    assert the_person(tmp_path, family_name=written)["family_name"] == written


# Order of day and month


def a_date_list(tmp_path: Path, *dates: str, heading: str = "date of birth") -> Path:
    names = ("Amina", "Bilal", "Chidi", "Djibril", "Esther", "Fatou")
    rows = [f"{name},Keita,Mali,Tripoli,online,yes,{written}" for name, written in zip(names, dates, strict=False)]
    file = tmp_path / "dates.csv"
    file.write_text(
        "\n".join([f"given names,family name,nationality,office,channel,consent,{heading}", *rows]), "utf-8"
    )
    return file


def births(found: CheckedList) -> list[str]:
    assert not found.bad
    return [each.fields["person"]["date_of_birth"] for each in found.good]


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (("02/04/1996", "25/04/1996"), ["1996-04-02", "1996-04-25"]),
        (("02/04/1996", "04/25/1996"), ["1996-02-04", "1996-04-25"]),
        (("٠٢/٠٤/١٩٩٦", "٠٤/٢٥/١٩٩٦"), ["1996-02-04", "1996-04-25"]),
        (("05/05/1996", "1996-04-02"), ["1996-05-05", "1996-04-02"]),
    ],
)
def test_a_column_proves_the_order_of_all_its_dates(tmp_path: Path, dates: tuple[str, ...], read: list[str]) -> None:
    assert births(check_with(a_date_list(tmp_path, *dates), TODAY)) == read


def test_a_heading_may_state_the_order(tmp_path: Path) -> None:
    for heading, read in (("DOB (dd/mm/yyyy)", "1996-04-02"), ("DOB (mm/dd/yyyy)", "1996-02-04")):
        assert births(check_with(a_date_list(tmp_path, "02/04/1996", heading=heading), TODAY)) == [read]
    with pytest.raises(UnusableFileError, match="both orders"):
        check_with(a_date_list(tmp_path, "25/04/1996", heading="DOB (mm/dd/yyyy)"), TODAY)


def test_an_order_that_is_not_proved_must_be_stated(tmp_path: Path) -> None:
    file = a_date_list(tmp_path, "02/04/1996", "05/05/1990")
    with pytest.raises(UnusableFileError, match=r"row 2: 02/04/1996.*--date-order"):
        check_with(file, TODAY)
    assert births(check_list(file, TODAY)) == ["1996-04-02", "1990-05-05"]
    month_first = check_list(file, TODAY, choices=Choices(DateOrder.MONTH_FIRST))
    assert births(month_first) == ["1996-02-04", "1990-05-05"]


def test_a_column_in_both_orders_stops_the_import_and_with_a_stated_order_its_rows_are_errors(tmp_path: Path) -> None:
    file = a_date_list(tmp_path, "25/04/1996", "02/04/1996", "04/26/1996")
    with pytest.raises(UnusableFileError, match="both orders"):
        check_with(file, TODAY)
    found = check_list(file, TODAY)
    assert [each.row for each in found.good] == [2, 3]
    assert [(error.row, error.value) for error in found.bad] == [(4, "04/26/1996")]


def test_a_stated_order_that_the_column_disproves_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="month first"):
        check_list(a_date_list(tmp_path, "04/25/1996", "02/04/1996"), TODAY)


def test_dates_that_a_spreadsheet_may_have_exchanged_must_be_checked(tmp_path: Path) -> None:
    file = a_date_list(tmp_path, "1996-02-04", "25/04/1996", "1990-12-11", "13/01/1991")
    with pytest.raises(UnusableFileError, match="day and month exchanged"):
        check_with(file, TODAY)
    assert len(check_list(file, TODAY).good) == 4


def test_a_row_that_has_slipped_to_the_right_is_reported(tmp_path: Path) -> None:
    found = bytes_list(tmp_path, FRENCH.replace("Awa;", "Awa;Aïssata;").encode())
    assert not found.good
    assert any("more cells" in bad.problem for bad in found.bad)


def test_a_workbook_is_read_with_the_values_it_shows(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(
        ["Family name", "Given names", "Date of birth", "Nationality", "Phone", "Office", "Channel", "Consent"]
    )
    sheet.append(["Keita", "Moussa", date(1996, 4, 2), "Mali", 912345678.0, "Tripoli", "Online", True])
    sheet.append(["Keita", "Awa", 1990, "Mali", None, "Tripoli", "Online", "yes"])
    book.save(tmp_path / "list.xlsx")
    moussa, awa = check_list(tmp_path / "list.xlsx", TODAY).good
    assert moussa.fields["person"]["date_of_birth"] == "1996-04-02"
    assert moussa.fields["person"]["phone"] == "+218912345678"
    assert awa.fields["person"]["dob_precision"] == "YEAR"


def test_a_json_list_is_read_by_the_same_names(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps([{**AMINATA, "consent": True, "languages": ["en", "Hausa"]}]), encoding="utf-8")
    registration = check_list(file, TODAY).good[0]
    assert registration.row == 1
    assert registration.fields["person"]["languages"] == ["en", "ha"]


@pytest.mark.parametrize("sign", ["\ud800", "\0", "\x1b", "\ufffe"])
@pytest.mark.parametrize("column", ["family name", "office", "ref", "phone", "consent"])
def test_one_unreadable_text_in_a_json_list_is_the_error_of_its_row(tmp_path: Path, sign: str, column: str) -> None:
    file = tmp_path / "list.json"
    other = {**AMINATA, "ref": "R-2", "given names": "Zainab"}
    file.write_text(json.dumps([{**AMINATA, column: f"a{sign}b"}, other]), encoding="utf-8")
    found = check_list(file, TODAY)
    assert [each.row for each in found.good] == [2]
    assert (found.bad[0].row, found.bad[0].column) == (1, column)
    assert "character that cannot be read" in found.bad[0].problem
    assert found.bad[0].value.isprintable()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.pdf", "x", "give a .csv"),
        ("list.csv", "", "no row of column headings"),
        ("list.csv", "Weekly list, Sebha, 12 people", "its first row is 'Weekly list"),
        ("list.csv", "a,b,c\n1,2,3", "no row of column headings"),
        ("list.csv", "family name,given names,nationality\nA,B,NGA", "no column for consent"),
        ("list.csv", "sex,nationality,consent\nF,NGA,yes", "no column for names"),
        ("list.xlsx", "not a workbook", "not an .xlsx workbook"),
        ("list.json", "{", "not JSON"),
        ("list.json", "[1]", "not a list of objects"),
    ],
)
def test_a_file_that_is_not_a_list_is_refused_with_the_next_step(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UnusableFileError, match=message):
        check_list(tmp_path / name, TODAY)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UnusableFileError, match=r"no file nowhere\.csv"):
        check_list(Path("nowhere.csv"), TODAY)


# Repeated rows


def test_a_row_is_identified_by_its_reference_otherwise_by_the_person(tmp_path: Path) -> None:
    def identity(**change: str) -> bytes:
        return check_list(a_list(tmp_path, change), TODAY).good[0].identity

    assert identity(ref="R-1") == identity(ref="r-1", sex="M")
    assert identity(ref="", phone="0912345678", sex="M") == identity(ref="", phone="+218912345678", sex="Femme")
    assert identity(ref="", **{"given names": "AMINATA"}) == identity(ref="")
    assert identity(ref="") != identity(ref="", **{"date of birth": "1996-04-03"})


def test_equal_rows_are_not_merged_silently(tmp_path: Path) -> None:
    for ref in ("", "R-1"):
        found = check_list(a_list(tmp_path, {"ref": ref}, {"ref": ref}), TODAY)
        assert [each.row for each in found.good] == [2]
        assert [(each.row, "row 2" in each.problem) for each in found.suspected] == [(3, True)]


def test_two_persons_with_one_reference_are_reported(tmp_path: Path) -> None:
    found = check_list(a_list(tmp_path, {}, {"given names": "Zainab"}), TODAY)
    assert [each.row for each in found.good] == [2]
    assert [(each.error.row, each.error.column) for each in found.shared] == [(3, "ref")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mohamed Aïssa", "MO HAMED AISSA"),
        ("Mohamed Aïssa", "Aissa, Mohamed"),
        ("Mohamed Aïssa", "AISSA MO HAMED"),
        ("Mohamed Aïssa", "Mouhamad Issa"),
        ("Mohamed Aïssa", "محمد عيسى"),
        ("Khadija El-Tayeb", "خديجة الطيب"),
    ],
)
def test_another_spelling_of_a_name_with_the_same_date_of_birth_is_a_suspected_duplicate(
    tmp_path: Path, one: str, other: str
) -> None:
    names = [{"ref": ref, "family name": "", "given names": name} for ref, name in (("R-1", one), ("R-2", other))]
    found = check_list(a_list(tmp_path, *names), TODAY)
    assert [each.row for each in found.suspected] == [3]
    confirmed = check_list(a_list(tmp_path, *names), TODAY, choices=Choices(distinct=frozenset({3})))
    assert [each.row for each in confirmed.good] == [2, 3]


def test_other_dates_of_birth_or_names_are_other_people(tmp_path: Path) -> None:
    rows = [{}, {"date of birth": "1996-04-03"}, {"given names": "Zainab"}, {"nationality": "GHA"}]
    found = check_list(a_list(tmp_path, *({**row, "ref": f"R-{at}"} for at, row in enumerate(rows))), TODAY)
    assert len(found.good) == len(rows)


def test_equal_names_with_a_year_of_birth_only_are_compared_word_by_word(tmp_path: Path) -> None:
    rows = [{"given names": name, "date of birth": "1996"} for name in ("Aminata", "AMINATA", "Mintaa")]
    found = check_list(a_list(tmp_path, *({**row, "ref": f"R-{at}"} for at, row in enumerate(rows))), TODAY)
    assert [each.row for each in found.suspected] == [3]
