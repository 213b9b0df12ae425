"""What a node is told: settings and the manifest. All mistakes are reported at once, each with its place."""

from aggregate.config.manifest import AggregateDefinition, AggregateManifest, ProgramSource, Projection
from aggregate.config.settings import Settings

__all__ = ["AggregateDefinition", "AggregateManifest", "ProgramSource", "Projection", "Settings"]
