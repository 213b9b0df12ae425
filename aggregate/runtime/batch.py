"""Cases in, outcomes out, one JSON line each: the door for conformance suites and for any other host of the language.

A case is `{"id","kind","source","call","args","gas"}`; its outcome is `{"id","ok":…,"gas":…}`, `{"id","rejected":{…},"gas":…}` or
`{"id","error":{…},"gas":…}`. See `docs/language.md`, section 10.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aggregate.engine.interface import Engine, Evaluation, Fold, Program
from aggregate.engine.pure.failure import Failure
from aggregate.errors import CompileError, DocumentError, ErrorRecord
from aggregate.language import compile as compile_source
from aggregate.runtime.raw import elements, members

KINDS_OF_CALLS: Final = {
    "decide": ("program",),
    "apply": ("program",),
    "fold": ("program",),
    "execute": ("program",),
    "matches": ("filter",),
    "eval": ("filter", "expression"),
}
"""Every call, and the kinds of source it takes."""
DECIDE_GAS: Final = 200_000
APPLY_GAS: Final = 100_000
ROW_GAS: Final = 10_000
QUERY_GAS: Final = 50_000_000
_LIMITS: Final = {"decide": DECIDE_GAS, "execute": DECIDE_GAS, "apply": APPLY_GAS, "fold": APPLY_GAS, "matches": ROW_GAS, "eval": ROW_GAS}
_MEMBERS: Final = frozenset(("id", "kind", "source", "call", "args", "gas"))
_MOST_GAS: Final = 2**63 - 1
_INTEGER: Final = re.compile(rb"(?:0|[1-9][0-9]{0,18})\Z")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a case: `word` is `ok`, `rejected` or `error`, `body` the JSON behind it."""

    word: str
    body: bytes
    gas: int

    def line(self, case_id: bytes) -> bytes:
        """The outcome's line, without its end."""
        return b'{"id":%s,"%s":%s,"gas":%d}' % (case_id, self.word.encode(), self.body, self.gas)


@dataclass(frozen=True, slots=True)
class _Case:
    """A case whose parts are known but for its arguments, which are raw."""

    engine: Engine
    program: Program
    args: Mapping[str, bytes]
    gas: int

    def document(self, name: str, otherwise: bytes | None = None) -> bytes:
        """A raw argument."""
        value = self.args.get(name, otherwise)
        if value is None:
            raise _member(f"args.{name}", "given")
        return value

    def list_of(self, name: str) -> list[bytes]:
        """The raw elements of an argument that is a list."""
        return elements(self.document(name), name)


def run_lines(lines: Iterable[bytes], engine: Engine) -> Iterator[bytes]:
    """The outcome line of each case; empty lines are passed over."""
    for line in lines:
        if line.strip():
            yield run_line(line, engine)


def run_line(line: bytes, engine: Engine) -> bytes:
    """The outcome line of one case. Whatever is wrong with it is its outcome."""
    parts: dict[str, bytes] = {}
    case_id = b"null"
    try:
        for name, raw in members(line, "line"):
            parts[name] = raw
            if name == "id":
                case_id = engine.canonical(raw)
            elif name not in _MEMBERS:
                engine.canonical(raw)  # nobody's, but JSON all the same
        outcome = _outcome(parts, engine)
    except Failure as failure:
        outcome = _error(failure.record(0))
    except DocumentError as error:
        outcome = _error(error.record)
    except CompileError as error:
        outcome = _error(_record(error.record))
    except Exception:  # noqa: BLE001 - a defect of ours in one case must not end the others
        outcome = _error(Failure("engine_bug.failure").record(0))
    return outcome.line(case_id)


def _outcome(parts: Mapping[str, bytes], engine: Engine) -> Outcome:
    call = _text(parts, "call", engine)
    if call not in KINDS_OF_CALLS:
        raise _member("call", f"one of {', '.join(KINDS_OF_CALLS)}")
    kind = _text(parts, "kind", engine)
    if kind not in KINDS_OF_CALLS[call]:
        raise _member("kind", " or ".join(KINDS_OF_CALLS[call]) + f" for {call}")
    source = _text(parts, "source", engine)
    gas = _gas(parts, "gas", _LIMITS[call], engine)
    args = dict(members(parts.get("args", b"{}"), "args"))
    program = engine.load(_compiled(source, kind))
    return _CALLS[call](_Case(engine, program, args, gas))


