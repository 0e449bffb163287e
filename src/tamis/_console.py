"""What the commands of `python -m tamis` have in common: the program's name, its errors, and its parsers."""

from __future__ import annotations

import sys

# As typing.TYPE_CHECKING. Importing typing, and much else, would be before functools is patched for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import NoReturn

PROGRAM = "python -m tamis"


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit status 2."""
    print(f"tamis: {message}", file=sys.stderr)
    raise SystemExit(2)


def parser_for(name: str, help_text: str) -> ArgumentParser:
    """A parser whose help is written by hand, and whose errors are one line."""
    import argparse

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            fail(f"{name}: {message} (see {PROGRAM} {name} --help)")

        def format_help(self) -> str:
            return help_text

    return Parser(prog=f"{PROGRAM} {name}", allow_abbrev=False)
