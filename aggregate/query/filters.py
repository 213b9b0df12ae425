"""Filters of queries: compiled once, kept, run over pages of rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, cast

from aggregate.engine import Engine, Program, Scanned
from aggregate.engine.packs import scan
from aggregate.errors import CompileError, ValidationError
from aggregate.language import check
from aggregate.language import compile as compile_source
from aggregate.language.parser import parse
from aggregate.language.tree import Expression, Name
from aggregate.language.walk import within
from aggregate.query.definitions import meta_of
from aggregate.query.interface import Row
from aggregate.query.stored import damaged
from aggregate.types import AggregateKey, AggregateType, TenantId

ROW_GAS: Final = 10_000
CACHED: Final = 256
MAX_BYTES: Final = 8192
"""Of a filter: it is compiled while others wait."""
_NO_BOUND: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter, or one that every row matches.

    Attributes:
        text: its source.
        program: None: every row matches.
        tree: its syntax, for the planner.
        needs_meta: whether it looks at `meta`.
    """

    text: str
    program: Program | None = None
    tree: Expression | None = None
    needs_meta: bool = False

    def matches(self, rows: Sequence[Row]) -> Sequence[bool]:
        """Which rows match; one on which the filter fails does not."""
        if self.program is None:
            return [True] * len(rows)
        metas = None
        if self.needs_meta:
            metas = [meta_of(AggregateKey(row.tenant_id, row.aggregate_type, row.aggregate_id), row.version) for row in rows]
        found = self.program.matches([row.document.text for row in rows], metas, ROW_GAS, ROW_GAS * len(rows) + 1)
        return [flag == 1 for flag in found.rows]

    def scan(
        self,
        packs: Sequence[bytes],
        tenant_id: TenantId,
        aggregate_type: AggregateType,
        *,
        after: bytes = b"",
        chosen: bytes | None = None,
        gas: int = _NO_BOUND,
    ) -> Scanned:
        """The rows of packs of a type that can be seen, come after an id, are among `chosen` ones, and match. Raises Damaged."""
        try:
            if self.program is None:
                return scan(packs, after, chosen)
            named = (str(tenant_id), str(aggregate_type)) if self.needs_meta else None
            return self.program.scan(packs, after, chosen, named, ROW_GAS, gas)
        except ValueError as error:
            raise damaged(error) from error


class Filters:
    """The filters that were used last, compiled."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[str, Filter] = OrderedDict()
        self._lock = Lock()

    def get(self, text: str) -> Filter:
        """The filter of a source ("": every row).

        Raises:
            ValidationError: it does not compile; names `filter`, and shows the place.
        """
        with self._lock:
            if (found := self._known.get(text)) is not None:
                self._known.move_to_end(text)
                return found
        made = self._compiled(text) if text.strip() else Filter("")
        with self._lock:
            self._known[text] = made
            while len(self._known) > CACHED:
                self._known.popitem(last=False)
        return made

    def _compiled(self, text: str) -> Filter:
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            raise ValidationError(f"at most {MAX_BYTES} bytes, got {size}", "filter")
        try:
            program = self._engine.load(compile_source(text, "filter"))
        except CompileError as error:
            shown = "\n".join(diagnostic.render("filter") for diagnostic in check(text, "filter"))
            raise ValidationError(shown or str(error), "filter") from error
        tree = cast(Expression, parse(text.replace("\r\n", "\n"), "filter"))
        return Filter(text, program, tree, any(type(node) is Name and node.name == "meta" for node in within([tree])))
