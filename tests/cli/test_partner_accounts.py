"""`awda partner accounts|receipt|quarantine` on a real database, with a partner that sent messages."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from click.testing import CliRunner, Result

from cli.main import awda
from cli.output import ExitCode
from gateway.intake.service import open_intake
from gateway.intake.submission import SubmissionResult
from store.messages.inbox import Inbox
from store.partners.registry import RegisteredPartner, add
from tests.gateway.conftest import MASTER_KEY, REGISTRATION
from tests.support.databases import Database

CLINIC = "clinic-tripoli"


@dataclass
class HeldMessages:
    """A partner that sent messages with an unknown token, and the command line."""

    run: Callable[..., Result]
    answers: list[SubmissionResult]
    case: str


@pytest.fixture
def given(database: Database, tmp_path: Path) -> HeldMessages:
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
    }

    def running(*words: str, stdin: str | None = None) -> Result:
        return CliRunner(env=env).invoke(awda, ["partner", *words], input=stdin)

    answers, case = asyncio.run(_send(database))
    return HeldMessages(running, answers, case)


async def _send(database: Database) -> tuple[list[SubmissionResult], str]:
    async with open_intake(database.app_dsn, MASTER_KEY) as intake:
        await add(intake.pool, RegisteredPartner(CLINIC, "Clinic", frozenset()))
        begun = await intake.staff.start_case(REGISTRATION, user="fatima", key=uuid4().hex)
        signal = {
            "signal_id": str(uuid4()),
            "referral_token": "nobody-knows-this-token",
            "signal_type": "COMPLETED",
            "occurred_at": "2026-11-23T09:00:00Z",
        }
        return [await intake.partners.submit(CLINIC, f"m-{n}", signal) for n in range(3)], str(begun.number)


def test_the_accounts_of_one_partner_and_of_all(given: HeldMessages) -> None:
    one = json.loads(given.run("accounts", CLINIC, "--json").stdout)
    every = json.loads(given.run("accounts", "--json").stdout)
    plain = given.run("accounts", CLINIC)

    assert every == [one]
    assert {name: one["days"][0][name] for name in ("sent", "quarantined", "unaccounted")} == {
        "sent": 3, "quarantined": 3, "unaccounted": 0,
    }  # fmt: skip
    assert plain.stdout.split("\t")[2] == "3"
    assert given.run("accounts", "nobody").exit_code == ExitCode.NOT_FOUND
    assert json.loads(given.run("accounts", CLINIC, "--until", "2020-01-01", "--json").stdout)["days"] == []


def test_an_unaccounted_message_fails_the_command(given: HeldMessages, database: Database) -> None:
    asyncio.run(_lose(database, given.answers[1]))

    done = given.run("accounts", CLINIC)

    assert done.exit_code == ExitCode.UNVERIFIED
    assert "1 acknowledged messages are unaccounted for" in done.stderr


async def _lose(database: Database, answer: SubmissionResult) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("DELETE FROM inbox WHERE message_id = $1", answer.message_id)
    await owner.close()


def test_a_receipt_is_checked_against_key_and_ledger(given: HeldMessages, database: Database) -> None:
    text = given.answers[1].receipt

    done = given.run("receipt", "-", "--json", stdin=text + "\n")
    forged = given.run("receipt", text[:-3] + "AAA")

    assert done.exit_code == ExitCode.DONE, done.output
    assert (json.loads(done.stdout)["number"], json.loads(done.stdout)["agrees"]) == (2, True)
    assert forged.exit_code == ExitCode.UNVERIFIED

    asyncio.run(_rewrite(database))
    assert given.run("receipt", text).exit_code == ExitCode.UNVERIFIED


async def _rewrite(database: Database) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE ledger SET hash = sha256(hash) WHERE seq = 2")
    await owner.close()


def test_a_message_held_for_review_is_listed_shown_and_decided(
    given: HeldMessages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Inbox, "wait_for", lambda inbox, message_id, _seconds: inbox.result(message_id))
    listed = json.loads(given.run("quarantine", "list", CLINIC, "--json").stdout)
    message = listed[0]["message_id"]

    shown = given.run("quarantine", "show", message)
    done = given.run(
        "quarantine", "resolve", message, "SET_ASIDE", "--reason", "sent by mistake", "--key", "k", "--json"
    )

    assert [row["cause"] for row in listed] == ["UNKNOWN_TOKEN"] * 3
    assert "nobody-knows-this-token" in shown.stdout
    assert done.exit_code == ExitCode.DONE, done.output
    assert json.loads(done.stdout)["status"] == "pending"  # no worker runs here
    assert len(json.loads(given.run("quarantine", "list", "--json").stdout)) == 2
    assert given.run("quarantine", "show", message).exit_code == ExitCode.NOT_FOUND
    assert given.run("quarantine", "resolve", message, "SET_ASIDE", "--reason", "x").exit_code == ExitCode.CONFLICT
    assert json.loads(given.run("quarantine", "history", CLINIC, "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("AMEND", "--reason", "x"), ExitCode.REFUSED),
        (("ASSIGN", "--reason", "x", "--case", "LBY-2026-999999", "--referral", "r"), ExitCode.REFUSED),
        (("FORGET", "--reason", "x"), ExitCode.USAGE),
        (("SET_ASIDE",), ExitCode.USAGE),
    ],
)
def test_an_invalid_decision_changes_nothing(given: HeldMessages, words: tuple[str, ...], code: ExitCode) -> None:
    message = json.loads(given.run("quarantine", "list", "--json").stdout)[0]["message_id"]

    unknown = given.run("quarantine", "resolve", str(uuid4()), "SET_ASIDE", "--reason", "x")
    assert (unknown.exit_code, "awda partner quarantine list" in unknown.stderr) == (ExitCode.NOT_FOUND, True)
    assert given.run("quarantine", "resolve", message, *words).exit_code == code
    assert len(json.loads(given.run("quarantine", "list", "--json").stdout)) == 3


def test_a_list_prints_one_line_for_each_row(given: HeldMessages) -> None:
    plain: Any = given.run("quarantine", "list").stdout.splitlines()
    assert [line.split("\t")[3] for line in plain] == ["unknown token"] * 3
