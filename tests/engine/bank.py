"""The bank of the examples, small, and what its tests share."""

from __future__ import annotations

import json
from typing import Any

BANK = """
def decide(state, command):
    if command.type == "open_account":
        if state != None:
            reject("account already open", code = "already_open")
        return [event("account_opened", owner = command.get("owner"), balance = command.get("initial_balance", 0))]
    if state == None:
        reject("account is not open", code = "not_open")
    if command.type == "deposit":
        return [event("deposited", amount = command.amount)]
    if command.type == "withdraw":
        if command.amount > state.balance:
            reject("insufficient funds", code = "insufficient_funds", balance = state.balance)
        return [event("withdrawn", amount = command.amount)]
    if command.type == "twice":
        return [event("deposited", amount = command.amount)] * 2
    if command.type == "nothing":
        return []
    reject("unknown command " + command.type)

def apply(state, event):
    if event.type == "account_opened":
        return {"owner": event.owner, "balance": event.balance}
    if event.type == "deposited":
        return state | {"balance": state.balance + event.amount}
    if event.type == "withdrawn":
        return state | {"balance": state.balance - event.amount}
    return state
"""
ANN = b'{"balance":10,"owner":"ann"}'
ID = "0190a000-0000-7000-8000-000000000001"
CTX = {
    "tenant_id": "t1",
    "aggregate_type": "Account",
    "aggregate_id": ID,
    "version": 4,
    "command_id": "c1",
    "time": "2026-01-02T03:04:05.678Z",
    "metadata": {"a": 1},
}


def error(result: Any) -> dict[str, Any]:
    """The error record of an outcome."""
    record: dict[str, Any] = json.loads(result.error)
    return record
