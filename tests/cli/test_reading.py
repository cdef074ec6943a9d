"""The text of ``awda case why`` and ``awda case show``: words instead of codes."""

from __future__ import annotations

from tests.cli.conftest import RecordedCases
from tests.support.builders import a_screened_case

CASE = "LBY-2026-000001"


def test_why_names_the_command_that_records_each_requirement_of_staff(recorded: RecordedCases) -> None:
    recorded.record(lambda archive: archive.keep(a_screened_case().events, number=CASE))

    text = recorded.run("case", "why", CASE).stdout
    codes = [each["code"] for each in recorded.json("case", "why", CASE)["waiting_on"]]

    assert f"  record it with: awda case send {CASE} AssessSafetyOfReturn" in text.splitlines()
    assert "Waiting for medical assessment from clinic-misrata" in text  # the partner answers it, no command does
    assert text.count("record it with: ") == len([code for code in codes if code.startswith("STAFF.")]) > 0


def test_a_case_is_shown_in_words_and_its_json_keeps_the_codes(recorded: RecordedCases) -> None:
    recorded.record(lambda archive: archive.keep(a_screened_case().events, number=CASE))

    text, data = recorded.run("case", "show", CASE).stdout, recorded.json("case", "show", CASE)

    assert (data["phase"], data["country_of_return"]) == ("PRE_DEPARTURE", "NGA")
    for line in (
        "phase              before departure",
        "country of return  Nigeria",
        "waiting for        assessment of safety of return",
    ):
        assert line in text.splitlines()
    assert "medical assessment\tclinic-misrata\tsent\ton time" in text
    assert "share with clinic" in text
    assert not [
        code for code in ("PRE_DEPARTURE", "NGA\n", "MEDICAL_ASSESSMENT", "SHARE_CLINIC", "OPEN") if code in text
    ]
