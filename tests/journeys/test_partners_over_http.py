"""The partner scenarios over real HTTP with real signatures; each partner is a process that knows only its deliveries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import pytest

from domain.events.case import ClearanceGranted, ClearanceRevoked, HoldPlaced, StageReopened, TaskRaised
from domain.events.partner_report import ReferralCompleted
from domain.events.signal import LateSignalRecorded, PartnerSignalIgnored
from domain.kernel.event import Event
from domain.kernel.vocabulary import Phase, ReferralStatus, Stage
from tests.support.databases import Database
from tests.support.deployment import Deployment, a_deployment
from workers.embedded.installation import Servers

CLINIC, EMBASSY = "clinic-tripoli", "embassy-nga"


def assert_in_order(names: Iterable[str], *wanted: str) -> None:
    """Fails unless the names occur in this order; other names may come between them."""
    rest = iter(names)
    missing = [name for name in wanted if name not in rest]
    assert not missing, missing


E = TypeVar("E", bound=Event)


def of_kind(events: Iterable[Event], named: type[E], /, **facts: object) -> list[E]:
    return [one for one in events if isinstance(one, named) and all(one.facts.get(k) == v for k, v in facts.items())]


async def test_sc_02_a_clinic_that_repeats_itself_changes_nothing_and_one_that_contradicts_itself_waits_for_a_person(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_deployment(database, servers, tmp_path, {CLINIC: "prompt+duplicating+contradictory"}) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()
        clinic = deployment.partners[CLINIC]
        done = clinic.attempts[-1]
        assert [one["receipt"] for one in clinic.attempts if one["id"] == done["id"]] == [done["receipt"]] * 3
        assert len(of_kind(await deployment.log(case), ReferralCompleted)) == 1, (
            "two technical duplicates leave no event"
        )
        assert of_kind(await deployment.log(case), ClearanceGranted, kind="MEDICAL_ASSESSMENT")
        before = len(await deployment.log(case))

        await deployment.advance_by(days=1)
        assert await deployment.account(CLINIC) == {"applied": 3, "ignored": 1}
        await deployment.advance_by(days=1)
        assert await deployment.account(CLINIC) == {"applied": 3, "ignored": 1, "quarantined": 1}
        assert (await deployment.state(case)).stages[Stage.MEDICAL].status == "COMPLETED", "not decided yet"
        doubtful = clinic.attempts[-1]["id"]
        resolved = {"signal_id": doubtful, "decision": "AMEND", "reason": "the clinic was called"}
        await deployment.record(case, "ResolveQuarantinedSignal", **resolved)
        await deployment.settle()

        after = (await deployment.log(case))[before:]
        assert_in_order(
            [event.name for event in after],
            *("PartnerSignalIgnored", "PartnerSignalQuarantined", "QuarantinedSignalResolved"),
            *("ReferralOutcomeAmended", "ClearanceRevoked", "StageReopened"),
        )
        assert of_kind(after, PartnerSignalIgnored, cause="ALREADY_TERMINAL_SAME_OUTCOME")
        assert of_kind(after, ClearanceRevoked, kind="MEDICAL_ASSESSMENT")
        assert of_kind(after, HoldPlaced, hold_type="MEDICAL")
        assert of_kind(after, StageReopened, stage=Stage.MEDICAL)


async def test_sc_03_an_embassy_that_says_done_first_is_believed_and_its_late_steps_change_nothing(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_deployment(database, servers, tmp_path, {EMBASSY: "prompt+out-of-order"}) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()

        asked = await deployment.referral(case, "CONSULAR_IDENTITY")
        log = [event for event in await deployment.log(case) if event.facts.get("referral_id") == asked.referral_id]
        assert_in_order(
            [event.name for event in log],
            *("ReferralSent", "ReferralCompleted", "PartnerSignalIgnored", "PartnerSignalIgnored"),
        )
        completed = of_kind(log, ReferralCompleted)[0]
        assert completed.facts["inferred_steps"] == ("ACCEPTED", "STARTED")
        assert len(of_kind(log, PartnerSignalIgnored, cause="OUT_OF_ORDER_SUPERSEDED")) == 2
        assert "NationalityConfirmed" in await deployment.names(case)


async def test_sc_04_a_hospital_that_answers_what_was_cancelled_is_heard_and_a_medical_officer_is_called(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_deployment(database, servers, tmp_path, {CLINIC: "stubborn+bad-news"}) as deployment:
        case = await deployment.a_screened_case()
        await deployment.record(case, "CreateReferral", kind="SPECIALIST_CARE")
        hospital = await deployment.referral(case, "SPECIALIST_CARE")
        await deployment.settle()
        await deployment.record(case, "CancelReferral", referral_id=str(hospital.referral_id), reason="wrong person")
        await deployment.settle()
        clinic = deployment.partners[CLINIC]
        assert "org.iom.vhr.referral.cancelled.v1" in (await clinic.agenda())["received"]

        await deployment.advance_by(days=31)

        log = await deployment.log(case)
        late = of_kind(log, LateSignalRecorded, referral_id=hospital.referral_id)
        assert {one.facts["disposition"] for one in late} == {"REFERRAL_CANCELLED"}
        admitted = next(one for one in late if one.outcome == "ADMITTED")
        task = next(
            one for one in of_kind(log, TaskRaised, queue="MEDICAL_OFFICER") if one.timestamp == admitted.timestamp
        )
        assert task.due - task.timestamp == timedelta(hours=4)
        assert (await deployment.state(case)).referrals[hospital.referral_id].status is ReferralStatus.CANCELLED
        assert not of_kind(log, ClearanceGranted, evidence=str(hospital.referral_id))


async def test_sc_05_after_closure_an_answer_is_recorded_and_a_concern_proposes_to_reopen(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_deployment(database, servers, tmp_path, {EMBASSY: "silent", CLINIC: "silent"}) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()
        await deployment.record(case, "WithdrawVoluntaryReturn", channel="HOTLINE")
        await deployment.record(case, "CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="fatima")
        await deployment.advance_by(days=20)

        await deployment.partner_sends(EMBASSY, "CONSULAR_IDENTITY", "COMPLETED", outcome="NATIONALITY_CONFIRMED")
        assert await deployment.account(EMBASSY) == {"late": 1}
        assert "CaseReopenProposed" not in await deployment.names(case), "not material"

        await deployment.partner_sends(
            CLINIC, "MEDICAL_ASSESSMENT", "CONCERN_REPORTED", reason="abuse during detention"
        )
        assert await deployment.account(CLINIC) == {"late": 1}
        assert_in_order(
            await deployment.names(case), "CaseClosed", "LateSignalRecorded", "LateSignalRecorded", "CaseReopenProposed"
        )
        assert (await deployment.state(case)).phase is Phase.CLOSED, "only a person reopens"
        assert {one.facts["disposition"] for one in of_kind(await deployment.log(case), LateSignalRecorded)} == {
            "CASE_CLOSED"
        }

        await deployment.record(case, "ReopenCase", target_phase="INTAKE", reason="new facts")
        assert (await deployment.state(case)).phase is Phase.INTAKE


async def test_sc_20_an_embassy_that_never_answers_is_reminded_and_reported_upwards_in_working_days(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    sunday = "2026-12-20T08:00:00+00:00"  # the 24th is a holiday, the 25th a Friday
    async with a_deployment(database, servers, tmp_path, {EMBASSY: "silent"}, at=sunday) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()
        asked = await deployment.referral(case, "CONSULAR_IDENTITY")
        assert asked.dues["ack"] == datetime(2026, 12, 23, 15, 0, tzinfo=UTC), "three working days, 17:00 in Tripoli"

        await deployment.advance_to("2027-01-04T08:00:00+00:00")

        silence = [event for event in await deployment.log(case) if event.facts.get("referral_id") == asked.referral_id]
        assert_in_order(
            [event.name for event in silence],
            *("ReferralSent", "ReferralReminderSent", "ReferralOverdue", "ReferralReminderSent"),
            *("ReferralEscalated", "ReferralEscalated"),
        )
        levels = [(one.facts["level"], f"{one.timestamp:%d %b}") for one in silence if one.name == "ReferralEscalated"]
        assert levels == [("L1", "29 Dec"), ("L2", "03 Jan")], (
            "the second level comes with the next working morning's digest"
        )
        received = (await deployment.partners[EMBASSY].agenda())["received"]
        assert received.count("org.iom.vhr.referral.reminder.v1") >= 2, "reminders reach the embassy too"
        assert await deployment.account(EMBASSY) == {}

        await deployment.partner_sends(EMBASSY, "CONSULAR_IDENTITY", "ACKNOWLEDGED")
        assert (await deployment.referral(case, "CONSULAR_IDENTITY")).timeliness == "ON_TIME"
        await deployment.partner_sends(EMBASSY, "CONSULAR_IDENTITY", "ACCEPTED")
        assert await deployment.account(EMBASSY) == {"applied": 2}

        await advance_until_overdue(deployment, case)
        await deployment.record(case, "ConfirmReferralExpiry", referral_id=str(asked.referral_id), reason="silent")
        again = {"referral_id": str(asked.referral_id), "partner_id": EMBASSY, "reason": "requested again"}
        await deployment.record(case, "ReassignReferral", **again)
        await deployment.settle()
        assert_in_order(
            await deployment.names(case), "ReferralAccepted", "ReferralOverdue", "ReferralExpired", "ReferralReassigned"
        )


async def advance_until_overdue(deployment: Deployment, case: UUID) -> None:
    """Advances past the due date of completion, while the embassy does nothing after it has accepted."""
    asked = await deployment.referral(case, "CONSULAR_IDENTITY")
    await deployment.advance_to(asked.dues["complete"] + timedelta(hours=1))


async def test_sc_21_a_full_safe_house_is_replaced_and_the_survivor_waits_since_the_first_one_was_asked(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    full, free = "partner-046", "partner-047"
    async with a_deployment(database, servers, tmp_path, {full: "prompt+rejecting", free: "prompt"}) as deployment:
        case = await deployment.a_registered_case()
        await deployment.record_consent(case, "SHARE_PROTECTION")
        await deployment.record(case, "CreateReferral", kind="VOT_ASSISTANCE", partner_id=full, urgent=True)
        await deployment.settle()
        first = await deployment.referral(case, "VOT_ASSISTANCE")
        assert (first.partner_id, first.status) == (full, ReferralStatus.REJECTED)
        assert deployment.partners[free].acknowledged == {}, "no other partner received personal data"

        await deployment.advance_by(hours=1)
        await deployment.record(
            case, "ReassignReferral", referral_id=str(first.referral_id), partner_id=free, reason="the other is full"
        )
        await deployment.settle()

        second = await deployment.referral(case, "VOT_ASSISTANCE")
        assert (second.partner_id, second.status, second.outcome) == (free, ReferralStatus.COMPLETED, "ADMITTED")
        assert second.replaces == first.referral_id
        assert_in_order(
            await deployment.names(case),
            *("ReferralRejected", "TaskRaised", "ReferralReassigned", "ReferralCreated", "ReferralCompleted"),
        )
        assert first.sent_at
        assert second.sent_at == first.sent_at + timedelta(hours=1)
        assert second.dues["complete"] == first.dues["complete"]


async def test_a_wrong_clock_loses_nothing(database: Database, servers: Servers, tmp_path: Path) -> None:
    profiles = {CLINIC: "prompt+fast-clock", EMBASSY: "prompt+slow-clock"}
    async with a_deployment(database, servers, tmp_path, profiles) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()

        assert "NationalityConfirmed" in await deployment.names(case)
        granted = of_kind(await deployment.log(case), ClearanceGranted, kind="MEDICAL_ASSESSMENT")[0]
        assert granted.facts["valid_from"] <= await deployment.now(), "a clearance is never valid from a future day"
        assert set(await deployment.account(CLINIC)) == {"applied"}


async def test_a_partner_whose_machine_signs_by_a_wrong_clock_is_turned_away_until_it_is_put_right(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_deployment(database, servers, tmp_path, {CLINIC: "prompt+wrong-signing-clock"}) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()
        clinic = deployment.partners[CLINIC]
        assert {one["status"] for one in clinic.attempts} == {401}
        assert await deployment.account(CLINIC) == {}

        await clinic.set_profile("prompt")
        await deployment.settle()

        assert await deployment.account(CLINIC) == {"applied": 3}
        assert (await deployment.referral(case, "MEDICAL_ASSESSMENT")).status is ReferralStatus.COMPLETED


async def test_what_is_sent_again_a_year_later_gets_its_receipt_and_changes_nothing(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    async with a_deployment(database, servers, tmp_path, {CLINIC: "prompt"}) as deployment:
        case = await deployment.a_screened_case()
        await deployment.settle()
        await deployment.record(case, "WithdrawVoluntaryReturn", channel="HOTLINE")
        await deployment.record(case, "CloseCase", reason="WITHDRAWN_BY_MIGRANT", approved_by="fatima")
        await deployment.advance_by(days=366)
        clinic = deployment.partners[CLINIC]
        before, receipts, account = await deployment.log(case), clinic.acknowledged, await deployment.account(CLINIC)

        again = await clinic.post("/repeat", partner_id=CLINIC)

        assert [one["receipt"] for one in again.json()] == list(receipts.values())
        await deployment.settle()
        assert len(await deployment.log(case)) == len(before)
        assert await deployment.account(CLINIC) == account


PARTNERS = {
    CLINIC: ("MEDICAL_ASSESSMENT", "slow"),
    "partner-023": ("MHPSS", "prompt"),
    EMBASSY: ("CONSULAR_IDENTITY", "prompt+out-of-order"),
    "exit-authority": ("EXIT_PERMIT", "duplicating"),
    "detention-authority": ("DETENTION_RELEASE", "slow-clock"),
    "carrier": ("MOVEMENT_BOOKING", "contradictory"),
    "partner-012": ("PROTECTION_ASSISTANCE", "talkative"),
    "partner-031": ("CHILD_BIA", "prompt"),
    "partner-017": ("UNHCR_ASYLUM", "silent"),
    "community-liaison": ("COMMUNITY_LIAISON", "fast-clock"),
    "transit-mission": ("TRANSIT_ASSISTANCE", "rejecting"),
    "reception-nga": ("RECEPTION", "stubborn"),
    "provider-nga": ("REINTEGRATION_SERVICE", "ordinary"),
}

PURPOSES = (
    "MHPSS", "CARRIER", "SHARE_PROTECTION", "SHARE_UNHCR", "COMMUNITY", "TRANSIT", "SHARE_RECEPTION",
    "SHARE_REINTEGRATION",
)  # fmt: skip


@pytest.mark.slow
async def test_whoever_is_asked_answers_in_their_own_manner_and_every_receipt_is_accounted_for(
    database: Database, servers: Servers, tmp_path: Path
) -> None:
    profiles = {name: profile for name, (_, profile) in PARTNERS.items()}
    async with a_deployment(database, servers, tmp_path, profiles) as deployment:
        case = await deployment.a_screened_case()
        await deployment.record_consent(case, *PURPOSES)
        asked = [one.partner_id for one in (await deployment.state(case)).referrals.values()]
        for name, (kind, _) in PARTNERS.items():
            if name not in asked:
                await deployment.record(case, "CreateReferral", kind=kind, partner_id=name)

        await deployment.advance_by(days=40)

        for name, partner in deployment.partners.items():
            assert "org.iom.vhr.referral.sent.v1" in (await partner.agenda())["received"], name
            account, acknowledged = await deployment.account(name), partner.acknowledged
            assert sum(account.values()) == len(acknowledged), (name, account)
            assert account.keys() <= {"applied", "ignored", "late", "quarantined", "refused"}, (name, account)
            assert bool(acknowledged) == (name != "partner-017"), name
