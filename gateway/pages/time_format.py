"""Formats points in time for pages and terminals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo


def clock(at: datetime, zone: tzinfo = UTC) -> str:
    """Returns the time as ``YYYY-MM-DD HH:MM`` with its offset from UTC, for example ``2026-11-23 10:00 UTC+2``."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M} {_offset(local.utcoffset() or timedelta())}"


def _offset(offset: timedelta) -> str:
    hours, seconds = divmod(int(offset.total_seconds()), 3600)
    minutes = f":{seconds // 60:02}" if seconds else ""
    return f"UTC{hours:+}{minutes}" if offset else "UTC"
