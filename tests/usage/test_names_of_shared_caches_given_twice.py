"""Two functions that are given one name for their shared caches: who is warned, and who is not."""

from __future__ import annotations

import functools
import gc
import importlib
import sys
import warnings

import pytest

from helpers.marks import for_shared_caches
from helpers.subprocess_tools import run_child
from tamis import cache, lru_cache

pytestmark = for_shared_caches


@pytest.fixture
def shared(tmp_path):
    return functools.partial(lru_cache, backend="shared", path=tmp_path, name="prices", max_bytes=1 << 18)


WARNED = pytest.warns(RuntimeWarning, match=r"two functions have the name 'prices'.*net.*gross.*a name of its own")


def net(x):
    return x


def gross(x):
    return x * 1.2


def test_two_functions_of_one_name_are_warned_of(shared):
    first = shared()(net)
    with WARNED as caught:
        second = shared()(gross)
    assert caught[0].filename == __file__
    assert first(10) == second(10) == 10


def test_where_warnings_are_errors_the_second_is_refused(shared):
    first = shared()(net)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeWarning, match="prices"):
            shared()(gross)
    assert first(10) == 10
    with WARNED:
        shared()(gross)


def test_what_is_wrapped_is_what_counts(shared):
    first = shared()(functools.partial(net))
    with WARNED:
        shared()(functools.wraps(gross)(lambda *args: gross(*args)))
    assert first(1) == 1


def test_two_lambdas_of_one_file_are_told_apart(shared):
    first = shared()(lambda x: x + 1)
    with pytest.warns(RuntimeWarning, match="lambda"):
        shared()(lambda x: x * 2)
    assert first(1) == 2


def test_builtin_functions_are_told_apart(shared):
    first = shared()(len)
    with pytest.warns(RuntimeWarning, match=r"builtins\.len and builtins\.max"):
        shared()(max)
    assert first("ab") == 2


def test_one_function_may_be_decorated_as_often_as_one_likes(shared):
    caches = [shared()(net), shared()(net), lru_cache(**shared.keywords)(net), shared()(functools.partial(net))]
    assert [f(3) for f in caches] == [3] * 4
    assert caches[0].cache_info().hits == 3


def test_functions_that_a_factory_makes_are_one_function(shared):
    def factory():
        @shared()
        def inner(x):
            return x

        return inner

    assert [factory()(1) for _ in range(3)] == [1] * 3


def test_name_of_a_function_that_was_freed_can_be_given_again(shared):
    first = shared()(net)
    assert first(1) == 1
    del first
    gc.collect()
    assert shared()(gross)(2) == 2.4


def test_other_directories_and_names_are_others(shared, tmp_path):
    (tmp_path / "other").mkdir(mode=0o700)
    first = shared()(net)
    second, third = shared(name="others")(gross), shared(path=tmp_path / "other")(gross)
    assert [first(10), second(10), third(10)] == [10, 12, 12]


def test_caches_without_a_name_are_no_matter(tmp_path):
    for function in (net, gross):
        assert cache(backend="shared", path=tmp_path, max_bytes=1 << 18)(function)(0) == 0


SOURCE = """
import tamis

@tamis.cache(backend="shared", path={path!r}, name="prices", max_bytes=1 << 18)
def price(x):
    return {body}
"""


def test_module_may_be_changed_and_reloaded(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module_file = tmp_path / "module_of_prices.py"
    for number in range(4):
        module_file.write_text(SOURCE.format(path=str(tmp_path), body=f"x + {number}"))
        importlib.invalidate_caches()
        module = sys.modules.get("module_of_prices")
        module = importlib.reload(module) if module else importlib.import_module("module_of_prices")
        assert module.price(1) == 1
        kept = [*locals().get("kept", []), module.price]
    del sys.modules["module_of_prices"]
    assert len(kept) == 4


@pytest.mark.parametrize("file", ["<ipython-input-{}-0123>", "/tmp/ipykernel_77/{}.py", "<stdin>", "<python-input-{}>"])
def test_cell_may_be_changed_and_run_again(tmp_path, file):
    namespace = {"__name__": "__main__", "__spec__": None}
    for number in range(4):
        source = SOURCE.format(path=str(tmp_path), body=f"x + {number}")
        exec(compile(source, file.format(number), "exec"), namespace)
        namespace[f"kept_{number}"] = namespace["price"]
        assert namespace["price"](1) == 1


def test_script_may_be_run_again_in_one_process(tmp_path):
    import runpy

    script = tmp_path / "script.py"
    kept = []
    for number in range(3):
        script.write_text(SOURCE.format(path=str(tmp_path), body=f"x + {number}"))
        kept.append(runpy.run_path(str(script), run_name="__main__")["price"])
        assert kept[-1](1) == 1


def test_names_keep_nothing_alive(tmp_path):
    # In a child, of one thread: free-threaded 3.13 makes functions immortal once there has been a second.
    code = f"""
    import gc, weakref

    class Mark:
        pass

    namespace = {{"__name__": "gone", "mark": Mark()}}
    source = {SOURCE.format(path=str(tmp_path), body="x")!r}
    exec(compile(source, {str(tmp_path / "gone.py")!r}, "exec"), namespace)
    assert namespace["price"](1) == 1
    mark = weakref.ref(namespace["mark"])
    del namespace
    gc.collect()
    print(mark())
    """
    assert run_child(code) == "None\n"
