"""`aggregate doctor`: would a node start here, and what would its acknowledgements mean?"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import typer

import aggregate.engine
from aggregate._version import __version__
from aggregate.cli.exits import ExitCode, run, write
from aggregate.cli.options import AsJson, ConfigPath
from aggregate.config import Settings
from aggregate.config.fields import HostPort
from aggregate.errors import AggregateError, ConfigError
from aggregate.runtime import RuntimeExecutor
from aggregate.stream import StreamClient
from aggregate.stream.subjects import STREAM_NAME
from aggregate.testing.nats import find_binary

MARKS = {"ok": "ok  ", "warning": "warn", "failed": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `failed`: a node would not serve; `warning`: it would, but look at it."""

    check: str
    result: Literal["ok", "warning", "failed"]
    message: str


def doctor(config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Say whether a node would work here.

    Looks at settings, engine, nats-server, programs, the log, the storage folder and the ports, and changes nothing. Exit code 1 when a
    check failed.
    """
    findings: list[Finding] = []

    async def work() -> None:
        async for finding in examine(config):
            findings.append(finding)
            if as_json:
                write(json.dumps(asdict(finding)))
            else:
                write(f"{MARKS[finding.result]}  {finding.check:<12} {finding.message}")

    run(work(), as_json=as_json)
    if any(finding.result == "failed" for finding in findings):
        raise typer.Exit(ExitCode.REFUSED)


async def examine(config: Path | None) -> AsyncIterator[Finding]:
    """Every finding, as it is made."""
    yield Finding("version", "ok", f"aggregate {__version__}")
    try:
        settings = Settings.load(config)
        yield Finding("settings", "ok", f"NATS {', '.join(settings.nats_servers)}, node {settings.node_name}")
    except ConfigError as error:
        for mistake in error.mistakes:
            yield Finding("settings", "failed", str(mistake))
        settings = None
    yield _engine(settings)
    yield await asyncio.to_thread(_nats_server)
    if settings is None:
        return
    for finding in _programs(settings):
        yield finding
    yield await _log(settings)
    yield _storage(settings.storage_path)
    yield _port("gRPC port", settings.grpc)
    yield _port("admin port", settings.admin)


def _engine(settings: Settings | None) -> Finding:
    try:
        name = aggregate.engine.get(settings.engine if settings is not None else None).name
    except ConfigError as error:
        return Finding("engine", "failed", str(error))
    if name == "pure":
        return Finding("engine", "warning", "pure Python: correct, but slow; install a wheel with the native engine for production")
    return Finding("engine", "ok", name)


def _nats_server() -> Finding:
    try:
        binary = find_binary()
        version = subprocess.run([str(binary), "--version"], capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (ConfigError, OSError, subprocess.SubprocessError) as error:
        return Finding("nats-server", "warning", f"only `dev` and `demo` need it: {error}")
    return Finding("nats-server", "ok", version)


def _programs(settings: Settings) -> list[Finding]:
    try:
        programs = RuntimeExecutor(aggregate.engine.get(settings.engine)).load(settings.load_manifest())
    except ConfigError as error:
        return [Finding("programs", "failed", str(mistake)) for mistake in error.mistakes]
    types = ", ".join(sorted(program.type for program in programs))
    if settings.uses_example:
        return [Finding("programs", "warning", f"{types}: the bank example, because no manifest is given")]
    return [Finding("programs", "ok", types)]


async def _log(settings: Settings) -> Finding:
    """A node makes the stream where there is none; looking does not."""
    try:
        stream = await StreamClient.of_settings(settings, create=False)
    except AggregateError as error:
        return Finding("log", "failed", str(error))
    try:
        reasons = "; ".join(stream.reasons())
        if STREAM_NAME in reasons:
            return Finding("log", "warning", f"NATS answers, the stream {STREAM_NAME} is not there yet: a node makes it when it starts")
        if reasons:
            return Finding("log", "failed", reasons)
        return Finding("log", "warning" if "weak: " in stream.durability else "ok", stream.durability)
    finally:
        await stream.close()


def _storage(folder: Path) -> Finding:
    nearest = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("storage", "failed", f"{folder}: {nearest} cannot be written")
    return Finding("storage", "ok", f"{folder}{'' if nearest == folder.absolute() else ' (will be made)'}")


def _port(check: str, address: HostPort) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return Finding(check, "warning", f"{address}: {error.strerror or error} (a node that runs already?)")
    return Finding(check, "ok", f"{address} is free")
