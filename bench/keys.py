"""Composition of subjects and snapshot keys, done for every command: the compiled twin beside the pure one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

from aggregate.engine.pure import keys as pure
from bench.registry import Bench, Case, Scale, Timed

COMPILED = "aggregate.engine._keys"
TENANT, KIND = "acme", "Account"
Arguments = tuple[list[Any], ...]


def _ids(count: int) -> list[str]:
    return [str(UUID(int=(0x0190_0000_0000_7000_8000 << 48) + number)) for number in range(count)]


def _subject(count: int) -> Arguments:
    return [TENANT] * count, [KIND] * count, _ids(count)


def _split(count: int) -> Arguments:
    return ([pure.subject(TENANT, KIND, each) for each in _ids(count)],)


def _prefix(count: int) -> Arguments:
    return [TENANT] * count, _ids(count), [KIND] * count


def _key(count: int) -> Arguments:
    prefix = pure.snapshot_prefix(TENANT, _ids(1)[0], KIND)
    return [prefix] * count, [b"digest_8"] * count, list(range(count))


@contextmanager
def _case(scale: Scale, *, function: str, arguments: Callable[[int], Arguments]) -> Iterator[Case]:
    given = arguments(scale.size(5_000, 100))
    compiled, plain = getattr(import_module(COMPILED), function), getattr(pure, function)

    def run(compose: Callable[..., Any]) -> None:
        deque(map(compose, *given), maxlen=0)

    def check(ours: Any, beside: Any) -> None:
        assert ours is beside is None  # nothing is kept while the clock runs; what is composed was compared above

    assert list(map(compiled, *given)) == list(map(plain, *given))
    yield Timed(partial(run, compiled), partial(run, plain), check, scale.rounds(40))


@contextmanager
def _command(scale: Scale) -> Iterator[Case]:
    """What one command that ends in a snapshot composes: a subject, a prefix and a key."""
    ids = _ids(scale.size(3_000, 100))
    compiled = import_module(COMPILED)

    def run(module: Any) -> Any:
        subject, snapshot_prefix, snapshot_key = module.subject, module.snapshot_prefix, module.snapshot_key
        for each in ids:
            answer = subject(TENANT, KIND, each), snapshot_key(snapshot_prefix(TENANT, each, KIND), b"digest_8", 1)
        return answer

    def check(ours: Any, beside: Any) -> None:
        assert ours == beside, (ours, beside)

    yield Timed(partial(run, compiled), partial(run, pure), check, scale.rounds(40))


BENCHES = (
    Bench(
        name="keys.command",
        ours="compiled composition of a command's subject, snapshot prefix and snapshot key",
        beside="pure twins",
        prepare=_command,
        tolerance=0.25,
        target=0.3,
        needs=("_keys",),
    ),
    *(
        Bench(
            name=f"keys.{function}",
            ours=f"compiled `{function}`",
            beside="pure twin",
            prepare=partial(_case, function=function, arguments=arguments),
            tolerance=0.25,
            needs=("_keys",),
        )
        for function, arguments in (("subject", _subject), ("split_subject", _split), ("snapshot_prefix", _prefix), ("snapshot_key", _key))
    ),
)
