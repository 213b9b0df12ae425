"""A bank for tests that takes a deposit to an account nobody opened."""

from __future__ import annotations

from functools import cache

from aggregate.config import AggregateManifest
from aggregate.runtime import RuntimeExecutor, TypeProgram

LENIENT_BANK = """\
def balance_of(state):
    return 0 if state == None else state.balance

def decide(state, command):
    if command.type == "open_account":
        return [event("account_opened", balance = command.get("initial_balance", 0))]
    if command.type == "deposit":
        if command.amount <= 0:
            reject("amount must be positive", code = "bad_amount")
        return [event("deposited", amount = command.amount)]
    if command.type == "withdraw":
        if command.amount > balance_of(state):
            reject("insufficient funds", code = "insufficient_funds", balance = balance_of(state))
        return [event("withdrawn", amount = command.amount)]
    if command.type == "touch":
        return []
    if command.type == "burn":
        return [event("burned", parts = [x * x for x in range(command.amount)])]
    reject("unknown command " + command.type, code = "unknown_command")

def apply(state, event):
    if event.type == "account_opened":
        return {"balance": event.balance}
    if event.type == "deposited":
        return {"balance": balance_of(state) + event.amount}
    if event.type == "withdrawn":
        return {"balance": balance_of(state) - event.amount}
    return state
"""


@cache
def lenient_program() -> TypeProgram:
    """The program of the type `Account`, loaded on the configured engine."""
    return RuntimeExecutor().load(AggregateManifest.of_sources({"Account": LENIENT_BANK})).only().with_generation(1)
