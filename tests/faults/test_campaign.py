"""Short campaigns, as the suite can afford them; `python -m tests.faults` runs long ones."""

from __future__ import annotations

from tests.faults.campaign import Outcome, run_campaign

SEED = 20


def judged(outcome: Outcome, kinds: int) -> None:
    assert not outcome.violations, str(outcome)
    assert len(+outcome.faults) >= kinds, str(outcome)
    assert outcome.answers["accepted"] > 50, str(outcome)
    assert outcome.answers["refused"] > 50, str(outcome)
    assert outcome.answers["unresolved"] > 0, str(outcome)


async def test_three_servers_and_two_nodes_keep_what_they_promised() -> None:
    judged(await run_campaign(3, 16, seed=SEED), kinds=6)


async def test_one_server_and_two_nodes_keep_what_they_promised() -> None:
    judged(await run_campaign(1, 8, seed=SEED), kinds=4)
