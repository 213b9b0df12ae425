"""What the names of one source stand for, and the close one for a name that stands for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_BELOW: Final = 10
_AMONG: Final = 200
_WITHIN: Final = 32
"""A close name is looked for while there are fewer mistakes than this, among so many, for names of so many characters: it takes time."""
_ALIKE: Final = 0.78


class Names:
    """The consts and functions of a source, as far as the resolver has come."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.consts: dict[str, int] = {}
        """Consts that stand above."""
        self.functions: dict[str, int] = {}
        """Functions that stand above."""
        self.all_consts: frozenset[str] = frozenset()
        self.all_functions: frozenset[str] = frozenset()


def hint(name: str, known: Iterable[str], mistakes: int) -> str:
    """What to add to a message about an unknown `name`, when there are so many `mistakes` already."""
    if len(name) > _WITHIN or mistakes >= _BELOW:
        return ""
    near = [other for other in known if abs(len(other) - len(name)) <= 2]
    close = get_close_matches(name, near[:_AMONG], n=1, cutoff=_ALIKE)
    return f"; did you mean `{close[0]}`?" if close else ""
