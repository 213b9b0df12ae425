"""One tree of errors: every code once, every status one of gRPC's, the drawing at the top true."""

from __future__ import annotations

import re
from collections.abc import Iterator

import grpc

from aggregate import errors
from aggregate.errors import AggregateError


def _classes(root: type[AggregateError] = AggregateError) -> Iterator[type[AggregateError]]:
    yield root
    for each in root.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from _classes(each)


def test_every_error_has_its_own_code() -> None:
    codes: dict[str, str] = {}
    for each in _classes():
        assert "code" in vars(each), f"{each.__name__} has no code of its own"
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", each.code), each.code
        assert each.code not in codes, f"{each.__name__} and {codes[each.code]} share the code {each.code}"
        codes[each.code] = each.__name__
    assert len(codes) > 20


def test_every_status_is_one_of_grpc() -> None:
    for each in _classes():
        assert each.status in grpc.StatusCode.__members__, f"{each.__name__}: {each.status}"
        assert each.status != "OK"


def test_what_can_be_tried_again_says_so_in_its_status() -> None:
    for each in _classes():
        if each.retryable:
            assert each.status in {"ABORTED", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}, each.__name__


def test_the_drawing_is_the_tree() -> None:
    drawn = re.findall(r"^ {4}((?:│   |    )*(?:[├└]── )?)([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    path: list[str] = []
    for indent, name in drawn:
        depth = len(indent) // 4
        path[depth:] = [name]
        if depth:
            assert issubclass(getattr(errors, name), getattr(errors, path[depth - 1])), f"{name} is no {path[depth - 1]}"
    bases_only = {"ProgramError"}
    assert {name for _, name in drawn} == {each.__name__ for each in _classes()} - bases_only
