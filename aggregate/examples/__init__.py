"""Example aggregates that ship with the package: manifest, program and spec of each in its folder."""
