"""A consistent-hash ring: which node has which tenant, such that a node that comes or goes moves few of them. Twin of `native/src/ring.rs`.

Every node has `vnodes` x weight points on a circle of 64 bits; a tenant belongs to the first point at or after its own hash. The hash is
SipHash-2-4 with a fixed key: the same on both engines, every machine and every version, because nodes must agree without talking. The
key was chosen among equals so that a few documented examples come out even.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

KEY: Final = (0x6167677265676174, 4)
MAX_VNODES: Final = 10_000
MAX_WEIGHT: Final = 1_000
MAX_POINTS: Final = 1_000_000
_MASK: Final = (1 << 64) - 1


class HashRing:
    """Nodes by name, each with a weight; the order in which they came makes no difference.

    Raises:
        ValueError: `vnodes`, a weight or their product is out of range, or a node is named twice.
    """

    __slots__ = ("_hashes", "_points", "_vnodes", "_weights")

    def __init__(self, nodes: Iterable[str] = (), vnodes: int = 128, weights: Mapping[str, int] | None = None) -> None:
        """`vnodes`: points of a node of weight 1. `weights`: of the nodes whose weight is not 1."""
        if not 1 <= vnodes <= MAX_VNODES:
            raise ValueError(f"virtual nodes are 1 to {MAX_VNODES}, got {vnodes}")
        self._vnodes = vnodes
        self._weights: dict[str, int] = {}
        given = weights if weights is not None else {}
        self._points: list[tuple[int, str]] = []
        for node in nodes:
            self._put(node, given.get(node, 1))
        self._order()

    @property
    def nodes(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._weights)

    @property
    def vnodes(self) -> int:
        """Points of a node of weight 1."""
        return self._vnodes

    def weight(self, node: str) -> int:
        """A node's weight. Raises ValueError: there is no such node."""
        if node not in self._weights:
            raise ValueError(f"no node '{node}' on the ring")
        return self._weights[node]

    def get_node(self, tenant: str) -> str | None:
        """The node of a tenant; None where no node has a weight."""
        if not self._hashes:
            return None
        at = bisect_left(self._hashes, siphash(tenant.encode()))
        return self._points[at if at < len(self._points) else 0][1]

    def add_node(self, node: str, weight: int = 1) -> None:
        """Take a node in. Raises ValueError: it is there already, or the weight is out of range."""
        self._put(node, weight)
        self._order()

    def remove_node(self, node: str) -> None:
        """Let a node go. Raises ValueError: there is no such node."""
        if node not in self._weights:
            raise ValueError(f"no node '{node}' on the ring")
        del self._weights[node]
        self._points = [point for point in self._points if point[1] != node]
        self._order()

    def _put(self, node: str, weight: int) -> None:
        if node in self._weights:
            raise ValueError(f"node '{node}' is on the ring already")
        if not 0 <= weight <= MAX_WEIGHT:
            raise ValueError(f"a weight is 0 to {MAX_WEIGHT}, got {weight}")
        if (sum(self._weights.values()) + weight) * self._vnodes > MAX_POINTS:
            raise ValueError(f"the ring would have more than {MAX_POINTS} points; use fewer virtual nodes or smaller weights")
        name = node.encode()
        self._points += ((siphash(b"%b\0%d" % (name, number)), node) for number in range(weight * self._vnodes))
        self._weights[node] = weight

    def _order(self) -> None:
        """Two nodes' points may coincide: the smaller name goes first, whichever came first."""
        self._points.sort()
        self._hashes = [point for point, _ in self._points]


def siphash(data: bytes, key: tuple[int, int] = KEY) -> int:
    """SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), a number of 64 bits."""
    v0, v1 = key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D
    v2, v3 = key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573
    whole = len(data) & ~7
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append((len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little"))
    for word in words:
        v3 ^= word
        v0, v1, v2, v3 = _rounds(2, v0, v1, v2, v3)
        v0 ^= word
    v0, v1, v2, v3 = _rounds(4, v0, v1, v2 ^ 0xFF, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _rounds(count: int, v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        v0 = (v0 + v1) & _MASK
        v2 = (v2 + v3) & _MASK
        v1 = ((v1 << 13 | v1 >> 51) & _MASK) ^ v0
        v3 = ((v3 << 16 | v3 >> 48) & _MASK) ^ v2
        v0 = (v0 << 32 | v0 >> 32) & _MASK
        v2 = (v2 + v1) & _MASK
        v0 = (v0 + v3) & _MASK
        v1 = ((v1 << 17 | v1 >> 47) & _MASK) ^ v2
        v3 = ((v3 << 21 | v3 >> 43) & _MASK) ^ v0
        v2 = (v2 << 32 | v2 >> 32) & _MASK
    return v0, v1, v2, v3
