"""Two builds with different rules record one case together: what one refuses, the other never records."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from audit.verification.verify import verify
from domain.commands.case import AddNote
from domain.kernel.context import Context
from domain.kernel.errors import Rejected
from domain.kernel.event import Event
from domain.kernel.message import Message
from domain.progress import RecordRequest
from domain.streams import KINDS, StreamKind
from store.projections.projector import Projector
from tests.support.databases import Database
from tests.support.journey_steps import REGISTRATION
from tests.support.running_worker import RunningWorker, TestRecording, a_running_worker
from workers.embedded.installation import Servers

MESSAGES = 1000

AT_ONCE = 10


def decide_strictly(case: Any, message: Message, ctx: Context) -> list[Event]:
    """Decides like the present rules, but refuses notes that begin with an even number."""
    if isinstance(message, AddNote) and int(message.note.split()[0]) % 2 == 0:
        raise Rejected("NOTE.EVEN", "this build refuses notes with an even number")
    return KINDS["case"].decide(case, message, ctx)


class StricterBuild(TestRecording):
    """The same recording with the rules of another release."""

    __test__ = False
    kinds: Mapping[str, StreamKind] = MappingProxyType(
        {**KINDS, "case": replace(KINDS["case"], decide=decide_strictly)}
    )


async def test_two_builds_record_one_case_together_and_verify_is_clean(database: Database, servers: Servers) -> None:
    async with a_running_worker(database, servers, relay=False) as worker:
        begun = await worker.begin(**REGISTRATION)
        assert begun.stream_id is not None
        case, builds = begun.stream_id, [worker.recording, StricterBuild(worker.pool, worker.keys)] * 2
        ids: list[UUID] = []

        for first in range(0, MESSAGES, AT_ONCE):
            ids += [await a_note(worker, case, number) for number in range(first, first + AT_ONCE)]
            await asyncio.gather(*(build.catch_up(RecordRequest(stream_id=case)) for build in builds))

        became = await worker.pool.fetch("SELECT message_id, status FROM inbox WHERE message_id = ANY ($1)", ids)
        noted = await worker.pool.fetch(NOTED, case)
        applied = {str(row["message_id"]) for row in became if row["status"] == "applied"}
        assert {row["status"] for row in became} == {"applied", "refused"}, "both builds have decided messages"
        assert sorted(row["id"] for row in noted) == sorted(applied), "one event for each applied note, no other"
        await Projector(worker.pool).catch_up()
        report = await verify(worker.pool, worker.keys, None, workflows=False)
        assert report.result == "clean", report.as_json()


async def a_note(worker: RunningWorker, case: UUID, number: int) -> UUID:
    message_id = uuid4()
    await worker.say(case, "AddNote", message_id=message_id, note=f"{number} of the day")
    return message_id


NOTED = "SELECT metadata::json ->> 'message_id' AS id FROM events WHERE stream_id = $1 AND topic = 'NoteAdded'"
