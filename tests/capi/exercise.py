"""Calls every function of the C API in turn, errors included, for runs under valgrind: `exercise.py FOLDER`.

The folder is that of the built modules, in C and in C++.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import sys
import weakref
from types import ModuleType


class Refuse(Exception):
    """Raised on purpose."""


class Awkward:
    """A key that raises where it is told to."""

    def __init__(self, where: str) -> None:
        """`where` is "hash", "eq" or something else."""
        self.where = where

    def __hash__(self) -> int:
        """Of all of them the same."""
        if self.where == "hash":
            raise Refuse
        return 11

    def __eq__(self, other: object) -> bool:
        """Of all of them true."""
        if "eq" in (self.where, getattr(other, "where", None)):
            raise Refuse
        return isinstance(other, Awkward)


def refused(function: object, *args: object) -> None:
    """Call what must raise."""
    try:
        function(*args)  # type: ignore[operator]
    except (Refuse, TypeError, ValueError):
        return
    raise AssertionError(f"{function} raised nothing for {args}")


async def coroutine_function(x: int) -> list[int]:
    """Return something new."""
    return [x]


def exercise(api: ModuleType, options: dict[str, object] | None) -> None:
    """Do everything to one cache."""
    f = api.make(lambda *args, **kwargs: [args, kwargs], *([] if options is None else [options]))
    keys = [(number,) for number in range(40)] + [(str(number), 1.5) for number in range(40)] + [(), (None, (1, 2))]
    for key in keys:
        api.call(f, *key)
        api.call(f, *key, word=key)
        api.lookup(f, *key)
        api.lookup(f, *key, other=key)
        api.contains(f, *key)
        api.put(f, [key], *key)
        api.put(f, [key], *key, another=1)
        api.invalidate(f, *key, word=key)
        api.counts(f)
    stores = options != {"maxsize": 0}
    if stores and "copy" not in (options or {}):
        api.call_without_arguments(f)
        api.call_with_room(f, 1)
    api.put(f, 1, Awkward(""))
    for operation in (api.call, api.lookup, api.contains, api.invalidate):
        refused(operation, len, 1)
        if stores:
            refused(operation, f, [])
            refused(operation, f, Awkward("hash"))
            refused(operation, f, Awkward("eq"))
    refused(api.put, None, 1, 2)
    refused(api.counts, 1)
    refused(api.clear, 1)
    api.clear(f)
    f.cycle = f
    api.put(f, f, f)
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


def main() -> None:
    """Exercise both modules."""
    sys.path.insert(0, sys.argv[1])
    for name in ("use_tamis_c", "use_tamis_cpp"):
        api = importlib.import_module(name)
        for options in (
            None,
            {"maxsize": 0},
            {"maxsize": None, "typed": True},
            {"maxsize": 5, "ttl": 100, "stale": 3, "on_evict": lambda *event: None, "copy": True},
            {"weigher": lambda value: len(str(value)), "maxweight": 200, "single_flight": True},
        ):
            for _ in range(5):
                exercise(api, options)
        for wrong in ({"unknown": 1}, {"ttl": -1}, {"maxsize": len}, {1: 2}, []):
            refused(api.make, len, wrong)
        refused(api.make, 3)
        f = api.make(coroutine_function)
        assert asyncio.run(api.call(f, 3)) == api.lookup(f, 3)[0] == [3]
        api.forge(1, 2)
        api.reimport()
    print("exercised")


if __name__ == "__main__":
    main()
