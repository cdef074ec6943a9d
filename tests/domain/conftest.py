"""Profiles of the property tests: 25 examples on every run, 200 with ``HYPOTHESIS_PROFILE=ci``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

settings.register_profile("ci", max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
