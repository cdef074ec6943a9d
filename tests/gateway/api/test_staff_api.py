"""The staff API: receipts, idempotency, waiting, problem documents, limits."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from gateway.api import queries
from gateway.app import GatewaySettings, create_app
from gateway.http.request_body import STAFF_BODY
from gateway.intake.partners import CLOUD_EVENT, PARTNER_BODY
from gateway.intake.service import Intake
from gateway.public_address import PublicAddress
from store.messages.inbox import message_id_for
from store.partners.registry import RegisteredPartner, add
from store.postgres.database import open_pool
from store.projections.projector import Projector
from tests.gateway.conftest import MASTER_KEY, REGISTRATION, Clinic, a_partner, an_app, rows
from tests.support.builders import a_screened_case as a_screened_case_in_memory
from tests.support.databases import Database
from tests.support.journey_steps import a_screened_case
from tests.support.recorded_archive import RecordedArchive
from tests.support.running_worker import RunningWorker, a_running_worker
from workers.embedded.installation import Servers

PROBLEM = "application/problem+json"

REGISTER = {"message": "RegisterCase", **REGISTRATION}


async def post(client: httpx2.AsyncClient, path: str, body: Any, **headers: str) -> httpx2.Response:
    return await client.post(f"/api/v1{path}", json=body, headers={"Idempotency-Key": uuid4().hex, **headers})


async def registered(client: httpx2.AsyncClient) -> str:
    return str((await post(client, "/cases", REGISTER)).json()["case_number"])


def problem_of(answer: httpx2.Response) -> dict[str, Any]:
    """Returns the problem in a response, after checking its format."""
    found: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == PROBLEM
    assert found["status"] == answer.status_code
    assert found["type"].startswith("/problems/")
    assert found["title"]
    return found


# Messages


async def test_a_case_is_started_with_a_receipt(client: httpx2.AsyncClient) -> None:
    answer = await post(client, "/cases", REGISTER)

    assert answer.status_code == 202
    assert answer.json()["case_number"].startswith("LBY-")
    assert answer.headers["location"] == f"/api/v1/messages/{answer.json()['message_id']}"
    found = await client.get(answer.headers["location"])
    assert (found.status_code, found.json()["status"]) == (200, "pending")
    assert found.json()["case_number"] == answer.json()["case_number"]


async def test_a_repeat_is_answered_as_before_and_says_so(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "the-same"}
    first, second = [await post(client, "/cases", REGISTER, **key) for _ in range(2)]

    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.json() == first.json()


async def test_the_same_key_for_another_body_is_a_422(client: httpx2.AsyncClient) -> None:
    key = {"Idempotency-Key": "the-same"}
    await post(client, "/cases", REGISTER, **key)

    answer = await post(client, "/cases", {**REGISTER, "office": "Misrata"}, **key)

    assert answer.status_code == 422
    assert problem_of(answer)["type"] == "/problems/key-reused"


async def test_without_an_idempotency_key_nothing_is_accepted(client: httpx2.AsyncClient, intake: Intake) -> None:
    answer = await client.post("/api/v1/cases", json=REGISTER)

    assert answer.status_code == 400
    assert "Idempotency-Key" in problem_of(answer)["detail"]
    assert await rows(intake) == []


async def test_an_impossible_date_is_named_with_field_value_and_rule(client: httpx2.AsyncClient) -> None:
    person = {**REGISTRATION["person"], "date_of_birth": "1996-02-30"}

    answer = await post(client, "/cases", {**REGISTER, "person": person})

    problem = problem_of(answer)
    assert (answer.status_code, problem["rule"]) == (422, "MESSAGE.INVALID")
    assert problem["errors"][0]["pointer"] == "/person/date_of_birth"
    assert problem["errors"][0]["value"] == "1996-02-30"
    kept = await client.get(f"/api/v1/messages/{problem['message_id']}")
    assert kept.json()["status"] == "refused"


async def test_the_named_user_is_recorded(client: httpx2.AsyncClient, intake: Intake) -> None:
    await post(client, "/cases", REGISTER)
    await post(client, "/cases", REGISTER, **{"X-Awda-User": "fatima"})

    assert [row["actor"] for row in await rows(intake, "actor")] == ["staff:operator", "staff:fatima"]


async def test_time_and_reason_of_a_message_are_not_fields_of_it(client: httpx2.AsyncClient, intake: Intake) -> None:
    number = await registered(client)
    about = {"happened_at": "2026-01-05T08:00:00Z", "reason": "told by phone"}

    answer = await post(client, f"/cases/{number}/messages", {"message": "AddNote", "note": "x", "about": about})

    assert answer.status_code == 202
    assert (await rows(intake, "claimed_at"))[-1]["claimed_at"].isoformat() == "2026-01-05T08:00:00+00:00"


UNFIT_ABOUT: list[Any] = [
    7,
    {"colour": "blue"},
    {"happened_at": 1},
    {"happened_at": "2026-01-05"},
    {"happened_at": "2999-01-01T00:00:00Z"},
    {"happened_at": "0001-01-01T00:00:00+14:00"},
    {"reason": ""},
]


async def test_time_and_reason_of_a_message_are_validated(
    client: httpx2.AsyncClient, subtests: pytest.Subtests
) -> None:
    for about in UNFIT_ABOUT:
        with subtests.test(about=str(about)[:60]):
            number = await registered(client)

            answer = await post(
                client, f"/cases/{number}/messages", {"message": "AddNote", "note": "x", "about": about}
            )

            assert answer.status_code == 422
            assert problem_of(answer)["errors"][0]["pointer"].startswith("/about")


ERRORS: list[Any] = [
    ("GET", "/api/v1/cases/LBY-2026-999999", 404),
    ("GET", "/api/v1/cases/LBY%00", 404),
    ("GET", "/api/v1/cases/LBY-2026-999999/history", 404),
    ("GET", "/api/v1/movements/MOV-2026-NONE", 404),
    ("GET", f"/api/v1/messages/{UUID(int=1)}", 404),
    ("GET", "/api/v1/messages/not-a-uuid", 422),
    ("GET", "/api/v1/nowhere", 404),
    ("GET", "/schemas/Nothing.json", 404),
    ("GET", "/schemas/TakeSeat.json", 404),
    ("GET", "/problems/nothing", 404),
    ("PUT", "/api/v1/cases", 405),
    ("DELETE", "/api/v1/cases/LBY-2026-000001", 405),
    ("GET", "/api/v1/cases?limit=0", 422),
    ("GET", "/api/v1/cases?limit=many", 422),
    ("GET", "/api/v1/cases?cursor=%00", 422),
    ("GET", "/api/v1/cases?cursor=xyz", 422),
    ("GET", "/api/v1/cases/LBY-2026-999999?as_of=yesterday", 422),
    ("GET", "/api/v1/cases/LBY-2026-999999?known_at=2026-01-01T00:00:00", 422),
    ("POST", "/api/v1/cases/LBY-2026-999999/messages", 404),
    ("POST", "/api/v1/cases/MOV-2026-NONE/messages", 404),
    ("POST", "/api/v1/movements/LBY-2026-000001/messages", 404),
]


async def test_every_error_is_a_problem_document(client: httpx2.AsyncClient, subtests: pytest.Subtests) -> None:
    for method, path, status in ERRORS:
        with subtests.test(method=str(method)[:60]):
            body = {"json": {"message": "AddNote", "note": "x"}} if method == "POST" else {}

            answer = await client.request(method, path, headers={"Idempotency-Key": "k"}, **body)  # type: ignore[arg-type]

            assert answer.status_code == status
            problem_of(answer)


TIME: Final = "a date and time with a time zone, for example 2026-11-23T08:00:00Z"

PARAMETERS: Final[list[tuple[str, str]]] = [
    ("/cases?limit=0", "Limit must be 1 or more (you entered 0)."),
    ("/cases?limit=201", "Limit must be 200 or less (you entered 201)."),
    ("/cases?limit=many", "Limit must be a whole number (you entered many)."),
    ("/cases?country=Nigeria", "Country may have at most 3 characters and has 7."),
    ("/cases/LBY-2026-999999?as_of=yesterday", f"As of must be {TIME} (you entered yesterday)."),
    (
        "/cases/LBY-2026-999999?known_at=2026-01-01T00:00:00",
        f"Known at must be {TIME} (you entered 2026-01-01T00:00:00).",
    ),
    (
        "/messages/not-a-uuid",
        (
            "Message id must be an identifier (UUID), for example 3b6f1c1e-7c1f-4a52-9a51-0d9c6f1e2a77"
            " (you entered not-a-uuid)."
        ),
    ),
    (
        "/escalations?since=soon",
        "Since must be a date in the form YYYY-MM-DD, for example 2026-11-23 (you entered soon).",
    ),
    (
        "/quarantine?partner=Clinic",
        (
            "Partner must be a partner id of small letters, digits and hyphens, for example clinic-tripoli"
            " (you entered Clinic)."
        ),
    ),
]


async def test_an_invalid_parameter_is_named_with_value_and_rule(
    client: httpx2.AsyncClient, subtests: pytest.Subtests
) -> None:
    for path, detail in PARAMETERS:
        with subtests.test(path=path):
            answer = await client.get(f"/api/v1{path}")

            assert answer.status_code == 422
            assert problem_of(answer)["detail"] == detail


ABOUT: Final[list[tuple[Any, str]]] = [
    (7, "About must be an object (you entered 7)."),
    ({"colour": "blue"}, "There is no field colour."),
    ({"happened_at": 1}, "Happened at must be text, for example 2026-11-23T08:00:00Z."),
    ({"happened_at": "2026-01-05"}, f"Happened at must be {TIME} (you entered 2026-01-05)."),
    (
        {"happened_at": "2999-01-01T00:00:00Z"},
        "Happened at must not be in the future (you entered 2999-01-01T00:00:00+00:00).",
    ),
    ({"reason": ""}, "Reason must not be empty."),
    ({"reason": True}, "Reason must be text (you entered true)."),
]


async def test_an_error_in_time_or_reason_is_named_with_value_and_rule(
    client: httpx2.AsyncClient, subtests: pytest.Subtests
) -> None:
    for about, detail in ABOUT:
        with subtests.test(about=str(about)):
            answer = await post(client, "/cases", {**REGISTER, "about": about})

            assert answer.status_code == 422
            assert problem_of(answer)["detail"] == detail


UNREADABLE: list[Any] = [
    (b"", "application/json", 400),
    (b"[]", "application/json", 400),
    (b'{"message": "RegisterCase", "message": "AddNote"}', "application/json", 400),
    (b'{"message": NaN}', "application/json", 400),
    (b'{"message": "\\u0000"}', "application/json", 400),
    (b"{}", "application/json", 422),
    (b'{"message": {}}', "application/json", 422),
    (json.dumps(REGISTER).encode(), "text/plain", 415),
    (b"x" * (STAFF_BODY + 1), "application/json", 413),
]


async def test_an_unreadable_body_is_rejected(client: httpx2.AsyncClient, subtests: pytest.Subtests) -> None:
    for content, media, status in UNREADABLE:
        with subtests.test(content=str(content)[:60]):
            answer = await client.post(
                "/api/v1/cases", content=content, headers={"Idempotency-Key": "k", "content-type": media}
            )

            assert answer.status_code == status
            problem_of(answer)


async def test_only_the_loopback_host_name_is_served(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/api/v1/cases", headers={"host": "evil.example"})

    assert answer.status_code == 421
    problem_of(answer)


async def test_behind_a_proxy_a_request_needs_a_user(database: Database) -> None:
    async with an_app(database, proxied=True) as client:
        nameless = await client.get("/api/v1/cases", headers={"host": "awda.example"})
        named = await client.get("/api/v1/cases", headers={"host": "awda.example", "X-Awda-User": "fatima"})

    assert (nameless.status_code, named.status_code) == (401, 200)


def routes(app: FastAPI) -> list[APIRoute]:
    found: list[APIRoute] = []
    waiting = list(app.router.routes)
    while waiting:
        route = waiting.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        else:
            waiting += getattr(getattr(route, "original_router", None), "routes", [])
    return found


def test_every_route_has_an_authorization(database: Database) -> None:
    app = create_app(GatewaySettings(database.app_dsn, MASTER_KEY))
    open_routes = {"/api/v1/inbox/{partner_id}", "/healthz", "/schemas/{message}.json", "/problems/{slug}"}
    open_routes |= {"/partners/receipt-key"}
    fhir = "/api/v1/partners/{partner_id}/fhir"
    signed = {"/api/v1/inbox/{partner_id}/rehearsal", f"{fhir}/Task", f"{fhir}/Task/{{task_id}}"}
    open_routes |= {f"{fhir}/metadata"} | signed  # partners authenticate by signature instead
    open_routes |= {"/p/{token}", "/call"}  # the one is opened with a code, the other is public
    open_routes |= {"/partners/receipt-key", "/schemas", "/schemas/signals/{kind}/v{version}.json"}
    open_routes |= {"/rules", "/rules/{code}"}

    routes_found = {
        route.path: [d for d in route.dependant.dependencies if hasattr(d.call, "action")] for route in routes(app)
    }

    assert len(routes_found) >= 11
    assert {path for path, authorizations in routes_found.items() if not authorizations} == open_routes


OTHERS: list[dict[str, str]] = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "null"},
    {"Origin": "https://evil.example/127.0.0.1:8600"},
]

OURS: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8600"},
    {"Origin": "https://vhr.example.org"},
]


@pytest.mark.parametrize("proxied", [False, True])
async def test_what_another_sites_page_asks_for_is_asked_by_nobody(database: Database, *, proxied: bool) -> None:
    """A browser would send them with the identity of the user who is signed in."""
    app = create_app(GatewaySettings(database.app_dsn, MASTER_KEY))
    staffs = [route for route in routes(app) if any(hasattr(d.call, "action") for d in route.dependant.dependencies)]
    assert len(staffs) >= 20
    async with an_app(database, proxied=proxied, face=PublicAddress("https://vhr.example.org")) as client:
        for route in staffs:
            (method,) = route.methods or {"GET"}
            path = re.sub(r"\{\w+\}", "x", route.path)
            for headers in OTHERS:
                answer = await client.request(method, path, headers={"X-Awda-User": "fatima", **headers})
                assert (answer.status_code, problem_of(answer)["type"]) == (403, "/problems/cross-site"), path
            for headers in OURS:
                answer = await client.request(method, path, headers={"X-Awda-User": "fatima", **headers})
                assert answer.status_code != 403, path


FORMS: Final = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


async def test_nothing_that_a_page_can_send_unasked_changes_anything(database: Database, intake: Intake) -> None:
    """A form cannot send custom headers: every changing route requires one, or a media type that forms cannot send."""
    await add(intake.pool, RegisteredPartner("x", "Embassy", frozenset()))
    async with an_app(database) as client:
        posts = [
            route
            for route in routes(client._transport.app)  # type: ignore[attr-defined]
            if "POST" in (route.methods or ()) and any(hasattr(d.call, "action") for d in route.dependant.dependencies)
        ]
        assert len(posts) >= 9
        for route in posts:
            path = re.sub(r"\{\w+_id\}", str(UUID(int=1)), route.path.replace("{partner_id}", "x"))
            path = re.sub(r"\{\w+\}", "x", path.replace("{kind}", "exit-list"))
            for media in FORMS:
                answer = await client.post(path, content=b"x", headers={"content-type": media})
                assert problem_of(answer)["type"] in ("/problems/bad-key", "/problems/media-type"), path


async def test_the_api_describes_itself(client: httpx2.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    assert described["openapi"].startswith("3.1")
    assert {"/api/v1/cases", "/api/v1/cases/{number}/messages", "/api/v1/inbox/{partner_id}"} <= set(described["paths"])
    assert "RegisterCase" in json.dumps(described["paths"]["/api/v1/cases"]["post"]["requestBody"])
    assert "/messages/" not in "".join(path for path in described["paths"] if "RegisterCase" in path)
    schema = (await client.get("/schemas/RegisterCase.json")).json()
    assert "country_of_return" in schema["properties"]


async def test_an_internal_error_is_a_500_without_any_data(client: httpx2.AsyncClient, database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("ALTER TABLE inbox RENAME TO elsewhere")
    broken = await post(client, "/cases", REGISTER)
    await owner.close()

    assert broken.status_code == 500
    assert "Aminata" not in broken.text
    assert "elsewhere" not in broken.text
    problem_of(broken)


async def test_an_unavailable_database_is_a_503_with_retry_after(database: Database) -> None:
    async with an_app(database) as client:
        client._transport.app.state.intake.pool.terminate()  # type: ignore[attr-defined]
        for answer in (await post(client, "/cases", REGISTER), await client.get("/healthz")):
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
            problem_of(answer)


async def test_the_health_check_answers(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


# Partners


async def sent(client: httpx2.AsyncClient, partner_id: str, headers: dict[str, str], body: bytes) -> httpx2.Response:
    return await client.post(f"/api/v1/inbox/{partner_id}", content=body, headers=headers)


async def test_a_signal_is_answered_with_a_receipt_after_the_commit(
    client: httpx2.AsyncClient, clinic: Clinic, intake: Intake
) -> None:
    event = clinic.event()

    first = await sent(client, clinic.partner_id, *clinic.signed(event))
    second = await sent(client, clinic.partner_id, *clinic.signed(event))

    assert first.status_code == second.status_code == 202
    assert first.json() == second.json()
    assert first.json()["status"] == "received"
    assert len(await rows(intake, where="kind = 'signal'")) == 1


async def test_whether_there_is_such_a_referral_cannot_be_read_from_the_answer(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    known = await sent(client, clinic.partner_id, *clinic.signed(clinic.event()))
    unknown = await sent(client, clinic.partner_id, *clinic.signed(clinic.event(data={"referral_token": "y" * 22})))

    assert known.status_code == unknown.status_code == 202
    assert known.json().keys() == unknown.json().keys()
    assert known.json()["status"] == unknown.json()["status"]
    assert known.headers.keys() == unknown.headers.keys()


async def test_the_same_id_for_another_signal_is_a_conflict(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    event = clinic.event()
    await sent(client, clinic.partner_id, *clinic.signed(event))

    answer = await sent(
        client, clinic.partner_id, *clinic.signed({**event, "data": {**event["data"], "reason": "other"}})
    )

    assert answer.status_code == 409
    problem_of(answer)


async def test_binary_mode_and_other_media_are_refused(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    headers, body = clinic.signed(clinic.event())

    for media in ("application/json", "", "text/plain", f"{CLOUD_EVENT}-batch"):
        answer = await sent(client, clinic.partner_id, {**headers, "content-type": media}, body)
        assert answer.status_code == 415
        problem_of(answer)


async def test_a_body_beyond_the_limit_is_refused(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    answer = await sent(client, clinic.partner_id, *clinic.signed(clinic.event(padding="x" * PARTNER_BODY)))

    assert answer.status_code == 413
    problem_of(answer)


async def test_an_unknown_partner_and_a_forged_signature_get_the_same_answer(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    headers, body = clinic.signed(clinic.event())
    forged = {**headers, "webhook-signature": "v1,AAAA"}

    unknown = [await sent(client, name, headers, body) for name in ("nobody", "%00", "clinic-tripoli%20", "x" * 300)]
    forger = await sent(client, clinic.partner_id, forged, body)

    assert {answer.status_code for answer in (*unknown, forger)} == {401}
    assert {answer.text for answer in unknown} == {forger.text}


async def test_a_signature_header_sent_twice_is_rejected(client: httpx2.AsyncClient, clinic: Clinic) -> None:
    headers, body = clinic.signed(clinic.event())

    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        twice = [*headers.items(), (name, headers[name])]
        answer = await client.post(f"/api/v1/inbox/{clinic.partner_id}", content=body, headers=twice)
        assert answer.status_code == 401


# With a worker


async def test_a_case_is_processed_and_read_over_http(
    database: Database, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_running_worker(database, servers), an_app(database) as client:
        begun = await post(client, "/cases", REGISTER, Prefer="respond-async, wait=20")
        assert begun.status_code == 200, begun.text
        assert begun.json()["status"] == "applied"
        number, version = begun.json()["case_number"], begun.json()["version"]

        shown = await client.get(f"/api/v1/cases/{number}", params={"min_version": version})
        assert shown.json()["case_number"] == number
        assert shown.headers["etag"] == f'"v{shown.json()["version"]}"'

        unchanged = await client.get(f"/api/v1/cases/{number}", headers={"If-None-Match": shown.headers["etag"]})
        assert unchanged.status_code in {200, 304}

        history = (await client.get(f"/api/v1/cases/{number}/history", params={"limit": 1})).json()
        assert history["events"][0]["name"] == "CaseRegistered"
        assert history["events"][0]["actor"] == "staff:operator"
        rest = (await client.get(f"/api/v1/cases/{number}/history", params={"cursor": history["next"]})).json()
        assert rest["events"][0]["version"] == 2

        before = await client.get(f"/api/v1/cases/{number}", params={"known_at": "2020-01-01T00:00:00Z"})
        assert (before.json()["version"], before.json()["known_at"]) == (0, "2020-01-01T00:00:00Z")

        early = await post(client, f"/cases/{number}/messages", {"message": "BoardPassenger"}, Prefer="wait=20")
        assert early.status_code == 409
        assert problem_of(early)["rule"] == "STAGE.NOT_OPEN"

        unheld = {"message": "LiftHold", "hold_id": str(uuid4()), "reason": "x"}
        unknown = await post(client, f"/cases/{number}/messages", unheld, Prefer="wait=20")
        assert unknown.status_code == 422
        assert problem_of(unknown)["rule"] == "HOLD.UNKNOWN"

        monkeypatch.setattr(queries, "LONGEST_WAIT_S", 0.2)
        beyond = await client.get(f"/api/v1/cases/{number}", params={"min_version": 10_000})
        assert beyond.status_code == 412


async def test_the_worklist_is_read_page_by_page(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker, an_app(database) as client:
        begun = [await post(client, "/cases", REGISTER, Prefer="wait=20") for _ in range(3)]
        await Projector(worker.pool).catch_up()

        first = await client.get("/api/v1/cases", params={"limit": 2, "country": "NGA"})
        second = await client.get(first.links["next"]["url"])
        none = await client.get("/api/v1/cases", params={"phase": "CLOSED"})

    listed = [case["case_number"] for page in (first, second) for case in page.json()["cases"]]
    assert listed == [answer.json()["case_number"] for answer in begun]
    assert second.json()["next"] is None
    assert none.json()["cases"] == []
    assert "Aminata" not in first.text


async def the_token(worker: RunningWorker) -> str:
    """Returns the token of the clinic's referral, once it was sent."""
    query = "SELECT token FROM referral_tokens WHERE partner_id = 'clinic-misrata'"
    async with asyncio.timeout(20):
        while (token := await worker.pool.fetchval(query)) is None:
            await asyncio.sleep(0.05)
    return str(token)


