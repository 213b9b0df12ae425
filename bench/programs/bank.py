"""The bank: small state, small events, many of them."""

from __future__ import annotations

from random import Random
from typing import Any

from orjson import OPT_SORT_KEYS, dumps, loads

from bench.programs import Example


class Refused(Exception):
    """The function said no."""


def decide(state: Any, command: Any) -> list[Any]:
    if command["type"] == "open_account":
        if state is not None:
            raise Refused("already_open")
        return [{"type": "account_opened", "owner": command.get("owner"), "balance": command.get("initial_balance", 0)}]
    if state is None:
        raise Refused("not_open")
    if command["type"] == "deposit":
        if command["amount"] <= 0:
            raise Refused("bad_amount")
        return [{"type": "deposited", "amount": command["amount"]}]
    if command["type"] == "withdraw":
        if command["amount"] > state["balance"]:
            raise Refused("insufficient_funds")
        return [{"type": "withdrawn", "amount": command["amount"]}]
    raise Refused("unknown_command")


def apply(state: Any, event: Any) -> Any:
    if event["type"] == "account_opened":
        return {"owner": event["owner"], "balance": event["balance"]}
    if event["type"] == "deposited":
        return state | {"balance": state["balance"] + event["amount"]}
    if event["type"] == "withdrawn":
        return state | {"balance": state["balance"] - event["amount"]}
    return state


def fold(events: list[bytes]) -> bytes:
    state = None
    for event in events:
        state = apply(state, loads(event))
    return dumps(state, option=OPT_SORT_KEYS)


def execute(state: Any, command: bytes) -> tuple[list[bytes], bytes]:
    """Decide, write the events, apply them, write the state."""
    events = decide(state, loads(command))
    written = [dumps(event, option=OPT_SORT_KEYS) for event in events]
    for event in events:
        state = apply(state, event)
    return written, dumps(state, option=OPT_SORT_KEYS)


def histories(count: int) -> list[list[bytes]]:
    """One account with `count` events."""
    random = Random(1)
    balance = 0
    events = [b'{"balance":0,"owner":"Ada Lovelace","type":"account_opened"}']
    while len(events) < count:
        amount = random.randint(1, 500)
        if amount <= balance and random.random() < 0.5:
            balance -= amount
            events.append(b'{"amount":%d,"type":"withdrawn"}' % amount)
        else:
            balance += amount
            events.append(b'{"amount":%d,"type":"deposited"}' % amount)
    return [events]


BANK = Example("bank", histories, fold)
