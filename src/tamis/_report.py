"""The report of all caches in a program: what was made where, and what it has done."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import weakref

import tamis
from tamis import _core, _patch
from tamis._table import write_table

# As typing.TYPE_CHECKING. Importing typing, and much else, would be before functools is patched for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TextIO

TITLES = ("where", "function", "calls", "hit rate", "evictions", "entries", "maxsize")


class Record:
    """One cache."""

    __slots__ = ("_reference", "_stats", "file", "line", "maxsize", "name")

    def __init__(self, cache: Any, file: str, line: int) -> None:
        self.file, self.line = file, line
        module, name = getattr(cache, "__module__", None), getattr(cache, "__qualname__", None)
        self.name = ".".join(part for part in (module, name or repr(cache)) if part)
        self.maxsize = cache.cache_parameters()["maxsize"]
        self._reference = weakref.ref(cache)
        self._stats: dict[str, int] = {}

    def keep_last(self, stats: dict[str, int]) -> None:
        """Keep the last counts of a cache that is being freed."""
        self._stats = {**stats, "currsize": 0}

    def stats(self) -> dict[str, int]:
        """Return the counts, the last ones if the cache was freed."""
        cache = self._reference()
        return self._stats if cache is None else cache.cache_stats()

    def as_dict(self) -> dict[str, Any]:
        """Return the row of the report."""
        stats = self.stats()
        hits, misses = stats.get("hits", 0), stats.get("misses", 0)
        calls = hits + misses
        return {
            "file": self.file,
            "line": self.line,
            "name": self.name,
            "calls": calls,
            "hits": hits,
            "misses": misses,
            "hit_rate": hits / calls if calls else None,
            "evictions": stats.get("evictions", 0),
            "entries": stats.get("currsize", 0),
            "maxsize": self.maxsize,
        }


def _written(function: Any) -> Any:
    """Return what decorators were put around: their own code is in another file."""
    seen: list[Any] = []
    while not any(function is other for other in seen):
        seen.append(function)
        function = getattr(function, "__wrapped__", None) or function
    return function


class Registry:
    """All caches that are made while it records."""

    def __init__(self) -> None:
        # By the addresses of caches that are not freed yet. Threads share both: each operation is one of dict and list.
        self._alive: dict[int, Record] = {}
        self._freed: list[Record] = []

    def note(self, cache: Any, frame: Any) -> None:
        """Record a cache, made where its function is written, or else by this frame."""
        code = getattr(_written(cache), "__code__", None)
        if code is not None:
            place = (code.co_filename, code.co_firstlineno)
        else:
            place = (frame.f_code.co_filename, frame.f_lineno)
        self._alive[id(cache)] = Record(cache, *place)

    def forget(self, address: int, stats: dict[str, int]) -> None:
        """Keep the counts of a cache that is being freed."""
        record = self._alive.pop(address, None)
        if record is not None:
            record.keep_last(stats)
            self._freed.append(record)

    def rows(self) -> list[dict[str, Any]]:
        """Return what is known of all caches, those with the most calls first. One function's caches are one row."""
        merged: dict[tuple[str, int, str], dict[str, Any]] = {}
        for record in [*self._freed, *self._alive.values()]:
            row = record.as_dict()
            row["caches"] = 1
            key = (row["file"], row["line"], row["name"])
            other = merged.setdefault(key, row)
            if other is not row:
                for name in ("calls", "hits", "misses", "evictions", "entries", "caches"):
                    other[name] += row[name]
                other["hit_rate"] = other["hits"] / other["calls"] if other["calls"] else None
        return sorted(merged.values(), key=lambda row: (-row["calls"], row["file"], row["line"], row["name"]))

    def recording(self, decorator: Callable[..., Any]) -> Callable[..., Any]:
        """Make a decorator that does what this one does, and records what it makes."""

        @functools.wraps(decorator)
        def record(*args: Any, **kwargs: Any) -> Any:
            made = decorator(*args, **kwargs)
            if isinstance(made, _core.lru_cache_wrapper | _core.async_lru_cache_wrapper):
                self.note(made, sys._getframe(1))
                return made

            def decorating_function(user_function: Callable[..., Any], /) -> Any:
                cache = made(user_function)
                self.note(cache, sys._getframe(1))
                return cache

            return decorating_function

        return record

    def begin(self) -> None:
        """Record what tamis.lru_cache and tamis.cache make from now on."""
        _core._on_death(self.forget)
        for name, decorator in _patch.DECORATORS.items():
            _patch.DECORATORS[name] = self.recording(decorator)
            setattr(tamis, name, _patch.DECORATORS[name])

    def report_at_exit(self, form: str, path: str | None) -> None:
        """Write the report when the program ends, after other exit functions. Raises OSError now if it can't."""
        process = os.getpid()
        if path is not None:
            # The program may change the working directory.
            path = os.path.abspath(path)
            with open(path, "w", encoding="utf-8"):
                pass

        def report() -> None:
            # Children that were forked end too.
            if os.getpid() != process:
                return
            _core._on_death(None)
            if path is None:
                # The program's own stderr may be redirected or closed by now.
                write(self.rows(), form, sys.__stderr__)
            else:
                with open(path, "w", encoding="utf-8") as file:
                    write(self.rows(), form, file)

        atexit.register(report)
        leave = os._exit

        @functools.wraps(leave)
        def report_and_leave(status: int) -> NoReturn:
            # Some programs end by it to save time. It runs no exit functions, so this is the last moment.
            try:
                report()
            finally:
                leave(status)

        os._exit = report_and_leave


def write(rows: list[dict[str, Any]], form: str, stream: TextIO | None) -> None:
    """Write the report. A stream that is closed gets nothing."""
    if stream is None or stream.closed:
        return
    try:
        if form == "json":
            import json

            stream.write(json.dumps({"tamis": tamis.__version__, "caches": rows}, indent=1) + "\n")
        else:
            write_table(stream, _summary(rows), TITLES, [_cells(row) for row in rows], TITLES[:2])
        stream.flush()
    except (BrokenPipeError, ValueError):
        pass


def _cells(row: dict[str, Any]) -> list[str]:
    rate = "" if row["hit_rate"] is None else f"{row['hit_rate']:.1%}"
    maxsize = "unbounded" if row["maxsize"] is None else f"{row['maxsize']:,}"
    name = row["name"] if row["caches"] == 1 else f"{row['name']} (of {row['caches']:,} caches)"
    counts = [f"{row[name]:,}" for name in ("evictions", "entries")]
    return [f"{_short(row['file'])}:{row['line']}", name, f"{row['calls']:,}", rate, *counts, maxsize]


def _short(path: str) -> str:
    """The path below the working directory or the folder of packages that it is in."""
    folders = [os.getcwd(), *sys.path]
    starts = [folder.rstrip(os.sep) + os.sep for folder in folders if folder]
    below = [path[len(start) :] for start in starts if path.startswith(start)]
    return min(below, key=len, default=path)


def _summary(rows: list[dict[str, Any]]) -> str:
    calls, hits = sum(row["calls"] for row in rows), sum(row["hits"] for row in rows)
    rate = f", {hits / calls:.1%} of them hits" if calls else ""
    caches = sum(row["caches"] for row in rows)
    return f"tamis: {caches:,} {'cache' if caches == 1 else 'caches'}, {calls:,} calls{rate}"
