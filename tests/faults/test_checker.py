"""The judge judged: a true history passes, and whatever is planted into it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.faults.checker import check
from tests.faults.history import Answer, History, Key, Kind, LoggedCommit, LoggedMessage, LoggedRefusal, Read, SeenEvent, Told
from tests.faults.model import State, apply, decide

ACCOUNT = Key("ann", "Account", "a1")
ORDER = Key("bob", "Order", "o1")


@dataclass
class Truth:
    """A log written by the model, and the clients' records of it."""

    messages: list[LoggedMessage] = field(default_factory=list)
    history: History = field(default_factory=History)
    clock: float = 0.0
    states: dict[Key, tuple[State, int]] = field(default_factory=dict)

    def submit(self, key: Key, expected_version: int | None = None, **payload: Any) -> Told:
        state, version = self.states.get(key, (None, 0))
        if version == 0:
            self.messages.append(LoggedMessage(len(self.messages) + 1, f"owner.{key.id}", {}, Key(key.tenant, "", key.id), (), key.tenant))
        command_id = f"c{len(self.history.told)}"
        decision = decide(key.type, state, payload)
        events = tuple(SeenEvent(version + 1 + i, f"{command_id}-{i}", event) for i, event in enumerate(decision.events))
        for event in events:
            state = apply(key.type, state, event.payload)
        refused = LoggedRefusal("rejected", decision.refused, "", decision.details) if decision.refused else None
        commit = LoggedCommit(command_id, version + 1, f"{self.clock:09.1f}", payload, events, refused)
        self.messages.append(LoggedMessage(len(self.messages) + 1, key.subject, {}, key, (commit,)))
        self.states[key] = state, version + len(events)
        told = Told(key, command_id, payload, expected_version)
        kind = Kind.REFUSED if refused else Kind.ACCEPTED
        self.clock += 1
        told.answers.append(
            Answer(
                kind, self.clock, self.clock + 0.5, payload, decision.refused, "", decision.details, commit.last_version, False, events, key
            )
        )
        self.history.told.append(told)
        self.clock += 1
        return told

    def read(self, key: Key) -> None:
        state, version = self.states[key]
        self.history.reads.append(Read(key, self.clock, self.clock + 0.5, version, state))
        self.clock += 1

    @property
    def promises(self) -> set[str]:
        return {violation.promise for violation in check(self.messages, self.history)}

    def last_of(self, command_id: str) -> int:
        """Index of the message that holds a command."""
        return next(i for i, message in enumerate(self.messages) if any(c.command_id == command_id for c in message.commits))

    def change(self, index: int, **members: Any) -> None:
        """Another first commit in a message."""
        message = self.messages[index]
        self.messages[index] = replace(message, commits=(replace(message.commits[0], **members), *message.commits[1:]))


@pytest.fixture
def truth() -> Truth:
    made = Truth()
    made.submit(ACCOUNT, type="open_account", owner="ann", initial_balance=10)
    made.submit(ACCOUNT, type="deposit", amount=5)
    made.submit(ACCOUNT, type="withdraw", amount=100)
    made.submit(ORDER, type="create_order", customer="bob", currency="eur")
    made.submit(ORDER, type="set_discount", percent=0)
    made.submit(ORDER, type="add_line", sku="x", quantity=2, price=3)
    made.submit(ACCOUNT, type="withdraw", amount=15)
    made.read(ACCOUNT)
    made.read(ORDER)
    return made


def test_a_true_history_passes(truth: Truth) -> None:
    assert check(truth.messages, truth.history) == []
    assert {answer.kind for told in truth.history.told for answer in told.answers} == {Kind.ACCEPTED, Kind.REFUSED}


def test_a_planted_loss_is_found(truth: Truth) -> None:
    del truth.messages[truth.last_of("c1")]
    assert {"kept", "versions"} <= truth.promises


def test_the_loss_of_the_last_commit_is_found(truth: Truth) -> None:
    del truth.messages[truth.last_of("c6")]
    assert {"kept", "reads"} <= truth.promises


def test_the_loss_of_an_acceptance_without_events_is_found(truth: Truth) -> None:
    del truth.messages[truth.last_of("c4")]
    assert truth.promises == {"kept"}


def test_the_loss_of_a_refusal_is_found(truth: Truth) -> None:
    del truth.messages[truth.last_of("c2")]
    assert truth.promises == {"fences"}


