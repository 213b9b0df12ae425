"""The HTTP side of a node, for those who run it."""
