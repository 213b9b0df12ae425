"""Routes of a gateway, rendered from the placement: nginx and Traefik lead each call to the node of its `x-tenant-id`.

A gateway cannot compute our ring. What it is told by name (pins, and the tenants it is given as known) goes to the right node at once, and
so do ranges of a single node; any other call goes to one of the nodes it could belong to, always the same one, and that node passes it on.
So a route that is late or missing costs a hop and nothing else. Where the right node does not answer, another one serves the tenant.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Mapping
from typing import Any

from aggregate.placement.config import TenantPlacementConfig
from aggregate.placement.ranges import TenantRange
from aggregate.types import TenantId

ALL = "aggregate_any"
HEADER = "x-tenant-id"
CHARACTERS = "-" + string.digits + "_" + string.ascii_lowercase
SPECIAL = {"default", "hostnames", "include", "volatile"}
"""Names that mean something to nginx's map, unless a backslash stands before them."""

SERVER = """
server {{
    listen {listen} http2;
    client_max_body_size 0;  # a stream of commands has no end
    client_body_timeout 1h;
    location / {{
        grpc_pass grpc://$aggregate_upstream;
        grpc_set_header x-request-id $request_id;
        grpc_socket_keepalive on;
        grpc_read_timeout 1h;
        grpc_send_timeout 1h;
        grpc_connect_timeout 2s;
        grpc_buffer_size 64k;
        # Only to the spare, and only what was never sent: nginx passes a POST on where the connection failed.
        grpc_next_upstream error timeout;
        error_page 502 503 504 = @aggregate_unavailable;
    }}
    location @aggregate_unavailable {{
        internal;
        default_type application/grpc;
        add_header grpc-status 14 always;
        add_header grpc-message "no node answers; try again" always;
        return 204;
    }}
}}
"""


def render_nginx(config: TenantPlacementConfig, known: Iterable[TenantId] = (), *, listen: int = 50051) -> str:
    """A file to include in nginx's `http` block: map, upstreams, and a server on port `listen` (0: none).

    nginx compares the map's names without regard to case: a tenant whose name differs from another's in case alone goes where that one
    goes, and is passed on from there.
    """
    upstreams = _upstreams(config)
    lines = [
        f"# Rendered from the placement, epoch {config.epoch}; made anew with every epoch, do not edit.",
        "map_hash_bucket_size 256;",
        "map_hash_max_size 65536;",
        f"map $http_{HEADER.replace('-', '_')} $aggregate_upstream {{",
        f"    default {ALL};",
    ]
    lines += [f'    "{_escaped(tenant)}" {_node_group(node)};' for tenant, node in _named(config, known, fold=True).items()]
    lines += [f'    "~*^{_class(each)}" {_range_group(each, nodes)};' for each, nodes in sorted(_ranges(config).items())]
    lines.append("}")
    for name, servers in upstreams.items():
        lines += [f"upstream {name} {{", f"    zone {name} 256k;"]  # what one worker finds out of a server, all know
        if name == ALL or name.startswith("aggregate_range_"):
            lines.append(f"    hash $http_{HEADER.replace('-', '_')} consistent;")
        lines += [f"    server {each};" for each in servers]
        lines += ["    keepalive 64;", "}"]
    return "\n".join(lines) + ("\n" + SERVER.format(listen=listen).lstrip("\n") if listen else "\n")


def render_traefik(config: TenantPlacementConfig, known: Iterable[TenantId] = ()) -> str:
    """`traefik_routes` as JSON text."""
    return json.dumps(traefik_routes(config, known), indent=2) + "\n"


def traefik_routes(config: TenantPlacementConfig, known: Iterable[TenantId] = ()) -> dict[str, Any]:
    """A dynamic configuration as Traefik's HTTP provider fetches it (rules as of version 3)."""
    by_node: dict[str, list[str]] = {}
    for tenant, node in _named(config, known, fold=False).items():
        by_node.setdefault(node, []).append(tenant)
    routers = {
        f"aggregate-tenants-{node}": _router(" || ".join(f"Header(`{HEADER}`, `{each}`)" for each in tenants), _node_group(node), 300)
        for node, tenants in sorted(by_node.items())
    }
    for each, nodes in sorted(_ranges(config).items()):
        rule = f"HeaderRegexp(`{HEADER}`, `(?i)^{_class(each)}`)"
        routers[_range_name(each).replace("_", "-")] = _router(rule, _range_group(each, nodes), 200)
    routers["aggregate-any"] = _router("PathPrefix(`/`)", ALL, 100)
    services = {name: _service(config, nodes) for name, nodes in _members(config).items()}
    return {"http": {"routers": routers, "services": services}}


