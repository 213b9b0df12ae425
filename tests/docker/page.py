"""The commands of `swarm/README.md`, run as they stand, in the order in which a test asks for them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .engine import ROOT

PAGE = ROOT / "swarm/README.md"
PORT = "127.0.0.1:50051"
"""Where the page's client calls; the only thing of it that is replaced, for the port may be somebody's."""


class Page:
    """The page in a folder of its own, beside a copy of `swarm/`, with the project's commands on the PATH."""

    def __init__(self, folder: Path, port: int, env: dict[str, str]) -> None:
        """`env`: what the shell has besides."""
        self.folder = folder
        self._address = f"127.0.0.1:{port}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._env = {**os.environ, "PATH": path, "GATEWAY_PORT": str(port), **env}
        self._left = [(heading, block) for heading, block in blocks() if heading != "Images"]
        self.prologue = ""
        shutil.copytree(ROOT / "swarm", folder / "swarm")

    def run(self, heading: str) -> str:
        """Run the next block under this heading; what it printed. Fails with all it said."""
        block = next((block for under, block in self._left if under == heading), None)
        assert block is not None, f"nothing is left under {heading}"
        self._left.remove((heading, block))
        script = f"set -euo pipefail\n{self.prologue}\n{block.replace(PORT, self._address)}"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=self._env, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"{block}\n{done.returncode}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    @property
    def left(self) -> list[tuple[str, str]]:
        """What has not been run."""
        return self._left


def blocks() -> list[tuple[str, str]]:
    """Heading and text of each block of commands."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        found += [(heading, block) for block in re.findall(r"^```sh\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)]
    return found
