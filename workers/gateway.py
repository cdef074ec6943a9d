"""The gateway as one of our processes."""

from __future__ import annotations

from gateway.main import serve as answer
from workers.parts import Parts


async def serve(parts: Parts) -> None:
    """Answer over HTTP until asked to stop."""
    await answer(parts.settings, stop=parts.stop)
