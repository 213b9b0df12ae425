"""What only a store on disk does: it survives being killed, damage, a full queue, a full map, failures, and two owners."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aggregate.errors import StorageError
from aggregate.storage import StorageClient
from aggregate.storage.environment import Environment, found_damage
from aggregate.storage.records import read_canary
from aggregate.types import AggregateId, Snapshot, TenantId
from aggregate.types.canary import Canary

PROGRAM = "1" * 64


def snapshot(version: int = 1, of: Snapshot | None = None, **members: Any) -> Snapshot:
    return replace(of or Snapshot.new_test(), **{"version": version, "program": PROGRAM, "generation": 1, **members})


async def newest(store: StorageClient, of: Snapshot) -> int:
    found = await store.get_snapshot(of.tenant_id, of.aggregate_id, of.aggregate_type, PROGRAM)
    return -1 if found is None else int(found.version)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StorageClient]:
    async with await StorageClient.open(tmp_path) as opened:
        yield opened


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bool], None]:
    """Makes an operation of every environment fail, or work again."""
    originals = {name: getattr(Environment, name) for name in ("update", "view")}

    def fail(*args: Any) -> None:
        raise StorageError("no space left on the device")

    return lambda name, fails: monkeypatch.setattr(Environment, name, fail if fails else originals[name])


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, nothing is written."""
    gate = threading.Event()
    update = Environment.update

    def wait(self: Environment, change: Any) -> Any:
        gate.wait(30)
        return update(self, change)

    monkeypatch.setattr(Environment, "update", wait)
    return gate


async def test_all_is_there_after_a_restart(tmp_path: Path) -> None:
    put = snapshot(7)
    async with await StorageClient.open(tmp_path) as store:
        store.put_later(put)
        store.put_canary(Canary(12, "id-12", 99))
        store.mark_stream_seen()
    async with await StorageClient.open(tmp_path) as store:
        assert await store.get_snapshot(put.tenant_id, put.aggregate_id) == put
        assert store.get_canary() == Canary(12, "id-12", 99)
        assert store.stream_seen()
        assert store.health().set_aside == ()


