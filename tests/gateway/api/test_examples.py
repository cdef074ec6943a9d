"""The examples of the pages for partners, run exactly as printed: scripts and client against a real gateway, the receiver."""

from __future__ import annotations

import ast
import asyncio
import json
import shutil
import sys
import time
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from activities.delivery import cloud_event
from activities.webhook_client import WebhookClient
from domain.commands.signal import ReceivePartnerSignal
from domain.kernel.vocabulary import ReferralKind
from domain.referral.outcomes import OUTCOMES, schema_violation
from gateway.app import GatewaySettings
from gateway.intake.partners import SIGNAL_TYPE
from gateway.intake.rehearsal import WOULD_APPLY
from gateway.intake.service import Intake
from gateway.server import serve
from store.crypto.webhook_signatures import new_pair, new_secret, sign, sign_with
from store.log.mapper import open_body
from store.messages.outbox import Outbox, open_delivery, outgoing
from store.partners import keys as partner_keys
from store.partners import registry as partners
from store.partners.keys import Direction
from store.partners.registry import RegisteredPartner
from tests.docs.test_partner_pages import JSON, PAGE, example
from tests.gateway.conftest import MASTER_KEY, TOKEN, Clinic, rows
from tests.gateway.test_server import serving
from tests.support.databases import Database
from tests.support.partner_side import BARE, PAGES, PATH, a_receiver, script_with
from tests.support.payloads import full_payload
from tests.support.ports import free_port
from tools.payload_examples import EXAMPLES, FREQUENT
from tools.signals import example_row

CLIENT = str(PAGES / "client.py")

needs_shell = pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "curl", "openssl", "base64", "od"))),
    reason="sh, curl, openssl, base64 or od is not installed",
)


