"""What is projected: of each type its program, which rows are kept, what of them is shown, which paths have an index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from aggregate.config.manifest import Projection as ProjectionConfig
from aggregate.engine import Engine, Program
from aggregate.errors import CompileError, ConfigError, Mistake
from aggregate.language import compile as compile_source
from aggregate.query.stored import FORMAT
from aggregate.runtime import ProgramSet, TypeProgram
from aggregate.types import AggregateKey, AggregateType
from aggregate.types.json import canonical

GAS: Final = 1_000_000
"""For `where` and for shaping one row: far more than any row of a legal size takes."""

_NOTHING: Final = b"null"


class Unshapeable(Exception):
    """What a query should see of a row cannot be made."""


@dataclass(frozen=True, slots=True)
class TypeProjection:
    """How the rows of a type are made.

    Attributes:
        program: folds its events.
        where: filter of the rows that are kept in sight, None: all.
        shape: expression of what is shown, None: the state.
        indexes: paths into what is shown.
    """

    program: TypeProgram
    where: Program | None
    shape: Program | None
    indexes: tuple[str, ...]

    def shown(self, key: AggregateKey, version: int, state: bytes) -> bytes | None:
        """What queries see of a state, None: nothing (gone, or not in `where`).

        Raises:
            Unshapeable: it exceeds the limits of a document.
        """
        if state == _NOTHING:
            return None
        if self.where is not None and self.where.matches([state], [meta_of(key, version)], GAS, GAS).rows != b"\1":
            return None
        if self.shape is None:
            return state
        found = self.shape.evaluate(state, None, GAS)
        if found.value is None:
            raise Unshapeable((found.error or b"").decode())
        return found.value


@dataclass(frozen=True, slots=True)
class Definitions:
    """How a projection is made.

    Attributes:
        types: the types that are projected.
        digest: of everything the rows depend on, hex: programs, definitions, format. Projections of one digest are equal.
    """

    types: Mapping[AggregateType, TypeProjection]
    digest: str

    @classmethod
    def of(cls, programs: ProgramSet) -> Self:
        """Those that the manifest asks for.

        Raises:
            ConfigError: every mistake in a `where`, every index that is not among the `fields`.
        """
        mistakes: list[Mistake] = []
        types = {}
        parts: list[object] = [FORMAT]
        for program in sorted(programs, key=lambda each: each.type):
            config = program.definition.projection
            if config is None:
                continue
            types[program.type] = _projection(program, config, mistakes)
            initial = program.definition.initial.text.decode()
            fields = None if config.fields is None else list(config.fields)
            parts.append([str(program.type), program.digest, program.language, initial, config.where, fields, list(config.indexes)])
        if mistakes:
            raise ConfigError(mistakes)
        return cls(MappingProxyType(types), hashlib.sha256(json.dumps(parts).encode()).hexdigest())

    def indexes(self) -> dict[str, list[str]]:
        """The indexes by type, as JSON values: what a reader needs to know of rows that others made."""
        return {str(name): list(each.indexes) for name, each in self.types.items()}


def meta_of(key: AggregateKey, version: int) -> bytes:
    """What a filter sees as `meta`: canonical JSON. Names and ids hold nothing that JSON would escape."""
    return (f'{{"id":"{key.aggregate_id}","tenant_id":"{key.tenant_id}","type":"{key.aggregate_type}","version":{version}}}').encode()


def _projection(program: TypeProgram, config: ProjectionConfig, mistakes: list[Mistake]) -> TypeProjection:
    place = f"{program.type}: projection"
    where = None
    if config.where is not None:
        try:
            where = program.engine.load(compile_source(config.where, "filter"))
        except CompileError as error:
            mistakes += [Mistake(f"{place}.where", str(record)) for record in error.records]
    shape = None
    if config.fields is not None:
        shape = _shape(program.engine, config.fields)
        lost = [path for path in config.indexes if not _covered(path, config.fields)]
        mistakes += [Mistake(f"{place}.indexes", f"{path} is not among the fields") for path in lost]
    return TypeProjection(program, where, shape, config.indexes)


def _covered(path: str, fields: tuple[str, ...]) -> bool:
    return any(path == field or path.startswith(field + ".") for field in fields)


def _shape(engine: Engine, fields: tuple[str, ...]) -> Program:
    """An expression that makes a map of the fields alone; a path that leads nowhere is null."""
    tree: dict[str, object] = {}
    for field in fields:
        if any(field.startswith(other + ".") for other in fields):
            continue  # the one above it holds it
        *above, last = field.split(".")
        at = tree
        for step in above:
            at = at.setdefault(step, {})  # type: ignore[assignment]  # only the last step of a path is no map
        at[last] = field
    return engine.load(compile_source(_text(tree), "expression"))


def _text(node: object) -> str:
    if isinstance(node, dict):
        return "{" + ", ".join(f"{_literal(name)}: {_text(each)}" for name, each in node.items()) + "}"
    assert isinstance(node, str)
    steps = "".join(f"[{_literal(step)}]" for step in node.split("."))
    return f"(state{steps} if has(state, {_literal(node)}) else None)"


def _literal(text: str) -> str:
    return canonical(text).decode()