def test_a_planted_double_is_found(truth: Truth) -> None:
    message = truth.messages[truth.last_of("c6")]
    event = replace(message.commits[0].events[0], version=4)
    truth.messages.append(replace(message, sequence=99, commits=(replace(message.commits[0], first_version=4, events=(event,)),)))
    assert {"once", "newest state"} <= truth.promises


def test_a_double_without_events_is_found(truth: Truth) -> None:
    message = truth.messages[truth.last_of("c4")]
    truth.messages.append(replace(message, sequence=99, commits=(replace(message.commits[0], first_version=3, time="9" * 9),)))
    assert "once" in truth.promises


def test_a_planted_gap_is_found(truth: Truth) -> None:
    truth.change(truth.last_of("c6"), first_version=4)
    assert "versions" in truth.promises


def test_a_twin_of_a_version_is_found(truth: Truth) -> None:
    truth.change(truth.last_of("c6"), first_version=2)
    assert "versions" in truth.promises


def test_a_clock_that_goes_back_is_found(truth: Truth) -> None:
    truth.change(truth.last_of("c6"), time="000000000")
    assert truth.promises == {"time"}


def test_a_decision_on_an_old_state_is_found(truth: Truth) -> None:
    """A withdrawal of more than there is."""
    index = truth.last_of("c6")
    event = replace(truth.messages[index].commits[0].events[0], payload={"type": "withdrawn", "amount": 16})
    truth.change(index, events=(event,), command={"type": "withdraw", "amount": 16})
    told = truth.history.told[6]
    told.payload = {"type": "withdraw", "amount": 16}
    told.answers = [replace(told.answers[0], payload=told.payload, events=(event,))]
    assert truth.promises == {"newest state", "reads"}


def test_a_wrong_refusal_is_found(truth: Truth) -> None:
    index = truth.last_of("c2")
    truth.change(index, refused=LoggedRefusal("rejected", "insufficient_funds", "", {"balance": 10}))
    assert truth.promises == {"newest state", "answers"}


def test_a_command_of_nobody_is_found(truth: Truth) -> None:
    truth.submit(ACCOUNT, type="deposit", amount=1)
    truth.history.told.pop()
    assert truth.promises == {"asked for"}


def test_a_commit_in_another_tenants_subject_is_found(truth: Truth) -> None:
    index = truth.last_of("c6")
    truth.messages[index] = replace(truth.messages[index], subject=replace(ACCOUNT, tenant="bob").subject)
    assert truth.promises == {"tenants apart"}


def test_a_second_owner_and_a_missing_one_are_found(truth: Truth) -> None:
    truth.messages.append(replace(truth.messages[0], sequence=99, owner="bob"))
    assert truth.promises == {"one owner"}
    del truth.messages[-1], truth.messages[0]
    assert truth.promises == {"one owner"}


def test_a_batch_in_pieces_is_found(truth: Truth) -> None:
    for number, index in enumerate((1, 2, 3), 1):
        headers = {"Nats-Batch-Id": "b", "Nats-Batch-Sequence": str(number)} | ({"Nats-Batch-Commit": "1"} if number == 3 else {})
        truth.messages[index] = replace(truth.messages[index], headers=headers)
    assert truth.promises == set()
    last = truth.messages[3]
    truth.messages[3] = replace(last, headers={})
    assert truth.promises == {"whole batches"}
    truth.messages[3] = replace(last, sequence=77)
    assert truth.promises == {"whole batches"}


def test_a_subscription_that_leaves_out_doubles_or_swaps_is_found(truth: Truth) -> None:
    whole = [(ACCOUNT, event) for told in truth.history.told if told.key == ACCOUNT for event in told.answers[0].events]
    for right in (whole, whole[:2], []):
        truth.history.followed = {"ann": list(right)}
        assert truth.promises == set()
    for wrong in (whole[1:], [whole[0], whole[2]], [*whole, whole[2]], [whole[1], whole[0], whole[2]], [(ORDER, whole[0][1])]):
        truth.history.followed = {"ann": list(wrong)}
        assert truth.promises == {"subscriptions"}


