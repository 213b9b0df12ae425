"""The metered deep walks: W (a value is visited and written) and P (two values are compared)."""

from __future__ import annotations

from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.number import Dec, equal
from aggregate.engine.pure.value import LISTS, MAPS, MAX_DEPTH, MAX_LIST, TYPE_NAMES, Value, key_text, scalar_text


class Writer:
    """Writes canonical JSON, charging W on the way, until the text is longer than `room`.

    `in_bytes` counts UTF-8 bytes (output), else code points (`str`, `format`). The order is that of the text: charge the value or key,
    then `depth`, then write it and compare; commas and colons count as written, without a comparison.
    """

    def __init__(self, call: Call, at: At | None, room: int, too_large: str, *, in_bytes: bool = False) -> None:
        self._call = call
        self._at = at
        self._room = room
        self._too_large = too_large
        self._in_bytes = in_bytes
        self._out: list[str] = []

    def take(self) -> str:
        """The text since the last `take`."""
        text = "".join(self._out)
        self._out.clear()
        return text

    def put(self, text: str) -> None:
        self._room -= len(text.encode()) if self._in_bytes else len(text)
        if self._room < 0:
            raise Failure(self._too_large, self._at)
        self._out.append(text)

    def separate(self, text: str) -> None:
        self._room -= 1
        self._out.append(text)

    def value(self, value: Value, level: int = 1) -> None:
        call, kind = self._call, type(value)
        call.charge(1 + (len(value) >> 3) if kind is str else 1, self._at)
        if kind in MAPS:
            self._depth(level)
            self.put("{")
            for index, key in enumerate(sorted(value)):
                if index:
                    self.separate(",")
                call.charge(1 + (len(key) >> 3), self._at)
                self.put(key_text(key))
                self.separate(":")
                self.value(value[key], level + 1)
            self.put("}")
        elif kind in LISTS:
            self._depth(level)
            if kind is range and len(value) > MAX_LIST:
                raise Failure("limit.list", self._at)
            self.put("[")
            for index, item in enumerate(value):
                if index:
                    self.separate(",")
                self.value(item, level + 1)
            self.put("]")
        else:
            self.put(scalar_text(value))

    def _depth(self, level: int) -> None:
        if level > MAX_DEPTH:
            raise Failure("depth.value", self._at)


def pair(call: Call, a: Value, b: Value, at: At | None, level: int = 1) -> bool:
    """P: whether a equals b, charging each pair before it is looked at. The first difference ends it."""
    charge = 1
    if type(a) is str:
        charge += len(a) >> 3
    if type(b) is str:
        charge += len(b) >> 3
    call.left -= charge
    if call.left < 0:
        call.charge(0, at)
    kind = type(a)
    if kind in LISTS or kind in MAPS:
        if level > MAX_DEPTH and (type(b) in LISTS or type(b) in MAPS):
            raise Failure("depth.value", at)
        if TYPE_NAMES[kind] != TYPE_NAMES[type(b)] or len(a) != len(b):
            return False
        if kind in MAPS:
            return _pair_maps(call, a, b, at, level)
        return all(pair(call, x, y, at, level + 1) for x, y in zip(a, b, strict=True))
    return scalars_equal(a, b)


def _pair_maps(call: Call, a: dict[str, Value], b: dict[str, Value], at: At | None, level: int) -> bool:
    keys = sorted(a)
    for x, y in zip(keys, sorted(b), strict=True):
        call.charge(1 + (len(x) >> 3) + (len(y) >> 3), at)
        if x != y:
            return False
    return all(pair(call, a[key], b[key], at, level + 1) for key in keys)


def scalars_equal(a: Value, b: Value) -> bool:
    """Equality where at least one side is no container; other types are never equal."""
    kind = type(a)
    if kind is Dec:
        return type(b) is Dec and equal(a, b)
    return type(b) is kind and a == b
