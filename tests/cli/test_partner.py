"""``awda partner``: registration, keys, connection tests, deliveries."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from cli.main import awda
from cli.output import ExitCode
from store.crypto.webhook_signatures import new_pair, new_secret
from tests.gateway.conftest import MASTER_KEY
from tests.gateway.test_server import serving
from tests.support.databases import Database
from tests.support.partner_side import a_receiver, script_with
from workers.settings import Home

Awda = Callable[..., Result]

CLINIC = ("clinic-misrata", "--name", "Clinic, Misrata", "--kind", "MEDICAL_ASSESSMENT")


@pytest.fixture
def run(database: Database, tmp_path: Path) -> Awda:
    """The command line, in a separate home with a separate database."""
    key = base64.b64encode(MASTER_KEY).decode()
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": key,
    }

    def running(*words: str, stdin: str | None = None) -> Result:
        return CliRunner(env=env).invoke(awda, ("partner", *words), input=stdin)

    return running


@pytest.fixture
def clinic(run: Awda) -> str:
    assert run("add", *CLINIC).exit_code == ExitCode.DONE
    return CLINIC[0]


@pytest.fixture
def made_up(tmp_path: Path) -> None:
    """Marks the partners of the home as simulated on this machine."""
    Home(tmp_path / "home").make().kept("made-up", "yes")


def json_of(done: Result) -> Any:
    assert done.exit_code == ExitCode.DONE, done.output
    return json.loads(done.stdout)


def keys(run: Awda) -> dict[str, str]:
    return {key["key_id"]: key["state"] for key in json_of(run("key", "list", CLINIC[0], "--json"))}


# Partners


def test_options_that_are_not_given_leave_the_registration_unchanged(run: Awda, clinic: str) -> None:
    first = ("--mandatory-reporting", "--contact", "desk@clinic.example", "--tolerance", "600", "--calendar", "lby")
    run("add", clinic, *first, "--receiver", "https://clinic.example/in")

    changed = json_of(run("add", clinic, "--name", "Clinic", "--type", "clinic", "--json"))

    assert changed == {
        "partner_id": clinic, "name": "Clinic", "type": "CLINIC", "kinds": ["MEDICAL_ASSESSMENT"], "country": None,
        "calendar": "LBY", "mandatory_reporting": True, "contact": "desk@clinic.example",
        "receiver_url": "https://clinic.example/in", "tolerance_s": 600, "active": True,
    }  # fmt: skip
    assert json_of(run("add", clinic, "--no-mandatory-reporting", "--inactive", "--json"))["active"] is False
    assert json_of(run("add", clinic, "--active", "--json"))["mandatory_reporting"] is False


def test_an_id_that_tells_for_what_somebody_is_sent_there_is_not_given(run: Awda) -> None:
    refused = run("add", "safe-house-sirte", "--name", "Safe house, Sirte", "--kind", "VOT_ASSISTANCE")
    given = run("add", "partner-058", "--name", "Safe house, Sirte", "--kind", "VOT_ASSISTANCE")

    assert (refused.exit_code, given.exit_code) == (ExitCode.REFUSED, ExitCode.DONE)
    assert "safe-house" in refused.stderr
    assert "partner-058" in refused.stderr
    assert [each["partner_id"] for each in json_of(run("list", "--json"))] == ["partner-058"]


def test_a_partner_with_such_an_id_can_be_changed_with_a_warning(run: Awda) -> None:
    run("add", "protection-office", "--name", "Office", "--kind", "EXIT_PERMIT")

    changed = run("add", "protection-office", "--kind", "GBV_SERVICES")

    assert changed.exit_code == ExitCode.DONE
    assert "The id 'protection-office' contains 'protect', which reveals the service" in changed.stderr
    assert run("add", "protection-office", "--inactive").exit_code == ExitCode.DONE


@pytest.mark.parametrize(
    "words",
    [
        ("add", "somebody"),
        ("add", "somebody", "--name", "X", "--kind", "ASTROLOGY"),
        ("add", "somebody", "--name", "X", "--kind", "MHPSS", "--calendar", "Atlantis"),
        ("add", "somebody", "--name", "X", "--kind", "MHPSS", "--country", "Atlantis"),
        ("add", "somebody", "--name", "X", "--kind", "MHPSS", "--tolerance", "901"),
        ("add", "somebody", "--name", "X", "--kind", "MHPSS", "--type", "BAKERY"),
        ("key", "rotate", "key-1", "--grace", "soon"),
        ("key", "add", "clinic-misrata", "--generate", "--signal", "SHOUTED"),
        ("redeliver", "yesterday"),
    ],
)
def test_invalid_arguments_are_usage_errors(run: Awda, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == ExitCode.USAGE, done.output
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        ("show", "nobody"), ("key", "list", "nobody"), ("key", "add", "nobody", "--generate"), ("test", "nobody"),
        ("test", "nobody", "--inbound"), ("deliveries", "nobody"), ("key", "revoke", "key-0"), ("accounts", "nobody"),
        ("quarantine", "list", "nobody"), ("quarantine", "history", "nobody"),
        ("key", "rotate", "key-0"), ("redeliver", "0b8b4d8c-5c0f-4c8f-9a53-0f1d3f0d2b11"),
    ],
)  # fmt: skip
def test_an_unknown_partner_key_or_delivery_is_not_found(run: Awda, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == ExitCode.NOT_FOUND, done.output
    assert "awda partner" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("list",), ("key", "list", "quiet"), ("deliveries", "quiet"), ("accounts",), ("accounts", "quiet"),
        ("quarantine", "list"), ("quarantine", "list", "quiet"), ("quarantine", "history", "quiet"), ("links",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_empty_list_has_a_message_for_people_and_is_empty_in_json(run: Awda, words: tuple[str, ...]) -> None:
    if "quiet" in words:
        run("add", "quiet", "--name", "Quiet", "--kind", "MHPSS")

    plain, listed = run(*words), json_of(run(*words, "--json"))

    assert (plain.exit_code, plain.stdout) == (ExitCode.DONE, "")
    assert plain.stderr.strip().startswith(("No", "quiet has no key"))
    assert listed in ([], {"partner": "quiet", "days": [], "unaccounted": 0})


def test_a_partner_without_a_key_is_shown_as_such(run: Awda, clinic: str) -> None:
    assert "The partner has no key" in run("show", clinic).stderr


def test_accounts_whose_last_day_is_before_the_first_are_a_usage_error(run: Awda, clinic: str) -> None:
    done = run("accounts", clinic, "--since", "2026-12-02", "--until", "2026-12-01")
    assert (done.exit_code, "before the first day" in done.stderr) == (ExitCode.USAGE, True)


def test_a_partner_is_shown_with_its_keys_and_the_history_of_changes(run: Awda, clinic: str) -> None:
    secret = run("key", "add", clinic, "--generate", "--as", "omar").stdout.strip()

    shown = run("show", clinic, "--json")

    assert secret not in shown.stdout
    found = json_of(shown)
    assert [key["state"] for key in found["keys"]] == ["live"]
    assert [(change["by"], change["change"]) for change in found["changes"]] == [
        ("staff:omar", "key added"),
        ("staff:operator", "registered"),
    ]
    plain = run("show", clinic)
    assert plain.exit_code == ExitCode.DONE
    assert "must report" not in plain.stderr
    run("add", clinic, "--mandatory-reporting")
    assert "must report" in run("show", clinic).stderr


# Keys


def test_a_secret_is_shown_only_once(run: Awda, clinic: str) -> None:
    made = json_of(run("key", "add", clinic, "--generate", "--json"))
    assert made["secret"].startswith("whsec_")

    for words in (("key", "list", clinic), ("show", clinic), ("key", "list", clinic, "--json"), ("list", "--json")):
        assert made["secret"] not in run(*words).output


def test_a_key_for_one_kind_and_two_signals_is_registered_as_such(run: Awda, clinic: str) -> None:
    public = new_pair()[1]
    limits = ("--kind", "medical_assessment", "--signal", "COMPLETED", "--signal", "ACCEPTED")

    made = json_of(run("key", "add", clinic, "-", *limits, "--until", "2030-01-01", "--json", stdin=public + "\n"))

    assert made["kinds"] == ["MEDICAL_ASSESSMENT"]
    assert made["signals"] == ["ACCEPTED", "COMPLETED"]
    assert (made["public"], made["direction"], made["algorithm"]) == (public, "inbound", "v1a")
    assert (made["state"], made["valid_until"]) == ("ending", "2030-01-01T00:00:00+00:00")
    assert "secret" not in made


def test_our_own_key_pair_shows_only_the_public_key(run: Awda, clinic: str) -> None:
    made = run("key", "add", clinic, "--outbound", "--generate", "--ed25519")

    assert made.stdout.startswith("whpk_")
    assert "whsk_" not in made.output
    assert json_of(run("key", "list", clinic, "--json"))[0]["public"] == made.stdout.strip()


def test_a_key_is_replaced_and_the_old_one_ends_after_the_grace_period(run: Awda, clinic: str) -> None:
    old = json_of(run("key", "add", clinic, "--generate", "--json"))["key_id"]

    new = json_of(run("key", "rotate", old, "--grace", "24h", "--json"))

    assert new["secret"].startswith("whsec_")
    assert new["replaces"] == old
    assert keys(run) == {new["key_id"]: "live", old: "ending"}
    third = run("key", "rotate", new["key_id"])
    assert third.exit_code == ExitCode.CONFLICT
    assert "awda partner key list" in third.stderr
    assert run("key", "revoke", old).exit_code == ExitCode.DONE
    assert keys(run)[old] == "revoked"
    assert run("key", "revoke", old).exit_code == ExitCode.DONE
    assert run("key", "rotate", old).exit_code == ExitCode.CONFLICT
    last = run("key", "rotate", new["key_id"], "--grace", "0m", "--json")
    assert json_of(last)["state"] == "live"
    assert f"Key {new['key_id']} is no longer valid." in last.stderr
    assert "remains valid for 7 days." in run("key", "rotate", json_of(last)["key_id"]).stderr


def test_the_new_public_key_of_a_partner_comes_from_the_partner(run: Awda, clinic: str) -> None:
    old = json_of(run("key", "add", clinic, new_pair()[1], "--json"))["key_id"]
    public = new_pair()[1]

    assert run("key", "rotate", old).exit_code == ExitCode.USAGE
    assert json_of(run("key", "rotate", old, public, "--json"))["public"] == public


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("whpk_x", "--generate"),
        ("--generate", "--ed25519"),
        ("whsec_short",),
        (new_pair()[0],),
        (new_pair()[0], "--outbound"),
        (new_pair()[1], "--outbound"),
        ("--generate", "--outbound", "--kind", "MHPSS"),
        ("--generate", "--from", "2030-01-02", "--until", "2030-01-01"),
    ],
)
def test_an_unusable_key_is_a_usage_error_and_is_not_repeated(run: Awda, clinic: str, words: tuple[str, ...]) -> None:
    done = run("key", "add", clinic, *words)

    assert done.exit_code == ExitCode.USAGE, done.output
    assert keys(run) == {}
    assert not [word for word in words if word.startswith("wh") and len(word) > 20 and word in done.output]


# Connection tests


@pytest.mark.usefixtures("made_up")
def test_a_test_event_reaches_a_receiver_that_knows_our_signature(run: Awda, clinic: str, tmp_path: Path) -> None:
    made = json_of(run("key", "add", clinic, "--outbound", "--generate", "--json"))
    with a_receiver(made["secret"], tmp_path / "kept") as receiving:
        run("add", clinic, "--receiver", receiving.url)

        found = json_of(run("test", clinic, "--json"))

        assert (found["received"], found["status"]) == (True, 204)
        assert receiving.kept == []
        assert run("test", clinic).exit_code == ExitCode.DONE


@pytest.mark.usefixtures("made_up")
def test_a_receiver_that_rejects_the_event_is_a_dependency_that_is_down(run: Awda, clinic: str, tmp_path: Path) -> None:
    run("key", "add", clinic, "--outbound", "--generate")
    with a_receiver(new_secret(), tmp_path / "kept") as receiving:
        run("add", clinic, "--receiver", receiving.url)
        done = run("test", clinic, "--json")
        assert (done.exit_code, json.loads(done.stdout)["status"]) == (ExitCode.DOWN, 401)

    gone = run("test", clinic, "--json")
    assert (gone.exit_code, json.loads(gone.stdout)["error"]) == (ExitCode.DOWN, "ConnectError")


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://169.254.169.254/latest", "https://[::1]/", "{here}"])
def test_a_test_event_takes_the_way_of_a_delivery_and_never_leads_inside(
    run: Awda, clinic: str, tmp_path: Path, url: str
) -> None:
    made = json_of(run("key", "add", clinic, "--outbound", "--generate", "--json"))
    with a_receiver(made["secret"], tmp_path / "kept") as receiving:
        run("add", clinic, "--receiver", url.format(here=receiving.url))

        done = run("test", clinic, "--json")

    assert (done.exit_code, json.loads(done.stdout)["error"]) == (
        ExitCode.DOWN,
        "BAD_URL" if "{" in url else "ADDRESS_NOT_ALLOWED",
    )
    assert "receiver" in done.stderr


def test_without_receiver_or_key_no_event_is_sent(run: Awda, clinic: str) -> None:
    for reason, words in (
        ("has no receiver", ("--receiver", "https://c.example")),
        ("no outbound key", ("--inactive",)),
    ):
        done = run("test", clinic)
        assert (done.exit_code, reason in done.stderr) == (ExitCode.REFUSED, True)
        run("add", clinic, *words)
    assert "it is inactive" in run("test", clinic).stderr


@pytest.mark.skipif(not (shutil.which("sh") and shutil.which("curl")), reason="no shell or curl here")
async def test_the_printed_curl_is_a_rehearsal_that_succeeds(run: Awda, database: Database) -> None:
    await asyncio.to_thread(run, "add", *CLINIC)
    key_id = json_of(await asyncio.to_thread(run, "key", "add", CLINIC[0], "--generate", "--json"))["key_id"]
    async with serving(database) as (client, _, _):
        words = ("test", CLINIC[0], "--inbound", "--url", str(client.base_url))
        printed = (await asyncio.to_thread(run, *words)).stdout
        shell = await asyncio.create_subprocess_exec("sh", "-c", printed, stdout=asyncio.subprocess.PIPE)
        out, _ = await asyncio.wait_for(shell.communicate(), 30)

    answer = json.loads(out)
    assert (answer["status"], answer["keys"]) == ("rehearsed", [key_id])


def test_the_printed_curl_uses_the_address_of_the_gateway_of_this_home(
    run: Awda, clinic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("key", "add", clinic, "--generate")
    assert "http://127.0.0.1:8600/api/v1/inbox/" in run("test", clinic, "--inbound").stdout
    monkeypatch.setenv("AWDA_PUBLIC_URL", "https://vhr.example.org")
    assert "https://vhr.example.org/api/v1/inbox/" in run("test", clinic, "--inbound").stdout


def test_a_key_that_only_the_partner_has_cannot_sign(run: Awda, clinic: str) -> None:
    run("key", "add", clinic, new_pair()[1])

    done = run("test", clinic, "--inbound")

    assert done.exit_code == ExitCode.REFUSED
    assert "docs/partners/README.md" in done.stderr


# Deliveries


async def left_in_the_outbox(database: Database, status: str) -> str:
    connection = await asyncpg.connect(database.owner_dsn)
    row = await connection.fetchval(
        """
        INSERT INTO outbox (outbox_id, stream_id, partner_id, name, body, status, attempts, last_error)
        VALUES (gen_random_uuid(), gen_random_uuid(), $1, 'referral.sent', 'sealed', $2, 10, 'HTTP_500')
        RETURNING outbox_id
        """,
        *(CLINIC[0], status),
    )
    await connection.close()
    return str(row)


async def test_deliveries_are_listed_without_their_content(run: Awda, database: Database) -> None:
    await asyncio.to_thread(run, "add", *CLINIC)
    outbox_id = await left_in_the_outbox(database, "dead")

    done = await asyncio.to_thread(run, "deliveries", CLINIC[0], "--json")

    (found,) = json_of(done)
    assert (found["outbox_id"], found["status"], found["last_error"]) == (outbox_id, "dead", "HTTP_500")
    assert "body" not in found
    assert outbox_id in (await asyncio.to_thread(run, "deliveries", CLINIC[0])).stdout


async def test_only_a_delivery_that_was_given_up_is_retried(run: Awda, database: Database) -> None:
    await asyncio.to_thread(run, "add", *CLINIC)
    dead, done = await left_in_the_outbox(database, "dead"), await left_in_the_outbox(database, "delivered")

    assert (await asyncio.to_thread(run, "redeliver", dead, "--json")).exit_code == ExitCode.DONE
    assert (await asyncio.to_thread(run, "redeliver", done)).exit_code == ExitCode.CONFLICT

    listed = json_of(await asyncio.to_thread(run, "deliveries", CLINIC[0], "--json"))
    assert {each["outbox_id"]: each["status"] for each in listed} == {dead: "pending", done: "delivered"}


# The page for partners


@pytest.mark.usefixtures("made_up")
@pytest.mark.integration
def test_the_commands_on_the_first_page_for_partners_work_as_printed(run: Awda, tmp_path: Path) -> None:
    run("add", "clinic-tripoli", "--name", "Clinic, Tripoli", "--kind", "MEDICAL_ASSESSMENT")
    printed = [shlex.split(line, comments=True) for line in script_with("awda partner key add").splitlines()]

    made = [run(*words[2:]) for words in printed[:2]]
    assert [done.exit_code for done in made] == [ExitCode.DONE] * 2, [done.output for done in made]
    secret = re.findall(r"whsec_\S+", made[1].output)[0]
    with a_receiver(secret, tmp_path / "kept") as receiving:
        for words in printed[2:]:
            here = [receiving.url if word == "https://clinic.example/awda" else word for word in words[2:]]
            done = run(*here)
            assert done.exit_code == ExitCode.DONE, (here, done.output)
    assert len(printed) == 6
