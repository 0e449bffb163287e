"""The identity of objects that are neither of built-in types nor callables: what their own ``__reduce_ex__`` says."""

from __future__ import annotations

import copyreg
import os
import sys
from types import MappingProxyType, ModuleType

from tamis._identity.digests import Nameless
from tamis._identity.modules import contents, found_under, plain_name, version_of

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from tamis._identity.walk import Families, Handlers, Walk

# Since Python 3.4: what an object is made by, of what, its state, and the items of lists and dicts.
_PROTOCOL = 4
# Attributes that a decorator copies, and that say nothing of what an object does.
_COPIED = {"__doc__", "__annotations__", "__annotate__", "__type_params__"}


def _module(walk: Walk, module: ModuleType) -> None:
    name = module.__name__
    if sys.modules.get(name) is not module:
        raise Nameless
    walk.put("module", plain_name(name))
    if not walk.program.is_near_module(contents(module)):
        walk.put(version_of(name))


def _mapping_proxy(walk: Walk, value: Any) -> None:
    walk.put("mappingproxy")
    walk.item(dict(value))


def _member(walk: Walk, member: Any) -> None:
    """A member of an enumeration, or a combination of flags, which has no name or one that is made of theirs."""
    walk.put("member")
    walk.step("is of", type(member))
    walk.step("has the name", member._name_)
    walk.step("has the value", member._value_)


def _is_enum(kind: type) -> bool:
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(kind, enum.Enum)


def _instance(walk: Walk, value: Any) -> None:
    kind = type(value)
    if value is os.environ or hasattr(kind, "__next__"):
        raise Nameless
    if value is contents(sys.modules.get("random", sys)).get("_inst"):
        # Its state differs from process to process, and no function depends on it.
        walk.put("random numbers")
        return
    reduced = _reduced(value)
    if isinstance(reduced, str):
        _global(walk, value, reduced)
        return
    maker, arguments, state, items, pairs, setter = reduced + (None,) * (6 - len(reduced))
    # Only an object with a state can change, or refer to itself.
    if len(reduced) > 2 and walk.number(value):
        return
    walk.put("instance")
    walk.step("is of", kind)
    walk.step("is made by", maker)
    if issubclass(kind, set | frozenset) and maker is kind and len(arguments) == 1:
        walk.unordered("holds", arguments[0])
    else:
        walk.items("is made of argument", arguments)
    _state(walk, value, state)
    walk.items("holds item", () if items is None else items)
    for key, item in () if pairs is None else list(pairs):
        walk.step("holds the key", key)
        walk.step(f"holds under {key!r:.40}", item)
    walk.put("made")
    walk.item(setter)


def _reduced(value: Any) -> Any:
    try:
        reducer = copyreg.dispatch_table.get(type(value))
        reduced = reducer(value) if reducer is not None else value.__reduce_ex__(_PROTOCOL)
    except Exception as error:
        raise Nameless from error
    if isinstance(reduced, str) or (isinstance(reduced, tuple) and 2 <= len(reduced) <= 6):
        return reduced
    raise Nameless


def _global(walk: Walk, value: Any, name: str) -> None:
    """What its own reduce says is found under a name."""
    module = str(getattr(value, "__module__", ""))
    if found_under(module, name) is value:
        walk.put("global", plain_name(module), name, version_of(module))
    elif any(contents(each).get(name) is value for each in list(sys.modules.values())):
        # Which module is found first differs from process to process.
        walk.put("global", type(value).__module__, type(value).__qualname__, name)
    else:
        raise Nameless


def _state(walk: Walk, owner: Any, state: Any) -> None:
    if isinstance(state, tuple) and len(state) == 2 and all(each is None or type(each) is dict for each in state):
        for each in state:
            _state(walk, owner, each)
    elif state is None or (type(state) is dict and all(type(name) is str for name in state)):
        # The order in which attributes were set says nothing.
        walk.put("state")
        for name, value in sorted((state or {}).items()):
            if name not in _COPIED and not _is_computed(type(owner), name) and not _is_hash(owner, value):
                walk.put(name)
                value = plain_name(value) if name == "__module__" else value
                walk.step(f"has the attribute {name!r}", value)
        walk.put("state ends")
    else:
        walk.step("has the state", state)


def _is_hash(owner: Any, value: Any) -> bool:
    """Whether a value is an object's own hash, which it has kept: that of strings differs from process to process."""
    try:
        return type(value) is int and value.bit_length() > 30 and value == hash(owner)
    except Exception:
        return False


def _is_computed(kind: type, name: str) -> bool:
    """Whether an attribute is a value that a cached property has kept."""
    found: Any = next((vars(each)[name] for each in kind.__mro__ if name in vars(each)), None)
    return "cached_property" in type(found).__name__


HANDLERS: Handlers = {ModuleType: _module, MappingProxyType: _mapping_proxy}
SPECIAL: Families = [(_is_enum, _member), (lambda kind: issubclass(kind, ModuleType), _module)]
ANY: Families = [(lambda kind: True, _instance)]
