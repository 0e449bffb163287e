"""How sizes, times, counts and values are printed."""

from __future__ import annotations

import reprlib

# The sizes of what is shown of a call or a value.
MOST_OF_ONE, MOST_OF_ALL = 60, 100


def printable(text: str) -> str:
    """The text on one line, whatever is in it: files may be named by anyone."""
    return text if text.isprintable() else repr(text)[1:-1]


def size_text(count: int) -> str:
    """A number of bytes, in a unit that suits it."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.3g} {units[0]}" if size < 1000 else f"{size:.0f} {units[0]}"


def bytes_text(count: int) -> str:
    """A number of bytes, in bytes and in a unit that suits it."""
    return f"{count:,} ({size_text(count)})" if count >= 1024 else f"{count:,}"


def span_text(seconds: float | None) -> str:
    """A number of seconds, in a unit that suits it; nothing where it is not known."""
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def percent_text(rate: float | None) -> str:
    """A part of one, in percent; nothing where it is not known."""
    return "" if rate is None else f"{rate:.1%}"


def several(count: int, one: str, many: str) -> str:
    """A number of things, by their name in the singular or the plural."""
    return f"{count:,} {one if count == 1 else many}"


def cut(text: str, shorten: bool) -> str:
    """The text on one line, and not all of it where it is to be short."""
    text = printable(text)
    return text if len(text) <= MOST_OF_ALL or not shorten else text[: MOST_OF_ALL - 1] + "…"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = MOST_OF_ONE


def value_text(value: object, shorten: bool) -> str:
    """What repr() returns for a value, whatever that may raise."""
    try:
        return _SHORT.repr(value) if shorten else repr(value)
    except Exception as error:
        # An int of too many digits, or an object's own __repr__.
        return f"<{type(value).__name__}: {type(error).__name__}>"
