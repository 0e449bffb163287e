"""Children of forks: what threads of the parent have left in them, and what threads of the child do meanwhile."""

from __future__ import annotations

import pytest

from helpers.marks import for_systems_with_fork
from helpers.subprocess_tools import run_function

pytestmark = for_systems_with_fork


def hit_meanwhile(rounds):
    """A thread of the child has the number of one of the parent, by another cache, and is inside of a hit."""
    import os
    import threading
    import warnings

    import tamis

    warnings.simplefilter("ignore")

    @tamis.lru_cache(maxsize=1)
    def f(key):
        return ["the value of", type(key).__name__]

    @tamis.lru_cache(maxsize=8)
    def g(key):
        return 1

    f("main")
    g("main")
    other = threading.Thread(target=lambda: (g("other"), f("other")))
    other.start()
    other.join()
    # Equal to what is stored, and compared piece by piece: a hit that takes some hundredths of a second.
    size = 8 << 20
    stored, asked = (("x" * size,) * 24 for _ in range(2))
    hash(asked)

    def in_child():
        f(stored)
        inside, given = threading.Event(), []

        def read():
            g(1)
            g(1)
            inside.set()
            given.append(f(asked))

        reader = threading.Thread(target=read)
        reader.start()
        inside.wait()
        for number in range(64):
            f(number)
        others = [["another list", number] for number in range(20_000)]
        reader.join()
        assert given == [["the value of", "tuple"]], given[0][:4]
        assert not any(other is given[0] for other in others)

    for _ in range(rounds):
        # In the parent, so that the child's first change of the cache comes while the other thread is inside.
        f(stored)
        child = os.fork()
        if child == 0:
            try:
                in_child()
                os._exit(0)
            except BaseException as error:
                print(repr(error)[:500], flush=True)
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print("done")


def test_a_hit_in_a_child_keeps_its_entry_while_the_cache_finds_out_about_the_fork():
    assert run_function(hit_meanwhile, 4, seconds=120) == "done\n"


def first_change_meanwhile(rounds):
    """Many threads of a child take numbers, hit and miss, while caches of the parent find out about the fork."""
    import os
    import threading
    import warnings

    import tamis

    warnings.simplefilter("ignore")
    caches = [tamis.lru_cache(maxsize=3)(lambda key, number=number: [number, key]) for number in range(40)]

    def call(order):
        for cache in order:
            for key in (1, 2, 3, 4, 2, 1):
                value = cache(key)
                assert value[1] == key, value

    def in_threads(count):
        failed = []

        def work(seed):
            try:
                call(caches[seed:] + caches[:seed])
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(seed * 5,)) for seed in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed, failed

    in_threads(6)
    for _ in range(rounds):
        child = os.fork()
        if child == 0:
            try:
                in_threads(8)
                call(caches)
                # And in a child of the child, which has fewer threads.
                grandchild = os.fork()
                if grandchild == 0:
                    in_threads(3)
                    os._exit(0)
                os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
            except BaseException as error:
                print(repr(error)[:500], flush=True)
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print("done")


def test_threads_of_a_child_and_of_its_child_may_call_all_caches_at_once():
    assert run_function(first_change_meanwhile, 15, seconds=120) == "done\n"


def forking_finalizers(rounds):
    """A finalizer of an evicted value forks, and both go on evicting, with threads."""
    import os
    import threading
    import warnings

    import tamis

    warnings.simplefilter("ignore")
    forks, children = [0], []

    class Value:
        def __init__(self, key):
            self.key = key

        def __del__(self):
            if forks[0] > 0 and threading.current_thread() is threading.main_thread():
                forks[0] -= 1
                children.append(os.fork())

    @tamis.lru_cache(maxsize=16)
    def f(key):
        return Value(key)

    def call(seed):
        for number in range(400):
            key = (number * 7 + seed) % 40
            value = f(key)
            assert value.key == key, (value.key, key)
            assert f(5).key == 5

    def hit(called, ending):
        f(5)
        called.set()
        ending.wait()

    def in_threads(seed):
        thread = threading.Thread(target=call, args=(seed,))
        thread.start()
        call(seed + 1)
        thread.join()

    in_threads(0)
    for seed in range(rounds):
        ending, called = threading.Event(), threading.Event()
        hitting = threading.Thread(target=hit, args=(called, ending))
        hitting.start()
        called.wait()
        forks[0] = 1
        call(seed)
        assert forks == [0]
        if children == [0]:
            # The parent's thread is not here.
            in_threads(seed)
            os._exit(0)
        ending.set()
        hitting.join()
        assert os.waitstatus_to_exitcode(os.waitpid(children.pop(), 0)[1]) == 0
    print("done")


