"""Random documents of the shape that generated programs look for: some as expected, some with members missing or of another type."""

from __future__ import annotations

import json
from typing import Any

from .choices import Choices

NUMBERS = (
    *("0", "1", "2", "3", "7", "-1", "-3", "10", "2.5", "0.1", "-0.5", "0.25", "100"),
    *("9223372036854775807", "9223372036854775808", "1e33", "1e-34"),
)
STRINGS = ("", "a", "b", "ab", "open", "x y  z", "A-b-C", "\u00e9\U0001f600\u00e9", "a" * 16, "b" * 39, "cd" * 64, '"\\\n', "12.50", "-7")
KEYS = ("a", "b", "c", "k", "\u00e9", "")
DAMAGE = (
    *("", ",", "}", "]", "{", "[", '"', "\\", "\\u00e9", "\\ud800", "\\ud83d\\ude00"),
    *("1e99", "-", ".", "0", "\t", "\x01", "e5", "null", '"a":1,'),
)
TYPES = ("opened", "added", "removed", "closed")


class Raw(str):
    """JSON text to be put in as it is."""


def number(c: Choices) -> Raw:
    return Raw(c.pick(NUMBERS))


def value(c: Choices, depth: int = 2) -> Any:
    kind = c.below(8 if depth else 5)
    if kind < 2:
        return number(c)
    if kind < 4:
        return c.pick(STRINGS)
    if kind == 4:
        return c.pick((None, True, False))
    if kind < 7:
        return [value(c, depth - 1) for _ in range(c.below(4))]
    return {c.pick(KEYS): value(c, depth - 1) for _ in range(c.below(4))}


def fields(c: Choices) -> dict[str, Any]:
    """The members that programs look for, by the types they expect; now and then one is missing or something else."""
    made: dict[str, Any] = {
        "n": number(c),
        "m": number(c),
        "s": c.pick(STRINGS),
        "flag": c.pick((True, False)),
        "nums": [number(c) for _ in range(c.below(5))],
        "words": [c.pick(STRINGS) for _ in range(c.below(5))],
        "map": {c.pick(KEYS): number(c) for _ in range(c.below(4))},
        "rows": [{"k": c.pick(STRINGS), "v": number(c), "in": {"x": number(c)}} for _ in range(c.below(4))],
    }
    if c.chance(6):
        made[c.pick(("extra", "zz", "a", "type2"))] = value(c, 3)
    if c.chance(4):
        name = c.pick(sorted(made))
        if c.chance(2):
            del made[name]
        else:
            made[name] = value(c)
    return made


def typed(c: Choices) -> dict[str, Any]:
    """A command or event, seldom a broken one."""
    made = fields(c) | {"type": c.pick(TYPES)}
    if c.chance(30):
        made["type"] = c.pick(("", "1x", 5, None))
    return made


def state(c: Choices) -> Any:
    return c.pick((None, value(c, 3))) if c.chance(6) else fields(c)


def text(c: Choices, made: Any) -> str:
    """The JSON text, in one of the ways to write it; seldom damaged."""
    return damaged(c, _written(c, made) if c.chance(4) else to_text(made), 30)


def damaged(c: Choices, whole: str, one_in: int) -> str:
    """The text, one in so many with a piece put in or taken out."""
    if not c.chance(one_in):
        return whole
    at = (c.below(256) * 256 + c.below(256)) % (len(whole) + 1)
    return whole[:at] + c.pick(DAMAGE) + whole[at + c.below(3) :]


def to_text(made: Any) -> str:
    """The JSON text without spaces."""
    if type(made) is Raw:
        return str(made)
    if isinstance(made, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{to_text(inner)}" for key, inner in made.items()) + "}"
    if isinstance(made, list):
        return "[" + ",".join(map(to_text, made)) + "]"
    return json.dumps(made, ensure_ascii=False)


def _written(c: Choices, made: Any) -> str:
    """The same value with spaces, escapes, members in another order, numbers in other forms."""
    space = c.pick(("", "", " ", "\n", "\t ", "\r\n  "))
    if type(made) is Raw:
        plain = str(made)
        whole = plain.lstrip("-").isdigit() and plain != "0"
        return c.pick((plain, plain, f"{plain}.0", f"{plain}e0", f"{plain}E+00", f"{plain}00e-2")) if whole else plain
    if isinstance(made, dict):
        members = list(made.items())
        if c.chance(3):
            members.reverse()
        entries = [f"{space}{_escaped(c, key)}{space}:{_written(c, inner)}" for key, inner in members]
        return f"{{{','.join(entries)}{space}}}"
    if isinstance(made, list):
        return f"{space}[{','.join(_written(c, inner) for inner in made)}{space}]"
    return space + (_escaped(c, made) if isinstance(made, str) else json.dumps(made)) + space


def _escaped(c: Choices, made: str) -> str:
    """A string, one of its characters now and then as an escape."""
    plain = json.dumps(made, ensure_ascii=c.chance(2))
    if made and made.isascii() and made.isalpha() and c.chance(4):
        at = 1 + c.below(len(made))
        return f"{plain[:at]}\\u{ord(plain[at]):04x}{plain[at + 1 :]}"
    return plain
