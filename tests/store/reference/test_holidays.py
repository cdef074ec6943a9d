"""Holidays announced the evening before are in the directory that the rules use."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import asyncpg
import pytest

from activities.recording import RecordingActivities
from audit.as_of_now import at_present
from domain.kernel.working_time import LIBYA, working_days
from store.crypto.keys import KeyStore, MasterKey
from store.postgres.database import open_pool
from store.reference.holidays import announce, announced
from tests.support.builders import PARTNERS
from tests.support.databases import Database

MOVEMENT = uuid4()

MONDAY = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


async def test_a_holiday_is_announced_once_and_known_by_country(database: Database) -> None:
    pool = await open_pool(database.app_dsn)
    try:
        assert await announce(pool, "LBY", date(2026, 11, 24), "Day of the Martyr")
        assert not await announce(pool, "LBY", date(2026, 11, 24), "the same day")
        assert await announce(pool, "NGA", date(2026, 11, 25), "Election day")
        assert await announced(pool) == {
            "LBY": frozenset({date(2026, 11, 24)}),
            "NGA": frozenset({date(2026, 11, 25)}),
        }
    finally:
        await pool.close()


async def test_the_rules_and_the_auditor_count_with_what_was_announced(database: Database) -> None:
    pool = await open_pool(database.app_dsn)
    try:
        await announce(pool, "LBY", date(2026, 11, 24), "Day of the Martyr")
        recording = RecordingActivities(pool, KeyStore(pool, MasterKey(b"a master key for tests, 32 bytes")))
        for directory in (await recording.partners(), (await at_present(pool, MOVEMENT)).directory):
            known = replace(directory, partners=PARTNERS.partners)
            due = known.calendar("embassy-nga").after(MONDAY, working_days(1))
            assert due == LIBYA.after(MONDAY, working_days(2)), "a day later than it would have been"
    finally:
        await pool.close()


async def test_a_country_is_named_by_its_code(database: Database) -> None:
    pool = await open_pool(database.app_dsn)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await announce(pool, "Libya", date(2026, 11, 24), "x")
    finally:
        await pool.close()