async def test_a_partners_signal_moves_the_referral_it_answers(
    database: Database, servers: Servers, intake: Intake
) -> None:
    async with a_running_worker(database, servers) as worker, an_app(database) as client:
        case = await a_screened_case(worker)
        token = await the_token(worker)
        clinic = await a_partner(intake, "clinic-misrata", case, "a-token-for-no-referral")

        event = clinic.event(data={"referral_token": token})
        answer = await sent(client, clinic.partner_id, *clinic.signed(event, key=clinic.private))

        assert answer.status_code == 202
        became = await worker.became(message_id_for("partner:clinic-misrata", event["id"]))
        assert became["status"] == "applied", became
        assert "ReferralCompleted" in await worker.names(case)


async def test_staff_read_the_escalation_digest(client: httpx2.AsyncClient, database: Database) -> None:
    async with await open_pool(database.app_dsn) as pool, await open_pool(database.owner_dsn) as owner:
        archive = RecordedArchive(pool, owner)
        await archive.keep(a_screened_case_in_memory().after(days=14).events)
        await Projector(pool).catch_up()

    answer = await client.get("/api/v1/escalations", params={"since": "2026-12-04"})

    assert answer.status_code == 200
    assert [(each["day"], each["partner_id"], each["referrals"]) for each in answer.json()["escalations"]] == [
        ("2026-12-06", "embassy-nga", 1)
    ]
    assert problem_of(await client.get("/api/v1/escalations", params={"since": "soon"}))["status"] == 422
