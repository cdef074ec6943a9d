"""A home that an earlier version made is opened by this one: it verifies clean, and its open cases go on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

from cli.output import ExitCode
from tests.support.ports import free_port
from workers.embedded.processes import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BEFORE_THE_PACKAGES: Final = "7677cef0e3"
"""The last commit with all modules of a layer in one flat folder."""

Done = subprocess.CompletedProcess[str]

Awda = Callable[..., Done]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the earlier version; the history of a shallow clone does not have it."""
    archive = subprocess.run(["git", "archive", BEFORE_THE_PACKAGES], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"commit {BEFORE_THE_PACKAGES} is not in this clone: fetch the whole history")
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "home"
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


def commands_of(source: Path, home: Path, port: int) -> Awda:
    """The command ``awda`` of one version, for this home."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWDA_")}
    env |= {"AWDA_HOME": str(home), "AWDA_PORT": str(port), "PYTHONPATH": str(source)}

    def awda(*words: str, stdin: str = "") -> Done:
        argv = [sys.executable, "-P", "-m", "cli.main", *words]
        return subprocess.run(
            argv, env=env, cwd=source, input=stdin, capture_output=True, text=True, timeout=300, check=False
        )

    return awda


def data(done: Done, code: ExitCode = ExitCode.DONE) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_home_of_the_earlier_version_opens_verifies_clean_and_its_workflows_go_on(earlier: Path, home: Path) -> None:
    port = free_port()
    before, after = commands_of(earlier, home, port), commands_of(PROJECT, home, port)
    assert before("up", "--detach").returncode == ExitCode.DONE
    try:
        listed = [each["case_number"] for each in data(before("case", "list", "--json"))]
        number = listed[0]
        assert before("case", "send", number, "AddNote", "--data", "-", "--json", stdin=NOTE).returncode == 0
        replayed = {each: before("case", "replay", each).stdout for each in listed[:4]}
        waits = without_texts(data(before("case", "why", number, "--json"))["waiting_on"])
    finally:
        before("down")
    assert all(replayed.values())

    assert after("up", "--detach").returncode == ExitCode.DONE
    try:
        assert data(after("verify", "--json"))["result"] == "clean"
        assert [each["case_number"] for each in data(after("case", "list", "--json"))] == listed
        assert {each: after("case", "replay", each).stdout for each in replayed} == replayed
        assert without_texts(data(after("case", "why", number, "--json"))["waiting_on"]) == waits
        assert carried_on(after, number) == "applied"
        assert data(after("verify", "--json"))["result"] == "clean"
    finally:
        after("down")


def without_texts(waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is awaited, without what each version words in its own way: the citation of the rule and the sentence."""
    found = [{name: value for name, value in each.items() if name not in {"rule", "rule_title"}} for each in waiting]
    return [{**each, "because": {**each["because"], "sentence": ""}} for each in found]


def carried_on(awda: Awda, number: str) -> str:
    """What becomes of a message to a case whose workflow was started by the earlier version."""
    sent = data(awda("case", "send", number, "RecordCounselling", "--data", "-", "--json", stdin=COUNSELLING))
    return str(sent["status"])


NOTE: Final = json.dumps({"note": "recorded by the earlier version"})

COUNSELLING: Final = json.dumps({"topics": ["RIGHTS"], "language": "en"})
