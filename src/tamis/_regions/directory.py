"""The regions of one directory, and which of them is meant by a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from tamis import _core
from tamis._console import PROGRAM, fail
from tamis._regions.text import printable

Region = dict[str, Any]


class Directory:
    """The regions of one directory, and the name of the command for its errors."""

    def __init__(self, command: str, path: str | None) -> None:
        self.command = command
        self.path, regions = self.call(_core._regions, path)
        if regions is None and path is not None:
            self.fail(f"there is no directory {printable(self.path)}")
        self.regions: list[Region] = sorted(regions or (), key=label_of)

    def fail(self, message: str) -> NoReturn:
        fail(f"shared {self.command}: {message}")

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the core whose errors are for the user."""
        try:
            return function(*arguments)
        except OSError as error:
            self.fail(printable(str(error.strerror or error)))
        except ValueError as error:
            self.fail(printable(str(error)))

    def find(self, name: str) -> Region:
        """Return the one region that is meant."""
        labels = [(label, region) for region in self.regions for label in (region.get("name"), region["file"])]
        for label, region in labels:
            if label == name:
                return region
        meant = {region["file"]: region for label, region in labels if label is not None and label.startswith(name)}
        if not meant:
            self.fail(f"no region in {printable(self.path)} has a name that begins with {name!r}")
        if len(meant) > 1:
            some = [printable(label_of(region)) for region in list(meant.values())[:4]]
            more = ", …" if len(meant) > len(some) else ""
            self.fail(f"{name!r} is the beginning of {len(meant)} names: {', '.join(some)}{more}")
        return next(iter(meant.values()))

    def fail_unusable(self, region: Region) -> NoReturn:
        """Say why nothing can be done with a region."""
        why = region["why"] or f"its state is: {region['state']} (see {PROGRAM} shared --help)"
        self.fail(f"{printable(label_of(region))}: {printable(why)}")

    def fail_gone(self, region: Region) -> NoReturn:
        """Say that a region is no longer there."""
        self.fail(f"{printable(label_of(region))} was removed or replaced meanwhile")


def label_of(region: Region) -> str:
    name: str = region.get("name") or region["file"]
    return name
