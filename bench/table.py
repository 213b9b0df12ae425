"""The list of all benchmarks. A new one is written in the file of its subject and named in that file's `BENCHES`."""

from __future__ import annotations

from bench import compiling, documents, execute, filters, fold, handling, keys, loops, memory, network, plateau, queries, ring, watching
from bench.registry import Bench

BENCHES: tuple[Bench, ...] = (
    *fold.BENCHES,
    *execute.BENCHES,
    *loops.BENCHES,
    *filters.BENCHES,
    *documents.BENCHES,
    *compiling.BENCHES,
    *keys.BENCHES,
    *ring.BENCHES,
    *handling.BENCHES,
    *queries.BENCHES,
    *network.BENCHES,
    *memory.BENCHES,
    *plateau.BENCHES,
    *watching.BENCHES,
)
