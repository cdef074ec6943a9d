"""``awda partner link`` and ``awda contact``."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from activities.recording import RecordingActivities
from cli.main import awda
from cli.output import ExitCode
from domain.progress import RecordRequest
from gateway.intake.service import open_intake
from store.log.streams import open_streams
from tests.gateway.conftest import MASTER_KEY
from tests.support.referral_fixtures import a_case_with_partners

Awda = Callable[..., Result]


@pytest.fixture
def run(database: Any, tmp_path: Path) -> Awda:
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": b64encode(MASTER_KEY).decode(),
        "AWDA_PUBLIC_URL": "https://vhr.example.org",
        "AWDA_LINE": "",
    }
    return lambda *words, **more: CliRunner(env=env | more).invoke(awda, words)


@pytest.fixture
def case(database: Any) -> str:
    async def prepared() -> str:
        async with open_intake(database.app_dsn, MASTER_KEY) as intake:
            return (await a_case_with_partners(intake, "CONSULAR_IDENTITY", "COMMUNITY_LIAISON")).number

    return asyncio.run(prepared())


def recorded(database: Any) -> None:
    """Records pending callback requests, as a worker does."""

    async def record() -> None:
        async with open_intake(database.app_dsn, MASTER_KEY) as intake:
            for head in await open_streams(intake.pool, "contact"):
                await RecordingActivities(intake.pool, intake.keys).catch_up(RecordRequest(stream_id=head.stream_id))

    asyncio.run(record())


def test_link_and_code_are_printed_separately(run: Awda, case: str) -> None:
    done = run("partner", "link", case, "--kind", "consular_identity", "--lang", "ar")

    assert done.exit_code == ExitCode.DONE, done.output
    link, code = done.stdout.split()
    assert link.startswith("https://vhr.example.org/p/")
    assert link.endswith("?lang=ar")
    assert len(code) == 6
    assert code not in link
    assert "over another channel" in done.stderr


def test_a_page_to_hand_over_has_the_link_and_never_the_code(run: Awda, case: str) -> None:
    done = run("partner", "link", case, "--kind", "CONSULAR_IDENTITY", "--lang", "fr", "--print")

    code = done.stderr.strip().rpartition(" ")[2]
    assert done.exit_code == ExitCode.DONE, done.output
    assert 'lang="fr"' in done.stdout
    assert "https://vhr.example.org/p/" in done.stdout
    assert len(code) == 6
    assert code not in done.stdout
    assert "Aminata" not in done.stdout


def test_the_same_key_gives_the_same_link(run: Awda, case: str) -> None:
    words = ("partner", "link", case, "--kind", "CONSULAR_IDENTITY", "--json", "--key", "k")

    assert json.loads(run(*words).stdout) == json.loads(run(*words).stdout)


def test_links_are_listed_and_revoked(run: Awda, case: str) -> None:
    given = json.loads(run("partner", "link", case, "--kind", "CONSULAR_IDENTITY", "--json").stdout)
    before = json.loads(run("partner", "links", case, "--json").stdout)

    ended = json.loads(run("partner", "links", "--revoke", given["link_id"], "--json").stdout)
    again = run("partner", "links", "--revoke", given["link_id"])

    assert [(each["reference"], each["status"]) for each in before] == [(given["reference"], "open")]
    assert [each["status"] for each in ended] == ["revoked"]
    assert again.exit_code == ExitCode.NOT_FOUND


def test_a_link_that_is_not_permitted_names_the_reason(run: Awda, case: str) -> None:
    which = run("partner", "link", case)
    no_line = run("partner", "link", case, "--kind", "COMMUNITY_LIAISON")
    with_line = run("partner", "link", case, "--kind", "COMMUNITY_LIAISON", AWDA_LINE="+218 21 555 0100")
    nowhere = run("partner", "link", "LBY-1999-000001")
    wrong = run("partner", "link", case, "--kind", "CONSULAR_IDENTITY", AWDA_LINE="call us")

    codes = [each.exit_code for each in (which, no_line, with_line, nowhere, wrong)]
    assert codes == [ExitCode.REFUSED, ExitCode.REFUSED, ExitCode.DONE, ExitCode.NOT_FOUND, ExitCode.USAGE]
    assert "CONSULAR_IDENTITY" in which.stderr
    assert "AWDA_LINE" in no_line.stderr


def test_somebody_who_asks_is_taken_down_listed_and_settled(run: Awda, database: Any) -> None:
    number = run("contact", "add", "091 000 0001", "--language", "ha", "--name", "Aminata", "--channel", "HOTLINE")
    assert number.exit_code == ExitCode.DONE, number.output
    recorded(database)

    waiting = json.loads(run("contact", "list", "--json").stdout)
    run("contact", "tried", number.stdout.strip(), "NO_ANSWER", "--no-wait")
    settled = run("contact", "done", number.stdout.strip().lower(), "REACHED", "--no-wait")
    recorded(database)

    assert [(each["number"], each["phone"], each["given_name"]) for each in waiting] == [
        (number.stdout.strip(), "+218910000001", "Aminata")
    ]
    assert settled.exit_code == ExitCode.DONE, settled.output
    assert json.loads(run("contact", "list", "--json").stdout) == []


def test_an_invalid_number_and_a_case_instead_of_a_request_are_refused(run: Awda, case: str) -> None:
    assert run("contact", "add", "soon", "--language", "ha").exit_code == ExitCode.USAGE
    assert run("contact", "done", case, "REACHED").exit_code == ExitCode.NOT_FOUND
