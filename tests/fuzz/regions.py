"""Processes in one shared cache, some of them killed or stopped, while bits of the region flip and its file is removed.

`python tests/fuzz/regions.py --seconds 600` plays for ten minutes.

Checked are: the value of each call, in every process, whatever happened to the region; and that each process goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from driver import main

import tamis

KEYS = 60
MAX_BYTES = 1 << 18
# A call waits at most three seconds for a lock and thirty for a lease. A child that is silent for longer hangs.
SILENCE = 100


def value_of(number: int) -> Any:
    """Return a value that says which key it is of, and which damage would show in."""
    kinds = (
        number,
        f"value {number}" * (number % 7),
        [number, {"number": number}],
        (number, str(number) * 50),
        b"%d" % number * 200,
    )
    return (number, kinds[number % len(kinds)])


def child(folder: str, seed: int, seconds: float, options: dict[str, Any]) -> None:
    """Use the cache for so long, in one process."""
    import faulthandler
    import warnings

    # The watchdog is a thread, beside which a fork is warned of.
    warnings.simplefilter("ignore", DeprecationWarning)

    faulthandler.dump_traceback_later(seconds + SILENCE, exit=True)
    chance = random.Random(seed)

    def decorated() -> tuple[Any, Any]:
        shared = {"backend": "shared", "path": folder, "max_bytes": MAX_BYTES, **options}

        @tamis.lru_cache(8, name="functions", **shared)
        def function(number: int) -> Any:
            if number % 13 == 0 and chance.random() < 0.5:
                raise KeyError(number)
            if chance.random() < 0.02:
                time.sleep(0.01)
            return value_of(number)

        @tamis.lru_cache(
            None, name="coroutines", **{key: value for key, value in shared.items() if key != "single_flight"}
        )
        async def coroutine(number: int) -> Any:
            await asyncio.sleep(0)
            return value_of(number)

        return function, coroutine

    async def together(coroutine: Any) -> None:
        numbers = [chance.randrange(KEYS) for _ in range(5)]
        assert await asyncio.gather(*map(coroutine, numbers)) == list(map(value_of, numbers))

    function, coroutine = decorated()
    end = time.monotonic() + seconds
    calls = 0
    while time.monotonic() < end:
        number = chance.randrange(KEYS)
        what = chance.randrange(1000)
        try:
            if what < 900:
                with suppress(KeyError):
                    value = function(number)
                    assert value == value_of(number), (number, value)
            elif what < 930:
                asyncio.run(together(coroutine))
            elif what < 950:
                function.cache_invalidate(number)
            elif what < 970:
                function.cache_put(value_of(number), number)
            elif what < 985:
                function.cache_stats()
            elif what < 990:
                function.cache_clear()
            elif what < 995:
                # As a process that starts now: after a removal it comes to another file.
                function, coroutine = decorated()
            elif hasattr(os, "fork"):
                pid = os.fork()
                if pid == 0:
                    with suppress(KeyError, TimeoutError):
                        assert function(number) == value_of(number)
                    os._exit(0)
                assert os.waitpid(pid, 0)[1] == 0
        except TimeoutError:
            pass  # the region's lock is held by one that is stopped
        except (PermissionError, OSError) as error:
            # Opening beside one who removes or replaces.
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        calls += 1
    print(calls, flush=True)


def flip(chance: random.Random, folder: Path) -> None:
    """Flip some bits in the region, as no process of ours would."""
    for path in folder.glob("r-*"):
        with suppress(OSError), path.open("r+b") as file:
            size = path.stat().st_size
            for _ in range(chance.choice([1, 10, 200])):
                at = chance.randrange(chance.choice([size, size, 16 << 10]))
                file.seek(at)
                byte = file.read(1)
                if byte:
                    file.seek(at)
                    file.write(bytes([byte[0] ^ 1 << chance.randrange(8)]))


def play(chance: random.Random) -> str:
    folder = Path(tempfile.mkdtemp(prefix="tamis-fuzz-", dir="/dev/shm"))
    options: dict[str, Any] = {"single_flight": chance.random() < 0.6}
    if chance.random() < 0.4:
        options["ttl"] = chance.choice([0.01, 0.2, 60])
        if chance.random() < 0.6:
            options["stale"] = 60
    flips, removes = chance.random() < 0.5, chance.random() < 0.3
    seconds = 2.0
    killed: set[int] = set()
    children = []
    for _ in range(chance.choice([2, 3, 4])):
        arguments = [str(folder), str(chance.randrange(10**9)), str(seconds), json.dumps(options)]
        children.append(
            subprocess.Popen([sys.executable, __file__, "child", *arguments], stdout=subprocess.PIPE, text=True)
        )
    try:
        end = time.monotonic() + seconds
        kills = stops = 0
        while time.monotonic() < end:
            time.sleep(chance.random() / 5)
            victim = chance.choice(children)
            what = chance.randrange(4)
            if what == 0 and len(killed) < len(children) - 1:
                victim.kill()
                killed.add(victim.pid)
                kills += 1
            elif what == 1 and victim.pid not in killed:
                victim.send_signal(signal.SIGSTOP)
                time.sleep(chance.choice([0.01, 0.3, 1.5]))
                victim.send_signal(signal.SIGCONT)
                stops += 1
            elif what == 2 and flips:
                flip(chance, folder)
            elif what == 3 and removes and chance.random() < 0.3:
                for path in folder.glob("r-*"):
                    path.unlink(missing_ok=True)
        for one in children:
            one.wait(timeout=seconds + SILENCE + 20)
            assert one.returncode == 0 or one.pid in killed, f"a child ended with {one.returncode}"
    finally:
        for one in children:
            one.kill()
            one.wait()
            if one.stdout:
                one.stdout.close()
        shutil.rmtree(folder, ignore_errors=True)
    outside = ", flips" * flips + ", removals" * removes
    return f"{len(children)} processes, {kills} killed, {stops} stopped{outside}: {options}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), json.loads(sys.argv[5]))
    else:
        main(__doc__ or "", play)
