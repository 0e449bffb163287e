"""Caches that processes share: fork, spawn, pools, processes that are killed, and what one process sees of another."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from helpers.marks import for_shared_caches, forks_beside_threads, has_two_functions_of_one_name
from helpers.process_tools import SECONDS, forked, note, notes, noting, run_in_process, shared_cache, wait_for
from helpers.subprocess_tools import environment_with, run_function

pytestmark = [for_shared_caches, has_two_functions_of_one_name, forks_beside_threads]


# ---- one cache ------------------------------------------------------------------------------------------------------


def call_all(path, keys, sender):
    f = shared_cache(path, noting(path))
    sender.send([f(key) for key in keys])


def test_results_are_computed_once_in_all_processes(context, tmp_path):
    keys = [1, "a", (1, "a"), 2.5, b"b", None, frozenset(["x", "y", "z"])]
    f = shared_cache(tmp_path, lambda x: (note(tmp_path, x), (x, f"value of {x}"))[1])
    mine = [f(key) for key in keys]
    before = len(notes(tmp_path))
    assert run_in_process(context, call_all, tmp_path, keys) == mine
    assert len(notes(tmp_path)) == before
    assert f.cache_info()[:2] == (len(keys), len(keys))


def work(path, seed):
    f = shared_cache(path, noting(path), maxsize=64)
    randomly = random.Random(seed)
    for _ in range(2000):
        x = randomly.randrange(100)
        assert f(x) == (x, f"value of {x}")
    return os.getpid()


def test_pool_of_processes_works_on_one_cache(context, tmp_path):
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        assert len(list(pool.map(work, [tmp_path] * 6, range(6)))) == 6
    f = shared_cache(tmp_path, noting(tmp_path), maxsize=64)
    info = f.cache_info()
    assert info.hits + info.misses == 12_000
    assert info.misses == len(notes(tmp_path))
    assert info.currsize == 64


def test_keys_meet_whatever_the_hash_seed(tmp_path):
    def child(path):
        from tamis import cache

        f = cache(backend="shared", path=path, name="seeds")(lambda *args, **kwargs: print("computed"))
        f("text", frozenset(f"name {number}" for number in range(50)), (1, "é"), a=b"x", b=None)

    printed = [run_function(child, str(tmp_path), environment={"PYTHONHASHSEED": seed}) for seed in ("0", "1", "2")]
    assert printed == ["computed\n", "", ""]


SCRIPT = """
import multiprocessing, sys
from tamis import cache

@cache(backend="shared", path=sys.argv[1])
def f(x):
    print("computed", x, flush=True)
    return x

