"""Defects planted in a second copy of the pure engine: each must be found, else the harness proves nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from aggregate.engine import Engine

PACKAGE = "aggregate.engine.pure"


class Copy:
    """A pure engine of its own modules."""

    def __init__(self) -> None:
        theirs = {name: module for name, module in sys.modules.items() if name == PACKAGE or name.startswith(f"{PACKAGE}.")}
        for name in theirs:
            del sys.modules[name]
        try:
            door = importlib.import_module(f"{PACKAGE}.engine")
            self._modules = {name: module for name, module in sys.modules.items() if name.startswith(f"{PACKAGE}.")}
        finally:
            for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
                del sys.modules[name]
            sys.modules.update(theirs)
            # the package's attributes must name the modules that sys.modules names
            for name, module in theirs.items():
                parent, _, child = name.rpartition(".")
                if parent in sys.modules:
                    setattr(sys.modules[parent], child, module)
        self.engine: Engine = door.PureEngine()

    def __getitem__(self, name: str) -> ModuleType:
        return self._modules[f"{PACKAGE}.{name}"]

    def everywhere(self, name: str, value: Any) -> None:
        """Replace a module-level name in every module that has it."""
        for module in self._modules.values():
            if hasattr(module, name):
                setattr(module, name, value)


def _more(function: Callable[..., int]) -> Callable[..., int]:
    return lambda *args: function(*args) + 1


def _gas_of_a_lookup(copy: Copy) -> None:
    copy.everywhere("lookup", _more(copy["gas"].lookup))


def _gas_of_a_string(copy: Copy) -> None:
    copy.everywhere("made_string", _more(copy["gas"].made_string))


def _gas_that_is_given_back(copy: Copy) -> None:
    copy.everywhere("wide", lambda *values: 0)


def _half_up(copy: Copy) -> None:
    copy["number"].half_even = lambda n, d: (2 * n + d) // (2 * d)


def _message(copy: Copy) -> None:
    copy["failure"].MESSAGES["type"]["binary"] += "!"


def _code(copy: Copy) -> None:
    copy["failure"].KINDS["key"] = "resource"


def _position(copy: Copy) -> None:
    scope = copy["scope"].Scope
    at = scope.at
    scope.at = lambda self, line, column: (at(self, line, column)[0], column + (column % 7 == 5), self.function)


def _function(copy: Copy) -> None:
    scope = copy["scope"].Scope
    at = scope.at
    scope.at = lambda self, line, column: (*at(self, line, column)[:2], None)


def _order_of_keys(copy: Copy) -> None:
    copy["maps"].sorted = lambda keys: sorted(keys, reverse=True)


def _rejection(copy: Copy) -> None:
    copy["outcome"].DEFAULT_CODE = "refused"


def _missing_error(copy: Copy) -> None:
    copy["access"].check_mutable = copy["lists"].check_mutable = copy["maps"].check_mutable = lambda call, target, at: None


def _equality(copy: Copy) -> None:
    copy["walk"].scalars_equal = copy["operators"].scalars_equal = lambda a, b: a == b


def _count(copy: Copy) -> None:
    finish = copy["folding"].finish

    def wrong(folding: Any, before: Any) -> Any:
        state, count, error = finish(folding, before)
        return state, count + (count > 1), error

    copy["program"].finish = wrong


def _row(copy: Copy) -> None:
    copy["program"].FAILED_ROW = 0


DEFECTS: dict[str, Callable[[Copy], None]] = {
    "gas of a look-up": _gas_of_a_lookup,
    "gas of a string": _gas_of_a_string,
    "gas left out": _gas_that_is_given_back,
    "a value (rounding)": _half_up,
    "a value (equality)": _equality,
    "a value (order of keys)": _order_of_keys,
    "a message": _message,
    "a kind": _code,
    "a position": _position,
    "a function's name": _function,
    "a rejection": _rejection,
    "an error left out": _missing_error,
    "a count": _count,
    "a row": _row,
}
