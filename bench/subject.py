"""The module under test, the machine it runs on, and the plain-text table."""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.metadata
import json
import platform
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import floor
import scenarios


class Refused(Exception):
    """The bench would measure something that is not worth a number; the message is one line for the user."""


def parser(description: str) -> argparse.ArgumentParser:
    """The options that both benches take."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--only", default="", metavar="SUBSTR", help="rows whose name contains this, whatever the case")
    made.add_argument("--json", metavar="FILE", help="write all figures to this file as well")
    made.add_argument("--module", default="tamis", help="the module whose lru_cache is measured (default: tamis)")
    return made


def load(name: str) -> Any:
    """The module under test. Raises Refused where it is missing or was not built in release mode.

    A module of the standard library passes without a build note: `--module functools` measures lru_cache against
    itself, and so shows how far apart two equal things come out.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise Refused(f"can't import {name} with {sys.executable}: {error}") from None
    if not hasattr(module, "lru_cache"):
        raise Refused(f"{name} has no lru_cache")
    profile = getattr(getattr(module, "_core", None), "BUILD", {}).get("profile")
    if profile != "release" and name not in sys.stdlib_module_names:
        raise Refused(f"{name} is not a release build ({name}._core.BUILD['profile'] is {profile!r})")
    return module


def begin(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, Any]:
    """The options of the command line, and the module under test. Exits with status 2 where it can't be measured."""
    options = parser.parse_args()
    try:
        module = load(options.module)
    except Refused as reason:
        print(reason, file=sys.stderr)
        sys.exit(2)
    warn_if_plain()
    return options, module


def factories(module: Any, floor_module: Any) -> dict[str, scenarios.Factory]:
    """The subjects that are made by decorating, in the order of the table's columns."""
    return {
        "floor": floor.decorator(floor_module),
        "lru_cache": functools.lru_cache,
        "ours": module.lru_cache,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({len(names)} seen)" if names else platform.processor() or platform.machine()


def _build_kind() -> list[str]:
    """What the interpreter's configure line and build variables say: PGO, LTO, free-threaded, debug."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    seen = {
        "PGO": "--enable-optimizations" in arguments,
        "LTO": "--with-lto" in arguments and "--with-lto=no" not in arguments,
        "free-threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "debug": bool(sysconfig.get_config_var("Py_DEBUG")),
    }
    return [kind for kind, there in seen.items() if there]


def environment(module: Any) -> dict[str, str]:
    """What a reader must know beside the figures."""
    return {
        "interpreter": f"{platform.python_implementation()} {sys.version.split()[0]}, {platform.python_compiler()}",
        "build": ", ".join(_build_kind()) or "plain",
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "module": f"{module.__name__} {getattr(module, '__version__', '(no version)')}",
    }


def warn_if_plain() -> None:
    """On stderr: figures from this interpreter are not those of one that people run."""
    kind = _build_kind()
    if "PGO" not in kind or "debug" in kind:
        print("warning: this interpreter is not an optimized build; its ratios mean little", file=sys.stderr)


def header(described: dict[str, str]) -> str:
    """The lines above a table."""
    width = max(map(len, described))
    return "\n".join(f"{key:<{width}}  {value}" for key, value in described.items())


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text: the first column to the left, all others to the right."""
    lines = [list(titles), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(titles))]

    def laid_out(line: list[str]) -> str:
        cells = [line[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)
        ]
        return "  ".join(cells).rstrip()

    rule = "-" * len(laid_out([width * "-" for width in widths]))
    return "\n".join([laid_out(lines[0]), rule, *map(laid_out, lines[1:])])


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same for Markdown."""
    lines = [list(titles), ["---", *["---:"] * (len(titles) - 1)], *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def version(package: str) -> str:
    """Of an installed package; `not installed` otherwise."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def number(value: float | None, digits: int = 1) -> str:
    """A cell; empty where there is no figure."""
    return "" if value is None else f"{value:,.{digits}f}"


def write_json(path: str | None, described: dict[str, str], rows: list[dict[str, Any]]) -> None:
    """All figures of a bench to a file, where one was asked for."""
    if path:
        Path(path).write_text(json.dumps({"environment": described, "rows": rows}, indent=1) + "\n")
