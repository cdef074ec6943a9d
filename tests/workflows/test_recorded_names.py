"""Workflow types, signals, activities, workflow ids and task queues are stored in histories: a rename breaks them.

Running workflows are found by these names after an upgrade. A name may be added here, and never changed.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import Any, cast
from uuid import UUID

import pytest
from temporalio import activity, workflow
from temporalio.client import Client

import workflows
from activities.delivery import Attempt, DeliveryActivities
from activities.recording import RecordingActivities
from domain.progress import Progress, RecordRequest
from workers.case_worker import case_worker, delivery_worker
from workflows.starter import CASES, DELIVERIES, WORKFLOW_OF, start_delivery, wake_stream

SIGNALS = {
    "CaseWorkflow": {"ring"},
    "MovementWorkflow": {"ring"},
    "ContactWorkflow": {"ring"},
    "DeskWorkflow": {"ring"},
    "DeliveryWorkflow": {"ring"},
}

STREAM = UUID("6f6d9a3e-0000-4000-8000-00000000000a")


def definitions() -> dict[str, workflow._Definition]:
    """The definitions of all workflow classes in the package, by type."""
    modules = [import_module(f"workflows.{module.name}") for module in pkgutil.iter_modules(workflows.__path__)]
    classes = {each for module in modules for each in vars(module).values() if inspect.isclass(each)}
    found = [definition for each in classes if (definition := workflow._Definition.from_class(each))]
    return {str(definition.name): definition for definition in found}


def activity_name(of: Any) -> str | None:
    return activity._Definition.must_from_callable(of).name


class RecordingClient:
    """Notes how a workflow was started."""

    def __init__(self) -> None:
        self.started: list[tuple[str, str]] = []
        self.options: dict[str, Any] = {}

    async def start_workflow(self, name: str, argument: str, **options: Any) -> None:
        self.started.append((name, argument))
        self.options = {key: str(options[key]) for key in ("id", "task_queue", "start_signal")}


def test_workflow_types_and_signals_are_the_recorded_ones() -> None:
    assert {name: set(found.signals) for name, found in definitions().items()} == SIGNALS


def test_workflows_answer_no_queries_and_no_updates() -> None:
    assert [name for name, found in definitions().items() if found.queries or found.updates] == []


def test_activity_names_are_the_recorded_ones() -> None:
    assert activity_name(RecordingActivities.record) == "record"
    assert activity_name(DeliveryActivities.deliver) == "deliver"
    assert activity_name(DeliveryActivities.give_up) == "give_up"


def test_payload_fields_are_the_recorded_ones() -> None:
    assert set(RecordRequest.model_fields) == {"stream_id", "open"}
    assert set(Progress.model_fields) == {
        *("edition", "done", "may_open", "waiting_on", "wait_s", "over", "more", "version"),
    }
    assert set(Attempt.model_fields) == {"over", "held", "tries", "rest_s"}


def test_task_queues_are_the_recorded_ones() -> None:
    assert (CASES, DELIVERIES) == ("awda-cases", "awda-deliveries")
    assert inspect.signature(case_worker).parameters["task_queue"].default == CASES
    assert inspect.signature(delivery_worker).parameters["task_queue"].default == DELIVERIES


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("case", "CaseWorkflow"),
        ("movement", "MovementWorkflow"),
        ("contact", "ContactWorkflow"),
        ("desk", "DeskWorkflow"),
    ],
)
async def test_a_stream_is_woken_under_its_recorded_names(kind: str, name: str) -> None:
    client = RecordingClient()
    await wake_stream(cast("Client", client), kind, STREAM)
    assert client.started == [(name, str(STREAM))]
    assert client.options == {"id": f"{kind}-{STREAM}", "task_queue": "awda-cases", "start_signal": "ring"}


def test_every_kind_of_stream_has_a_workflow() -> None:
    assert set(WORKFLOW_OF.values()) | {"DeliveryWorkflow"} == set(SIGNALS)


@pytest.mark.parametrize(("released", "signal"), [(False, "None"), (True, "ring")])
async def test_a_delivery_is_started_under_its_recorded_names(released: bool, signal: str) -> None:
    client = RecordingClient()
    await start_delivery(cast("Client", client), STREAM, released=released)
    assert client.started == [("DeliveryWorkflow", str(STREAM))]
    assert client.options == {"id": f"delivery-{STREAM}", "task_queue": "awda-deliveries", "start_signal": signal}
