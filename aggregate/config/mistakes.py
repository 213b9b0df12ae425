"""From pydantic's complaints to ours: what was wrong, the value (cut), what was expected, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence

from pydantic import ValidationError

from aggregate.errors import Mistake, quote

MANY = 15
"""More names than this are not listed in a message."""

Place = Callable[[Sequence[str | int]], str]


def unknown_name(what: str, name: str, known: Collection[str]) -> str:
    """`unknown <what> 'name'`, and the nearest known name if there is one, else all of them."""
    found = difflib.get_close_matches(name.lower(), [each.lower() for each in known], n=1, cutoff=0.6)
    near = next((each for each in known if found and each.lower() == found[0]), None)
    listed = f"known are {', '.join(sorted(known))}" if len(known) <= MANY else "`aggregate config schema` lists the known ones"
    hint = f"did you mean {near!r}?" if near else listed
    return f"unknown {what} {quote(name)}; {hint}"


def mistakes_of(
    error: ValidationError, place: Place, known: Callable[[Sequence[str | int]], Collection[str]], secret: Collection[str] = ()
) -> list[Mistake]:
    """Each complaint as a mistake with its place.

    Args:
        error: what pydantic found.
        place: from the keys that lead to a value to its place.
        known: the names allowed in the mapping at these keys.
        secret: top-level names whose values are never shown.
    """
    found: list[Mistake] = []
    for complaint in error.errors(include_url=False, include_context=False):
        keys = [key for key in complaint["loc"] if key != "[key]"]
        if complaint["type"] == "extra_forbidden":
            found.append(Mistake(place(keys), unknown_name("key", str(keys[-1]), known(keys[:-1]))))
            continue
        if complaint["type"] == "missing":
            found.append(Mistake(place(keys), "is required"))
            continue
        message = complaint["msg"].removeprefix("Value error, ").replace("Input should be ", "expected ", 1)
        shown = complaint["type"] != "value_error" and not (keys and keys[0] in secret)  # our own messages show the value themselves
        found.append(Mistake(place(keys), f"{message}, got {quote(complaint['input'])}" if shown else message))
    return found
