"""The log: subjects, commit codec, append, read, subscribe, and what its acknowledgement means."""

from aggregate.stream.client import StreamClient
from aggregate.stream.interface import Appended, EventLog, StoredMessage
from aggregate.stream.subjects import build_subject
from aggregate.stream.watch import StreamHealth

__all__ = ["Appended", "EventLog", "StoredMessage", "StreamClient", "StreamHealth", "build_subject"]
