"""The rule book over HTTP: every rule at its address, and every refusal with the address of its rule."""

from __future__ import annotations

import httpx2

from audit.rule_book import rule_book

REGISTER = {"message": "RegisterCase", "office": "Tripoli"}


async def test_every_rule_in_the_list_is_there(client: httpx2.AsyncClient) -> None:
    listed = (await client.get("/rules")).json()["rules"]

    assert [each["code"] for each in listed] == sorted(rule_book().rules)
    for each in listed:
        answer = await client.get(each["rule_url"])
        assert (answer.status_code, answer.json()["title"]) == (200, each["title"])


async def test_a_code_of_a_family_leads_to_its_rule(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/rules/GATE.HOLD.MEDICAL")

    assert answer.json()["code"] == "GATE.HOLD"
    assert answer.json()["page"] == "docs/rules/travel-gate.md#gate.hold"


async def test_an_unknown_code_is_not_found(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/rules/NO.SUCH_RULE")

    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


async def test_a_refusal_links_to_the_rule_that_refused(client: httpx2.AsyncClient) -> None:
    refused = await client.post("/api/v1/cases", json=REGISTER, headers={"Idempotency-Key": "rules-1"})

    told = refused.json()
    assert (refused.status_code, told["rule"]) == (422, "MESSAGE.INVALID")
    explained = await client.get(told["rule_url"])
    assert (explained.status_code, explained.json()["code"]) == (200, "MESSAGE.INVALID")


async def test_the_rules_are_in_the_description_of_the_interface(client: httpx2.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    assert {"/rules", "/rules/{code}"} <= set(described["paths"])
    assert "rule_url" in str(described)
