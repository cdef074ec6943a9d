"""The gateway as one of our processes."""

from __future__ import annotations

from gateway.server import serve as answer
from workers.context import ProcessContext


async def serve(context: ProcessContext) -> None:
    """Answer over HTTP until asked to stop."""
    await answer(context.settings, stop=context.stop)
