"""dill and cloudpickle take what lives in `__main__`, in a notebook or inside of a function to another process."""

from __future__ import annotations

import functools
import pickle
import sys
import types

import pytest

import tamis
from helpers.package_tools import package
from helpers.shipping_tools import ship
from helpers.subprocess_tools import run_child, run_function

PICKLERS = ("cloudpickle", "dill")
for name in PICKLERS:
    package(name)


def why_not(pickler: str) -> str:
    """Say why this pickler can't be tried: it does not know this interpreter's functions yet."""
    try:
        sys.modules[pickler].dumps(lambda: 0)
    except Exception as error:
        return f"{pickler} does not pickle functions of this interpreter: {error!r}"
    return ""


def only_if_it_works(pickler: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(why_not(pickler)), reason=why_not(pickler))


in_both = pytest.mark.parametrize("pickler", [pytest.param(name, marks=only_if_it_works(name)) for name in PICKLERS])


@tamis.cache
def double(number: int) -> int:
    return 2 * number


class Account:
    @tamis.cached_method
    def total(self) -> int:
        return 1


@in_both
@pytest.mark.parametrize("late", [False, True], ids=["first", "last"])
def test_a_cached_function_is_pickled_with_its_options(pickler: str, late: bool):
    source = """
import tamis

@tamis.lru_cache(maxsize=3, ttl=lambda value: 60, ignore="log")
def double(number, log=None):
    "Doc."
    return 2 * number

double.mark = "x"
double(5)
"""
    code = """
assert double(2, log=1) == double(2, log=2) == 4
assert double.cache_info() == (1, 1, 3, 1), double.cache_info()
parameters = double.cache_parameters()
assert parameters["ttl"](0) == 60 and parameters["ignore"] == "log" and parameters["maxsize"] == 3
assert (double.__name__, double.__qualname__, double.__doc__, double.mark) == ("double", "double", "Doc.", "x")
import tamis
assert type(double) is type(tamis.cache(len))
"""
    ship(pickler, source, ["double"], code, late=late)


@in_both
def test_a_function_inside_of_a_function_is_pickled_with_what_it_closes_over(pickler: str):
    source = """
import tamis

def make(factor):
    @tamis.cache
    def times(number):
        return factor * number
    return times

times, other = make(3), make(4)
"""
    code = """
assert [times(2), times(2), other(2)] == [6, 6, 8]
assert times.cache_info()[:2] == (1, 1)
"""
    ship(pickler, source, ["times", "other"], code)


def test_a_function_that_names_its_own_cache_goes_by_cloudpickle():
    source = """
import tamis

@tamis.lru_cache(maxsize=None)
def fibonacci(n: int) -> int:
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
"""
    code = """
assert fibonacci(90) == 2880067194370816120
assert fibonacci.cache_info()[:2] == (88, 91)
import typing
assert typing.get_type_hints(fibonacci) == {"n": int, "return": int} and fibonacci.__name__ == "fibonacci"
assert fibonacci.__wrapped__.__globals__["fibonacci"] is fibonacci
"""
    ship("cloudpickle", source, ["fibonacci"], code)


@only_if_it_works("dill")
def test_a_function_that_names_its_own_cache_goes_by_dill_if_that_is_to_take_globals_along():
    source = """
import dill, tamis
dill.settings["recurse"] = True

@tamis.lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
"""
    ship("dill", source, ["fibonacci"], "assert fibonacci(90) == 2880067194370816120; fibonacci.cache_clear()")


@in_both
def test_a_coroutine_function_is_pickled(pickler: str):
    source = """
import tamis

@tamis.cache(ttl=60)
async def double(number):
    return 2 * number
"""
    code = """
async def main():
    assert await double(2) == await double(2) == 4

asyncio.run(main())
assert double.cache_info()[:2] == (1, 1)
"""
    ship(pickler, source, ["double"], code)


@in_both
def test_a_class_is_pickled_with_its_cached_methods(pickler: str):
    source = """
import tamis

class Base:
    def total(self, count):
        return count

class Account(Base):
    def __init__(self, balance):
        self.balance = balance

    @tamis.cached_method(maxsize=3)
    def total(self, count):
        return super().total(count) + self.balance

    @tamis.lru_cache(maxsize=4)
    def product(self, count):
        return count * self.balance

    @tamis.cached_method
    async def later(self, count):
        return count - self.balance

    @classmethod
    @tamis.cache
    def of_class(cls):
        return cls.__name__

    @staticmethod
    @tamis.cache
    def of_nobody(count):
        return count

account = Account(2)
account.total(1)
total, product = account.total, account.product
"""
    code = """
assert account.total(5) == account.total(5) == 7
assert type(account).total.cache_for(account).cache_info() == (1, 1, 3, 1)
assert account.product(5) == 10 and type(account).product.cache_info() == (0, 1, 4, 1)
assert asyncio.run(account.later(5)) == 3
assert Account.of_class() == "Account" and Account.of_nobody(3) == 3
assert Account(7).total(1) == 8
assert total(1) == 3 and product(4) == 8
"""
    ship(pickler, source, ["Account", "account", "total", "product"], code)


