"""A program whose `decide` and `apply` stand in two sources: to its callers one `Program` like any other.

Each source is compiled by itself, so neither sees the other's functions. The digest is that of both, so that a change of either makes
another program.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aggregate.engine.interface import CommitFold, Decision, Engine, Evaluation, Fold, FoldExpectation, Matches, Program, Scanned, State
from aggregate.runtime.outcomes import record_of_execute
from aggregate.types.json import canonical

_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class PairDecision:
    """What `execute` of a pair comes to (see `Decision`)."""

    events: list[bytes]
    types: list[str]
    state: State | None
    gas: int
    rejection: bytes | None = None
    error: bytes | None = None
    phase: str = "decide"


def pair_digest(decide: str, apply: str) -> str:
    """The digest of the program that decides by one digest and applies by another."""
    return hashlib.sha256(b"agl-1\0pair\0" + decide.encode() + b"\0" + apply.encode()).hexdigest()


class PairProgram:
    """Decides by one program, applies by the other. Immutable, usable from several threads.

    Its answers are those of one source with both functions, but for two things: a missing `ctx` that only `apply` needs is noticed when
    `apply` is reached, and where `apply` asks for `meta` the state is checked for its size after every event, not only after the last.
    """

    kind = "program"
    has_decide = True
    has_apply = True

    def __init__(self, engine: Engine, decide: Program, apply: Program) -> None:
        """`decide` has a function of that name, `apply` likewise."""
        self._engine = engine
        self._decide = decide
        self._apply = apply
        self.digest = pair_digest(decide.digest, apply.digest)
        self.needs_ctx = decide.needs_ctx or apply.needs_ctx

    def execute(
        self, state: State, command: bytes, ctx: bytes | None, decide_gas: int, apply_gas: int, meta: bytes | None = None
    ) -> Decision:
        """`decide`, then `apply` over its events (see `Program.execute`)."""
        decided = self._decide.decide(state, command, ctx, decide_gas)
        if decided.value is None:
            return PairDecision([], [], None, decided.gas, decided.rejection, decided.error)
        events, types = split_events(decided.value)
        gas = decided.gas
        for texts, third in self._steps(events, ctx, meta):
            fold = self._apply.fold(state, texts, apply_gas, third)
            if fold.error is not None:
                return PairDecision([], [], None, gas + fold.gas, None, record_of_execute(fold.error, gas), "apply")
            state = fold.state
            gas += fold.gas
        return PairDecision(events, types, state, gas)

    def _steps(self, events: list[bytes], ctx: bytes | None, meta: bytes | None) -> list[tuple[list[bytes], bytes | None]]:
        """Which events are folded with which `meta`: all at once, unless each has its own."""
        if meta is not None or ctx is None or not self._apply.needs_ctx:
            return [(events, meta)]
        read = json.loads(ctx)
        context = read if isinstance(read, dict) else {}
        return [([event], event_meta(self._engine, context, index)) for index, event in enumerate(events)]

    def decide(self, state: State | bytes, command: bytes, ctx: bytes | None, gas: int) -> Evaluation:
        """See `Program.decide`."""
        return self._decide.decide(state, command, ctx, gas)

    def apply(self, state: State | bytes, event: bytes, meta: bytes | None, gas: int) -> Evaluation:
        """See `Program.apply`."""
        return self._apply.apply(state, event, meta, gas)

    def evaluate(self, state: State | bytes, meta: bytes | None, gas: int) -> Evaluation:
        """Raises ValueError: this is no filter or expression."""
        return self._decide.evaluate(state, meta, gas)

    def fold(self, state: State, events: Sequence[bytes], gas_per_event: int, meta: bytes | None = None) -> Fold:
        """See `Program.fold`."""
        return self._apply.fold(state, events, gas_per_event, meta)

    def fold_commits(self, state: State, commits: Sequence[bytes], expect: FoldExpectation) -> CommitFold:
        """See `Program.fold_commits`."""
        return self._apply.fold_commits(state, commits, expect)

    def matches(self, states: Sequence[State | bytes], metas: Sequence[bytes] | None, gas_per_row: int, gas_total: int) -> Matches:
        """Raises ValueError: this is no filter."""
        return self._decide.matches(states, metas, gas_per_row, gas_total)

    def scan(
        self,
        packs: Sequence[bytes],
        after: bytes,
        chosen: bytes | None,
        named: tuple[str, str] | None,
        gas_per_row: int,
        gas_total: int,
    ) -> Scanned:
        """Raises ValueError: this is no filter."""
        return self._decide.scan(packs, after, chosen, named, gas_per_row, gas_total)


def split_events(text: bytes) -> tuple[list[bytes], list[str]]:
    """The texts of the events of a canonical list, byte for byte, and their types."""
    whole = text.decode()
    events: list[bytes] = []
    types: list[str] = []
    at = 1
    while whole[at] != "]":
        event, end = _DECODER.raw_decode(whole, at)
        events.append(whole[at:end].encode())
        types.append(event["type"])
        at = end + 1 if whole[end] == "," else end
    return events, types


def event_meta(engine: Engine, ctx: dict[str, Any], index: int) -> bytes:
    """The `meta` of event `index` of a decision, from its `ctx` (see `Program.execute`); what `ctx` lacks is left out."""
    meta: dict[str, Any] = {}
    if type(ctx.get("version")) is int:  # not a bool
        meta["version"] = ctx["version"] + 1 + index
    for name in ("time", "command_id"):
        if isinstance(ctx.get(name), str):
            meta[name] = ctx[name]
    tenant, aggregate, command, time = (ctx.get(name) for name in ("tenant_id", "aggregate_id", "command_id", "time"))
    if isinstance(tenant, str) and isinstance(aggregate, str) and isinstance(command, str) and isinstance(time, str):
        with contextlib.suppress(ValueError):  # a time of another form: no id, as the engines do
            meta["event_id"] = engine.event_id(tenant, aggregate, command, time, index)
    return canonical(meta)
