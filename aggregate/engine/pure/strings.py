"""The methods of strings. Each reads its receiver and its string arguments (R) once its types are checked, then pays for what it makes."""

from __future__ import annotations

import re
from typing import Final

from aggregate.engine.pure.access import check_length, check_text
from aggregate.engine.pure.arguments import ITERABLE, STRING, Keywords, want, want_elements
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call, made_list, made_string, read, wide
from aggregate.engine.pure.value import CONTAINERS, MAX_STRING, Value, items_of, new_list, scalar_text, shown
from aggregate.engine.pure.walk import Writer

SPACE: Final = " \t\n\r\v\f"
_WORD: Final = re.compile(r"[^ \t\n\r\v\f]+")
_LOWER: Final = {ord("A") + i: ord("a") + i for i in range(26)}
_UPPER: Final = {ord("a") + i: ord("A") + i for i in range(26)}
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)?\}|\{\{|\}\}|[{}]", re.ASCII)


def _read(call: Call, function: str, text: str, args: list[Value], at: At) -> None:
    """Every argument must be a string; receiver and arguments are read."""
    for position, value in enumerate(args, 1):
        want(function, position, value, STRING, at)
    call.charge(read(text) + sum(map(read, args)), at)


def _made(call: Call, text: str, at: At) -> str:
    call.charge(made_string(len(text)), at)
    return text


def _needle(function: str, needle: Value, at: At) -> None:
    if needle == "":
        raise Failure("value.empty_needle", at, function=function)


def startswith(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "startswith", text, args, at)
    return text.startswith(args[0])


def endswith(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "endswith", text, args, at)
    return text.endswith(args[0])


def find(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "find", text, args, at)
    return text.find(args[0])


def count(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "count", text, args, at)
    _needle("count", args[0], at)
    return text.count(args[0])


def replace(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "replace", text, args, at)
    _needle("replace", args[0], at)
    old, new = args
    length = len(text) + text.count(old) * (len(new) - len(old))
    call.charge(made_string(length), at)
    check_text(length, at)
    return text.replace(old, new)


def upper(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "upper", text, args, at)
    return _made(call, text.translate(_UPPER), at)


def lower(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "lower", text, args, at)
    return _made(call, text.translate(_LOWER), at)


def strip(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "strip", text, args, at)
    return _made(call, text.strip(SPACE), at)


def lstrip(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "lstrip", text, args, at)
    return _made(call, text.lstrip(SPACE), at)


def rstrip(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "rstrip", text, args, at)
    return _made(call, text.rstrip(SPACE), at)


def split(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    _read(call, "split", text, args, at)
    if args:
        _needle("split", args[0], at)
        parts = text.split(args[0])
    else:
        parts = _WORD.findall(text)
    call.charge(sum(made_string(len(part)) for part in parts) + made_list(len(parts)), at)
    check_length(len(parts), at)
    return new_list(parts, call.epoch)


def join(call: Call, text: str, args: list[Value], _: Keywords, at: At) -> Value:
    want("join", 1, args[0], ITERABLE, at)
    items = items_of(args[0])
    assert items is not None
    call.charge(read(text) + len(items), at)
    want_elements("join", items, STRING, at)
    call.charge(sum(map(read, items)), at)
    length = sum(map(len, items)) + len(text) * max(len(items) - 1, 0)
    call.charge(made_string(length), at)
    check_text(length, at)
    return text.join(items)


def format_(call: Call, text: str, args: list[Value], keywords: Keywords, at: At) -> Value:
    call.charge(read(text) + sum(map(read, args)) + sum(map(read, keywords.values())), at)
    pieces: list[str] = []
    length = end = used = 0
    for match in _PLACEHOLDER.finditer(text):
        pieces.append(text[end : match.start()])
        length += len(pieces[-1])
        end = match.end()
        if match[0] in ("{{", "}}"):
            piece = match[0][0]
        elif match[0] in ("{", "}"):
            raise Failure("value.format", at, position=match.start())
        else:
            call.charge(1, at)
            piece = _printed(call, _argument(args, keywords, match[1], used, at), MAX_STRING - length, at)
            used += match[1] is None
        pieces.append(piece)
        length += len(piece)
    length += len(text) - end
    call.charge(made_string(length), at)
    check_text(length, at)
    pieces.append(text[end:])
    return "".join(pieces)


def _argument(args: list[Value], keywords: Keywords, name: str | None, used: int, at: At) -> Value:
    if name is None:
        if used >= len(args):
            raise Failure("index.format", at, index=used)
        return args[used]
    if name not in keywords:
        raise Failure("key.format", at, name=shown(name))
    return keywords[name]


def _printed(call: Call, value: Value, room: int, at: At) -> str:
    if type(value) is str:
        return value
    if type(value) in CONTAINERS:
        writer = Writer(call, at, room, "limit.string")
        writer.value(value)
        return writer.take()
    call.charge(wide(value), at)
    return scalar_text(value)