def test_a_finalizer_of_an_evicted_value_may_fork():
    assert run_function(forking_finalizers, 20, seconds=120) == "done\n"


def alone_again():
    """What threads of the parent have counted stays counted; they keep nothing from being dropped in the child."""
    import os
    import threading
    import warnings
    import weakref

    import tamis

    warnings.simplefilter("ignore")

    class Value:
        pass

    @tamis.lru_cache(maxsize=20)
    def f(key):
        return Value()

    ending, called = threading.Event(), threading.Barrier(5)

    def call():
        for _ in range(10):
            f(1)
        called.wait()
        ending.wait()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    called.wait()
    info = f.cache_info()
    assert info.hits + info.misses == 40
    child = os.fork()
    if child == 0:
        try:
            assert f.cache_info() == info, f.cache_info()
            made = [weakref.ref(f(number)) for number in range(100, 400)]
            alive = sum(reference() is not None for reference in made)
            assert alive == f.cache_info().currsize - f.cache_contains(1), alive
            made = [weakref.ref(f(399)), made[-1]]
            assert made[0]() is made[1]() is not None
            after = f.cache_info()
            assert (after.hits, after.misses) == (info.hits + 1, info.misses + 300), after
            f.cache_clear()
            assert f.cache_info() == (0, 0, 20, 0)
            os._exit(0)
        except BaseException as error:
            print(repr(error)[:500], flush=True)
            os._exit(1)
    ending.set()
    for thread in threads:
        thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print("done")


def test_a_child_has_the_counts_of_the_parent_and_drops_at_once_what_it_evicts():
    assert run_function(alone_again) == "done\n"


def nested_forks(depth):
    """Each child forks the next one, with threads that have called and are left behind each time."""
    import os
    import threading
    import warnings

    import tamis

    warnings.simplefilter("ignore")

    @tamis.lru_cache(maxsize=4)
    def f(key):
        return [key]

    def call(called, ending):
        for number in range(20):
            assert f(number % 6) == [number % 6]
        called.wait()
        ending.wait()

    for _ in range(depth):
        called, ending = threading.Barrier(6), threading.Event()
        for _ in range(5):
            threading.Thread(target=call, args=(called, ending), daemon=True).start()
        called.wait()
        child = os.fork()
        if child > 0:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert f.cache_info().hits + f.cache_info().misses == depth * 100, f.cache_info()
    os.write(1, b"done\n")
    os._exit(0)


@pytest.mark.parametrize("depth", [3, 40])
def test_forks_may_follow_forks(depth):
    assert run_function(nested_forks, depth, seconds=120) == "done\n"


def fork_while_waiting(kind):
    """A signal handler forks in a thread that waits for another one's computation: the child has no such thread."""
    import os
    import signal
    import threading
    import warnings

    import tamis

    warnings.simplefilter("ignore")
    computing, go_on = threading.Event(), threading.Event()
    main = os.getpid()

    def compute(key):
        if os.getpid() == main:
            computing.set()
            go_on.wait()
        return [key]

    if kind == "function":
        call = tamis.lru_cache(single_flight=True)(compute)
    else:
        mapping = tamis.SieveCache(8)

        def call(key):
            return mapping.get_or_compute(key, lambda: compute(key))

    children = []

    def fork(number, frame):
        children.append(os.fork())
        if children[0] > 0:
            threading.Timer(0.2, go_on.set).start()

    signal.signal(signal.SIGALRM, fork)
    leader = threading.Thread(target=call, args=(1,))
    leader.start()
    computing.wait()
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    value = call(1)
    assert value == [1]
    assert call(1) is value
    if children == [0]:
        # Others of the child may wait for each other.
        threads = [threading.Thread(target=call, args=(2,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0)
    leader.join()
    status = os.waitpid(children[0], 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0, status
    print("done")


@pytest.mark.parametrize("kind", ["function", "mapping"])
def test_a_thread_that_waits_may_fork_in_a_signal_handler(kind):
    assert run_function(fork_while_waiting, kind, seconds=30) == "done\n"
