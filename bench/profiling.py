"""`python -m bench.profiling NAME`: where the time of a benchmark's own side goes; `node`: of a node under 64 clients, in its process.

Prints shares by part (of ours, of each library) and the functions with most time of their own. The profiler makes calls dearer, so
shares of code with many small calls look larger than they are; what Rust and C do inside one call is not looked into (use `perf`).
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import re
import tempfile
from collections import Counter
from pathlib import Path

from bench import network, processes
from bench.loop import event_loop
from bench.registry import Scale, Timed
from bench.table import BENCHES

ROUNDS = 5
NODE_COMMANDS = 6_000
SHOWN = 25

_PART = re.compile(r"/(aggregate/[a-z_]+)|site-packages/([A-Za-z0-9_]+)|/(asyncio|json|bench|logging)/|([a-z_0-9]+)\.py$")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profiling")
    parser.add_argument("name", choices=["node", *(bench.name for bench in BENCHES)], metavar="NAME", help="`node`, or of a benchmark")
    name = parser.parse_args().name
    stats = _node() if name == "node" else _bench(name)
    total: float = stats.total_tt  # type: ignore[attr-defined] # the type stubs do not know it
    print(f"{total:.2f} s in all")
    for part, seconds in _parts(stats).most_common(20):
        print(f"  {seconds / total:6.1%}  {part}")
    stats.sort_stats("tottime").print_stats(SHOWN)


def _bench(name: str) -> pstats.Stats:
    bench = next(each for each in BENCHES if each.name == name)
    profile = cProfile.Profile()
    with bench.prepare(Scale(smoke=False)) as case:
        assert isinstance(case, Timed), f"{name} is not timed"
        for _ in range(ROUNDS):
            case.before()
            answer = case.beside()
            case.check(case.ours(), answer)
            case.before()
            profile.runcall(case.ours)
    return pstats.Stats(profile)


def _node() -> pstats.Stats:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "node.prof"
        with processes.node(profile=out) as node, event_loop() as runner:
            runner.run(network.drive(node["grpc"], NODE_COMMANDS))
        return pstats.Stats(str(out))


def _parts(stats: pstats.Stats) -> Counter[str]:
    """Own seconds by part; waiting for the network is left out."""
    parts: Counter[str] = Counter()
    for (file, _, function), (_, _, seconds, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        parts[_part(file, function)] += seconds
    return parts


def _part(file: str, function: str) -> str:
    if file == "~":
        found = re.search(r"'(grpc|uvloop|lmdb|orjson|google)|(_native|_keys|hashlib|asyncio)", function)
        return f"built-in: {found[1] or found[2]}" if found else "built-in: other"
    match = _PART.search(file)
    return next(group for group in match.groups() if group) if match else "other"


if __name__ == "__main__":
    main()
