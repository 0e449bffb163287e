"""Shared caches without a name: functions that differ never see each other's entries, and one always its own."""

from __future__ import annotations

import asyncio
import functools
import operator
import sqlite3
import sys
import threading
from functools import partial

import pytest

from helpers.marks import for_shared_caches
from helpers.region_cases import named, timed
from tamis import lru_cache

pytestmark = for_shared_caches


@pytest.fixture
def shared(tmp_path):
    return partial(lru_cache, backend="shared", path=tmp_path, max_bytes=1 << 20)


def test_functions_below_a_decorator_that_close_over_different_values(shared):
    def converter(rate):
        @shared()
        @timed
        def convert(x):
            return x * rate

        return convert

    assert (converter(2)(10), converter(3)(10)) == (20, 30)
    again = converter(2)
    assert again(10) == 20
    assert again.cache_info()[:2] == (1, 1)


def test_arguments_of_a_second_decorator(shared):
    def make(first, second):
        @shared()
        @named(first)
        @named(second)
        def f(x):
            return x

        return f

    assert make("a", "b")(1) == ("a", ("b", 1))
    assert make("b", "a")(1) == ("b", ("a", 1))
    assert make("a", "c")(1) == ("a", ("c", 1))
    assert make("a", "b").cache_info().currsize == 1


def test_helpers_with_closures_and_defaults_of_their_own(shared):
    def adding(number):
        return lambda x: x + number

    def with_default(number):
        def add(x, n=number):
            return x + n

        return add

    def make(helper):
        return shared()(lambda x: helper(x))

    assert [make(adding(n))(1) for n in (1, 2)] == [2, 3]
    assert [make(with_default(n))(1) for n in (10, 20)] == [11, 21]
    assert [make(timed(adding(n)))(1) for n in (100, 200)] == [101, 201]


def test_partials_of_lambdas(shared):
    assert shared()(partial(lambda x, y: x + y, 10))(1) == 11
    assert shared()(partial(lambda x, y: x * y, 10))(1) == 10
    assert shared()(partial(lambda x, y: x + y, 20))(1) == 21


class Account:
    def __init__(self, rate):
        self.rate = rate

    def interest(self, years):
        return self.rate * years


class Locked(Account):
    def __init__(self, rate):
        super().__init__(rate)
        self.lock = threading.Lock()


def test_partials_and_methods_of_objects(shared):
    assert shared()(partial(Account(2).interest))(10) == 20
    assert shared()(partial(Account(3).interest))(10) == 30
    assert shared()(Account(4).interest)(10) == 40
    assert shared()(Account(5).interest)(10) == 50


def test_methods_of_objects_that_have_no_bytes_have_to_be_named(shared):
    for callable_ in (Locked(2).interest, partial(Locked(2).interest), timed(Locked(2).interest)):
        with pytest.raises(TypeError, match=r"name=.*usage.*Locked\b.*'lock' \(_thread\.lock\)|name=.*Locked.*'lock'"):
            shared()(callable_)
    assert shared(name="two")(Locked(2).interest)(10) == 20
    assert shared(name="three")(Locked(3).interest)(10) == 30


def test_callables_of_the_module_operator(shared):
    row = (10, 20)
    assert [shared()(operator.itemgetter(at))(row) for at in (0, 1)] == [10, 20]
    assert [shared()(operator.attrgetter(name))(1 + 2j) for name in ("real", "imag")] == [1.0, 2.0]
    assert [shared()(operator.methodcaller("split", at))("a-b+c") for at in "-+"] == [["a", "b+c"], ["a-b", "c"]]


def test_bound_methods_of_built_in_types(shared):
    assert [shared()(glue.join)(("a", "b")) for glue in "-+"] == ["a-b", "a+b"]
    assert [shared()(table.get)("k") for table in ({"k": 1}, {"k": 2})] == [1, 2]
    assert [shared()(items.index)("a") for items in (["a"], ["b", "a"])] == [0, 1]


