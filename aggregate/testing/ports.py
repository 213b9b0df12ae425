"""Ports that must be known before the server on them starts, or be had again after it was killed."""

from __future__ import annotations

import atexit
import socket

_KEPT: dict[tuple[str, int], socket.socket] = {}


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody else is given by chance until `give_back`, at the latest until this process ends.

    It stays bound without listening, so that the kernel does not choose it for whoever asks for any port; who asks for this one may listen
    on it all the same, since both allow its reuse. Connecting where nobody listens is refused.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind((host, 0))
    port = int(kept.getsockname()[1])
    _KEPT[host, port] = kept
    return port


def give_back(host: str, port: int) -> None:
    """Let others have the port; nothing happens where it is not one of `free_port`."""
    kept = _KEPT.pop((host, port), None)
    if kept is not None:
        kept.close()


@atexit.register
def _give_all_back() -> None:
    for kept in _KEPT.values():
        kept.close()
