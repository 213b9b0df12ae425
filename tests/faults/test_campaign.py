"""Short campaigns, as the suite can afford them; `python -m tests.faults` runs long ones."""

from __future__ import annotations

from tests.faults.campaign import Outcome, run_campaign

SEED = 5997
"""Brings first: answers lost, a node killed, a node paused, requests lost; and some of what servers suffer."""


def judged(outcome: Outcome) -> None:
    """Kept, and tried: a busy machine gets less done, so not much is asked for."""
    assert not outcome.violations, str(outcome)
    assert len(+outcome.faults) >= 3, str(outcome)
    assert min(outcome.answers[kind] for kind in ("accepted", "refused")) > 10, str(outcome)
    assert outcome.answers["unresolved"] > 0, str(outcome)
    assert outcome.followed > 5, str(outcome)


async def test_three_servers_and_two_nodes_keep_what_they_promised() -> None:
    judged(await run_campaign(3, 12, clients=8, cold=10, seed=SEED))


async def test_one_server_and_two_nodes_keep_what_they_promised() -> None:
    judged(await run_campaign(1, 6, clients=8, cold=10, seed=SEED))
