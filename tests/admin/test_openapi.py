"""The OpenAPI document is valid, tells of every route, and every answer fits what it says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from aggregate.admin.client import AdminResponse, ask
from aggregate.admin.openapi import document_of
from aggregate.admin.server import AdminServer
from aggregate.config import Settings
from aggregate.node import Node
from aggregate.testing import Environment
from aggregate.testing.admin import AdminTestServer


@pytest.fixture
async def server() -> AsyncIterator[AdminTestServer]:
    async with Environment():
        running = await AdminServer.new_test()
        yield running
        await running.stop()


def check(document: dict[str, Any], method: str, path: str, answer: AdminResponse) -> None:
    """The answer is one that the document tells of."""
    responses = document["paths"][path][method.lower()]["responses"]
    response = responses.get(str(answer.status), responses["default"])
    content_type = answer.headers["Content-Type"]
    schema = response["content"][content_type]["schema"]
    value = answer.json() if content_type == "application/json" else answer.text
    Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def test_the_document_of_a_node_is_valid_and_names_every_route() -> None:
    node = Node(Settings(nats_url="nats://127.0.0.1:1"))
    document = json.loads(json.dumps(document_of(node.admin.routes)))
    validate(document)
    assert {"/health", "/ready", "/metrics", "/openapi.json", "/admin/tenants", "/admin/drain", "/admin/undrain"} <= set(document["paths"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert ("security" in operation) == (method != "get"), path


async def test_every_route_answers_as_the_document_says(server: AdminTestServer) -> None:
    document = (await server.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        assert list(operations) in (["get"], ["post"])
        if "get" in operations:
            answer = await server.get(path)
            assert answer.status == 200
            check(document, "get", path, answer)
    for path in ("/admin/drain", "/admin/undrain"):
        answer = await server.post(path, {"tenant_id": "acme"})
        assert answer.status == 200
        check(document, "post", path, answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NEARLY = st.fixed_dictionaries(
    {}, optional={"tenant_id": st.text(max_size=8) | JSON, "timeout": st.sampled_from([0, 0.0, -1, 1e9, "1", None]) | JSON, "expires": JSON}
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=40) | (JSON | NEARLY).map(lambda value: json.dumps(value).encode()), path=st.sampled_from(["drain", "undrain"])
)
async def test_whatever_a_stranger_sends_is_answered_as_the_document_says(server: AdminTestServer, body: bytes, path: str) -> None:
    document = document_of(server.routes)
    headers = {"Content-Type": "application/json"}
    answer = await ask(server.address, "POST", f"/admin/{path}", data=body, headers=headers)
    assert answer.status in {200, 400, 409}, answer.text
    check(document, "post", f"/admin/{path}", answer)
    assert (await server.get("/ready")).status == 200
