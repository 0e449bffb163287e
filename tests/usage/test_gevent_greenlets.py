"""Programs under gevent: greenlets that miss one key at the same time."""

from __future__ import annotations

from helpers.package_tools import package
from helpers.subprocess_tools import run_child

package("gevent", "gevent")

PATCHED = """
import warnings
warnings.simplefilter("ignore")
from gevent import monkey
monkey.patch_all()
import sys, threading, time
import gevent, gevent.event, gevent.threadpool
import tamis

calls = []

def results(*greenlets):
    gevent.joinall(greenlets, raise_error=False, timeout=20)
    return [greenlet.value if greenlet.successful() else type(greenlet.exception) for greenlet in greenlets]
"""


def run_patched(code: str) -> None:
    run_child(PATCHED + code)


def test_greenlets_wait_for_the_one_that_computes():
    run_patched("""
@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    time.sleep(0.05)
    return 2 * number

assert results(*(gevent.spawn(double, n % 2) for n in range(10))) == [0, 2] * 5
assert sorted(calls) == [0, 1]
assert double.cache_stats()["coalesced"] == 8 and double.cache_info()[:2] == (8, 2)

# Threads of the patched module are greenlets, too.
threads = [threading.Thread(target=double, args=(7,)) for _ in range(5)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert calls.count(7) == 1
""")


def test_an_error_goes_to_all_greenlets_that_waited_and_to_no_later_one():
    run_patched("""
@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    time.sleep(0.05)
    if len(calls) == 1:
        raise LookupError(number)
    return 2 * number

assert results(*(gevent.spawn(double, 1) for _ in range(4))) == [LookupError] * 4
assert calls == [1] and double(1) == 2
""")


def test_a_greenlet_that_is_killed_while_it_computes_is_replaced_and_one_that_waits_is_not_waited_for():
    run_patched("""
@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    time.sleep(0.1)
    return 2 * number

first, second, third, fourth = (gevent.spawn(double, 1) for _ in range(4))
gevent.sleep(0.02)
assert calls == [1]
third.kill()
first.kill()
assert results(second, fourth) == [2, 2]
assert calls == [1, 1]
assert isinstance(third.value, gevent.GreenletExit) and isinstance(first.value, gevent.GreenletExit)

calls.clear()
leader = gevent.spawn(double, 2)
gevent.sleep(0.01)
for error in (gevent.Timeout(0.01), gevent.Timeout(0.01, KeyError)):
    try:
        with error:
            double(2)
    except (gevent.Timeout, KeyError) as caught:
        assert isinstance(caught, KeyError) or caught is error
    else:
        raise AssertionError("not interrupted")
assert double(2) == 4 and calls == [2] and results(leader) == [4]
""")


def test_greenlets_that_would_wait_for_each_other_compute():
    run_patched("""
@tamis.cache(single_flight=True)
def ring(number):
    calls.append(number)
    time.sleep(0.02)
    if len(calls) > 12:
        return 0
    return 1 + ring((number + 1) % 3)

@tamis.cache(single_flight=True)
def own(number, depth=[]):
    depth.append(number)
    time.sleep(0.01)
    return own(number) + 1 if len(depth) < 3 else 0

greenlets = [gevent.spawn(ring, n) for n in range(3)]
assert all(isinstance(result, int) for result in results(*greenlets)), results(*greenlets)
assert own(1) == 2
""")


def test_threads_beside_the_one_with_the_greenlets():
    run_patched("""
@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    time.sleep(0.05)
    return 2 * number

pool = gevent.threadpool.ThreadPool(3)
for number in range(10):
    greenlets = [gevent.spawn(double, number) for _ in range(3)]
    in_threads = [pool.spawn(double, number) for _ in range(3)]
    gevent.sleep(0)
    assert [result.get(timeout=20) for result in in_threads] == [2 * number] * 3
    assert results(*greenlets) == [2 * number] * 3
assert sorted(calls) == list(range(10)), calls
""")


def test_what_can_not_wait_computes():
    # The loop's own callbacks may not wait, and a greenlet without which nothing goes on is not to.
    run_patched("""
done = gevent.event.Event()

@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    if len(calls) == 1:
        done.wait()
    return 2 * number

leader = gevent.spawn(double, 1)
gevent.sleep(0)
in_loop = []
gevent.get_hub().loop.run_callback(lambda: in_loop.append(double(1)))
gevent.sleep(0.01)
assert in_loop == [2] and calls == [1, 1]

double.cache_clear()
calls.clear()
leader.kill()
leader = gevent.spawn(double, 1)
gevent.sleep(0)
assert calls == [1]
assert double(1) == 2 and calls == [1, 1]
done.set()
assert results(leader) == [2]
""")


def test_a_mapping_computes_once():
    run_patched("""
cache = tamis.SieveCache(10)

def compute():
    calls.append(1)
    time.sleep(0.05)
    return 3

assert results(*(gevent.spawn(cache.get_or_compute, "key", compute) for _ in range(5))) == [3] * 5
assert calls == [1]
""")


SHARED = """
import os, time
import tamis

here = os.path.dirname(__file__)
calls = []

@tamis.cache(backend="shared", path=here, single_flight=True)
def double(number):
    calls.append(number)
    open(os.path.join(here, f"begun{number}"), "w").close()
    while number == 3 and not os.path.exists(os.path.join(here, "go")):
        time.sleep(0.005)
    time.sleep(0.02)
    return 2 * number
"""


def test_greenlets_go_on_while_one_waits_for_another_process(tmp_path):
    (tmp_path / "shared_double.py").write_text(SHARED)
    run_patched(f"""
import os, subprocess
import gevent.subprocess
sys.path.insert(0, {str(tmp_path)!r})
from shared_double import calls, double

# Within this process: one leads, and the others wait, though it holds the lease.
assert results(*(gevent.spawn(double, 1) for _ in range(4))) == [2] * 4
assert calls == [1], calls

code = "import sys; sys.path.insert(0, sys.argv[1]); import shared_double; assert shared_double.double(3) == 6"
child = gevent.subprocess.Popen([sys.executable, "-c", code, {str(tmp_path)!r}])
while not os.path.exists({str(tmp_path / "begun3")!r}):
    gevent.sleep(0.005)
waiting = [gevent.spawn(double, 3) for _ in range(3)]
for _ in range(20):
    gevent.sleep(0.005)
assert not any(greenlet.ready() for greenlet in waiting)
open({str(tmp_path / "go")!r}, "w").close()
assert results(*waiting) == [6] * 3
assert child.wait() == 0
assert calls == [1], calls
""")


def test_without_the_monkey_patch_each_greenlet_computes():
    run_child("""
import warnings
warnings.simplefilter("ignore")
import gevent
import tamis

calls = []

@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    gevent.sleep(0.02)
    return 2 * number

greenlets = [gevent.spawn(double, 1) for _ in range(3)]
gevent.joinall(greenlets)
assert [greenlet.value for greenlet in greenlets] == [2, 2, 2]
assert calls == [1, 1, 1] and double.cache_info().currsize == 1
""")


def test_a_patch_that_comes_after_the_first_flights():
    run_child("""
import warnings
warnings.simplefilter("ignore")
import threading, time
import tamis

calls = []

@tamis.cache(single_flight=True)
def double(number):
    calls.append(number)
    time.sleep(0.05)
    return 2 * number

threads = [threading.Thread(target=double, args=(1,)) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
from gevent import monkey
monkey.patch_all()
import gevent
gevent.joinall([gevent.spawn(double, 2) for _ in range(3)])
assert calls == [1, 2]
""")
