"""The case workflow decides the order of the stages, and its file says so."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from domain.decider import STAGES, about_to_open, may_open, progress_of
from domain.kernel.vocabulary import Stage, StageStatus
from domain.procedure import EDITIONS, NEWEST
from domain.progress import Progress
from tests.support.builders import CaseScenario, a_cleared_case, a_registered_case, a_screened_case, a_seated_case
from workflows import case as workflow_file
from workflows.case import stages_to_open

ROW = re.compile(r"^ +\d  (\S+(?: \S+)*)", re.MULTILINE)

BEFORE_DEPARTURE = (Stage.SCREENING, Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS)


def test_the_file_shows_the_stages_in_the_order_of_the_newest_edition() -> None:
    text = workflow_file.__doc__ or ""
    rows = [" | ".join(STAGES[stage].title for stage in row) for row in EDITIONS[NEWEST].rows]
    assert f"edition {NEWEST}" in text
    assert ROW.findall(text) == rows


def test_the_file_shows_which_stages_may_open_early() -> None:
    early = re.findall(r"^ +\d  (.+?) {2,}may open early", workflow_file.__doc__ or "", re.MULTILINE)
    assert early == [STAGES[stage].title for stage in EDITIONS[NEWEST].early]


@pytest.mark.parametrize(
    ("done", "opened"),
    [
        ((), (Stage.SCREENING, Stage.DEPARTURE, Stage.RECEPTION)),
        ((Stage.SCREENING,), (Stage.PROTECTION, Stage.MEDICAL, Stage.DOCUMENTS, Stage.DEPARTURE, Stage.RECEPTION)),
        (BEFORE_DEPARTURE, (Stage.DEPARTURE, Stage.RECEPTION)),
        ((*BEFORE_DEPARTURE, Stage.DEPARTURE), (Stage.RECEPTION,)),
        ((*BEFORE_DEPARTURE, Stage.DEPARTURE, Stage.RECEPTION), (Stage.REINTEGRATION,)),
    ],
)
def test_stages_are_opened_row_by_row_and_the_early_ones_besides(
    done: tuple[Stage, ...], opened: tuple[Stage, ...]
) -> None:
    allowed = tuple(stage for stage in Stage if stage not in done)
    assert stages_to_open(Progress(edition=NEWEST, done=done, may_open=allowed)) == opened


def test_only_what_may_open_is_ordered_open() -> None:
    progress = Progress(edition=NEWEST, done=(Stage.SCREENING,), may_open=(Stage.MEDICAL, Stage.REINTEGRATION))
    assert stages_to_open(progress) == (Stage.MEDICAL,)


def test_a_case_that_is_done_or_may_open_nothing_gets_no_order() -> None:
    assert stages_to_open(Progress(edition=NEWEST, done=tuple(Stage))) == ()
    assert stages_to_open(Progress(edition=NEWEST)) == ()


@pytest.mark.parametrize("begin", [a_registered_case, a_screened_case, a_cleared_case, a_seated_case])
def test_the_rules_predict_the_order_that_the_workflow_gives(begin: Callable[[], CaseScenario]) -> None:
    """Stages are set back to not started one by one, so that there is something to order."""
    scenario = begin()
    for stage in Stage:
        scenario.case.stages[stage].status = StageStatus.NOT_STARTED
        ctx = scenario.moment()
        assert stages_to_open(progress_of(scenario.case, ctx)) == about_to_open(scenario.case, ctx)
        assert set(about_to_open(scenario.case, ctx)) <= set(may_open(scenario.case, ctx))