async def run(*command: str, env: dict[str, str], cwd: Path | None = None, stdin: str = "") -> tuple[int, str, str]:
    """Runs a program to its end. Returns exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=PATH | env, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
    return process.returncode or 0, out.decode(), err.decode()


def endpoint(client: httpx2.AsyncClient) -> str:
    return f"{client.base_url}/api/v1/inbox/clinic-tripoli".replace("//api", "/api")


async def arrived(intake: Intake) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await rows(intake, "message_id, status", "kind = 'signal'")]


# The client


def test_the_client_is_short_and_needs_the_standard_library_only() -> None:
    text = (PAGES / "client.py").read_text()
    imported = {
        name.name.partition(".")[0] if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert len(text.splitlines()) <= 70
    assert imported <= sys.stdlib_module_names


async def test_the_client_reports_a_completion_and_prints_its_receipt(
    database: Database, intake: Intake, clinic: Clinic
) -> None:
    async with serving(database) as (client, _, _):
        command = (str(PAGES / "client.py"), endpoint(client), TOKEN, "COMPLETED", "NO_SIGNIFICANT_CONDITION")
        code, out, err = await run(*BARE, *command, env={"AWDA_SECRET": clinic.secret})

    assert (code, err) == (0, "")
    assert [status for _, status in await arrived(intake)] == ["pending"]
    assert out.strip().count(".") == 2, "a signed receipt"


async def test_the_client_retries_until_the_gateway_runs_and_the_signal_counts_once(
    database: Database, intake: Intake, clinic: Clinic
) -> None:
    settings, stop = GatewaySettings(database.app_dsn, MASTER_KEY, port=free_port()), asyncio.Event()
    url = f"http://127.0.0.1:{settings.port}/api/v1/inbox/clinic-tripoli"
    again, same = {"AWDA_SECRET": clinic.secret}, ("--id", str(uuid4()), "--occurred-at", "2026-11-24T10:15:00+02:00")
    command = (*BARE, str(PAGES / "client.py"), url, TOKEN, "ACCEPTED", *same)

    early = asyncio.create_task(run(*command, env=again))
    await refused_once(settings.port)
    running = asyncio.create_task(serve(settings, stop=stop))
    code, first, _ = await early
    second = await run(*command, env=again)
    stop.set()
    await asyncio.wait_for(running, 10)

    assert (code, second[:2]) == (0, (0, first))
    assert len(await arrived(intake)) == 1


async def refused_once(port: int) -> None:
    """Waits until the client has tried to connect once, and refuses that connection."""
    connected = asyncio.Event()

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", port):
        await asyncio.wait_for(connected.wait(), 30)


@pytest.mark.parametrize(
    ("words", "secret", "shown"),
    [
        (("COMPLETED",), new_secret(), "Signature not accepted (401)"),
        (("FINISHED",), None, "/data/signal_type: Signal type must be one of"),
    ],
    ids=["another secret", "an unknown signal type"],
)
async def test_the_client_stops_at_an_error_that_a_person_must_correct(
    database: Database, clinic: Clinic, words: tuple[str], secret: str | None, shown: str
) -> None:
    async with serving(database) as (client, _, _):
        command = (str(PAGES / "client.py"), endpoint(client), TOKEN, *words)
        code, out, err = await run(*BARE, *command, env={"AWDA_SECRET": secret or clinic.secret})

    assert (code, out) == (1, "")
    assert shown in err


async def stored(intake: Intake, clinic: Clinic) -> list[dict[str, Any]]:
    """Returns the fields of every stored signal, in the order of arrival."""
    ring, found = await intake.keys.keyring(clinic.case), await rows(intake, "message_id, body", "kind = 'signal'")
    opened = [open_body(ring, clinic.case, f"inbox:{message_id}", body) for message_id, body in found]
    return [json.loads(body or b"{}")["fields"] for body in opened]


def outcomes_with_payload(kind: ReferralKind) -> dict[str, dict[str, Any]]:
    """Returns the outcomes to try: the one of the documented example, the ordinary one, and all that need a payload."""
    tried = dict.fromkeys((OUTCOMES[kind].ends[0], *OUTCOMES[kind].needs), full_payload(kind))
    return {EXAMPLES[kind].outcome: full_payload(kind), **tried}


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
async def test_the_client_rehearses_and_sends_the_payload_of_every_kind(
    database: Database, intake: Intake, clinic: Clinic, kind: ReferralKind
) -> None:
    tried = [*outcomes_with_payload(kind).items(), (EXAMPLES[kind].outcome, dict(EXAMPLES[kind].payload))]
    async with serving(database) as (client, _, _):
        for outcome, payload in tried:
            words = (TOKEN, "COMPLETED", outcome, "--payload", "-", "--occurred-at", "2026-11-24T10:15:00+02:00")
            given: dict[str, Any] = {"env": {"AWDA_SECRET": clinic.secret}, "stdin": json.dumps(payload)}
            rehearsal = f"{endpoint(client)}/rehearsal"
            code, out, err = await run(*BARE, CLIENT, rehearsal, *words, "--kind", kind, **given)
            assert (code, err, out.splitlines()[0]) == (0, "", WOULD_APPLY), (outcome, payload)
            code, out, err = await run(*BARE, CLIENT, endpoint(client), *words, **given)
            assert (code, err, out.count(".")) == (0, "", 2), outcome

    signals = [ReceivePartnerSignal.model_validate(fields) for fields in await stored(intake, clinic)]
    assert [(signal.outcome_code, signal.payload) for signal in signals] == tried
    assert [schema_violation(kind, signal, datetime.now(UTC)) for signal in signals] == [None] * len(tried)


async def test_the_client_says_in_words_why_a_signal_would_be_held(
    database: Database, intake: Intake, clinic: Clinic, tmp_path: Path
) -> None:
    (tmp_path / "payload.json").write_text('{"kind": "LAISSEZ_PASSER"}', encoding="utf-8")
    more = ("--payload", str(tmp_path / "payload.json"), "--fields", '{"reason": "as agreed"}')
    async with serving(database) as (client, _, _):
        for outcome, shown in (("ISSUED", "Payload: number is required"), ("NONSENSE", "Outcome code must be one of")):
            words = (f"{endpoint(client)}/rehearsal", TOKEN, "COMPLETED", outcome, "--kind", "TRAVEL_DOCUMENT", *more)
            code, out, err = await run(*BARE, CLIENT, *words, env={"AWDA_SECRET": clinic.secret})
            assert (code, err) == (1, "")
            assert shown in out

    assert await arrived(intake) == []


@pytest.mark.integration
@pytest.mark.parametrize("given", ["{", "[1]", "no-such-file"])
async def test_the_client_rejects_a_payload_that_is_no_object(given: str) -> None:
    words = ("https://awda.example/api/v1/inbox/x", TOKEN, "COMPLETED", "FIT", "--payload", given)
    code, _, err = await run(*BARE, CLIENT, *words, env={"AWDA_SECRET": new_secret()})
    assert code == 2
    assert "argument --payload: must be a JSON object, or a file that contains one" in err


# The first page


async def test_the_signal_on_the_page_is_accepted_as_printed(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    event = example(SIGNAL_TYPE)
    headers, body = clinic.signed(event)
    answer = await client.post(f"/api/v1/inbox/{clinic.partner_id}", content=body, headers=headers)
    rehearsed = await client.post(f"/api/v1/inbox/{clinic.partner_id}/rehearsal", content=body, headers=headers)

    assert answer.status_code == 202, answer.text
    assert rehearsed.json()["would_be"] == "applied"


async def test_the_response_of_the_rehearsal_on_the_page_is_the_real_one(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    (shown,) = [block for block in JSON if block.get("status") == "rehearsed"]
    event = clinic.event(data={"outcome_code": "ISSUED"}, referralkind="TRAVEL_DOCUMENT")
    headers, body = clinic.signed(event)
    answer = await client.post(f"/api/v1/inbox/{clinic.partner_id}/rehearsal", content=body, headers=headers)

    assert answer.json() | {"keys": [], "clock_behind_s": 0} == shown | {"keys": [], "clock_behind_s": 0}


def test_the_payloads_on_the_page_are_those_of_the_reference() -> None:
    for kind in FREQUENT:
        assert example_row(kind) in PAGE.splitlines()


@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_the_example_of_a_kind_shows_every_field(kind: ReferralKind) -> None:
    refusals_only = {"reason_class"}
    assert EXAMPLES[kind].payload.keys() == OUTCOMES[kind].payload.model_fields.keys() - refusals_only


@needs_shell
async def test_the_commands_with_the_client_work_as_printed(database: Database, intake: Intake, clinic: Clinic) -> None:
    async with serving(database) as (client, _, _):
        given = {"WHERE": endpoint(client), "AWDA_SECRET": clinic.secret, "TOKEN": TOKEN}
        given["PATH"] = f"{Path(sys.executable).parent}:{PATH['PATH']}"
        code, out, err = await run("sh", stdin=script_with("client.py"), cwd=PAGES, env=given)

    assert (code, err) == (0, "")
    first, *receipts = out.splitlines()
    assert (first, [receipt.count(".") for receipt in receipts]) == (WOULD_APPLY, [2, 2])
    sent = [
        (each["outcome_code"], each["payload"], each["reason"]) for each in map(signal_of, await stored(intake, clinic))
    ]
    assert sent == [
        ("NO_SIGNIFICANT_CONDITION", {"examined_at": "2026-11-24"}, None),
        (None, {}, "no appointment this week"),
    ]


def signal_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of a signal, with their defaults."""
    return ReceivePartnerSignal.model_validate(fields).model_dump()


