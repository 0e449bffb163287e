"""What calls of cached coroutine functions return: coroutines, beside those of plain coroutine functions."""

from __future__ import annotations

import asyncio
import collections.abc
import contextvars
import gc
import inspect
import sys
import traceback
import types
import warnings
import weakref

import pytest

from helpers.coroutine_tools import pause, stop
from tamis import cache, cached_method, lru_cache


async def plain(x):
    """Ask twice."""
    return [x, await pause("first"), await pause("second")]


MAKERS = {
    "plain": lambda f: f,
    "cached": cache,
    "ttl": lru_cache(ttl=60),
    "no single flight": lru_cache(single_flight=False),
    "two caches": lambda f: cache(cache(f)),
}


@pytest.fixture(params=MAKERS)
def decorate(request):
    return MAKERS[request.param]


def test_it_is_driven_by_send(decorate):
    call = decorate(plain)(1)
    assert call.send(None) == "first"
    assert call.send(2) == "second"
    assert stop(call.send, 3) == [1, 2, 3]


def test_it_is_driven_by_what_await_returns(decorate):
    call = decorate(plain)(1).__await__()
    assert next(call) == "first"
    assert call.send(2) == "second"
    assert stop(next, call) == [1, 2, None]

    def generator():
        return (yield from decorate(plain)(1).__await__())

    driven = generator()
    assert next(driven) == "first"
    assert driven.send(5) == "second"
    assert stop(driven.send, 6) == [1, 5, 6]


def test_what_is_thrown_in_arrives_in_the_function_and_leaves_through_the_call(decorate):
    caught = []

    @decorate
    async def f(x):
        try:
            await pause(1)
        except LookupError as error:
            caught.append(error)
        return await pause(2)

    call = f(1)
    call.send(None)
    error = LookupError("x")
    assert call.throw(error) == 2
    assert caught == [error]
    with pytest.raises(ZeroDivisionError) as raised:
        call.throw(ZeroDivisionError("y"))
    assert str(raised.value) == "y"
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        call.send(None)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        call.throw(ZeroDivisionError)


def test_a_call_that_has_not_begun_ends_with_what_is_thrown_in(decorate):
    begun = []

    @decorate
    async def f(x):
        begun.append(x)

    call = f(1)
    with pytest.raises(LookupError):
        call.throw(LookupError)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        call.send(None)
    assert begun == []


def test_a_just_started_one_takes_nothing_but_none(decorate):
    call = decorate(plain)(1)
    with pytest.raises(TypeError, match="can't send non-None value to a just-started coroutine"):
        call.send(1)
    assert call.send(None) == "first"
    call.close()


def test_it_can_be_closed_at_any_time(decorate):
    ended = []

    @decorate
    async def f(x):
        try:
            await pause(1)
        finally:
            ended.append(x)

    never = f(0)
    never.close()
    never.close()
    call = f(1)
    call.send(None)
    call.close()
    assert ended == [1]
    call.close()
    with pytest.raises(RuntimeError, match="cannot reuse"):
        call.send(None)


def test_a_function_that_does_not_end_when_it_is_closed_is_told_of(decorate):
    @decorate
    async def f(x):
        while x:
            try:
                await pause(1)
            except GeneratorExit:
                x -= 1

    call = f(2)
    call.send(None)
    with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
        call.close()
    call.close()


def test_a_step_within_a_step_is_refused(decorate):
    calls = []

    @decorate
    async def f(x):
        with pytest.raises(ValueError, match="coroutine already executing"):
            calls[0].send(None)
        with pytest.raises(ValueError, match="coroutine already executing"):
            calls[0].close()
        return x

    calls.append(f(1))
    assert stop(calls[0].send, None) == 1


def test_it_is_awaited_once(decorate):
    async def main():
        call = decorate(quick)(1)
        assert await call == 1
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await call

    async def twice():
        call = decorate(plain)(1)

        async def wait():
            return await call

        first, second = wait(), wait()
        first.send(None)
        with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
            second.send(None)
        first.close()

    stop(main().send, None)
    stop(twice().send, None)


async def quick(x):
    return x


async def never_awaited(x):
    return x


def drop(f, x):
    f(x)
    gc.collect()


