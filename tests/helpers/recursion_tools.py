"""How deep recursion goes, in children of tests."""

from __future__ import annotations

import sys
import threading

from helpers.subprocess_tools import run_child


def levels_in_child(module, kind, *limits, stack=0):
    """How many levels `recurse` of this helper module reaches in a child under each limit, in two threads each.

    A limit is that of the interpreter, and how deep it is tried. The second thread has a stack of so many bytes, or of
    the usual size.
    """
    arguments = ", ".join(map(repr, (kind, limits, stack)))
    printed = run_child(f"from helpers.{module} import recurse; recurse({arguments})", seconds=120)
    return [int(depth) for depth in printed.split()]


def print_depths(reach, limits, stack):
    """Call ``reach(limit, n)`` under each limit, in the main thread and in another, and print what it returns."""
    threading.stack_size(stack)
    reached = []

    def work(limit, n):
        reached.append(reach(limit, n))

    for limit, n in limits:
        sys.setrecursionlimit(limit)
        work(limit, n)
        thread = threading.Thread(target=work, args=(limit, n))
        thread.start()
        thread.join()
    sys.setrecursionlimit(1000)
    assert len(reached) == 2 * len(limits)
    print(*reached)
