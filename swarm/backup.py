#!/usr/bin/env python3
"""Save a log to a folder and bring it back, by JetStream's own snapshots: the stream of commits and the buckets of programs and placement.

    backup.py save FOLDER                      into FOLDER, which must be new or empty
    backup.py restore FOLDER [--replicas N]    into servers that hold none of these streams; N copies instead of as many as there were

NATS_URL names the servers, NATS_USER and NATS_PASSWORD or NATS_PASSWORD_FILE the account. Nodes may work while it saves: a stream's
snapshot is of one moment, and the commits are saved first, so that every program they name is in the bucket that is saved after them.
Restore before any node starts, then let `aggregate replay --all` read the whole history: it fails when a commit is not what its program
decides.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client

COMMITS = "AGGREGATE_EVENTS"
CHUNK = 128 * 1024
PATIENCE = 60.0
STARTING = 10.0


class Failed(Exception):
    """It did not work; says what to do."""


async def ask(connection: Client, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    """An answer of the JetStream API. Raises Failed."""
    answer: dict[str, Any] = json.loads((await connection.request(f"$JS.API.{subject}", json.dumps(request).encode(), PATIENCE)).data)
    if error := answer.get("error"):
        raise Failed(f"{subject}: {error.get('description')} ({error.get('err_code')})")
    return answer


async def save(connection: Client, folder: Path) -> None:
    """All streams, each as NAME.snapshot and NAME.json; the latter is written last and tells that the former is whole."""
    names = (await ask(connection, "STREAM.NAMES", {})).get("streams") or []
    if COMMITS not in names:
        raise Failed(f"there is no stream {COMMITS}: nothing to save")
    make_empty(folder)
    for name in sorted(names, key=lambda name: (name != COMMITS, name)):
        state = await save_stream(connection, name, folder)
        print(f"saved {name}: {state['messages']} messages up to {state['last_seq']}")


async def save_stream(connection: Client, name: str, folder: Path) -> dict[str, Any]:
    """One of them; the state that was saved."""
    inbox = connection.new_inbox()
    arriving = await connection.subscribe(inbox)
    request = {"deliver_subject": inbox, "no_consumers": True, "chunk_size": CHUNK}
    about = await ask(connection, f"STREAM.SNAPSHOT.{name}", request)
    digest = hashlib.sha256()
    with (folder / f"{name}.snapshot").open("wb") as file:
        while True:
            chunk = await arriving.next_msg(PATIENCE)
            status = (chunk.headers or {}).get("Status", "")
            if status and not status.startswith("2"):
                raise Failed(f"{name}: the server gave up: {status} {(chunk.headers or {}).get('Description', '')}")
            if not chunk.data:
                break
            file.write(chunk.data)
            digest.update(chunk.data)
            if chunk.reply:
                await connection.publish(chunk.reply, b"")
        file.flush()
        os.fsync(file.fileno())
    await arriving.unsubscribe()
    kept = {"config": about["config"], "state": about["state"], "sha256": digest.hexdigest()}
    (folder / f"{name}.json").write_text(json.dumps(kept, indent=2) + "\n")
    state: dict[str, Any] = about["state"]
    return state


def look_at(folder: Path) -> dict[str, dict[str, Any]]:
    """What was saved of each stream, the buckets before the commits: these tell a node that all is there. Raises Failed: not whole."""
    if not (folder / f"{COMMITS}.json").exists():
        raise Failed(f"{folder} holds no whole copy of {COMMITS}")
    kept: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"), reverse=True)}
    for name, about in kept.items():
        with (folder / f"{name}.snapshot").open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != about["sha256"]:
                raise Failed(f"{name}.snapshot is damaged: it is not what was saved")
    return kept


def make_empty(folder: Path) -> None:
    """A new folder, or one that holds nothing. Raises Failed."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Failed(f"{folder} is not empty: name a new folder")


async def restore(connection: Client, folder: Path, replicas: int | None) -> None:
    """Every stream that was saved."""
    kept = look_at(folder)
    for name, about in kept.items():
        if replicas is not None:
            about["config"]["num_replicas"] = replicas
        await restore_stream(connection, name, about, folder / f"{name}.snapshot")


async def restore_stream(connection: Client, name: str, about: dict[str, Any], path: Path) -> None:
    """One of them."""
    request = {"config": about["config"], "state": about["state"]}
    subject = (await ask(connection, f"STREAM.RESTORE.{name}", request))["deliver_subject"]
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            await connection.request(subject, chunk, PATIENCE)
    answer = json.loads((await connection.request(subject, b"", PATIENCE)).data)
    if error := answer.get("error"):
        raise Failed(f"{name}: {error.get('description')} ({error.get('err_code')})")
    state, saved = answer["state"], about["state"]
    if (state["messages"], state["last_seq"]) != (saved["messages"], saved["last_seq"]):
        raise Failed(f"{name}: restored {state}, saved were {saved}")
    print(f"restored {name}: {state['messages']} messages up to {state['last_seq']}")


async def connected(servers: list[str], account: dict[str, str]) -> Client:
    """A connection; one to servers that are just starting is waited for."""
    began = time.monotonic()
    while True:
        try:
            return await nats.connect(servers, allow_reconnect=False, connect_timeout=5, **account)
        except (OSError, nats.errors.NoServersError, nats.errors.TimeoutError):
            if time.monotonic() - began > STARTING:
                raise
            await asyncio.sleep(0.2)


async def work(options: argparse.Namespace) -> None:
    password = os.environ.get("NATS_PASSWORD", "")
    if path := os.environ.get("NATS_PASSWORD_FILE"):
        password = Path(path).read_text().strip()  # noqa: ASYNC240 - nothing else waits
    account = {"user": os.environ.get("NATS_USER", "aggregate"), "password": password} if password else {}
    servers = os.environ.get("NATS_URL", "nats://127.0.0.1:4222").split(",")
    connection = await connected(servers, account)
    try:
        if options.what == "save":
            await save(connection, options.folder)
        else:
            await restore(connection, options.folder, options.replicas)
    finally:
        await connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="backup.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("save", "restore"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--replicas", type=int, default=None)
    try:
        asyncio.run(work(parser.parse_args()))
    except (Failed, OSError, nats.errors.Error) as error:
        print(f"backup.py: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
