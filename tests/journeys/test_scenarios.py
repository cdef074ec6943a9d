"""The scenarios of partner signals on real servers: duplicate, out of order, late, and missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from domain.case.aggregate import Case
from domain.events.case import ClearanceRevoked, HoldPlaced, StageReopened, TaskRaised
from domain.events.partner_report import ReferralCompleted
from domain.events.signal import LateSignalRecorded, PartnerSignalIgnored
from domain.kernel.event import Event
from domain.kernel.vocabulary import ClearanceKind, Phase, ReferralStatus, Stage, Timeliness
from tests.support.databases import Database
from tests.support.journey_steps import a_cleared_case, a_screened_case, a_taken_message
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers

MONDAY = "2026-11-23T08:00:00+00:00"


async def test_sc_02_a_conflicting_clinic_result_waits_for_a_person_and_then_holds_the_case(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at(MONDAY)
        case = await a_cleared_case(worker)
        before = len(await worker.log(case))
        first = next(event for event in await worker.log(case) if isinstance(event, ReferralCompleted))

        same = await worker.receive_signal(
            case, "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION", signal_id=first.signal_id
        )
        assert same["status"] == "applied"
        assert len(await worker.log(case)) == before, "a technical duplicate leaves no event"

        again = await worker.receive_signal(case, "MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
        assert (again["status"], again["cause"]) == ("ignored", "ALREADY_TERMINAL_SAME_OUTCOME")
        doubtful = uuid4()
        other = await worker.receive_signal(
            case, "MEDICAL_ASSESSMENT", "COMPLETED", "TREATMENT_REQUIRED", signal_id=doubtful
        )
        assert (other["status"], other["cause"]) == ("quarantined", "CONFLICTING_OUTCOME")
        state = await a_case(worker, case)
        assert state.has_clearance(ClearanceKind.MEDICAL_ASSESSMENT, state.modified_on), "not decided yet"

        await a_taken_message(
            worker, case, "ResolveQuarantinedSignal", signal_id=str(doubtful), decision="AMEND", reason="clinic called"
        )

        after = (await worker.log(case))[before:]
        assert names_of(after, TaskRaised) == [
            "PartnerSignalIgnored",
            "PartnerSignalQuarantined",
            "QuarantinedSignalResolved",
            "ReferralOutcomeAmended",
            "ClearanceRevoked",
            "HoldPlaced",
            "StageReopened",
        ]
        assert [event.kind for event in after if isinstance(event, ClearanceRevoked)] == [
            ClearanceKind.MEDICAL_ASSESSMENT
        ]
        assert [event.hold_type for event in after if isinstance(event, HoldPlaced)] == ["MEDICAL"]
        assert [event.stage for event in after if isinstance(event, StageReopened)] == [Stage.MEDICAL]


async def test_sc_03_an_embassy_that_says_done_first_is_believed_and_its_late_steps_change_nothing(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at(MONDAY)
        case = await a_screened_case(worker)
        await worker.until(case, "ReferralSent")
        before = len(await worker.log(case))

        await worker.receive_signal(case, "CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
        late = [await worker.receive_signal(case, "CONSULAR_IDENTITY", step) for step in ("ACKNOWLEDGED", "ACCEPTED")]

        after = (await worker.log(case))[before:]
        completed = next(event for event in after if isinstance(event, ReferralCompleted))
        assert completed.inferred_steps == ("ACCEPTED", "STARTED")
        assert "NationalityConfirmed" in [event.name for event in after]
        assert [result["cause"] for result in late] == ["OUT_OF_ORDER_SUPERSEDED"] * 2
        assert len([event for event in after if isinstance(event, PartnerSignalIgnored)]) == 2


async def test_sc_04_a_critical_result_for_a_cancelled_referral_is_kept_and_a_medical_officer_is_called(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at(MONDAY)
        case = await a_screened_case(worker)
        await a_taken_message(worker, case, "CreateReferral", kind="SPECIALIST_CARE")
        hospital = [
            found for found in (await a_case(worker, case)).referrals.values() if found.asked_kind == "SPECIALIST_CARE"
        ]
        await a_taken_message(
            worker, case, "CancelReferral", referral_id=str(hospital[0].referral_id), reason="wrong person"
        )
        before = len(await worker.log(case))

        result = await worker.receive_signal(case, "SPECIALIST_CARE", "COMPLETED", "ADMITTED")

        assert (result["status"], result["cause"]) == ("late", "REFERRAL_CANCELLED")
        after = (await worker.log(case))[before:]
        assert [event.name for event in after] == ["LateSignalRecorded", "HoldPlaced", "TaskRaised"]
        task = next(event for event in after if isinstance(event, TaskRaised))
        assert task.queue == "MEDICAL_OFFICER"
        assert task.due - task.timestamp == timedelta(hours=4)
        state = await a_case(worker, case)
        assert state.referrals[hospital[0].referral_id].status is ReferralStatus.CANCELLED


async def test_sc_05_after_closure_only_what_is_material_proposes_to_reopen_and_a_person_decides(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at(MONDAY)
        case = await a_screened_case(worker)
        await worker.until(case, "ReferralSent")
        await a_taken_message(worker, case, "WithdrawVoluntaryReturn", channel="HOTLINE")
        await a_taken_message(worker, case, "CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="fatima")
        await worker.after(days=20)

        confirmed = await worker.receive_signal(case, "CONSULAR_IDENTITY", "COMPLETED", "NATIONALITY_CONFIRMED")
        assert (confirmed["status"], confirmed["cause"]) == ("late", "CASE_CLOSED")
        assert "CaseReopenProposed" not in await worker.names(case), "not material"

        concern = await worker.receive_signal(
            case, "MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="abuse in detention"
        )
        assert concern["status"] == "late"
        assert (await worker.names(case))[-1] == "CaseReopenProposed"
        assert (await a_case(worker, case)).phase is Phase.CLOSED, "only a person reopens"

        await a_taken_message(worker, case, "ReopenCase", target_phase="INTAKE", reason="new facts")
        opened = await worker.until(case, "StageOpened", times=5)  # screening is done again
        await worker.rests()
        assert (await a_case(worker, case)).phase is Phase.INTAKE
        assert opened.count("StageOpened") == 5
        late = [event for event in await worker.log(case) if isinstance(event, LateSignalRecorded)]
        assert {event.disposition for event in late} == {"CASE_CLOSED"}


async def test_sc_20_an_embassy_that_never_answers_climbs_the_ladder_in_working_days(
    database: Database, servers: Servers
) -> None:
    async with a_running_worker(database, servers) as worker:
        await worker.stands_at("2026-12-20T08:00:00+00:00")  # Sunday; the 24th is a holiday, the 25th a Friday
        case = await a_screened_case(worker)
        await worker.until(case, "ReferralSent")
        embassy = next(
            ref for ref in (await a_case(worker, case)).referrals.values() if ref.partner_id == "embassy-nga"
        )
        assert embassy.dues["ack"] == datetime(2026, 12, 23, 15, 0, tzinfo=UTC), "three working days, 17:00 in Tripoli"

        await worker.at("2027-01-04T08:00:00+00:00")
        silence = [event.name for event in await worker.log(case) if about(event, embassy.referral_id)]
        assert silence[2:] == [
            "ReferralReminderSent",
            "ReferralOverdue",
            "ReferralReminderSent",
            "ReferralEscalated",
            "ReferralEscalated",
        ]
        levels = [event for event in await worker.log(case) if about(event, embassy.referral_id)][-2:]
        assert [(event.facts["level"], event.timestamp.date().isoformat()) for event in levels] == [
            ("L1", "2026-12-29"),
            ("L2", "2027-01-03"),  # with the digest of the next working morning
        ]

        await worker.receive_signal(case, "CONSULAR_IDENTITY", "ACKNOWLEDGED")
        assert (await a_case(worker, case)).referrals[embassy.referral_id].timeliness is Timeliness.ON_TIME
        await worker.receive_signal(case, "CONSULAR_IDENTITY", "ACCEPTED")
        await worker.at(embassy.dues["stands"] + timedelta(days=1))
        assert "ReferralOverdue" in [
            event.name for event in (await worker.log(case))[-20:] if about(event, embassy.referral_id)
        ]
        await a_taken_message(
            worker, case, "ConfirmReferralExpiry", referral_id=str(embassy.referral_id), reason="silent"
        )
        other = await worker.told(
            case, "ReassignReferral", referral_id=str(embassy.referral_id), partner_id="embassy-gha", reason="none"
        )
        assert other["rule"] == "PARTNER.UNKNOWN"
        await a_taken_message(
            worker,
            case,
            "ReassignReferral",
            referral_id=str(embassy.referral_id),
            partner_id="embassy-nga",
            reason="again",
        )
        assert (await worker.names(case)).count("ReferralReassigned") == 1


async def a_case(worker: RunningWorker, case: UUID) -> Case:
    state = await worker.state(case)
    assert isinstance(state, Case)
    return state


def about(event: Event, referral_id: UUID) -> bool:
    return event.facts.get("referral_id") == referral_id and event.name.startswith("Referral")


def names_of(events: list[Event], *but: type[Event]) -> list[str]:
    return [event.name for event in events if not isinstance(event, but)]
