"""The programs of a manifest, ready to run: one frozen object for each aggregate type, and the set of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from aggregate.config import AggregateDefinition
from aggregate.engine.interface import CommitFold, Decision, Engine, Fold, FoldExpectation, Program, State
from aggregate.errors import ValidationError, quote
from aggregate.types import AggregateId, AggregateType, TenantId

FOLD_GAS = 10_000_000
"""Gas for one stored event's `apply`: the cap, since what was accepted must stay readable when a limit is lowered."""


@dataclass(frozen=True, slots=True)
class TypeProgram:
    """What an aggregate type decides and applies by.

    Attributes:
        definition: what the manifest says of the type.
        engine: what runs the program.
        digest: of the program, hex; of both sources where there are two.
        language: version of the language.
        source: the text to keep with the log: the source, or of two the canonical JSON `{"apply":...,"decide":...}`.
        initial_state: before the first event.
        gas_decide, gas_apply: limits of a decision.
        snapshot_threshold: events between snapshots. `snapshot_bytes`: bytes of messages, 0: however many.
        snapshot_age: seconds that events in memory wait for a snapshot, 0: for ever.
        generation: number among the type's programs in the log, 0 until the log has told.
    """

    definition: AggregateDefinition
    engine: Engine
    program: Program
    language: str
    source: str
    initial_state: State
    gas_decide: int
    gas_apply: int
    snapshot_threshold: int
    snapshot_bytes: int
    snapshot_age: float
    generation: int = 0

    @property
    def type(self) -> AggregateType:
        """The aggregate type."""
        return self.definition.type

    @property
    def digest(self) -> str:
        """The program's digest."""
        return self.program.digest

    @property
    def needs_ctx(self) -> bool:
        """Whether `execute` wants `ctx`."""
        return self.program.needs_ctx

    def state(self, text: bytes) -> State:
        """A state from its JSON text.

        Raises:
            DocumentError: no document of the language.
        """
        return self.engine.state(text)

    def execute(self, state: State, command: bytes, ctx: bytes | None = None) -> Decision:
        """Decide a command and apply its events, within the type's limits of gas (see `Program.execute`)."""
        return self.program.execute(state, command, ctx, self.gas_decide, self.gas_apply)

    def fold(self, state: State, events: Sequence[bytes], meta: bytes | None = None) -> Fold:
        """The state after stored events (see `Program.fold`)."""
        return self.program.fold(state, events, FOLD_GAS, meta)

    def fold_commits(
        self, state: State, bodies: Sequence[bytes], tenant_id: TenantId, aggregate_id: AggregateId, version: int
    ) -> CommitFold:
        """The state after stored commit messages of an aggregate that is at `version` (see `Program.fold_commits`)."""
        expect = FoldExpectation(str(tenant_id), str(self.type), str(aggregate_id), int(version), FOLD_GAS)
        return self.program.fold_commits(state, bodies, expect)

    def with_generation(self, generation: int) -> Self:
        """The same, numbered."""
        return replace(self, generation=generation)


@dataclass(frozen=True, slots=True)
class ProgramSet:
    """The programs of a node by aggregate type."""

    programs: Mapping[AggregateType, TypeProgram]

    def get(self, aggregate_type: AggregateType) -> TypeProgram:
        """The program of a type.

        Raises:
            ValidationError: the manifest has no such type.
        """
        found = self.programs.get(aggregate_type)
        if found is None:
            known = ", ".join(sorted(self.programs))
            raise ValidationError(f"unknown aggregate type {quote(str(aggregate_type))}; known are {known}", "aggregate_type")
        return found

    def only(self) -> TypeProgram:
        """The program of the one type there is.

        Raises:
            ValidationError: there are several.
        """
        if len(self.programs) != 1:
            raise ValidationError(f"the aggregate type must be named; known are {', '.join(sorted(self.programs))}", "aggregate_type")
        return next(iter(self.programs.values()))

    def __iter__(self) -> Iterator[TypeProgram]:
        return iter(self.programs.values())

    def __len__(self) -> int:
        return len(self.programs)

    def with_generations(self, generations: Mapping[AggregateType, int]) -> Self:
        """The same, the named types numbered."""
        numbered = {name: each.with_generation(generations.get(name, each.generation)) for name, each in self.programs.items()}
        return replace(self, programs=MappingProxyType(numbered))
