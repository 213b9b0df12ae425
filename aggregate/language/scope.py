"""Which slot a name has: the locals of a function, and on top of them the variables of the comprehensions that are open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aggregate.language.mistakes import Mistakes
from aggregate.language.tree import Assign, Augment, For, If, Name, Statement, Tuple
from aggregate.language.vocabulary import MAX_LOCALS


class Scope:
    """Slots of one function, filter or expression. `names[i]` is the name of slot i (of its first user)."""

    def __init__(self, mistakes: Mistakes, function: str | None, taken: Iterable[str], kind: str, given: tuple[str, ...] = ()) -> None:
        self.names: list[str] = [*given]
        self._mistakes = mistakes
        self._function = function
        self._taken = frozenset(taken)
        """Names that no local may have: those of consts, in a filter `state` and `meta`."""
        self._kind = kind
        self._locals: dict[str, int] = {name: slot for slot, name in enumerate(given)}
        self._open: list[dict[str, int]] = []
        self._next = len(given)

    def declare(self, name: Name) -> None:
        """Give a local its slot, once."""
        if name.name not in self._locals:
            self._check(name)
            self._locals[name.name] = self._new_slot(name)

    def slot(self, name: str) -> int | None:
        """The slot of a name, the innermost one."""
        for variables in reversed(self._open):
            if name in variables:
                return variables[name]
        return self._locals.get(name)

    def visible(self) -> Iterator[str]:
        """All names that have a slot."""
        yield from self._locals
        for variables in self._open:
            yield from variables

    def allot(self, names: Iterable[Name]) -> dict[str, int]:
        """Slots for the variables of a comprehension, above all that are in use; not visible before `enter`."""
        variables: dict[str, int] = {}
        for name in names:
            if name.name not in variables:
                self._check(name)
                variables[name.name] = self._new_slot(name)
        return variables

    def enter(self, variables: dict[str, int]) -> None:
        """From here on the variables are seen."""
        self._open.append(variables)

    def leave(self) -> None:
        """The innermost comprehension ends; its slots are free again."""
        self._next -= len(self._open.pop())

    def _check(self, name: Name) -> None:
        if name.name in self._taken:
            self._mistakes.add(f"duplicate.{self._kind}", name.start, self._function, name=name.name)

    def _new_slot(self, name: Name) -> int:
        slot = self._next
        if slot >= MAX_LOCALS:
            raise self._mistakes.stop("too_big.locals", name.start, self._function, limit=MAX_LOCALS)
        if slot == len(self.names):
            self.names.append(name.name)
        self._next += 1
        return slot


def assigned(statements: Iterable[Statement]) -> Iterator[Name]:
    """Every name that the statements assign, in the order of the text. The layout bounds how deep blocks go."""
    for statement in statements:
        if type(statement) is Assign or type(statement) is Augment:
            targets = statement.target.items if type(statement.target) is Tuple else (statement.target,)
            yield from (target for target in targets if type(target) is Name)
        elif type(statement) is For:
            yield from statement.names
            yield from assigned(statement.body)
        elif type(statement) is If:
            for _, body in statement.arms:
                yield from assigned(body)
            yield from assigned(statement.otherwise or ())