async def test_a_canary_alone_gets_to_the_disk_by_itself(store: StorageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregate.storage.writer.CANARY_DELAY", 0.01)
    store.put_canary(Canary(12, "id-12", 99))
    async with asyncio.timeout(10):
        while store._environment.view(read_canary) != Canary(12, "id-12", 99):  # noqa: ASYNC110 - the disk has no event to wait for
            await asyncio.sleep(0.005)


async def test_a_second_owner_is_refused_and_told_who_has_it(tmp_path: Path, store: StorageClient) -> None:
    with pytest.raises(StorageError, match=rf"in use by process {os.getpid()}; each node wants a folder of its own"):
        await StorageClient.open(tmp_path)
    put = snapshot()
    await store.put_snapshot(put)
    assert await newest(store, put) == 1


async def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        await StorageClient.open(tmp_path / "file" / "store")


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    store = await StorageClient.open(tmp_path)
    await store.close()
    await store.close()
    for call in (
        store.put_snapshot(snapshot()),
        store.get_snapshot(TenantId("a"), AggregateId.new_v7()),
        store.flush(),
        store.set_aside("x"),
    ):
        with pytest.raises(StorageError, match="closed"):
            await call
    store.put_later(snapshot())
    assert not store.health().connected


async def test_a_test_store_is_gone_with_its_client() -> None:
    store = await StorageClient.new_test()
    path = store.path
    await store.put_snapshot(snapshot())
    assert path.is_dir()
    await store.close()
    assert not path.exists()


WRITER = """
import asyncio, dataclasses, sys
from aggregate.storage import StorageClient
from aggregate.storage.records import read_canary
from aggregate.types import AggregateId, Snapshot

async def main():
    store = await StorageClient.open(sys.argv[1])
    base = Snapshot.new_test(aggregate_id=AggregateId(sys.argv[2]), program="1" * 64)
    for version in range(1, 1_000_000):
        store.put_later(Snapshot.new_test(program="1" * 64, state={"filler": "x" * (version % 5000)}))
        await store.put_snapshot(dataclasses.replace(base, version=version))
        print(version, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_kill_minus_9(tmp_path: Path) -> None:
    of = snapshot()
    for wanted in (40, 15):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path), of.aggregate_id, stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < wanted:
            acknowledged = int(await writer.stdout.readline())
        writer.kill()
        acknowledged = max([acknowledged, *map(int, (await writer.stdout.read()).split())])
        await writer.wait()
        assert acknowledged >= wanted
        async with await StorageClient.open(tmp_path) as store:
            assert await newest(store, of) >= acknowledged
            assert store.health().set_aside == ()
            await store.delete_snapshot(of.tenant_id, of.aggregate_id)


def fill(data: Path, start: int, size: int) -> None:
    with data.open("r+b") as file:
        file.seek(start)
        file.write(random.Random(7).randbytes(size))


def shorten(data: Path) -> None:
    os.truncate(data, data.stat().st_size // 2)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: fill(data, 0, 8192), id="both meta pages"),
        pytest.param(shorten, id="cut off"),
        pytest.param(lambda data: data.write_text("no database"), id="another file"),
    ],
)
async def test_a_damaged_environment_is_set_aside_and_begun_anew(
    tmp_path: Path, damage: Callable[[Path], Any], caplog: pytest.LogCaptureFixture
) -> None:
    put = snapshot()
    async with await StorageClient.open(tmp_path) as store:
        for _ in range(50):
            store.put_later(snapshot(state={"filler": "x" * 3000}))
        store.mark_stream_seen()
        await store.put_snapshot(put)
    damage(tmp_path / "snapshots" / "data.mdb")
    async with await StorageClient.open(tmp_path) as store:
        assert await newest(store, put) == -1
        [aside] = store.health().set_aside
        assert Path(aside).joinpath("data.mdb").exists()
        assert "is rebuilt from the log" in caplog.text
        assert store.stream_seen()
        await store.put_snapshot(put)
        assert await newest(store, put) == 1
    async with await StorageClient.open(tmp_path) as store:
        assert await newest(store, put) == 1
        assert store.health().set_aside == ()


async def test_damage_that_ended_the_process_is_found_at_the_next_start(tmp_path: Path) -> None:
    async with await StorageClient.open(tmp_path) as store:
        for _ in range(300):
            store.put_later(snapshot(state={"filler": "x" * 500}))
    data = tmp_path / "snapshots" / "data.mdb"
    fill(data, 8192, data.stat().st_size - 8192)
    (tmp_path / "running").touch()  # what a process leaves behind that did not end by itself
    async with await StorageClient.open(tmp_path) as store:
        assert len(store.health().set_aside) == 1
        put = snapshot()
        await store.put_snapshot(put)
        assert await newest(store, put) == 1


async def test_a_sound_environment_passes_the_look_through(tmp_path: Path) -> None:
    async with await StorageClient.open(tmp_path) as store:
        for number in range(200):
            put = snapshot(state={"filler": "x" * (number * 37 % 9000)})
            await store.put_snapshot(put) if number % 20 == 0 else store.put_later(put)
            if number % 3 == 0:
                await store.delete_snapshot(put.tenant_id, put.aggregate_id)
    assert found_damage(tmp_path / "snapshots") is None
    assert found_damage(tmp_path / "nothing") is None
    async with await StorageClient.open(tmp_path) as store:
        assert store.health().set_aside == ()


async def test_damage_met_while_running_is_set_aside_too(store: StorageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    import lmdb

    put = snapshot()
    await store.put_snapshot(put)
    view = Environment.view

    def damaged(self: Environment, look: Any) -> Any:
        monkeypatch.setattr(Environment, "view", view)

        def broken(transaction: Any) -> Any:
            raise lmdb.PageNotFoundError("page not found")

        return view(self, broken)

    monkeypatch.setattr(Environment, "view", damaged)
    assert await newest(store, put) == -1
    await store.put_snapshot(snapshot(of=put))
    assert await newest(store, put) == 1
    assert len(store.health().set_aside) == 1


async def test_one_damaged_value_costs_that_snapshot_alone(store: StorageClient) -> None:
    put = snapshot(1)
    await store.put_snapshot(put)
    await store.put_snapshot(snapshot(2, of=put))

    def spoil(transaction: Any) -> None:
        cursor = transaction.cursor()
        assert cursor.last()
        value = bytearray(cursor.value())
        value[-10] ^= 1
        assert transaction.put(bytes(cursor.key()), bytes(value))

    store._environment.update(spoil)
    assert await newest(store, put) == 1
    await store.put_snapshot(snapshot(2, of=put))
    assert await newest(store, put) == 2


async def test_a_value_of_another_format_is_ignored(store: StorageClient) -> None:
    put = snapshot(3)
    await store.put_snapshot(put)

    def change(transaction: Any) -> None:
        cursor = transaction.cursor()
        assert cursor.last()
        assert transaction.put(bytes(cursor.key()), b"\x02" + bytes(cursor.value())[1:])

    store._environment.update(change)
    assert await newest(store, put) == -1
    await store.put_snapshot(put)
    assert await newest(store, put) == 3


async def test_two_versions_stay_on_disk(store: StorageClient) -> None:
    put = snapshot()
    for version in range(1, 8):
        await store.put_snapshot(snapshot(version, of=put))
    keys = store._environment.view(lambda transaction: [bytes(key) for key, _ in transaction.cursor()])
    assert [int.from_bytes(key[-8:], "big") for key in keys] == [6, 7]


async def test_a_full_queue_drops_and_counts_and_never_blocks(tmp_path: Path, held: threading.Event) -> None:
    async with await StorageClient.open(tmp_path, queue_snapshots=10) as store:
        for _ in range(40):
            store.put_later(snapshot())
        health = store.health()
        assert health.waiting <= 10
        assert health.dropped + health.waiting <= 40
        assert health.dropped >= 20
        held.set()
        await store.flush()
        dropped = store.health().dropped
        kept = store._environment.view(lambda transaction: sum(1 for _ in transaction.cursor()))
        assert kept + dropped == 40


async def test_the_queue_is_bounded_in_bytes_too(tmp_path: Path, held: threading.Event) -> None:
    async with await StorageClient.open(tmp_path, queue_bytes=10_000) as store:
        store.put_later(snapshot(state={"filler": "x" * 20_000}))
        assert store.health().dropped == 1
        held.set()


async def test_of_many_that_wait_for_one_aggregate_the_newest_takes_no_more_room(tmp_path: Path, held: threading.Event) -> None:
    async with await StorageClient.open(tmp_path, queue_snapshots=3) as store:
        put = snapshot()
        for version in range(1, 100):
            store.put_later(snapshot(version, of=put))
        assert store.health().waiting <= 2
        assert store.health().dropped == 0
        assert await newest(store, put) == 99
        held.set()
        await store.flush()
        assert await newest(store, put) == 99


async def test_the_map_grows_by_itself(tmp_path: Path) -> None:
    async with await StorageClient.open(tmp_path, map_size=128 * 1024) as store:
        before = store.health().map_size
        puts = [snapshot(state={"filler": "x" * 20_000}) for _ in range(60)]
        for put in puts:
            store.put_later(put)
        await store.flush()
        assert store.health().map_size > before
        assert store.health().dropped == 0
        for put in puts:
            assert await store.get_snapshot(put.tenant_id, put.aggregate_id) == put
    async with await StorageClient.open(tmp_path, map_size=128 * 1024) as store:
        assert await newest(store, puts[0]) == 1
        await store.put_snapshot(snapshot(state={"filler": "x" * 900_000}))


async def test_readers_go_on_while_the_map_grows(tmp_path: Path) -> None:
    async with await StorageClient.open(tmp_path, map_size=128 * 1024) as store:
        put = snapshot()
        await store.put_snapshot(put)
        stop = threading.Event()

        def read() -> set[int]:
            found = set()
            while not stop.is_set():
                found.add(asyncio.run(newest(store, put)))
            return found

        with ThreadPoolExecutor(3) as threads:
            reads = [threads.submit(read) for _ in range(3)]
            for _ in range(80):
                await store.put_snapshot(snapshot(state={"filler": "x" * 50_000}))
            stop.set()
        assert [each.result() for each in reads] == [{1}] * 3


FULL_DISK = """
import asyncio, dataclasses, resource, signal, sys
from aggregate.errors import StorageError
from aggregate.storage import StorageClient
from aggregate.types import Snapshot

async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    store = await StorageClient.open(sys.argv[1], breaker_threshold=1000)
    first = Snapshot.new_test()
    await store.put_snapshot(first)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    failures = 0
    for number in range(60):
        try:
            await store.put_snapshot(Snapshot.new_test(state={"filler": "x" * 9000}))
        except StorageError:
            failures += 1
        assert await store.get_snapshot(first.tenant_id, first.aggregate_id) == first
    assert failures > 10, failures
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    last = Snapshot.new_test(state={"filler": "x" * 9000})
    await store.put_snapshot(last)
    assert await store.get_snapshot(last.tenant_id, last.aggregate_id) == last
    assert store.health().set_aside == ()
    await store.close()

asyncio.run(main())
"""


async def test_a_full_disk_fails_writes_until_there_is_room_again(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FULL_DISK, str(tmp_path), stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def test_a_handle_that_a_failed_write_killed_is_opened_again(store: StorageClient) -> None:
    import lmdb

    put = snapshot()
    await store.put_snapshot(put)

    def panic(transaction: Any) -> None:
        raise lmdb.PanicError("update of meta page failed")

    with pytest.raises(StorageError, match="meta page"):
        store._environment.update(panic)
    with pytest.raises(StorageError, match="is not open"):
        await newest(store, put)
    await store.put_snapshot(snapshot(2, of=put))
    assert await newest(store, put) == 2


async def test_a_store_that_cannot_be_set_aside_tries_again(store: StorageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    put = snapshot()
    await store.put_snapshot(put)

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        with pytest.raises(StorageError, match="cannot be set aside: Permission denied"):
            await store.set_aside("the log is another one")
    await store.set_aside("the log is another one")
    assert await newest(store, put) == -1
    await store.put_snapshot(put)
    assert await newest(store, put) == 1


async def test_failing_writes_open_the_breaker_and_success_closes_it(tmp_path: Path, failing: Callable[[str, bool], None]) -> None:
    async with await StorageClient.open(tmp_path, breaker_threshold=3, breaker_reset=0.0) as store:
        failing("update", True)
        for _ in range(3):
            with pytest.raises(StorageError, match="no space"):
                await store.put_snapshot(snapshot())
        assert store.health().breaker == "open"
        assert not store.health().connected
        failing("update", False)
        await store.put_snapshot(snapshot())
        assert store.health().connected


async def test_an_open_breaker_answers_at_once_and_put_later_drops(tmp_path: Path, failing: Callable[[str, bool], None]) -> None:
    async with await StorageClient.open(tmp_path, breaker_threshold=1, breaker_reset=60.0) as store:
        put = snapshot()
        await store.put_snapshot(put)
        failing("update", True)
        with pytest.raises(StorageError, match="no space"):
            await store.put_snapshot(snapshot())
        failing("update", False)
        with pytest.raises(StorageError, match=r"tried again in \d+\.\d s"):
            await store.put_snapshot(snapshot())
        store.put_later(snapshot(2, of=put))
        assert store.health().dropped == 1
        assert await newest(store, put) == 1


async def test_failing_reads_open_a_breaker_of_their_own(tmp_path: Path, failing: Callable[[str, bool], None]) -> None:
    async with await StorageClient.open(tmp_path, breaker_threshold=2, breaker_reset=60.0) as store:
        put = snapshot()
        failing("view", True)
        for _ in range(2):
            with pytest.raises(StorageError, match="no space"):
                await newest(store, put)
        failing("view", False)
        with pytest.raises(StorageError, match="tried again"):
            await newest(store, put)
        await store.put_snapshot(put)
        assert store.health().breaker == "open"


async def test_a_dropped_snapshot_is_no_longer_seen(tmp_path: Path, failing: Callable[[str, bool], None]) -> None:
    async with await StorageClient.open(tmp_path) as store:
        put = snapshot(1)
        await store.put_snapshot(put)
        failing("update", True)
        store.put_later(snapshot(2, of=put))
        with pytest.raises(StorageError):
            await store.flush()
        failing("update", False)
        assert await newest(store, put) == 1
        assert store.health().dropped == 1


async def test_who_stops_waiting_does_not_stop_the_writer(tmp_path: Path, held: threading.Event) -> None:
    async with await StorageClient.open(tmp_path) as store:
        put = snapshot()
        task = asyncio.create_task(store.put_snapshot(put))
        await asyncio.wait([task], timeout=0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.set()
        await store.flush()
        assert await newest(store, put) == 1


async def test_many_tasks_at_once_share_transactions(store: StorageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    update, runs = Environment.update, []

    def count(self: Environment, change: Any) -> Any:
        runs.append(1)
        return update(self, change)

    monkeypatch.setattr(Environment, "update", count)
    puts = [snapshot() for _ in range(200)]
    await asyncio.gather(*(store.put_snapshot(put) for put in puts))
    assert len(runs) < 100
    assert [await newest(store, put) for put in puts] == [1] * 200
