"""A complete installation by command: start, use, stop, start again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.output import ExitCode
from cli.registration_list import SAMPLE
from tests.support.ports import free_port
from workers.embedded.processes import PROJECT

pytestmark = [pytest.mark.integration, pytest.mark.slow]

Done = subprocess.CompletedProcess[str]

Awda = Callable[..., Done]

PROCESSES = {"postgres", "temporal", "case-worker", "relay", "projector", "gateway"}

COUNSELLING = {"topics": ["RIGHTS"], "language": "en"}


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="awda-up-"))
    root.rmdir()
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def awda(home: Path) -> Iterator[Awda]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWDA_")}
    env |= {"AWDA_HOME": str(home), "AWDA_PORT": str(free_port()), "PYTHONPATH": str(PROJECT)}

    def running(*words: str, stdin: str = "") -> Done:
        argv = [sys.executable, "-P", "-m", "cli.main", *words]
        return subprocess.run(argv, env=env, input=stdin, capture_output=True, text=True, timeout=300, check=False)

    yield running
    running("down")


def json_of(done: Done, code: ExitCode = ExitCode.DONE) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_home_is_started_used_stopped_and_started_again_unchanged(awda: Awda, home: Path) -> None:
    assert awda("up", "--empty", "--detach").returncode == ExitCode.DONE
    status = json_of(awda("status", "--json"))
    assert {each["name"] for each in status["processes"] if each["state"] == "running"} == PROCESSES
    assert all(status[name] for name in ("console_url", "api_url", "temporal_ui_url", "temporal_address", "database"))

    assert json_of(awda("case", "list", "--json")) == []
    assert json_of(awda("import", "cases", str(SAMPLE), "--json"))["started"] == 50
    number = json_of(awda("import", "cases", str(SAMPLE), "--json"))["cases"][0]["case_number"]

    sent = json_of(awda("case", "send", number, "RecordCounselling", "--data", "-", "--as", "fatima", "--json",
                     stdin=json.dumps(COUNSELLING)))  # fmt: skip
    assert (sent["status"], sent["case_number"]) == ("applied", number)
    refused = awda("case", "send", number, "CompleteScreening", "--json")
    assert json_of(refused, ExitCode.REFUSED)["rule"] == "SCREENING.NOT_ELIGIBLE"
    assert "SCREENING.NOT_ELIGIBLE" in refused.stderr

    history = json_of(awda("case", "history", number, "--json"))
    assert [each["version"] for each in history] == list(range(1, len(history) + 1))
    assert history[-1]["actor"] == "staff:fatima"
    assert json_of(awda("case", "why", number, "--json"))["waiting_on"]
    before = awda("case", "replay", number).stdout
    assert json_of(awda("verify", "--json"))["result"] == "clean"

    began = time.monotonic()
    assert awda("down").returncode == ExitCode.DONE
    assert time.monotonic() - began < 15
    assert awda("case", "list").returncode == ExitCode.DOWN
    assert awda("up", "--detach").returncode == ExitCode.DONE
    assert "is already running in" in awda("up", "--detach").stderr
    assert awda("up").returncode == ExitCode.CONFLICT

    assert awda("case", "replay", number).stdout == before
    assert json_of(awda("verify", "--json"))["result"] == "clean"
    assert len(json_of(awda("case", "list", "--json"))) == 50
    assert json_of(awda("doctor", "--json"))["ok"] is True
