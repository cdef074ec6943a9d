"""The staff API as a client sees it: messages handed in under keys of their own, and reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

WAIT_S: Final = 30

PAGE: Final = 200


class UnexpectedResponseError(Exception):
    """The gateway answered something that is no answer to what was asked."""


@dataclass(frozen=True)
class MessageOutcome:
    """What became of a message. ``status`` is ``taken`` while nobody has decided on it."""

    status: str
    number: str | None
    rule: str | None = None


@dataclass
class StaffClient:
    """One member of staff after the other, over one connection pool."""

    http: httpx2.AsyncClient

    async def hand_in(
        self, path: str, name: str, fields: Mapping[str, Any], *, user: str, key: str, wait: bool
    ) -> MessageOutcome:
        """Hand in a message; with ``wait``, stay until it is decided. Raises ``UnexpectedResponseError``."""
        headers = {"Idempotency-Key": key, "X-Awda-User": user} | ({"Prefer": f"wait={WAIT_S}"} if wait else {})
        told = await self.http.post(f"/api/v1/{path}", json={"message": name, **fields}, headers=headers)
        if told.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR or told.status_code == httpx2.codes.NOT_FOUND:
            raise UnexpectedResponseError(f"{told.status_code} to {name}: {told.text[:300]}")
        return _became(told.status_code, told.json())

    async def case(self, number: str) -> dict[str, Any]:
        return await self._get(f"cases/{number}")

    async def movement(self, number: str) -> dict[str, Any]:
        return await self._get(f"movements/{number}")

    async def versions(self) -> dict[str, int]:
        """Every case by number, and the version it has reached."""
        found: dict[str, int] = {}
        cursor: str | None = None
        while True:
            page = await self._get("cases", {"limit": PAGE} | ({"cursor": cursor} if cursor else {}))
            found |= {case["case_number"]: case["version"] for case in page["cases"]}
            cursor = page["next"]
            if not cursor:
                return found

    async def _get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        told = await self.http.get(f"/api/v1/{path}", params=dict(query or {}))
        if told.status_code != httpx2.codes.OK:
            raise UnexpectedResponseError(f"{told.status_code} to GET {path}: {told.text[:300]}")
        found: dict[str, Any] = told.json()
        return found


def _became(code: int, told: Mapping[str, Any]) -> MessageOutcome:
    number = told.get("case_number") or told.get("movement_number")
    if code == httpx2.codes.ACCEPTED:
        return MessageOutcome("taken", number)
    if code == httpx2.codes.OK:
        return MessageOutcome(str(told.get("status", "applied")), number)
    return MessageOutcome("refused", number, str(told.get("rule") or told.get("title") or code))
