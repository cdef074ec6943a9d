"""Schemas: published at permanent addresses, one for each kind of referral, with every reference resolved."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest

from domain.kernel.vocabulary import ReferralKind
from domain.referral.outcomes import OUTCOMES
from gateway.api import schemas
from gateway.api.schemas import signal_schema


async def test_every_schema_in_the_list_is_there(client: httpx2.AsyncClient) -> None:
    listed = (await client.get("/schemas")).json()

    assert set(listed["signals"]) == set(OUTCOMES)
    assert "ReceivePartnerSignal" in listed["messages"]
    assert not {"ReceiveContradiction", "TakeSeat", "RecordSignalSetAside"} & set(listed["messages"])
    for address in (*listed["messages"].values(), *listed["signals"].values()):
        answer = await client.get(address)
        assert (answer.status_code, answer.json()["$id"]) == (200, address)
        assert answer.headers["content-type"] == "application/schema+json"


@pytest.mark.parametrize(
    "path", ["signals/NOTHING/v1.json", "signals/ESCORT/v2.json", "signals/ESCORT/vx.json", "ReceiveContradiction.json"]
)
async def test_a_schema_that_was_never_published_is_not_found(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(f"/schemas/{path}")).status_code == 404


@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_reference_in_a_schema_resolves(kind: ReferralKind) -> None:
    schema = signal_schema(kind)
    for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)):
        assert name in schema["$defs"], name
    assert {"referral_token", "signal_type", "payload"} <= set(schema["properties"])


def test_the_schema_of_a_kind_contains_its_outcomes_and_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Any] = {
        "version": 3,
        "outcomes": {"COMPLETED": ["FIT", "UNFIT"], "PROGRESS": []},
        "payload": {
            "type": "object",
            "properties": {"day": {"$ref": "#/$defs/Day"}},
            "$defs": {"Day": {"type": "string"}},
        },
    }
    monkeypatch.setattr(schemas, "published_schema", lambda _: answers)

    schema = signal_schema(ReferralKind.FIT_TO_TRAVEL)

    assert schema["$id"] == "/schemas/signals/FIT_TO_TRAVEL/v3.json"
    assert schema["properties"]["payload"]["properties"] == {"day": {"$ref": "#/$defs/Day"}}
    assert "Day" in schema["$defs"]
    assert "SubjectCheck" in schema["$defs"]
    assert [rule["then"]["properties"]["outcome_code"]["examples"] for rule in schema["allOf"]] == [["FIT", "UNFIT"]]


def test_the_schema_of_an_examination_names_its_outcomes_and_what_is_read_of_it() -> None:
    schema = signal_schema(ReferralKind.MEDICAL_ASSESSMENT)

    outcomes = {
        rule["if"]["properties"]["signal_type"]["const"]: rule["then"]["properties"]["outcome_code"]["examples"]
        for rule in schema["allOf"]
    }
    assert set(outcomes["COMPLETED"]) == set(OUTCOMES[ReferralKind.MEDICAL_ASSESSMENT].ends)
    assert "examined_at" in schema["properties"]["payload"]["properties"]
