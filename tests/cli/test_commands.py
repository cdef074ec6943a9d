"""The command line on a real database, without other processes: output and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from cli.main import COMMANDS, awda, loaded
from cli.output import ExitCode
from cli.registration_duplicates import Registration
from cli.registration_list import SAMPLE

REGISTRATION = {
    "person": {"family_name": "Okafor", "given_names": "Aminata", "nationality": "NGA"},
    "country_of_return": "NGA",
    "channel": "WALK_IN",
    "office": "Tripoli",
    "consent_to_data_processing": True,
}

Awda = Callable[..., Result]


@pytest.fixture
def run(database: Any, tmp_path: Path) -> Awda:
    """The command line, in a separate home with a separate database."""
    env = {"AWDA_HOME": str(tmp_path / "home"), "AWDA_DATABASE_URL": database.app_dsn, "AWDA_TEMPORAL_ADDRESS": ""}

    def running(*words: str, stdin: str | None = None) -> Result:
        return CliRunner(env=env).invoke(awda, words, input=stdin)

    return running


@pytest.fixture
def no_servers(tmp_path: Path) -> Awda:
    env = {"AWDA_HOME": str(tmp_path / "home"), "AWDA_DATABASE_URL": "", "AWDA_TEMPORAL_ADDRESS": ""}
    return lambda *words: CliRunner(env=env).invoke(awda, words)


def start(run: Awda, **more: Any) -> str:
    done = run("case", "start", "-", "--no-wait", stdin=json.dumps(REGISTRATION | more))
    assert done.exit_code == ExitCode.DONE, done.output
    return done.stdout.strip()


# Every command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_its_subcommands_have_help_with_an_example(name: str) -> None:
    command = loaded(name)
    for each in getattr(command, "commands", {"": command}).values():
        for leaf in getattr(each, "commands", {"": each}).values():
            assert leaf.help, f"{name} {leaf.name}"
            assert "Example" in (leaf.epilog or ""), f"{name} {leaf.name}"


def test_the_overview_needs_no_home(no_servers: Awda) -> None:
    shown = no_servers("--help")
    assert shown.exit_code == ExitCode.DONE
    assert all(name in shown.output for name in COMMANDS)


@pytest.mark.parametrize("words", [("case", "list"), ("verify",), ("case", "show", "LBY-2026-000001"), ("doctor",)])
def test_without_servers_a_command_names_the_command_that_starts_them(no_servers: Awda, words: tuple[str, ...]) -> None:
    done = no_servers(*words)
    assert done.exit_code == ExitCode.DOWN
    assert "awda up" in done.output


def test_the_status_of_a_stopped_home_has_all_its_fields(no_servers: Awda) -> None:
    done = no_servers("status", "--json")
    assert done.exit_code == ExitCode.DONE
    assert json.loads(done.stdout) == {
        "console_url": None, "api_url": None, "temporal_ui_url": None, "temporal_address": None, "database": None,
        "processes": [],
    }  # fmt: skip


def test_an_unavailable_database_is_a_dependency_that_is_down(tmp_path: Path) -> None:
    env = {"AWDA_HOME": str(tmp_path), "AWDA_DATABASE_URL": "postgresql://awda_app@127.0.0.1:1/awda"}
    done = CliRunner(env=env).invoke(awda, ["case", "list"])
    assert done.exit_code == ExitCode.DOWN
    assert "Try:" in done.stderr


def test_an_invalid_setting_is_a_usage_error(tmp_path: Path) -> None:
    done = CliRunner(env={"AWDA_HOME": str(tmp_path), "AWDA_PORT": "http"}).invoke(awda, ["status"])
    assert done.exit_code == ExitCode.USAGE
    assert "AWDA_PORT" in done.stderr


# Cases


def test_starting_a_case_prints_its_number_and_nothing_else_on_stdout(run: Awda) -> None:
    assert start(run).startswith("LBY-")


def test_the_same_key_starts_one_case(run: Awda) -> None:
    words = ("case", "start", "-", "--no-wait", "--key", "4711", "--json")
    one, other = (json.loads(run(*words, stdin=json.dumps(REGISTRATION)).stdout) for _ in range(2))
    assert one["case_number"] == other["case_number"]
    assert (one["repeated"], other["repeated"]) == (False, True)


def test_the_same_key_for_another_message_is_a_conflict(run: Awda) -> None:
    run("case", "start", "-", "--no-wait", "--key", "4711", stdin=json.dumps(REGISTRATION))
    other = run(
        "case", "start", "-", "--no-wait", "--key", "4711", stdin=json.dumps({**REGISTRATION, "office": "Sebha"})
    )
    assert other.exit_code == ExitCode.CONFLICT


def test_a_field_of_the_wrong_kind_is_refused_with_its_place_and_value(run: Awda) -> None:
    wrong = {**REGISTRATION, "channel": "CARRIER_PIGEON"}
    done = run("case", "start", "-", stdin=json.dumps(wrong))
    assert done.exit_code == ExitCode.REFUSED
    assert "/channel" in done.stderr
    assert "CARRIER_PIGEON" in done.stderr
    assert done.stdout == ""


def test_a_message_that_does_not_exist_is_refused_with_a_suggestion(run: Awda) -> None:
    done = run("case", "send", start(run), "RecordConsnet")
    assert done.exit_code == ExitCode.REFUSED
    assert "RecordConsent" in done.stderr


def test_a_case_that_does_not_exist_is_not_found(run: Awda) -> None:
    for words in (("send", "LBY-2026-999999", "AddNote"), ("show", "LBY-2026-999999"), ("why", "LBY-2026-999999")):
        done = run("case", *words)
        assert done.exit_code == ExitCode.NOT_FOUND, done.output
        assert "awda case list" in done.stderr


def test_input_that_is_not_json_is_a_usage_error(run: Awda) -> None:
    assert run("case", "start", "-", stdin="{").exit_code == ExitCode.USAGE
    assert run("case", "start", "nowhere.json").exit_code == ExitCode.USAGE


def test_an_invalid_time_is_a_usage_error(run: Awda) -> None:
    assert run("case", "replay", start(run), "--as-of", "yesterday").exit_code == ExitCode.USAGE


def test_two_replays_of_one_version_give_the_same_bytes(run: Awda) -> None:
    number = start(run)
    one, other = (run("case", "replay", number, "--to", "0").stdout_bytes for _ in range(2))
    assert one == other
    assert json.loads(one)["version"] == 0


# Movements and partners


def test_a_movement_starts_under_the_number_it_names_and_only_once(run: Awda) -> None:
    flight = {
        "number": "MOV-2026-LOS1", "origin": "MJI", "destination": "LOS",
        "std": "2026-12-01T08:00:00Z", "sta": "2026-12-01T13:00:00Z", "capacity": 100,
    }  # fmt: skip
    done = run("movement", "start", "-", "--no-wait", stdin=json.dumps(flight))
    assert (done.exit_code, done.stdout.strip()) == (ExitCode.DONE, "MOV-2026-LOS1")
    assert run("movement", "start", "-", "--no-wait", stdin=json.dumps(flight)).exit_code == ExitCode.CONFLICT


def test_a_partner_is_added_listed_and_given_a_secret_that_is_shown_once(run: Awda) -> None:
    words = ("--name", "Clinic, Misrata", "--kind", "MEDICAL_ASSESSMENT", "--receiver", "https://clinic.example/in")
    assert run("partner", "add", "clinic-misrata", *words).exit_code == ExitCode.DONE
    (listed,) = json.loads(run("partner", "list", "--json").stdout)
    assert (listed["partner_id"], listed["kinds"]) == ("clinic-misrata", ["MEDICAL_ASSESSMENT"])
    assert run("partner", "key", "add", "clinic-misrata", "--generate").stdout.startswith("whsec_")
    assert run("partner", "key", "add", "clinic-misrata", "whsec_short").exit_code == ExitCode.USAGE
    assert run("partner", "key", "add", "nobody", "--generate").exit_code == ExitCode.NOT_FOUND


def test_a_kind_of_referral_that_does_not_exist_is_named(run: Awda) -> None:
    done = run("partner", "add", "x", "--name", "X", "--kind", "ASTROLOGY")
    assert done.exit_code == ExitCode.USAGE
    assert "ASTROLOGY" in done.stderr


# Audit


def test_a_verification_without_temporal_is_not_called_clean(run: Awda) -> None:
    done = run("verify", "--json")
    assert done.exit_code == ExitCode.DOWN
    assert json.loads(done.stdout)["result"] == "not_checked"


def test_a_read_table_is_rebuilt_and_an_unknown_one_is_not_found(run: Awda) -> None:
    done = run("projection", "rebuild", "case_list", "--shadow", "--json")
    assert json.loads(done.stdout)["equal"] is True
    missing = run("projection", "rebuild", "horoscopes")
    assert missing.exit_code == ExitCode.NOT_FOUND
    assert "awda projection list" in missing.stderr


def test_the_clock_of_a_real_home_is_moved_by_nobody(run: Awda) -> None:
    assert run("demo", "clock", "+8d").exit_code == ExitCode.REFUSED
    assert run("demo", "clock", "tomorrow").exit_code == ExitCode.USAGE


# Registration lists


def test_a_list_starts_each_case_once_whichever_user_imports_it(run: Awda) -> None:
    first = json.loads(run("import", "cases", str(SAMPLE), "--json").stdout)
    assert (first["rows"], first["started"], first["already"], first["bad"]) == (50, 50, 0, [])
    assert len({each["case_number"] for each in first["cases"]}) == 50
    again = run("import", "cases", str(SAMPLE), "--json", "--as", "omar")
    assert again.exit_code == ExitCode.DONE
    second = json.loads(again.stdout)
    assert (second["started"], second["already"]) == (0, 50)
    assert [each["case_number"] for each in second["cases"]] == [each["case_number"] for each in first["cases"]]


def test_a_dry_run_starts_nothing_and_counts_registered_rows(run: Awda, tmp_path: Path) -> None:
    head = tmp_path / "head.csv"
    head.write_text("\n".join(SAMPLE.read_text("utf-8").splitlines()[:11]), encoding="utf-8")
    run("import", "cases", str(head))
    dry = json.loads(run("import", "cases", str(SAMPLE), "--dry-run", "--json").stdout)
    assert (dry["started"], dry["already"]) == (40, 10)
    real = json.loads(run("import", "cases", str(SAMPLE), "--json").stdout)
    assert (real["started"], real["already"]) == (40, 10)


def test_a_dry_run_works_without_servers(no_servers: Awda) -> None:
    done = no_servers("import", "cases", str(SAMPLE), "--dry-run")
    assert done.exit_code == ExitCode.DONE
    assert done.stdout == "0 rows with errors, 0 already registered, 50 new (dry run, nothing was saved).\n"


def test_bad_rows_are_reported_and_a_corrected_list_starts_only_those(run: Awda, tmp_path: Path) -> None:
    lines = SAMPLE.read_text("utf-8").splitlines()[:4]
    file = tmp_path / "list.csv"
    file.write_text("\n".join([*lines[:2], lines[2].replace(",BD,", ",Atlantis,"), lines[3]]), encoding="utf-8")
    done = run("import", "cases", str(file), "--json")
    assert done.exit_code == ExitCode.PARTLY
    result = json.loads(done.stdout)
    (bad,) = result["bad"]
    assert (result["started"], bad["row"], bad["column"], bad["value"]) == (2, 3, "Nationality", "Atlantis")
    assert bad["todo"]
    file.write_text("\n".join(lines), encoding="utf-8")
    corrected = json.loads(run("import", "cases", str(file), "--json").stdout)
    assert (corrected["started"], corrected["already"], corrected["bad"]) == (1, 2, [])


def test_a_reference_used_for_another_person_is_reported_with_its_case(run: Awda, tmp_path: Path) -> None:
    heading, first, second = SAMPLE.read_text("utf-8").splitlines()[:3]
    file = tmp_path / "list.csv"
    file.write_text("\n".join([heading, first, second.replace("REG-TIP-0002", "REG-TIP-0001")]), encoding="utf-8")
    done = run("import", "cases", str(file), "--json")
    assert done.exit_code == ExitCode.PARTLY
    result = json.loads(done.stdout)
    assert result["started"] == 1
    assert result["cases"][0]["case_number"] in result["bad"][0]["problem"]


def without_references(tmp_path: Path, name: str, *changes: tuple[str, str]) -> Path:
    """Returns the first rows of the sample without references, after changes of texts."""
    text = "\n".join(SAMPLE.read_text("utf-8-sig").splitlines()[:4])
    for old, new in (("REG-TIP-0001", ""), ("REG-TIP-0002", ""), ("REG-TIP-0003", ""), *changes):
        text = text.replace(old, new)
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_corrected_list_without_references_opens_no_second_cases(run: Awda, tmp_path: Path) -> None:
    first = json.loads(run("import", "cases", str(without_references(tmp_path, "one.csv")), "--json").stdout)
    corrected = without_references(tmp_path, "two.csv", ("Hossain,Shafiq", "HOSSAIN,Shâfiq"), (",BD,094", ",BD,093"))
    for flags in (["--dry-run"], []):
        done = run("import", "cases", str(corrected), "--json", *flags)
        assert done.exit_code == ExitCode.PARTLY
        again = json.loads(done.stdout)
        assert (first["started"], again["started"], again["already"]) == (3, 0, 2)
        (suspected,) = again["suspected"]
        assert suspected["row"] == 3
        assert first["cases"][1]["case_number"] in suspected["problem"]
        assert [each["outcome"] for each in again["outcomes"]] == [
            "already registered", "suspected duplicate", "already registered",
        ]  # fmt: skip


def test_a_row_that_was_imported_under_its_former_identity_is_recognised(run: Awda, tmp_path: Path) -> None:
    file = without_references(tmp_path, "list.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Registration, "identity", Registration.former_identity)
        run("import", "cases", str(file))
    again = json.loads(run("import", "cases", str(file), "--json").stdout)
    assert (again["started"], again["already"]) == (0, 3)


def test_on_a_terminal_a_list_is_shown_first_and_imported_with_yes(
    run: Awda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.commands.import_cases.on_terminal", lambda: True)
    file = without_references(tmp_path, "list.csv")
    shown = run("import", "cases", str(file))
    assert "3 new (dry run, nothing was saved)" in shown.stdout
    assert "Date of birth → date of birth, 3 filled, day first (row 2: 18/10/1993)" in shown.stderr
    assert "--yes" in shown.stderr
    assert json.loads(run("import", "cases", str(file), "--yes", "--json").stdout)["started"] == 3
    assert run("import", "cases", str(file), "--yes", "--dry-run").exit_code == ExitCode.USAGE


def test_nobody_is_registered_from_a_list_that_must_be_decided_about(run: Awda, tmp_path: Path) -> None:
    unknown = ("Given names", "Guardian"), ("Registration date", "Date of birth")
    done = run("import", "cases", str(without_references(tmp_path, "list.csv", *unknown)))
    assert done.exit_code == ExitCode.USAGE
    assert '--ignore-column "Guardian"' in done.stderr
    assert "another column for date of birth stands before it" in done.stderr
    assert json.loads(run("case", "list", "--json").stdout) == []


def test_the_report_shows_the_errors_beside_the_cells(run: Awda, tmp_path: Path) -> None:
    file = without_references(tmp_path, "list.csv", (",BD,", ",=Atlantis,"), ("Ebrima", "#REF!"))
    with file.open("a", encoding="utf-8") as added:
        added.write("\n" + file.read_text("utf-8").splitlines()[1])
    report = tmp_path / "report.xlsx"
    done = run("import", "cases", str(file), "--report", str(report), "--json")
    assert done.exit_code == ExitCode.PARTLY
    number = json.loads(done.stdout)["cases"][0]["case_number"]
    assert report.stat().st_mode & 0o777 == 0o600
    heading, *rows = load_workbook(report).worksheets[0].iter_rows(values_only=True)
    cells = [dict(zip(heading, row, strict=True)) for row in rows]
    assert [(row["Row"], row["Outcome"], row["Case number"]) for row in cells] == [
        ("2", "started", number), ("3", "error", None), ("4", "error", None), ("5", "suspected duplicate", None),
    ]  # fmt: skip
    assert cells[1]["Nationality"] == "=Atlantis"
    assert "not a known country" in str(cells[1]["Nationality: error"])
    assert "formula" in str(cells[2]["Given names: error"])
    assert "row 2 of this list" in str(cells[3]["Family name: error"])
    assert heading.index("Nationality: error") == heading.index("Nationality") + 1


def test_a_report_never_replaces_the_list(run: Awda, tmp_path: Path) -> None:
    file = without_references(tmp_path, "list.xlsx")
    done = run("import", "cases", str(file), "--report", str(file))
    assert done.exit_code == ExitCode.USAGE
    assert "must not replace the list" in done.stderr


async def test_nothing_of_a_person_stands_in_the_plain_columns_of_the_inbox(run: Awda, database: Any) -> None:
    import asyncio

    import asyncpg

    await asyncio.to_thread(run, "import", "cases", str(SAMPLE))
    connection = await asyncpg.connect(database.owner_dsn)
    rows = await connection.fetch("SELECT inbox::text AS line FROM inbox UNION ALL SELECT streams::text FROM streams")
    await connection.close()
    assert len(rows) == 100
    words = ("Sawadogo", "REG-TIP", "0913335171", "إدريس")
    assert not [word for word in words for row in rows if word in row["line"] or word.encode().hex() in row["line"]]
