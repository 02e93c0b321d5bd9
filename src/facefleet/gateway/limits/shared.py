"""Counts requests of all gateways in the broker's Redis or Valkey, all limits of a request by one script, at once.

The script decides, so that no two gateways can take the same place; the time is the server's. Keys hold nobody's name,
and end by themselves. All have one hash tag, since the script of a cluster may touch one slot only.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from facefleet.errors.outage import QueueUnavailable
from facefleet.gateway.limits.window import Limit, Standing
from facefleet.queue.connection import CircuitBreaker

TIMEOUT_SECONDS = 0.25
AWAY_SECONDS = 5.0
_CONNECTIONS = 32

# The same as window.Standing.fits; the products stay below 2^53, so that they are whole numbers in Lua, too.
_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fits, rows = 1, {}
for i, key in ipairs(KEYS) do
  local count, length = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]) * 1000
  local window = math.floor(now / length)
  local elapsed = now - window * length
  local kept = redis.call('HMGET', key, 'window', 'counted', 'before')
  local at, counted, before = tonumber(kept[1] or window), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
  if at > window then window, elapsed = at, 0 end
  if at == window - 1 then counted, before = 0, counted elseif at < window then counted, before = 0, 0 end
  if before * (length - elapsed) + (counted + 1) * length > count * length then fits = 0 end
  rows[i] = {window, counted, before, elapsed, length}
end
local answer = {fits}
for i, row in ipairs(rows) do
  local counted = row[2] + fits
  if fits == 1 then
    redis.call('HSET', KEYS[i], 'window', string.format('%.0f', row[1]), 'counted', counted, 'before', row[3])
    redis.call('PEXPIRE', KEYS[i], 2 * row[5])
  end
  answer[3 * i - 1], answer[3 * i], answer[3 * i + 1] = counted, row[3], row[4]
end
return answer
"""


class SharedLimiter:
    """Counts for all gateways; for one event loop.

    Args:
        url: Of the broker.
        prefix: First part of every key.
        clock: s, monotonic.
    """

    def __init__(self, url: str, *, prefix: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._prefix = prefix
        self._breaker = CircuitBreaker(clock, AWAY_SECONDS)
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        self._redis = redis.asyncio.Redis.from_pool(pool)
        self._script = self._redis.register_script(_SCRIPT)

    async def take(self, limits: Sequence[Limit]) -> tuple[bool, Sequence[Standing]]:
        """Count, as ``Limiter`` says; for some seconds after a failure it fails at once."""
        if self._breaker.open:
            raise QueueUnavailable("What counts requests did not answer a moment ago.")
        keys = [self._key(limit) for limit in limits]
        numbers = [number for limit in limits for number in (limit.rate.count, limit.rate.seconds)]
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                fits, *counts = await self._script(keys=keys, args=numbers)
        except (RedisError, OSError) as error:  # TimeoutError is one of the system's
            self._breaker.failed()
            raise QueueUnavailable("What counts requests does not answer.", cause=type(error).__name__) from error
        rows = zip(limits, counts[0::3], counts[1::3], counts[2::3], strict=True)
        return bool(fits), [Standing(*row) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _key(self, limit: Limit) -> str:
        who = hashlib.blake2b(limit.who.encode(), digest_size=16).hexdigest()
        return f"{self._prefix}:{{rates}}:{limit.name}:{limit.rate.seconds}:{who}"
