"""For tests, of this project and of programs: given/when/then, an embedded nats-server, in-memory twins of log and store."""

from aggregate.testing.environment import Environment
from aggregate.testing.lenient import LENIENT_BANK, lenient_program
from aggregate.testing.memory_storage import MemoryStorage
from aggregate.testing.memory_stream import MemoryStream
from aggregate.testing.nats import EmbeddedNats
from aggregate.testing.specs import Case, Result, Suite

__all__ = [
    "LENIENT_BANK",
    "Case",
    "EmbeddedNats",
    "Environment",
    "MemoryStorage",
    "MemoryStream",
    "Result",
    "Suite",
    "lenient_program",
]
