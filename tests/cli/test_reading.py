"""What somebody reads who looks at a case from a terminal."""

from __future__ import annotations

from tests.cli.conftest import Shelf
from tests.support.builders import a_screened_case

CASE = "LBY-2026-000001"


def test_why_names_the_command_that_settles_what_a_case_waits_for(shelf: Shelf) -> None:
    shelf.keep(lambda archive: archive.keep(a_screened_case().events, number=CASE))

    text = shelf.run("case", "why", CASE).stdout
    codes = [each["code"] for each in shelf.asked("case", "why", CASE)["waiting_on"]]

    assert f"  record it with: awda case send {CASE} AssessSafetyOfReturn" in text.splitlines()
    assert "Waiting for medical assessment from clinic-misrata" in text  # the partner answers it, no command does
    assert text.count("record it with: ") == len([code for code in codes if code.startswith("STAFF.")]) > 0
