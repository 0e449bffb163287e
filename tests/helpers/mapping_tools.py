"""Ways to make a SieveCache."""

from __future__ import annotations

from typing import Any

# No entry expires, weighs too much, or is told of to anybody; but each has an entry of its own kind.
WAYS_TO_MAKE: list[dict[str, Any]] = [
    {},
    {"ttl": 3600},
    {"on_evict": lambda key, value, cause: None},
    {"weigher": lambda value: 1, "maxweight": 10**6},
]