# The shell


@needs_shell
async def test_the_script_with_a_shared_secret_works_as_printed(
    database: Database, intake: Intake, clinic: Clinic
) -> None:
    async with serving(database) as (client, _, _):
        given = {"WHERE": endpoint(client), "SECRET": clinic.secret, "TOKEN": TOKEN}
        code, out, err = await run("sh", stdin=script_with("hexkey"), env=given)

    assert code == 0, err
    assert [status for _, status in await arrived(intake)] == ["pending"]
    assert json.loads(out)["receipt"].count(".") == 2, "a signed receipt"


@needs_shell
@pytest.mark.parametrize("kind", sorted(OUTCOMES))
async def test_the_script_rehearses_and_sends_the_payload_of_every_kind(
    database: Database, intake: Intake, clinic: Clinic, kind: ReferralKind
) -> None:
    example, script = EXAMPLES[kind], script_with("hexkey")
    given = {
        "TYPE": "COMPLETED",
        "OUTCOME": example.outcome,
        "PAYLOAD": json.dumps(dict(example.payload)),
        "KIND": kind,
    }
    given |= {"SECRET": clinic.secret, "TOKEN": TOKEN}
    async with serving(database) as (client, _, _):
        code, out, err = await run("sh", stdin=script, env=given | {"WHERE": f"{endpoint(client)}/rehearsal"})
        assert (code, json.loads(out)["would_be"]) == (0, "applied"), (out, err)
        code, out, err = await run("sh", stdin=script, env=given | {"WHERE": endpoint(client)})
        assert (code, json.loads(out)["status"]) == (0, "received"), (out, err)

    (fields,) = await stored(intake, clinic)
    assert (fields["outcome_code"], fields.get("payload", {})) == (example.outcome, example.payload)


