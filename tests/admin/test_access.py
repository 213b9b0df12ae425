"""Who may change something: one rule for every route that is no GET."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aggregate.admin.access import check_access
from aggregate.admin.client import ask
from aggregate.admin.errors import HTTP_STATUS, Refused, answer_of
from aggregate.admin.route import Answer, Asked, Route
from aggregate.admin.server import AdminServer
from aggregate.admin.tenants import UndrainRequest
from aggregate.config.fields import Secret
from aggregate.config.settings import Settings
from aggregate.errors import AggregateError, Unauthenticated, Unavailable


@asynccontextmanager
async def served(handle: Callable[[Asked], Awaitable[Answer]], **settings: Any) -> AsyncIterator[AdminServer]:
    routes = [
        Route("POST", "/admin/change", "Change.", handle, {200: str}, takes=UndrainRequest),
        Route("GET", "/admin/look", "Look.", handle, {200: str}),
        Route("GET", "/admin/look/{what}", "Look.", handle, {200: str}, places={"what": ("nginx", "traefik")}),
    ]
    server = AdminServer(Settings(**{"admin_address": "127.0.0.1:0", **settings}), routes)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def well(asked: Asked) -> Answer:
    return Answer(f"done {asked.body}", content_type="text/plain")


BODY = {"tenant_id": "acme"}


async def test_with_a_token_only_its_bearer_changes_anything_and_anybody_looks() -> None:
    async with served(well, admin_token="s3cret") as server:
        assert (await server.get("/admin/look")).status == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret"}, {"Authorization": "Bearer s3cretX"}):
            refused = await server.post("/admin/change", BODY, **headers)
            assert refused.status == 401, headers
            assert refused.json()["error"]["code"] == "unauthenticated"
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        allowed = await server.post("/admin/change", BODY, Authorization="bearer s3cret")
        assert (allowed.status, allowed.text) == (200, "done UndrainRequest(tenant_id='acme')")


async def test_without_a_token_a_node_that_others_reach_refuses_and_loopback_does_not() -> None:
    async with served(well, admin_address="0.0.0.0:0") as server:
        refused = await ask(f"127.0.0.1:{server.port}", "POST", "/admin/change", body=BODY)
        assert refused.status == 403
        assert "AGGREGATE_ADMIN_TOKEN" in refused.json()["error"]["message"]
        assert (await ask(f"127.0.0.1:{server.port}", "GET", "/admin/look")).status == 200
    async with served(well) as server:
        assert (await server.post("/admin/change", BODY)).status == 200


async def test_a_web_page_cannot_use_the_browser_of_somebody_on_the_machine() -> None:
    async with served(well) as server:
        assert (await server.post("/admin/change", BODY, Host="evil.example:80")).status == 403
        plain = await server.post("/admin/change", BODY, **{"Content-Type": "text/plain"})
        assert plain.status == 415


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "127.9.9.9"])
def test_names_of_this_machine_are_known(host: str) -> None:
    check_access({"Host": host}, Secret(""), Settings().admin)


@pytest.mark.parametrize("host", ["", "[::1", "127.0.0.1.example.com", "localhost.evil", "10.0.0.1"])
def test_others_are_not(host: str) -> None:
    with pytest.raises(Refused):
        check_access({"Host": host}, Secret(""), Settings().admin)


def test_a_token_beyond_ascii_is_compared_too() -> None:
    with pytest.raises(Unauthenticated):
        check_access({"Authorization": "Bearer é"}, Secret("ü"), Settings().admin)
    check_access({"Authorization": "Bearer ü"}, Secret("ü"), Settings().admin)


async def test_a_body_that_does_not_fit_names_the_place() -> None:
    async with served(well) as server:
        for body, place in (({}, "tenant_id"), ({"tenant_id": 7}, "tenant_id"), ({**BODY, "more": 1}, "more"), ([], "body")):
            refused = await server.post("/admin/change", body)
            assert (refused.status, refused.json()["error"]["details"]) == (400, {"field": place})
        assert (await server.post("/admin/change", {"tenant_id": "a/b"})).status == 400
        assert (await server.post("/admin/change", {"tenant_id": "x" * 70_000})).status == 413


async def test_errors_of_http_have_the_same_form() -> None:
    async with served(well) as server:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("DELETE", "/admin/look", 405),
            ("GET", "/admin/look/apache", 404),
            ("GET", "/admin/look/nginx", 200),
        ):
            answer = await ask(server.address, method, path)
            assert answer.status == status
            if status != 200:
                assert set(answer.json()["error"]) == {"code", "reason", "message", "retryable", "details"}
        assert (await ask(server.address, "DELETE", "/admin/look")).headers["Allow"] == "GET,HEAD"


async def test_errors_of_the_node_become_answers_and_a_defect_tells_nothing() -> None:
    async def unavailable(_: Asked) -> Answer:
        raise Unavailable("not now", "starting", retry_after=1.5)

    async def defect(_: Asked) -> Answer:
        raise RuntimeError("a secret of the inside")

    async with served(unavailable) as server:
        answer = await server.get("/admin/look")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert answer.json()["error"] == {
            "code": "unavailable",
            "reason": "starting",
            "message": "not now",
            "retryable": True,
            "details": {},
        }
    async with served(defect) as server:
        answer = await server.get("/admin/look")
        assert (answer.status, answer.json()["error"]["code"]) == (500, "internal")
        assert "secret" not in answer.text


def _classes(root: type[AggregateError]) -> list[type[AggregateError]]:
    return [root, *(each for below in root.__subclasses__() for each in _classes(below))]


def test_every_status_of_the_tree_has_one_of_http() -> None:
    assert {each.status for each in _classes(AggregateError)} <= set(HTTP_STATUS)
    assert answer_of(Unauthenticated("no"))[0].status == 401