def test_one_that_was_never_awaited_is_warned_of_by_its_functions_name(decorate):
    f = decorate(never_awaited)
    with pytest.warns(RuntimeWarning, match=r"^coroutine 'never_awaited' was never awaited$"):
        drop(f, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f(2).close()
        gc.collect()


def test_one_that_was_never_awaited_is_told_where_it_comes_from(decorate):
    f = decorate(never_awaited)
    before = sys.get_coroutine_origin_tracking_depth()
    sys.set_coroutine_origin_tracking_depth(2)
    try:
        with pytest.warns(RuntimeWarning, match="was never awaited") as told:
            drop(f, 3)
    finally:
        sys.set_coroutine_origin_tracking_depth(before)
    message = str(told[0].message)
    assert "Coroutine created at (most recent call last)" in message
    assert "in test_one_that_was_never_awaited_is_told_where_it_comes_from" in message
    assert "in drop" in message


def test_it_has_the_functions_name(decorate):
    f = decorate(plain)
    call = f(1)
    assert (call.__name__, call.__qualname__) == ("plain", "plain")
    assert repr(call).startswith("<coroutine object plain at 0x")
    call.close()

    class Owner:
        @cached_method
        async def method(self):
            pass

    call = Owner().method()
    assert call.__name__ == "method"
    assert call.__qualname__.endswith("Owner.method")
    call.close()


def test_it_passes_for_a_coroutine(decorate):
    f = decorate(quick)
    miss = f(1)
    stop(miss.send, None)
    for call in (miss, f(1), f(2)):
        assert isinstance(call, types.CoroutineType)
        assert isinstance(call, collections.abc.Coroutine)
        assert inspect.iscoroutine(call)
        assert inspect.isawaitable(call)
        assert asyncio.iscoroutine(call)
        call.close()


def test_its_state_is_told(decorate):
    states = []

    @decorate
    async def f(x):
        states.append((calls[0].cr_running, getattr(calls[0], "cr_suspended", False)))
        return await pause(x)

    calls = [f(1)]
    call = calls[0]
    assert not call.cr_running
    call.send(None)
    assert states == [(True, False)]
    assert not call.cr_running
    assert inspect.getcoroutinestate(call) == inspect.CORO_SUSPENDED
    assert call.cr_code is getattr(f, "__wrapped__", f).__code__ or isinstance(f.__wrapped__, type(f))
    assert call.cr_frame.f_code.co_name == "f"
    assert call.cr_await is not None
    stop(call.send, None)
    assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED
    assert call.cr_frame is None
    hit = f(1)
    assert inspect.getcoroutinestate(hit) in {inspect.CORO_CLOSED, inspect.CORO_CREATED}
    hit.close()


def test_a_task_shows_where_its_function_stands(decorate):
    @decorate
    async def f(x):
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(f(1))
        await asyncio.sleep(0)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["f"]
        assert "f() running at " in repr(task)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())


def test_a_traceback_shows_the_functions_alone(decorate):
    @decorate
    async def f(n):
        await pause(n)
        if n == 0:
            raise LookupError
        return await f(n - 1)

    call = f(5)
    for _ in range(6):
        call.send(None)
    with pytest.raises(LookupError) as caught:
        call.send(None)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[1:] == ["f"] * 6


def test_weak_references_to_it_are_cleared(decorate):
    call = decorate(plain)(1)
    call.send(None)
    reference = weakref.ref(call)
    assert reference() is call
    call.close()
    del call
    gc.collect()
    assert reference() is None


def test_one_that_is_dropped_while_it_waits_is_closed(decorate):
    ended = []

    @decorate
    async def f(x):
        try:
            await pause(1)
        finally:
            ended.append(x)

    call = f(1)
    call.send(None)
    del call
    gc.collect()
    assert ended == [1]
    cycle = [f(2)]
    cycle[0].send(None)
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert ended == [1, 2]


def test_a_context_variable_is_the_callers(decorate):
    variable = contextvars.ContextVar("variable", default=0)

    @decorate
    async def f(x):
        before = variable.get()
        variable.set(before + 1)
        await pause(None)
        return before, variable.get()

    context = contextvars.copy_context()
    call = f(1)
    context.run(variable.set, 5)
    context.run(call.send, None)
    assert stop(context.run, call.send, None) == (5, 6)
    assert (context[variable], variable.get()) == (6, 0)


def test_stop_iteration_from_a_callback_does_not_end_it():
    def copy(value):
        raise StopIteration("not the result")

    call = lru_cache(copy=copy)(quick)(1)
    with pytest.raises(RuntimeError, match="coroutine raised StopIteration"):
        call.send(None)


def test_a_call_that_is_dropped_without_being_awaited_frees_its_arguments():
    class Argument:
        pass

    argument = Argument()
    reference = weakref.ref(argument)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        argument.call = cache(quick)(argument)
        del argument
        gc.collect()
    assert reference() is None