@needs_shell
async def test_the_script_with_a_key_pair_makes_it_and_signs_with_it(
    database: Database, intake: Intake, clinic: Clinic, tmp_path: Path
) -> None:
    code, public, err = await run("sh", stdin=script_with("genpkey"), cwd=tmp_path, env={})
    assert (code, public[:5]) == (0, "whpk_"), err
    for entry in await partner_keys.key_entries(intake.pool, clinic.partner_id):
        await partner_keys.revoke_key(intake.pool, entry.key_id)
    await partner_keys.add_key(intake.pool, intake.keys.master, clinic.partner_id, public.strip())

    async with serving(database) as (client, _, _):
        given = {"WHERE": endpoint(client), "TOKEN": TOKEN}
        rehearsal = given | {"WHERE": f"{endpoint(client)}/rehearsal", "TYPE": "COMPLETED", "OUTCOME": "FIT"}
        code, out, err = await run("sh", stdin=script_with("pkeyutl"), cwd=tmp_path, env=rehearsal)
        assert (code, json.loads(out)["would_be"]) == (0, "applied"), (out, err)
        code, out, err = await run("sh", stdin=script_with("pkeyutl"), cwd=tmp_path, env=given)

    assert code == 0, err
    assert [status for _, status in await arrived(intake)] == ["pending"]
    assert json.loads(out)["receipt"].count(".") == 2, "a signed receipt"


# The rehearsal


async def test_a_rehearsal_checks_signature_and_schema_and_stores_nothing(
    client: httpx2.AsyncClient, intake: Intake, clinic: Clinic
) -> None:
    where, event = f"/api/v1/inbox/{clinic.partner_id}/rehearsal", clinic.event()
    entry = next(e for e in await partner_keys.key_entries(intake.pool, clinic.partner_id) if e.algorithm == "v1a")

    headers, body = clinic.signed(event, key=clinic.private, at=time.time() - 100)
    good = await client.post(where, content=body, headers=headers)
    forged = await client.post(where, content=body + b" ", headers=headers)
    headers, body = clinic.signed(clinic.event(data={"colour": "blue"}))
    unfit = await client.post(where, content=body, headers=headers)

    assert good.status_code == 200, good.text
    assert good.json()["keys"] == [entry.key_id]
    assert 99 <= good.json()["clock_behind_s"] <= 130
    assert (forged.status_code, unfit.status_code) == (401, 422)
    assert await arrived(intake) == []


async def test_a_rehearsal_does_not_disclose_whether_a_referral_exists(
    client: httpx2.AsyncClient, clinic: Clinic
) -> None:
    where, at = f"/api/v1/inbox/{clinic.partner_id}/rehearsal", time.time()
    answers = []
    for token in (TOKEN, "x" * 22):
        headers, body = clinic.signed(clinic.event(data={"referral_token": token}), at=at)
        answers.append(await client.post(where, content=body, headers=headers))

    known, unknown = (answer.json() | {"clock_behind_s": 0} for answer in answers)
    assert known == unknown


