"""Runs small programs that have shared caches without a name, and tells what they computed and in how many regions."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from helpers.subprocess_tools import PACKAGE_FOLDER, environment_with

SECONDS = 60


class Program:
    """A folder with a program's files, and one for its regions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "program"
        self.regions = folder / "regions"
        self.folder.mkdir(parents=True)
        self.regions.mkdir(mode=0o700)

    def write(self, **files: str) -> None:
        """Write modules; two underscores in a name stand for a folder."""
        for name, text in files.items():
            file = self.folder / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(HEAD + textwrap.dedent(text))

    def run(self, *arguments: str, seed: str = "0", text: str | None = None, directory: Path | None = None) -> str:
        """What the interpreter prints for these arguments and this standard input."""
        done = self.start(*arguments, seed=seed, text=text, directory=directory)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(
        self, *arguments: str, seed: str = "0", text: str | None = None, directory: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the interpreter."""
        environment = environment_with(
            PACKAGE_FOLDER,
            PYTHONHASHSEED=seed,
            REGIONS=str(self.regions),
            # A file that is written anew within one second and has as many bytes would be taken for the one before.
            PYTHONDONTWRITEBYTECODE="1",
        )
        return subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=directory or self.folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def count(self) -> int:
        """How many regions there are."""
        return sum(file.is_file() for file in self.regions.iterdir())


HEAD = """\
import functools, os, sys
from tamis import lru_cache

shared = functools.partial(lru_cache, backend="shared", path=os.environ["REGIONS"], max_bytes=1 << 20)

def note(value):
    print("computed", value, flush=True)
    return value

"""
