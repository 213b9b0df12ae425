"""Plan, milestone 6: programs at run time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregate.errors import ApplyError, DecideError, Rejected
from aggregate.runtime import RuntimeExecutor

DECIDE_PROGRAM = """
def decide(state, command):
    if command.type == "deposit":
        return [event("deposited", amount = command.amount)]
    if command.amount > state.balance:
        reject("insufficient funds", code = "insufficient_funds", balance = state.balance)
    return [event("withdrawn", amount = command.amount)]
"""

APPLY_PROGRAM = """
def apply(state, event):
    sign = 1 if event.type == "deposited" else -1
    return state | {"balance": state.balance + sign * event.amount}
"""


@pytest.fixture
def executor() -> RuntimeExecutor:
    return RuntimeExecutor.new_test()


def test_t6_1_decide_returns_events(executor: RuntimeExecutor) -> None:
    events = executor.execute_decide({"balance": 100}, {"type": "deposit", "amount": 50}, DECIDE_PROGRAM)
    assert events == [{"type": "deposited", "amount": 50}]


def test_t6_2_decide_rejects_invalid(executor: RuntimeExecutor) -> None:
    with pytest.raises(DecideError) as caught:
        executor.execute_decide({"balance": 10}, {"type": "withdraw", "amount": 100}, DECIDE_PROGRAM)
    assert isinstance(caught.value, Rejected)
    assert (caught.value.reason, caught.value.message) == ("insufficient_funds", "insufficient funds")
    assert caught.value.rejection_details == b'{"balance":10}'


def test_t6_3_apply_transitions_state(executor: RuntimeExecutor) -> None:
    state = executor.execute_apply({"balance": 100}, {"type": "deposited", "amount": 50}, APPLY_PROGRAM)
    assert state["balance"] == 150


def test_t6_4_decide_is_deterministic(executor: RuntimeExecutor) -> None:
    asked = ({"balance": 100}, {"type": "deposit", "amount": 50}, DECIDE_PROGRAM)
    assert executor.execute_decide(*asked) == executor.execute_decide(*asked) == RuntimeExecutor.new_test().execute_decide(*asked)


def test_t6_5_runtime_executor_is_used_from_several_threads(executor: RuntimeExecutor) -> None:
    def use(amount: int) -> int:
        [event] = executor.execute_decide({"balance": 0}, {"type": "deposit", "amount": amount}, DECIDE_PROGRAM)
        balance: int = executor.execute_apply({"balance": 0}, event, APPLY_PROGRAM)["balance"]
        return balance

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(use, range(100))) == list(range(100))


def test_6_4_a_program_is_compiled_once(executor: RuntimeExecutor) -> None:
    assert executor.program(DECIDE_PROGRAM) is executor.program(DECIDE_PROGRAM)
    assert executor.program(DECIDE_PROGRAM) is executor.program(DECIDE_PROGRAM.replace("\n", "\r\n"))
    assert executor.program(DECIDE_PROGRAM) is not executor.program(APPLY_PROGRAM)


def test_6_5_a_program_that_spends_its_gas_is_stopped(executor: RuntimeExecutor) -> None:
    endless = "def decide(state, command):\n    for i in range(1000000):\n        pass\n    return []\n"
    with pytest.raises(DecideError) as caught:
        executor.execute_decide(None, {"type": "x"}, endless, gas=1000)
    assert (caught.value.reason, caught.value.record.gas_used) == ("resource/out_of_gas", 1000)
    with pytest.raises(ApplyError) as failed:
        executor.execute_apply({"balance": 1}, {"type": "deposited", "amount": 1}, APPLY_PROGRAM, gas=3)
    assert failed.value.reason == "resource/out_of_gas"
