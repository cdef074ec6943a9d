"""Sheets on real servers: issued, completed and collected; repeated, incomplete, wrong, with codes exchanged.

Nobody may be listed on a sheet who must not be.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook

from domain.case.aggregate import Case
from domain.kernel.vocabulary import ReferralKind
from domain.referral.sheets import SheetKind, parse_code, printed_code, row_code
from gateway.intake.service import Intake
from gateway.intake.staff import StaffIntake
from gateway.intake.submission import SubmissionResult
from gateway.sheets import issue as sheet_issue
from gateway.sheets.rendering import WRITTEN, as_csv, as_html, as_xlsx
from store.crypto.keys import MasterKey
from store.messages.outbox import Outbox
from store.partners.sheets import RowTarget, line_id_of
from tests.gateway.conftest import an_app
from tests.support.builders import AMINATA, FLIGHT
from tests.support.databases import Database
from tests.support.journey_steps import FLIGHT as PLANNED
from tests.support.journey_steps import a_taken_message
from tests.support.running_worker import RunningWorker, a_running_worker
from tests.support.sheets import MUSA, SheetOffice, a_waiting_person, filled, wait_for_referral, with_partners
from workers.embedded.installation import Servers

CONFIRMED = {"result": "NATIONALITY_CONFIRMED", "date": "2026-11-23"}

AT = "2026-11-23T08:00:00+00:00"


@asynccontextmanager
async def an_office(
    database: Database, servers: Servers, intake: Intake
) -> AsyncIterator[tuple[RunningWorker, SheetOffice]]:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at(AT)
        await with_partners(intake)
        yield worker, SheetOffice(intake)


# Issuing


async def test_a_sheet_shows_the_minimum_data_and_an_opaque_code_and_records_the_disclosure(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        found = await office.issue()
        (row,) = found.page.rows
        assert set(row.person) == {"family_name", "given_names", "sex", "date_of_birth", "dob_precision", "nationality"}
        assert parse_code(printed_code(row.code)) == row.code
        for written in WRITTEN.values():
            raw = written(found.page)
            assert b"LBY-" not in raw
            assert str(AMINATA.phone).encode() not in raw
        names = await worker.names(case)
        assert names.count("ReferralListed") == 1
        disclosures = [event for event in await worker.log(case) if event.name == "DisclosureRecorded"]
        assert disclosures[-1].facts["recipient"] == "embassy-nga"
        assert set(disclosures[-1].facts["fields"]) == set(row.person)


async def test_the_same_sheet_on_the_same_day_is_the_same_and_discloses_nothing_new(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        one, other = await office.issue(), await office.issue(language="ar")
        assert one.page.sheet == other.page.sheet
        assert [row.code for row in one.page.rows] == [row.code for row in other.page.rows]
        assert (await worker.names(case)).count("ReferralListed") == 1
        await office.issue(user="omar")
        assert (await worker.names(case)).count("ReferralListed") == 2, "another reader is another disclosure"
        await worker.after(days=1)
        next_day = await office.issue()
        assert next_day.page.sheet.sheet_id != one.page.sheet.sheet_id
        assert next_day.page.rows[0].code != one.page.rows[0].code


async def test_a_person_under_a_protection_hold_or_without_consent_is_not_listed(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        held, unwilling, listed = [await a_waiting_person(worker, person) for person in (AMINATA, MUSA, AMINATA)]
        await a_taken_message(worker, held, "PlaceHold", hold_type="PROTECTION", reason="protection concern")
        await a_taken_message(worker, unwilling, "WithdrawConsent", purpose="SHARE_EMBASSY")
        found = await office.issue()
        assert len(found.page.rows) == 1
        assert (await worker.names(listed)).count("ReferralListed") == 1
        assert "ReferralListed" not in await worker.names(held) + await worker.names(unwilling)
        assert {each.rule for each in found.left_out} <= {"HOLD.PROTECTION", "CONSENT.SHARE_EMBASSY"}, "neutral words"


async def test_a_hold_placed_while_the_sheet_is_issued_is_respected_where_the_listing_is_recorded(
    database: Database, servers: Servers, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        sending = StaffIntake.send

        async def hold_placed_first(self: StaffIntake, number: str, name: object, fields: Any, **about: Any) -> Any:
            await a_taken_message(worker, case, "PlaceHold", hold_type="PROTECTION", reason="at the last moment")
            return await sending(self, number, name, fields, **about)

        monkeypatch.setattr(StaffIntake, "send", hold_placed_first)
        found = await office.issue()
        assert found.page.rows == ()
        assert {each.rule for each in found.left_out} <= {"HOLD.PROTECTION", "REFERRAL.OVER"}
        assert "ReferralListed" not in await worker.names(case)


async def test_a_listing_that_was_refused_earlier_is_submitted_again(
    database: Database, servers: Servers, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        sending = StaffIntake.send

        async def refused_at_first(self: StaffIntake, number: str, name: object, fields: Any, **about: Any) -> Any:
            if about["key"].endswith("-0"):
                return SubmissionResult(uuid4(), "refused", "", datetime.now(UTC), number, repeated=True)
            return await sending(self, number, name, fields, **about)

        monkeypatch.setattr(StaffIntake, "send", refused_at_first)
        assert len((await office.issue()).page.rows) == 1
        assert "ReferralListed" in await worker.names(case)


async def test_a_listing_that_is_not_recorded_yet_is_not_on_the_sheet(
    database: Database, servers: Servers, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        monkeypatch.setattr(worker.recording, "catch_up", _unavailable)
        found = await office.issue(seconds=0.2)
        assert found.page.rows == ()
        assert [each.rule for each in found.left_out] == ["NOT_RECORDED_YET"]
        monkeypatch.undo()
        await worker.until(case, "ReferralListed", 60)
        assert len((await office.issue()).page.rows) == 1


async def _unavailable(_order: object) -> None:
    raise TimeoutError


async def test_a_sheet_for_a_flight_lists_only_people_with_a_seat_on_it(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        on_it, _not_on_it = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        exits = SheetOffice(intake, "exit-authority", SheetKind.EXIT_LIST)
        await have_documents(worker, office)
        await wait_for_referral(worker, on_it, "EXIT_PERMIT")
        await is_seated(worker, on_it)
        assert len((await exits.issue()).page.rows) == 2
        (row,) = (await exits.issue(movement=FLIGHT["movement"])).page.rows
        assert row.person["family_name"] == "Okafor"
        assert row.person["document"] == "LP-1"
        assert row.person["flight"]["movement"] == FLIGHT["movement"]
        assert (await exits.issue(movement="MOV-2026-NONE")).page.rows == ()


async def test_data_that_became_known_after_the_listing_is_on_the_next_sheet_only(
    database: Database, servers: Servers, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        await a_waiting_person(worker, MUSA)
        await have_documents(worker, office)
        await wait_for_referral(worker, case, "EXIT_PERMIT")
        exits = SheetOffice(intake, "exit-authority", SheetKind.EXIT_LIST)
        settled = sheet_issue.until_settled

        async def seated_meanwhile(*about: Any) -> Any:
            found = await settled(*about)
            await is_seated(worker, case)
            return found

        monkeypatch.setattr(sheet_issue, "until_settled", seated_meanwhile)
        first = await exits.issue()
        monkeypatch.undo()
        assert all("flight" not in row.person for row in first.page.rows)
        second = await exits.issue()
        assert [row.person["flight"]["movement"] for row in second.page.rows if "flight" in row.person] == [
            FLIGHT["movement"]
        ]
        disclosures = [event.facts for event in await worker.log(case) if event.name == "DisclosureRecorded"]
        assert ["flight" in each["fields"] for each in disclosures if each["recipient"] == "exit-authority"][-2:] == [
            False,
            True,
        ]


def test_the_id_of_a_line_does_not_reveal_its_content() -> None:
    placed = RowTarget(
        "12345678", uuid4(), uuid4(), uuid4(), ReferralKind.MEDICAL_ASSESSMENT, "p", "t", datetime.now(UTC)
    )
    ids = [
        line_id_of(MasterKey(bytes([key]) * 32), placed, part, {"outcome_code": code})
        for key in (1, 2)
        for part in ("result", "concern")
        for code in ("FIT", "UNFIT")
    ]
    assert len(set(ids)) == len(ids)


async def have_documents(worker: RunningWorker, office: SheetOffice) -> None:
    """Confirms the nationality of both people and issues their documents, with two sheets."""
    lines, errors = await office.collect_filled(await office.issue(), CONFIRMED, CONFIRMED)
    assert [each.status for each in lines] == ["applied", "applied"], (lines, errors)
    await worker.rests()
    issued = {"result": "Issued", "document kind": "Laissez-passer", "expires on": "22/01/2027"}
    second = await office.issue()
    rows = [{**issued, "document number": f"LP-{count}"} for count in (1, 2)]
    lines, errors = await office.collect_filled(second, *rows)
    assert [each.status for each in lines] == ["applied", "applied"], (lines, errors)
    await worker.rests()


async def is_seated(worker: RunningWorker, case: UUID) -> None:
    """Completes what a seat requires, and waits for the seat on the example flight."""
    flight = await worker.begin("PlanMovement", kind="movement", called=PLANNED["number"], **PLANNED)
    assert flight.stream_id is not None
    await a_taken_message(worker, flight.stream_id, "ConfirmMovement", carrier="charter")
    await a_taken_message(worker, case, "AssessSafetyOfReturn", area="NG-LA", result="SAFE", advisory_version="2026-3")
    await worker.receive_signal(case, "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    await a_taken_message(worker, case, "AllocateFunding", project="VHR-1", until="2027-12-31T00:00:00+00:00")
    about = {name: PLANNED[name] for name in ("std", "sta")} | {"movement": PLANNED["number"]}
    await a_taken_message(worker, case, "NominatePassenger", **about, movement_id=str(flight.stream_id))
    await worker.until(case, "SeatReserved")
    await worker.rests()


async def test_a_sheet_settles_pending_manual_deliveries(database: Database, servers: Servers, intake: Intake) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        by_hand, delivered = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        outbox = Outbox(intake.pool)
        before = {line.stream_id: line.outbox_id for line in await outbox.of_partner("embassy-nga")}
        assert await outbox.to_hand(before[by_hand], "NO_RECEIVER")

        assert len((await office.issue()).page.rows) == 2

        after = {line.stream_id: line for line in await outbox.of_partner("embassy-nga")}
        assert (after[by_hand].status, after[delivered].status) == ("delivered", "pending")
        assert all(line.begun_at is not None for line in after.values())


# Round trips


@pytest.mark.parametrize(("written", "language"), [("csv", "en"), ("xlsx", "fr"), ("xlsx", "ar")])
async def test_an_embassy_session_is_collected_as_signals_that_name_their_recorder(
    database: Database, servers: Servers, intake: Intake, written: str, language: str
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        confirmed, absent = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        found = await office.issue(language=language)
        words = {"fr": ("Nationalité confirmée", "23/11/2026"), "ar": ("تم تأكيد الجنسية", "٢٣/١١/٢٠٢٦")}
        result, date = words.get(language, ("Nationality confirmed", "2026-11-23"))
        rows = ({"result": result, "date": date}, {"result": "VERIFICATION_IN_CAPITAL", "note": "six weeks"})

        lines, errors = await office.collect_filled(found, *rows, written=written)

        assert errors == []
        assert [(each.part, each.status, each.repeated) for each in lines] == [("result", "applied", False)] * 2
        assert "NationalityConfirmed" in await worker.names(confirmed)
        assert "NationalityConfirmed" not in await worker.names(absent)
        assert "ReferralProgressReported" in await worker.names(absent)
        events = {event.name: event for event in await worker.log(confirmed)}
        sheet_id = found.page.sheet.sheet_id
        assert events["SignalRecordedOnBehalf"].say() == (
            f"Signal recorded by fatima on behalf of embassy-nga, from sheet {sheet_id}."
        )
        row = await intake.pool.fetchrow(
            "SELECT actor, source, kind FROM inbox WHERE message_id = $1", lines[0].message_id
        )
        assert row is not None
        assert tuple(row) == ("staff:fatima", "partner:embassy-nga", "signal")


async def test_a_clinic_afternoon_is_collected_and_a_restrictive_result_needs_nothing_else(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, _):
        well, ill = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        clinic = SheetOffice(intake, "clinic-misrata", SheetKind.CLINIC_AFTERNOON)
        found = await clinic.issue()
        assert {"phone", "languages"} <= set(found.page.rows[0].person)
        assert "nationality" not in found.page.rows[0].person
        well_row = {"result": "No significant condition", "date": "22/11/2026", "valid until": "٢٠٢٧-٠٢-٢٠"}
        ill_row = {"result": "Treatment required", "valid until": "next spring"}

        lines, errors = await clinic.collect_filled(found, well_row, ill_row, written="xlsx")

        assert {each.status for each in lines} == {"applied"}
        assert [(each.column, each.value) for each in errors] == [("Valid until", "next spring")]
        state = await worker.state(well)
        assert isinstance(state, Case)
        assert "MEDICAL_ASSESSMENT" in state.clearances
        assert "HoldPlaced" in await worker.names(ill)


async def test_an_exit_list_and_a_reception_desk_are_collected(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        granted, refused = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        await have_documents(worker, office)
        for case in (granted, refused):
            await wait_for_referral(worker, case, "EXIT_PERMIT")
        exits = SheetOffice(intake, "exit-authority", SheetKind.EXIT_LIST)
        permit = {"result": "Granted", "permit number": "X-7", "airport": "Mitiga", "expires on": "05.01.2027"}
        lines, errors = await exits.collect_filled(
            await exits.issue(), permit, {"result": "Refusé", "reason class": "منع من السفر"}
        )
        assert ({each.status for each in lines}, errors) == ({"applied"}, [])
        given = next(event for event in await worker.log(granted) if event.name == "ExitPermitGranted")
        assert given.facts == {"airport": "MJI", "expires_on": given.facts["expires_on"], "permit_number": "X-7"}
        assert "ExitPermitRefused" in await worker.names(refused)

        await is_seated(worker, granted)
        await worker.at("2026-12-01T08:00:00+00:00")
        await wait_for_referral(worker, granted, "RECEPTION")
        reception = SheetOffice(intake, "reception-nga", SheetKind.RECEPTION_DESK)
        lines, errors = await reception.collect_filled(await reception.issue(), {"result": "Reception confirmed"})
        assert ([each.status for each in lines], errors) == (["applied"], [])
        state = await worker.state(granted)
        assert isinstance(state, Case)
        assert "RECEPTION_CONFIRMED" in state.clearances


# Repeated, corrected and incomplete sheets


async def test_the_same_sheet_submitted_twice_by_two_users_has_an_effect_once(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        raw = filled(await office.issue(), CONFIRMED)
        first, _ = await office.collect("a.csv", raw)
        before = await partner_events(worker, case)
        again, errors = await office.collect("b.csv", raw, user="omar")
        assert await plaintext_words(intake) == set()
        assert (first[0].message_id, first[0].repeated) == (again[0].message_id, False)
        assert (again[0].repeated, again[0].status, errors) == (True, "applied", [])
        await worker.rests()
        assert await partner_events(worker, case) == before


async def plaintext_words(intake: Intake) -> set[str]:
    """Returns the personal data that is stored unencrypted in the tables of sheets and messages."""
    tables = ("sheets", "sheet_rows", "sheet_lines", "inbox", "outbox", "referral_tokens")
    rows = [row[0] for name in tables for row in await intake.pool.fetch(f"SELECT {name}::text FROM {name}")]  # noqa: S608
    words = ("Okafor", "Aminata", "NATIONALITY_CONFIRMED", "1996-04-02")
    return {word for word in words for row in rows if word in row or word.encode().hex() in row}


async def partner_events(worker: RunningWorker, case: UUID) -> list[str]:
    return [event.name for event in await worker.log(case) if "signal_id" in event.facts]


async def test_a_corrected_row_is_a_new_fact_and_a_restored_result_is_reported(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        found = await office.issue()
        await office.collect_filled(found, CONFIRMED)
        (corrected,), errors = await office.collect_filled(found, {"result": "Not confirmed", "date": "2026-11-23"})
        assert (corrected.status, corrected.result["cause"], errors) == ("quarantined", "CONFLICTING_OUTCOME", [])
        (again,), errors = await office.collect_filled(found, CONFIRMED)
        assert again.repeated
        assert [each.problem for each in errors] == [
            "the same result was submitted before, and has been replaced by another result since"
        ]
        assert (await worker.names(case)).count("PartnerSignalQuarantined") == 1


async def test_empty_rows_are_ignored_and_the_order_of_rows_does_not_matter(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        answered, silent = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        raw = filled(await office.issue(), CONFIRMED).decode()
        heads, *rows = raw.splitlines()
        lines, errors = await office.collect("sheet.csv", "\n".join([heads, *reversed(rows)]).encode())
        assert ([each.status for each in lines], errors) == (["applied"], [])
        assert "NationalityConfirmed" in await worker.names(answered)
        assert "NationalityConfirmed" not in await worker.names(silent)


async def test_row_codes_that_were_moved_to_other_people_are_detected(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        found = await office.issue()
        one, other = (printed_code(row.code) for row in found.page.rows)
        raw = filled(found, CONFIRMED, {"result": "Not confirmed", "withdrawal": "yes"}).decode()
        moved = raw.replace(one, "???").replace(other, one).replace("???", other)

        lines, errors = await office.collect("sheet.csv", moved.encode())

        results = [each for each in lines if each.part == "result"]
        assert {(each.status, each.result["cause"]) for each in results} == {("quarantined", "IDENTITY_MISMATCH")}
        assert [(each.column, each.value) for each in errors] == [("Given names", "Musa")]
        assert "person with another name" in errors[0].problem


# Wrong row codes, and row codes of other people


async def test_an_unknown_row_code_is_reported_and_the_persons_statement_is_kept_for_review(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        found = await office.issue()
        code = printed_code(found.page.rows[0].code)
        raw = filled(found, {**CONFIRMED, "withdrawal": "yes"}).decode()
        before = await worker.names(case)
        for wrong, problem in (
            (row_code("1234567"), "not on any sheet"), (code[:-1], "wrong character"), ("", "no row code"),
        ):  # fmt: skip
            lines, errors = await office.collect("sheet.csv", raw.replace(code, wrong).encode())
            assert [(each.part, each.status) for each in lines] == [("withdrawal", "quarantined")]
            assert lines[0].result["cause"] == "UNKNOWN_TOKEN"
            assert len(errors) == 1
            assert problem in errors[0].problem, (wrong, errors)
        assert await worker.names(case) == before


async def test_a_row_code_of_another_partner_is_reported_like_one_that_does_not_exist(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        raw = filled(await office.issue(), {**CONFIRMED, "concern": "she fears her uncle"})
        clinic = SheetOffice(intake, "clinic-misrata", SheetKind.CLINIC_AFTERNOON)
        lines, (error,) = await clinic.collect("sheet.csv", raw)
        assert error.problem == "this row code is not on any sheet of this partner"
        assert [each.part for each in lines] == ["concern"], "the person's own statement is never lost"
        assert lines[0].status in ("quarantined", "applied")
        assert "NationalityConfirmed" not in await worker.names(case)


async def test_two_rows_of_one_code_that_disagree_permit_nothing(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, _):
        case = await a_waiting_person(worker)
        clinic = SheetOffice(intake, "clinic-misrata", SheetKind.CLINIC_AFTERNOON)
        found = await clinic.issue()
        fit = filled(found, {"result": "No significant condition", "date": "22/11/2026"}).decode().splitlines()
        ill = filled(found, {"result": "UNFIT_TEMPORARY"}).decode().splitlines()
        lines, errors = await clinic.collect("sheet.csv", "\n".join([*fit, ill[1]]).encode())
        assert [each.row for each in errors] == [2, 3]
        assert [(each.row, each.status) for each in lines] == [(3, "applied")]
        assert "ClearanceGranted" not in (await worker.names(case))[-8:]


# Statements of the person


async def test_the_persons_statement_is_submitted_first_whatever_else_is_wrong_in_the_row(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        willing, unwilling = await a_waiting_person(worker), await a_waiting_person(worker, MUSA)
        found = await office.issue()
        rows = (CONFIRMED, {"result": "Konfirmed", "date": "yesterday", "withdrawal": "??", "concern": "=her brother"})

        lines, errors = await office.collect_filled(found, *rows, written="xlsx")

        assert [(each.part, each.status) for each in lines] == [
            ("withdrawal", "applied"), ("concern", "applied"), ("result", "applied"),
        ]  # fmt: skip
        assert [(each.column, each.value) for each in errors] == [("Result", "Konfirmed")]
        state = await worker.state(unwilling)
        assert isinstance(state, Case)
        assert {hold.type.value for hold in state.holds.values()} == {"CONSENT", "PROTECTION"}
        assert "WITHDRAWAL_REPORTED" not in await worker.names(willing)
        concern = [event for event in await worker.log(unwilling) if event.name == "CONCERN_REPORTED"]
        assert concern[0].facts["content"]["reason"] == "=her brother", "taken as text, and sealed"


async def test_the_persons_statement_is_accepted_on_a_sheet_of_a_referral_that_has_ended(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, office):
        case = await a_waiting_person(worker)
        found = await office.issue()
        await office.collect_filled(found, CONFIRMED)
        (late,), _ = await office.collect_filled(found, {"withdrawal": "نعم"})
        assert late.status == "applied"
        state = await worker.state(case)
        assert isinstance(state, Case)
        assert "CONSENT" in {hold.type.value for hold in state.holds.values()}


# Formulas, limits


async def test_a_name_that_is_a_formula_is_written_and_read_as_text(
    database: Database, servers: Servers, intake: Intake
) -> None:
    evil = MUSA.model_copy(update={"given_names": '=HYPERLINK("http://x","y")', "family_name": "@SUM(1)"})
    async with an_office(database, servers, intake) as (worker, office):
        await a_waiting_person(worker, evil)
        found = await office.issue()
        sheet = load_workbook(io.BytesIO(as_xlsx(found.page))).worksheets[0]
        assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
        assert "'=HYPERLINK" in as_csv(found.page).decode()
        assert ",=" not in as_csv(found.page).decode()
        assert "'@SUM" in as_csv(found.page).decode()
        lines, errors = await office.collect_filled(found, CONFIRMED)
        assert ([each.status for each in lines], errors) == (["applied"], [])


async def test_a_printed_page_has_no_script_and_is_right_to_left_in_arabic(
    database: Database, servers: Servers, intake: Intake
) -> None:
    evil = MUSA.model_copy(update={"given_names": "<script>alert(1)</script>"})
    async with an_office(database, servers, intake) as (worker, office):
        await a_waiting_person(worker, evil)
        page = as_html((await office.issue(language="ar")).page).decode()
        assert '<html lang="ar" dir="rtl">' in page
        assert "<script" not in page
        assert "&lt;script&gt;" in page
        assert "تم تأكيد الجنسية" in page


# Over HTTP


async def test_a_sheet_is_issued_completed_and_collected_over_http(
    database: Database, servers: Servers, intake: Intake, tmp_path: Any
) -> None:
    async with (
        an_office(database, servers, intake) as (worker, office),
        an_app(database, files=tmp_path / "files") as client,
    ):
        case = await a_waiting_person(worker)
        where = "/api/v1/partners/embassy-nga/sheets"
        client.headers |= {"Idempotency-Key": "k", "X-Awda-User": "fatima"}
        sheet = (await client.post(f"{where}/embassy-session")).json()
        assert sheet["left_out"] == []
        assert sheet["rows"][0]["person"]["family_name"] == "Okafor"
        book = await client.post(f"{where}/embassy-session", params={"format": "xlsx", "language": "fr"})
        assert book.headers["content-disposition"] == (
            'attachment; filename="embassy-session-embassy-nga-2026-11-23.xlsx"'
        )
        assert book.headers["x-awda-left-out"] == "0"
        page = await client.post(f"{where}/embassy-session", params={"format": "html"})
        assert page.headers["content-security-policy"].startswith("default-src 'none'")

        found = await office.issue(language="fr")
        media = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
        raw = filled(found, CONFIRMED, written="xlsx")
        headers = {"content-type": media["xlsx"], "X-Awda-User": "fatima"}
        dry = await client.post(where, content=raw, headers=headers, params={"dry_run": True})
        assert (dry.json()["would_hand_in"], dry.json()["bad"]) == (1, [])
        done = await client.post(where, content=raw, headers={**headers, "Prefer": "wait=20"})
        assert done.status_code == 200
        assert (done.json()["done"], done.json()["counts"]) == (True, {"applied": 1})
        assert "NationalityConfirmed" in await worker.names(case)

        scan = await client.post(
            f"{where}/{sheet['sheet_id']}/scan", content=b"%PDF-1.7 signed", headers={"content-type": "application/pdf"}
        )
        assert scan.status_code == 202, scan.text
        await worker.until(case, "EvidenceAttached")
        attached = next(event for event in await worker.log(case) if event.name == "EvidenceAttached")
        number = await intake.pool.fetchval("SELECT number FROM streams WHERE stream_id = $1", case)
        file = await client.get(f"/api/v1/cases/{number}/files/{attached.facts['file_hash'][:12]}")
        assert (file.content, file.headers["content-type"]) == (b"%PDF-1.7 signed", "application/pdf")
        assert file.headers["content-disposition"].startswith("attachment;")
        assert "sandbox" in file.headers["content-security-policy"]


async def test_the_same_key_returns_the_same_sheet_and_records_nothing_twice_even_on_another_day(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with an_office(database, servers, intake) as (worker, _), an_app(database) as client:
        case = await a_waiting_person(worker)
        where = "/api/v1/partners/embassy-nga/sheets/embassy-session"
        client.headers |= {"Idempotency-Key": "monday", "X-Awda-User": "fatima"}
        first = (await client.post(where)).json()
        recorded = await worker.names(case)
        assert recorded.count("ReferralListed") == 1

        await worker.after(days=1)
        again = (await client.post(where, params={"language": "ar"})).json()

        assert (again["sheet_id"], again["rows"][0]["row_code"]) == (first["sheet_id"], first["rows"][0]["row_code"])
        assert await worker.names(case) == recorded
        other = await client.post(where.replace("embassy-session", "exit-list"))
        assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
        fresh = (await client.post(where, headers={"Idempotency-Key": "tuesday"})).json()
        assert fresh["sheet_id"] != first["sheet_id"]


async def test_a_get_request_issues_no_sheet(database: Database, servers: Servers, intake: Intake) -> None:
    async with an_office(database, servers, intake) as (worker, _), an_app(database) as client:
        case = await a_waiting_person(worker)
        headers = {"Idempotency-Key": "k"}
        for method in ("GET", "HEAD"):
            answer = await client.request(
                method, "/api/v1/partners/embassy-nga/sheets/embassy-session", headers=headers
            )
            assert answer.status_code == 405
        assert "ReferralListed" not in await worker.names(case)
        assert await intake.pool.fetchval("SELECT count(*) FROM sheets") == 0


async def test_an_invalid_sheet_request_is_a_problem_with_a_next_step(
    database: Database, servers: Servers, intake: Intake
) -> None:
    await with_partners(intake)
    async with an_app(database) as client:
        where = "/api/v1/partners/embassy-nga/sheets"
        csv, key = {"content-type": "text/csv"}, {"Idempotency-Key": "k"}
        cases = [
            (await client.post("/api/v1/partners/nobody/sheets", content=b"x", headers=csv), 404),
            (await client.post(f"{where}/exit-list"), 400),
            (await client.post(f"{where}/exit-list", headers={"Idempotency-Key": "a b"}), 400),
            (await client.post("/api/v1/partners/nobody/sheets/exit-list", headers=key), 404),
            (await client.post(f"{where}/horoscopes", headers=key), 422),
            (await client.post(f"{where}/exit-list", params={"flight": "'; drop table"}, headers=key), 422),
            (await client.post(where, content=b"x", headers={"content-type": "text/plain"}), 415),
            (await client.post(where, content=b"a,b\n1,2", headers=csv), 422),
            (await client.post(where, content=b"x" * 4_000_001, headers=csv), 413),
            (await client.post(f"{where}/{uuid4()}/scan", content=b"%PDF-"), 400),
            (await client.post(f"{where}/{uuid4()}/scan", content=b"%PDF-", headers=key), 404),
        ]
        for answer, status in cases:
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
