"""`Loaded`: an aggregate in memory, as of one place in the log."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aggregate.handler.known_ids import KnownIds
from aggregate.runtime import State, TypeProgram
from aggregate.types import AggregateKey, Commit, Document, Snapshot, Version

ENVELOPE_BYTES = 600
"""What an entry costs beside its state and its ids: this object, the key, the cache's slot (measured with tracemalloc)."""


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

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot, state: State) -> Loaded:
        """The aggregate at a snapshot."""
        return cls(
            key=snapshot.key,
            state=state,
            version=int(snapshot.version),
            sequence=snapshot.sequence,
            solid=snapshot.sequence,
            last_time=snapshot.last_time,
            generation=snapshot.generation,
            known=KnownIds.of_pairs(snapshot.command_ids, snapshot.floor, snapshot.other_ids),
            owned=True,
            snapshot_version=int(snapshot.version),
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

    def after(self, commits: tuple[Commit, ...], state: State, sequence: int, generation: int, expires: bool) -> Loaded:
        """The aggregate once `commits` stand in the log at `sequence`."""
        return replace(
            self,
            state=state,
            version=commits[-1].last_version,
            sequence=sequence,
            solid=self.solid if expires else sequence,
            last_time=commits[-1].time,
            generation=max(self.generation, generation),
            known=self.known.with_ids((commit.command_id, sequence) for commit in commits),
            owned=self.owned or not expires,
        )

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        return self.state.size() + self.known.size + ENVELOPE_BYTES
