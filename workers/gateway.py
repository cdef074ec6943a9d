"""The gateway process: serves HTTP."""

from __future__ import annotations

from gateway.server import serve as serve_http
from workers.context import ProcessContext


async def serve(context: ProcessContext) -> None:
    """Serves HTTP until the process is asked to stop."""
    await serve_http(context.settings, stop=context.stop)
