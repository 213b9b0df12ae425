"""The careful JSON reader: slow, without recursion, exact about what is wrong and where.

Order of checks of a token: syntax, depth, the count of its container, then its own length or domain (`docs/engine-notes.md`, 24 to 28).
"""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from aggregate.engine.pure import number
from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.value import MAX_KEY, MAX_LIST, MAX_MAP, MAX_STRING, Value, shown

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.(?P<missing>(?![0-9]))?[0-9]*)?(?:[eE][+-]?(?P<absent>(?![0-9]))?[0-9]*)?")
"""A number, taken greedily; the named groups match where a digit must come and does not."""
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPE: Final = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')
_LOW: Final = re.compile(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LITERALS: Final[dict[str, tuple[str, Value]]] = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


class CarefulReader:
    """Reads one text; `read` may be called once."""

    def __init__(self, text: str, document: str, depth: int) -> None:
        self._text = text
        self._document = document
        self._depth = depth
        self._at = 0
        self._stack: list[Any] = []
        self._keys: list[str] = []

    def read(self) -> Value:
        """The value of the text.

        Raises:
            Failure: `bad_input.*` or `limit.document_*`.
        """
        if self._text.startswith("\ufeff"):
            raise Failure("bad_input.bom", document=self._document)
        value = self._value()
        if self._peek():
            self._fail("bad_input.trailing", self._at)
        return value

    def _value(self) -> Value:
        root: list[Value] = []
        self._stack.append(root)
        while True:
            value, opened = self._token()
            if opened:
                if self._first(value):
                    continue
                value = self._stack.pop()
            # `value` is complete: store it, and close what ends with it
            while True:
                self._store(value)
                if len(self._stack) == 1:
                    return root[0]
                if self._next():
                    break
                value = self._stack.pop()

    def _token(self) -> tuple[Value, bool]:  # noqa: RET503 (the end does not return)
        """The scalar here, or the empty container that opens here."""
        character, start = self._peek(), self._at
        if character in ("[", "{"):
            if len(self._stack) > self._depth:
                self._fail("bad_input.depth", start)
            self._count(start)
            self._at += 1
            return ([] if character == "[" else {}), True
        value: Value
        if character == '"':
            value = self._string()
            self._count(start)
            if len(value) > MAX_STRING:
                self._fail("limit.document_string", start)
            return value, False
        if character in _LITERALS:
            word, value = _LITERALS[character]
            if not self._text.startswith(word, start):
                self._fail("bad_input.character", start)
            self._at += len(word)
            self._count(start)
            return value, False
        if character == "-" or ("0" <= character <= "9" and character.isascii()):
            text = self._number()
            self._count(start)
            try:
                return number.from_text(text), False
            except number.OutOfDomain:
                self._fail("bad_input.number_domain", start)
        self._unexpected()

    def _first(self, opened: Value) -> bool:
        """Go into a container just opened; False when it is empty and ends here."""
        self._stack.append(opened)
        closing = "]" if type(opened) is list else "}"
        if self._peek() == closing:
            self._at += 1
            return False
        if closing == "}":
            self._key()
        return True

    def _next(self) -> bool:
        """After an element: True when another one follows (its key is read), False when the container ends."""
        container = self._stack[-1]
        closing = "]" if type(container) is list else "}"
        character = self._peek()
        if character == closing:
            self._at += 1
            return False
        if character != ",":
            self._unexpected()
        self._at += 1
        if closing == "}":
            self._key()
        return True

    def _key(self) -> None:
        if self._peek() != '"':
            self._unexpected()
        start = self._at
        key = self._string()
        container = self._stack[-1]
        if len(container) >= MAX_MAP:
            self._fail("limit.document_map", start)
        if len(key) > MAX_KEY:
            self._fail("limit.document_map_key", start)
        if key in container:
            self._fail("bad_input.duplicate", start, key=shown(key))
        if self._peek() != ":":
            self._unexpected()
        self._at += 1
        self._keys.append(key)

    def _count(self, start: int) -> None:
        container = self._stack[-1]
        if type(container) is list and len(container) >= MAX_LIST:
            self._fail("limit.document_list", start)

    def _store(self, value: Value) -> None:
        container = self._stack[-1]
        if type(container) is list:
            container.append(value)
        else:
            container[self._keys.pop()] = value

    def _string(self) -> str:
        text, pieces = self._text, []
        at = self._at + 1
        while True:
            plain = _PLAIN.match(text, at)
            assert plain is not None
            pieces.append(plain[0])
            at = plain.end()
            if at == len(text):
                raise Failure("bad_input.end", document=self._document)
            if text[at] == '"':
                self._at = at + 1
                return "".join(pieces)
            if text[at] != "\\":
                self._fail("bad_input.control", at)
            escape = _ESCAPE.match(text, at)
            if escape is None:
                self._fail("bad_input.escape", at)
            at = escape.end()
            if escape[0][1] != "u":
                pieces.append(_ESCAPES[escape[0][1]])
                continue
            unit = int(escape[0][2:], 16)
            if 0xD800 <= unit <= 0xDFFF:
                low = _LOW.match(text, at) if unit < 0xDC00 else None
                if low is None:
                    self._fail("bad_input.surrogate", escape.start())
                at = low.end()
                unit = 0x10000 + ((unit - 0xD800) << 10) + (int(low[0][2:], 16) - 0xDC00)
            pieces.append(chr(unit))

    def _number(self) -> str:
        match = _NUMBER.match(self._text, self._at)
        if match is None or match["missing"] is not None or match["absent"] is not None:
            self._fail("bad_input.number", self._at)
        self._at = match.end()
        return match[0]

    def _peek(self) -> str:
        """The next character that is no white space, "" at the end; `_at` stands on it."""
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()
        return self._text[self._at : self._at + 1]

    def _unexpected(self) -> NoReturn:
        if self._at == len(self._text):
            raise Failure("bad_input.end", document=self._document)
        self._fail("bad_input.character", self._at)

    def _fail(self, key: str, at: int, /, **parameters: object) -> NoReturn:
        raise Failure(key, document=self._document, offset=len(self._text[:at].encode()), **parameters)
