"""Messages for options and arguments that are wrong. Imported only when an exception is raised."""

from __future__ import annotations

from types import CodeType, FunctionType

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What other caches call these options, and what people write who remember them in part.
_MEANT = {
    "backend": ("storage", "store"),
    "background": ("executor", "refresh_in_background", "refresher"),
    "clock": ("timer", "timefunc", "time_func", "now"),
    "copy": ("deepcopy", "deep_copy", "copies", "postprocess"),
    "ignore": ("exclude", "exclude_args", "ignore_args", "ignored", "skip"),
    "jitter": ("ttl_jitter",),
    "key": ("keyfunc", "key_func", "key_function", "key_builder", "key_fn", "make_key", "key_maker"),
    "max_bytes": ("maxbytes", "max_memory", "memory"),
    "maxsize": ("size", "capacity", "max_entries", "max_items", "maxlen", "max_len", "limit"),
    "maxweight": ("max_cost", "total_weight"),
    "name": ("region", "namespace"),
    "on_evict": ("callback", "on_remove", "on_removal", "on_expire", "eviction_listener", "removal_listener"),
    "path": ("dir", "directory", "cache_dir", "folder"),
    "retry": ("retry_after", "throttle"),
    "serializer": ("codec", "pickler", "dumps"),
    "single_flight": ("coalesce", "coalescing", "dogpile", "wait_concurrent", "lock"),
    "stale": ("grace", "stale_while_revalidate", "swr"),
    "stale_if_error": ("fail_safe", "failsafe", "on_error", "stale_on_error"),
    "tti": ("idle", "max_idle", "time_to_idle", "expire_after_access"),
    "ttl": ("age", "max_age", "expire", "expires", "expiry", "expiration", "expire_after_write", "expires_in",
            "lifetime", "seconds", "time_to_live", "timeout"),
    "typed": ("type", "types"),
    "weigher": ("getsizeof", "sizeof", "weight", "weight_fn", "cost"),
}  # fmt: skip
# Names of more letters are not compared: they are no misspellings.
_MOST = 40


def unknown_option(function: str, name: object, known: tuple[str, ...]) -> str:
    """Return the message for a keyword argument that is none of the known ones."""
    meant = _meant(name, known) if isinstance(name, str) else None
    hint = "" if meant is None else f"; did you mean {meant!r}?"
    takes = f"{', '.join(known[:-1])} and {known[-1]}"
    return f"{function}() got an unexpected keyword argument {name!r}: it takes {takes}{hint}"


def _meant(name: str, known: tuple[str, ...]) -> str | None:
    """Return the option that was meant, if that can be told."""
    import difflib

    if len(name) > _MOST:
        return None
    options = {_plain(option): option for option in known}
    others = {_plain(other): option for option in known for other in _MEANT.get(option, ())}
    # The name itself, and its words, of which one may be too many: ttl_seconds, cache_ttl.
    for guess in (_plain(name), *name.lower().split("_")):
        if guess in options or guess in others:
            return options.get(guess) or others[guess]
    close = difflib.get_close_matches(_plain(name), options, n=1, cutoff=0.65)
    return options[close[0]] if close else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def explain_unhashable(
    error: Any,
    function: object,
    values: tuple[Any, ...],
    positional: int,
    names: tuple[str, ...] | None,
    key_values: tuple[Any, ...],
) -> None:
    """Add a note to the error of an argument that can't be hashed: which it is, and what can be done.

    Positional values come first, those with names last. What makes the key may be others: those that are not ignored,
    or the one that the option key has returned.
    """
    culprit = next((value for value in key_values if not _is_hashable(value)), None)
    place = next((place for place, value in enumerate(values) if value is culprit), -1)
    if culprit is None:
        if "hash" not in str(error):
            return
        note = f"an argument can't be hashed{_WAYS_OUT} leaves some out"
    elif place < 0:
        note = f"what the option key returned can't be hashed: it is, or has in it, a {type(culprit).__qualname__!r}"
    elif place >= positional and names is not None:
        note = _note_on(names[place - positional])
    else:
        named = _parameter(function, place)
        note = _note_on(named) if named else f"positional argument {place + 1} can't be hashed{_WAYS_OUT} leaves it out"
        if place == 0 and named == "self":
            note += "; cached_method has a cache for each instance, which need not be hashable"
    note = f"tamis: {note}"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


_WAYS_OUT = "; the option key makes a hashable key of the arguments, and ignore"


def _note_on(name: str) -> str:
    return f"argument {name!r} can't be hashed{_WAYS_OUT}={name!r} leaves it out"


def _is_hashable(value: object) -> bool:
    """Tell whether there is a hash, as far as types can tell."""
    found = type(value).__hash__
    if found is tuple.__hash__:
        return all(map(_is_hashable, value))  # type: ignore[call-overload]
    return found is not None


def _parameter(function: object, place: int) -> str | None:
    """Name the parameter that takes this positional argument, if that can be told."""
    code: CodeType | None = function.__code__ if type(function) is FunctionType else None
    return code.co_varnames[place] if code is not None and place < code.co_argcount else None
