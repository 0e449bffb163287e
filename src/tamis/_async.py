"""What calls of cached coroutine functions need of asyncio and of await. The compiled part does the rest."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from typing import Any

# The flights that the running task computes for, and those of the task that started it: an object of the compiled part.
_leading: ContextVar[Any] = ContextVar("tamis_leading", default=None)
# The tasks that compute stale entries.
_tasks: set[Any] = set()
# More than it takes to wake a task.
_FRAMES = 24


def wake(waiters: Iterable[tuple[Any, Any]]) -> None:
    """Wake tasks, each of which waits for a future of its loop.

    Raises RecursionError, before anything else, if calls are nested so deep that a loop could not be woken.
    """
    _make_sure_of(_FRAMES)
    events = sys.modules.get("asyncio.events")
    running = None if events is None else events._get_running_loop()
    for loop, future in waiters:
        if loop is running:
            _deliver(future)
            continue
        with suppress(RuntimeError):  # that loop is closed, so its tasks never run again
            loop.call_soon_threadsafe(_deliver, future)


def begin_task(loop: Any, coroutine: Any) -> None:
    """Have the running loop run a coroutine that computes a stale entry anew, for no caller.

    The task belongs to none of the flights that the running task leads: nobody of these waits for it.
    """
    context = copy_context()
    context.run(_leading.set, None)
    task = context.run(loop.create_task, coroutine)
    # The loop itself holds tasks weakly.
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _make_sure_of(frames: int) -> None:
    if frames:
        _make_sure_of(frames - 1)


def _deliver(future: Any) -> None:
    if not future.done():
        # A result even for errors: asyncio reports an exception that no task waits for any more.
        future.set_result(None)


async def awaiting(awaitable: Awaitable[Any]) -> Any:
    """Await what only the interpreter knows how to await."""
    return await awaitable


def origin(depth: int) -> tuple[tuple[str, int, str], ...]:
    """Return what cr_origin is of a coroutine that the calling function makes."""
    frames: list[tuple[str, int, str]] = []
    frame = sys._getframe(1)
    while frame is not None and len(frames) < depth:
        frames.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back  # type: ignore[assignment]
    return tuple(frames)
