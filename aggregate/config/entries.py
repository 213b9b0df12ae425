"""The manifest as it is written: names, kinds and bounds of its members. The JSON Schema of a manifest is made from these."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from aggregate.config.fields import Bytes, Seconds
from aggregate.errors import ValidationError
from aggregate.types import AggregateType
from aggregate.types.ids import TYPE_PATTERN
from aggregate.types.json import canonical

GAS_CAP = 10_000_000
MAX_PATH = 256
MAX_INITIAL_BYTES = 1024 * 1024


def _path(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError(f"expected a path like balance or owner.country, got {value!r}")
    return value


def _once(values: list[str]) -> list[str]:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands twice")
    return values


def _document(value: Any) -> Any:
    """A value that is JSON: YAML and TOML know more kinds than that."""
    try:
        if len(canonical(value)) > MAX_INITIAL_BYTES:
            raise ValueError(f"is larger than {MAX_INITIAL_BYTES} bytes")
    except ValidationError as error:
        raise ValueError(str(error)) from error
    return value


def _file_name(value: str) -> str:
    if "\0" in value:
        raise ValueError("a path holds no NUL")
    return value


FileName = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_file_name)]
StatePath = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(_path)]
Paths = Annotated[list[StatePath], Field(max_length=64), AfterValidator(_once)]
Gas = Annotated[int, Field(ge=1, le=GAS_CAP)]
TypeName = Annotated[AggregateType, WithJsonSchema({"type": "string", "pattern": "^" + TYPE_PATTERN.pattern.removesuffix(r"\Z") + "$"})]
Json = Annotated[Any, BeforeValidator(_document), WithJsonSchema({})]


class Entry(BaseModel):
    """A mapping in which every name is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GasEntry(Entry):
    """Limits of gas, where they differ from the settings."""

    decide: Gas | None = Field(default=None, description="Gas for one `decide`.")
    apply: Gas | None = Field(default=None, description="Gas for one event's `apply`.")


class ProjectionEntry(Entry):
    """What is kept for queries."""

    where: Annotated[str, Field(min_length=1, max_length=65536)] | None = Field(
        None, description="Filter that an aggregate must match to be kept."
    )
    fields: Paths | None = Field(None, description="Paths that are kept; all of the state where it is not given.")
    indexes: Paths = Field([], description="Paths with an index, like `balance` or `owner.country`.")


class TypeEntry(Entry):
    """One aggregate type."""

    program: FileName | None = Field(None, description="File with `decide` and `apply`, relative to the manifest.")
    decide: FileName | None = Field(None, description="File with `decide`; with `apply`, instead of `program`.")
    apply: FileName | None = Field(None, description="File with `apply`; with `decide`, instead of `program`.")
    initial: Json = Field(None, description="The state before the first event.")
    snapshot_threshold: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="Events after which a new snapshot is written."
    )
    snapshot_bytes: Bytes | None = Field(None, description="Bytes of messages after which one is written; 0: however many.")
    snapshot_age: Seconds | None = Field(
        None, description="Time after which one is written of an aggregate in memory, however few its new events are; 0: none."
    )
    record_commands: bool = Field(True, description="Whether the log keeps the payload of commands.")
    record_refusals: bool = Field(False, description="Whether refusals stay in the log for good.")
    gas: GasEntry = Field(GasEntry(), description="Limits of gas.")
    projection: ProjectionEntry | None = Field(None, description="What is kept for queries; without it the type cannot be queried.")

    @staticmethod
    def nested(name: str) -> type[Entry]:
        """The kind of the mapping that member `name` is."""
        kinds: dict[str, type[Entry]] = {"gas": GasEntry, "projection": ProjectionEntry}
        return kinds.get(name, TypeEntry)


class ManifestFile(Entry):
    """A manifest."""

    aggregates: dict[TypeName, TypeEntry] = Field(description="The aggregate types by name.", min_length=1)
