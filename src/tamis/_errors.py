"""What is said where an option is wrong. Imported on the way to an exception, and never before."""

from __future__ import annotations

# What other caches call these options, and what people write who remember them half.
_MEANT = {
    "backend": ("storage", "store"),
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
    "serializer": ("codec", "pickler", "dumps"),
    "single_flight": ("coalesce", "coalescing", "dogpile", "wait_concurrent", "lock"),
    "stale": ("grace", "stale_while_revalidate", "swr"),
    "tti": ("idle", "max_idle", "time_to_idle", "expire_after_access"),
    "ttl": ("age", "max_age", "expire", "expires", "expiry", "expiration", "expire_after_write", "expires_in",
            "lifetime", "seconds", "time_to_live", "timeout"),
    "typed": ("type", "types"),
    "weigher": ("getsizeof", "sizeof", "weight", "weight_fn", "cost"),
}  # fmt: skip
# How many letters a name may have and still be compared: what is longer is no misspelling.
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
