"""``awda partner by-hand``: pending manual deliveries to partners without a receiver."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner, Result

from cli.main import awda
from cli.output import ExitCode
from gateway.intake.service import open_intake
from store.messages.outbox import Delivery, Outbox
from tests.gateway.conftest import MASTER_KEY
from tests.support.referral_fixtures import PARTNER, PERSONAL, SentReferrals, a_case_with_partners

T = TypeVar("T")

Awda = Callable[..., Result]

KIND = "CONSULAR_IDENTITY"


@pytest.fixture
def run(database: Any, tmp_path: Path) -> Awda:
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": b64encode(MASTER_KEY).decode(),
    }
    return lambda *words: CliRunner(env=env).invoke(awda, ("partner", "by-hand", *words))


def with_pending_delivery(database: Any, work: Callable[[SentReferrals], Awaitable[T]]) -> T:
    async def working() -> T:
        async with open_intake(database.app_dsn, MASTER_KEY) as intake:
            found = await a_case_with_partners(intake, KIND)
            await Outbox(intake.pool).to_hand((await line(found)).outbox_id, "NO_RECEIVER")
            return await work(found)

    return asyncio.run(working())


async def line(sent: SentReferrals) -> Delivery:
    (found,) = await Outbox(sent.intake.pool).of_partner(PARTNER)
    return found


def again(database: Any, outbox_id: Any) -> Delivery:
    async def looking() -> Delivery | None:
        async with open_intake(database.app_dsn, MASTER_KEY) as intake:
            return await Outbox(intake.pool).get(outbox_id)

    found = asyncio.run(looking())
    assert found is not None
    return found


async def unchanged(sent: SentReferrals) -> tuple[str, Delivery]:
    return sent.number, await line(sent)


async def without_consent(sent: SentReferrals) -> tuple[str, Delivery]:
    await sent.record_message("PlaceHold", hold_type="CONSENT", reason="she is not sure")
    return sent.number, await line(sent)


def test_pending_deliveries_are_listed_for_one_partner_or_all_without_personal_data(run: Awda, database: Any) -> None:
    number, waiting = with_pending_delivery(database, unchanged)

    for words in ((), (PARTNER,), ("--json",), (PARTNER, "--json")):
        done = run(*words)
        assert done.exit_code == ExitCode.DONE, done.output
        assert number in done.stdout
        assert not [word for word in PERSONAL if word in done.stdout]
    (row,) = json.loads(run("--json").stdout)
    assert row["outbox_id"] == str(waiting.outbox_id)
    assert (row["partner_id"], row["case_number"], row["letter"]) == (PARTNER, number, "referral.sent")
    assert row["referral_id"] == waiting.referral_id
    assert again(database, waiting.outbox_id).begun_at is None, "a list discloses nothing"


def test_a_printed_message_has_its_content_and_counts_as_disclosed(run: Awda, database: Any) -> None:
    number, waiting = with_pending_delivery(database, unchanged)

    done = run(PARTNER, "--print", "--json")

    assert done.exit_code == ExitCode.DONE, done.output
    (row,) = json.loads(done.stdout)
    assert (row["leave"], row["says"]["kind"]) == ("GO", KIND)
    assert row["says"]["person"]["given_names"] == "Aminata"
    after = again(database, waiting.outbox_id)
    assert (after.status, after.begun_at is not None) == ("by_hand", True)
    plain = run(PARTNER, "--print")
    assert "Aminata" in plain.stdout
    assert f"awda partner handed-over {number} PAPER --referral {waiting.referral_id}" in plain.stderr


def test_nothing_is_printed_that_may_not_be_told_any_more(run: Awda, database: Any) -> None:
    _, waiting = with_pending_delivery(database, without_consent)

    done = run(PARTNER, "--print")

    assert done.exit_code == ExitCode.DONE, done.output
    assert "Aminata" not in done.output
    assert "must not be disclosed now: it is held in the current state of the case." in done.stderr
    assert again(database, waiting.outbox_id).begun_at is None


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--print",), ExitCode.USAGE, "requires a PARTNER"),
        (("embassy-atlantis",), ExitCode.NOT_FOUND, "embassy-atlantis"),
        (("--help",), ExitCode.DONE, "handed-over"),
    ],
)
def test_invalid_arguments_are_reported(run: Awda, words: tuple[str, ...], code: ExitCode, message: str) -> None:
    done = run(*words)

    assert done.exit_code == code
    assert message in done.output
