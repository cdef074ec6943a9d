"""A case on real servers: the workflow requests stages, the recording decides, and the log holds the events."""

from __future__ import annotations

from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION, a_screened_case
from tests.support.running_worker import a_running_worker
from workers.embedded.installation import Servers


async def test_a_screened_case_is_examined_and_documented_side_by_side(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        case = await a_screened_case(worker)

        names = await worker.until(case, "ReferralSent")

        assert names.count("StageOpened") == 4
        assert names.count("ReferralSent") == 2


async def test_a_refused_message_is_kept_with_its_rule(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers) as worker:
        begun = await worker.begin(**{**REGISTRATION, "consent_to_data_processing": False})

        became = await worker.became(begun.message_id)

        assert became["status"] == "refused"
        assert became["rule"] == "CONSENT.DATA_PROCESSING"
