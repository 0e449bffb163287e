"""Functions that call themselves through a cache, as deep as the recursion limit and the stack let them."""

from __future__ import annotations

import functools
import sys

import pytest

from helpers.recursion_tools import levels_in_child
from helpers.subprocess_tools import run_function

depths = functools.partial(levels_in_child, "recursive_functions")
DIRECT = [
    "bound",
    "no bound",
    "nothing stored",
    "typed",
    "ttl",
    "tti",
    "key",
    "ignore",
    "single_flight",
    "weigher",
    "on_evict",
    "copy",
    "many options",
    "shared",
    "shared, ttl",
    "shared, key",
    "shared, single_flight",
    "method",
    "partial",
]
OTHERS = [
    "refresh",
    "refresh, ttl",
    "refresh, shared",
    "stale",
    "three caches",
    "three caches, ttl",
    "get_or_compute",
    "get_or_compute, ttl",
    "in key",
    "in ttl",
    "in weigher",
    "in copy",
    "in on_evict",
    "in clock",
    "in eq",
    "in eq, ttl",
    "in eq, single_flight",
    "in hash",
    "in hash, ttl",
    "in finalizer",
    "in serializer",
]


@pytest.mark.parametrize("kind", [*DIRECT, *OTHERS])
def test_recursion_beyond_the_limit_and_the_stack_raises_and_never_crashes(kind):
    depths(kind, (20_000, 30_000), (10**6, 100_000))


@pytest.mark.parametrize("kind", ["no bound", "ttl", "key", "shared, single_flight", "get_or_compute", "in eq"])
def test_recursion_in_a_thread_with_a_small_stack_raises_and_never_crashes(kind):
    main, other = depths(kind, (10**6, 100_000), stack=256 << 10)
    assert 50 < other < main


@pytest.fixture(scope="module")
def functools_depths():
    return depths("functools", (1000, 2000))


@pytest.mark.parametrize("kind", DIRECT)
def test_at_the_default_limit_recursion_goes_as_deep_as_through_functools(kind, functools_depths):
    for own, other in zip(depths(kind, (1000, 2000)), functools_depths, strict=True):
        assert own >= other


def recurse_with_a_raised_limit():
    import resource
    import sys

    from tamis import cache

    def depth():
        entered = 0

        @cache
        def f(n):
            nonlocal entered
            entered += 1
            return f(n - 1) if n else 0

        try:
            f(200_000)
        except RecursionError:
            return entered

    sys.setrecursionlimit(10**6)
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    resource.setrlimit(resource.RLIMIT_STACK, (2 << 20, hard))
    depth()
    resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, hard))
    before = depth()
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    print(before < depth())


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info >= (3, 12),
    reason="other systems are not asked for the size of a stack; from 3.12 on CPython has a limit of its own besides",
)
def test_a_limit_of_the_stack_that_is_raised_in_a_running_program_holds():
    assert run_function(recurse_with_a_raised_limit) == "True\n"
