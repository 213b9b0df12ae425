"""The native parts: one Rust crate (PyO3) and one Cython module, both for the stable ABI of CPython 3.11+.

`AGGREGATE_BUILD=auto|native|pure` decides what is built. `native` fails when a part cannot be built, `pure` builds none of them, and
`auto` (the default) leaves out, part by part, what this machine has no compiler for, and says so and how to get it. What is there at run
time is found by `aggregate.engine`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from typing import Any

from setuptools import Extension, setup

MINIMUM_RUST = (1, 85)
MODES = ("auto", "native", "pure")


def rust_problem() -> str | None:
    """Why the crate cannot be built here, or None."""
    cargo = shutil.which(os.environ.get("CARGO", "cargo"))
    if cargo is None:
        return "no cargo found; install Rust (Debian: apt-get install cargo) and install again"
    text = subprocess.run([cargo, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"cargo (\d+)\.(\d+)", text)
    if found is None or (int(found[1]), int(found[2])) < MINIMUM_RUST:
        wanted = ".".join(map(str, MINIMUM_RUST))
        return f"cargo says {text.strip()!r}, Rust {wanted} or newer is needed; update it and install again"
    return None


def c_problem() -> str | None:
    """Why the Cython module cannot be built here, or None."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"no C compiler ({compiler}) found; install one (Debian: apt-get install gcc libc6-dev) and install again"
    header = os.path.join(sysconfig.get_paths()["include"], "Python.h")
    if not os.path.exists(header):
        return "Python.h is missing; install the headers of this Python (Debian: apt-get install python3-dev) and install again"
    return None


def wanted(part: str, problem: str | None, mode: str) -> bool:
    """Whether `part` is to be built; in `auto` a problem is told and the pure twin takes its place."""
    if problem is None:
        return True
    if mode == "native":
        raise SystemExit(f"AGGREGATE_BUILD=native, but {part} cannot be built: {problem}")
    print(f"aggregate: {part} is left out, its pure Python twin takes its place: {problem}", file=sys.stderr)
    return False


def parts() -> dict[str, Any]:
    """The arguments for `setup` that stand for the native parts of this build."""
    mode = os.environ.get("AGGREGATE_BUILD", "auto")
    if mode not in MODES:
        raise SystemExit(f"AGGREGATE_BUILD={mode!r}: expected one of {', '.join(MODES)}")
    if mode == "pure":
        return {}
    found: dict[str, Any] = {}
    if wanted("the Rust engine (aggregate.engine._native)", rust_problem(), mode):
        from setuptools_rust import Binding, RustExtension  # noqa: PLC0415 - not needed for a pure build

        found["rust_extensions"] = [
            RustExtension("aggregate.engine._native", path="native/Cargo.toml", binding=Binding.PyO3, py_limited_api=True, debug=False)
        ]
    if wanted("the Cython module (aggregate.engine._keys)", c_problem(), mode):
        from Cython.Build import cythonize  # noqa: PLC0415 - not needed for a pure build

        extension = Extension(
            "aggregate.engine._keys",
            ["native/_keys.pyx"],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
        )
        found["ext_modules"] = cythonize([extension], build_dir="build/cython", language_level=3)
    if found:
        found["options"] = {"bdist_wheel": {"py_limited_api": "cp311"}}
    return found


setup(**parts())
