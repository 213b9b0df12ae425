"""The words of the language: reserved words, built-in functions and methods with the keywords they take."""

from __future__ import annotations

from typing import Final

ANY: Final = None
"""Keywords of every name are taken."""
_NONE: Final[frozenset[str]] = frozenset()

FUNCTIONS: Final[dict[str, frozenset[str] | None]] = {
    **dict.fromkeys(
        (
            *("len", "str", "type", "int", "number", "bool", "abs", "min", "max", "sum", "reversed", "range", "enumerate", "zip"),
            *("dict", "list", "any", "all", "fixed", "split", "has"),
        ),
        _NONE,
    ),
    "sorted": frozenset(("by", "reverse")),
    "round": frozenset(("places", "mode")),
    "event": ANY,
    "reject": ANY,
}
"""Built-in functions and the keywords each takes."""

METHODS: Final[dict[str, frozenset[str] | None]] = {
    **dict.fromkeys(
        (
            *("startswith", "endswith", "find", "count", "replace", "split", "join", "strip", "lstrip", "rstrip", "lower", "upper"),
            *("append", "extend", "insert", "pop", "index"),
            *("get", "keys", "values", "items", "update", "setdefault"),
        ),
        _NONE,
    ),
    "format": ANY,
}
"""Methods of any type and the keywords each takes."""

WORDS: Final = {
    **{word: word.upper() for word in ("and", "break", "continue", "def", "for", "if", "in", "is", "not", "or", "pass", "return")},
    "elif": "_ELIF",
    "else": "_ELSE",
    "True": "TRUE",
    "true": "TRUE",
    "False": "FALSE",
    "false": "FALSE",
    "None": "NULL",
    "null": "NULL",
}
"""Words of the grammar and their tokens."""

ABSENT: Final = frozenset(("while", "load", "import", "from", "lambda", "class", "try", "is", "def"))
"""Words that begin a construct which the language has not: refused as `unsupported` where a construct may begin."""

RESERVED: Final = frozenset(
    (
        *WORDS,
        *ABSENT,
        *("as", "assert", "async", "await", "del", "except", "finally", "global", "nonlocal", "raise", "with", "yield"),
    )
)
"""Python's hard keywords, `load`, `null`, `true`, `false`: no names."""

MAX_SOURCE: Final = 64 * 1024
MAX_FUNCTIONS: Final = 64
MAX_LOCALS: Final = 64
MAX_NODES: Final = 20_000
MAX_NESTING: Final = 64
MAX_NAME: Final = 128
MAX_KEY: Final = 256
CONST_GAS: Final = 10_000
