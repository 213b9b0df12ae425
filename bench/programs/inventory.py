"""Inventory: an article with a handful of lots that change with every event, and an average cost over them."""

from __future__ import annotations

from random import Random
from typing import Any

from orjson import OPT_SORT_KEYS, dumps, loads

from bench.programs import Example

META = {"version": 1}


def available(lots: list[Any]) -> int:
    return sum([lot["quantity"] - lot["reserved"] for lot in lots])


def average_cost(lots: list[Any]) -> float:
    pieces = sum([lot["quantity"] for lot in lots])
    if pieces == 0:
        return 0
    return float(round(sum([lot["quantity"] * lot["cost"] for lot in lots]) / pieces, 4))


def change_lots(lots: list[Any], parts: list[Any], on_shelf: int, on_hold: int) -> list[Any]:
    amounts = {part["lot"]: part["quantity"] for part in parts}
    changed = []
    for lot in lots:
        n = amounts.get(lot["id"], 0)
        if n:
            changed.append(lot | {"quantity": lot["quantity"] + on_shelf * n, "reserved": lot["reserved"] + on_hold * n})
        else:
            changed.append(lot)
    return [lot for lot in changed if lot["quantity"] > 0]


def allocate(lots: list[Any], quantity: int) -> list[Any]:
    taken = []
    for lot in lots:
        part = min(quantity, lot["quantity"] - lot["reserved"])
        if part > 0:
            taken.append({"lot": lot["id"], "quantity": part})
            quantity -= part
        if quantity == 0:
            break
    return taken


def with_lots(state: Any, lots: list[Any]) -> Any:
    free = available(lots)
    status = "out" if free == 0 else "low" if free < state["reorder_at"] else "ok"
    return state | {"lots": lots, "available": free, "average_cost": average_cost(lots), "status": status}


def apply(state: Any, event: Any, meta: Any) -> Any:
    if event["type"] == "registered":
        return {
            "sku": event["sku"], "reorder_at": event["reorder_at"], "since": event["since"], "lots": [], "reservations": {},
            "available": 0, "average_cost": 0, "status": "out", "shipped": 0, "alerts": 0,
        }  # fmt: skip
    if event["type"] == "stock_received":
        lot = {
            "id": event["lot"], "quantity": event["quantity"], "reserved": 0, "cost": event["cost"],
            "best_before": event["best_before"], "received_at": meta.get("version", 0),
        }  # fmt: skip
        return with_lots(state, state["lots"] + [lot])
    if event["type"] == "stock_reserved":
        reservations = state["reservations"] | {event["order"]: event["parts"]}
        return with_lots(state, change_lots(state["lots"], event["parts"], 0, 1)) | {"reservations": reservations}
    if event["type"] in {"stock_released", "stock_shipped"}:
        reservations = dict(state["reservations"])
        reservations.pop(event["order"])
        gone = event["type"] == "stock_shipped"
        lots = change_lots(state["lots"], event["parts"], -1 if gone else 0, -1)
        shipped = state["shipped"] + (event["pieces"] if gone else 0)
        return with_lots(state, lots) | {"reservations": reservations, "shipped": shipped}
    if event["type"] == "stock_counted":
        return with_lots(state, change_lots(state["lots"], [{"lot": event["lot"], "quantity": event["difference"]}], 1, 0))
    if event["type"] == "reorder_needed":
        return state | {"alerts": state["alerts"] + 1}
    return state


def fold(events: list[bytes]) -> bytes:
    state = None
    for event in events:
        state = apply(state, loads(event), META)
    return dumps(state, option=OPT_SORT_KEYS)


def histories(count: int) -> list[list[bytes]]:
    """One article: lots come in, orders reserve from the oldest ones, and are shipped or released."""
    random = Random(3)
    events: list[dict[str, Any]] = [{"type": "registered", "sku": "SKU-1", "reorder_at": 40, "since": "2026-01-31"}]
    state = apply(None, events[0], META)
    while len(events) < count:
        number = len(events)
        if state["available"] < 60:
            cost = random.randint(100, 900) / 4
            event = {"type": "stock_received", "lot": f"lot-{number}", "quantity": 100, "cost": cost, "best_before": "2027-06-30"}
        elif len(state["reservations"]) < 5:
            event = {"type": "stock_reserved", "order": f"order-{number}", "parts": allocate(state["lots"], random.randint(1, 6))}
        else:
            order = random.choice(list(state["reservations"]))
            parts = state["reservations"][order]
            event = {"type": "stock_released", "order": order, "parts": parts}
            if random.random() < 0.9:
                pieces = sum(part["quantity"] for part in parts)
                event |= {"type": "stock_shipped", "pieces": pieces, "value": round(pieces * state["average_cost"], 2)}
        state = apply(state, event, META)
        events.append(event)
    return [[dumps(event, option=OPT_SORT_KEYS) for event in events]]


INVENTORY = Example("inventory", histories, fold, dumps(META))
