"""The next step of simulated staff follows from the published case, and every message they submit is a known one."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.decider import HANDLERS
from domain.kernel.vocabulary import ClosureReason
from simulator.flights import PlannedFlight, next_departure
from simulator.people import people
from simulator.scenarios import CLEARING, SCREENING, SEATED, JourneyScript, journey_script
from simulator.seeded_random import DurationSpread, seeded_random, when_offices_open
from simulator.staff_steps import MESSAGES_OF, CaseFile, messages_of, next_step, ready_to_fly

MESSAGES = {message.__name__: message for message in HANDLERS}

NOW = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)

STAGES = ("SCREENING", "PROTECTION", "MEDICAL", "DOCUMENTS", "DEPARTURE", "RECEPTION", "REINTEGRATION")

NEEDED = (
    "CONSENT_RETURN",
    "PROTECTION_CLEARANCE",
    "SAFETY_OF_RETURN",
    "MEDICAL_ASSESSMENT",
    "FUNDING_ALLOCATED",
    "TRAVEL_DOCUMENT",
    "EXIT_PERMIT",
)


def a_view(**more: Any) -> dict[str, Any]:
    stages = dict.fromkeys(STAGES, "NOT_STARTED") | more.pop("stages", {})
    view: dict[str, Any] = {"phase": "PRE_DEPARTURE", "country_of_return": "NGA", "holds": [], "clearances": []}
    return view | {"referrals": [], "movement": None, "waiting_on": "", "version": 9, "stages": stages} | more


def a_file(script: JourneyScript | None = None, **view: Any) -> CaseFile:
    return CaseFile("LBY-2026-000001", 0, 7, script or JourneyScript(), a_view(**view))


def in_force(*kinds: str, until: str | None = None) -> list[dict[str, Any]]:
    return [{"kind": kind, "status": "VALID", "valid_until": until} for kind in kinds]


def cleared(**more: Any) -> dict[str, Any]:
    return {"stages": {"SCREENING": "COMPLETED", "DEPARTURE": "OPEN"}, "clearances": in_force(*NEEDED)} | more


def test_a_new_case_is_screened() -> None:
    assert next_step(a_file(stages={"SCREENING": "OPEN"}, phase="INTAKE")) == "SCREENING"


def test_while_a_partner_is_waited_for_staff_do_nothing() -> None:
    file = a_file(stages={"SCREENING": "COMPLETED", "MEDICAL": "OPEN"}, clearances=in_force(*NEEDED))

    assert next_step(file) is None


def test_what_a_partner_turned_down_is_asked_once_more() -> None:
    turned_down = {"referral_id": "r-1", "kind": "EXIT_PERMIT", "partner_id": "exit-authority", "status": "REJECTED"}
    file = a_file(**cleared(referrals=[turned_down]))

    assert next_step(file) == "REASSIGNMENT"
    assert [name for name, _ in messages_of("REASSIGNMENT", file)] == ["ReassignReferral"]
    assert next_step(file) is None


@pytest.mark.parametrize(
    ("point", "view"),
    [
        (SCREENING, {"stages": {"SCREENING": "OPEN"}}),
        (CLEARING, {"stages": {"SCREENING": "COMPLETED", "DOCUMENTS": "OPEN"}}),
        (SEATED, cleared(movement="MOV-2026-0310-MJI-LOS")),
    ],
)
def test_a_case_leaves_at_the_point_its_script_names(point: str, view: dict[str, Any]) -> None:
    script = JourneyScript(ClosureReason.WITHDRAWN_BY_MIGRANT, point)

    assert next_step(a_file(script, **view)) == "LEAVE"
    assert next_step(a_file(script, phase="INTAKE")) != "LEAVE"


def test_only_who_has_everything_until_after_the_flight_is_seated() -> None:
    std = next_departure(NOW)
    too_soon = in_force("TRAVEL_DOCUMENT", until=std.isoformat())

    assert ready_to_fly(a_file(**cleared()), std)
    assert not ready_to_fly(a_file(**cleared(clearances=in_force(*NEEDED[:-2], NEEDED[-1]) + too_soon)), std)
    assert not ready_to_fly(a_file(**cleared(movement="MOV-2026-0310-MJI-LOS")), std)
    assert not ready_to_fly(a_file(**cleared(holds=[{"type": "PROTECTION", "hold_id": "h"}])), std)


def test_everything_staff_say_names_a_message_of_the_programme() -> None:
    held = [{"type": "CHILD", "hold_id": "8a4b0f34-6a5f-4f0e-8f2e-0a0a0a0a0a0a"}]
    for step in MESSAGES_OF:
        for name, fields in messages_of(step, a_file(holds=held)):
            assert MESSAGES[name].model_validate(fields).model_fields_set >= set(fields), (step, name)


@pytest.mark.parametrize("reason", sorted({journey_script(7, place).reason for place in range(2000)}))
def test_every_way_to_leave_ends_with_a_closure(reason: ClosureReason) -> None:
    *before, last = messages_of("LEAVE", a_file(JourneyScript(reason, CLEARING)))

    assert last[0] == "CloseCase"
    for name, fields in before:
        MESSAGES[name].model_validate(fields)


def test_about_a_quarter_of_the_cases_never_return() -> None:
    ends = Counter(journey_script(7, place).travels for place in range(4000))

    assert 0.24 < ends[False] / 4000 < 0.30
    assert [journey_script(7, place) for place in range(50)] == [journey_script(7, place) for place in range(50)]
    assert [journey_script(7, place) for place in range(50)] != [journey_script(8, place) for place in range(50)]


def test_made_up_people_are_adults_the_programme_would_register_and_differ() -> None:
    made = people(7, 500)
    registered = [MESSAGES["RegisterCase"].model_validate(fields) for fields in made]

    assert not any(order.person.is_child(NOW.date()) for order in registered)  # type: ignore[attr-defined]
    assert len({str(fields["person"]) for fields in made}) == len(made)
    assert made == people(7, 500)


def test_a_flight_leaves_soon_but_not_before_it_can_be_prepared() -> None:
    for hour in range(24 * 21):
        now = NOW + timedelta(hours=hour)
        wait = next_departure(now) - now
        assert timedelta(days=6) <= wait <= timedelta(days=13)


def test_everything_before_a_flight_is_done_when_offices_are_open() -> None:
    flight = PlannedFlight("NGA", next_departure(NOW), 7)

    assert [what for _, what in flight.agenda] in (
        ["CANCEL"],
        ["PREPARATION", "BOARDING", "DEPARTURE", "ARRIVAL"],
    )
    for at, what in flight.agenda:
        if what in ("CANCEL", "PREPARATION", "BOARDING"):
            assert when_offices_open(at) == at


def test_work_is_done_when_offices_open_and_never_before_it_is_due() -> None:
    for minutes in range(0, 3000, 7):
        moment = NOW + timedelta(minutes=minutes)
        opens = when_offices_open(moment)
        assert timedelta(0) <= opens - moment < timedelta(days=1)
        assert opens.hour == 8


def test_nothing_takes_longer_than_its_most() -> None:
    drawn = [DurationSpread(10, 1.5, 20).drawn(seeded_random(7, place)) for place in range(500)]

    assert max(drawn) == timedelta(days=20)
    assert min(drawn) > timedelta(0)