# The receiver


async def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as http:
        return (await http.post(url, content=body, headers=headers)).status_code


async def test_the_receiver_stores_a_message_once_and_before_it_answers(
    intake: Intake, clinic: Clinic, tmp_path: Path
) -> None:
    secret, old = new_secret(), new_secret()
    with a_receiver(f"{old} {secret}", tmp_path / "kept") as receiving:
        known = RegisteredPartner(clinic.partner_id, "Clinic", frozenset(), receiver_url=receiving.url)
        await partners.add(intake.pool, known)
        outbound = Direction.OUTBOUND
        first = await partner_keys.add_key(intake.pool, intake.keys.master, clinic.partner_id, old, direction=outbound)
        await partner_keys.rotate_key(intake.pool, intake.keys.master, first, secret)
        outbox_id = await a_delivery(intake, clinic)

        to = await partner_keys.outbound(intake.pool, intake.keys.master, clinic.partner_id)
        delivery = await Outbox(intake.pool).get(outbox_id)
        assert to is not None
        assert delivery is not None
        body = open_delivery(await intake.keys.keyring(delivery.stream_id), delivery)
        message = cloud_event(delivery, body or b"")
        for _ in range(2):
            headers = sign_with(to.secrets, str(outbox_id), int(time.time()), message)
            typed = {"content-type": "application/cloudevents+json", **headers}
            assert (await WebhookClient(loopback=True).post(to.url, typed, message)).status < 300

        assert [event["id"] for event in receiving.kept] == [str(outbox_id)]
        assert receiving.kept[0]["data"] == {"referral_token": TOKEN, "reason": "CASE_NOT_PROCEEDING"}


async def a_delivery(intake: Intake, clinic: Clinic) -> UUID:
    """Writes a message to the outbox as a recording does."""
    outbox_id, body = uuid4(), {"referral_token": TOKEN, "reason": "CASE_NOT_PROCEEDING"}
    keyring = await intake.keys.keyring(clinic.case)
    left = outgoing(keyring, outbox_id, clinic.partner_id, "referral.cancelled", json.dumps(body).encode())
    put = "INSERT INTO outbox (outbox_id, stream_id, partner_id, name, body) VALUES ($1, $2, $3, $4, $5)"
    await intake.pool.execute(put, outbox_id, clinic.case, left.partner_id, left.name, left.body)
    return outbox_id


@pytest.mark.integration
async def test_the_receiver_rejects_foreign_messages_and_recognises_repeats_after_a_restart(tmp_path: Path) -> None:
    secret, file, now = new_secret(), tmp_path / "kept", int(time.time())
    body = json.dumps({"id": "m-1", "type": "org.iom.vhr.referral.sent.v1", "data": {}}).encode()
    good = sign_with((new_pair()[0], secret), "m-1", now, body)
    with a_receiver(secret, file) as receiving:
        refused = [
            await post(receiving.url, body, sign(new_secret(), "m-1", now, body)),
            await post(receiving.url, body + b" ", good),
            await post(receiving.url, body, sign(secret, "m-1", now - 400, body)),
            await post(receiving.url, body, {}),
        ]
        assert refused == [401] * 4
        assert [await post(receiving.url, body, good) for _ in range(2)] == [204, 204]
        assert len(receiving.kept) == 1
    with a_receiver(secret, file) as receiving:
        assert await post(receiving.url, body, good) == 204
        assert len(receiving.kept) == 1


@pytest.mark.integration
async def test_the_referral_on_the_page_is_received_by_the_receiver(tmp_path: Path) -> None:
    secret, event = new_secret(), example("org.iom.vhr.referral.sent.v1")
    body = json.dumps(event).encode()
    with a_receiver(secret, tmp_path / "kept") as receiving:
        assert await post(receiving.url, body, sign(secret, "m-1", int(time.time()), body)) == 204
        assert receiving.kept == [event]