if __name__ == "__main__":
    f(1)
    for method in ("spawn", "fork"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            pool.map(f, [1, 2])
    f(2)
"""


def test_function_of_a_script_is_one_in_spawned_processes(tmp_path):
    script, region = tmp_path / "script.py", tmp_path / "region"
    script.write_text(SCRIPT)
    region.mkdir(mode=0o700)
    environment = environment_with(*sys.path)
    # Once as it is, and once from its own directory: one file is one program.
    for command, directory in (([str(script)], "/"), (["script.py"], tmp_path)):
        child = subprocess.run(
            [sys.executable, *command, str(region)],
            cwd=directory,
            env=environment,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        assert child.returncode == 0, child.stderr.decode()
        assert child.stdout.decode() == ("computed 1\ncomputed 2\n" if directory == "/" else "")


def test_entries_outlive_the_processes(context, tmp_path):
    first = run_in_process(context, call_all, tmp_path, [1, 2, 3])
    assert run_in_process(context, call_all, tmp_path, [1, 2, 3]) == first
    assert len(notes(tmp_path)) == 3


# ---- what one process sees of another -------------------------------------------------------------------------------


def answer(path, ttl, receiver, sender):
    """Do what the parent asks for."""
    f = shared_cache(path, lambda x: "of the child", **({"ttl": ttl} if ttl else {}))
    while (asked := receiver.recv()) is not None:
        what, *args = asked
        sender.send(f(*args) if what == "call" else getattr(f, f"cache_{what}")(*args))


class Child:
    def __init__(self, context, path, ttl=None):
        receiver, self.sender = context.Pipe(duplex=False)
        self.receiver, sender = context.Pipe(duplex=False)
        self.process = context.Process(target=answer, args=(path, ttl, receiver, sender))
        self.process.start()

    def __call__(self, *asked):
        self.sender.send(asked)
        assert self.receiver.poll(SECONDS), "the child does not answer"
        return self.receiver.recv()

    def end(self):
        self.sender.send(None)
        self.process.join(SECONDS)
        assert self.process.exitcode == 0


def test_near_cache_sees_what_other_processes_do_at_once(context, tmp_path):
    child = Child(context, tmp_path)
    f = shared_cache(tmp_path, lambda x: "of the parent")
    for key in (1, "a", (2, "b")):
        assert f(key) == f(key) == child("call", key) == child("call", key) == "of the parent"
        child("put", "put", key)
        assert f(key) == "put"
        f.cache_put("put back", key)
        assert child("call", key) == "put back"
        assert child("invalidate", key)
        assert not f.cache_contains(key)
        assert f(key) == "of the parent"
        assert f.cache_invalidate(key)
        assert child("call", key) == "of the child"
        assert f(key) == "of the child"
        child("clear")
        assert f.cache_info().currsize == 0
        assert f(key) == "of the parent"
        f.cache_clear()
        assert child("call", key) == "of the child"
    info = f.cache_info()
    assert info == child("info")
    child.end()


def test_expiry_is_seen_in_all_processes(context, tmp_path):
    child = Child(context, tmp_path, ttl=0.3)
    f = shared_cache(tmp_path, lambda x: "of the parent")
    assert child("call", 1) == f(1) == f(1) == "of the child"
    time.sleep(0.35)
    assert f(1) == "of the parent"
    child.end()


def test_eviction_by_another_process_is_seen(tmp_path):
    f = shared_cache(tmp_path, lambda x: ("parent", x), maxsize=4)
    assert f(1) == f(1) == ("parent", 1)

    def evict():
        g = shared_cache(tmp_path, lambda x: ("child", x), maxsize=4)
        for x in range(100, 200):
            g(x)
            g(x)  # so that the hand goes round

    assert wait_for(forked(evict)) == 0
    assert not f.cache_contains(1)
    assert f(1) == ("parent", 1)
    assert f.cache_info().misses == 102


# ---- interpreters and limits ----------------------------------------------------------------------------------------


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="interpreters of their own GIL are made by this module since 3.13"
)
def test_interpreters_of_one_process_share_a_region(tmp_path):
    def child(path):
        import _interpreters

        from tamis import lru_cache

        lines = (
            "from tamis import lru_cache",
            f"f = lru_cache(maxsize=9, backend='shared', path={path!r}, name='test')(lambda x: ['another', x])",
            "assert f(1) == ['first', 1]",
            "assert f(2) == f(2) == ['another', 2]",
            "f.cache_put('put', 3)",
        )
        f = lru_cache(maxsize=9, backend="shared", path=path, name="test")(lambda x: ["first", x])
        assert f(1) == ["first", 1]
        assert f(3) == ["first", 3]
        for _ in range(3):
            interpreter = _interpreters.create("isolated")
            error = _interpreters.exec(interpreter, "\n".join(lines))
            assert error is None, error.errdisplay
            _interpreters.destroy(interpreter)
        assert f(2) == ["another", 2]
        assert f(3) == "put"
        print(f.cache_info().currsize)

    assert run_function(child, str(tmp_path)) == "3\n"


def test_limit_on_file_sizes_is_a_clear_error(tmp_path):
    def child(path):
        import errno
        import resource

        from tamis import lru_cache

        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        lru_cache(backend="shared", path=path, name="small", max_bytes=1 << 16)(len)
        try:
            lru_cache(backend="shared", path=path, name="large", max_bytes=1 << 22)(len)
        except OSError as error:
            print(errno.errorcode[error.errno], "large" in str(error))

    assert run_function(child, str(tmp_path)) == "EFBIG True\n"
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 1


# ---- deaths ---------------------------------------------------------------------------------------------------------


def hammer(path, seed):
    """Call, put, drop and check until killed."""
    f = shared_cache(path, lambda x: (x, os.urandom(x % 700 + 1), x), maxsize=40, max_bytes=1 << 16)
    randomly = random.Random(seed)
    while True:
        x = randomly.randrange(120)
        what = randomly.random()
        if what < 0.1:
            f.cache_invalidate(x)
        elif what < 0.2:
            f.cache_put((x, os.urandom(x % 700 + 1), x), x)
        else:
            first, content, last = f(x)
            assert (first, len(content), last) == (x, x % 700 + 1, x)


@pytest.mark.parametrize("seed", range(4))
def test_processes_may_be_killed_at_any_instruction(tmp_path, seed):
    randomly = random.Random(seed)
    f = shared_cache(tmp_path, lambda x: (x, os.urandom(x % 700 + 1), x), maxsize=40, max_bytes=1 << 16)
    children = [forked(lambda number=number: hammer(tmp_path, number)) for number in range(3)]
    for turn in range(25):
        time.sleep(randomly.random() * 0.02)
        at = randomly.randrange(len(children))
        os.kill(children[at], signal.SIGKILL)
        assert wait_for(children[at]) == -signal.SIGKILL
        children[at] = forked(lambda number=turn: hammer(tmp_path, number + 100))
        for x in range(0, 120, 7):
            first, content, last = f(x)
            assert (first, len(content), last) == (x, x % 700 + 1, x)
        assert f.cache_info().currsize <= 40
    for child in children:
        os.kill(child, signal.SIGKILL)
        assert wait_for(child) == -signal.SIGKILL
    f.cache_clear()
    assert f(1)[0] == 1
    assert f.cache_info()[1:] == (1, 40, 1)
