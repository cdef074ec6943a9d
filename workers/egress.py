"""How partners are reached from here: public addresses only, and this machine itself where partners are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from activities.webhook_client import WebhookClient
from workers.settings import InvalidSettingError, Settings

if TYPE_CHECKING:
    import asyncpg

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]


async def partner_client(settings: Settings, pool: Pool) -> WebhookClient:
    """How partners are reached.

    Raises ``InvalidSettingError`` where receivers on this machine would be let in by mistake.
    """
    loopback = settings.loopback_receivers
    if loopback and not await pool.fetchval(_MADE_UP):
        raise InvalidSettingError(
            "AWDA_LOOPBACK_RECEIVERS lets messages go to this machine itself and is for made-up partners only; "
            "this database is another machine's. Unset it."
        )
    return WebhookClient(loopback=loopback)


_MADE_UP: Final = """
SELECT EXISTS (SELECT FROM programme_clock) OR inet_server_addr() IS NULL
    OR inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1'
"""
