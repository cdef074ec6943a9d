"""The procedure and the policy are data: published editions are frozen, and stages open only on request."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from domain.commands.signal import ReceivePartnerSignal
from domain.decider import HANDLERS, STAGE_OF, STAGES, decide_opening, may_open, progress_of
from domain.kernel.directory import Directory
from domain.kernel.errors import TooEarly
from domain.kernel.message import MESSAGES
from domain.kernel.policy import POLICIES
from domain.kernel.vocabulary import PUBLIC_KIND, ClearanceKind, HoldType, ReferralKind, Stage
from domain.kernel.working_time import Span
from domain.procedure import EDITIONS, NEWEST, current_row
from tests.support.builders import a_case, a_registered_case, a_screened_case, a_seated_case

PUBLISHED = Path(__file__).parent / "published"


def plain(value: Any) -> Any:
    """Returns data as it is in JSON."""
    if isinstance(value, (Span, time)):
        return str(value)
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, StrEnum) else value


def published(kind: str) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads((PUBLISHED / f"{kind}.json").read_text(encoding="utf-8"))
    return stored


@pytest.mark.parametrize(("kind", "today"), [("procedures", EDITIONS), ("policies", POLICIES)])
def test_a_published_edition_is_never_changed(kind: str, today: dict[str, Any]) -> None:
    for edition, stored in published(kind).items():
        assert plain(today[edition]) == stored, f"{kind} {edition} is published: make a new edition instead"


@pytest.mark.parametrize(("kind", "today"), [("procedures", EDITIONS), ("policies", POLICIES)])
def test_a_new_edition_is_published_with_its_stored_copy(kind: str, today: dict[str, Any]) -> None:
    assert set(today) == set(published(kind)), f"add the new edition to tests/domain/published/{kind}.json"


@pytest.mark.parametrize("edition", EDITIONS)
def test_an_edition_names_each_stage_once_and_only_stages_with_rules(edition: str) -> None:
    named = [stage for row in EDITIONS[edition].rows for stage in row]
    assert len(named) == len(set(named))
    assert set(named) <= set(STAGES)
    assert set(EDITIONS[edition].early) <= set(named)


def test_the_newest_edition_names_every_stage() -> None:
    assert {stage for row in EDITIONS[NEWEST].rows for stage in row} == set(STAGES)


@pytest.mark.parametrize("stage", list(Stage))
def test_every_stage_has_rules_and_a_file_of_tests(stage: Stage) -> None:
    assert STAGES[stage].rules
    assert (Path(__file__).parent / "stages" / f"test_{stage.lower()}.py").exists()


def test_every_message_to_a_case_has_one_rule() -> None:
    to_cases = {message for message in MESSAGES.values() if message.TO == "case"}
    assert to_cases == set(HANDLERS)
    owners = [message for rules in STAGES.values() for message in rules.rules]
    assert len(owners) == len(set(owners)) == len(STAGE_OF)
    assert ReceivePartnerSignal in HANDLERS


def test_no_stage_opens_without_a_record_request() -> None:
    scenario = a_case()
    scenario.send("RegisterCase", **_registration())
    assert may_open(scenario.case, scenario.moment()) == (Stage.SCREENING,)
    for name, more in (("AddNote", {"note": "x"}), ("RecordNonRefoulementScreen", {"outcome": "NO_CLAIM"})):
        scenario.send(name, **more)
    assert "StageOpened" not in scenario.names


def _registration() -> dict[str, Any]:
    event = a_registered_case().events[0]
    return {
        "person": event.facts["person"],
        "country_of_return": "NGA",
        "channel": "WALK_IN",
        "office": "Tripoli",
        "consent_to_data_processing": True,
    }


def test_a_message_just_before_its_stage_opens_waits_for_it() -> None:
    scenario = a_case()
    scenario.send("RegisterCase", **_registration())
    with pytest.raises(TooEarly):
        scenario.send("CompleteScreening")
    assert scenario.walk().refused("CompleteScreening").rule == "SCREENING.NOT_ELIGIBLE"


def test_an_opening_that_is_not_allowed_records_no_event() -> None:
    scenario = a_registered_case()
    for stage in (Stage.MEDICAL, Stage.DEPARTURE, Stage.REINTEGRATION):
        assert decide_opening(scenario.case, stage, scenario.moment()) == []


def test_a_repeated_opening_records_no_event() -> None:
    scenario = a_registered_case()
    assert decide_opening(scenario.case, Stage.SCREENING, scenario.moment()) == []


def test_the_three_middle_stages_run_side_by_side() -> None:
    scenario = a_screened_case()
    assert {stage for stage in Stage if scenario.case.is_open(stage)} == {
        Stage.PROTECTION,
        Stage.MEDICAL,
        Stage.DOCUMENTS,
    }


def test_departure_and_reception_open_before_their_row_is_reached() -> None:
    scenario = a_seated_case()
    scenario.having("RevokeClearance", kind="SAFETY_OF_RETURN", cause="ADVISORY")
    assert scenario.status("PROTECTION") == "REOPENED"
    assert scenario.status("RECEPTION") == "OPEN"
    assert scenario.status("DEPARTURE") == "OPEN"


@pytest.mark.parametrize(
    ("done", "row"),
    [
        ((), (Stage.SCREENING,)),
        ((Stage.SCREENING,), (Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS)),
        ((Stage.SCREENING, Stage.PROTECTION, Stage.DOCUMENTS), (Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS)),
        ((Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS), (Stage.SCREENING,)),
        (tuple(Stage), ()),
    ],
)
def test_a_case_works_on_its_first_unfinished_row(done: tuple[Stage, ...], row: tuple[Stage, ...]) -> None:
    assert current_row(NEWEST, done) == row


def test_an_unregistered_case_is_over() -> None:
    scenario = a_case()
    assert progress_of(scenario.case, scenario.moment()).over


def test_the_policy_covers_every_kind() -> None:
    for policy in POLICIES.values():
        assert set(policy.in_force.validity) == set(ClearanceKind)
        assert set(policy.in_force.hold_review) == set(HoldType)
        assert set(policy.pinned.answers) == {PUBLIC_KIND.get(kind, kind) for kind in ReferralKind}
        assert set(policy.pinned.urgent) <= set(policy.pinned.answers)


def test_the_default_partner_serves_the_country_of_return() -> None:
    partners = a_registered_case().directory
    found = partners.for_kind(ReferralKind.CONSULAR_IDENTITY, "NGA")
    assert found is not None
    assert found.partner_id == "embassy-nga"
    assert partners.for_kind(ReferralKind.CONSULAR_IDENTITY, "SDN") is None
    assert Directory().for_kind(ReferralKind.RECEPTION, "NGA") is None
