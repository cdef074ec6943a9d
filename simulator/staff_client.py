"""A client of the staff API: submits messages under idempotency keys, and reads cases and movements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx2

WAIT_S: Final = 30

PAGE: Final = 200


class UnexpectedResponseError(Exception):
    """The gateway returned a response that the client does not expect."""


@dataclass(frozen=True)
class MessageOutcome:
    """The outcome of a message. ``status`` is ``taken`` until the message has been processed."""

    status: str
    number: str | None
    rule: str | None = None


@dataclass
class StaffClient:
    """Sends requests for several members of staff over one connection pool."""

    http: httpx2.AsyncClient

    async def submit(
        self, path: str, name: str, fields: Mapping[str, Any], *, user: str, key: str, wait: bool
    ) -> MessageOutcome:
        """Submits a message; with ``wait``, waits for its result. Raises ``UnexpectedResponseError``."""
        headers = {"Idempotency-Key": key, "X-Awda-User": user} | ({"Prefer": f"wait={WAIT_S}"} if wait else {})
        response = await self.http.post(f"/api/v1/{path}", json={"message": name, **fields}, headers=headers)
        if response.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR or response.status_code == httpx2.codes.NOT_FOUND:
            raise UnexpectedResponseError(f"status {response.status_code} for {name}: {response.text[:300]}")
        return _outcome(response.status_code, response.json())

    async def case(self, number: str) -> dict[str, Any]:
        return await self._get(f"cases/{number}")

    async def movement(self, number: str) -> dict[str, Any]:
        return await self._get(f"movements/{number}")

    async def versions(self) -> dict[str, int]:
        """Returns the present version of every case, by case number."""
        found: dict[str, int] = {}
        cursor: str | None = None
        while True:
            page = await self._get("cases", {"limit": PAGE} | ({"cursor": cursor} if cursor else {}))
            found |= {case["case_number"]: case["version"] for case in page["cases"]}
            cursor = page["next"]
            if not cursor:
                return found

    async def _get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        response = await self.http.get(f"/api/v1/{path}", params=dict(query or {}))
        if response.status_code != httpx2.codes.OK:
            raise UnexpectedResponseError(f"status {response.status_code} for GET {path}: {response.text[:300]}")
        found: dict[str, Any] = response.json()
        return found


def _outcome(code: int, body: Mapping[str, Any]) -> MessageOutcome:
    number = body.get("case_number") or body.get("movement_number")
    if code == httpx2.codes.ACCEPTED:
        return MessageOutcome("taken", number)
    if code == httpx2.codes.OK:
        return MessageOutcome(str(body.get("status", "applied")), number)
    return MessageOutcome("refused", number, str(body.get("rule") or body.get("title") or code))
