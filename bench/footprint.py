"""Memory per entry and import time, each taken in fresh processes.

Memory is what CPython's small-block allocator gave out plus what glibc's malloc gave out, between the moment before the
decoration and the moment when 100,000 entries are stored. tracemalloc sees all that went through Python's allocators.
mallinfo2 sees malloc alone: what a C or Rust extension takes there itself, and the blocks of more than 512 bytes, which
Python's allocator passes on. So that no block counts twice, the small ones are taken from tracemalloc and the rest from
mallinfo2; in two processes, for tracemalloc keeps books of its own in malloc'd memory.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import subprocess
import sys
import sysconfig
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENTRIES = 100_000
# Bytes. pymalloc passes larger blocks on to malloc. mimalloc, of free-threaded builds, takes its memory from the
# system, so there the Python blocks of all sizes are tracemalloc's.
LARGEST_SMALL_BLOCK = sys.maxsize if sysconfig.get_config_var("Py_GIL_DISABLED") else 512


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of mallinfo(3); bytes, or counts of blocks."""

    _names = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    _fields_ = tuple((name, ctypes.c_size_t) for name in _names)


def _malloced() -> int:
    """Bytes in use through malloc, in arenas and in mappings of their own. AttributeError without glibc 2.33."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def _nothing(x: int) -> None:
    return None


WAYS = ("small", "malloc")


def _resident() -> int:
    """Bytes of this process that are in memory. OSError where there is no /proc."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def taken(decorate: Callable[[Callable[[int], None]], Callable[[int], None]], way: str, entries: int = ENTRIES) -> int:
    """Bytes that a new cache with so many entries takes, seen in one of the two ways, or "resident"."""
    keys = list(range(1_000_000, 1_000_000 + entries))  # beforehand: keys are the caller's memory
    gc.collect()
    before = 0
    if way == "small":
        tracemalloc.start()
    elif way == "resident":
        before = _resident()
    else:
        _malloced()  # the first call makes ctypes' own objects
        before = _malloced()
    cached = decorate(_nothing)
    for key in keys:
        cached(key)
    if way == "small":
        sizes = (trace.size for trace in tracemalloc.take_snapshot().traces)
        return sum(size for size in sizes if size <= LARGEST_SMALL_BLOCK)
    return (_resident() if way == "resident" else _malloced()) - before


def _child(module: str, way: str) -> None:
    """Prints the bytes of a cache of this module."""
    lru_cache = importlib.import_module(module).lru_cache
    caches: list[Any] = []

    def decorate(function: Callable[[int], None]) -> Any:
        caches.append(lru_cache(maxsize=ENTRIES)(function))
        return caches[0]

    print(taken(decorate, way))
    assert caches[0].cache_info().currsize == ENTRIES


def output(arguments: list[str]) -> str:
    """What a fresh interpreter prints. Raises RuntimeError with its last words."""
    # Debug allocators and tracing from the start would change what is measured.
    unwanted = {"PYTHONMALLOC", "PYTHONTRACEMALLOC", "PYTHONDEVMODE"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the child died")
    return done.stdout


def memory_per_entry(module: str) -> float:
    """Bytes a stored entry, int to None, its share of the table included, its key object not. Raises RuntimeError."""
    return sum(int(output([str(Path(__file__)), module, way])) for way in WAYS) / ENTRIES


def import_times(module: str, times: int = 15) -> list[float]:
    """Milliseconds of `import module` in fresh interpreters; after the first, the files are in the page cache."""
    code = f"import time; start = time.perf_counter(); import {module}; print((time.perf_counter() - start) * 1e3)"
    return [float(output(["-c", code])) for _ in range(times)]


if __name__ == "__main__":
    _child(sys.argv[1], sys.argv[2])
