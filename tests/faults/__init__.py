"""Real processes and what can happen to them: nodes killed, servers paused, connections cut; and a checker that misses nothing."""
