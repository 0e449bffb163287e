"""patch() and unpatch(): functools with tamis's decorators in it, and back."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import threading
import types

import pytest

import tamis
from helpers.subprocess_tools import run_child

ORIGINAL = functools.lru_cache, functools.cache


@pytest.fixture(autouse=True)
def functools_as_it_was():
    assert (functools.lru_cache, functools.cache) == ORIGINAL
    yield
    tamis.unpatch()
    assert (functools.lru_cache, functools.cache) == ORIGINAL


def is_patched() -> bool:
    assert (functools.lru_cache is tamis.lru_cache) == (functools.cache is tamis.cache)
    return functools.lru_cache is tamis.lru_cache


def test_patch_puts_ours_there_and_unpatch_what_was_there():
    tamis.patch()
    assert is_patched()
    tamis.unpatch()
    assert (functools.lru_cache, functools.cache) == ORIGINAL


def test_patching_twice_is_patching_once_and_unpatching_twice_does_no_harm():
    tamis.patch()
    tamis.patch()
    tamis.unpatch()
    assert not is_patched()
    tamis.unpatch()
    assert (functools.lru_cache, functools.cache) == ORIGINAL


def test_blocks_nest_and_the_outermost_puts_back():
    with tamis.patch():
        assert is_patched()
        with tamis.patch():
            assert is_patched()
        assert is_patched()
    assert not is_patched()


def test_a_block_inside_of_a_patch_leaves_it():
    tamis.patch()
    with tamis.patch():
        pass
    assert is_patched()


def test_a_block_that_ends_by_an_error_puts_back():
    with pytest.raises(ZeroDivisionError), tamis.patch():
        1 / 0  # noqa: B018
    assert not is_patched()


def test_what_was_decorated_stays_what_it_is():
    before = functools.lru_cache(abs)
    with tamis.patch():
        inside = functools.lru_cache(abs)
        bare = functools.cache(abs)
    after = functools.lru_cache(abs)
    assert type(before) is type(after) is functools._lru_cache_wrapper
    assert type(inside) is type(bare) is type(tamis.lru_cache(abs))
    assert inside(-1) == inside(-1) == 1
    assert inside.cache_info() == (1, 1, 128, 1)


def test_code_that_is_imported_afterwards_gets_ours():
    source = "from functools import cache, lru_cache\n@lru_cache(maxsize=3)\ndef f(x): return x\n"
    module = types.ModuleType("imported_later")
    with tamis.patch():
        exec(source, module.__dict__)
    assert type(module.f) is type(tamis.lru_cache(abs))
    assert module.f.cache_parameters() == {"maxsize": 3, "typed": False}


def test_what_another_tool_has_put_there_meanwhile_stays():
    tamis.patch()
    functools.lru_cache = other = lambda *_: None
    tamis.unpatch()
    try:
        assert functools.lru_cache is other
        assert functools.cache is ORIGINAL[1]
    finally:
        functools.lru_cache = ORIGINAL[0]


def test_threads_that_patch_and_unpatch_at_once_leave_functools_whole():
    seen = []

    def work() -> None:
        for _ in range(300):
            with tamis.patch():
                seen.append(functools.lru_cache in (tamis.lru_cache, ORIGINAL[0]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen)
    assert len(seen) == 1200
    assert not is_patched()


def test_in_a_block_functools_stays_patched_whatever_other_threads_do():
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            with tamis.patch():
                pass
            tamis.unpatch()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(300):
            with tamis.patch():
                assert all(is_patched() for _ in range(5))
    finally:
        stop.set()
        thread.join()


@functools.lru_cache
def module_level(x: int) -> int:
    return x


def test_differences_that_programs_may_meet_are_as_documented():
    with tamis.patch():
        patched = functools.lru_cache(abs)
        # The type of functools' own caches is another, although it passes for that.
        assert type(patched) is not functools._lru_cache_wrapper
        assert isinstance(patched, functools._lru_cache_wrapper)
        assert type(patched.cache_info()) is tamis.CacheInfo is not functools._CacheInfo
        assert patched.cache_info()._fields == functools._CacheInfo._fields
        # functools' decorators called by the names that code had got before make functools' caches.
        assert type(ORIGINAL[0](abs)) is functools._lru_cache_wrapper
        assert pickle.loads(pickle.dumps(module_level)) is module_level


def test_typing_works_on_patched_functools():
    code = """
import sys
import tamis
tamis.patch()
assert "typing" not in sys.modules or True
import typing
assert typing.List[int] is typing.List[int]
assert typing.get_args(typing.Dict[str, int]) == (str, int)
class Box(typing.Generic[typing.TypeVar("T")]): ...
assert Box[int] == Box[int]
print("done")
"""
    assert run_child(code) == "done\n"


def test_importing_tamis_does_not_patch_and_imports_nothing_of_it():
    code = "import sys, tamis; print('tamis._patch' in sys.modules, 'tamis._mapping' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
