"""`Route`: one path of the admin server with everything that is said of it.

A group of routes lives in a file of its own and is a list of these; what is served, what a caller must show and what `/openapi.json` tells
all come from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a route gets it, checked.

    Attributes:
        body: of the class that the route `takes`, None where it takes nothing.
        path: what stands in the places of a path like `/admin/routes/{proxy}`.
        accept: the `Accept` header.
    """

    body: Any = None
    path: Mapping[str, str] = field(default_factory=dict)
    accept: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answers: a frozen dataclass or a list of them as JSON; text or bytes as they are."""

    body: Any
    status: int = 200
    content_type: str = JSON

    def encoded(self) -> bytes:
        """The body's bytes."""
        if isinstance(self.body, str):
            return self.body.encode()
        return self.body if isinstance(self.body, bytes) else TypeAdapter[Any](type(self.body)).dump_json(self.body)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path.

    Attributes:
        path: as aiohttp and OpenAPI write it, `{name}` for a part that varies.
        summary: a sentence for the document.
        handle: what is done; its errors of our tree become JSON answers.
        answers: type of the body by status (`str`: text). Errors need not be named.
        takes: a dataclass that the JSON body must fit, None: no body.
        places: the values that each `{name}` of the path may have.
        produces: content types of the 200 answer.
    """

    method: Literal["GET", "POST"]
    path: str
    summary: str
    handle: Callable[[Asked], Awaitable[Answer]]
    answers: Mapping[int, Any]
    takes: type | None = None
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    produces: tuple[str, ...] = (JSON,)

    @property
    def changes(self) -> bool:
        """Whether it changes something, so that its caller must show the token."""
        return self.method != "GET"

    @property
    def group(self) -> str:
        """The first part of the path that is not `admin`."""
        return next(part for part in self.path.split("/") if part and part != "admin")
