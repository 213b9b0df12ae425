"""`python -m tests.differential [--minutes N] [--cases N] [--seed N] [--jobs N]`: fuzz the two engines against each other.

Ends with status 1 at the first difference, which it prints and keeps under `tests/vectors/`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from aggregate import engine as door

from .harness import Difference, Harness, keep


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.differential", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=None, help="stop after so many cases")
    parser.add_argument("--seed", type=int, default=None, help="first seed (default: a random one)")
    parser.add_argument("--left", default="pure")
    parser.add_argument("--right", default="native")
    options = parser.parse_args()
    for name in (options.left, options.right):
        if not door.available(name):
            print(f"the {name} engine is not built", file=sys.stderr)
            return 2
    start = options.seed if options.seed is not None else random.SystemRandom().randrange(2**40)
    print(f"{options.left} against {options.right}, seeds from {start}")
    harness = Harness(door.get(options.left), door.get(options.right))
    difference = _run(harness, start, options)
    statistics = harness.statistics
    print(f"{statistics.cases} cases ({statistics.refused} do not compile), {statistics.runs} runs, {dict(statistics.outcomes)}")
    if difference is None:
        return 0
    print(difference, f"kept as {keep(difference)}", sep="\n")
    return 1


def _run(harness: Harness, start: int, options: argparse.Namespace) -> Difference | None:
    end = time.monotonic() + 60 * options.minutes
    seed = start
    while time.monotonic() < end and (options.cases is None or seed < start + options.cases):
        difference = harness.seeded(seed) or harness.operation(seed, seed) or harness.example(seed)
        if difference is not None:
            print(f"seed {seed}")
            return difference
        seed += 1
    return None


if __name__ == "__main__":
    sys.exit(main())
