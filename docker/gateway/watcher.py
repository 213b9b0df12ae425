#!/usr/bin/env python3
"""Runs nginx and keeps its routes those of the placement: asks a node for them, tries them, and reloads nginx when they have changed.

The routes are the text of `GET /admin/routes/nginx` of any node. It names upstream servers by host; they are looked up here, every second,
and put in by address, all that a name has, because nginx looks a name up once and takes no configuration that holds one nobody knows: a
node that is away must not keep the routes of the others from changing. What nginx refuses is told and not used.

    ROUTES_URLS        admin URLs of the nodes, separated by commas; the one that answered last is asked first
    ROUTES_TOKEN_FILE  file with their bearer token
    ROUTES_INTERVAL    seconds between two looks (1)
    STOP_GRACE         seconds that calls under way are given at the end (20)
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

TEMPLATES = Path("/etc/nginx")
FOLDER = Path("/tmp/gateway")  # noqa: S108 - in a container that is nobody else's
TIMEOUT = 2.0
LARGEST = 16 * 2**20
SERVER = re.compile(r"^(?P<before>[ \t]*server[ \t]+)(?P<host>[A-Za-z0-9._-]+):(?P<port>\d+)(?P<after>[^;]*;)", re.MULTILINE)
NOBODY = "127.0.0.1:1"
"""An address that is never asked, because it is marked as down: an upstream without any server is not allowed."""


def with_addresses(routes: str, look_up: Callable[[str], Sequence[str]]) -> str:
    """The routes with every upstream server by its addresses, in a fixed order; one that has none is down."""

    def replace(found: re.Match[str]) -> str:
        addresses = sorted(look_up(found["host"]))
        if not addresses:
            return f"{found['before']}{NOBODY} down; # {found['host']} has no address"
        return "\n".join(f"{found['before']}{address}:{found['port']}{found['after']}" for address in addresses)

    return SERVER.sub(replace, routes)


def look_up(host: str) -> list[str]:
    """The IPv4 addresses of a host; none where nobody knows it."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)})
    except OSError:
        return []


class Nodes:
    """The nodes that may be asked for the routes."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._urls = list(urls)
        self._token = token

    def routes(self) -> str | None:
        """What the first of them that answers says; None when nobody does."""
        for url in list(self._urls):
            request = urllib.request.Request(f"{url.rstrip('/')}/admin/routes/nginx")  # noqa: S310 - the URLs are the operator's
            if self._token:
                request.add_header("Authorization", f"Bearer {self._token}")
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - as above
                    text = answer.read(LARGEST).decode()
            except (OSError, urllib.error.URLError, ValueError) as error:
                say(f"{url} gives no routes: {error}")
                self._urls.append(self._urls.pop(0))
                continue
            return text
        return None


class Nginx:
    """nginx as a child, and the folder that it reads."""

    def __init__(self, folder: Path) -> None:
        self._used = folder / "used"
        self._tried = folder / "tried"
        self.routes = ""
        for each in (self._used, self._tried):
            each.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATES / "nginx.conf", each)
        shutil.copy(TEMPLATES / "starting.conf", self._used / "routes.conf")
        self.process = subprocess.Popen(["nginx", "-c", str(self._used / "nginx.conf")])  # noqa: S607 - the image's PATH

    def use(self, routes: str) -> bool:
        """Reload with these routes, unless nginx refuses them."""
        (self._tried / "routes.conf").write_text(routes)
        command = ["nginx", "-t", "-q", "-c", str(self._tried / "nginx.conf")]
        test = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if test.returncode != 0:
            say(f"nginx refuses the routes: {test.stdout.decode(errors='replace').strip()}")
            return False
        (self._tried / "routes.conf").replace(self._used / "routes.conf")
        self.process.send_signal(signal.SIGHUP)
        self.routes = routes
        return True

    def stop(self, grace: float) -> int:
        """Let the calls under way finish, but no longer than `grace` seconds."""
        self.process.send_signal(signal.SIGQUIT)
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            return self.process.wait()


class Told(Exception):
    """We were asked to stop."""


def main() -> int:
    token = os.environ.get("ROUTES_TOKEN_FILE")
    nodes = Nodes(os.environ["ROUTES_URLS"].split(","), Path(token).read_text().strip() if token else "")
    interval = float(os.environ.get("ROUTES_INTERVAL", "1"))
    nginx = Nginx(FOLDER)
    rendered: str | None = None
    refused = ""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Told

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        while nginx.process.poll() is None:
            rendered = nodes.routes() or rendered
            if rendered is not None:
                wanted = with_addresses(rendered, look_up)
                if wanted not in {nginx.routes, refused}:
                    if nginx.use(wanted):
                        say("new routes are in use")
                    else:
                        refused = wanted
            time.sleep(interval)
    except Told:
        return 0 if nginx.stop(float(os.environ.get("STOP_GRACE", "20"))) == 0 else 1
    say(f"nginx ended with {nginx.process.returncode}")
    return 1


def say(what: str, said: list[str] = [""]) -> None:  # noqa: B006 - what was said last
    """One line, unless it is the one before again."""
    if what != said[0]:
        print(f"watcher: {what}", file=sys.stderr, flush=True)
    said[0] = what


if __name__ == "__main__":
    sys.exit(main())
