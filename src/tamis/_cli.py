"""The command line: `python -m tamis COMMAND`.

The commands are in `COMMANDS`, and parse their own arguments. What `run` does before the program begins imports as
little as possible: code that is imported before functools is patched keeps functools' caches.
"""

from __future__ import annotations

import sys

from tamis._console import PROGRAM, fail, parser_for

# As typing.TYPE_CHECKING. Importing typing, and much else, would be before functools is patched for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HELP = """\
usage: python -m tamis COMMAND [ARGUMENT ...]

tamis is a memoizing cache that takes the place of functools.lru_cache. The
commands run programs with it, and show what it does.

commands:
{commands}

options:
  -h, --help     show this help, or that of a command behind its name
  -V, --version  show the version

exit status:
  0  done
  2  the command line is wrong; one line on stderr says why
  run ends as the program that it runs.
"""

RUN_HELP = """\
usage: python -m tamis run [--report[=FORM]] [--report-file FILE] SCRIPT [ARGUMENT ...]
       python -m tamis run [--report[=FORM]] [--report-file FILE] -m MODULE [ARGUMENT ...]

Run a program as python itself does, but with tamis.lru_cache and tamis.cache
in the place of functools.lru_cache and functools.cache, in all code that the
program imports. Arguments, sys.path, __main__, tracebacks and the exit status
are those of `python SCRIPT` and `python -m MODULE`.

arguments:
  SCRIPT               a file, or a folder or a zip archive with a __main__.py
  -m MODULE            a module or a package, as with python -m
  ARGUMENT             all that follows is the program's

options:
  --report[=FORM]      when the program ends, write a report of its caches to
                       stderr: `table` (the default) or `json`
  --report-file FILE   write the report to this file instead
  -h, --help           show this help

report:
  One line for each function with a cache that was made by lru_cache or cache
  of functools or tamis, those with the most calls first: where it is written,
  its name, calls, the part of them that were hits, entries that were evicted,
  entries at the end, and maxsize. Counts begin anew with
  cache_clear(). Caches that were freed before the end are in it with their last
  counts. A function that was decorated several times is one line. Code that
  python imports before any program begins keeps functools' caches, and is not
  in it.
  The table is laid out by rich if that is installed.

exit status:
  that of the program, or 2 if the command line is wrong or the script can't
  be read.

examples:
  python -m tamis run app.py --verbose
  python -m tamis run --report -m sphinx -b html docs out
  python -m tamis run --report=json --report-file caches.json tool.py
"""

INFO_HELP = """\
usage: python -m tamis info [--json]

Show which tamis this is: its version, the interpreter, how both were built,
what keeps threads apart, and where it is installed.

options:
  --json      as a JSON object
  -h, --help  show this help

lock modes:
  gil      the interpreter has a GIL, which is the lock
  hazards  free-threaded: hits take no lock
  mutex    free-threaded, on a system without membarrier(2): hits take a lock

exit status:
  0, or 2 if the command line is wrong.
"""


def run(arguments: list[str]) -> None:
    """`run`: options up to the program, by hand, since all that follows is the program's own."""
    form: str | None = None
    path: str | None = None
    hint = f"(see {PROGRAM} run --help)"
    while arguments and arguments[0].startswith("-") and arguments[0] not in ("-m", "--"):
        option, equals, value = arguments.pop(0).partition("=")
        if option in ("-h", "--help") and not equals:
            print(RUN_HELP, end="")
            return
        if option == "--report":
            form = value if equals else "table"
            if form not in ("table", "json"):
                fail(f"run: --report takes table or json, not {form!r} {hint}")
        elif option == "--report-file":
            if not equals:
                if not arguments:
                    fail(f"run: --report-file takes a file {hint}")
                value = arguments.pop(0)
            path = value
        else:
            fail(f"run: unknown option {option!r} {hint}")
    if arguments and arguments[0] == "--":
        arguments.pop(0)
        as_module = False
    else:
        as_module = bool(arguments) and arguments[0] == "-m"
        if as_module:
            arguments.pop(0)
    if not arguments:
        fail(f"run: {'-m takes a module' if as_module else 'a script or -m MODULE is missing'} {hint}")
    if path is not None and form is None:
        form = "table"
    if form is not None:
        _begin_report(form, path)
    from tamis._patch import patch

    patch()
    from tamis import _run

    target, rest = arguments[0], arguments[1:]
    try:
        if as_module:
            _run.run_module(target, rest)
        else:
            _run.run_script(target, rest)
    except _run.CannotRun as reason:
        fail(f"run: {reason}")


def _begin_report(form: str, path: str | None) -> None:
    from tamis._report import Registry

    registry = Registry()
    try:
        registry.report_at_exit(form, path)
    except OSError as error:
        fail(f"run: can't write the report to {path!r}: {error.strerror}")
    registry.begin()


def info(arguments: list[str]) -> None:
    """`info`: what this tamis is."""
    parser = parser_for("info", INFO_HELP)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    facts = _facts()
    if options.json:
        import json

        print(json.dumps(facts, indent=1))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


def _facts() -> dict[str, str | bool]:
    import os
    import platform
    import sysconfig

    from tamis import _core

    build = _core.BUILD
    is_gil_enabled: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    kinds = [
        "free-threaded" if build["free_threaded"] else "with the GIL",
        *(["debug"] if sysconfig.get_config_var("Py_DEBUG") else []),
        *(["PGO"] if "--enable-optimizations" in arguments else []),
        *(["LTO"] if "--with-lto" in arguments and "--with-lto=no" not in arguments else []),
    ]
    return {
        "version": _core.__version__,
        "build": f"{build['profile']}, index of {build['index']}",
        "lock": build["lock"],
        "package": os.path.dirname(os.path.abspath(__file__)),
        "extension": os.path.abspath(_core.__file__ or ""),
        "interpreter": f"{platform.python_implementation()} {platform.python_version()}",
        "interpreter build": ", ".join(kinds),
        "GIL": "on" if is_gil_enabled() else "off",
        "executable": sys.executable,
        "prefix": sys.prefix,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def shared(arguments: list[str]) -> None:
    """`shared`: looks after regions."""
    from tamis._regions.command import shared

    shared(arguments)


def remote(arguments: list[str]) -> None:
    """`remote`: looks after what is on servers."""
    from tamis.remote._command import remote

    remote(arguments)


# Name, what does it, and what it is in a few words.
COMMANDS: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "run": (run, "run a program with tamis in the place of functools.lru_cache"),
    "shared": (shared, "list, show, clear and remove the regions of shared caches"),
    "remote": (remote, "list, show and clear what caches have in Redis or Valkey"),
    "info": (info, "show which tamis this is"),
}


def main() -> None:
    """Run the command that the command line names."""
    arguments = sys.argv[1:]
    name = arguments.pop(0) if arguments else ""
    if name in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        commands = "\n".join(f"  {command:<{width}}  {what}" for command, (_, what) in COMMANDS.items())
        print(HELP.format(commands=commands), end="")
        return
    if name in ("-V", "--version"):
        from tamis._core import __version__

        print(f"tamis {__version__}")
        return
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        what = f"unknown command {name!r}" if name else "a command is missing"
        fail(f"{what}: there are {known} (see {PROGRAM} --help)")
    COMMANDS[name][0](arguments)
