"""`/openapi.json`: the document of all routes, made of the table they are served from."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from aggregate._version import __version__
from aggregate.admin.errors import ErrorAnswer
from aggregate.admin.route import JSON, Answer, Asked, Route

REF = "#/components/schemas/{model}"


def openapi_routes(routes: Iterable[Route]) -> list[Route]:
    """The route that tells of `routes` and itself."""

    async def tell(_: Asked) -> Answer:
        return Answer(document)

    own = Route("GET", "/openapi.json", "This document.", tell, {200: dict[str, Any]})
    document = document_of([*routes, own])
    return [own]


def document_of(routes: Iterable[Route]) -> dict[str, Any]:
    """An OpenAPI 3.1 document."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Aggregate: admin API of a node",
            "version": __version__,
            "description": "How a node is and what it does. What changes something wants the admin token, "
            "or, where none is set, a server that listens on loopback only.",
        },
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for status, body in route.answers.items():
        content = route.produces if status == 200 else (JSON,)
        schema = {"type": "string"} if body is str else _schema(body, schemas, "serialization")
        answers[str(status)] = {"description": HTTPStatus(status).phrase, "content": {each: {"schema": schema} for each in content}}
    answers["default"] = {"description": "An error.", "content": {JSON: {"schema": _schema(ErrorAnswer, schemas, "serialization")}}}
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{'_'.join(part.strip('{}') for part in route.path.split('/') if part).replace('.', '_')}",
        "summary": route.summary,
        "tags": [route.group],
        "responses": answers,
    }
    if route.places:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": list(values)}}
            for name, values in route.places.items()
        ]
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _schema(route.takes, schemas, "validation")}}}
    if route.changes:
        operation["security"] = [{"token": []}, {}]
    return operation


def _schema(kind: Any, schemas: dict[str, Any], mode: JsonSchemaMode) -> Any:
    """The schema of a type; the classes it is made of go to `schemas` by their names."""
    schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=REF)
    schemas.update(schema.pop("$defs", {}))
    if "title" in schema and schema.get("type") == "object" and "properties" in schema:
        schemas[schema["title"]] = schema
        return {"$ref": REF.format(model=schema["title"])}
    return schema
