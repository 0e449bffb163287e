"""patch() and unpatch(): tamis's decorators in place of those of functools."""

from __future__ import annotations

import functools
import threading

from tamis import _core

# As typing.TYPE_CHECKING. Importing typing, and much else, would be before functools is patched for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is put in the place of functools' own. `_report.py` has others here, which record what they make.
DECORATORS: dict[str, Any] = {"lru_cache": _core.lru_cache, "cache": _core.cache}
_lock = threading.RLock()
# What functools had, while it is patched.
_originals: dict[str, Any] = {}
# What was put in its place.
_replacements: dict[str, Any] = {}
# Whether patch() was called, beside those of `with` statements, of which so many have not ended.
_wanted = False
_blocks = 0


class Patch:
    """What patch() returns: a context manager, which undoes the patch at its end unless others still want it."""

    __slots__ = ("_made",)

    def __init__(self, made: bool) -> None:
        self._made = made

    def __enter__(self) -> Patch:
        """Keep functools patched until the block ends."""
        global _blocks, _wanted
        with _lock:
            _blocks += 1
            if self._made:
                _wanted = False
            _apply()
        return self

    def __exit__(self, *_error: object) -> None:
        """Put back what was there, if no other patch is wanted."""
        global _blocks
        with _lock:
            _blocks -= 1
            _apply()


def _apply() -> None:
    """Patch functools, or put back what was there, as is wanted now. The lock is held."""
    if (_wanted or _blocks) and not _originals:
        for name, decorator in DECORATORS.items():
            _originals[name] = getattr(functools, name)
            _replacements[name] = decorator
            setattr(functools, name, _replacements[name])
    elif not _wanted and not _blocks and _originals:
        for name in _originals:
            # What other code has put there meanwhile stays.
            if getattr(functools, name) is _replacements[name]:
                setattr(functools, name, _originals[name])
        _originals.clear()
        _replacements.clear()


def patch() -> Patch:
    """Put tamis.lru_cache and tamis.cache in the place of functools' own, for code that is imported afterwards.

    Calling it again changes nothing. unpatch() puts back what was there; so does the end of a `with patch():` block, of
    the outermost one where they are nested. Functions that were decorated meanwhile stay what they are.
    """
    global _wanted
    with _lock:
        made = not _wanted
        _wanted = True
        _apply()
    return Patch(made)


def unpatch() -> None:
    """Put back what functools had before patch(). Without a patch, nothing happens."""
    global _wanted
    with _lock:
        _wanted = False
        _apply()
