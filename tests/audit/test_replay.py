"""Replay, history, view and explanation of stored streams; equal arguments always give equal bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from audit.case_view import show
from audit.explanation import why
from audit.history import history
from audit.replay import UnknownStreamError, canonical, replay
from domain.case.aggregate import Case
from domain.kernel.event import Compartment
from domain.kernel.sentences import ERASED
from domain.kernel.vocabulary import Phase, StageStatus
from tests.support.assertions import public
from tests.support.builders import MONDAY, PARTNERS, CaseScenario, a_closed_case, a_registered_case, a_screened_case
from tests.support.flight_fixtures import a_flight
from tests.support.journeys import another_nationality, another_place
from tests.support.recorded_archive import RecordedArchive

A_DAY = timedelta(days=1)


async def test_two_replays_of_one_moment_are_the_same_to_the_byte(archive: RecordedArchive) -> None:
    scenario = a_closed_case()
    stream = await archive.keep(scenario.events)
    moments: list[dict[str, Any]] = [{}, {"as_of": MONDAY + 14 * A_DAY}, {"known_at": MONDAY + 14 * A_DAY}, {"to": 40}]

    replays = []
    for moment in moments:
        first, second = [
            canonical((await replay(archive.pool, archive.keys, stream, **moment)).state) for _ in range(2)
        ]
        assert first == second
        replays.append(first)

    assert len(set(replays)) == 3, "as-of and known-at agree when no report was late, and differ from the others"


async def test_a_replay_of_the_whole_log_is_the_case_that_was_recorded(archive: RecordedArchive) -> None:
    scenario = a_closed_case()
    stream = await archive.keep(scenario.events)

    state = (await replay(archive.pool, archive.keys, stream)).state

    scenario.case.id, scenario.case.number = stream, state.number
    assert canonical(state) == canonical(scenario.case)


async def test_what_came_late_was_true_before_it_was_known(archive: RecordedArchive) -> None:
    """On Thursday a partner reports what happened on Monday: on Tuesday it was true but not known."""
    scenario = a_screened_case()
    stream = await archive.keep(scenario.events)
    thursday = MONDAY + 3 * A_DAY
    scenario.now = thursday
    answer = scenario.partner_says("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    await archive.append(stream, answer, claimed_at=MONDAY, recorded_at=thursday)

    tuesday = MONDAY + A_DAY
    true_then = (await replay(archive.pool, archive.keys, stream, as_of=tuesday)).state
    known_then = (await replay(archive.pool, archive.keys, stream, known_at=tuesday)).state

    assert isinstance(true_then, Case)
    assert isinstance(known_then, Case)
    assert "MEDICAL_ASSESSMENT" in true_then.clearances
    assert "MEDICAL_ASSESSMENT" not in known_then.clearances


async def test_an_answer_dated_before_its_question_waits_for_the_question(archive: RecordedArchive) -> None:
    """The partner's clock is a year behind: the report cannot take effect before its referral exists."""
    scenario = a_screened_case()
    stream = await archive.keep(scenario.events[:1])
    a_day_later = [event.placed_in(stream, 0, MONDAY + A_DAY) for event in scenario.events[1:]]
    await archive.append(stream, a_day_later)
    scenario.now = MONDAY + 2 * A_DAY
    answer = scenario.partner_says("MEDICAL_ASSESSMENT", "COMPLETED", "NO_SIGNIFICANT_CONDITION")
    await archive.append(stream, answer, claimed_at=MONDAY - 365 * A_DAY)

    before = await replay(archive.pool, archive.keys, stream, as_of=MONDAY)
    after = await replay(archive.pool, archive.keys, stream, as_of=MONDAY + A_DAY)

    assert isinstance(before.state, Case)
    assert before.state.referrals == {}
    assert (
        "ReferralCompleted" not in before.state.events_by_topic or not before.state.events_by_topic["ReferralCompleted"]
    )
    assert any(entry.row.topic == "ReferralCompleted" for entry in before.left_out)
    assert any(entry.row.topic == "ReferralCompleted" for entry in after.entries)


async def test_a_replay_up_to_a_version_stops_there(archive: RecordedArchive) -> None:
    stream = await archive.keep(a_closed_case().events)

    folded = await replay(archive.pool, archive.keys, stream, to=3)

    assert [entry.version for entry in folded.entries] == [1, 2, 3]
    assert folded.state.version == 3
    assert len(folded.left_out) == folded.head.version - 3


async def test_an_unknown_stream_raises(archive: RecordedArchive) -> None:
    with pytest.raises(UnknownStreamError):
        await replay(archive.pool, archive.keys, MONDAY_STREAM)


