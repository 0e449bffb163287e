"""Runs code in a child interpreter, so that a crash or a hang fails one test and not the run."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tamis

TESTS = str(Path(__file__).parents[1])
# Where the tamis that is tested is imported from.
PACKAGE_FOLDER = str(Path(tamis.__file__).parents[1])

# The child's own watchdog shows where each thread stands; the parent's timeout is for a child too broken for that.
WATCHDOG = "import faulthandler; faulthandler.dump_traceback_later({seconds}, exit=True); del faulthandler\n"
GRACE_SECONDS = 10.0


def describe_status(status: int) -> str:
    """Name the signal that ended a process, or tell its exit status."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def environment_with(*folders: str, **variables: str) -> dict[str, str]:
    """The environment of a child that imports from these folders first."""
    path = os.pathsep.join(filter(None, (*folders, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, **variables}


def run_child(
    code: str,
    *,
    seconds: float = 40.0,
    options: Sequence[str] = (),
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run the code in a child interpreter and return what it printed. Fails unless it exits with status 0 in time.

    It can import helpers.
    """
    source = WATCHDOG.format(seconds=seconds) + textwrap.dedent(code)
    command = [sys.executable, "-X", "faulthandler", *options, "-c", source, *arguments]
    try:
        child = subprocess.run(
            command,
            env=environment_with(TESTS, **(environment or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds + GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"the child hung\n{shown(expired.stdout, expired.stderr)}") from None
    if child.returncode != 0:
        output = shown(child.stdout, child.stderr)
        raise AssertionError(f"the child ended with {describe_status(child.returncode)}\n{output}")
    return child.stdout.decode("utf-8", "replace").replace("\r\n", "\n")


def printed_with_seeds(code: str, *arguments: str, options: Sequence[str] = ()) -> list[list[str]]:
    """The lines that the code prints in three children: with two hash seeds, and with one by chance."""
    return [
        run_child(
            code, seconds=120, options=options, arguments=arguments, environment={"PYTHONHASHSEED": seed}
        ).splitlines()
        for seed in ("0", "1", "random")
    ]


def shown(stdout: bytes | None, stderr: bytes | None) -> str:
    """Both streams for a failure's message."""
    streams = (("stdout", stdout), ("stderr", stderr))
    return "\n".join(f"--- {name}\n{(stream or b'').decode('utf-8', 'replace')[-8000:]}" for name, stream in streams)


def run_function(
    function: Callable[..., object],
    *arguments: object,
    seconds: float = 40.0,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a function in a child, with arguments that their ``repr`` makes again.

    Its source is sent, so it has to import and define all that it uses.
    """
    source = textwrap.dedent(inspect.getsource(function))
    call = f"\n{function.__name__}({', '.join(map(repr, arguments))})\n"
    return run_child(source + call, seconds=seconds, options=options, environment=environment)
