"""What a route receives from the application."""

from __future__ import annotations

from fastapi import Request

from gateway.intake.service import Intake


def intake_of(request: Request) -> Intake:
    intake: Intake = request.app.state.intake
    return intake
