"""What no single member of a placement document shows: names that lead nowhere, ranges that overlap, nodes that cannot be reached."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterator

from aggregate.engine.ring import HashRing
from aggregate.errors import ValidationError, quote
from aggregate.placement.entries import PlacementFile
from aggregate.placement.ranges import TenantRange

LABEL = "tenant_range"
MANY = 15

Found = tuple[tuple[str, ...], str]
"""The keys that lead to a mistake, and what is wrong there."""


def check_placement(file: PlacementFile) -> Iterator[Found]:
    """Everything that is wrong between the members."""
    ranges: dict[TenantRange, str] = {}
    for text in file.tenant_ranges:
        try:
            found = TenantRange.parse(text)
        except ValidationError as error:
            yield ("tenant_ranges", text), error.description
            continue
        if found in ranges:
            yield ("tenant_ranges", text), f"is the same range as {ranges[found]}"
        ranges.setdefault(found, text)
    yield from _overlaps(ranges)
    yield from _labels(file, ranges)
    if file.nodes:
        yield from _addresses(file)
        yield from _targets(file)
        yield from _ring(file)


def _overlaps(ranges: dict[TenantRange, str]) -> Iterator[Found]:
    widest: TenantRange | None = None
    for each in sorted(ranges):
        if widest is not None and widest.overlaps(each):
            yield ("tenant_ranges", ranges[each]), f"overlaps {ranges[widest]}: a tenant that begins with {each.start!r} would be in both"
        if widest is None or each.end > widest.end:
            widest = each


def _addresses(file: PlacementFile) -> Iterator[Found]:
    for kind in ("grpc", "admin"):
        first: dict[str, str] = {}
        for name, node in file.nodes.items():
            address = getattr(node, kind)
            if address is None:
                continue
            if address.endswith(":0"):
                yield ("nodes", name, kind), f"port 0 is no port to reach a node at, got {quote(address)}"
            elif first.setdefault(address, name) != name:
                yield ("nodes", name, kind), f"{address} is the address of {first[address]} too"


def _labels(file: PlacementFile, ranges: dict[TenantRange, str]) -> Iterator[Found]:
    labelled: defaultdict[TenantRange, list[str]] = defaultdict(list)
    for name, node in file.nodes.items():
        if LABEL not in node.labels:
            continue
        place = ("nodes", name, "labels", LABEL)
        try:
            found = TenantRange.parse(node.labels[LABEL])
        except ValidationError as error:
            yield place, error.description
            continue
        labelled[found].append(name)
        if found not in ranges:
            yield place, f"no such range in tenant_ranges, so the label places nobody; add `{found}:` there, or take the label away"
    for each, text in ranges.items():
        if file.tenant_ranges[text] is None and not labelled[each]:
            yield ("tenant_ranges", text), f"no node is labelled `{LABEL}: {each}`; label one, or name a node here"
        if file.tenant_ranges[text] == []:
            yield ("tenant_ranges", text), "names no node"


def _targets(file: PlacementFile) -> Iterator[Found]:
    """Nodes that are named: they must be there, and where nodes have addresses, have one."""
    addressed = any(node.grpc is not None for node in file.nodes.values())

    def wrong(name: str, also: Collection[str] = ()) -> str | None:
        if name in also:
            return None
        if name not in file.nodes:
            return unknown(name, [*file.nodes, *also])
        if addressed and file.nodes[name].grpc is None:
            return f"{name} has no grpc address: neither the gateway nor another node can reach it"
        return None

    for tenant, name in file.tenants.items():
        if what := wrong(name, file.tenant_ranges):
            yield ("tenants", tenant), what
        elif name in file.nodes and name in file.tenant_ranges:
            yield ("tenants", tenant), f"{name} is both a node and a range; rename the node"
    for text, named in file.tenant_ranges.items():
        for place, name in [(("tenant_ranges", text), named)] if isinstance(named, str) else _listed(text, named):
            if what := wrong(name):
                yield place, what
    for tenant, entry in file.draining.items():
        if what := wrong(entry.to):
            yield ("draining", tenant, "to"), what


def _listed(text: str, names: list[str] | None) -> Iterator[tuple[tuple[str, ...], str]]:
    for number, name in enumerate(names or ()):
        yield ("tenant_ranges", text, str(number)), name


def _ring(file: PlacementFile) -> Iterator[Found]:
    weights = {name: node.weight for name, node in file.nodes.items()}
    if not any(weights.values()):
        yield ("nodes",), "every node has weight 0: a tenant that is neither pinned nor in a range would have no node"
    try:
        HashRing(weights, file.ring.vnodes, weights)
    except ValueError as error:
        yield ("ring", "vnodes"), str(error)


def unknown(name: str, known: Collection[str]) -> str:
    """That there is no such node, and which one was probably meant."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)[:MANY])}{', …' if len(known) > MANY else ''}"
    return f"unknown node {quote(name)}; {hint}"
