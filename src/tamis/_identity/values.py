"""The identity of values of built-in types."""

from __future__ import annotations

import sys

from tamis import _core
from tamis._identity.digests import Nameless
from tamis._identity.messages import described
from tamis._identity.modules import contents

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tamis._identity.walk import Handlers, Walk


def _plain(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is None:
        raise Nameless
    walk.put("plain", content)


def _int(walk: Walk, value: int) -> None:
    walk.refuse_address(value)
    _plain(walk, value)


def _str(walk: Walk, value: str) -> None:
    if "0x" in value:
        import re

        for address in re.findall("0x([0-9a-fA-F]{5,16})", value):
            walk.refuse_address(int(address, 16))
    _plain(walk, value)


def _sequence(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is not None:
        walk.put("plain", content)
    elif type(value) is tuple or not walk.number(value):
        walk.put(type(value).__name__)
        walk.items("holds item", value)


def _set(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is not None:
        walk.put("plain", content)
    elif type(value) is frozenset or not walk.number(value):
        walk.put(type(value).__name__)
        walk.unordered("holds", value)


def _dict(walk: Walk, value: Any) -> None:
    content = _core._canonical(value)
    if content is not None:
        walk.put("plain", content)
        return
    module = sys.modules.get(plain) if type(plain := value.get("__name__")) is str else None
    if contents(module) is value:
        walk.step("is what is in", module)
    elif not walk.number(value):
        pairs = list(value.items())
        walk.put("dict", b"%d" % len(pairs))
        for key, item in pairs:
            walk.step("holds the key", key)
            walk.step(f"holds under {described(key)}", item)


def _singleton(walk: Walk, value: Any) -> None:
    walk.put("singleton", repr(value))


HANDLERS: Handlers = {
    **dict.fromkeys((type(None), bool, float, complex, bytes, bytearray), _plain),
    **dict.fromkeys((tuple, list), _sequence),
    **dict.fromkeys((set, frozenset), _set),
    **dict.fromkeys((type(Ellipsis), type(NotImplemented)), _singleton),
    int: _int,
    str: _str,
    dict: _dict,
}
