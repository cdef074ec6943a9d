"""Fixtures of the audit tests: a migrated database with an archive that stores cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from store.postgres.database import open_pool
from tests.support.recorded_archive import RecordedArchive


@pytest.fixture
async def archive(database: Any) -> AsyncIterator[RecordedArchive]:
    async with await open_pool(database.app_dsn) as pool, await open_pool(database.owner_dsn) as owner:
        yield RecordedArchive(pool, owner)
