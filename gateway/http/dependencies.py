"""What a route receives from the application."""

from __future__ import annotations

from fastapi import Request

from gateway.intake.service import Desk


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk
