"""The platform's stack on a Swarm of one machine, under a name of its own, and what can be done to it."""

from __future__ import annotations

import json
import secrets
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

from aggregate.testing.ports import free_port

from .engine import ROOT, docker, images, run
from .waiting import until

STACK = "swarm/stacks/platform.yml"
PROGRAMS = "/opt/aggregate/lib/python3.13/site-packages/aggregate/examples"
SETTINGS = f"""
aggregates:
  Account: {{program: {PROGRAMS}/bank/bank.agl, initial: null, snapshot_threshold: 7}}
  Order: {{program: {PROGRAMS}/order/order.agl, initial: null, snapshot_threshold: 7}}
"""
SERVICES = ("nats-1", "nats-2", "nats-3", "aggregate-a-m", "aggregate-n-z", "gateway")
NODES = ("aggregate-a-m", "aggregate-n-z")


class Stack:
    """A deployed stack, by name: what it does, and what can be done to it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def converged(self) -> bool:
        """Every service has as many healthy tasks as it should."""
        listed = docker("stack", "services", self.name, "--format", "{{.Name}} {{.Replicas}}").splitlines()
        states = dict(line.split()[:2] for line in listed)
        return len(states) == len(SERVICES) and all(state.split("/")[0] == state.split("/")[1] != "0" for state in states.values())

    def replicas(self, service: str) -> str:
        """Healthy tasks of a service, and how many there should be: `1/1`."""
        return docker("service", "ls", "--filter", f"name={self.name}_{service}", "--format", "{{.Replicas}}").split()[0]

    def has_routes(self) -> bool:
        """Whether the gateway was given routes."""
        return "new routes are in use" in self.logs("gateway")

    def updated(self, service: str) -> str:
        """How the last update of a service ended; "" while it goes on."""
        asked = docker("service", "inspect", f"{self.name}_{service}", "--format", "{{json .UpdateStatus}}")
        state = (json.loads(asked) or {}).get("State", "")
        return "" if state in {"updating", "rollback_started"} else str(state)

    def container(self, service: str) -> str:
        """The running container of a service; "" while there is none."""
        return docker("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={self.name}_{service}").partition("\n")[0]

    def on(self, service: str, *command: str) -> str:
        """Run a command in a service's container."""
        return docker("exec", self.container(service), *command)

    def roll(self, service: str) -> None:
        """Begin to replace its tasks by new ones."""
        docker("service", "update", "-q", "--detach", "--force", f"{self.name}_{service}")

    def kill(self, service: str) -> None:
        """End its container as a crash would."""
        docker("kill", self.container(service), check=False)

    def cut(self, service: str, cut: bool) -> None:
        """Take its container off all networks, or put it back."""
        pid = docker("inspect", self.container(service), "--format", "{{.State.Pid}}")
        for chain, side in (("INPUT", "-i"), ("OUTPUT", "-o")):
            rule = ("-I" if cut else "-D", chain, "!", side, "lo", "-j", "DROP")
            subprocess.run(["nsenter", "-t", pid, "-n", "iptables", "-w", *rule], check=True, capture_output=True)

    def migrate(self, tenant: str, target: str) -> str:
        """Move a tenant to a node; what the command says of it. Given again while the log or a node is away (exit code 4)."""
        command = ["docker", "exec", self.container(target), "aggregate", "placement", "migrate", tenant, "--to", target]
        for _ in range(20):
            ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            if ended.returncode != 4:
                break
            time.sleep(1)
        assert ended.returncode == 0, f"{ended.returncode}: {ended.stdout}{ended.stderr}"
        return ended.stdout.strip()

    def logs(self, service: str) -> str:
        """What its tasks said, those that have ended included (`docker service logs` may wait for ever for one that is gone)."""
        containers = docker("ps", "-aq", "--filter", f"label=com.docker.swarm.service.name={self.name}_{service}").split()
        command = ["docker", "logs"]
        return "".join(
            subprocess.run([*command, each], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60).stdout
            for each in containers
        )


class Platform(Stack):
    """An async context manager: deployed and converged inside, everything gone after it."""

    def __init__(self) -> None:
        super().__init__(f"smoke{secrets.token_hex(3)}")
        self.port = free_port()
        self.token = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="aggregate-swarm-"))
        self._own_swarm = False
        self._password = secrets.token_hex(16)
        assignments = (line.partition("=") for line in (ROOT / "swarm/one-machine.env").read_text().splitlines() if "=" in line[:40])
        self.env = {name: value.strip('"') for name, _, value in assignments if not name.startswith("#")}
        self.env |= {
            "GATEWAY_PORT": str(self.port),
            "NATS_PASSWORD_SECRET": f"{self.name}_password",
            "ADMIN_TOKEN_SECRET": f"{self.name}_token",
            "SETTINGS_FILE": str(self._folder / "settings.yaml"),
            **{f"{each}_VERSION": self.name for each in ("NATS", "SETTINGS", "PLACEMENT")},
        }

    @property
    def address(self) -> str:
        """The gateway's, for clients."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        images()
        (self._folder / "settings.yaml").write_text((ROOT / "swarm/config/settings.yaml").read_text() + SETTINGS)
        try:
            if docker("info", "--format", "{{.Swarm.LocalNodeState}}") != "active":
                docker("swarm", "init", "--advertise-addr", "127.0.0.1")
                self._own_swarm = True
            docker("secret", "create", self.env["NATS_PASSWORD_SECRET"], "-", stdin=self._password)
            docker("secret", "create", self.env["ADMIN_TOKEN_SECRET"], "-", stdin=self.token)
            run("docker", "stack", "deploy", "-c", STACK, self.name, env=self.env)
            await until(self.converged)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        docker("stack", "rm", self.name, check=False)
        mine = ("--filter", f"label=com.docker.stack.namespace={self.name}")
        await until(lambda: not docker("ps", "-aq", *mine))  # tasks drain
        for secret in ("NATS_PASSWORD_SECRET", "ADMIN_TOKEN_SECRET"):
            docker("secret", "rm", self.env[secret], check=False)
        if self._own_swarm:
            docker("swarm", "leave", "--force")
        docker("volume", "rm", *(f"{self.name}_nats-{number}" for number in (1, 2, 3)), check=False)
        for each in self._folder.iterdir():
            each.unlink()
        self._folder.rmdir()

    def nats_from_here(self) -> str:
        """A URL of the log for this machine, which reaches containers over the engine's bridge."""
        sandbox = docker("inspect", self.container("nats-1"), "--format", "{{.NetworkSettings.SandboxID}}")
        bridge = json.loads(docker("network", "inspect", "docker_gwbridge", "--format", "{{json .Containers}}"))
        host = next(each["IPv4Address"] for each in bridge.values() if each["Name"] == f"gateway_{sandbox[:12]}").partition("/")[0]
        return f"nats://aggregate:{self._password}@{host}:4222"
