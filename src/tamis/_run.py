"""Runs a program as python itself does: `python -m tamis run`."""

from __future__ import annotations

import builtins
import importlib.machinery
import importlib.util
import io
import marshal
import os
import runpy
import sys
from types import ModuleType, TracebackType

OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


class CannotRun(Exception):
    """The program was not found or can't be read; the message is one line for the user."""


def run_module(name: str, arguments: list[str]) -> None:
    """As `python -m name arguments`. This process was started with -m too, so that sys.path is right already."""
    sys.argv[:] = [name, *arguments]
    _replace_main()
    with _HiddenFrames(keep_runpy=True):
        runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def run_script(path: str, arguments: list[str]) -> None:
    """As `python path arguments`: a file of source or bytecode, or a folder or an archive with a __main__ in it."""
    sys.argv[:] = [path, *arguments]
    file = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    if _is_folder_or_archive(path):
        _set_first_path(file)
        _replace_main()
        with _HiddenFrames(keep_runpy=True):
            runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return
    try:
        with io.open_code(file) as stream:
            content = stream.read()
    except OSError as error:
        raise CannotRun(f"can't open file {file!r}: [Errno {error.errno}] {error.strerror}") from None
    if not _is_safe_path():
        _set_first_path(os.path.dirname(os.path.realpath(path)))
    main = _replace_main()
    main.__file__ = file
    is_bytecode = content.startswith(importlib.util.MAGIC_NUMBER)
    machinery = importlib.machinery
    loader = machinery.SourcelessFileLoader if is_bytecode else machinery.SourceFileLoader
    main.__loader__ = loader("__main__", file)
    with _HiddenFrames(keep_runpy=False):
        code = marshal.loads(content[HEADER:]) if is_bytecode else compile(content, file, "exec", dont_inherit=True)
        exec(code, main.__dict__)


# The bytes before the code in a file of bytecode (PEP 552).
HEADER = 16


def _is_folder_or_archive(path: str) -> bool:
    """Whether python would look for a __main__ in it. As pkgutil.get_importer(), which imports much."""
    for hook in sys.path_hooks:
        try:
            hook(path)
        except ImportError:
            continue
        return True
    return False


def _is_safe_path() -> bool:
    """Whether python puts no folder before sys.path (-P, -I)."""
    return bool(getattr(sys.flags, "safe_path", False) or sys.flags.isolated)


def _set_first_path(folder: str) -> None:
    """Put the program's folder where `python -m` has put the working directory."""
    if _is_safe_path():
        sys.path.insert(0, folder)
    else:
        sys.path[0] = folder


def _replace_main() -> ModuleType:
    """Make a new __main__ module, with the names in it that this version gives one."""
    old = sys.modules["__main__"]
    main = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    for name, value in (("__annotations__", {}), ("__cached__", None)):
        if name in vars(old):
            main.__dict__[name] = value
    sys.modules["__main__"] = main
    # The frames below this one run in the old one.
    _replaced.append(old)
    return main


_replaced: list[ModuleType] = []


class _HiddenFrames:
    """Keeps the frames between python and the program out of the traceback of an error that ends the program.

    The error goes on up to the interpreter, which knows what to do with KeyboardInterrupt and with errors of the hook.
    """

    def __init__(self, keep_runpy: bool) -> None:
        self._keep_runpy = keep_runpy

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        hook, keep_runpy = sys.excepthook, self._keep_runpy

        def show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
            sys.excepthook = hook
            traceback = _without_own_frames(traceback, keep_runpy)
            error.__traceback__ = sys.last_traceback = traceback
            hook(kind, error, traceback)

        sys.excepthook = show


def _without_own_frames(traceback: TracebackType | None, keep_runpy: bool) -> TracebackType | None:
    """The traceback from where the program's begins."""
    frames: list[TracebackType] = []
    while traceback is not None:
        frames.append(traceback)
        traceback = traceback.tb_next
    last = max((at for at, entry in enumerate(frames) if _is_own(entry)), default=-1)
    rest = frames[last + 1 :]
    if not keep_runpy:
        while rest and _is_runpy(rest[0]):
            rest.pop(0)
    return rest[0] if rest else None


def _is_own(entry: TracebackType) -> bool:
    # Those of tamis that run programs; others are the program's matter.
    return entry.tb_frame.f_code.co_filename in _OWN_FILES


def _is_runpy(entry: TracebackType) -> bool:
    return entry.tb_frame.f_globals.get("__name__") == "runpy"


_OWN_FILES = {OWN_FOLDER + name for name in ("__main__.py", "_cli.py", "_run.py")}
