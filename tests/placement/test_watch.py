"""The document in the bucket: changed by compare-and-set, followed by hints and by looking again, backed by a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aggregate.errors import ConfigError, StreamConflict, StreamError, Unavailable
from aggregate.placement import TenantPlacementConfig
from aggregate.placement import watch as watching
from aggregate.placement.store import BUCKET, KEY, PlacementStore, StoredPlacement
from aggregate.placement.watch import PlacementWatch
from aggregate.stream import StreamClient
from aggregate.testing.nats import EmbeddedNats
from tests.stream.waiting import eventually


def placed(**tenants: str) -> TenantPlacementConfig:
    return TenantPlacementConfig.from_values({"tenants": tenants})


@asynccontextmanager
async def following(log: StreamClient, file: Path | None = None) -> AsyncIterator[PlacementWatch]:
    watch = PlacementWatch(file)
    watch.attach(log)
    task = asyncio.create_task(watch.run())
    try:
        await watch.listed()
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "placement.yaml"
    path.write_text("epoch: 3\ntenants: {acme: node-a}\n")
    return path


async def test_an_empty_bucket_places_nobody(log: StreamClient) -> None:
    async with following(log) as watch:
        assert (watch.source, watch.revision, watch.config.get_node("acme")) == ("none", 0, None)


async def test_a_change_is_followed_at_once(log: StreamClient, store: PlacementStore) -> None:
    await store.put(placed(acme="node-a"), revision=0)
    async with following(log) as watch:
        heard: list[tuple[str | None, str | None]] = []
        watch.listen(lambda before, after: heard.append((before.get_node("acme"), after.get_node("acme"))))
        assert watch.config.get_node("acme") == "node-a"
        stored = await store.update(lambda now: now.changed(tenants={"acme": "node-b"}))
        await eventually(lambda: watch.revision == stored.revision)
        assert watch.config.epoch == 1
        assert heard == [("node-a", "node-b")]


async def test_what_the_hint_did_not_tell_is_found_by_looking_again(
    log: StreamClient, store: PlacementStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIST_EVERY", 0.05)
    async with following(log) as watch:
        monkeypatch.setattr(watch, "hint", lambda: None)
        await store.put(placed(acme="node-a"), revision=0)
        await eventually(lambda: watch.config.get_node("acme") == "node-a")


async def test_it_is_looked_at_anew_after_a_lost_connection(tmp_path: Path) -> None:
    async with EmbeddedNats(tmp_path / "nats") as server:
        log = await StreamClient.connect([server.url])
        other = await StreamClient.connect([server.url])
        try:
            await PlacementStore(other.bucket(BUCKET)).put(placed(acme="node-a"), revision=0)
            async with following(log) as watch:
                await server.stop()
                await server.start()
                await asyncio.gather(log.wait_connected(), other.wait_connected())
                await PlacementStore(other.bucket(BUCKET)).update(lambda now: now.changed(tenants={"acme": "node-b"}))
                await eventually(lambda: watch.config.get_node("acme") == "node-b")
                await PlacementStore(other.bucket(BUCKET)).update(lambda now: now.changed(tenants={"acme": "node-c"}))
                await eventually(lambda: watch.config.get_node("acme") == "node-c")
        finally:
            await log.close()
            await other.close()


async def test_the_file_counts_until_the_bucket_can_be_read_and_is_its_seed(log: StreamClient, store: PlacementStore, file: Path) -> None:
    watch = PlacementWatch(file)
    assert (watch.source, watch.config.get_node("acme")) == ("file", "node-a")
    async with following(log, file) as watch:
        assert watch.source == "bucket"
        stored = await store.load()
        assert stored is not None
        assert stored.config == watch.config
        assert stored.config.epoch == 3


async def test_what_is_in_the_bucket_goes_before_the_file(log: StreamClient, store: PlacementStore, file: Path) -> None:
    await store.put(placed(acme="node-z"), revision=0)
    async with following(log, file) as watch:
        assert watch.config.get_node("acme") == "node-z"


async def test_nodes_that_seed_at_once_agree(log: StreamClient, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.yaml" for number in range(4)]
    for number, path in enumerate(files):
        path.write_text(f"tenants: {{acme: node-{number}}}")
    watches = [PlacementWatch(path) for path in files]
    for watch in watches:
        watch.attach(log)
    found = await asyncio.gather(*(watch.reload() for watch in watches))
    assert len({each.get_node("acme") for each in found}) == 1


async def test_a_wrong_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text("tenants: []")
    with pytest.raises(ConfigError, match="tenants"):
        PlacementWatch(path)


async def test_what_is_no_document_changes_nothing(log: StreamClient, store: PlacementStore) -> None:
    first = await store.put(placed(acme="node-a"), revision=0)
    async with following(log) as watch:
        await log.bucket(BUCKET).put(KEY, b'{"tenants": 5}', revision=first.revision)
        await eventually(lambda: watch.trouble != "")
        assert "tenants" in watch.trouble
        assert watch.config.get_node("acme") == "node-a"
        with pytest.raises(ConfigError):
            await watch.reload()


async def test_a_lower_revision_is_believed_when_it_is_seen_twice(log: StreamClient, store: PlacementStore) -> None:
    await store.put(placed(acme="node-a"), revision=0)
    watch = PlacementWatch()
    watch.attach(log)
    watch._use(placed(acme="node-b"), 99, "bucket")
    assert (await watch.reload()).get_node("acme") == "node-b"
    assert (await watch.reload()).get_node("acme") == "node-a"


async def test_of_changes_at_the_same_time_none_is_lost(store: PlacementStore) -> None:
    await store.put(placed(), revision=0)

    async def pin(number: int) -> StoredPlacement:
        return await store.update(lambda now: now.changed(tenants={**now.tenants, f"tenant-{number}": "node-a"}))

    await asyncio.gather(*(pin(number) for number in range(8)))
    stored = await store.load()
    assert stored is not None
    assert len(stored.config.tenants) == stored.config.epoch == 8


async def test_a_change_to_what_is_there_writes_nothing(store: PlacementStore) -> None:
    first = await store.put(placed(acme="node-a"), revision=0)
    assert await store.update(lambda now: now) == first


async def test_a_put_on_another_revision_is_refused(store: PlacementStore) -> None:
    await store.put(placed(), revision=0)
    with pytest.raises(StreamConflict):
        await store.put(placed(acme="a"), revision=0)


async def test_a_change_whose_answer_was_lost_is_found_in_the_bucket(store: PlacementStore, monkeypatch: pytest.MonkeyPatch) -> None:
    put = PlacementStore.put

    async def lost(self: PlacementStore, config: TenantPlacementConfig, *, revision: int) -> StoredPlacement:
        await put(self, config, revision=revision)
        raise Unavailable("the connection broke", "nats_disconnected")

    monkeypatch.setattr(PlacementStore, "put", lost)
    stored = await store.update(lambda now: now.changed(tenants={"acme": "node-a"}))
    assert (stored.config.epoch, stored.config.get_node("acme")) == (1, "node-a")


async def test_without_a_server_the_file_stays(tmp_path: Path, file: Path) -> None:
    async with EmbeddedNats() as server:
        log = await StreamClient.connect([server.url])
    watch = PlacementWatch(file)
    watch.attach(log)
    try:
        with pytest.raises((Unavailable, StreamError)):
            await watch.reload()
        assert watch.config.get_node("acme") == "node-a"
        assert watch.trouble
    finally:
        await log.close()
