"""The library's contract tests for recorders, applied to the recorder of Awda.

They require unique versions, atomic writes, and readers that see all events in feed order. They do not require ids
without gaps: a refused write may use ids, as with the library's own recorder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eventsourcing.tests.persistence import AggregateRecorderTestCase, ApplicationRecorderTestCase

from tests.support.library_facade import AggregateFacade, ApplicationFacade, EventLoopThread


class _WithLoop:
    loop: EventLoopThread
    dsn: str
    made: list[AggregateFacade]

    @pytest.fixture(autouse=True)
    def _connected(self, database: Any) -> Iterator[None]:
        self.loop, self.dsn, self.made = EventLoopThread(), database.owner_dsn, []
        yield
        for facade in self.made:
            facade.close()
        self.loop.close()


class TestAggregateRecorder(_WithLoop, AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateFacade:
        self.made.append(AggregateFacade(self.loop, self.dsn))
        return self.made[-1]


class TestApplicationRecorder(_WithLoop, ApplicationRecorderTestCase[ApplicationFacade]):
    def create_recorder(self) -> ApplicationFacade:
        facade = ApplicationFacade(self.loop, self.dsn)
        self.made.append(facade)
        return facade

    def test_subscribers_hear_every_event_once_in_order(self) -> None:
        """Runs the library's test of subscriptions, which is optional there."""
        self.optional_test_insert_subscribe()
