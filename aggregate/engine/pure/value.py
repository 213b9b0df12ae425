"""Values of the language as Python objects, and what makes them mutable.

| type | here |
|---|---|
| null, bool, string | `None`, `bool`, `str` |
| number | `int`, or `Dec` where there is a fraction |
| list | `list` (from a document), `List` (made by a program), `range` (lazy, read-only) |
| map | `dict` (from a document), `Map` (made by a program) |

A made value carries the epoch of the call that made it and is mutable in that call alone. So freezing all that a call leaves behind
costs nothing: the next call has another epoch. Maps are ordered by key where the order shows; `dict` order never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from json.encoder import encode_basestring
from typing import Any, Final, TypeAlias

from aggregate.engine.pure.number import Dec, to_text

MAX_DEPTH: Final = 64
MAX_LIST: Final = 100_000
MAX_MAP: Final = 50_000
MAX_KEY: Final = 256
MAX_STRING: Final = 200_000
MAX_RANGE: Final = 1_000_000
MAX_TEXT: Final = 1_048_576
MAX_EVENTS: Final = 1000
SHOWN: Final = 80

FROZEN: Final = 0
"""The epoch of no call: consts."""


class List(list[Any]):
    """A list made by a program in the call `epoch`."""

    __slots__ = ("epoch",)
    epoch: int


class Map(dict[str, Any]):
    """A map made by a program in the call `epoch`."""

    __slots__ = ("epoch",)
    epoch: int


Value: TypeAlias = Any
"""One of the types above. Dispatch here is by `type(x) in LISTS`, which type checkers do not follow; a union would say nothing more."""

TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "number",
    Dec: "number",
    str: "string",
    list: "list",
    List: "list",
    range: "list",
    dict: "map",
    Map: "map",
}
NUMBERS: Final[frozenset[type]] = frozenset((int, Dec))
LISTS: Final[frozenset[type]] = frozenset((list, List, range))
MAPS: Final[frozenset[type]] = frozenset((dict, Map))
CONTAINERS: Final = LISTS | MAPS


def type_name(value: Value) -> str:
    return TYPE_NAMES[type(value)]


def new_list(items: Iterable[Value], epoch: int) -> List:
    made = List(items)
    made.epoch = epoch
    return made


def new_map(entries: Iterable[tuple[str, Value]] | dict[str, Value], epoch: int) -> Map:
    made = Map(entries)
    made.epoch = epoch
    return made


def items_of(value: Value) -> Any:
    """What an iteration over a list or map meets (of a map its keys, in order); None where nothing can be iterated. A sequence else."""
    kind = type(value)
    if kind in LISTS:
        return value
    if kind in MAPS:
        return sorted(value)
    return None


def key_text(key: str) -> str:
    """A string as canonical JSON."""
    return encode_basestring(key)


def scalar_text(value: Value) -> str:
    """What is no container, as canonical JSON."""
    if type(value) is str:
        return encode_basestring(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    return to_text(value)


def shown(value: Value) -> str:
    """A value as messages show it: its canonical JSON, cut at 80 code points. Looks at no more of it than that."""
    text = ""
    for piece in _pieces(value):
        text += piece
        if len(text) > SHOWN:
            return text[:SHOWN] + "…"
    return text


def _pieces(value: Value) -> Iterator[str]:
    kind = type(value)
    if kind is str:
        # one code point gives at least one of text, so the rest of a long string cannot show
        yield encode_basestring(value if len(value) <= SHOWN else value[: SHOWN + 1])
    elif kind in LISTS:
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ","
            yield from _pieces(item)
        yield "]"
    elif kind in MAPS:
        yield "{"
        for index, key in enumerate(sorted(value)):
            yield ("," if index else "") + encode_basestring(key[: SHOWN + 1]) + ":"
            yield from _pieces(value[key])
        yield "}"
    else:
        yield scalar_text(value)
