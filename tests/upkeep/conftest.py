"""The rig of the queue's tests: records, a broker and a sweeper between them."""

from tests.queue.conftest import build, mortal, rig

__all__ = ["build", "mortal", "rig"]
