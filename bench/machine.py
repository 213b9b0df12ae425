"""On what a run was made: the machine, the versions, the conditions. A ratio without them cannot be judged later."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import aggregate.engine
from aggregate._version import __version__
from aggregate.errors import ConfigError
from aggregate.testing.nats import find_binary

PACKAGES = ("orjson", "grpcio", "nats-py", "lmdb", "uvloop", "pytest-benchmark")
QUIET = 0.5
"""Load a core above which a run is not quiet."""


def machine() -> dict[str, str | int]:
    """Processor, cores, memory, system."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(pages * size / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions() -> dict[str, str]:
    """Of what is measured and what it is measured with; what is not there is left out."""
    found = {"python": platform.python_version(), "aggregate": __version__}
    found["engine"] = aggregate.engine.get().name
    found |= {name: version(name) for name in PACKAGES}
    try:
        found["nats-server"] = _said_by([str(find_binary()), "--version"]).removeprefix("nats-server: ")
    except ConfigError:
        found["nats-server"] = ""
    found["rustc"] = _said_by(["rustc", "--version"]).removeprefix("rustc ")
    return {name: each for name, each in found.items() if each}


def conditions(*, smoke: bool) -> dict[str, str | float | bool]:
    """When, and what else the machine was doing just before."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "smoke": smoke,
        "load_per_core": round(load, 2),
        "quiet": load <= QUIET,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _said_by(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
