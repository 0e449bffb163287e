"""Processes that a test starts or forks, and files in which they note what they do."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tamis import lru_cache

SECONDS = 60.0


def note(path, text):
    """Append a line, whole, to a file that processes share."""
    with open(Path(path) / "notes", "ab", buffering=0) as file:
        file.write(f"{text}\n".encode())


def notes(path):
    file = Path(path) / "notes"
    return file.read_text().split() if file.exists() else []


def shared_cache(path, function, **options):
    """A cache of the region that all processes of a test use."""
    return lru_cache(
        **{"maxsize": 1000, "backend": "shared", "path": path, "name": "test", "max_bytes": 1 << 20, **options}
    )(function)


def noting(path, seconds=0.0):
    """A function that notes its calls, and takes its time."""

    def compute(x):
        note(path, x)
        time.sleep(seconds)
        return x, f"value of {x}"

    return compute


def wait_until_noted(path):
    """Wait until another process has noted something."""
    end = time.monotonic() + SECONDS
    while not notes(path):
        assert time.monotonic() < end, "nothing was noted"
        time.sleep(0.005)


def run_in_process(context, target, *args):
    """Run the function in a process of its own and return what it sends."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*args, sender))
    process.start()
    sender.close()
    try:
        assert receiver.poll(SECONDS), "the child sent nothing"
        return receiver.recv()
    finally:
        process.join(SECONDS)
        if process.is_alive():
            process.kill()
            pytest.fail("the child hung")
        receiver.close()


def forked(function):
    """Run the function in a forked child; the test's own asserts hold there too."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            function()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return child


def wait_for(child):
    """Wait for a forked child, and return its exit status: that of a signal is negative."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def start_process(context, target, *args):
    """Start a process that sends its results, and return it with what receives them."""
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(*args, sender))
    process.start()
    sender.close()
    return process, receiver


def results_of(started):
    """One result of each process; all must end well."""
    results = []
    for _, receiver in started:
        assert receiver.poll(SECONDS), "a child hung"
        results.append(receiver.recv())
    for process, _ in started:
        process.join(SECONDS)
        assert process.exitcode == 0
    return results
