"""The IR as bytes (`docs/ir.md`): canonical JSON, written without recursion because chains like `1 + 1 + …` lean deep to the left."""

from __future__ import annotations

from collections.abc import Iterator
from json.encoder import encode_basestring
from typing import TypeAlias

Node: TypeAlias = "list[Node] | dict[str, Node] | str | int | None"
Document: TypeAlias = "dict[str, Node]"


def encode(document: Document) -> bytes:
    """Canonical JSON of a document of the IR."""
    return "".join(_pieces(document)).encode()


def _pieces(root: Node) -> Iterator[str]:
    stack = [(_members([root]), "")]
    """Open containers: what of each is still to be written, with what stands before it, and how it closes."""
    while stack:
        members, close = stack[-1]
        for before, node in members:
            yield before
            if type(node) is str:
                yield encode_basestring(node)
            elif type(node) is int:
                yield repr(node)
            elif node is None:
                yield "null"
            else:
                is_map = type(node) is dict
                yield "{" if is_map else "["
                stack.append((_members(node), "}" if is_map else "]"))
                break
        else:
            yield close
            stack.pop()


def _members(container: Node) -> Iterator[tuple[str, Node]]:
    comma = ""
    if type(container) is dict:
        for name in sorted(container):
            yield comma + encode_basestring(name) + ":", container[name]
            comma = ","
    elif type(container) is list:
        for node in container:
            yield comma, node
            comma = ","
