"""A cache that several machines share, in Redis or Valkey: ``pip install "tamis[redis]"``."""

from tamis.remote._errors import Unreachable
from tamis.remote._redis import Redis

__all__ = ["Redis", "Unreachable"]
