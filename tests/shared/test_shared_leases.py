"""Single flight over processes: who computes, and then ends, stops or becomes another program, is passed over."""

from __future__ import annotations

import asyncio
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from helpers.marks import for_shared_caches
from helpers.subprocess_tools import run_child
from tamis import lru_cache

pytestmark = for_shared_caches

# Far below the 30 seconds after which nobody is waited for, and far above what it takes.
SECONDS = 20

LEADER = """
import os, sys, threading, time
from tamis import lru_cache

@lru_cache(backend="shared", path=sys.argv[1], name="leases", single_flight=True)
def f(x):
    print("leads", flush=True)
    time.sleep(float(sys.argv[3]))
    return "of the leader"

if sys.argv[2] == "exec":
    threading.Thread(target=f, args=(1,), daemon=True).start()
    time.sleep(0.5)
    os.execv("/bin/sleep", ["sleep", "3600"])
f(1)
"""


@pytest.fixture
def leader(tmp_path):
    """Return what starts a process that computes f(1) for so many seconds."""
    started = []

    def start(then: str, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", LEADER, str(tmp_path), then, str(seconds)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "leads\n"
        return child

    yield start
    for child in started:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait()
        child.stdout.close()


def in_thread(folder: Path) -> str:
    @lru_cache(backend="shared", path=folder, name="leases", single_flight=True)
    def f(x):
        return "of the follower"

    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(f(1)), daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert answers, "the caller still waits"
    assert f(1) == answers[0], "what it has computed is stored"
    return answers[0]


def in_task(folder: Path) -> str:
    @lru_cache(backend="shared", path=folder, name="leases")
    async def f(x):
        return "of the follower"

    async def main() -> str:
        answer = await asyncio.wait_for(f(1), SECONDS)
        assert await f(1) == answer
        return answer

    return asyncio.run(main())


EVERY_CALLER = pytest.mark.parametrize("call", [in_thread, in_task])


@EVERY_CALLER
def test_caller_gets_what_a_living_leader_has_computed(leader, tmp_path, call):
    leader("return", 1)
    assert call(tmp_path) == "of the leader"


@EVERY_CALLER
def test_leader_that_was_stopped_is_passed_over(leader, tmp_path, call):
    child = leader("return", 2)
    child.send_signal(signal.SIGSTOP)
    assert call(tmp_path) == "of the follower"
    child.send_signal(signal.SIGCONT)
    assert child.wait() == 0


@EVERY_CALLER
def test_leader_that_became_another_program_is_passed_over(leader, tmp_path, call):
    child = leader("exec", 3600)
    assert call(tmp_path) == "of the follower"
    assert child.poll() is None


@EVERY_CALLER
def test_leader_that_was_killed_is_replaced(leader, tmp_path, call):
    leader("return", 3600).kill()
    assert call(tmp_path) == "of the follower"


def test_program_that_replaced_itself_does_not_wait_for_the_program_that_it_was(tmp_path):
    script = tmp_path / "script.py"
    folder = tmp_path / "region"
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, faulthandler, os, sys, threading, time
            from tamis import lru_cache

            stage = sys.argv[2]
            faulthandler.dump_traceback_later(20, exit=True)
            started = threading.Event()
            options = dict(backend="shared", path=sys.argv[1], name="exec", single_flight=True)

            @lru_cache(**options)
            def f(x):
                if stage == "first":
                    started.set()
                    time.sleep(3600)
                return stage

            @lru_cache(**options)
            async def g(x):
                return stage

            if stage == "first":
                threading.Thread(target=f, args=(1,), daemon=True).start()
                started.wait()
                threading.Thread(target=f, args=(2,), daemon=True).start()
                time.sleep(0.2)
                os.execv(sys.executable, [sys.executable, *sys.argv[:2], "second"])
            print(f(1), asyncio.run(g(2)))
            """
        )
    )
    done = subprocess.run([sys.executable, script, folder, "first"], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("second second\n", 0), done.stderr


def test_stale_entry_is_made_anew_by_the_program_that_a_process_became(tmp_path):
    code = """
    import os, sys, threading, time
    from tamis import lru_cache

    started = threading.Event()

    @lru_cache(backend="shared", path=%r, name="claims", ttl=0.2, stale=3600)
    def f(x):
        if os.environ.get("STAGE") == "second":
            return "second"
        if len(calls) > 1:
            started.set()
            time.sleep(3600)
        return "first"

    class Calls(list):
        def __len__(self):
            self.append(None)
            return super().__len__()

    calls = Calls()
    if os.environ.get("STAGE") == "second":
        print(f(1), f(1))
    else:
        f(1)
        time.sleep(0.4)
        threading.Thread(target=f, args=(1,), daemon=True).start()
        started.wait()
        os.environ["STAGE"] = "second"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    """
    assert run_child(code % str(tmp_path)) == "second second\n"


def leases_of(folder: Path) -> tuple[int, int, Path]:
    """Return where the leases lie in the region of 1 MiB for 128 entries, in words, how many they are, and the file."""

    def aligned(words: int) -> int:
        return -(-words // 16) * 16

    file = 1 << 20
    state = aligned(16 + 512)
    slabs = aligned(state + 32 + 29 + 29 * 16)
    processes = aligned(slabs + -(-min(128, file // 96) // 64))
    leases = aligned(processes + min(max(file >> 17, 16), 1024) * 16)
    (path,) = folder.glob("r-*")
    return leases, min(max(file >> 16, 32), 1024), path


@pytest.mark.parametrize("word", [8, 16])
@pytest.mark.parametrize("bit", [0, 17, 63])
def test_lease_ends_whatever_bit_of_it_has_flipped(tmp_path, word, bit):
    options = {"backend": "shared", "path": tmp_path, "name": "flipped", "max_bytes": 1 << 20, "single_flight": True}
    inside, go_on = threading.Event(), threading.Event()

    @lru_cache(128, **options)
    def f(x):
        inside.set()
        assert go_on.wait(SECONDS)
        return x

    thread = threading.Thread(target=f, args=(1,))
    thread.start()
    assert inside.wait(SECONDS)
    begin, count, path = leases_of(tmp_path)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as region:
        held = [at for at in range(count) if struct.unpack_from("Q", region, (begin + at * 4) * 8)[0]]
        assert len(held) == 1
        place = (begin + held[0] * 4) * 8 + word
        struct.pack_into("Q", region, place, struct.unpack_from("Q", region, place)[0] ^ 1 << bit)
        go_on.set()
        thread.join()
        assert struct.unpack_from("Q", region, (begin + held[0] * 4) * 8)[0] == 0, "it was given back"
    f.cache_invalidate(1)
    code = f"""
    from tamis import lru_cache
    options = {json.dumps({**options, "path": str(tmp_path)}).replace("true", "True")}
    print(lru_cache(128, **options)(lambda x: "computed")(1))
    """
    assert run_child(code, seconds=SECONDS) == "computed\n"


def test_another_process_waits_for_a_thread_of_this_one(tmp_path):
    inside, go_on = threading.Event(), threading.Event()

    @lru_cache(backend="shared", path=tmp_path, name="fork", single_flight=True)
    def f(x):
        inside.set()
        assert go_on.wait(SECONDS)
        return os.getpid()

    thread = threading.Thread(target=f, args=(1,))
    thread.start()
    assert inside.wait(SECONDS)
    code = f"""
    from tamis import lru_cache
    print(lru_cache(backend="shared", path={str(tmp_path)!r}, name="fork", single_flight=True)(lambda x: "own")(1))
    """
    answers: list[str] = []
    other = threading.Thread(target=lambda: answers.append(run_child(code)))
    other.start()
    time.sleep(0.5)
    go_on.set()
    other.join()
    thread.join()
    assert answers == [f"{os.getpid()}\n"]
