"""Fuzzing: the API conforms to its published description for every request, and never answers with a server error."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from gateway.intake.service import Intake
from tests.gateway.conftest import TOKEN, Clinic
from tests.gateway.test_server import serving
from tests.support.databases import Database

PROJECT = Path(__file__).parents[3]

EXAMPLES = os.environ.get("AWDA_FUZZ_EXAMPLES", "8")

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("schemathesis") is None, reason="requirements-fuzz.lock is not installed (`make test` installs it)"
)
async def test_the_api_conforms_to_its_published_description(
    database: Database, intake: Intake, clinic: Clinic, tmp_path: Path
) -> None:
    async with serving(database) as (client, _, _):
        known = {"AWDA_FUZZ_SECRET": clinic.secret, "AWDA_FUZZ_TOKEN": TOKEN}
        options = (
            *("run", f"{client.base_url}/openapi.json", "--checks", ",".join(CHECKS), "--max-examples", EXAMPLES),
            *("--phases", "examples,coverage,fuzzing", "--seed", "1", "--no-color", "--no-shrink"),
            *("--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off"),
            *("--continue-on-failure", "--request-timeout", "60"),
        )
        fuzz = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "schemathesis.cli", *options, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **known, "PYTHONPATH": str(PROJECT), "SCHEMATHESIS_HOOKS": "tests.support.fuzz_hooks"},
        )  # fmt: skip
        output, _ = await fuzz.communicate()

        assert fuzz.returncode == 0, output.decode()
        signals = await intake.pool.fetchval("SELECT count(*) FROM inbox WHERE name = 'partner.signal'")
        assert signals > 0, "some signals were signed and accepted"
