"""While processes and servers are killed repeatedly, no acknowledged message is lost or counted twice."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.durability.test_servers_die import servers_of_our_own
from tests.support.deployment import a_deployment
from tests.support.message_storm import PARTNERS, MessageStorm, size

pytestmark = pytest.mark.integration  # starts servers of its own


@pytest.mark.slow
@pytest.mark.exclusive
async def test_what_partners_were_acknowledged_for_in_a_storm_is_settled_once_and_their_own_logs_say_so(
    tmp_path: Path,
) -> None:
    planned, started = size(), monotonic()
    live = ("--live", "--hold", "--pause", "0.1", "--every", str(planned.every_s), "--hurry", str(planned.hurry))
    partners = dict.fromkeys(PARTNERS, "talkative+duplicating")
    async with (
        servers_of_our_own(tmp_path / "home") as (database, servers),
        a_deployment(database, servers, tmp_path, partners, *live, at=None) as deployment,
    ):
        storm = MessageStorm(deployment, servers, planned)
        cases = await storm.prepare()
        prepared_s = monotonic() - started
        await storm.kill_in_turn()
        tail_s = await storm.wait_until_settled()

        account = await storm.assert_accounted_for()
        storm.assert_receipts_never_changed()
        await storm.assert_no_duplicates(cases)
        await storm.assert_verified()

        assert len(storm.kills) == planned.kills
        assert storm.count >= planned.messages * 0.95, storm.figures
        seconds = {"to prepare": prepared_s, "after the last kill": tail_s, "in all": monotonic() - started}
        report = {**storm.figures, "account": dict(account), "seconds": {what: round(s) for what, s in seconds.items()}}
        sys.stderr.write(json.dumps(report, indent=2) + "\n")
