"""The entries of a region as they are shown, and as JSON has them."""

from __future__ import annotations

from typing import Any

from tamis import _core
from tamis._regions.text import cut, printable, several, span_text, value_text


def entry_as_json(entry: dict[str, Any], values: bool, unpickle: bool, shorten: bool) -> dict[str, Any]:
    """An entry as it is shown, and as JSON has it."""
    value = {"value": _value_text(entry, unpickle, shorten)} if values else {}
    return {
        "call": _call_text(entry["key"], shorten),
        "size": entry["size"],
        "form": entry["maker"],
        "age": entry["age"],
        "fresh_for": entry["fresh"],
        "stale_for": entry["stale"],
        "idle_at_most": entry["idle"],
        "read": entry["visited"],
        **value,
    }


def left_text(entry: dict[str, Any]) -> str:
    """How long an entry stays fresh, or why it does not."""
    fresh, stale, idle, age = entry["fresh_for"], entry["stale_for"], entry["idle_at_most"], entry["age"]
    spans = [span for span in (fresh, None if idle is None or age is None else idle - age) if span is not None]
    if not spans:
        return ""
    if min(spans) > 0:
        return span_text(min(spans))
    if idle is not None and age is not None and age > idle:
        return "idle for too long"
    return f"stale, {span_text(stale)}" if stale is not None and stale > 0 else "expired"


def _call_text(key: bytes, shorten: bool) -> str:
    call = _core._call(key)
    if call is None:
        return f"<{several(len(key), 'byte', 'bytes')}>"
    positional, named = call
    arguments = [value_text(value, shorten) for value in positional]
    arguments += [f"{printable(str(name))}={value_text(value, shorten)}" for name, value in named]
    return cut(f"({', '.join(arguments)})", shorten)


def _value_text(entry: dict[str, Any], unpickle: bool, shorten: bool) -> str:
    size = several(entry["size"], "byte", "bytes")
    if entry["maker"] == "serializer":
        return f"<{size} of a serializer>"
    if entry["maker"] == "pickle" and not unpickle:
        return f"<{size} of pickle>"
    decoded = _core._loads(entry["value"])
    if decoded is None:
        return f"<{size} that can't be loaded>"
    return cut(value_text(decoded[0], shorten), shorten)
