"""Events onto a state, one apply each, and the error record of a fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aggregate.engine.pure.failure import Failure
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.json_writer import write
from aggregate.engine.pure.results import State
from aggregate.engine.pure.scope import UNBOUND, Function
from aggregate.engine.pure.value import Value


@dataclass(slots=True)
class Folding:
    """A fold on its way: the value after `count` events, the gas of all of them, the failure that ended it."""

    value: Value
    count: int = 0
    gas: int = 0
    failure: Failure | None = None


def apply_all(folding: Folding, apply: Function, events: Sequence[Value], gas: int, meta: Callable[[int], Value]) -> None:
    """Apply `events` (`gas` each) until one fails; `meta` gives the third argument of event i of these."""
    body, params, rest = apply.body, apply.params, [UNBOUND] * (apply.slots - apply.params)
    value, used = folding.value, 0
    index = 0
    try:
        for index, event in enumerate(events):
            call = Call(gas)
            value = body(call, [value, event, *rest] if params == 2 else [value, event, meta(index), *rest])
            used += gas - call.left
        index = len(events)
    except Failure as failure:
        folding.failure = failure
        used += call.used
    except Exception as error:  # noqa: BLE001 (nothing leaves the engine but outcomes of the language)
        folding.failure = Failure("engine_bug.failure")
        folding.failure.__cause__ = error
        used += call.used
    folding.value = value
    folding.count += index
    folding.gas += used


def finish(folding: Folding, before: State) -> tuple[State, int, bytes | None]:
    """State, number of events and error record at the end of a fold.

    Where the state cannot be written within the limits, the state is the one `before` and no event counts.
    """
    failure = folding.failure
    try:
        text = write(folding.value)
    except Failure as too_large:
        if failure is None:
            return before, 0, too_large.record(folding.gas)
        return before, 0, failure.record(folding.gas)[:-1] + b',"index":%d}' % folding.count
    state = State(folding.value, text)
    if failure is None:
        return state, folding.count, None
    return state, folding.count, failure.record(folding.gas)[:-1] + b',"index":%d,"state":%b}' % (folding.count, text)