def test_constants_that_are_equal_but_of_other_types(shared):
    functions = [lambda x: (1, 0), lambda x: (True, False), lambda x: (1.0, 0.0), lambda x: (1.0, -0.0)]
    assert [repr(shared()(f)(1)) for f in functions] == ["(1, 0)", "(True, False)", "(1.0, 0.0)", "(1.0, -0.0)"]
    assert [repr(shared()(lambda x, y=y: y)(1)) for y in ((1, 0), (True, False), 0.0, -0.0)] == [
        *("(1, 0)", "(True, False)", "0.0", "-0.0")
    ]


def test_changed_body_below_two_decorators(shared):
    assert shared()(timed(timed(lambda x: x + 1)))(1) == 2
    assert shared()(timed(timed(lambda x: x + 2)))(1) == 3


def test_connections_have_to_be_named(shared):
    def query(connection):
        def count(table):
            return connection.execute(f"select count(*) from {table}").fetchone()[0]

        return count

    connections = [sqlite3.connect(":memory:") for _ in range(2)]
    for number, connection in enumerate(connections):
        connection.execute("create table t (x)")
        connection.executemany("insert into t values (?)", [(each,) for each in range(number)])
        with pytest.raises(TypeError, match=r"name=.*query.*count' closes over 'connection' \(sqlite3\.Connection\)"):
            shared()(query(connection))
        assert shared(name=f"connection {number}")(query(connection))("t") == number
        connection.close()


@pytest.mark.parametrize(
    "make",
    [
        threading.Lock,
        threading.local,
        lambda: iter([1]),
        lambda: (x for x in "a"),
        lambda: open(__file__, encoding="utf-8"),  # noqa: SIM115
        lambda: [1, {"key": threading.Lock()}],
        lambda: partial(print, threading.Lock()),
        lambda: Locked(1),
        lambda: Locked(1).interest,
    ],
)
def test_what_has_nothing_that_is_the_same_in_every_process_has_to_be_named(shared, make):
    thing = make()

    def over(x):
        return x, thing

    def with_default(x, thing=thing):
        return x, thing

    def with_named_default(x, *, thing=thing):
        return x, thing

    for f in (over, with_default, with_named_default, timed(over), partial(over), partial(print, thing)):
        with pytest.raises(TypeError, match="has to be given a name here, by name="):
            shared()(f)
    if hasattr(thing, "close"):
        thing.close()


def test_error_says_how_one_comes_to_what_has_no_name(shared):
    client = Locked(1)
    with pytest.raises(TypeError) as caught:
        shared()(timed(lambda x: client.interest(x)))
    assert "which closes over 'client'" in str(caught.value)
    assert "which has the attribute 'lock' (_thread.lock)" in str(caught.value)
    assert "cannot pickle" in str(caught.value.__cause__)


def test_attribute_that_the_function_reads_of_itself(shared):
    def make(rate):
        def f(x):
            return x * f.rate

        f.rate = rate
        return shared()(f)

    assert [make(rate)(10) for rate in (2, 3)] == [20, 30]


def test_attribute_that_nobody_reads_says_nothing(shared):
    def make(note):
        def f(x):
            return x

        f.note = note
        return shared()(f)

    assert make(threading.Lock())(1) == 1
    assert make(sqlite3)(1) == 1
    assert make(1).cache_info().currsize == 1


