"""``awda partner sheet``: issue and collect sheets, attach scans; the exit codes for scripts."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from audit.verification.verify import verify
from cli.main import awda
from cli.output import ExitCode
from gateway.intake.partners import PartnerIntake
from gateway.intake.service import open_intake
from store.projections.projector import Projector
from tests.gateway.conftest import MASTER_KEY
from tests.support.databases import Database
from tests.support.partner_side import PAGES
from tests.support.running_worker import RunningWorker, a_running_worker
from tests.support.sheets import MUSA, SheetOffice, a_waiting_person, filled, with_partners
from workers.embedded.installation import Servers

CONFIRMED = {"result": "Nationality confirmed", "date": "23/11/2026"}

SCAN = b"%PDF-1.7 the signed sheet"


@dataclass
class SheetWorkplace:
    """A home with a running worker, the command line, and a folder for files."""

    worker: RunningWorker
    office: SheetOffice
    run: Callable[..., Any]
    folder: Path
    home: Path

    async def out(self, name: str = "sheet.csv", *more: str) -> dict[str, Any]:
        words = ("partner", "sheet", "out", "embassy-nga", "--sheet", "embassy-session", "--out", self.file(name))
        done = await self.run(*words, "--json", *more)
        assert done.exit_code == ExitCode.DONE, done.output
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    async def back(self, name: str = "sheet.csv", *more: str) -> Result:
        words = ("partner", "sheet", "in", self.file(name), "--partner", "embassy-nga", "--as", "fatima", "--json")
        found: Result = await self.run(*words, *more)
        return found

    async def verified(self) -> dict[str, Any]:
        """Returns the result of ``awda verify``, after the read tables are up to date."""
        await Projector(self.worker.pool).catch_up()
        result: dict[str, Any] = json.loads((await self.run("verify", "--json")).stdout)
        return result

    def file(self, name: str) -> str:
        return str(self.folder / name)

    async def number(self, case: UUID) -> str:
        return str(await self.worker.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case))


@pytest.fixture
async def place(
    database: Database, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SheetWorkplace]:
    monkeypatch.setitem(verify.__kwdefaults__ or {}, "patience_s", 0.5)  # no relay empties the outbox here
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
    }

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(lambda: CliRunner(env=env).invoke(awda, words))

    async with a_running_worker(database, servers) as worker, open_intake(database.app_dsn, MASTER_KEY) as intake:
        await worker.stands_at("2026-11-23T08:00:00+00:00")
        await with_partners(intake)
        yield SheetWorkplace(worker, SheetOffice(intake), run, tmp_path, tmp_path / "home")


async def test_a_sheet_is_issued_and_collected_and_its_scan_is_attached_to_every_answered_case(
    place: SheetWorkplace,
) -> None:
    one, other, silent = [await a_waiting_person(place.worker, person) for person in (MUSA, MUSA, MUSA)]
    result = await place.out()
    assert (result["rows"], result["left_out"]) == (3, [])
    assert Path(result["file"]).stat().st_mode & 0o077 == 0, "it contains personal data"
    raw = filled(await place.office.issue(), CONFIRMED, CONFIRMED)
    Path(place.file("sheet.csv")).write_bytes(raw)
    Path(place.file("scan.pdf")).write_bytes(SCAN)

    dry = await place.back("sheet.csv", "--dry-run")
    assert dry.exit_code == ExitCode.DONE, dry.output
    assert json.loads(dry.stdout) == {"rows": 2, "bad": [], "would_hand_in": 2, "already": 0}

    done = await place.back("sheet.csv", "--scan", place.file("scan.pdf"))

    assert done.exit_code == ExitCode.DONE, done.output
    found = json.loads(done.stdout)
    assert (found["rows"], found["counts"], found["bad"]) == (2, {"applied": 2}, [])
    assert [(each["row"], each["part"], each["repeated"]) for each in found["lines"]] == [
        (2, "result", False), (3, "result", False),
    ]  # fmt: skip
    assert len(found["scan"]) == 2
    for case in (one, other):
        await place.worker.until(case, "EvidenceAttached")
    assert "EvidenceAttached" not in await place.worker.names(silent)

    number = await place.number(one)
    history = json.loads((await place.run("case", "history", number, "--json")).stdout)
    sentences = [each["sentence"] for each in history]
    sheet = result["sheet_id"]
    assert f"Signal recorded by fatima on behalf of embassy-nga, from sheet {sheet}." in sentences
    assert "Evidence attached: scan.pdf." in sentences
    digest = next(each["facts"]["file_hash"] for each in history if each["topic"] == "EvidenceAttached")
    got = await place.run("case", "file", number, digest[:10], "--out", place.file("again.pdf"))
    assert got.exit_code == ExitCode.DONE, got.output
    assert Path(place.file("again.pdf")).read_bytes() == SCAN
    assert len([path for path in (place.home / "files").rglob("*") if path.is_file()]) == 1

    again = await place.back("sheet.csv", "--scan", place.file("scan.pdf"))
    assert again.exit_code == ExitCode.DONE, again.output
    repeated = json.loads(again.stdout)
    assert all(each["repeated"] for each in (*repeated["lines"], *repeated["scan"]))
    report = await place.verified()
    assert {each["kind"] for each in report["findings"]} <= {"outbox-stuck"}, report["findings"]
    assert len([path for path in (place.home / "files").rglob("*") if path.is_file()]) == 1


async def test_rows_with_errors_end_partly_done_and_the_others_are_recorded(place: SheetWorkplace) -> None:
    one, other = await a_waiting_person(place.worker), await a_waiting_person(place.worker, MUSA)
    found = await place.office.issue()
    Path(place.file("sheet.csv")).write_bytes(filled(found, CONFIRMED, {"result": "Maybe", "withdrawal": "yes"}))

    done = await place.back()

    assert done.exit_code == ExitCode.PARTLY
    result = json.loads(done.stdout)
    assert result["counts"] == {"applied": 2}
    (bad,) = result["bad"]
    assert (bad["row"], bad["column"], bad["value"]) == (3, "Result", "Maybe")
    assert bad["todo"]
    assert "1 of 2 rows need attention" in done.stderr
    assert "NationalityConfirmed" in await place.worker.names(one)
    assert "WITHDRAWAL_REPORTED" in await place.worker.names(other)


async def test_a_line_held_for_review_ends_partly_done(place: SheetWorkplace) -> None:
    await a_waiting_person(place.worker)
    found = await place.office.issue()
    Path(place.file("sheet.csv")).write_bytes(filled(found, CONFIRMED))
    assert (await place.back()).exit_code == ExitCode.DONE
    Path(place.file("sheet.csv")).write_bytes(filled(found, {"result": "Not confirmed"}))
    done = await place.back()
    assert done.exit_code == ExitCode.PARTLY
    (line,) = json.loads(done.stdout)["lines"]
    assert (line["status"], line["cause"]) == ("quarantined", "CONFLICTING_OUTCOME")
    plain = await place.run("partner", "sheet", "in", place.file("sheet.csv"), "--partner", "embassy-nga")
    assert "CONFLICTING_OUTCOME" in plain.stdout


async def test_after_an_interruption_the_next_run_submits_the_rest(
    place: SheetWorkplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [await a_waiting_person(place.worker, person) for person in (MUSA, MUSA, MUSA)]
    Path(place.file("sheet.csv")).write_bytes(filled(await place.office.issue(), CONFIRMED, CONFIRMED, CONFIRMED))
    submit, count = PartnerIntake.submit, 0

    async def interrupted(self: PartnerIntake, *about: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return await submit(self, *about, **more)

    monkeypatch.setattr(PartnerIntake, "submit", interrupted)
    assert (await place.back()).exit_code == ExitCode.INTERRUPTED
    monkeypatch.undo()
    done = json.loads((await place.back()).stdout)
    assert [each["repeated"] for each in done["lines"]] == [True, True, False]
    for case in cases:
        names = await place.worker.names(case)
        assert names.count("NationalityConfirmed") == 1


@pytest.mark.parametrize("name", ["sheet.xlsx", "sheet.csv", "sheet.html"])
async def test_the_name_of_the_file_decides_its_format(place: SheetWorkplace, name: str) -> None:
    await a_waiting_person(place.worker)
    await place.out(name, "--language", "ar")
    raw = Path(place.file(name)).read_bytes()
    assert raw.startswith({"sheet.xlsx": b"PK", "sheet.csv": b"\xef\xbb\xbf", "sheet.html": b"<!doctype html>"}[name])


async def test_an_empty_sheet_is_reported(place: SheetWorkplace) -> None:
    await a_waiting_person(place.worker)
    done = await place.run(
        *("partner", "sheet", "out", "embassy-nga", "--sheet", "exit-list"), "--out", place.file("o.csv")
    )
    assert (done.exit_code, "The partner has no open referral for this kind of sheet" in done.output) == (
        ExitCode.DONE,
        True,
    )


async def test_invalid_arguments_have_exit_codes(place: SheetWorkplace) -> None:
    Path(place.file("x.csv")).write_text("a,b\n1,2")
    sheet = ("partner", "sheet")
    out = (*sheet, "out", "embassy-nga", "--sheet", "exit-list", "--out")
    for words, code in (
        ((*sheet, "out", "nobody", "--sheet", "exit-list", "--out", place.file("o.csv")), ExitCode.NOT_FOUND),
        ((*out, place.file("o.pdf")), ExitCode.USAGE),
        ((*sheet, "in", place.file("none.csv"), "--partner", "embassy-nga"), ExitCode.USAGE),
        ((*sheet, "in", place.file("x.csv"), "--partner", "embassy-nga"), ExitCode.USAGE),
        ((*sheet, "in", place.file("x.csv"), "--partner", "nobody"), ExitCode.NOT_FOUND),
        ((*sheet, "in", place.file("x.csv"), "--partner", "embassy-nga", "--as", "no user"), ExitCode.USAGE),
        (("case", "attach", "LBY-2026-999999", place.file("x.csv")), ExitCode.NOT_FOUND),
        (("case", "file", "LBY-2026-999999", "ab" * 32, "--out", place.file("o")), ExitCode.NOT_FOUND),
    ):
        done = await place.run(*words)
        assert done.exit_code == code, (words, done.output)


async def test_an_unusable_scan_is_reported_beside_recorded_lines(place: SheetWorkplace) -> None:
    case = await a_waiting_person(place.worker)
    Path(place.file("sheet.csv")).write_bytes(filled(await place.office.issue(), CONFIRMED))
    Path(place.file("scan.html")).write_text("<html>")
    done = await place.back("sheet.csv", "--scan", place.file("scan.html"))
    assert done.exit_code == ExitCode.PARTLY
    result = json.loads(done.stdout)
    assert (result["counts"], result["bad"][0]["column"]) == ({"applied": 1}, "scan")
    assert "EvidenceAttached" not in await place.worker.names(case)


async def test_a_file_is_attached_once_retrieved_by_its_digest_and_checked_by_verify(place: SheetWorkplace) -> None:
    case = await a_waiting_person(place.worker)
    number = await place.number(case)
    Path(place.file("p.png")).write_bytes(b"\x89PNG\r\n\x1a\n a passport")
    first = await place.run("case", "attach", number, place.file("p.png"), "--note", "seen", "--json")
    again = await place.run("case", "attach", number, place.file("p.png"), "--note", "seen", "--json")
    assert [json.loads(done.stdout)["repeated"] for done in (first, again)] == [False, True]
    await place.worker.until(case, "EvidenceAttached")
    wrong = await place.run("case", "attach", number, place.file("sheet.csv"))
    assert wrong.exit_code == ExitCode.USAGE
    assert (
        await place.run("case", "file", number, "00000000", "--out", place.file("o"))
    ).exit_code == ExitCode.NOT_FOUND

    files = [path for path in (place.home / "files").rglob("*") if path.is_file()]
    report = await place.verified()
    assert report["checked"]["files"] == 1
    assert [each for each in report["findings"] if each["kind"] == "file"] == []
    files[0].write_bytes(b"something else")
    (finding,) = [f for f in (await place.verified())["findings"] if f["kind"] == "file"]
    assert finding["case"] == number
    assert "differs from the file that was attached" in finding["detail"]
    files[0].unlink()
    (finding,) = [f for f in (await place.verified())["findings"] if f["kind"] == "file"]
    assert "missing from the content store" in finding["detail"]


# The page for partners


async def test_the_commands_on_the_page_about_sheets_work_as_printed(place: SheetWorkplace) -> None:
    page = (PAGES / "sheets.md").read_text(encoding="utf-8")
    printed = [shlex.split(line) for line in page.splitlines() if line.startswith("awda ")]
    case = await a_waiting_person(place.worker, MUSA)
    Path(place.file("session.pdf")).write_bytes(SCAN)

    async def ran(words: list[str]) -> Result:
        here = [place.file(word) if Path(word).suffix in {".xlsx", ".html", ".pdf"} else word for word in words[1:]]
        done: Result = await place.run(*here)
        assert done.exit_code == ExitCode.DONE, (words, done.output)
        return done

    for words in printed[:2]:
        await ran(words)
    completed = filled(await place.office.issue(), CONFIRMED, written="xlsx")
    Path(place.file("session.xlsx")).write_bytes(completed)
    for words in printed[2:]:
        await ran(words)

    assert [words[3] for words in printed] == ["out", "out", "in", "in"]
    await place.worker.until(case, "NationalityConfirmed")
    await place.worker.until(case, "EvidenceAttached")
