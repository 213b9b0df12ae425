"""What the programs of a campaign promise, said again in plain Python: the bank in full, an order while it is a draft.

`decide` gives what a command leads to on a state, `apply` the state after an event. Numbers are int or Decimal, as JSON is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

State = Mapping[str, Any] | None
Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """Events, or a refusal with its code and details."""

    events: tuple[Payload, ...] = ()
    refused: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def decide(aggregate_type: str, state: State, payload: Payload) -> Decision:
    """What the program of this type has to say."""
    return _bank(state, payload) if aggregate_type == "Account" else _order(state, payload)


def apply(aggregate_type: str, state: State, event: Payload) -> State:
    """The state after an event."""
    if aggregate_type == "Account":
        return _bank_after(state, event)
    return _order_after(state, event)


def _bank(state: State, payload: Payload) -> Decision:
    kind = payload["type"]
    if kind == "open_account":
        if state is not None:
            return Decision(refused="already_open")
        return Decision(({"type": "account_opened", "owner": payload.get("owner"), "balance": payload.get("initial_balance", 0)},))
    if state is None:
        return Decision(refused="not_open")
    if kind == "deposit":
        if payload["amount"] <= 0:
            return Decision(refused="bad_amount")
        return Decision(({"type": "deposited", "amount": payload["amount"]},))
    if kind == "withdraw":
        if payload["amount"] > state["balance"]:
            return Decision(refused="insufficient_funds", details={"balance": state["balance"]})
        return Decision(({"type": "withdrawn", "amount": payload["amount"]},))
    return Decision(refused="unknown_command")


def _bank_after(state: State, event: Payload) -> State:
    if event["type"] == "account_opened":
        return {"owner": event["owner"], "balance": event["balance"]}
    assert state is not None
    sign = 1 if event["type"] == "deposited" else -1
    return {**state, "balance": state["balance"] + sign * event["amount"]}


def _order(state: State, payload: Payload) -> Decision:
    kind = payload["type"]
    if kind == "create_order":
        if state is not None:
            return Decision(refused="exists")
        created = {"type": "order_created", "customer": payload["customer"], "currency": payload["currency"].upper()}
        return Decision((created,))
    if state is None:
        return Decision(refused="no_order")
    lines = state["lines"]
    if kind == "add_line":
        known = lines.get(payload["sku"])
        if known and known["price"] != payload["price"]:
            return Decision(refused="price_differs", details={"price": known["price"]})
        quantity = payload["quantity"] + (known["quantity"] if known else 0)
        return Decision(({"type": "line_set", "sku": payload["sku"], "quantity": quantity, "price": payload["price"]},))
    if kind == "remove_line":
        if payload["sku"] not in lines:
            return Decision(refused="no_line", details={"sku": payload["sku"], "lines": sorted(lines)})
        return Decision(({"type": "line_removed", "sku": payload["sku"]},))
    if kind == "set_discount":
        if not 0 <= payload["percent"] <= 40:
            return Decision(refused="bad_discount", details={"percent": payload["percent"]})
        if payload["percent"] == state["discount"]:
            return Decision()
        return Decision(({"type": "discount_set", "percent": payload["percent"]},))
    return Decision(refused="unknown_command")


def _order_after(state: State, event: Payload) -> State:
    if event["type"] == "order_created":
        empty: dict[str, Any] = {"lines": {}, "shipping": {}, "payments": [], "shipped": {}, "parcels": [], "refunds": []}
        return {"status": "draft", "customer": event["customer"], "currency": event["currency"], "discount": 0, "total": 0, **empty}
    assert state is not None
    lines, discount = dict(state["lines"]), state["discount"]
    if event["type"] == "line_set":
        lines[event["sku"]] = {"quantity": event["quantity"], "price": event["price"]}
    elif event["type"] == "line_removed":
        del lines[event["sku"]]
    else:
        discount = event["percent"]
    return {**state, "lines": lines, "discount": discount, "total": sum(_line(line, discount) for line in lines.values())}


def _line(line: Mapping[str, Any], discount: Any) -> Decimal:
    exact: Decimal = Decimal(line["price"]) * line["quantity"] * (100 - Decimal(discount)) / 100
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
