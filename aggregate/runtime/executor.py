"""`RuntimeExecutor`: compiles programs, keeps them, runs them."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Self

import aggregate.engine
from aggregate.config import AggregateDefinition, AggregateManifest, ProgramSource, Settings
from aggregate.engine.interface import Engine, Program, State
from aggregate.errors import CompileError, ConfigError, DocumentError, ErrorRecord, Mistake
from aggregate.language import compile as compile_source
from aggregate.language import digest
from aggregate.language.resolver import LANGUAGE
from aggregate.runtime.outcomes import failed, rejected
from aggregate.runtime.pair import PairProgram
from aggregate.runtime.programs import ProgramSet, TypeProgram
from aggregate.types.json import canonical, parse

GAS_DECIDE = 200_000
GAS_APPLY = 100_000
SNAPSHOT_THRESHOLD = 100
CACHED_PROGRAMS = 256

Runnable = str | Program | TypeProgram
"""What names a program: its source, or one that is loaded."""


class RuntimeExecutor:
    """Runs programs on one engine. Compiled programs are kept by digest; safe for several threads.

    Args:
        engine: None: the configured one.
        gas_decide, gas_apply, snapshot_threshold, snapshot_bytes, snapshot_age: where the manifest says nothing.
        cached: programs that are kept.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        gas_decide: int = GAS_DECIDE,
        gas_apply: int = GAS_APPLY,
        snapshot_threshold: int = SNAPSHOT_THRESHOLD,
        snapshot_bytes: int = 0,
        snapshot_age: float = 0.0,
        cached: int = CACHED_PROGRAMS,
    ) -> None:
        self.engine = engine if engine is not None else aggregate.engine.get()
        self._gas_decide = gas_decide
        self._gas_apply = gas_apply
        self._snapshot_threshold = snapshot_threshold
        self._snapshot_bytes = snapshot_bytes
        self._snapshot_age = snapshot_age
        self._cached = cached
        self._programs: OrderedDict[str, Program] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def of_settings(cls, settings: Settings, engine: Engine | None = None) -> Self:
        """An executor with the limits of the settings."""
        return cls(
            engine,
            gas_decide=settings.gas_decide,
            gas_apply=settings.gas_apply,
            snapshot_threshold=settings.snapshot_threshold,
            snapshot_bytes=settings.snapshot_bytes,
            snapshot_age=settings.snapshot_age,
        )

    @classmethod
    def new_test(cls) -> Self:
        """An executor with defaults, for tests."""
        return cls()

    def program(self, source: str) -> Program:
        """The program of a source, compiled at its first use.

        Raises:
            CompileError: every mistake in it.
        """
        key = digest(source)
        with self._lock:
            found = self._programs.get(key)
            if found is not None:
                self._programs.move_to_end(key)
                return found
        made = self.engine.load(compile_source(source))
        with self._lock:
            self._programs[key] = made
            while len(self._programs) > self._cached:
                self._programs.popitem(last=False)
        return made

    def load(self, manifest: AggregateManifest) -> ProgramSet:
        """All programs of a manifest.

        Raises:
            ConfigError: every mistake in every source, with file, line and column.
        """
        mistakes: list[Mistake] = []
        loaded = {name: self._load(definition, mistakes) for name, definition in manifest.aggregates.items()}
        if mistakes:
            raise ConfigError(mistakes)
        return ProgramSet(MappingProxyType({name: each for name, each in loaded.items() if each is not None}))

    def _load(self, definition: AggregateDefinition, mistakes: list[Mistake]) -> TypeProgram | None:
        wanted = [("decide", "apply")] if len(definition.sources) == 1 else [("decide",), ("apply",)]
        found = [self._part(source, names, mistakes) for source, names in zip(definition.sources, wanted, strict=True)]
        state: State | None = None
        try:
            state = self.engine.state(definition.initial.text)
        except DocumentError as error:
            mistakes.append(Mistake(f"{definition.type}: initial", str(error)))
        programs = [each for each in found if each is not None]
        if state is None or len(programs) != len(found):
            return None
        return TypeProgram(
            definition=definition,
            engine=self.engine,
            program=programs[0] if len(programs) == 1 else PairProgram(self.engine, *programs),
            language=LANGUAGE,
            source=stored_source(definition.sources),
            initial_state=state,
            gas_decide=definition.gas_decide or self._gas_decide,
            gas_apply=definition.gas_apply or self._gas_apply,
            snapshot_threshold=definition.snapshot_threshold or self._snapshot_threshold,
            snapshot_bytes=self._snapshot_bytes if definition.snapshot_bytes is None else definition.snapshot_bytes,
            snapshot_age=self._snapshot_age if definition.snapshot_age is None else definition.snapshot_age,
        )

    def _part(self, source: ProgramSource, names: Sequence[str], mistakes: list[Mistake]) -> Program | None:
        """The program of one source, which must have the functions `names`."""
        try:
            program = self.program(source.text)
        except CompileError as error:
            mistakes += [Mistake(_place(source.name, record), f"{record.code}: {record.message}") for record in error.records]
            return None
        lacking = [name for name in names if not {"decide": program.has_decide, "apply": program.has_apply}[name]]
        mistakes += [Mistake(source.name, f"has no function {name}") for name in lacking]
        return None if lacking else program

    def load_stored(self, source: str) -> Program:
        """A program from the text that was kept with the log (`TypeProgram.source`).

        Raises:
            CompileError: it does not compile.
        """
        parts = stored_parts(source)
        if parts is None:
            return self.program(source)
        return PairProgram(self.engine, self.program(parts[0]), self.program(parts[1]))

    def execute_decide(self, state: Any, command: Any, program: Runnable, *, ctx: Any = None, gas: int | None = None) -> list[Any]:
        """The events that a command leads to, as Python values; [] where it is accepted and nothing happens.

        Args:
            state: a Python value.
            command: a dict with a `type`.
            ctx: a dict, None: none is given.
            program: source, or a loaded program.
            gas: limit, None: the executor's.

        Raises:
            Rejected: the program said no.
            DecideError: it failed, or its gas was spent.
            CompileError: the source has mistakes.
        """
        found = self._runnable(program).decide(
            canonical(state), canonical(command), None if ctx is None else canonical(ctx), gas or self._gas_decide
        )
        if found.rejection is not None:
            raise rejected(found.rejection, found.gas)
        if found.value is None:
            raise failed(found.error or b"", "decide")
        events: list[Any] = parse(found.value, "events")
        return events

    def execute_apply(self, state: Any, event: Any, program: Runnable, *, meta: Any = None, gas: int | None = None) -> Any:
        """The state after an event, as a Python value.

        Args:
            state: a Python value.
            event: a dict with a `type`.
            meta: a dict, None: none is given.
            program: source, or a loaded program.
            gas: limit, None: the executor's.

        Raises:
            ApplyError: the program failed, or its gas was spent.
            CompileError: the source has mistakes.
        """
        found = self._runnable(program).apply(
            canonical(state), canonical(event), None if meta is None else canonical(meta), gas or self._gas_apply
        )
        if found.value is None:
            raise failed(found.error or b"", "apply")
        return parse(found.value, "state")

    def _runnable(self, program: Runnable) -> Program:
        if isinstance(program, str):
            return self.program(program)
        return program.program if isinstance(program, TypeProgram) else program


def stored_source(sources: Sequence[ProgramSource]) -> str:
    """The text of a program as it is kept with the log: its source, or two as JSON (which no source is: none begins with a brace)."""
    if len(sources) == 1:
        return sources[0].text
    return canonical({"apply": sources[1].text, "decide": sources[0].text}).decode()


def stored_parts(text: str) -> tuple[str, str] | None:
    """The sources with `decide` and with `apply`, where `stored_source` wrote two; None: it is one source."""
    if not text.startswith("{"):
        return None
    parts = json.loads(text)
    return parts["decide"], parts["apply"]


def _place(name: str, record: ErrorRecord) -> str:
    return name if record.line is None else f"{name}:{record.line}:{record.column}"
