"""`Loaded`: an aggregate in memory, as of one place in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aggregate.handler.known_ids import KnownIds
from aggregate.runtime import CommitFold, State, TypeProgram
from aggregate.stream.interface import StoredMessage
from aggregate.types import AggregateKey, Commit, Document, Snapshot, Version

ENVELOPE_BYTES = 700
"""What an entry costs beside its state and its ids: this object, the key, the cache's slot (measured by `bench/memory.py`)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An aggregate: its state and all that the next decision needs. Immutable; the next commit makes the next one.

    Attributes:
        sequence: of the last message of the aggregate that is known, a refusal's included (0: none). The condition of the next append.
        solid: of the last message that does not expire. `sequence` falls back to it when the refusals after it have expired.
        last_time: time of the last commit ("" before the first): the next one is not earlier.
        generation: greatest program generation seen in the messages.
        owned: the id is known to belong to the tenant, so that no owner message has to be written.
        snapshot_version: of the newest snapshot handed to the store.
        tail_bytes: of the lasting messages after that snapshot: what the next load has to read and fold.
        size: bytes of memory, about.
    """

    key: AggregateKey
    state: State
    version: int = 0
    sequence: int = 0
    solid: int = 0
    last_time: str = ""
    generation: int = 0
    known: KnownIds = KnownIds()  # noqa: RUF009 - immutable
    owned: bool = False
    snapshot_version: int = 0
    tail_bytes: int = 0
    size: int = ENVELOPE_BYTES

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot, state: State) -> Loaded:
        """The aggregate at a snapshot."""
        known = KnownIds.of_pairs(snapshot.command_ids, snapshot.floor, snapshot.other_ids)
        return cls(
            key=snapshot.key,
            state=state,
            version=int(snapshot.version),
            sequence=snapshot.sequence,
            solid=snapshot.sequence,
            last_time=snapshot.last_time,
            generation=snapshot.generation,
            known=known,
            owned=True,
            snapshot_version=int(snapshot.version),
            size=_size(state, known),
        )

    def snapshot(self, program: TypeProgram) -> Snapshot:
        """The aggregate as a snapshot made by `program`."""
        known = self.known.greatest()
        return Snapshot(
            tenant_id=self.key.tenant_id,
            aggregate_id=self.key.aggregate_id,
            aggregate_type=self.key.aggregate_type,
            version=Version(self.version),
            state=Document(self.state.json()),
            program=program.digest,
            language=program.language,
            generation=self.generation,
            sequence=self.solid,
            state_hash=self.state.hash(),
            last_time=self.last_time,
            command_ids=known.pairs(),
            floor=known.floor_text,
            other_ids=known.others_dropped,
        )

    def after(
        self, commits: tuple[Commit, ...], state: State, sequence: int, generation: int, *, message_bytes: int, expires: bool
    ) -> Loaded:
        """The aggregate once `commits` stand in the log at `sequence`, in a message of so many bytes."""
        known = self.known.with_ids((commit.command_id, sequence) for commit in commits)
        return Loaded(
            key=self.key,
            state=state,
            version=commits[-1].last_version,
            sequence=sequence,
            solid=self.solid if expires else sequence,
            last_time=commits[-1].time,
            generation=max(self.generation, generation),
            known=known,
            owned=self.owned or not expires,
            snapshot_version=self.snapshot_version,
            tail_bytes=self.tail_bytes if expires else self.tail_bytes + message_bytes,
            size=_size(state, known),
        )

    def folded(self, fold: CommitFold, messages: Sequence[StoredMessage]) -> Loaded:
        """The aggregate once the messages after it are folded in."""
        lasting = [message for message in messages if not message.expires]
        known = self.known.with_ids((command_id, messages[index].sequence) for index, command_id, _, _, _ in fold.commits)
        return replace(
            self,
            state=fold.state,
            version=fold.version,
            sequence=messages[-1].sequence,
            solid=lasting[-1].sequence if lasting else self.solid,
            last_time=fold.time or self.last_time,
            generation=max(self.generation, fold.generation),
            known=known,
            owned=self.owned or bool(lasting),
            tail_bytes=self.tail_bytes + sum(len(message.body) for message in lasting),
            size=_size(fold.state, known),
        )

    def saved(self) -> Loaded:
        """The aggregate once a snapshot of it was handed to the store."""
        return replace(self, snapshot_version=self.version, tail_bytes=0)


def _size(state: State, known: KnownIds) -> int:
    return state.size() + known.size + ENVELOPE_BYTES
