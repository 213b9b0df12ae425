"""The examples of docs/queries.md."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from aggregate.client import AggregateClient
from aggregate.config import AggregateManifest
from aggregate.handler import AggregateHandler
from aggregate.testing import Environment
from aggregate.types import AggregateId
from tests.gateway.test_queries import Serving, serving

from .conftest import Cli

__all__ = ["serving"]

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
ACCOUNT = re.compile(r"^\| (\w+) \| ([A-Z]{2}) \| ([0-9.]+) \|$", re.MULTILINE)


@pytest.fixture
async def handler() -> AsyncIterator[AggregateHandler]:
    async with Environment() as environment:
        yield await environment.handler(manifest=AggregateManifest.bank())


async def test_the_page_is_true(serving: Serving, cli: Cli) -> None:
    known: dict[str, Any] = {"Decimal": Decimal, "aclosing": aclosing}
    ran = {"python": 0, "console": 0}
    async with serving.client("") as client:
        accounts = known["accounts"] = await opened(client)
        known["client"] = client
        assert len(accounts) == 4
        for language, block in BLOCKS:
            if language == "python":
                await run(block, known)
                ran["python"] += 1
            elif language == "console":
                for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", block, re.MULTILINE):
                    ended = await cli(*shlex.split(command)[1:], "--node", f"127.0.0.1:{serving.port}")
                    pattern = re.escape(expected).replace("…", ".*")
                    assert re.fullmatch(pattern, ended.out + ended.err), f"{command}\n{ended.out}{ended.err}"
                    ran["console"] += 1
    assert ran["python"] >= 5
    assert ran["console"] >= 4


async def opened(client: AggregateClient) -> dict[str, AggregateId]:
    """The accounts of the page's table."""
    accounts: dict[str, AggregateId] = {}
    for name, country, balance in ACCOUNT.findall(PAGE.read_text()):
        accounts[name] = AggregateId.new_v7()
        command = {"type": "open_account", "owner": {"name": name, "country": country}, "initial_balance": Decimal(balance)}
        receipt = await client.submit("Account", accounts[name], command)
    await client.query(min_position=receipt.position)
    return accounts


async def run(source: str, known: dict[str, Any]) -> None:
    """Run a block, with what the blocks before it made."""
    code = compile(source, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = FunctionType(code, known)()
    if inspect.iscoroutine(made):
        await made
