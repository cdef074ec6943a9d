"""What somebody reads who looks at a case from a terminal."""

from __future__ import annotations

from tests.cli.conftest import Shelf
from tests.support.builders import a_screened_case

CASE = "LBY-2026-000001"


def test_why_names_the_command_that_settles_what_a_case_waits_for(shelf: Shelf) -> None:
    shelf.keep(lambda archive: archive.keep(a_screened_case().events, number=CASE))

    told = shelf.run("case", "why", CASE).stdout

    assert f"  settled by: awda case send {CASE} AssessSafetyOfReturn" in told.splitlines()
    assert "MEDICAL_ASSESSMENT" in told  # what a partner owes is settled by the partner
    assert told.count("settled by") == told.count("STAFF.")
