"""How hard the property tests try: a little on every run, harder under ``HYPOTHESIS_PROFILE=ci``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

settings.register_profile("ci", max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
