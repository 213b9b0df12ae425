"""`TenantPlacementConfig`: which node serves which tenant.

A document in YAML or JSON, the same in a file and in the key-value bucket. A tenant is looked for among the pins, then in the ranges of
first characters; every other one falls on the ring. Nodes need nothing but the document to agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import pydantic

from aggregate.config.files import ConfigFile, parse_config, read_config_file
from aggregate.config.mistakes import mistakes_of
from aggregate.engine.ring import HashRing
from aggregate.errors import ConfigError, Mistake, ValidationError
from aggregate.placement.checks import LABEL, check_placement
from aggregate.placement.entries import PlacementFile, known_names
from aggregate.placement.ranges import TenantRange
from aggregate.types import TenantId


@dataclass(frozen=True, slots=True)
class PlacementNode:
    """A node as the document has it.

    Attributes:
        grpc: host:port of its gRPC server, None where nobody said.
        admin: likewise of its admin server.
        weight: its share of the ring.
    """

    id: str
    grpc: str | None = None
    admin: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Draining:
    """A tenant on the move: until then (RFC 3339) its node takes no commands of it."""

    to: str
    until: str
    migration: str


class TenantPlacementConfig:
    """A checked document. Immutable."""

    __slots__ = ("_file", "_range_rings", "_ring", "draining", "nodes", "tenant_ranges", "tenants")

    def __init__(self, file: PlacementFile) -> None:
        """Use `from_yaml`, `from_json`, `from_values` or `load`: they check."""
        self._file = file
        named = {*file.tenants.values()}.difference(file.tenant_ranges)
        for given in file.tenant_ranges.values():
            named |= {given} if isinstance(given, str) else {*(given or ())}
        entries = file.nodes.items()
        nodes = {name: PlacementNode(name, node.grpc, node.admin, MappingProxyType(node.labels), node.weight) for name, node in entries}
        # A document of pins alone is enough: the names they use are nodes, of which nobody said where they are.
        self.nodes: Mapping[str, PlacementNode] = MappingProxyType(nodes or {name: PlacementNode(name) for name in sorted(named)})
        self.tenants: Mapping[TenantId, str] = MappingProxyType(file.tenants)
        ranges = {TenantRange.parse(text): self._members(text, given) for text, given in file.tenant_ranges.items()}
        self.tenant_ranges: Mapping[TenantRange, tuple[str, ...]] = MappingProxyType(ranges)
        self.draining: Mapping[TenantId, Draining] = MappingProxyType(
            {tenant: Draining(entry.to, entry.until, entry.migration) for tenant, entry in file.draining.items()}
        )
        self._ring = self._make_ring(self.nodes)
        self._range_rings = {each: self._make_ring(members) for each, members in ranges.items() if members}

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """The document in this YAML. Raises ConfigError: every mistake with its line."""
        return cls._of_file(parse_config(Path("placement.yaml"), text))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The document in this JSON. Raises ConfigError: every mistake with its line."""
        try:
            decoded = text if isinstance(text, str) else text.decode()
        except UnicodeDecodeError as error:
            raise ConfigError([Mistake("placement.json", f"is not UTF-8 (byte {error.start})")]) from error
        return cls._of_file(parse_config(Path("placement.json"), decoded))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The document in a `.yaml`, `.yml`, `.json` or `.toml` file. Raises ConfigError: every mistake with its line."""
        return cls._of_file(read_config_file(Path(path)))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The document with these members. Raises ConfigError: every mistake with its place."""
        return cls._of_file(ConfigFile(Path("placement"), dict(values)))

    @property
    def epoch(self) -> int:
        """Number of the document."""
        return self._file.epoch

    @property
    def vnodes(self) -> int:
        """Points on the ring of a node of weight 1."""
        return self._file.ring.vnodes

    def get_node(self, tenant: str) -> str | None:
        """The node of a tenant, by pin, range or ring; None where there are no nodes. Raises ValidationError: no tenant's name."""
        tenant_id = TenantId(tenant)
        pinned = self.tenants.get(tenant_id)
        if pinned in self.nodes:
            return pinned
        if pinned is not None:
            return self._range_rings[TenantRange.parse(pinned)].get_node(tenant_id)
        for each, ring in self._range_rings.items():
            if tenant_id in each:
                return ring.get_node(tenant_id)
        return self._ring.get_node(tenant_id)

    def why(self, tenant: str) -> str:
        """By what a tenant has its node: `pin`, `range a-m` or `ring`."""
        tenant_id = TenantId(tenant)
        if (pinned := self.tenants.get(tenant_id)) is not None:
            return "pin" if pinned in self.nodes else f"pin to range {pinned}"
        return next((f"range {each}" for each in self.tenant_ranges if tenant_id in each), "ring")

    def to_dict(self) -> dict[str, Any]:
        """The document as JSON values, defaults left out."""
        return {"v": self._file.v, **self._file.model_dump(mode="json", exclude_defaults=True, exclude={"v", "epoch"}), "epoch": self.epoch}

    def to_json(self) -> bytes:
        """The document as it is stored."""
        return json.dumps(self.to_dict(), separators=(",", ":"), sort_keys=True).encode()

    def changed(self, **members: Any) -> Self:
        """The document with other members, and the next epoch. Raises ConfigError: then it would be wrong."""
        return self.from_values({**self.to_dict(), **members, "epoch": self.epoch + 1})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantPlacementConfig) and self._file == other._file

    def __hash__(self) -> int:
        return hash((self.epoch, *self.nodes))

    def __repr__(self) -> str:
        return f"TenantPlacementConfig(epoch={self.epoch}, nodes={sorted(self.nodes)}, pins={len(self.tenants)})"

    @classmethod
    def _of_file(cls, file: ConfigFile) -> Self:
        """Check all of it; what is wrong in form is left out, so that the rest is looked at too."""
        mistakes: list[Mistake] = []
        entry: PlacementFile | None = None
        values = file.values
        try:
            entry = PlacementFile.model_validate(values)
        except pydantic.ValidationError as error:
            mistakes = mistakes_of(error, file.place, known_names)
            entry = _readable(values, error)
        if entry is not None:
            mistakes += [Mistake(file.place(keys), message) for keys, message in check_placement(entry)]
        if mistakes or entry is None:
            raise ConfigError(mistakes)
        return cls(entry)

    def _members(self, text: str, given: str | list[str] | None) -> tuple[str, ...]:
        """The nodes of a range: those named, else those with its label."""
        if given is not None:
            return (given,) if isinstance(given, str) else tuple(given)
        wanted = TenantRange.parse(text)
        return tuple(node.id for node in self.nodes.values() if _label(node) == wanted)

    def _make_ring(self, names: Mapping[str, PlacementNode] | tuple[str, ...]) -> HashRing:
        weights = {name: self.nodes[name].weight for name in names}
        if names is not self.nodes and not any(weights.values()):
            weights = dict.fromkeys(weights, 1)  # weight 0 keeps a node off the ring, not out of the range it is named for
        return HashRing(weights, self.vnodes, weights)


def _label(node: PlacementNode) -> TenantRange | None:
    try:
        return TenantRange.parse(node.labels[LABEL]) if LABEL in node.labels else None
    except ValidationError:
        return None


def _readable(values: Mapping[str, Any], error: pydantic.ValidationError) -> PlacementFile | None:
    """What is left of a document without the members that are wrong; None where that makes no document."""
    bad = {(complaint["loc"][0], complaint["loc"][1] if len(complaint["loc"]) > 1 else None) for complaint in error.errors()}
    left: dict[str, Any] = {}
    for name, value in values.items():
        if (name, None) in bad:
            continue
        wrong = {key for at, key in bad if at == name}
        left[name] = {key: each for key, each in value.items() if key not in wrong} if wrong and isinstance(value, dict) else value
    try:
        return PlacementFile.model_validate(left)
    except pydantic.ValidationError:
        return None
