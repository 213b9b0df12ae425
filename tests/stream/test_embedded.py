"""The embedded server: starts quickly, says what is wrong, and never outlives who started it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from aggregate.errors import ConfigError
from aggregate.stream import StreamClient
from aggregate.testing import nats as embedded
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.process import TetheredProcess
from tests.stream.messages import new_key, new_message, written
from tests.stream.waiting import eventually

PARENT = """
import asyncio, sys
from aggregate.testing.nats import EmbeddedNats

async def main():
    async with EmbeddedNats(sys.argv[1]) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


async def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(tmp_path), stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    await parent.wait()
    await eventually(lambda: not is_running(pid))


async def test_a_watcher_leaves_with_an_orderly_stop(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    process = TetheredProcess.start([sleep, "60"], tmp_path / "out")
    assert process.exit_code is None
    assert await process.stop() == -signal.SIGTERM
    assert not is_running(process.pid)


async def test_a_program_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process = TetheredProcess.start([sys.executable, "-c", code], tmp_path / "out")
    await eventually(lambda: (tmp_path / "out").read_text() == "deaf\n")
    assert await process.stop(0.05) == -signal.SIGKILL


async def test_it_keeps_its_folder_and_ports_over_a_restart(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path / "a folder") as server:
        client = await StreamClient.connect([server.url])
        key = new_key()
        await client.append(key, *written(new_message(key)), expected=0)
        await client.close()
        port = server.port
        await server.stop()
        assert server.pid is None
        await server.start()
        assert server.port == port
        client = await StreamClient.connect([server.url])
        assert await client.last(key) is not None
        await client.close()
    assert (tmp_path / "a folder").exists()


async def test_a_temporary_folder_goes_with_it() -> None:
    async with EmbeddedNats() as server:
        assert server.folder.exists()
    assert not server.folder.exists()


async def test_a_port_in_use_is_named(nats: EmbeddedNats) -> None:
    for members in ({"port": nats.port}, {"monitor_port": nats.port}):
        with pytest.raises(ConfigError, match=f"port {nats.port} on 127.0.0.1 is in use"):
            async with EmbeddedNats(**members):
                pass


async def test_a_folder_in_use_is_named(nats: EmbeddedNats) -> None:
    with pytest.raises(ConfigError, match="another server runs on the folder"):
        async with EmbeddedNats(nats.folder):
            pass


async def test_a_configuration_it_refuses_is_shown() -> None:
    with pytest.raises(ConfigError, match="unknown field"):
        async with EmbeddedNats(extra={"nonsense": 1}):
            pass


def test_a_missing_program_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="extra `dev`"):
        embedded.find_binary()
