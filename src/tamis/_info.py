"""The class of what ``cache_info()`` returns. Its types are in _info.pyi: importing typing takes longer than tamis."""

from collections import namedtuple

CacheInfo = namedtuple("CacheInfo", ["hits", "misses", "maxsize", "currsize"], module="tamis")
CacheInfo.__doc__ = "What a cache has done since it was made or cleared, and its size in entries."
