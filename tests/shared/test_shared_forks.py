"""Shared caches in forked children."""

from __future__ import annotations

import itertools
import time

from helpers.marks import for_shared_caches, forks_beside_threads, has_two_functions_of_one_name
from helpers.process_tools import forked, notes, noting, shared_cache, wait_for
from helpers.subprocess_tools import run_function

pytestmark = [for_shared_caches, has_two_functions_of_one_name, forks_beside_threads]


def test_wrapper_works_on_in_a_forked_child(tmp_path):
    f = shared_cache(tmp_path, noting(tmp_path))
    f(1)

    def child():
        assert f(1) == (1, "value of 1")
        assert f(2) == (2, "value of 2")
        f.cache_put("put", 1)

    assert wait_for(forked(child)) == 0
    assert f(1) == "put"
    assert f(2) == (2, "value of 2")
    assert notes(tmp_path) == ["1", "2"]
    assert f.cache_info()[:2] == (3, 2)


def test_forked_children_draw_their_jitter_apart(tmp_path):
    day = 86_400 * 10**9
    f = shared_cache(tmp_path, lambda x: x, ttl=20 * 86_400, jitter=0.5)
    children = [forked(lambda x=x: f(x)) for x in range(8)]
    assert [wait_for(child) for child in children] == [0] * 8
    # An entry's terms lie in the region's file: fresh until, and stale until, which is the same.
    (file,) = tmp_path.glob("*.tamis")
    words = memoryview(file.read_bytes()).cast("Q")
    now = time.monotonic_ns()
    times = [a for a, b in itertools.pairwise(words) if a == b and now + 9 * day < a < now + 21 * day]
    assert len(times) == 8
    # Apart by more than the moments between the calls.
    assert max(times) - min(times) > day // 24


def test_counts_of_many_children_that_end_at_once_add_up(tmp_path):
    f = shared_cache(tmp_path, lambda x: x)
    f(0)
    children = [forked(lambda: [f(0) for _ in range(10)]) for _ in range(30)]
    assert [wait_for(child) for child in children] == [0] * 30
    assert f.cache_info() == (300, 1, 1000, 1)


def known_before(directory):
    """Who lists regions learns which process it is. A child that is forked then is another, and is listed as such."""
    import os

    import tamis
    from tamis import _core

    def call(number):
        cache = tamis.lru_cache(backend="shared", path=directory, name="test", max_bytes=1 << 20)(abs)
        cache(number)
        return cache

    # Another process makes the region, so that there is one to look at before this one opens it.
    child = os.fork()
    if child == 0:
        call(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert len(_core._regions(directory)[1]) == 1
    opened, opening = os.pipe()
    ended, ending = os.pipe()
    child = os.fork()
    if child == 0:
        cache = call(2)
        os.write(opening, b"1")
        os.read(ended, 1)
        os._exit(cache(2) != 2)
    os.read(opened, 1)
    cache = call(3)
    (region,) = _core._regions(directory)[1]
    assert sorted(region["processes"]) == sorted([os.getpid(), child]), (region["processes"], os.getpid(), child)
    os.write(ending, b"1")
    assert os.waitpid(child, 0)[1] == 0
    assert cache(3) == 3
    print("done")


def test_a_child_of_a_process_that_has_listed_regions_is_a_process_of_its_own(tmp_path):
    assert run_function(known_before, str(tmp_path)) == "done\n"
