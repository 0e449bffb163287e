"""Calls of coroutine functions while another process has the region's lock, and is stopped: the event loop goes on."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.marks import for_shared_caches
from tamis import lru_cache

pytestmark = for_shared_caches

# Far above what it takes.
SECONDS = 20

OTHER = """
import sys
from tamis import lru_cache

f = lru_cache(128, backend="shared", path=sys.argv[1], name="busy", max_bytes=1 << 20)(lambda x: x)
f("of the other process")
print("ready", flush=True)
sys.stdin.read()
"""


def aligned(words: int) -> int:
    return -(-words // 16) * 16


# As in `src/shm/layout.rs`, in words, for a region of 1 MiB: the lock, the lines of processes and their length.
LOCK = aligned(16 + 512)
PROCESSES = aligned(aligned(LOCK + 32 + 29 + 29 * 16) + -(-min(128, (1 << 20) // 96) // 64))
PROCESS = 16
LINES = 16


class StoppedHolder:
    """A process that is stopped, and has the lock of the region in this folder."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-c", OTHER, str(folder)]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.child.stdout is not None
        assert self.child.stdout.readline() == "ready\n"
        self.child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.child.pid, os.WSTOPPED | os.WNOWAIT)
        (path,) = folder.glob("r-*")
        with path.open("r+b") as file:
            self.region = mmap.mmap(file.fileno(), 0)

    def word(self, at: int) -> int:
        return struct.unpack_from("Q", self.region, at * 8)[0]

    def take(self) -> None:
        """Write what the process writes when it takes the lock: the name that it has in the region."""
        (self.name,) = {self.word(PROCESSES + line * PROCESS) for line in range(LINES)} - {0}
        assert self.word(LOCK) == 0
        struct.pack_into("Q", self.region, LOCK * 8, self.name)

    def give_back(self) -> None:
        # Who sleeps until the lock is free notes that in its word.
        assert self.word(LOCK) == self.name, "nobody has slept for the lock"
        struct.pack_into("Q", self.region, LOCK * 8, 0)

    def end(self) -> None:
        self.region.close()
        self.child.kill()
        self.child.communicate()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[StoppedHolder]:
    """Return a process that is stopped while it has the lock."""
    holder = StoppedHolder(tmp_path)
    holder.take()
    yield holder
    holder.end()


def cached(folder: Path, function):
    return lru_cache(128, backend="shared", path=folder, name="busy", max_bytes=1 << 20)(function)


def test_event_loop_goes_on_until_the_lock_of_a_stopped_process_is_free(holder, tmp_path):
    ticks, computed_at = 0, []

    async def f(x):
        computed_at.append(ticks)
        return x

    f = cached(tmp_path, f)

    async def main() -> None:
        nonlocal ticks
        call = asyncio.ensure_future(f(1))
        for _ in range(5):
            await asyncio.sleep(0.001)
            ticks += 1
        holder.give_back()
        assert await asyncio.wait_for(call, SECONDS) == 1

    asyncio.run(main())
    assert computed_at == [5], "it has waited for the lock, and others went on"
    assert f.cache_contains(1)


def test_call_computes_alone_when_the_lock_stays_held_and_the_event_loop_goes_on(holder, tmp_path):
    ticks, computed_at = 0, []

    async def f(x):
        computed_at.append(ticks)
        holder.give_back()
        return x

    f = cached(tmp_path, f)

    async def main() -> None:
        nonlocal ticks
        call = asyncio.ensure_future(f(1))
        while not call.done():
            await asyncio.sleep(0.001)
            ticks += 1
        assert call.result() == 1

    asyncio.run(asyncio.wait_for(main(), SECONDS))
    assert computed_at[0] >= 10, "the loop went on while the call asked for the lock"
    assert f.cache_contains(1)


def test_calls_of_one_key_compute_once_while_the_lock_is_held(holder, tmp_path):
    calls = []

    async def f(x):
        calls.append(x)
        holder.give_back()
        return x

    f = cached(tmp_path, f)

    async def main() -> list[int]:
        return await asyncio.gather(*(f(1) for _ in range(3)))

    assert asyncio.run(asyncio.wait_for(main(), SECONDS)) == [1, 1, 1]
    assert calls == [1]


def test_task_that_is_cancelled_while_the_lock_is_held_leaves_no_flight(holder, tmp_path):
    async def f(x):
        return x

    f = cached(tmp_path, f)

    async def main() -> None:
        call = asyncio.ensure_future(f(1))
        await asyncio.sleep(0.005)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        holder.give_back()
        assert await asyncio.wait_for(f(1), SECONDS) == 1

    asyncio.run(main())