def test_an_order_against_real_time_is_found(truth: Truth) -> None:
    one, two = truth.submit(ACCOUNT, type="deposit", amount=1), truth.submit(ACCOUNT, type="deposit", amount=1)
    for told, start in ((one, 900.0), (two, 800.0)):  # `two` was answered long before `one` was sent
        told.answers = [replace(told.answers[0], sent=start, heard=start + 1)]
    assert truth.promises == {"in order"}


def wrong_version(answer: Answer) -> Answer:
    return replace(answer, version=answer.version + 1)


def wrong_event(answer: Answer) -> Answer:
    return replace(answer, events=(replace(answer.events[0], payload={"type": "deposited", "amount": 6}),))


def wrong_event_id(answer: Answer) -> Answer:
    return replace(answer, events=(replace(answer.events[0], event_id="else"),))


def no_events(answer: Answer) -> Answer:
    return replace(answer, events=())


def duplicate(answer: Answer) -> Answer:
    return replace(answer, duplicate=True)


def refused(answer: Answer) -> Answer:
    return replace(answer, kind=Kind.REFUSED, code="bad_amount")


def another_tenants(answer: Answer) -> Answer:
    return replace(answer, key=replace(ACCOUNT, tenant="bob"))


def denied(answer: Answer) -> Answer:
    return replace(answer, kind=Kind.DENIED)


def nothing_stored(answer: Answer) -> Answer:
    return replace(answer, kind=Kind.NOT_STORED)


def reused(answer: Answer) -> Answer:
    return replace(answer, kind=Kind.REUSED)


def a_defect(answer: Answer) -> Answer:
    return replace(answer, kind=Kind.UNEXPECTED)


def accepted_with_another_payload(answer: Answer) -> Answer:
    return replace(answer, payload={"type": "deposit", "amount": 7})


@pytest.mark.parametrize(
    ("planted", "promise"),
    [
        (wrong_version, "answers"),
        (wrong_event, "answers"),
        (wrong_event_id, "answers"),
        (no_events, "answers"),
        (duplicate, "answers"),
        (refused, "fences"),
        (another_tenants, "tenants apart"),
        (denied, "tenants apart"),
        (nothing_stored, "nothing stored"),
        (reused, "same id"),
        (a_defect, "expected answers"),
        (accepted_with_another_payload, "same id"),
    ],
)
def test_a_planted_wrong_answer_is_found(truth: Truth, planted: Callable[[Answer], Answer], promise: str) -> None:
    told = truth.history.told[1]
    told.answers = [planted(told.answers[0])]
    assert truth.promises == {promise}


def test_a_retry_that_tells_something_else_is_found(truth: Truth) -> None:
    told = truth.history.told[1]
    told.answers.append(replace(told.answers[0], duplicate=True))
    assert truth.promises == set()
    told.answers.append(told.answers[0])
    assert truth.promises == {"answers"}


def test_a_refusal_that_expired_is_missed_only_where_none_expires(truth: Truth) -> None:
    del truth.messages[truth.last_of("c2")]
    assert truth.promises == {"fences"}
    truth.history.lasting_refusals = False
    assert truth.promises == set()


def test_an_answer_to_another_tenant_is_found(truth: Truth) -> None:
    told = Told(replace(ACCOUNT, tenant="bob"), "c99", {"type": "deposit", "amount": 1}, foreign=True)
    told.answers.append(Answer(Kind.DENIED, 500, 501, told.payload))
    truth.history.told.append(told)
    assert truth.promises == set()
    told.answers.append(replace(told.answers[0], kind=Kind.REFUSED))
    assert truth.promises == {"tenants apart"}


def test_a_stale_read_and_a_read_of_what_never_was_are_found(truth: Truth) -> None:
    read = truth.history.reads[0]
    before = truth.history.told[6].answers[0].sent
    truth.history.reads.append(replace(read, version=2, state={"owner": "ann", "balance": 15}, asked=before))
    assert truth.promises == set()  # nothing newer had been answered before it was asked for
    truth.history.reads.append(replace(read, version=2, state={"owner": "ann", "balance": 15}, asked=read.heard + 1, heard=read.heard + 2))
    assert truth.promises == {"fresh reads"}
    truth.history.reads[-2:] = [replace(read, state={"owner": "ann", "balance": 1})]
    assert truth.promises == {"reads"}
    truth.history.reads[-1] = replace(read, version=9)
    assert truth.promises == {"reads"}
