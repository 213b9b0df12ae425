"""Ten mistakes that authors make, by the name of their golden text."""

from __future__ import annotations

TYPICAL = {
    "missing_colon": "def decide(state, command):\n    if command.amount <= 0\n        return []\n",
    "bracket_left_open": 'def decide(state, command):\n    x = event("t", amount = command.get("amount", 0)\n    return [x]\n',
    "assignment_in_condition": "def decide(state, command):\n    if state = None:\n        return []\n",
    "fstring": 'def decide(state, command):\n    reject(f"unknown {command.type}")\n',
    "misspelt_name": "def decide(state, command):\n    if comand.amount > 0:\n        return []\n    return [evnt('x')]\n",
    "helper_below": "def apply(state, event):\n    return total(state)\n\ndef total(state):\n    return 1\n",
    "python_habits": (
        "def decide(state, command):\n    try:\n        return command.amount is None\n    except:\n        pass\n\n"
        "def apply(state, event, *rest):\n    while True:\n        pass\n"
    ),
    "tabs": "def decide(state, command):\n\tif state:\n\t\treturn []\n",
    "reject_in_apply": (
        "def check(amount):\n    if amount < 0:\n        reject('negative')\n\n"
        "def apply(state, event):\n    check(event.amount)\n    return state\n"
    ),
    "several_at_once": (
        "LIMIT = max(1, 2)\n\ndef decide(state, command):\n    a, b = (1, 2)\n    command.items = {1, 2}\n    return events\n\n"
        "def apply(state):\n    return state.balance.rounded(2)\n"
    ),
}