@lru_cache(maxsize=256)
def _compiled(source: str, kind: str) -> bytes:
    return compile_source(source, kind)


def _decide(case: _Case) -> Outcome:
    if not case.program.has_decide:
        return _evaluation(case.program.decide(b"null", b"null", b"{}", case.gas))
    state, command = case.document("state", b"null"), case.document("command")
    return _evaluation(case.program.decide(state, command, case.document("ctx", b"{}"), case.gas))


def _apply(case: _Case) -> Outcome:
    if not case.program.has_apply:
        return _evaluation(case.program.apply(b"null", b"null", b"{}", case.gas))
    state, event = case.document("state", b"null"), case.document("event")
    return _evaluation(case.program.apply(state, event, case.document("meta", b"{}"), case.gas))


def _eval(case: _Case) -> Outcome:
    return _evaluation(case.program.evaluate(case.document("state", b"null"), case.document("meta", b"{}"), case.gas))


def _fold(case: _Case) -> Outcome:
    if not case.program.has_apply:
        return _folded(case.program.fold(case.engine.state(None), [], case.gas))
    state = case.engine.state(case.document("state", b"null"))
    return _folded(case.program.fold(state, case.list_of("events"), case.gas, case.document("meta", b"{}")))


def _execute(case: _Case) -> Outcome:
    apply_gas = _gas(case.args, "apply_gas", APPLY_GAS, case.engine)
    program = case.program
    if program.has_decide and program.has_apply:
        state = case.engine.state(case.document("state", b"null"))
        command, ctx = case.document("command"), case.document("ctx", b"{}")
        decision = program.execute(state, command, ctx, case.gas, apply_gas, case.args.get("meta"))
    else:
        decision = program.execute(case.engine.state(None), b"null", b"{}", case.gas, apply_gas)
    if decision.error is not None:
        return _error(decision.error, decision.gas)
    if decision.rejection is not None:
        return Outcome("rejected", decision.rejection, decision.gas)
    assert decision.state is not None
    body = b'{"events":[%s],"state":%s}' % (b",".join(decision.events), decision.state.json())
    return Outcome("ok", body, decision.gas)


def _matches(case: _Case) -> Outcome:
    total = _gas(case.args, "gas_total", QUERY_GAS, case.engine)
    states = case.list_of("states")
    metas = case.list_of("metas") if "metas" in case.args else None
    if metas is not None and len(metas) != len(states):
        raise _member("args.metas", f"a list of {len(states)} elements")
    found = case.program.matches(states, metas, case.gas, total)
    if found.error is not None:
        return _error(found.error, found.gas)
    return Outcome("ok", b"[%s]" % b",".join(b"true" if row == 1 else b"false" for row in found.rows), found.gas)


_CALLS: Final[dict[str, Callable[[_Case], Outcome]]] = {
    "decide": _decide,
    "apply": _apply,
    "fold": _fold,
    "execute": _execute,
    "matches": _matches,
    "eval": _eval,
}


def _evaluation(result: Evaluation) -> Outcome:
    if result.error is not None:
        return _error(result.error, result.gas)
    if result.rejection is not None:
        return Outcome("rejected", result.rejection, result.gas)
    assert result.value is not None
    return Outcome("ok", result.value, result.gas)


def _folded(result: Fold) -> Outcome:
    return _error(result.error, result.gas) if result.error is not None else Outcome("ok", result.state.json(), result.gas)


def _error(record: bytes, gas: int = 0) -> Outcome:
    return Outcome("error", record, gas)


def _record(record: ErrorRecord) -> bytes:
    """A compile error as the engines write theirs."""
    members = {name: getattr(record, name) for name in ErrorRecord.__slots__}
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


def _text(parts: Mapping[str, bytes], name: str, engine: Engine) -> str:
    """A member of the line that is a string."""
    value = json.loads(engine.canonical(parts[name])) if name in parts else None
    if type(value) is not str:
        raise _member(name, "a string")
    return value


def _gas(parts: Mapping[str, bytes], name: str, otherwise: int, engine: Engine) -> int:
    """A limit of gas: an integer from 0 to 2^63 - 1."""
    if name not in parts:
        return otherwise
    text = engine.canonical(parts[name])
    if _INTEGER.match(text) is None or int(text) > _MOST_GAS:
        raise _member(name, "an integer from 0 to 9223372036854775807")
    return int(text)


def _member(member: str, expected: str) -> Failure:
    return Failure("bad_input.message_member", place="line", member=member, expected=expected)