@in_both
def test_what_can_be_imported_goes_by_name(pickler: str):
    module = __import__(pickler)
    for cache in (double, Account.total):
        data = module.dumps(cache)
        assert data == module.dumps(cache)
        assert module.loads(data) is cache
        assert cache.__wrapped__.__code__.co_filename.encode() not in data


@in_both
def test_pickle_goes_by_name_whether_the_other_is_imported_or_not(pickler: str):
    code = f"""
import pickle, tamis

@tamis.cache
def double(number):
    return 2 * number

@tamis.cached_method
def method(self):
    return 1

before = pickle.dumps(double)
import {pickler}
for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
    for cache in (double, method):
        assert pickle.loads(pickle.dumps(cache, protocol)) is cache
        assert pickle._loads(pickle._dumps(cache, protocol)) is cache
assert pickle.dumps(double) == before
"""
    run_child("import warnings; warnings.simplefilter('ignore')\n" + code)


def test_pickle_refuses_what_it_can_not_find_by_its_name():
    @tamis.cache
    def local(number: int) -> int:
        return number

    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(local)


def test_a_module_that_is_registered_with_cloudpickle_goes_by_value():
    import cloudpickle

    module = types.ModuleType("not_to_be_found_elsewhere")
    exec("import tamis\n@tamis.cache(ttl=60)\ndef double(number): return 2 * number", vars(module))
    sys.modules[module.__name__] = module
    try:
        assert cloudpickle.loads(cloudpickle.dumps(module.double)) is module.double
        cloudpickle.register_pickle_by_value(module)
        other = cloudpickle.loads(cloudpickle.dumps(module.double))
        assert other is not module.double
        assert other(2) == 4
        assert other.cache_parameters()["ttl"] == 60
    finally:
        cloudpickle.unregister_pickle_by_value(module)
        del sys.modules[module.__name__]


@only_if_it_works("dill")
def test_a_session_that_dill_dumps_has_its_caches(tmp_path):
    def first(file: str) -> None:
        import warnings

        warnings.simplefilter("ignore")
        code = "import tamis\n@tamis.cache(ttl=60)\ndef double(number): return 2 * number\ndouble(3)\nalias = double"
        import dill

        import __main__

        exec(code, vars(__main__))
        dill.dump_module(file)

    def second(file: str) -> None:
        import warnings

        warnings.simplefilter("ignore")
        import dill

        import __main__

        dill.load_module(file)
        assert __main__.double is __main__.alias
        assert __main__.double(2) == __main__.double(2) == 4
        assert __main__.double.cache_info()[:2] == (1, 1)
        assert __main__.double.cache_parameters()["ttl"] == 60

    for step in (first, second):
        run_function(step, str(tmp_path / "session.pkl"))


def test_joblib_sends_caches_to_its_processes():
    package("joblib")
    code = """
import warnings
warnings.simplefilter("ignore")
import joblib, tamis

@tamis.cache(ttl=60)
def double(number):
    return 2 * number

class Account:
    @tamis.cached_method
    def total(self, count):
        return double(count) + 1

if __name__ == "__main__":
    with joblib.parallel_config("loky", n_jobs=1 + 1):
        assert joblib.Parallel()(joblib.delayed(double)(n) for n in range(3)) == [0, 2, 4]
        assert joblib.Parallel()(joblib.delayed(Account().total)(n) for n in range(3)) == [1, 3, 5]
"""
    run_child(code, seconds=100)


@only_if_it_works("dill")
def test_functools_own_caches_are_pickled_as_before():
    import dill

    @functools.lru_cache(maxsize=3)
    def local(number: int) -> int:
        return 2 * number

    loaded = dill.loads(dill.dumps(local))
    assert type(loaded) is functools._lru_cache_wrapper
    assert (loaded(2), loaded.cache_info().maxsize) == (4, 3)


CLASS = """
import tamis

class Account:
    def __init__(self, owner):
        self.owner = owner

    @tamis.cached_method(maxsize=5, key=lambda day: day)
    def balance(self, day):
        return f"{self.owner} on {day}"

    @tamis.lru_cache
    def shared(self, x):
        return self.owner, x

    @tamis.cached_method
    @classmethod
    def make(cls, owner):
        return cls(owner)

class Derived(Account):
    @tamis.cached_method
    def balance(self, day):
        return "derived " + super().balance(day)

account, derived = Account("ann"), Derived("bob")
"""


@in_both
@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("Account.balance, account", "assert sent[0](sent[1], 'Monday') == 'ann on Monday'"),
        ("Account.balance, account", "assert sent[0].cache_for(sent[1]).cache_info().maxsize == 5"),
        ("account.balance", "assert sent('Monday') == 'ann on Monday' and sent.cache_contains('Monday')"),
        ("account.shared", "assert sent(1) == ('ann', 1) and sent.cache_contains(1)"),
        ("Account", "assert sent.make('bob').balance('Monday') == 'bob on Monday'"),
        ("Account", "assert sent.make('bob') is sent.make('bob') and sent.make.cache_info().hits == 1"),
        ("Account.make", "assert sent('bob').owner == 'bob'"),
        ("derived.balance", "assert sent('Monday') == 'derived bob on Monday'"),
    ],
)
def test_methods_of_a_class_of_main_are_pickled(pickler: str, what: str, code: str):
    ship(pickler, f"{CLASS}\nsent = {what}\n", ["sent"], code)
