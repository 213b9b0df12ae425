"""`python -m tests.faults.serving URL...`: `aggregate serve --json` that is told the servers' monitoring ports.

A node that knows that its servers write through to the disk sends what waits for several aggregates as one batch.
"""

from __future__ import annotations

import functools
import sys

from aggregate.cli import serve
from aggregate.node import Node

if __name__ == "__main__":
    vars(serve)["Node"] = functools.partial(Node, monitors=sys.argv[1:])
    serve.serve(None, as_json=True)