async def test_history_describes_every_event_in_a_sentence(archive: RecordedArchive) -> None:
    scenario = a_closed_case()
    stream = await archive.keep(scenario.events)

    entries = await history(archive.pool, archive.keys, stream)

    assert [entry["sentence"] for entry in entries] == [event.say() for event in scenario.events]
    assert set(entries[0]) == {
        "version", "topic", "name", "sentence", "actor", "happened_at", "recorded_at", "message_id", "facts",
    }  # fmt: skip
    assert entries[0]["facts"]["person"]["given_names"] == "Aminata"


async def test_a_reader_without_the_compartment_reads_a_neutral_name_and_no_secret(archive: RecordedArchive) -> None:
    scenario = a_registered_case()
    scenario.having("RaiseProtectionConcern", risk_level="HIGH", concern="threatened by a smuggler")
    stream = await archive.keep(scenario.events)
    readers = {"all": None, "general": frozenset({Compartment.GEN}), "nothing": frozenset[Compartment]()}

    names, texts = {}, {}
    for reader, readable in readers.items():
        entries = await history(archive.pool, archive.keys, stream, readable=readable)
        names[reader], texts[reader] = [entry["name"] for entry in entries], str(entries)

    assert "ProtectionConcernRaised" in names["all"]
    assert "smuggler" in texts["all"]
    assert "ProtectionConcernRaised" not in texts["general"]
    assert "smuggler" not in texts["general"]
    assert "Aminata" in texts["general"]
    assert "Aminata" not in texts["nothing"]


async def test_an_erased_case_still_says_what_happened(archive: RecordedArchive) -> None:
    scenario = a_registered_case().having("AddNote", note="prefers to be called in the evening")
    stream = await archive.keep(scenario.events)
    await archive.keys.destroy(stream)

    entries = await history(archive.pool, archive.keys, stream)

    assert len(entries) == len(scenario.events)
    assert f"Note: {ERASED}" in [entry["sentence"] for entry in entries]
    assert "Aminata" not in str(entries)


async def test_a_row_that_cannot_be_read_is_shown_as_such(archive: RecordedArchive) -> None:
    stream = await archive.keep(a_registered_case().events)
    await archive.tamper("UPDATE events SET topic = 'FromTheFuture' WHERE stream_id = $1 AND version = 2", stream)

    entries = await history(archive.pool, archive.keys, stream)

    assert entries[1]["name"] == "FromTheFuture"
    assert "cannot be read" in entries[1]["sentence"]


async def test_show_says_where_a_case_stands_now_and_stood_then(archive: RecordedArchive) -> None:
    scenario = a_closed_case()
    stream = await archive.keep(scenario.events)

    now = await show(archive.pool, archive.keys, stream, directory=PARTNERS)
    then = await show(archive.pool, archive.keys, stream, as_of=MONDAY + 2 * A_DAY, directory=PARTNERS)

    assert now["phase"] == Phase.CLOSED
    assert now["waiting_on"] == ""
    assert now["version"] == len(scenario.events)
    assert then["phase"] == Phase.PRE_DEPARTURE
    assert then["stages"]["SCREENING"] == StageStatus.COMPLETED
    assert then["next_deadline"] is not None
    assert datetime.fromisoformat(then["next_deadline"]) > MONDAY


async def test_why_names_what_is_awaited_since_when_and_because_of_which_event(archive: RecordedArchive) -> None:
    scenario = a_screened_case()
    stream = await archive.keep(scenario.events)
    await stand_still(archive, MONDAY)

    explanation = await why(archive.pool, archive.keys, stream, directory=PARTNERS)

    waits = {each["code"]: each for each in explanation["waiting_on"]}
    clinic = waits["CLINIC.MEDICAL_ASSESSMENT"]
    sent = next(event for event in scenario.events if event.name == "ReferralSent" and "medical" in event.say())
    assert clinic["who"] == "clinic-misrata"
    assert clinic["because"]["version"] == sent.originator_version
    assert clinic["because"]["sentence"] == sent.say()
    assert clinic["rule"] == "MEDICAL.CLEARANCES"
    assert clinic["since"] == "2026-11-23T08:00:00Z"
    assert explanation["next"]["what"] == "Awda reminds clinic-misrata to acknowledge the medical assessment referral"


async def test_the_due_date_that_counts_is_shown_with_the_holiday_that_moved_it(archive: RecordedArchive) -> None:
    scenario = a_screened_case()
    stream = await archive.keep(scenario.events)
    await stand_still(archive, MONDAY)
    tuesday, saturday = date(2026, 11, 24), date(2026, 11, 28)
    closed = replace(PARTNERS, holidays={"LBY": frozenset({tuesday, saturday})})
    pinned = scenario.referral("MEDICAL_ASSESSMENT").dues["ack"]

    shown = await show(archive.pool, archive.keys, stream, directory=closed)
    explanation = await why(archive.pool, archive.keys, stream, directory=closed)
    as_pinned = await show(archive.pool, archive.keys, stream, directory=PARTNERS)

    (clinic,) = [each for each in shown["referrals"] if each["kind"] == "MEDICAL_ASSESSMENT"]
    assert (pinned.isoformat(), clinic["due"]) == ("2026-11-25T15:00:00+00:00", "2026-11-26T15:00:00Z")
    assert clinic["moved"] == {"from": "2026-11-25T15:00:00Z", "closed": ["2026-11-24"]}
    (waits,) = [each for each in explanation["waiting_on"] if each["code"] == "CLINIC.MEDICAL_ASSESSMENT"]
    assert (waits["due"], waits["moved"]) == (clinic["due"], clinic["moved"])
    assert {each["moved"] for each in as_pinned["referrals"]} == {None}


