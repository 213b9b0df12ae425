"""The container engine as the tests use it: commands, what must be there, images made once."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NODE, NATS, GATEWAY, BASE = "cloudlysis/aggregate:local", "cloudlysis/nats:local", "cloudlysis/gateway:local", "debian:trixie-slim"
METRICS = "cloudlysis/victoria-metrics:local"
BUILD = ("docker", "build", "-f", "docker/Dockerfile.rust", "--build-arg", "PACKAGE=aggregate", "--build-arg", "BIN=aggregate")
WHOLE_BUILD = 1500


def run(*command: str, env: Mapping[str, str] | None = None, check: bool = True, stdin: str | None = None, timeout: float = 300) -> str:
    """Run it in the root of the repository; its standard output. Fails with all it said."""
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert not check or ended.returncode == 0, f"{' '.join(command)}: {ended.returncode}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
    return ended.stdout.strip()


def docker(*arguments: str, check: bool = True, stdin: str | None = None, timeout: float = 300) -> str:
    return run("docker", *arguments, check=check, stdin=stdin, timeout=timeout)


@functools.cache
def need_engine() -> None:
    """Skip where no container engine can be had."""
    if shutil.which("docker") is None:
        pytest.skip("no docker here (Debian: apt-get install docker.io)")
    asked = subprocess.run(["docker", "version"], capture_output=True, text=True, check=False, timeout=60)
    if asked.returncode != 0:
        pytest.skip(f"no container engine answers: {asked.stderr.strip()[-200:]}")


def have(image: str) -> bool:
    return bool(docker("images", "-q", image))


@functools.cache
def base_image() -> str:
    """Debian's slim image: made here where there is none."""
    need_engine()
    if not have(BASE):
        if os.geteuid() != 0:
            pytest.skip(f"{BASE} is not here and making it needs root")
        if shutil.which("debootstrap") is None:
            pytest.skip(f"{BASE} is not here and there is no debootstrap (Debian: apt-get install debootstrap)")
        run("docker/make-base-image.sh", timeout=WHOLE_BUILD)
    return BASE


def _built(image: str, make: Callable[[], object]) -> str:
    base_image()
    if not os.environ.get("AGGREGATE_IMAGES_BUILT"):
        make()
    assert have(image), f"{image} is not there"
    return image


@functools.cache
def node_image() -> str:
    return _built(NODE, lambda: run(*BUILD, "-t", NODE, ".", timeout=WHOLE_BUILD))


@functools.cache
def nats_image() -> str:
    return _built(NATS, lambda: run("docker/make-nats-image.sh"))


@functools.cache
def metrics_image() -> str:
    folder = "docker/observability"
    build = ("build", "-q", "-f", f"{folder}/Dockerfile.victoria-metrics", "-t", METRICS, folder)
    return _built(METRICS, lambda: docker(*build, timeout=WHOLE_BUILD))


@functools.cache
def gateway_image() -> str:
    return _built(GATEWAY, lambda: docker("build", "-q", "-t", GATEWAY, "docker/gateway", timeout=WHOLE_BUILD))


def images(*more: Callable[[], str]) -> None:
    """Those of the stack, and more; what has to be made is made at the same time, for each build mostly waits for downloads."""
    base_image()
    with ThreadPoolExecutor() as pool:
        for made in [pool.submit(make) for make in (node_image, nats_image, gateway_image, *more)]:
            made.result()
