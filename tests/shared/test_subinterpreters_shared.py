"""Sub-interpreters with a GIL of their own, which fork, wait for flights and count in regions at the same time."""

from __future__ import annotations

import pytest

from helpers.interpreter_tools import IN_INTERPRETERS
from helpers.marks import FREE_THREADED, for_interpreters_with_their_own_gil, for_shared_caches
from helpers.subprocess_tools import run_child

pytestmark = [
    for_interpreters_with_their_own_gil,
    for_shared_caches,
]

# Calls of one interpreter: `DIRECTORY` and `CALLS` are put in.
CALLING = """
import os, time, tamis

@tamis.lru_cache(maxsize=64, backend="shared", path="DIRECTORY", name="counts", max_bytes=1 << 20)
def f(x):
    return x

f(1)
open(f"DIRECTORY/ready{os.urandom(8).hex()}", "x").close()
while len([name for name in os.listdir("DIRECTORY") if name.startswith("ready")]) < READY:
    time.sleep(0.001)
for _ in range(CALLS // 10):
    f(1); f(2); f(3); f(4); f(5); f(1); f(2); f(3); f(4); f(5)
"""


@pytest.mark.parametrize("interpreters", [2, 4])
def test_calls_of_interpreters_that_run_at_once_are_all_counted(tmp_path, interpreters):
    code = f"""
INTERPRETERS, CALLS = {interpreters}, 200_000
CALLING = {CALLING!r}.replace("DIRECTORY", {str(tmp_path)!r}).replace("CALLS", str(CALLS))
CALLING = CALLING.replace("READY", str(INTERPRETERS + 1))
finished = []

def work(call):
    call(CALLING)
    finished.append(True)

threads = [threading.Thread(target=work, args=(in_new_interpreter,)) for _ in range(INTERPRETERS)]
threads.append(threading.Thread(target=work, args=(lambda code: exec(code, {{}}),)))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(finished) == INTERPRETERS + 1

import tamis

f = tamis.lru_cache(maxsize=64, backend="shared", path={str(tmp_path)!r}, name="counts", max_bytes=1 << 20)(id)
stats = f.cache_stats()
print(stats["hits"] + stats["misses"] - (CALLS + 1) * (INTERPRETERS + 1))
"""
    # The functions differ, and share a region by its name alone.
    assert run_child(IN_INTERPRETERS + code, seconds=120) == "0\n"


# What an interpreter does until a pipe is closed: its threads wait for each other, and open and drop regions.
WAITING = """
import os, threading, tamis

m = tamis.SieveCache(100)
ended = False

def compute(key):
    threading.Event().wait(0.0002)
    return key

def work():
    number = 0
    while not ended:
        number += 1
        m.get_or_compute(number % 50, lambda: compute(number))
        m.pop(number % 50, None)

def work_shared(name):
    while not ended:
        cache = tamis.lru_cache(maxsize=8, backend="shared", path=DIRECTORY, name=name, max_bytes=1 << 16)
        assert cache(lambda x: [x])(1) == [1]

threads = [threading.Thread(target=work) for _ in range(4)]
threads += [threading.Thread(target=work_shared, args=(f"busy{number}",)) for number in range(2)]
for thread in threads:
    thread.start()
os.write(READY, b"1")
os.read(PIPE, 1)
ended = True
for thread in threads:
    thread.join()
"""


# `os.fork()` stops or ends the child where there are other interpreters: seen on 3.12 to 3.15. The child of a fork by C
# code goes on in one thread, which has its interpreter's lock.
@pytest.mark.skipif(FREE_THREADED, reason="only os.fork() pauses other threads for a fork")
def test_one_interpreter_may_fork_while_others_wait_for_flights_and_open_regions(tmp_path):
    code = f"""
import ctypes, signal, time

fork = ctypes.PyDLL(None).fork
reading, writing = os.pipe()
ready, becoming_ready = os.pipe()
WAITING = {WAITING!r}.replace("DIRECTORY", {str(tmp_path)!r}.__repr__()).replace("PIPE", str(reading))
WAITING = WAITING.replace("READY", str(becoming_ready))
thread = threading.Thread(target=in_new_interpreter, args=(WAITING,))
thread.start()
# While an interpreter begins, its thread holds locks of CPython's and of the loader's, and waits for that of this
# interpreter. Such a fork would leave them as they are.
os.read(ready, 1)
time.sleep(0.3)

import tamis

mapping = tamis.SieveCache(8)
def open_region(name):
    return tamis.lru_cache(maxsize=8, backend="shared", path={str(tmp_path)!r}, name=name, max_bytes=1 << 16)(id)

kept = open_region("kept")

def in_child():
    signal.alarm(20)
    flying = threading.Event()

    def compute(key):
        flying.wait()
        return [key]

    threads = [threading.Thread(target=mapping.get_or_compute, args=(1, lambda: compute(1))) for _ in range(3)]
    for thread in threads:
        thread.start()
    open_region("kept")("key")
    open_region("busy1")("key")
    flying.set()
    for thread in threads:
        thread.join()

try:
    for number in range(300):
        child = fork()
        if child == 0:
            in_child()
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status == 0, (number, status)
finally:
    os.close(writing)
    thread.join()
print("done")
"""
    assert run_child(IN_INTERPRETERS + code, seconds=150) == "done\n"
