"""A holiday that is announced the evening before moves what is owed, and it is known who announced it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import awda
from cli.talk import Code
from store.database import open_pool
from tests.audit.archive import Archive
from tests.builders import a_screened_case

Awda = Callable[..., Result]
TUESDAY = ("LBY", "2026-11-24", "Day of mourning")


@pytest.fixture
def run(database: Any, tmp_path: Path) -> Awda:
    env = {
        "AWDA_HOME": str(tmp_path / "home"),
        "AWDA_DATABASE_URL": database.app_dsn,
        "AWDA_TEMPORAL_ADDRESS": "",
        "AWDA_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),  # the archive's
    }
    return lambda *words: CliRunner(env=env).invoke(awda, words)


def kept(database: Any, work: Callable[[Archive], Awaitable[object]]) -> None:
    """Do something with an archive on the command's database."""

    async def working() -> None:
        async with await open_pool(database.app_dsn) as pool, await open_pool(database.owner_dsn) as owner:
            await work(Archive(pool, owner))

    asyncio.run(working())


def next_deadline(run: Awda, number: str) -> datetime:
    done = run("case", "show", number, "--json")
    assert done.exit_code == Code.DONE, done.output
    return datetime.fromisoformat(json.loads(done.stdout)["next_deadline"])


def test_an_announced_holiday_moves_the_deadlines_of_a_case_that_is_open(run: Awda, database: Any) -> None:
    kept(database, lambda archive: archive.keep(a_screened_case().events, number="LBY-2026-000001"))
    before = next_deadline(run, "LBY-2026-000001")

    assert run("calendar", "announce", *TUESDAY).exit_code == Code.DONE

    assert next_deadline(run, "LBY-2026-000001") > before


def test_an_announcement_is_kept_once_with_who_made_it(run: Awda) -> None:
    first = run("calendar", "announce", *TUESDAY, "--as", "fatima", "--json")
    again = run("calendar", "announce", "lby", "2026-11-24", "Something else", "--as", "omar")
    listed = json.loads(run("calendar", "list", "LBY", "--json").stdout)

    assert json.loads(first.stdout)["news"] is True
    assert again.exit_code == Code.DONE
    assert "as staff:fatima announced" in again.stdout
    assert [(each["day"], each["name"], each["announced_by"]) for each in listed] == [
        ("2026-11-24", "Day of mourning", "staff:fatima")
    ]
    assert json.loads(run("calendar", "list", "NGA", "--json").stdout) == []


@pytest.mark.parametrize(
    ("country", "day", "said"), [("Libya", "2026-11-24", "no calendar is kept"), ("LBY", "tomorrow", "is not a date")]
)
def test_a_country_or_a_day_that_nobody_knows_is_a_matter_of_usage(
    run: Awda, country: str, day: str, said: str
) -> None:
    done = run("calendar", "announce", country, day, "x")
    assert done.exit_code == Code.USAGE
    assert said in " ".join(done.output.split())


def test_whoever_announces_a_friday_is_told_that_nothing_moves(run: Awda) -> None:
    done = run("calendar", "announce", "LBY", "2026-11-27", "Liberation Day")
    assert done.exit_code == Code.DONE
    assert "no due date moves" in done.stderr
