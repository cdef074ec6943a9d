"""How a moment reads, on pages and on terminals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


def clock(at: datetime, zone: tzinfo = UTC) -> str:
    """A moment as everybody writes it: year first, and which clock is meant."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {_offset(local.utcoffset() or timedelta())}"


def _offset(offset: timedelta) -> str:
    hours, seconds = divmod(int(offset.total_seconds()), 3600)
    minutes = f":{seconds // 60:02}" if seconds else ""
    return f"UTC{hours:+}{minutes}" if offset else "UTC"
