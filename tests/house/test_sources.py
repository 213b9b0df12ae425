"""What holds of every tracked file: a docstring at its top, no path of one machine, no unknown host."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).relative_to(ROOT)
GENERATED = re.compile(r"_pb2(_grpc)?\.pyi?$")
LOCK = Path("native/Cargo.lock")
"""Cargo writes where its own registry is into it."""

_MACHINE_PATH = re.compile(
    r"(?<![\w.~$}*-])/(?:root|work|workspace|Users/\w+|home/(?!app\b|aggregate\b)\w+|private/var|mnt/\w+)"
    r"""(?:/|(?=["'\s`]))"""
)
_HOST = re.compile(r"\b[a-z][a-z+]*://(?:[^/@\s\"'`]*@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
KNOWN_HOSTS = {"127.0.0.1", "10.0.0.1", "example.org", "github.com", "grpc.io", "json-schema.org", "www.apache.org"}
"""Hosts that may be named: this machine, examples, and where a rule comes from. A new one is a decision."""


def _tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        return []
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


TRACKED = _tracked()


def _problems(text: str) -> list[str]:
    paths = [found[0] for found in _MACHINE_PATH.finditer(text)]
    return paths + [found[1] for found in _HOST.finditer(text) if found[1] not in KNOWN_HOSTS]


@pytest.mark.skipif(not TRACKED, reason="no git clone: nobody knows which files are tracked")
def test_no_tracked_file_names_a_machine_or_an_unknown_host() -> None:
    found = []
    for name in TRACKED:
        if name in {HERE, LOCK} or (raw := (ROOT / name).read_bytes()).find(b"\0") >= 0:
            continue
        for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
            found += [f"{name}:{number}: {problem}" for problem in _problems(line)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        'open("/home/ada/.cache/x")',
        "see /home/ada/project",
        "cd /workspace/ && make",
        "index-url = https://packages.example.com/simple",
        'source = "registry+https://user@my.registry.example/index"',
    ],
)
def test_a_planted_line_is_caught(text: str) -> None:
    assert _problems(text)


@pytest.mark.parametrize(
    "text", ["/tmp/work/x", "frame/work/", 'path("/var/lib/aggregate")', "nats://a,nats://127.0.0.1:4222", "teamwork/root.py"]
)
def test_a_harmless_line_is_let_through(text: str) -> None:
    assert not _problems(text)


def test_every_module_says_what_it_is() -> None:
    modules = [*(ROOT / "aggregate").rglob("*.py"), *(ROOT / "bench").rglob("*.py"), ROOT / "setup.py"]
    silent = [
        str(path.relative_to(ROOT))
        for path in modules
        if not GENERATED.search(path.name) and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent, f"no docstring in {', '.join(sorted(silent))}"


@pytest.mark.skipif(not TRACKED, reason="no git clone: nobody knows which files are tracked")
def test_every_rust_module_says_what_it_is() -> None:
    sources = [ROOT / name for name in TRACKED if name.suffix == ".rs"]
    silent = [path.name for path in sources if not path.read_text().startswith("//!")]
    assert sources
    assert not silent, f"no //! in {', '.join(sorted(silent))}"
