"""Benchmarks as ratios: each measures something of ours and, in turn with it, the thing it is compared with. See README.md."""
