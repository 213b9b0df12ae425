"""Random expressions of the language, mostly of the type asked for: programs that only fail on types would test little."""

from __future__ import annotations

import json
from collections.abc import Callable

from .choices import Choices
from .documents import KEYS, STRINGS

LITERALS = (
    *("0", "1", "2", "3", "5", "10", "0.5", "2.25", "0.1", "100", "2.5", "0.125", "7"),
    *("9223372036854775807", "9223372036854775808", "1e33", "9999999999999999999999999999999999", "1e-34", "0." + "3" * 34),
)
PATHS = ("n", "map.a", "rows", "map", "s.x", "map.b.c", "", "in.x", "v", "k")
FORMATS = ("{} and {a}", "{}", "{a}{{}}", "{}{a}{a}", "no", "{a}", "{", "{b}", "{} {}", "}x", "{:d}")
TYPES = ("num", "str", "bool", "list", "map")


class Expressions:
    """Writes expressions. `names` are the variables in scope by type; `roots` are what has the fields of `documents.fields`."""

    def __init__(self, choices: Choices, roots: tuple[str, ...] = ("state",), *, free: bool = False) -> None:
        self.c = choices
        self.roots = roots
        self.free = free
        self.events = not free
        self.names: dict[str, list[str]] = {kind: [] for kind in (*TYPES, "any")}
        self.calls: list[tuple[str, int]] = []
        self.consts: list[str] = []
        self.fresh = 0
        self._makers: dict[str, tuple[Callable[[int], str], ...]] = {
            "num": self._num_makers(),
            "str": self._str_makers(),
            "bool": self._bool_makers(),
            "list": self._list_makers(),
            "map": self._map_makers(),
        }

    def any(self, depth: int) -> str:
        return self.of(self.c.pick(TYPES), depth)

    def of(self, kind: str, depth: int) -> str:
        """An expression that should have the type `kind`; one in 40 has any."""
        if self.c.chance(40):
            kind = self.c.pick(TYPES)
        if depth <= 0 or self.c.spent or self.c.chance(5):
            return self.leaf(kind)
        if self.c.chance(12):
            return f"({self.of(kind, depth - 1)} if {self.of('bool', depth - 1)} else {self.of(kind, depth - 1)})"
        return self.c.pick(self._makers[kind])(depth - 1)

    def leaf(self, kind: str) -> str:
        c = self.c
        choice = c.below(6)
        if choice < 2 and self.names[kind]:
            return c.pick(self.names[kind])
        if choice == 2 and self.names["any"]:
            return c.pick(self.names["any"])
        if choice == 3 and self.consts:
            return c.pick(self.consts)
        if choice >= 3:
            return self.field(kind)
        return self.literal(kind)

    def field(self, kind: str) -> str:
        name = self.c.pick({"num": ("n", "m"), "str": ("s",), "bool": ("flag",), "list": ("nums", "words", "rows"), "map": ("map",)}[kind])
        if self.free:
            return name
        return f"{self.c.pick(self.roots)}.{name}"

    def literal(self, kind: str) -> str:
        c = self.c
        if kind == "num":
            return f"({c.pick(LITERALS)})"
        if kind == "str":
            if c.chance(40):
                return c.pick(('("x" * 150000)', '("\u00e9" * 99999)', '("ab,".upper() * 60000)'))
            return json.dumps(c.pick(STRINGS), ensure_ascii=c.chance(2))
        if kind == "bool":
            return c.pick(("True", "False", "None"))
        if kind == "list":
            return c.pick(("[]", "[1, 2, 3]", '["a", "b"]', "[2.5, 1]", "[[1], [2]]", "[{}]", "list(range(40))"))
        if c.chance(12):
            return c.pick(("{str(i): i for i in range(20)}", '{"k" * i: [i] for i in range(10)}'))
        return c.pick(("{}", '{"a": 1}', '{"b": 2, "a": {"b": 1}}', '{"k": "a", "\u00e9": [1]}'))

    def key(self, depth: int) -> str:
        return json.dumps(self.c.pick(KEYS), ensure_ascii=False) if self.c.below(3) else self.of("str", depth)

    def name(self) -> str:
        self.fresh += 1
        return f"v{self.fresh}"

    def _num_makers(self) -> tuple[Callable[[int], str], ...]:
        return (
            lambda d: f"({self.of('num', d)} {self.c.pick(('+', '-', '*'))} {self.of('num', d)})",
            lambda d: f"{self.of('num', d)} {self.c.pick(('+', '-', '*', '/', '//', '%'))} {self.of('num', d)}",
            lambda d: f"{self.of('num', d)} {self.c.pick(('/', '//', '%'))} {self.c.pick(('3', '7', '-2', '0.3', '0'))}",
            lambda d: f"-{self.of('num', d)}",
            lambda d: f"len({self.of(self.c.pick(('list', 'map', 'str')), d)})",
            lambda d: f"{self.c.pick(('abs', 'int', 'number'))}({self.of('num', d)})",
            lambda d: f"{self.c.pick(('int', 'number'))}({self.of('str', d)})",
            lambda d: f"round({self.of('num', self.c.below(2))}{self._rounding()})",
            lambda d: f"sum({self._numbers(d)})",
            lambda d: f"{self.c.pick(('min', 'max'))}({self._numbers(d)})",
            lambda d: f"{self.c.pick(('min', 'max'))}({self.of('num', d)}, {self.of('num', d)})",
            lambda d: f"{self.of('str', d)}.{self.c.pick(('find', 'count'))}({self.of('str', d)})",
            lambda d: f"{self.of('list', d)}.{self.c.pick(('count', 'index'))}({self.any(d)})",
            lambda d: f"{self._numbers(d)}[{self._position()}]",
            lambda d: f"{self.of('map', d)}.get({self.key(d)}, {self.of('num', d)})",
            lambda d: f"{self.of('map', d)}.get({self.key(d)})",
            lambda d: f"{self.of('map', d)}[{self.key(d)}]" if self.c.chance(3) else self.leaf("num"),
            lambda d: f"{self.of('map', d)}.{self.c.pick(('a', 'b', 'v', 'n'))}" if self.c.chance(3) else self.leaf("num"),
            self._call,
        )

    def _str_makers(self) -> tuple[Callable[[int], str], ...]:
        plain = ("upper", "lower", "strip", "lstrip", "rstrip")
        return (
            lambda d: f"({self.of('str', d)} + {self.of('str', d)})",
            lambda d: f"str({self.any(d)})",
            lambda d: f"{self.of('str', d)} * {self.c.pick(('0', '2', '3', '-1', '40'))}",
            lambda d: f"{self.of('str', d)}[{self._position()}]",
            lambda d: f"{self.of('str', d)}{self._slice(d)}",
            lambda d: f"{self.of('str', d)}.{self.c.pick(plain)}()",
            lambda d: f"{self.of('str', d)}.replace({self.of('str', d)}, {self.of('str', d)})",
            lambda d: f"{self.of('str', d)}.join({self._words(d)})",
            lambda d: f"fixed({self.of('num', self.c.below(2))}, {self.c.pick(('0', '2', '34', '1', '3', '20', '35', '1.5'))})",
            lambda d: f"type({self.any(d)})",
            lambda d: f"{json.dumps(self.c.pick(FORMATS))}.format({self.any(d)}, a = {self.any(d)})",
        )

    def _bool_makers(self) -> tuple[Callable[[int], str], ...]:
        order = ("<", "<=", ">", ">=", "==", "!=")
        return (
            lambda d: f"({self.of('num', d)} {self.c.pick(order)} {self.of('num', d)})",
            lambda d: f"({self.of('str', d)} {self.c.pick(order)} {self.of('str', d)})",
            lambda d: f"({self.any(d)} {self.c.pick(('==', '!='))} {self.any(d)})",
            lambda d: f"({self.of('list', d)} == {self.of('list', d)})",
            lambda d: f"({self.of('map', d)} != {self.of('map', d)})",
            lambda d: f"({self.of('str', d)} {self.c.pick(('in', 'not in'))} {self.of(self.c.pick(('str', 'map')), d)})",
            lambda d: f"({self.any(d)} {self.c.pick(('in', 'not in'))} {self.of('list', d)})",
            lambda d: f"({self.of('bool', d)} {self.c.pick(('and', 'or'))} {self.of('bool', d)})",
            lambda d: f"(not {self.of('bool', d)})",
            lambda d: f"{self.c.pick(('any', 'all'))}({self.of('list', d)})",
            lambda d: f"bool({self.any(d)})",
            lambda d: f"has({self.any(d)}, {json.dumps(self.c.pick(PATHS))})",
            lambda d: f"{self.of('str', d)}.{self.c.pick(('startswith', 'endswith'))}({self.of('str', d)})",
        )

    def _list_makers(self) -> tuple[Callable[[int], str], ...]:
        return (
            lambda d: f"[{', '.join(self.any(d) for _ in range(self.c.below(4)))}]",
            self._numbers,
            self._words,
            self._comprehension,
            self._comprehension,
            lambda d: f"{self.c.pick(('sorted', 'reversed', 'list', 'enumerate'))}({self._iterable(d)})",
            lambda d: f"sorted({self.of('list', d)}, by = {json.dumps(self.c.pick(PATHS))})",
            lambda d: f"sorted({self._numbers(d)}, reverse = {self.of('bool', 0)})",
            lambda d: f"{self.of('map', d)}.{self.c.pick(('keys', 'values', 'items'))}()",
            lambda d: f"({self.of('list', d)} + {self.of('list', d)})",
            lambda d: f"{self.of('list', d)} * {self.c.pick(('2', '0', '3'))}",
            lambda d: f"{self.of('list', d)}{self._slice(d)}",
            lambda d: f"zip({self._iterable(d)}, {self._iterable(d)})",
            lambda d: f"split({self.of('num', d)}, {self.c.pick(('1', '3', '5', '2', '7', '0'))}, {self.c.pick(('0', '2', '34'))})",
        )

    def _map_makers(self) -> tuple[Callable[[int], str], ...]:
        return (
            self._map_literal,
            lambda d: f"({self.of('map', d)} | {self.of('map', d)})",
            lambda d: f"dict({self.of('map', d)})",
            lambda d: f"({self.of('map', d)} | {{{json.dumps(self.c.pick(KEYS), ensure_ascii=False)}: {self.any(d)}}})",
            self._map_comprehension,
            lambda d: f"event({self.of('str', 0)}, {self.of('map', d)}, x = {self.any(d)})" if self.events else self.of("map", d),
        )

    def _rounding(self) -> str:
        mode = self.c.pick(("half_even", "half_up", "half_down", "up", "down", "floor", "ceil", "odd"))
        return self.c.pick(("", ", 1", ", places = 2", f', 1, "{mode}"', f', mode = "{mode}"', ", 35"))

    def _slice(self, depth: int) -> str:
        start, stop = (self._position() if self.c.chance(2) else self.c.pick(("", "1", "-2")) for _ in range(2))
        return f"[{start}:{stop}]"

    def _position(self) -> str:
        return self.of("num", 0) if self.c.chance(6) else self.c.pick(("0", "1", "-1", "2", "-3", "5"))

    def _numbers(self, depth: int) -> str:
        made = self.c.below(4)
        if made == 0:
            return f"range({self.c.pick(('3', '5', '1, 6', '0, 9, 2', '5, 0, -2', '0', '2, 2'))})"
        if made == 1:
            return "nums" if self.free else f"{self.c.pick(self.roots)}.nums"
        return f"[{', '.join(self.of('num', depth - 1) for _ in range(1 + self.c.below(3)))}]"

    def _words(self, depth: int) -> str:
        made = self.c.below(3)
        if made == 0:
            return "words" if self.free else f"{self.c.pick(self.roots)}.words"
        if made == 1:
            return f"{self.of('str', depth - 1)}.split({self.c.pick(('', json.dumps(self.c.pick(STRINGS))))})"
        return f"[{', '.join(self.of('str', depth - 1) for _ in range(1 + self.c.below(3)))}]"

    def _iterable(self, depth: int) -> str:
        return self.c.pick((self._numbers, self._words, lambda d: self.of("map", d), lambda d: self.of("list", d)))(depth)

    def _clauses(self, depth: int) -> tuple[str, list[tuple[str, str]]]:
        """The clauses of a comprehension, and the names they bind (already in scope; the caller takes them out)."""
        bound: list[tuple[str, str]] = []
        text = ""
        for _ in range(1 + self.c.chance(5)):
            name = self.name()
            if self.c.chance(5):
                other = self.name()
                text += f" for {name}, {other} in {self.of('map', depth)}.items()"
                new = [(name, "str"), (other, "any")]
            elif self.c.chance(2):
                text += f" for {name} in {self._numbers(depth)}"
                new = [(name, "num")]
            else:
                text += f" for {name} in {self._iterable(depth)}"
                new = [(name, "any")]
            for bound_name, kind in new:
                self.names[kind].append(bound_name)
            bound += new
            if self.c.chance(3):
                text += f" if {self.of('bool', depth - 1)}"
        return text, bound

    def _leave(self, bound: list[tuple[str, str]]) -> None:
        for name, kind in bound:
            self.names[kind].remove(name)

    def _comprehension(self, depth: int) -> str:
        clauses, bound = self._clauses(depth)
        element = self.any(depth)
        self._leave(bound)
        return f"[{element}{clauses}]"

    def _map_literal(self, depth: int) -> str:
        start, length = self.c.below(len(KEYS)), self.c.below(3)
        literal = (json.dumps(KEYS[(start + i) % len(KEYS)], ensure_ascii=False) for i in range(length))
        keys = [key if self.c.below(4) else self.of("str", depth) for key in literal]
        return "{" + ", ".join(f"{key}: {self.any(depth)}" for key in keys) + "}"

    def _map_comprehension(self, depth: int) -> str:
        clauses, bound = self._clauses(depth)
        key, value = self.of("str", depth), self.any(depth)
        self._leave(bound)
        return f"{{{key}: {value}{clauses}}}"

    def _call(self, depth: int) -> str:
        if not self.calls:
            return self.leaf("num")
        name, params = self.c.pick(self.calls)
        return f"{name}({', '.join(self.any(depth) for _ in range(params + self.c.chance(20)))})"
