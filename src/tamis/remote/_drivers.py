"""How the steps of a miss are made: by a thread, or by a task of asyncio or trio."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading

from tamis.remote._pipe import Unsuited
from tamis.remote._requests import Send
from tamis.remote._steps import Compute, Done, Ended, Failed, Pause, Start

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from tamis.remote._link import Link
    from tamis.remote._requests import Command
    from tamis.remote._steps import Answer, Step, Steps


class _Raise:
    """The steps have nothing in the place of what the function has raised."""


def _advance(advance: Callable[[Any], Step], what: object) -> Step | Done | _Raise:
    try:
        return advance(what)
    except StopIteration as stop:
        return Done(stop.value)
    except (Failed, Ended):
        return _Raise()


def _told(error: BaseException) -> Failed | Ended:
    """What the steps are told of an exception of the function.

    It stays outside of them itself, since no generator can raise every one.
    """
    return Failed() if isinstance(error, Exception) else Ended()


def drive(steps: Steps, function: Callable[[], Any], link: Link) -> Answer:
    """Make the steps, in this thread."""
    raised: BaseException | None = None
    step = _advance(steps.send, None)
    while not isinstance(step, Done):
        if isinstance(step, _Raise):
            assert raised is not None
            try:
                raise raised
            finally:
                # The exception leads to this frame.
                raised = None
        try:
            if isinstance(step, Compute):
                try:
                    done = function()
                except BaseException as error:
                    raised = error
                    raise _told(error) from None
            elif isinstance(step, Send):
                done = link.server.ask(*step.commands)
            else:
                link.start() if isinstance(step, Start) else _pause(step, link)
                done = None
        except BaseException as error:
            step = _advance(steps.throw, error)
        else:
            step = _advance(steps.send, done)
    return step.answer


def _pause(step: Pause, link: Link) -> None:
    changed = threading.Event()
    link.waiters.add(step.digest, changed.set)
    try:
        if not step.is_over():
            changed.wait(step.seconds)
    finally:
        link.waiters.remove(step.digest, changed.set)


async def drive_async(steps: Steps, function: Callable[[], Awaitable[Any]], link: Link) -> Answer:
    """Make the steps, in this task. What may block is done by threads."""
    host = _Asyncio(link) if asyncio._get_running_loop() is not None else _host(link)
    raised: BaseException | None = None
    try:
        step = _advance(steps.send, None)
        while not isinstance(step, Done):
            if isinstance(step, _Raise):
                assert raised is not None
                try:
                    raise raised
                finally:
                    # The exception leads to this frame.
                    raised = None
            try:
                if isinstance(step, Compute):
                    try:
                        done = await function()
                    except BaseException as error:
                        raised = error
                        raise _told(error) from None
                elif isinstance(step, Send):
                    done = await host.ask(step.commands)
                elif isinstance(step, Start):
                    done = link.has_begun or await host.by_thread(link.start)
                else:
                    done = await host.pause(step)
            except BaseException as error:
                step = _advance(steps.throw, error)
            else:
                step = _advance(steps.send, done)
        return step.answer
    finally:
        # A coroutine that is thrown away in the middle gives its lease back.
        steps.close()


class _Asyncio:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()

    async def ask(self, commands: tuple[Command, ...]) -> list[Any]:
        pipe = self._link.pipe(self._loop)
        if pipe is not None:
            try:
                return await pipe.ask(commands, self.by_thread)
            except Unsuited:
                self._link.has_pipes = False
        replies: list[Any] = await self.by_thread(self._link.server.ask, *commands)
        return replies

    async def by_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        executor = self._link.executor
        if executor is None:
            # There is nothing to ask, so it does not block.
            return function(*arguments)
        future = self._loop.run_in_executor(executor, function, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The thread goes on, and may still take a lease: whoever cancels waits for as long as a request takes.
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            future.exception()
            raise

    async def pause(self, step: Pause) -> None:
        loop, changed = self._loop, asyncio.Event()

        def tell() -> None:
            # The loop may have been closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

        self._link.waiters.add(step.digest, tell)
        try:
            if not step.is_over():
                await asyncio.wait_for(changed.wait(), step.seconds)
        except asyncio.TimeoutError:
            pass
        finally:
            self._link.waiters.remove(step.digest, tell)


def _host(link: Link) -> Any:
    return _Trio(link) if "trio" in sys.modules else _Nothing(link)


class _Trio:
    def __init__(self, link: Link) -> None:
        self._link = link

    async def ask(self, commands: tuple[Command, ...]) -> list[Any]:
        replies: list[Any] = await self.by_thread(self._link.server.ask, *commands)
        return replies

    async def by_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        import trio

        return await trio.to_thread.run_sync(function, *arguments)

    async def pause(self, step: Pause) -> None:
        import trio

        if not step.is_over():
            await trio.sleep(step.seconds)


class _Nothing:
    """No loop that is known: the thread waits."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def ask(self, commands: tuple[Command, ...]) -> list[Any]:
        return self._link.server.ask(*commands)

    async def by_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    async def pause(self, step: Pause) -> None:
        _pause(step, self._link)
