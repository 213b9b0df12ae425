"""Orders: maps and lists inside the state, a total over the lines after every change of them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

from orjson import OPT_SORT_KEYS, dumps, loads

from bench.programs import Example

EVENTS_OF_AN_ORDER = 20
LINES = 7


def money(amount: float) -> float:
    return float(Decimal(str(amount)).quantize(Decimal("0.01"), ROUND_HALF_UP))


def line_total(line: Any, discount: float) -> float:
    return money(line["price"] * line["quantity"] * (100 - discount) / 100)


def order_total(lines: Any, discount: float, shipping: float) -> float:
    return sum([line_total(line, discount) for line in lines.values()]) + shipping


def apply(state: Any, event: Any) -> Any:
    if event["type"] == "order_created":
        return {
            "status": "draft", "customer": event["customer"], "currency": event["currency"], "lines": {}, "discount": 0,
            "shipping": {}, "total": 0, "payments": [], "shipped": {}, "parcels": [], "refunds": [],
        }  # fmt: skip
    if event["type"] == "line_set":
        lines = state["lines"] | {event["sku"]: {"quantity": event["quantity"], "price": event["price"]}}
        return state | {"lines": lines, "total": order_total(lines, state["discount"], 0)}
    if event["type"] == "line_removed":
        lines = {sku: line for sku, line in state["lines"].items() if sku != event["sku"]}
        return state | {"lines": lines, "total": order_total(lines, state["discount"], 0)}
    if event["type"] == "discount_set":
        return state | {"discount": event["percent"], "total": order_total(state["lines"], event["percent"], 0)}
    if event["type"] == "placed":
        return state | {"status": "placed", "shipping": event["shipping"], "total": event["total"]}
    if event["type"] == "payment_received":
        return state | {"payments": state["payments"] + [{"payer": event["payer"], "amount": event["amount"]}]}
    if event["type"] == "paid_in_full":
        return state | {"status": "paid"}
    if event["type"] == "parcel_shipped":
        shipped = dict(state["shipped"])
        for sku, quantity in event["lines"].items():
            shipped[sku] = shipped.get(sku, 0) + quantity
        return state | {"shipped": shipped, "parcels": state["parcels"] + [event["parcel"]]}
    if event["type"] == "completed":
        return state | {"status": "completed"}
    if event["type"] == "cancelled":
        return state | {"status": "cancelled", "reason": event["reason"]}
    if event["type"] == "refunded":
        return state | {"refunds": state["refunds"] + [{"payer": event["payer"], "amount": event["amount"]}]}
    return state


def fold(events: list[bytes]) -> bytes:
    state = None
    for event in events:
        state = apply(state, loads(event))
    return dumps(state, option=OPT_SORT_KEYS)


def histories(count: int) -> list[list[bytes]]:
    """Orders of 20 events each, from the draft to the last parcel."""
    random = Random(2)
    return [_history(random, number) for number in range(max(1, count // EVENTS_OF_AN_ORDER))]


def _history(random: Random, number: int) -> list[bytes]:
    skus = [f"SKU-{random.randint(1000, 9999)}-{index}" for index in range(LINES)]
    events: list[dict[str, Any]] = [
        {"type": "order_created", "customer": {"id": f"c-{number}", "name": "Grace Hopper", "country": "NL"}, "currency": "EUR"},
    ]
    events += [
        *({"type": "line_set", "sku": sku, "quantity": random.randint(1, 9), "price": random.randint(100, 9999) / 100} for sku in skus),
        {"type": "discount_set", "percent": 10},
        {"type": "line_removed", "sku": skus.pop()},
        {"type": "placed", "shipping": dict.fromkeys(skus, 0.5), "total": 300},
        *({"type": "payment_received", "payer": f"p-{index}", "amount": 100} for index in range(3)),
        {"type": "paid_in_full", "total": 300},
        *({"type": "parcel_shipped", "parcel": f"parcel-{index}", "lines": dict.fromkeys(skus, 1)} for index in range(4)),
        {"type": "completed", "parcels": [f"parcel-{index}" for index in range(4)]},
    ]
    assert len(events) == EVENTS_OF_AN_ORDER, len(events)
    return [dumps(event, option=OPT_SORT_KEYS) for event in events]


ORDER = Example("order", histories, fold)
