"""What routes get from the application's state."""

from __future__ import annotations

from fastapi import Request

from gateway.intake.service import Intake


def intake_of(request: Request) -> Intake:
    """Returns the application's intake."""
    intake: Intake = request.app.state.intake
    return intake
