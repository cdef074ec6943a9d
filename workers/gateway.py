"""The gateway as one of our processes."""

from __future__ import annotations

from gateway.server import serve as answer
from workers.context import Parts


async def serve(parts: Parts) -> None:
    """Answer over HTTP until asked to stop."""
    await answer(parts.settings, stop=parts.stop)
