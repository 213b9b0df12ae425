"""What every method of the gateway starts from: the node behind it, whose call it is, and how long it may take."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

import grpc

from aggregate.errors import Unavailable
from aggregate.gateway.auth import Authenticator
from aggregate.gateway.interface import Backend
from aggregate.gateway.metadata import CallMetadata, TenantRules, read_metadata
from aggregate.gateway.subscriptions import Subscriptions
from aggregate.placement.ownership import EPOCH, Ownership
from aggregate.types import TenantId

MARGIN = 0.05

NODE = "x-aggregate-node"
"""Trailing metadata: the node that has the tenant."""
SERVED_BY = "x-aggregate-served-by"
"""Trailing metadata: the node that answered."""

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Calls:
    """Shared by the services of one server.

    Attributes:
        timeout: seconds for a command whose caller named no deadline.
        longest: seconds for a command at most, whatever its caller named.
        subscriptions: the lasting calls that are open.
        authenticator: checks the token of each call, None: there are none.
        ownership: knows which node has a tenant, None: nobody does.
        closing: set when the server goes down: calls that last end themselves.
        gone: of each tenant that sends commands in a stream: set when another node has it.
    """

    backend: Backend
    rules: TenantRules
    timeout: float
    longest: float
    subscriptions: Subscriptions
    authenticator: Authenticator | None = None
    ownership: Ownership | None = None
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    gone: WeakValueDictionary[TenantId, asyncio.Event] = field(default_factory=WeakValueDictionary)

    def metadata(self, context: Context) -> CallMetadata:
        """The call's checked metadata. Its caller is told which node has the tenant.

        Raises:
            ValidationError: names the header.
            Unauthenticated, TenantAccessDenied: tokens are asked for, and this call's is not good, or is of another tenant.
        """
        metadata = context.invocation_metadata() or ()
        call = read_metadata(metadata, self.rules)
        if self.ownership is not None and (owner := self.ownership.owner(call.tenant_id)) is not None:
            context.set_trailing_metadata(((NODE, owner.id), (SERVED_BY, self.ownership.node)))
            call = replace(call, context={**call.context, EPOCH: str(self.ownership.epoch)})
        if self.authenticator is not None:
            self.authenticator.check(metadata, call.tenant_id)
        return call

    def deadline(self, context: Context | None = None) -> float:
        """Until when a command of this call may take, `time.monotonic()` seconds.

        A little before the caller's own deadline, so that the caller still hears what became of the command.
        """
        remaining = context.time_remaining() if context is not None else None
        if remaining is None:
            return time.monotonic() + self.timeout
        return time.monotonic() + min(remaining - min(0.1 * remaining, MARGIN), self.longest)


def moved() -> Unavailable:
    """What a stream of commands ends in when its tenant has another node."""
    return Unavailable("the tenant has another node now; go on there", "moved", 0.1)


def going_down() -> Unavailable:
    """What a lasting call ends in when the node goes down."""
    return Unavailable("the node is going down; go on with another", "draining")
