"""Milestone 13 of the plan: the container. T13.1 and T13.2 need an engine: `make container` runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.engine import docker, images, metrics_image, nats_image, node_image
from tests.docker.waiting import until


@pytest.mark.container
@pytest.mark.timeout(1800)
def test_t13_1_container_builds() -> None:
    images(metrics_image)  # here, where all are made at the same time
    assert "Run a node until Ctrl-C or SIGTERM" in docker("run", "--rm", node_image(), "--help")


@pytest.mark.container
@pytest.mark.timeout(1800)
async def test_t13_2_container_starts_with_valid_config() -> None:
    images()
    network = docker("network", "create", "t13-2")
    nats = node = ""
    try:
        nats = docker("run", "-d", "--network", network, "--network-alias", "nats", nats_image())
        node = docker("run", "-d", "--network", network, "-e", "AGGREGATE_NATS_URL=nats://nats:4222", node_image())
        await until(lambda: docker("inspect", node, "--format", "{{.State.Health.Status}}") == "healthy")
        assert '"ready":true' in docker(
            "exec", node, "python3", "-c", "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/ready').read().decode())"
        )
    finally:
        docker("rm", "-fv", *filter(None, (nats, node)), check=False)
        docker("network", "rm", network)


def test_t13_3_the_binary_exists() -> None:
    program = Path(sys.executable).with_name("aggregate")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert told.startswith("aggregate ")