def _named(config: TenantPlacementConfig, known: Iterable[TenantId], *, fold: bool) -> Mapping[TenantId, str]:
    """Tenants with a route of their own and their nodes. `fold`: of names that differ in case alone, the first one."""
    named: dict[TenantId, str] = {}
    folded: set[str] = set()
    for tenant in sorted({*config.tenants, *known} - {TenantId()}):
        node = config.get_node(tenant)
        if node is None or config.nodes[node].grpc is None or (fold and tenant.lower() in folded):
            continue
        folded.add(tenant.lower())
        named[tenant] = node
    return named


def _ranges(config: TenantPlacementConfig) -> dict[TenantRange, list[str]]:
    """Ranges with nodes that have an address."""
    found = {each: [name for name in names if config.nodes[name].grpc is not None] for each, names in config.tenant_ranges.items()}
    return {each: names for each, names in found.items() if names}


def _members(config: TenantPlacementConfig) -> dict[str, list[str]]:
    """The groups of nodes that routes lead to, by name."""
    reachable = [name for name, node in config.nodes.items() if node.grpc is not None]
    groups = {_node_group(name): [name] for name in sorted(reachable)}
    groups |= {_range_name(each): names for each, names in sorted(_ranges(config).items()) if len(names) > 1}
    on_ring = [name for name in reachable if config.nodes[name].weight]
    return {**groups, ALL: on_ring or reachable}


def _upstreams(config: TenantPlacementConfig) -> dict[str, list[str]]:
    """Servers of each group, as nginx takes them: a node of its own has the others as spares, which serve where it does not answer."""
    everybody = [node.grpc for node in config.nodes.values() if node.grpc is not None]
    upstreams: dict[str, list[str]] = {}
    for name, nodes in _members(config).items():
        addresses = [address for each in nodes if (address := config.nodes[each].grpc) is not None]
        if name == ALL or len(nodes) > 1:
            weights = [config.nodes[each].weight or 1 for each in nodes]
            upstreams[name] = [f"{address} weight={weight}" for address, weight in zip(addresses, weights, strict=True)]
        else:
            upstreams[name] = addresses + [f"{each} backup" for each in everybody if each not in addresses]
        if not upstreams[name]:
            upstreams[name] = ["127.0.0.1:9 down"]  # nginx refuses a group without servers
    return upstreams


def _router(rule: str, service: str, priority: int) -> dict[str, Any]:
    return {"rule": rule, "service": service, "priority": priority}


def _service(config: TenantPlacementConfig, nodes: Iterable[str]) -> dict[str, Any]:
    return {"loadBalancer": {"servers": [{"url": f"h2c://{config.nodes[each].grpc}"} for each in nodes]}}


def _range_group(each: TenantRange, nodes: list[str]) -> str:
    return _node_group(nodes[0]) if len(nodes) == 1 else _range_name(each)


def _node_group(node: str) -> str:
    return f"aggregate_node_{node}"


def _range_name(each: TenantRange) -> str:
    return (
        f"aggregate_range_{ord(each.start):x}_{ord(each.end):x}"
        if "-" in {each.start, each.end}
        else f"aggregate_range_{each.start}_{each.end}"
    )


def _class(each: TenantRange) -> str:
    """The first characters of a range as a class of a regular expression: written out, for between `0` and `a` there is more in ASCII."""
    inside = [character for character in CHARACTERS if each.start <= character <= each.end]
    groups: list[str] = []
    for character in inside:
        if groups and ord(character) == ord(groups[-1][-1]) + 1:
            groups[-1] = groups[-1][0] + "-" + character if groups[-1][0] != character else character
        else:
            groups.append(character)
    # A dash between others would be a range of its own: it goes first.
    dash = [group for group in groups if group == "-"]
    return f"[{''.join(dash + [group for group in groups if group != '-'])}]"


def _escaped(tenant: str) -> str:
    return f"\\{tenant}" if tenant in SPECIAL else tenant
