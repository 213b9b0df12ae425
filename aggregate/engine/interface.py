"""What an engine is: the interface that both twins, `native` and `pure`, implement.

Documents cross this door as UTF-8 JSON bytes and stay opaque handles behind it. Everything a caller can see here (bytes, error
records, gas) is equal on both engines; `tests/engine` holds them to it.

Error records are JSON bytes with the members `kind, code, message, line, column, function, gas_used` in this order (a fold's also
`index, state`), see `docs/language.md`, section 9. Rejections are canonical JSON: `{"code":..,"details":{..},"message":..}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class State(Protocol):
    """An immutable value of the language, parsed once. Cheap to keep; may be shared between threads."""

    def json(self) -> bytes:
        """The canonical JSON text."""

    def hash(self) -> str:
        """sha256 of the canonical JSON, 64 lower-case hex digits."""

    def size(self) -> int:
        """About how many bytes of memory the value holds (for a cache's bound; the one figure that may differ between engines)."""


class Decision(Protocol):
    """Outcome of `Program.execute`; exactly one of these holds: accepted (both None), rejected, error."""

    @property
    def events(self) -> list[bytes]:
        """Accepted: each event's canonical JSON, in order (empty: accepted, nothing happened). Else empty."""

    @property
    def types(self) -> list[str]:
        """The `type` of each event."""

    @property
    def state(self) -> State | None:
        """Accepted: the state after all events. Else None."""

    @property
    def gas(self) -> int:
        """Total gas of decide and of every apply up to and with a failing one."""

    @property
    def rejection(self) -> bytes | None: ...

    @property
    def error(self) -> bytes | None: ...

    @property
    def phase(self) -> str:
        """`decide` or `apply`: in which of the two an error arose (`decide` when there is none)."""


class Fold(Protocol):
    """Outcome of `fold` and `fold_commits`."""

    @property
    def state(self) -> State:
        """The state after the events, or the one before the failing event."""

    @property
    def count(self) -> int:
        """Events folded without error."""

    @property
    def gas(self) -> int: ...

    @property
    def error(self) -> bytes | None: ...


class CommitFold(Fold, Protocol):
    """Outcome of `fold_commits`: also what the commits say of themselves."""

    @property
    def version(self) -> int:
        """Version of the aggregate after the folded events."""

    @property
    def time(self) -> str:
        """RFC 3339 time of the last commit, "" when there was none."""

    @property
    def generation(self) -> int:
        """Greatest program generation named by the messages, 0 when there was none."""

    @property
    def commits(self) -> list[tuple[int, str, int, int, bool]]:
        """(index of the message, command id, first version, number of events, refused) of each commit, in order."""


@dataclass(frozen=True, slots=True)
class FoldExpectation:
    """What stored commit messages must say, else the fold stops with `contract/bad_input`.

    `version` is the one before the first event: commits must continue it without gap or twin. `gas_per_event` is the limit of each apply.
    """

    tenant_id: str
    aggregate_type: str
    aggregate_id: str
    version: int
    gas_per_event: int


class Matches(Protocol):
    """Outcome of `matches`."""

    @property
    def rows(self) -> bytes:
        """One byte a row: 0 no match, 1 match, 2 error (counts as no match)."""

    @property
    def errors(self) -> int: ...

    @property
    def first_error(self) -> bytes | None:
        """Error record of the first row with an error."""

    @property
    def gas(self) -> int: ...

    @property
    def error(self) -> bytes | None:
        """The whole call failed (`gas_total` was spent): record; `rows` is then empty."""


class Scanned(Protocol):
    """Outcome of a scan of packs: the rows that can be seen and match, which are made into Python's objects when they are asked for."""

    @property
    def looked(self) -> int:
        """How many rows could be seen."""

    @property
    def count(self) -> int:
        """How many of them match."""

    @property
    def errors(self) -> int: ...

    @property
    def first_error(self) -> bytes | None:
        """Error record of the first row with an error."""

    @property
    def gas(self) -> int: ...

    @property
    def error(self) -> bytes | None:
        """The whole call failed (`gas_total` was spent): record; nothing matches then."""

    def entries(self) -> list[tuple[bytes, bytes]]:
        """Id and row of each that matches."""

    def keys(self, paths: Sequence[str]) -> list[bytes]:
        """The keys (`order`) of the values at some paths, row by row, of those that match."""


class Evaluation(Protocol):
    """Outcome of `decide`, `apply` and `evaluate`: `value` is canonical JSON of the result, None unless it succeeded."""

    @property
    def value(self) -> bytes | None: ...

    @property
    def gas(self) -> int: ...

    @property
    def rejection(self) -> bytes | None: ...

    @property
    def error(self) -> bytes | None: ...


class Program(Protocol):
    """A loaded program, filter or expression. Immutable, usable from several threads.

    Arguments that are documents (`command`, `event`, `ctx`, `meta`, a `bytes` state) are read and checked in the order state, command or
    event, ctx or meta; what is wrong with one is `contract/bad_input` or `resource/limit` in the outcome, never an exception.
    """

    @property
    def digest(self) -> str:
        """sha256 of language version, kind and source, hex."""

    @property
    def kind(self) -> str: ...

    @property
    def has_decide(self) -> bool: ...

    @property
    def has_apply(self) -> bool: ...

    @property
    def needs_ctx(self) -> bool:
        """True when `decide` declares `ctx` or `apply` declares `meta`: `execute` then wants `ctx` (else `bad_input`)."""

    def execute(
        self, state: State, command: bytes, ctx: bytes | None, decide_gas: int, apply_gas: int, meta: bytes | None = None
    ) -> Decision:
        """`decide`, then `apply` over its events (`apply_gas` each).

        `ctx` is `{tenant_id, aggregate_type, aggregate_id, version, command_id, time, metadata}`. When `apply` declares `meta`, the engine
        makes the meta of event i (from 0) from `ctx`: `version` = ctx.version + 1 + i, `time`, `command_id`, and `event_id` =
        `event_id(tenant_id, aggregate_id, command_id, time, i)` (see `aggregate.engine.event_id`); a member whose sources are missing in
        `ctx` or of another type is left out. A given `meta` is used for every event instead.
        """

    def decide(self, state: State | bytes, command: bytes, ctx: bytes | None, gas: int) -> Evaluation: ...

    def apply(self, state: State | bytes, event: bytes, meta: bytes | None, gas: int) -> Evaluation: ...

    def evaluate(self, state: State | bytes, meta: bytes | None, gas: int) -> Evaluation:
        """The value of a filter or expression for one state."""

    def fold(self, state: State, events: Sequence[bytes], gas_per_event: int, meta: bytes | None = None) -> Fold:
        """`apply` over events (canonical or not). All events are read and checked before the first is applied."""

    def fold_commits(self, state: State, commits: Sequence[bytes], expect: FoldExpectation) -> CommitFold:
        """`apply` over the events of stored commit messages (bodies as in ARCHITECTURE.md, Formats), meta from each commit."""

    def matches(
        self,
        states: Sequence[State | bytes],
        metas: Sequence[bytes] | None,
        gas_per_row: int,
        gas_total: int,
    ) -> Matches:
        """A filter over rows. `metas` has one document a row, or None for empty maps."""

    def scan(
        self,
        packs: Sequence[bytes],
        after: bytes,
        chosen: bytes | None,
        named: tuple[str, str] | None,
        gas_per_row: int,
        gas_total: int,
    ) -> Scanned:
        """A filter over the rows of packs (`aggregate.engine.packs`, ascending) that can be seen, those after an id (b"": all).

        `chosen` are the ids (16 bytes each, one after the other, ascending) of the rows that are looked at, None for every one.
        `named` is the tenant and the type, where the filter looks at `meta`: it then has `id`, `tenant_id`, `type` and `version`.

        Raises:
            ValueError: something is no pack.
        """


class Engine(Protocol):
    """One of the twins."""

    name: str

    def load(self, ir: bytes) -> Program:
        """Load IR (see `docs/ir.md`); cached by digest in an LRU bounded by count and bytes.

        Raises:
            ValueError: the bytes are no IR of this version; the message says what and where.
        """

    def state(self, json: bytes | None) -> State:
        """Parse a state once and keep it; None is `null`.

        Raises:
            aggregate.errors.DocumentError: no document of the language; its `record` is the error record.
        """

    def canonical(self, json: bytes) -> bytes:
        """The canonical text of a document.

        Raises:
            aggregate.errors.DocumentError: as for `state`.
        """

    def event_id(self, tenant_id: str, aggregate_id: str, command_id: str, time: str, index: int) -> str:
        """The id of a command's event: a version 7 UUID that is a function of its arguments.

        48 bits of Unix milliseconds of `time` (RFC 3339, UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ`; digits after the third are cut), version 7, then
        the leading bits of sha256(tenant_id NUL aggregate_id NUL command_id NUL index in decimal) with the variant bits set:
        byte 6 = 0x70 | (h[0] & 0x0f), byte 7 = h[1], byte 8 = 0x80 | (h[2] & 0x3f), bytes 9..15 = h[3..10].

        Raises:
            ValueError: `time` is not of that form.
        """
