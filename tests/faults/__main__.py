"""`python -m tests.faults [--minutes N] [--replicas 1|3] [--seed N]`: campaigns one after another, each judged by the checker.

Ends with status 1 at the first broken promise. A campaign that saw no fault or no command fails too.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time

from .campaign import run_campaign


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--campaign", type=float, default=60.0, help="seconds of faults in each campaign")
    parser.add_argument("--replicas", type=int, choices=(1, 3), default=None, help="default: by turns 3 and 1")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--expiring", action="store_true", help="refusals expire after seconds (default: in every other pair of campaigns)")
    parser.add_argument("--seed", type=int, default=None, help="of the first campaign (default: a random one)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**30)
    end = time.monotonic() + 60 * options.minutes
    turn = 0
    while turn == 0 or time.monotonic() < end:
        replicas = options.replicas or (3, 1)[turn % 2]
        seconds = min(options.campaign, max(5.0, end - time.monotonic()))
        expiring = options.expiring or turn % 4 > 1
        what = f"R{replicas}{', refusals expire' if expiring else ''}"
        print(f"campaign {turn + 1}: {what}, seed {seed + turn}, {seconds:.0f} s", flush=True)
        outcome = asyncio.run(run_campaign(replicas, seconds, clients=options.clients, seed=seed + turn, expiring=expiring))
        print(outcome, flush=True)
        if outcome.violations or not outcome.faults or not outcome.commands:
            return 1
        turn += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
