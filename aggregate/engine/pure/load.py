"""IR bytes to a loaded program: closures, compiled once."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Any, Final

from aggregate.engine.pure import atoms, calls, chains, comprehensions  # noqa: F401 (they register their nodes)
from aggregate.engine.pure.expressions import compile_expression, enter_unit
from aggregate.engine.pure.failure import At, Failure
from aggregate.engine.pure.gas import Call
from aggregate.engine.pure.json_careful import CarefulReader
from aggregate.engine.pure.json_reader import nests_deeper
from aggregate.engine.pure.scope import MAX_SLOTS, UNBOUND, BadIR, Function, Node, Run, Scope, integer, sequence, text
from aggregate.engine.pure.statements import compile_body
from aggregate.engine.pure.value import FROZEN, Value

LANGUAGE: Final = "agl-1"
VERSION: Final = 1
KINDS: Final = ("program", "filter", "expression")
CONST_GAS: Final = 10_000
"""For all consts of a source together."""
SCANNED: Final = 400
"""IR that nests deeper is read without recursion."""
HOST_FRAMES: Final = 600
"""Python frames left to whoever calls the engine."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded program (`decide`, `apply`) or a filter or expression (`expression`, its `unit` and number of `slots`)."""

    kind: str
    digest: str
    decide: Function | None = None
    apply: Function | None = None
    expression: Run | None = None
    unit: tuple[int, At] = (0, (1, 1, None))
    slots: int = 2


def load(ir: bytes) -> Loaded:
    """Check and compile IR.

    Raises:
        ValueError: the bytes are no IR of this version; the message says what.
    """
    try:
        return _load(_read(bytes(ir)))
    except BadIR:
        raise
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise BadIR(f"malformed IR: {error!r:.200}") from error
    except Failure as failure:
        raise BadIR(f"a const fails: {failure.message}") from failure


class Consts:
    """Evaluates the consts of a source one after the other, with one gas counter for all."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self._call = Call(CONST_GAS)
        self._call.epoch = FROZEN

    def add(self, unit: Node, expression: Node) -> Value:
        """Evaluate the next const: its unit `[weight, line, column]` and its IR; earlier ones are `["const", l, c, index]` in it.

        Raises:
            Failure: the error of the language.
            ValueError: no IR.
        """
        scope = Scope(None, [], consts=self.values)
        run = compile_expression(expression, scope)
        _allow_frames(scope.deepest)
        enter_unit(self._call, *scope.unit(unit))
        value: Value = run(self._call, [])
        self.values.append(value)
        return value


def _read(ir: bytes) -> Any:
    source = ir.decode("utf-8")
    if not nests_deeper(ir, SCANNED):
        return json.loads(source)
    try:
        return CarefulReader(source, "ir", len(ir)).read()
    except Failure as failure:
        raise BadIR(failure.message) from failure


def _load(document: Node) -> Loaded:
    if type(document) is not dict or document.get("language") != LANGUAGE or document.get("v") != VERSION:
        raise BadIR(f"no IR of {LANGUAGE}, version {VERSION}")
    kind, digest = document.get("kind"), text(document["digest"])
    if kind not in KINDS:
        raise BadIR(f"unknown kind {kind!r:.80}")
    if kind == "program":
        return _load_program(document, digest)
    names = [text(name) for name in sequence(document["locals"])]
    if names[:2] != ["state", "meta"] or len(names) > MAX_SLOTS:
        raise BadIR("the first two slots are state and meta")
    scope = Scope(None, names, null_safe=kind == "filter", free=True, bound=2)
    expression = compile_expression(document["expr"], scope)
    _allow_frames(scope.deepest)
    return Loaded(kind, digest, expression=expression, unit=scope.unit(document["unit"]), slots=len(names))


def _load_program(document: Node, digest: str) -> Loaded:
    consts = Consts()
    for name, unit, expression in sequence(document["consts"]):
        text(name)
        consts.add(unit, expression)
    functions: list[Function] = []
    for node in sequence(document["functions"]):
        functions.append(_load_function(node, functions, consts.values))
    decide, apply = (_entry(document[name], name, functions) for name in ("decide", "apply"))
    return Loaded("program", digest, decide, apply)


def _load_function(node: Node, above: list[Function], consts: list[Value]) -> Function:
    name, params = text(node["name"]), integer(node["params"])
    names = [text(local) for local in sequence(node["locals"])]
    if not params <= len(names) <= MAX_SLOTS:
        raise BadIR(f"function {name:.80}: {params} parameters, {len(names)} slots")
    scope = Scope(name, names, consts=consts, functions=above, bound=params)
    body = compile_body(node["body"], scope)
    _allow_frames(scope.deepest)
    return Function(name, params, len(names), body, scope.deepest + 2)


def _entry(index: Node, name: str, functions: list[Function]) -> Function | None:
    if index is None:
        return None
    if integer(index) >= len(functions) or functions[index].params not in (2, 3):
        raise BadIR(f"{name} must be a function of two or three parameters")
    return functions[index]


def _allow_frames(frames: int) -> None:
    """Let Python nest as deep as the program may: each closure takes a frame, argument lists one more (before Python 3.12)."""
    needed = 2 * frames + HOST_FRAMES
    if needed > sys.getrecursionlimit():
        sys.setrecursionlimit(needed)


def slots_of(function: Function, *arguments: Value) -> list[Any]:
    """The slots of a call of `decide` or `apply`; arguments it does not declare are left out."""
    return [*arguments[: function.params], *[UNBOUND] * (function.slots - function.params)]
