"""JSON with exact numbers, for payloads as Python values.

Payloads travel as text and are read by the engines. Where Python code looks into one, an integer is an `int` and a fraction a
`Decimal`, never a binary float; a `float` given by Python code enters by its `repr`, as the language says (`docs/language.md`, Numbers).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from aggregate.errors import ValidationError, quote


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {quote(key)}")
            seen.add(key)
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def parse(text: bytes | str, field: str = "payload") -> Any:
    """The value of a JSON text, numbers exact.

    Raises:
        ValidationError: no JSON; `field` names the input.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValidationError(f"not JSON: {error}", field) from error


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValidationError(f"{value} is no JSON number")
    if not value:
        return "0"
    text = format(value, "f")  # not normalize(): that rounds to the context's precision
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write(value: Any, out: list[str]) -> None:
    if value is None:
        out.append("null")
    elif isinstance(value, bool):
        out.append("true" if value else "false")
    elif isinstance(value, str):
        out.append(json.dumps(str(value), ensure_ascii=False))
    elif isinstance(value, int):
        out.append(str(int(value)))
    elif isinstance(value, Decimal):
        out.append(_number(value))
    elif isinstance(value, float):
        out.append(_number(Decimal(repr(value))))
    elif isinstance(value, dict):
        out.append("{")
        for index, key in enumerate(sorted(value)):
            if not isinstance(key, str):
                raise ValidationError(f"a map key is a string, got {quote(key)}")
            out.append(("," if index else "") + json.dumps(key, ensure_ascii=False) + ":")
            _write(value[key], out)
        out.append("}")
    elif isinstance(value, list | tuple):
        out.append("[")
        for index, item in enumerate(value):
            if index:
                out.append(",")
            _write(item, out)
        out.append("]")
    else:
        raise ValidationError(f"{type(value).__name__} is no JSON value: {quote(value)}")


def canonical(value: Any) -> bytes:
    """`value` as canonical JSON: keys by code point, no spaces, UTF-8, numbers in plain decimal.

    Takes dict, list, tuple, str, int, Decimal, float (by repr), bool and None.

    Raises:
        ValidationError: a value of another type, or one that is no text (a lone surrogate).
    """
    out: list[str] = []
    try:
        _write(value, out)
        return "".join(out).encode()
    except UnicodeEncodeError as error:
        raise ValidationError(f"a string holds a lone surrogate: {error.object[error.start : error.end]!r}") from error
    except RecursionError as error:
        raise ValidationError("nested too deeply") from error


class Document:
    """A JSON document: its text, and its Python value when somebody asks for it. Equal when the canonical texts are."""

    __slots__ = ("_text", "_value")
    _unread = object()

    def __init__(self, text: bytes) -> None:
        """`text` is canonical JSON (made by an engine or by `canonical`)."""
        self._text = text
        self._value: Any = Document._unread

    @classmethod
    def of(cls, value: Any) -> Document:
        """A document of a Python value, or `value` itself where it is one."""
        return value if isinstance(value, Document) else cls(canonical(value))

    @property
    def text(self) -> bytes:
        """Canonical JSON, UTF-8."""
        return self._text

    @property
    def value(self) -> Any:
        """The value: dict, list, str, int, Decimal, bool or None. Do not change it."""
        if self._value is Document._unread:
            self._value = parse(self._text)
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Document) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Document({self._text.decode()})"
