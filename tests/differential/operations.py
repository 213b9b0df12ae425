"""Each operation of the language by itself, over values of every type and of lengths where charges step: one source, many inputs."""

from __future__ import annotations

from functools import cache

from .cases import PLENTY, Case
from .choices import Choices
from .documents import NUMBERS, Raw, to_text

BINARY = ("+", "-", "*", "/", "//", "%", "|", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or")
EXPRESSIONS = (
    *(f"a {op} b" for op in BINARY),
    *("-a", "not a", "a.k", "a.k.x", "a[b]", "a[b:c]", "a[b:]", "a[:b]", "a[:]", "a[b][c]", "b if a else c"),
    *("[a, b, c]", "{'x': a, 'y': b}", "{a: b}", "{a: 1, b: 2, 'k': 3}", "{a: 1, a: 2}"),
    *("[x for x in a]", "[x for x in a if x in b]", "[x + y for x in a for y in b]", "[x for x, y in a]", "{x: y for x, y in a.items()}"),
    *("{x: 1 for x in a}", "{k: v for k, v in zip(a, b)}", "[x.k for x in a]", "[[x, y] for x in a for y in x if y]"),
    *(f"{name}(a)" for name in ("len", "str", "type", "int", "number", "bool", "abs", "min", "max", "sum", "sorted", "reversed", "range")),
    *(f"{name}(a)" for name in ("enumerate", "dict", "list", "any", "all", "round")),
    *("min(a, b)", "max(a, b, c)", "min(a, b, c, 1)", "range(a, b)", "range(a, b, c)", "range(a)[b]", "range(a) == b", "str(range(a))"),
    *("zip(a, b)", "zip(a, b, c)", "round(a, b)", "round(a, places = b)", "round(a, 2, c)", "round(a, mode = b)", "round(a, b, c)"),
    *("fixed(a, b)", "split(a, b, c)", "split(a, 3, b)", "has(a, b)", "sorted(a, by = b)", "sorted(a, by = 'k')", "sorted(a, by = 'k.x')"),
    *("sorted(a, reverse = b)", "sorted(a, by = b, reverse = c)", "sorted(a, by = 'k', reverse = True)", "list(a) + b", "sum(a) * b"),
    *(f"a.{name}(b)" for name in ("startswith", "endswith", "find", "count", "split", "join", "index", "append", "extend", "pop", "get")),
    *(f"a.{name}()" for name in ("strip", "lstrip", "rstrip", "lower", "upper", "split", "keys", "values", "items", "pop", "get")),
    *("a.replace(b, c)", "a.get(b, c)", "a.pop(b, c)", "a.insert(b, c)", "a.setdefault(b, c)", "a.update(b)", "a.format(b, c)"),
    *("a.format(b, k = c)", "'{} {k}'.format(a, k = b)", "'{}{}{}'.format(a, b, c)", "'{{{}}}'.format(a)", "[a, b].index(c)"),
    *("a == [b, c]", "{'k': a} == {'k': b}", "[a] in [[b], [c]]", "[a, b].count(c)", "str([a, {'k': b}])", "str({a: b})"),
    *(
        "a + b + c",
        "a * b - c",
        "(a + b) / c",
        "a < b and b < c",
        "a | b | c",
        "not a in b",
        "a.k + b.k",
        "a.upper() + b",
        "len(a) + len(b)",
    ),
    *("len(a.split(b))", "a.split(b)[c]", "sorted(list(a) + list(b))", "max(a) - min(a)", "sum(split(a, b, c))", "int(str(a)) == a"),
)
STATEMENTS = (
    *("x = list(a)\nx.append(b)\nreturn x", "x = list(a)\nx.extend(b)\nreturn x", "x = list(a)\nx.insert(b, c)\nreturn x"),
    *(
        "x = list(a)\nreturn [x.pop(b), x]",
        "x = list(a)\nreturn [x.pop(), x]",
        "x = list(a)\nx[b] = c\nreturn x",
        "x = list(a)\nx[b] += c\nreturn x",
    ),
    *(
        "x = dict(a)\nx[b] = c\nreturn x",
        "x = dict(a)\nx.k = b\nreturn x",
        "x = dict(a)\nx[b] += c\nreturn x",
        "x = dict(a)\nx.k += b\nreturn x",
    ),
    *("x = dict(a)\nreturn [x.pop(b), x]", "x = dict(a)\nreturn [x.pop(b, c), x]", "x = dict(a)\nx.update(b)\nreturn x"),
    *("x = dict(a)\nreturn [x.setdefault(b, c), x]", "x = a\nx += b\nreturn x", "x = a\nx -= b\nreturn x", "x = a\nx *= b\nreturn x"),
    *(
        "x = a\nx |= b\nreturn x",
        "x, y = a\nreturn [y, x]",
        "for x in a:\n    if x == b:\n        return c\nreturn 0",
        "a.k = b",
        "a[b] = c",
    ),
    *("x = []\nfor i in a:\n    x.append(i)\n    if len(x) > 3:\n        break\nreturn x", "for x, y in a:\n    pass\nreturn [x, y]"),
    *("x = list(a)\nfor i in x:\n    x.append(i)\nreturn x", "x = dict(a)\nfor i in x:\n    x[i] = b\nreturn x", "return event(b, a)"),
    *(
        "return event('t', a, z = b)",
        "return event(a, k = b)",
        "x = [a]\nx[0].append(b)\nreturn x",
        "x = dict({'l': list(a)})\nx.l += b\nreturn x",
    ),
    *("x = 1\nfor i in range(a):\n    x = [x]\nreturn [x == x, str(x)]", "x = {'a': {'b': a}}\nx.a.b *= b\nx.a['b'] -= c\nreturn x"),
)
DECIDING = (
    "reject(a, code = b, k = c)",
    "reject(a)",
    "reject('no', code = 'c', k = a, l = b)",
    "return a",
    "return [a, b]",
    "return [event(a, b)]",
)
LENGTHS = (0, 1, 7, 8, 15, 16, 17, 31, 127, 128, 129, 3, 2)
INTEGERS = (
    *NUMBERS,
    "0.5",
    "1.5",
    "-2.5",
    "0.125",
    "4.5",
    "2.675",
    "6.5",
    "-0.25",
    "34",
    "35",
    "-2",
    "5",
    "9999999999999999999999999999999999",
    "12345678901234567890.5",
    "-1e-34",
    "4",
    "8",
    "16",
)
TEXTS = (
    "",
    "a",
    "k",
    "x",
    "half_up",
    "ceil",
    "k.x",
    ".",
    "a,b,,c",
    " a  b ",
    "{} {k}",
    "{}",
    "{",
    "12",
    "-0.50",
    "1e5",
    "\u00e9\U0001f600",
    "aXbXc",
)


@cache
def sources() -> list[tuple[str, str, str]]:
    """(kind, call, source) of every operation."""
    found = [(kind, "evaluate", text) for text in EXPRESSIONS for kind in ("expression", "filter")]
    head = "    a = state.get('a')\n    b = state.get('b')\n    c = state.get('c')\n"
    found += [("program", "apply", f"def apply(state, event):\n{head}{_indented(text)}") for text in STATEMENTS]
    found += [("program", "decide", f"def decide(state, command):\n{head}{_indented(text)}") for text in DECIDING]
    return found


def operation(index: int, c: Choices) -> Case:
    """Operation `index` (modulo their number) over values from choices."""
    kind, call, source = sources()[index % len(sources())]
    state = to_text({name: _value(c, 2) for name in "abc"})
    return Case(kind, source, call, state, '{"type":"t"}', gas=PLENTY if c.below(3) else c.below(256))


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def _value(c: Choices, depth: int) -> object:
    kind = c.below(10 if depth else 7)
    if kind < 3:
        return Raw(c.pick(INTEGERS))
    if kind < 5:
        return c.pick(TEXTS)
    if kind == 5:
        return c.pick("ab\u00e9") * c.pick(LENGTHS)
    if kind == 6:
        return c.pick((None, True, False))
    return _container(c, depth)


def _container(c: Choices, depth: int) -> object:
    length = c.pick(LENGTHS) if c.chance(4) else c.below(5)
    sort = c.below(6)
    if sort == 0:
        return [Raw(c.pick(INTEGERS)) for _ in range(length)]
    if sort == 1:
        return [c.pick(TEXTS) for _ in range(length)]
    if sort == 2:
        return [{"k": {"x": Raw(c.pick(INTEGERS))} if c.below(4) else _value(c, 0)} for _ in range(length)]
    if sort == 3:
        return [[_value(c, 0), _value(c, 0)] for _ in range(length)]
    if sort == 4:
        return {f"{c.pick(TEXTS)}{i or ''}": _value(c, depth - 1) for i in range(length)}
    return [_value(c, depth - 1) for _ in range(min(length, 5))]
