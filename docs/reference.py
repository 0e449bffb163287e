"""Prints docs/reference.md, from the docstrings of the tamis that is installed; `make docs-reference` writes it.

Of an own kind, since what tools for documentation read from source files is not there: the decorators are compiled.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import tamis
from tamis.remote import Redis, Unreachable

HEAD = """\
# Reference

Made of the docstrings, by `make docs-reference`. What options mean in practice, the guides tell.
"""

# Names that take options, of which the docstring of the first tells.
OPTIONS = {"lru_cache", "cache", "cached_method"}

SIGNATURES = {
    "SieveCache.pop": "(key, /[, default])",
}


def signature(name: str, value: Any) -> str:
    """As one writes a call of it, without self."""
    if name in SIGNATURES:
        return SIGNATURES[name]
    try:
        made = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    is_option = {option for option in made.parameters if name in OPTIONS} - {"user_function", "maxsize", "typed"}
    parameters = [parameter for parameter in made.parameters.values() if parameter.name not in {"self", *is_option}]
    text = str(made.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return text[:-1] + ", **options)" if name in OPTIONS else text


def described(docstring: str) -> str:
    """A docstring as Markdown: its lists of names become lists."""
    text = inspect.cleandoc(docstring)
    # `ttl: how long …` and the lines that go on.
    lines = []
    for paragraph in text.split("\n\n"):
        rows = paragraph.splitlines()
        if any(re.match(r"[a-z_, ]+: ", row) for row in rows):
            items: list[str] = []
            for row in rows:
                if row.startswith(("Options", "Arguments")):
                    lines.append(row)
                elif named := re.match(r"([a-z_]+(?:, [a-z_]+)*): (.+)", row):
                    names = ", ".join(f"`{name}`" for name in named[1].split(", "))
                    items.append(f"- {names}: {named[2]}")
                else:
                    items[-1] += "\n  " + row
            lines.append("\n".join(items))
        else:
            lines.append(paragraph)
    # Stars and underscores are not meant as marks here.
    return re.sub(r"__\w+__", r"`\g<0>`", "\n\n".join(lines).replace("*", "\\*")) + "\n"


def section(level: int, name: str, value: Any, shown: str = "") -> str:
    """A heading, how it is called, and what it does."""
    call = signature(name, value)
    usage = f"`{shown or name}{call}`\n\n" if call else ""
    return f"{'#' * level} {name.rpartition('.')[2]}\n\n{usage}{described(value.__doc__ or '')}"


def members(kind: type, names: list[str], prefix: str, shown: str) -> list[str]:
    """Sections of a type's methods."""
    return [section(3, f"{prefix}.{name}", getattr(kind, name), f"{shown}.{name}") for name in names]


def main() -> None:
    """Print the page."""
    wrapper = type(tamis.lru_cache(len))
    method = type(tamis.cached_method(len))
    of_wrapper = [name for name in dir(wrapper) if name.startswith("cache")]
    mapping = [
        name for name in dir(tamis.SieveCache)
        if not name.startswith("_") and name not in ("items", "keys", "values", "update", "maxsize")
    ]  # fmt: skip
    parts = [
        HEAD,
        section(2, "lru_cache", tamis.lru_cache),
        section(2, "cache", tamis.cache),
        section(2, "cached_method", tamis.cached_method),
        *members(method, ["cache_for"], "cached_method", "Class.method"),
        "## Cached functions\n\n" + described(wrapper.__doc__ or ""),
        *members(wrapper, of_wrapper, "wrapper", "f"),
        section(2, "SieveCache", tamis.SieveCache),
        *members(tamis.SieveCache, mapping, "SieveCache", "cache"),
        section(2, "caches", tamis.caches),
        "## CachedFunction\n\nThe type of cached functions, also for annotations: `CachedFunction[[int], str]`.\n",
        "## AsyncCachedFunction\n\nThat of cached coroutine functions: `AsyncCachedFunction[[int], str]`.\n",
        section(2, "tamis.remote.Redis", Redis, "tamis.remote.Redis"),
        *members(Redis, ["ping", "stats", "close"], "remote.Redis", "tier"),
        section(2, "tamis.remote.Unreachable", Unreachable),
        section(2, "CacheInfo", tamis.CacheInfo),
        section(2, "patch", tamis.patch),
        section(2, "unpatch", tamis.unpatch),
        section(2, "get_include", tamis.get_include),
        "## `__version__`\n\nThe version, as a string.\n",
    ]
    print("\n".join(parts), end="")


if __name__ == "__main__":
    main()
