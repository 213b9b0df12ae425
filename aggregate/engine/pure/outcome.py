"""The built-ins that make outcomes, `event` and `reject`, and the checks of what comes in and goes out under a `type`."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from aggregate.engine.pure.arguments import MAP, STRING, Keywords, want
from aggregate.engine.pure.failure import At, Failure, Rejection
from aggregate.engine.pure.gas import Call, made_map, read
from aggregate.engine.pure.value import MAPS, MAX_EVENTS, MAX_MAP, MAX_TEXT, Value, key_text, new_map, shown, type_name
from aggregate.engine.pure.walk import Writer

MAX_MESSAGE: Final = 1000
DEFAULT_CODE: Final = "rejected"
_TYPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}\Z", re.ASCII)


def event(call: Call, args: list[Value], keywords: Keywords, at: At) -> Value:
    kind, fields = args[0], args[1] if len(args) > 1 else {}
    want("event", 1, kind, STRING, at)
    want("event", 2, fields, MAP, at)
    call.charge(read(kind), at)
    for keyword in keywords:
        if keyword in fields:
            raise Failure("value.event_key_twice", at, key=shown(keyword))
    made = new_map(fields, call.epoch)
    made.update(keywords)
    made["type"] = kind
    call.charge(made_map(len(made)), at)
    if len(made) > MAX_MAP:
        raise Failure("limit.map", at)
    return made


def reject(call: Call, args: list[Value], keywords: Keywords, at: At) -> NoReturn:
    message, code = args[0], keywords.get("code", DEFAULT_CODE)
    want("reject", 1, message, STRING, at)
    want("reject", "code", code, STRING, at)
    call.charge(read(message), at)
    if len(message) > MAX_MESSAGE:
        raise Failure("value.reject_message", at, length=len(message))
    if not _TYPE.match(code):
        raise Failure("value.reject_code", at, code=shown(code))
    details = new_map({name: value for name, value in keywords.items() if name != "code"}, call.epoch)
    call.charge(made_map(len(details)), at)
    writer = Writer(call, at, MAX_TEXT, "limit.text", in_bytes=True)
    writer.value(details)
    text = f'{{"code":{key_text(code)},"details":{writer.take()},"message":{key_text(message)}}}'
    raise Rejection(text)


def check_typed(value: Value, document: str) -> str:
    """The type of a command or event that came in.

    Raises:
        Failure: `bad_input.*`.
    """
    if type(value) not in MAPS:
        raise Failure("bad_input.not_map", document=document, type=type_name(value))
    return _check_type(value, "bad_input", document=document)


def check_events(value: Value) -> list[str]:
    """The types of the events that `decide` returned.

    Raises:
        Failure: `bad_output.*`, the first thing wrong in the order list, count, event by event.
    """
    if not isinstance(value, list | range):
        raise Failure("bad_output.not_list", type=type_name(value))
    if len(value) > MAX_EVENTS:
        raise Failure("bad_output.too_many", count=len(value))
    types = []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise Failure("bad_output.not_map", index=index, type=type_name(item))
        types.append(_check_type(item, "bad_output", index=index))
    return types


def _check_type(value: dict[str, Value], section: str, **place: object) -> str:
    if "type" not in value:
        raise Failure(f"{section}.type_missing", **place)
    kind = value["type"]
    if type(kind) is not str:
        raise Failure(f"{section}.type_not_string", type=type_name(kind), **place)
    if not _TYPE.match(kind):
        raise Failure(f"{section}.type_pattern", value=shown(kind), **place)
    return kind


def write_events(call: Call, events: Value) -> list[str]:
    """The canonical text of each event of `decide`'s output, charging W for the list and the 1 MiB of all together."""
    call.charge(1, None)
    writer = Writer(call, None, MAX_TEXT, "limit.text", in_bytes=True)
    writer.put("[")
    writer.take()
    texts = []
    for index, item in enumerate(events):
        if index:
            writer.separate(",")
            writer.take()
        writer.value(item)
        texts.append(writer.take())
    writer.put("]")
    return texts
