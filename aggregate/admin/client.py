"""A small client of the admin server, for tests and tools: asks over HTTP like anybody would."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, ClientTimeout


@dataclass(frozen=True, slots=True)
class AdminResponse:
    """An answer of the admin server."""

    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.text)


async def ask(
    address: str,
    method: str,
    path: str,
    *,
    body: Any = None,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 60.0,
) -> AdminResponse:
    """What the server at host:port answers; `body` goes as JSON, `data` as it is. Raises aiohttp.ClientError."""
    async with (
        ClientSession() as session,
        session.request(
            method, f"http://{address}{path}", json=body, data=data, headers=headers, timeout=ClientTimeout(timeout)
        ) as response,
    ):
        return AdminResponse(response.status, await response.text(), dict(response.headers))
