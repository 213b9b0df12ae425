"""Random programs: helper functions, `decide` and `apply` of statements over random expressions."""

from __future__ import annotations

from .choices import Choices
from .expressions import TYPES, Expressions

DEPTH = 2
ROOT = '{"n": 1, "m": 2.5, "s": "s", "flag": True, "nums": [3, 1], "words": ["b", "a"], "rows": [{"k": "a", "v": 1}], "map": {"a": 1}}'


def program(c: Choices) -> str:
    """A source with `decide` and `apply`, now and then with consts, helpers, `ctx` and `meta`."""
    writer = _Writer(c)
    if c.chance(3):
        writer.const()
    for number in range(c.below(3)):
        writer.function(f"help{number}", [f"p{i}" for i in range(c.below(3))])
    third = c.chance(4)
    writer.function("apply", ["state", "event", *(["meta"] if third else [])])
    writer.function("decide", ["state", "command", *(["ctx"] if third else [])])
    return "\n".join(writer.lines) + "\n"


def filter_source(c: Choices) -> str:
    writer = Expressions(c, free=True)
    return writer.of("bool", 3)


def expression_source(c: Choices) -> str:
    return Expressions(c, free=True).any(3)


class _Writer:
    def __init__(self, c: Choices) -> None:
        self.c = c
        self.lines: list[str] = []
        self._calls: list[tuple[str, int]] = []
        self._consts: list[str] = []
        self._e = Expressions(c)
        self._loops = 0
        self._iterated: list[tuple[str, str]] = []

    def const(self) -> None:
        value = self.c.pick(("[1, 2, 3]", '{"a": 1, "b": [2]}', '"word" * 3', "2 + 0.5", '1 if "a" in "abc" else 2'))
        self.lines.append(f"LIMIT = {value}")
        self._consts.append("LIMIT")

    def function(self, name: str, params: list[str]) -> None:
        entry = name in ("apply", "decide")
        self._e = Expressions(self.c, tuple(params[:2]) if entry else (ROOT,))
        self._e.calls, self._e.consts = list(self._calls), self._consts
        self._e.names["any"] = [] if entry else list(params)
        self._name = name
        self.lines.append(f"def {name}({', '.join(params)}):")
        self._block(1, 1 + self.c.below(5))
        if name == "apply":
            self._line(1, f"return {self.c.pick(('state', self._e.of('map', DEPTH), self._e.any(DEPTH)))}")
        elif name == "decide":
            self._line(1, f"return {self._events()}")
        else:
            self._line(1, f"return {self._e.any(DEPTH)}")
            self._calls.append((name, len(params)))

    def _events(self) -> str:
        if self.c.chance(15):
            return self._e.any(1)
        count = self.c.below(4)
        return f"[{', '.join(self._event() for _ in range(count))}]"

    def _event(self) -> str:
        kind = self.c.pick(("added", "removed"))
        return f'event("{kind}", x = {self._e.any(1)}, n = {self._e.of("num", 1)})'

    def _line(self, level: int, text: str) -> None:
        self.lines.append("    " * level + text)

    def _block(self, level: int, statements: int) -> None:
        before = {kind: len(names) for kind, names in self._e.names.items()}
        for _ in range(max(statements, 1)):
            self._statement(level)
        if level > 1 and not self.c.chance(6):
            # what a branch has assigned may be unbound behind it
            for kind, length in before.items():
                del self._e.names[kind][length:]

    def _statement(self, level: int) -> None:
        kinds = ["assign"] * 4 + ["augment", "mutate", "mutate", "unpack", "expression", "return"]
        if level < 4:
            kinds += ["if", "if", "for", "for"]
        if self.c.chance(10):
            kinds = ["nest"]
        if self._loops:
            kinds += ["leave"]
        if self._name == "decide":
            kinds += ["reject"]
        getattr(self, f"_{self.c.pick(kinds)}")(level)

    def _assign(self, level: int) -> None:
        kind, name = self.c.pick(TYPES), self._e.name()
        if self.c.chance(4) and self._e.names[kind]:
            name = self.c.pick(self._e.names[kind])
        value = self._e.of(kind, DEPTH)
        self._line(level, f"{name} = {value}")
        if name not in self._e.names[kind]:
            self._e.names[kind].append(name)

    def _augment(self, level: int) -> None:
        e = self._e
        kind, op = self.c.pick((("num", "+"), ("num", "-"), ("num", "*"), ("str", "+"), ("list", "+"), ("map", "|"), ("list", "*")))
        value = e.of("num" if op == "*" else kind, 1)
        if e.names[kind] and self.c.chance(2):
            self._line(level, f"{self.c.pick(e.names[kind])} {op}= {value}")
        elif e.names["map"]:
            target = self.c.pick(e.names["map"])
            self._line(level, f"{target}{self.c.pick(('.a', '.b', f'[{e.key(0)}]'))} {op}= {value}")
        else:
            self._assign(level)

    def _mutate(self, level: int) -> None:
        e = self._e
        lists = self.c.pick(
            (
                lambda x: f"{x}.append({e.any(1)})",
                lambda x: f"{x}.extend({e.of('list', 1)})",
                lambda x: f"{x}.insert({e.of('num', 0)}, {e.any(1)})",
                lambda x: f"{x}.pop({self.c.pick(('', '0', '-1', '9'))})",
                lambda x: f"{x}[{self.c.pick(('0', '-1', '1'))}] = {e.any(1)}",
            )
        )
        maps = self.c.pick(
            (
                lambda x: f"{x}[{e.key(1)}] = {e.any(1)}",
                lambda x: f"{x}.{self.c.pick(('a', 'zz'))} = {e.any(1)}",
                lambda x: f"{x}.pop({e.key(0)}{self.c.pick(('', ', 1'))})",
                lambda x: f"{x}.update({e.of('map', 1)})",
                lambda x: f"{x}.setdefault({e.key(0)}, {e.any(1)})",
            )
        )
        kind, write = self.c.pick((("list", lists), ("map", maps)))
        if self._iterated and self.c.chance(4):
            kind, target = self._iterated[-1]
            self._line(level, (lists if kind == "list" else maps)(target))
        elif e.names[kind] and self.c.below(15):
            self._line(level, write(self.c.pick(e.names[kind])))
        elif self.c.chance(15):
            self._line(level, write(e.leaf(kind)))
        else:
            name = e.name()
            self._line(level, f"{name} = {kind if kind == 'list' else 'dict'}({e.leaf(kind)})")
            e.names[kind].append(name)

    def _unpack(self, level: int) -> None:
        first, second = self._e.name(), self._e.name()
        self._line(level, f"{first}, {second} = [{self._e.any(1)}, {self._e.any(1)}{', 1' if self.c.chance(10) else ''}]")
        self._e.names["any"] += [first, second]

    def _expression(self, level: int) -> None:
        self._line(level, self._e.any(DEPTH))

    def _return(self, level: int) -> None:
        if self.c.chance(4):
            self._line(level, f"return {self._events() if self._name == 'decide' else self._e.any(1)}")
        else:
            self._assign(level)

    def _if(self, level: int) -> None:
        self._line(level, f"if {self._e.of('bool', DEPTH)}:")
        self._block(level + 1, self.c.below(3))
        if self.c.chance(4):
            self._line(level, f"elif {self._e.of('bool', 1)}:")
            self._block(level + 1, 1)
        if self.c.chance(2):
            self._line(level, "else:")
            self._block(level + 1, self.c.below(2))

    def _for(self, level: int) -> None:
        e, name = self._e, self._e.name()
        kind = "any"
        if e.names["list"] and self.c.chance(2):
            iterable = self.c.pick(e.names["list"])
            self._iterated.append(("list", iterable))
        elif e.names["map"] and self.c.chance(3):
            iterable = self.c.pick(e.names["map"])
            self._iterated.append(("map", iterable))
        else:
            iterable, kind = e._numbers(1), "num"
        iterated = len(self._iterated) - (kind == "any")
        if self.c.chance(8):
            other = e.name()
            self._line(level, f"for {name}, {other} in enumerate({iterable}):")
            e.names["any"].append(other)
        else:
            self._line(level, f"for {name} in {iterable}:")
        e.names[kind].append(name)
        self._loops += 1
        self._block(level + 1, self.c.below(3))
        self._loops -= 1
        del self._iterated[iterated:]

    def _leave(self, level: int) -> None:
        self._line(level, f"if {self._e.of('bool', 1)}:")
        self._line(level + 1, self.c.pick(("break", "continue", "pass")))

    def _nest(self, level: int) -> None:
        name = self._e.leaf("list")
        if name not in self._e.names["list"]:
            name = self._e.name()
            self._line(level, f"{name} = {self._e.any(0)}")
            self._e.names["any"].append(name)
        self._line(level, f"for {self._e.name()} in range({self.c.pick(('62', '63', '64', '65', '3'))}):")
        self._line(level + 1, f"{name} = {self.c.pick((f'[{name}]', f'{{{chr(34)}a{chr(34)}: {name}}}', f'[1, {name}]'))}")

    def _reject(self, level: int) -> None:
        if self.c.chance(3):
            self._line(level, f"if {self._e.of('bool', 1)}:")
            level += 1
        code = self.c.pick(("", ', code = "no"', ', code = "x.y-z"', ', code = "not ok"', f", code = {self._e.of('str', 0)}"))
        self._line(level, f"reject({self._e.of('str', 0)}{code}, k = {self._e.any(1)})")
