"""What is wrong in a source: one message table for all of it, records that are sorted by position.

Messages come from the section `compile` of `aggregate/engine/messages.json`; a key is `<code>.<name>`.
"""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Final

from aggregate.errors import CUT, CompileError, ErrorRecord
from aggregate.language.tree import At

_TABLE = resources.files("aggregate.engine").joinpath("messages.json")
MESSAGES: Final[dict[str, str]] = json.loads(_TABLE.read_text(encoding="utf-8"))["compile"]
_PARAMETER = re.compile(r"\{(\w+)\}")
_WHOLE: Final = frozenset(("expected", "message"))
"""Parameters that are the compiler's own words, or cut already."""
MOST: Final = 100
"""More mistakes than this are not listed."""


class Stop(Exception):
    """No sense in reading on: a limit is passed."""


class SyntaxMistake(Exception):
    """The text is no sentence of the grammar, from here on."""

    def __init__(self, key: str, at: At, /, **parameters: object) -> None:
        super().__init__(key)
        self.key = key
        self.at = at
        self.parameters = parameters


def message(key: str, parameters: dict[str, object]) -> str:
    """The text of a message of the table. What a source brings into it (names, types) is cut."""
    return _PARAMETER.sub(lambda match: _shown(match[1], str(parameters[match[1]])), MESSAGES[key])


def _shown(parameter: str, text: str) -> str:
    return text if len(text) <= CUT or parameter in _WHOLE else text[:CUT] + "…"


class Mistakes:
    """The mistakes of one source, gathered in any order."""

    def __init__(self) -> None:
        self._records: dict[tuple[At, str], ErrorRecord] = {}

    def add(self, key: str, at: At, function: str | None = None, /, **parameters: object) -> None:
        """Note a mistake; of two equal ones at one place the first stays."""
        record = ErrorRecord("compile", key.partition(".")[0], message(key, parameters), *at, function, 0)
        self._records.setdefault((at, key), record)

    def stop(self, key: str, at: At, function: str | None = None, /, **parameters: object) -> Stop:
        """Note a mistake after which nothing more is read."""
        self.add(key, at, function, **parameters)
        return Stop(key)

    def __len__(self) -> int:
        return len(self._records)

    def check(self) -> None:
        """Raise what was noted, in the order of the source.

        Raises:
            CompileError: there are mistakes.
        """
        if self._records:
            raise CompileError(self.records())

    def records(self) -> list[ErrorRecord]:
        """The mistakes in the order of the source."""
        return [self._records[place] for place in sorted(self._records, key=lambda place: place[0])][:MOST]
