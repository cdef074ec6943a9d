"""Outgoing connections to partners: public addresses only, or this machine where partners are simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from activities.webhook_client import WebhookClient
from workers.settings import InvalidSettingError, Settings

if TYPE_CHECKING:
    import asyncpg

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]


async def partner_client(settings: Settings, pool: Pool) -> WebhookClient:
    """Returns the client that sends messages to partners.

    Raises ``InvalidSettingError`` if ``AWDA_LOOPBACK_RECEIVERS`` is set for a database that is neither on this machine
    nor a demonstration: connections to this machine could then reach services that are not partners.
    """
    loopback = settings.loopback_receivers
    if loopback and not await pool.fetchval(_MADE_UP):
        raise InvalidSettingError(
            "AWDA_LOOPBACK_RECEIVERS allows messages to receivers on this machine and is for made-up partners only. "
            "The database is on another machine. Unset AWDA_LOOPBACK_RECEIVERS."
        )
    return WebhookClient(loopback=loopback)


_MADE_UP: Final = """
SELECT EXISTS (SELECT FROM programme_clock) OR inet_server_addr() IS NULL
    OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1'
"""
