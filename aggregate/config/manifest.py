"""`AggregateManifest`: which aggregate types there are, with which programs they decide and apply, and what is kept of them.

A manifest is one YAML (or JSON, TOML) file; the programs it names are files beside it. Loading reads them, so that what was checked is
what runs. That they compile is checked where they are compiled (`aggregate.runtime`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import pydantic

from aggregate.config.entries import ManifestFile, TypeEntry
from aggregate.config.files import read_config_file
from aggregate.config.mistakes import Place, mistakes_of
from aggregate.errors import ConfigError, Mistake
from aggregate.types import AggregateType, Document

MAX_SOURCE_BYTES = 64 * 1024
BANK = Path(__file__).parent.parent / "examples" / "bank" / "manifest.yaml"


@dataclass(frozen=True, slots=True)
class ProgramSource:
    """A program's text and the name of the file it came from."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Projection:
    """What is kept of a type for queries.

    Attributes:
        where: filter that an aggregate must match to be kept, None: all are.
        fields: paths that are kept, None: the whole state.
        indexes: paths with an index.
    """

    where: str | None = None
    fields: tuple[str, ...] | None = None
    indexes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AggregateDefinition:
    """One aggregate type.

    Attributes:
        sources: the program, or the two with `decide` and with `apply`.
        initial: the state before the first event.
        snapshot_threshold: events between snapshots, None: as the settings say. `snapshot_bytes`, `snapshot_age`, `gas_decide` and
            `gas_apply` likewise.
        record_commands: whether commits keep the command's payload.
        record_refusals: whether refusals stay in the log for good.
        projection: what is kept for queries, None: the type cannot be queried.
    """

    type: AggregateType
    sources: tuple[ProgramSource] | tuple[ProgramSource, ProgramSource]
    initial: Document = Document(b"null")  # noqa: RUF009 - immutable
    snapshot_threshold: int | None = None
    snapshot_bytes: int | None = None
    snapshot_age: float | None = None
    gas_decide: int | None = None
    gas_apply: int | None = None
    record_commands: bool = True
    record_refusals: bool = False
    projection: Projection | None = None


@dataclass(frozen=True, slots=True)
class AggregateManifest:
    """The aggregate types of a node, by name."""

    aggregates: Mapping[AggregateType, AggregateDefinition]

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a manifest file and the programs it names (relative to its folder).

        Raises:
            ConfigError: every mistake, with file and line.
        """
        file = read_config_file(Path(path))
        return cls.from_values(file.values, file.path.parent, file.place)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], folder: Path, place: Place | None = None) -> Self:
        """The manifest that is written as these values.

        Args:
            values: the top-level mapping.
            folder: where the programs it names stand.
            place: from the keys that lead to a value to the place it was written at.

        Raises:
            ConfigError: every mistake.
        """
        where = place if place is not None else lambda keys: ".".join(map(str, keys))
        mistakes: list[Mistake] = []
        try:
            entries = ManifestFile.model_validate(values).aggregates
        except pydantic.ValidationError as error:
            mistakes = mistakes_of(error, where, _known)
            entries = {}
            bad = {complaint["loc"][1] for complaint in error.errors() if len(complaint["loc"]) > 1}
            whole = values.get("aggregates")
            if isinstance(whole, dict):  # the other types are looked at all the same
                good = {name: entry for name, entry in whole.items() if name not in bad}
                entries = ManifestFile.model_validate({"aggregates": good}).aggregates if good else {}
        found = {name: _definition(name, entry, folder, where, mistakes) for name, entry in entries.items()}
        if mistakes:
            raise ConfigError(mistakes)
        return cls(MappingProxyType({name: each for name, each in found.items() if each is not None}))

    @classmethod
    def of_sources(cls, sources: Mapping[str, str | tuple[str, str]], **options: Any) -> Self:
        """A manifest of program texts: for each type one, or a pair of `decide` and `apply`.

        Args:
            sources: texts by type name.
            options: members of `AggregateDefinition`, the same for every type.
        """
        made = {}
        for name, given in sources.items():
            texts = (given,) if isinstance(given, str) else given
            programs = tuple(
                ProgramSource(f"<{name}>" if len(texts) == 1 else f"<{name} {part}>", text)
                for part, text in zip(("decide", "apply"), texts, strict=False)
            )
            made[AggregateType(name)] = AggregateDefinition(AggregateType(name), programs, **options)  # type: ignore[arg-type]  # one or two
        return cls(MappingProxyType(made))

    @classmethod
    def bank(cls) -> Self:
        """The bank example that is shipped."""
        return cls.load(BANK)


def _known(keys: Sequence[str | int]) -> Collection[str]:
    """The names allowed in the mapping at `keys`."""
    if not keys:
        return ManifestFile.model_fields
    nested = TypeEntry.nested(str(keys[2])) if len(keys) > 2 else TypeEntry
    return nested.model_fields


def _definition(name: AggregateType, entry: TypeEntry, folder: Path, place: Place, mistakes: list[Mistake]) -> AggregateDefinition | None:
    """The type that `entry` describes, its programs read; None (and mistakes) when one cannot be."""
    at = ["aggregates", str(name)]
    if entry.program is not None and entry.decide is None and entry.apply is None:
        parts = {"program": entry.program}
    elif entry.program is None and entry.decide is not None and entry.apply is not None:
        parts = {"decide": entry.decide, "apply": entry.apply}
    else:
        mistakes.append(Mistake(place(at), "expected either `program`, or `decide` and `apply`"))
        return None
    sources = [_source(folder / path, place([*at, key]), mistakes) for key, path in parts.items()]
    if any(source is None for source in sources):
        return None
    return AggregateDefinition(
        type=name,
        sources=tuple(sources),  # type: ignore[arg-type]  # one or two, none of them None
        initial=Document.of(entry.initial),
        snapshot_threshold=entry.snapshot_threshold,
        snapshot_bytes=entry.snapshot_bytes,
        snapshot_age=entry.snapshot_age,
        gas_decide=entry.gas.decide,
        gas_apply=entry.gas.apply,
        record_commands=entry.record_commands,
        record_refusals=entry.record_refusals,
        projection=None
        if entry.projection is None
        else Projection(
            entry.projection.where,
            None if entry.projection.fields is None else tuple(entry.projection.fields),
            tuple(entry.projection.indexes),
        ),
    )


def _source(path: Path, place: str, mistakes: list[Mistake]) -> ProgramSource | None:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SOURCE_BYTES + 1)
        if len(raw) > MAX_SOURCE_BYTES:
            mistakes.append(Mistake(place, f"{path} is larger than {MAX_SOURCE_BYTES} bytes"))
            return None
        return ProgramSource(str(path), raw.decode())
    except OSError as error:
        mistakes.append(Mistake(place, f"{path} cannot be read: {error.strerror or error}"))
    except UnicodeDecodeError as error:
        mistakes.append(Mistake(place, f"{path} is not UTF-8 (byte {error.start})"))
    return None
