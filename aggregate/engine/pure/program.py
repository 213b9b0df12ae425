"""A loaded program and its calls: `execute`, `decide`, `apply`, `fold`, `fold_commits`, `evaluate`, `matches`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aggregate.engine.pure.commits import fold_commits
from aggregate.engine.pure.event_id import event_id
from aggregate.engine.pure.failure import Failure, Rejection
from aggregate.engine.pure.folding import Folding, apply_all, finish
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.json_reader import read
from aggregate.engine.pure.json_writer import write
from aggregate.engine.pure.load import Loaded, slots_of
from aggregate.engine.pure.outcome import check_events, check_typed, write_events
from aggregate.engine.pure.packs import Scanned, filtered
from aggregate.engine.pure.results import CommitFold, Decision, Evaluation, Fold, Matches, State
from aggregate.engine.pure.scope import UNBOUND, Function
from aggregate.engine.pure.value import MAPS, MAX_TEXT, Value, type_name
from aggregate.engine.pure.walk import Writer

if TYPE_CHECKING:
    from aggregate.engine.interface import FoldExpectation

NO_ROW, ROW, FAILED_ROW = 0, 1, 2


class Program:
    """Immutable; usable from several threads."""

    __slots__ = ("_loaded",)

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    @property
    def digest(self) -> str:
        return self._loaded.digest

    @property
    def kind(self) -> str:
        return self._loaded.kind

    @property
    def has_decide(self) -> bool:
        return self._loaded.decide is not None

    @property
    def has_apply(self) -> bool:
        return self._loaded.apply is not None

    @property
    def needs_ctx(self) -> bool:
        return _declares_third(self._loaded.decide) or _declares_third(self._loaded.apply)

    def execute(
        self, state: State, command: bytes, ctx: bytes | None, decide_gas: int, apply_gas: int, meta: bytes | None = None
    ) -> Decision:
        self._want("program")
        gas = 0
        try:
            decide, apply = self._function("decide"), self._function("apply")
            order = read(command, "command")
            check_typed(order, "command")
            context = None if ctx is None else read(ctx, "ctx")
            fixed_meta = None if meta is None else read(meta, "meta")
            _check_third(decide, "decide", "ctx", ctx, context)
            if meta is not None:
                _check_third(apply, "apply", "meta", meta, fixed_meta)
            else:
                _check_third(apply, "apply", "ctx", ctx, context)
        except Failure as failure:
            return Decision(error=failure.record(0))
        call = Call(decide_gas)
        try:
            result = _run(lambda: decide.body(call, slots_of(decide, state.value, order, context)))
            types = check_events(result)
            texts = _run(lambda: write_events(call, result))
        except Rejection as rejection:
            return Decision(gas=call.used, rejection=rejection.text.encode())
        except Failure as failure:
            return Decision(gas=call.used, error=failure.record(call.used))
        gas, value = call.used, state.value
        for index, made in enumerate(result):
            call = Call(apply_gas)
            third = fixed_meta
            if third is None and _declares_third(apply):
                third = _event_meta(context, index)
            try:
                value = _apply(call, apply, value, made, third)
            except Failure as failure:
                gas += call.used
                return Decision(gas=gas, error=failure.record(gas), phase="apply")
            gas += call.used
        try:
            text = write(value)
        except Failure as failure:
            return Decision(gas=gas, error=failure.record(gas), phase="apply")
        return Decision([event.encode() for event in texts], types, State(value, text), gas)

    def decide(self, state: State | bytes, command: bytes, ctx: bytes | None, gas: int) -> Evaluation:
        self._want("program")
        try:
            decide, value = self._function("decide"), _value(state)
            order = read(command, "command")
            check_typed(order, "command")
            context = None if ctx is None else read(ctx, "ctx")
            _check_third(decide, "decide", "ctx", ctx, context)
        except Failure as failure:
            return Evaluation(error=failure.record(0))
        call = Call(gas)
        try:
            result = _run(lambda: decide.body(call, slots_of(decide, value, order, context)))
            check_events(result)
            texts = _run(lambda: write_events(call, result))
        except Rejection as rejection:
            return Evaluation(gas=call.used, rejection=rejection.text.encode())
        except Failure as failure:
            return Evaluation(gas=call.used, error=failure.record(call.used))
        return Evaluation(f"[{','.join(texts)}]".encode(), call.used)

    def apply(self, state: State | bytes, event: bytes, meta: bytes | None, gas: int) -> Evaluation:
        self._want("program")
        try:
            apply, value = self._function("apply"), _value(state)
            made = read(event, "event")
            check_typed(made, "event")
            third = None if meta is None else read(meta, "meta")
            _check_third(apply, "apply", "meta", meta, third)
        except Failure as failure:
            return Evaluation(error=failure.record(0))
        call = Call(gas)
        try:
            return Evaluation(write(_apply(call, apply, value, made, third)), call.used)
        except Failure as failure:
            return Evaluation(gas=call.used, error=failure.record(call.used))

    def evaluate(self, state: State | bytes, meta: bytes | None, gas: int) -> Evaluation:
        self._want("filter", "expression")
        try:
            value, third = _value(state), _meta(meta)
        except Failure as failure:
            return Evaluation(error=failure.record(0))
        call = Call(gas)
        try:
            return Evaluation(self._evaluated(call, value, third).encode(), call.used)
        except Failure as failure:
            return Evaluation(gas=call.used, error=failure.record(call.used))

    def fold(self, state: State, events: Sequence[bytes], gas_per_event: int, meta: bytes | None = None) -> Fold:
        self._want("program")
        try:
            apply = self._function("apply")
            values = []
            for index, raw in enumerate(events):
                value = read(raw, f"event {index}")
                check_typed(value, f"event {index}")
                values.append(value)
            third = None if meta is None else read(meta, "meta")
            _check_third(apply, "apply", "meta", meta, third)
        except Failure as failure:
            return Fold(state, error=failure.record(0))
        folding = Folding(state.value)
        apply_all(folding, apply, values, gas_per_event, lambda index: third)
        result, count, error = finish(folding, state)
        return Fold(result, count, folding.gas, error)

    def fold_commits(self, state: State, commits: Sequence[bytes], expect: FoldExpectation) -> CommitFold:
        self._want("program")
        try:
            apply = self._function("apply")
        except Failure as failure:
            return CommitFold(state, error=failure.record(0), version=expect.version)
        return fold_commits(apply, state, commits, expect)

    def matches(self, states: Sequence[State | bytes], metas: Sequence[bytes] | None, gas_per_row: int, gas_total: int) -> Matches:
        self._want("filter")
        if metas is not None and len(metas) != len(states):
            raise ValueError(f"{len(metas)} metas for {len(states)} states")
        rows, errors, first, used = bytearray(), 0, None, 0
        for index, state in enumerate(states):
            call = Call(min(gas_per_row, gas_total - used))
            try:
                value = _value(state)
                third = {} if metas is None else _meta(metas[index])
                rows.append(ROW if self._filtered(call, value, third) else NO_ROW)
            except Failure as failure:
                if failure.code == "out_of_gas" and used + call.limit >= gas_total:
                    return Matches(gas=gas_total, error=failure.record(gas_total))
                rows.append(FAILED_ROW)
                errors += 1
                first = first or failure.record(call.used)
            used += call.used
        return Matches(bytes(rows), errors, first, used)

    def scan(
        self,
        packs: Sequence[bytes],
        after: bytes,
        chosen: bytes | None,
        named: tuple[str, str] | None,
        gas_per_row: int,
        gas_total: int,
    ) -> Scanned:
        self._want("filter")
        return filtered(self, packs, after, chosen, named, (gas_per_row, gas_total))

    def _evaluated(self, call: Call, state: Value, meta: Value) -> str:
        """The canonical text of the value; an expression pays for it as output."""
        if self.kind == "filter":
            value = self._filtered(call, state, meta)
            return "null" if value is None else "true" if value else "false"
        writer = Writer(call, None, MAX_TEXT, "limit.text", in_bytes=True)
        value = self._entered(call, state, meta)
        _run(lambda: writer.value(value))
        return writer.take()

    def _filtered(self, call: Call, state: Value, meta: Value) -> bool | None:
        value = self._entered(call, state, meta)
        if value is None or value is True or value is False:
            return value
        raise Failure("filter_type.result", self._loaded.unit[1], type=type_name(value))

    def _entered(self, call: Call, state: Value, meta: Value) -> Value:
        loaded, expression = self._loaded, self._loaded.expression
        assert expression is not None
        slots: list[Any] = [state, meta, *[UNBOUND] * (loaded.slots - 2)]

        def run() -> Value:
            call.charge(*loaded.unit)
            return expression(call, slots)

        return _run(run)

    def _function(self, name: str) -> Function:
        function = self._loaded.decide if name == "decide" else self._loaded.apply
        if function is None:
            raise Failure("no_function.missing", function=name)
        return function

    def _want(self, *kinds: str) -> None:
        if self.kind not in kinds:
            raise ValueError(f"this call is for a {' or '.join(kinds)}, not for a {self.kind}")


def _run(body: Callable[[], Any]) -> Any:
    """Run it; whatever is no outcome of the language is a defect of the engine, and says so instead of leaving the engine."""
    try:
        return body()
    except (Failure, Rejection):
        raise
    except Exception as error:
        raise Failure("engine_bug.failure") from error


def _apply(call: Call, apply: Function, state: Value, event: Value, meta: Value) -> Value:
    try:
        return _run(lambda: apply.body(call, slots_of(apply, state, event, meta)))
    except Rejection as error:
        # the compiler lets no `reject` be reached from `apply`
        raise Failure("engine_bug.failure") from error


def _declares_third(function: Function | None) -> bool:
    return function is not None and function.params == 3


def _check_third(function: Function, name: str, document: str, given: bytes | None, value: Value) -> None:
    """`ctx` or `meta` where it is declared: given, and a map."""
    if not _declares_third(function):
        return
    if given is None:
        raise Failure("bad_input.missing", function=name, document=document)
    if type(value) not in MAPS:
        raise Failure("bad_input.not_map", document=document, type=type_name(value))


def _value(state: State | bytes) -> Value:
    return state.value if isinstance(state, State) else read(state, "state")


def _meta(raw: bytes | None) -> Value:
    meta: Value = {} if raw is None else read(raw, "meta")
    if type(meta) not in MAPS:
        raise Failure("bad_input.not_map", document="meta", type=type_name(meta))
    return meta


def _event_meta(ctx: Any, index: int) -> Value:
    """The meta of event `index`, made from ctx; members whose sources are missing or of another type are left out."""
    tenant, aggregate, command, time, version = (ctx.get(name) for name in ("tenant_id", "aggregate_id", "command_id", "time", "version"))
    meta: dict[str, Value] = {}
    if type(version) is int:
        meta["version"] = version + 1 + index
    if type(time) is str:
        meta["time"] = time
    if type(command) is str:
        meta["command_id"] = command
    if type(tenant) is str and type(aggregate) is str and type(command) is str and type(time) is str:
        try:
            meta["event_id"] = event_id(tenant, aggregate, command, time, index)
        except ValueError:
            return meta
    return meta
