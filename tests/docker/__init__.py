"""Images, the compose file and the stack, on a real engine and a real Swarm. Run by `make container` and `make swarm-smoke`."""
