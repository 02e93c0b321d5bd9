"""Gives Celery's Redis transport one client for each channel: kombu's own makes a client for each command."""

from __future__ import annotations

from kombu.transport import redis


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that keeps its client; the client takes a connection of the pool for each command, from any thread."""

    _kept: redis.redis.Redis | None = None

    def _create_client(self, asynchronous: bool = False) -> redis.redis.Redis:
        if asynchronous:
            return super()._create_client(asynchronous)
        if self._kept is None or self._kept.connection_pool is not self.pool:  # a pool is replaced after an outage
            self._kept = super()._create_client()
        return self._kept


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport with these channels; the settings of the Celery application name it."""

    Channel = Channel