def test_options_that_say_which_calls_are_the_same(shared):
    def f(x, y=0):
        return x, y

    by_tens, by_ones = (shared(key=key)(f) for key in (lambda x: x // 10, lambda x: x % 10))
    assert (by_tens(15), by_ones(41)) == ((15, 0), (41, 0))
    assert (shared(ignore="y")(f)(1, 2), shared()(f)(1), shared(ignore="x")(f)(3, 1)) == ((1, 2), (1, 0), (3, 1))


def test_number_of_entries_and_their_age_say_nothing(shared):
    @shared(maxsize=10, ttl=100)
    def f(x):
        return x

    names = {file.name for file in f.cache_parameters()["path"].iterdir()}
    shared(maxsize=10, ttl=50, stale=10)(f.__wrapped__)
    assert {file.name for file in f.cache_parameters()["path"].iterdir()} == names


def test_coroutine_functions(shared):
    def converter(rate):
        def deco(f):
            @functools.wraps(f)
            async def wrapper(*args):
                return await f(*args)

            return wrapper

        @shared()
        @deco
        async def convert(x):
            return x * rate

        return convert

    async def main():
        return [await converter(rate)(10) for rate in (2, 3, 2)]

    assert asyncio.run(main()) == [20, 30, 20]


def test_one_function_is_one_function_however_often_it_is_made(shared):
    calls = []

    def make(rate):
        def convert(x):
            calls.append(x)
            return x * rate

        return convert

    functions = [shared()(timed(make(2))) for _ in range(3)]
    assert [f(1) for f in functions] == [2, 2, 2]
    assert calls == [1]


def test_list_that_the_function_only_adds_to_says_nothing(shared):
    calls, kinds, table = [], set(), {}

    def make(rate):
        @shared()
        @timed
        def convert(x):
            calls.append(x)
            kinds.add(type(x))
            table.update(x=[calls.append(x) for _ in "a"])
            return x * rate

        return convert

    assert [make(rate)(1) for rate in (2, 3, 2, 3)] == [2, 3, 2, 3]
    assert calls == [1] * 4


def test_list_that_the_function_reads_counts(shared):
    for use in (len, lambda items: items[0], list):
        items = [1, 2]

        def make(items, use):
            @shared()
            def f(x):
                items.append(x)
                return use(items)

            return f

        first = make(items, use)(5)
        assert make([7], use)(5) != first


def test_list_that_another_function_reads_counts(shared):
    def make(items):
        def read():
            return list(items)

        def f(x):
            items.append(x)
            return read()

        return shared()(f)

    assert make([1])(5) == [1, 5]
    assert make([2])(5) == [2, 5]


def test_deep_nesting_is_refused_and_breaks_nothing(shared):
    deep = None
    for _ in range(100_000):
        deep = [deep, Account(1)]
    limit = sys.getrecursionlimit()
    try:
        for limit_now in (limit, 1_000_000):
            sys.setrecursionlimit(limit_now)
            with pytest.raises(TypeError, match=r"name=.*nested too deep"):
                shared()(lambda x: (x, deep))
    finally:
        sys.setrecursionlimit(limit)
        while deep:
            deep = deep[0]


def test_recursive_function_in_a_closure(shared):
    def make(factor):
        @shared()
        def factorial(n):
            return n * factor * factorial(n - 1) if n else 1

        return factorial

    assert make(1)(5) == 120
    assert make(2)(5) == 120 * 32
    assert make(1).cache_info().currsize == 6


def test_object_with_call(shared):
    class Scale:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, x):
            return self.scaled(x)

        def scaled(self, x):
            return x * self.rate

    first = [shared()(Scale(rate))(10) for rate in (2, 3)]

    class Scale:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, x):
            return self.scaled(x)

        def scaled(self, x):
            return x + self.rate

    assert first == [20, 30]
    assert [shared()(Scale(rate))(10) for rate in (2, 3)] == [12, 13]


def test_class_as_the_function(shared):
    assert repr(shared()(complex)(1)) == "(1+0j)"
    assert repr(shared()(float)(1)) == "1.0"


def test_function_of_singledispatch(shared):
    f = functools.singledispatch(lambda x: x)
    f.register(int)(lambda x: x + 1)
    g = functools.singledispatch(lambda x: x)
    g.register(int)(lambda x: x + 2)
    assert (shared()(f)(1), shared()(g)(1)) == (2, 3)