async def test_why_after_a_lapse_names_the_lapse(archive: RecordedArchive) -> None:
    scenario = a_screened_case().having("AssessSafetyOfReturn", area="NG-LA", result="SAFE", advisory_version="2026-3")
    scenario.having("RevokeClearance", kind="SAFETY_OF_RETURN", cause="ADVISORY_CHANGED")
    stream = await archive.keep(scenario.events)
    await stand_still(archive, scenario.now)

    explanation = await why(archive.pool, archive.keys, stream, directory=PARTNERS)

    waits = {each["code"]: each for each in explanation["waiting_on"]}
    assert "Clearance revoked: safety of return" in waits["STAFF.SAFETY_OF_RETURN"]["because"]["sentence"]


async def test_why_names_the_change_of_nationality_because_of_which_consent_is_requested_again(
    archive: RecordedArchive,
) -> None:
    scenario = a_screened_case()
    scenario.now += A_DAY
    scenario.having("ChangeNationality", nationality="GIN")
    stream = await archive.keep(scenario.events)
    await stand_still(archive, scenario.now)

    explanation = await why(archive.pool, archive.keys, stream, directory=PARTNERS)

    changed = scenario.named("NationalityChanged")[-1]
    requirements = [each for each in explanation["waiting_on"] if each["stage"] == "DOCUMENTS"]
    assert [each["code"] for each in requirements][-1] == "PERSON.SHARE_EMBASSY"
    assert {(each["since"], each["because"]["version"]) for each in requirements} == {
        ("2026-11-24T08:00:00Z", changed.originator_version)
    }
    assert [message["message"] for message in requirements[-1]["settled_by"]] == ["RecordConsent"]


@pytest.mark.parametrize("journey", [another_nationality, another_place])
async def test_an_erased_case_stands_where_it_stood(
    archive: RecordedArchive, journey: Callable[[], CaseScenario]
) -> None:
    scenario = journey()
    stream = await archive.keep(scenario.events)
    await archive.keys.destroy(stream)

    erased = (await replay(archive.pool, archive.keys, stream)).state

    assert isinstance(erased, Case)
    assert public(erased) == public(scenario.case)


async def test_why_before_a_stage_is_open_says_that_it_will_be(archive: RecordedArchive) -> None:
    scenario = a_registered_case()
    opened = next(nth for nth, event in enumerate(scenario.events) if event.name == "StageOpened")
    stream = await archive.keep(scenario.events[:opened])
    await stand_still(archive, MONDAY)

    assert (await why(archive.pool, archive.keys, stream, directory=PARTNERS))["next"][
        "what"
    ] == "Awda opens the screening stage"


async def test_a_case_whose_registration_was_refused_can_be_shown(archive: RecordedArchive) -> None:
    stream = await archive.keep([])

    shown = await show(archive.pool, archive.keys, stream, directory=PARTNERS)
    explanation = await why(archive.pool, archive.keys, stream, directory=PARTNERS)

    assert (shown["phase"], shown["waiting_on"], shown["version"]) == (None, "", 0)
    assert (explanation["waiting_on"], explanation["next"], explanation["last"]) == ([], None, None)


async def test_a_flight_is_shown_and_explained_like_a_case(archive: RecordedArchive) -> None:
    flight, events = a_flight([])
    stream = await archive.keep(events, kind="movement", number="MOV-2026-1214-MJI")

    folded = await replay(archive.pool, archive.keys, stream)
    shown = await show(archive.pool, archive.keys, stream)
    explanation = await why(archive.pool, archive.keys, stream)

    flight.id, flight.number = stream, folded.state.number
    assert canonical(folded.state) == canonical(flight)
    assert (shown["status"], shown["version"]) == ("CONFIRMED", flight.version)
    assert set(shown["seats"]) == {str(case_id) for case_id in flight.seats}
    assert explanation["next"]["what"] == "Awda freezes the manifest"


async def stand_still(archive: RecordedArchive, at: datetime) -> None:
    await archive.owner.execute("INSERT INTO programme_clock (stands_at) VALUES ($1)", at)


MONDAY_STREAM = a_registered_case().case.id
