"""The identity of functions that are written in Python."""

from __future__ import annotations

import functools
import os
import sys
from collections import deque
from types import CellType, CodeType, FunctionType

from tamis._identity.code import code_digest, codes_in, codes_of, functions_in, names_in, words_in
from tamis._identity.digests import Nameless
from tamis._identity.modules import contents, found_under, plain_name, version_of

# As typing.TYPE_CHECKING is for type checkers.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tamis._identity.walk import Handlers, Walk

NO_PLACE = (
    "was defined in an interactive session, a notebook or a string: "
    "nothing tells in another process whether it is the same"
)
_TYPED = "<stdin", "<console", "<input", "<python-input", "<ipython-input", "ipython-input"
_CONTAINERS = list, set, dict, deque
_FUNCTOOLS = functools.singledispatch.__globals__


def _is_typed(name: str) -> bool:
    """Whether code with this name of a file was typed into a session or a notebook."""
    folder, file = os.path.split(name)
    _, kernel, number = os.path.basename(folder).rpartition("ipykernel_")
    return file.startswith(_TYPED) or (kernel != "" and number.isdigit())


def _is_no_file(name: str) -> bool:
    """Whether code with this name of a file was read from none."""
    return (name.startswith("<") and not name.startswith("<frozen ")) or _is_typed(name)


def is_session(namespace: Mapping[str, Any]) -> bool:
    """Tell whether these are the globals of an interactive session, of a notebook, or of `python -c`."""
    file = namespace.get("__file__")
    has_file = namespace.get("__spec__") is not None or (isinstance(file, str) and not _is_no_file(file))
    return namespace is contents(sys.modules.get("__main__")) and not has_file


def _place(walk: Walk, function: FunctionType) -> str:
    """Return the file that a function comes from, or nothing. Refuse one of which nothing says where it comes from.

    Others than the innermost cached one may come from a string, as those that dataclasses are made of: all that they
    use counts as it is. Not so in a session, which goes on to change that.
    """
    namespace, code = function.__globals__, function.__code__
    file = code.co_filename
    if is_session(namespace) or _is_typed(file):
        raise Nameless(NO_PLACE)
    if _is_no_file(file):
        # cloudpickle leaves out where code comes from; the module's source may have it.
        found = walk.program.source_of(namespace, code)
        if found is None and function is walk.innermost:
            raise Nameless(NO_PLACE)
        return "" if found is None else os.path.abspath(str(namespace.get("__file__")))
    # A script that was compiled before may be without its source.
    compiled = str(namespace.get("__file__"))
    is_imported = namespace.get("__spec__") is not None or getattr(sys, "frozen", False)
    if not (is_imported or os.path.exists(file) or (compiled.endswith(".pyc") and os.path.exists(compiled))):
        if function is walk.innermost:
            raise Nameless(NO_PLACE)
        return ""
    # Compiled code may have been moved since, or say where it was relative to.
    origin = str(getattr(namespace.get("__spec__"), "origin", None) or compiled)
    stems = {os.path.splitext(os.path.basename(each))[0] for each in (file, origin)}
    return os.path.abspath(origin if len(stems) == 1 else file)


def _function(walk: Walk, function: FunctionType) -> None:
    place = _place(walk, function)
    if walk.path and _by_reference(walk, function):
        return
    if walk.number(function):
        return
    if function.__globals__ is _FUNCTOOLS and "registry" in vars(function):
        _single_dispatch(walk, function)
        return
    code = function.__code__
    walk.put("function", plain_name(function.__module__), function.__qualname__, code_digest(code))
    walk.words |= words_in(code)
    if walk.program.is_near_module(function.__globals__):
        walk.program.live.append(code)
        walk.put("file", place)
        _globals(walk, function)
    _defaults(walk, function)
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        _cell(walk, code, name, cell)
    _annotations(walk, function)
    add_attributes(walk, vars(function))


def _cell(walk: Walk, code: CodeType, name: str, cell: CellType) -> None:
    try:
        held = cell.cell_contents
    except ValueError:  # the function's own name, or __class__, which are bound later
        walk.put("empty cell")
        return
    if type(held) in _CONTAINERS:
        from tamis._identity.statements import only_adds_to

        if only_adds_to(code, name):
            # It records what has been called so far, and decides nothing.
            walk.put("added to", type(held).__name__)
            return
    if not walk.number(cell):
        walk.step(f"closes over {name!r}", held)


def _defaults(walk: Walk, function: FunctionType) -> None:
    code = function.__code__
    defaults = function.__defaults__ or ()
    named = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    walk.put("defaults", *named)
    for name, value in zip(named, defaults, strict=True):
        walk.step(f"has for {name!r} the default", value)
    only_named = sorted((function.__kwdefaults__ or {}).items())
    walk.put("defaults by name", *(name for name, _ in only_named))
    for name, value in only_named:
        if str(id(value)) in name:
            raise Nameless("has a parameter whose name is an address, and another one in every process")
        walk.step(f"has for {name!r} the default", value)


def add_attributes(walk: Walk, attributes: Mapping[str, Any]) -> None:
    """Add what a function wraps, and its attributes whose names some code of the walk has."""
    if "__wrapped__" in attributes:
        walk.step("wraps", attributes["__wrapped__"])
    for name in sorted(attributes):
        if name.startswith("__"):
            continue
        if name in walk.mentioned:
            walk.put("attribute", name)
            walk.step(f"has the attribute {name!r}", attributes[name])
        else:
            walk.unmentioned.add(name)
    walk.put("attributes end")


def _annotations(walk: Walk, function: FunctionType) -> None:
    """Decorators may read them. From 3.14 on they are a function, whose code says enough."""
    annotate = getattr(function, "__annotate__", None)
    if annotate is not None:
        walk.put("annotate", code_digest(annotate.__code__) if type(annotate) is FunctionType else b"")
        return
    for name, value in function.__annotations__.items():
        walk.put("annotation", name, _annotation(value))


def _annotation(value: Any) -> str:
    kind = type(value)
    if isinstance(value, type) and kind.__module__ != "types":
        return f"{plain_name(value.__module__)}.{value.__qualname__}"
    shown = f"{kind.__module__}.{kind.__qualname__}"
    if kind is str or kind.__module__ in ("types", "typing", "builtins"):
        try:
            said = repr(value)
        except Exception:
            return shown
        # An address, or the order of a set.
        if "0x" not in said and "{" not in said:
            return said.replace("__mp_main__.", "__main__.")
    return shown


def _globals(walk: Walk, function: FunctionType) -> None:
    """Names of its module count by the module's source, and those that are not in there by what they are now."""
    namespace, code = function.__globals__, function.__code__
    if not names_in(code):
        return
    from tamis._identity.statements import loaded_by

    source = walk.program.source_of(namespace, code)
    if source is not None:
        walk.program.need(source, names_in(code))
    walk.program.need_imports(code, namespace)
    names = {name for name in names_in(code) if name in namespace and not name.startswith("__")}
    others = {name for name in names if source is None or not source.binds(name)}
    if others:
        # Not those that are attributes.
        others &= {name for each in codes_in(code) for name in loaded_by(each)}
    for name in sorted(others):
        walk.put("global", name)
        walk.step(f"reads the global {name!r}", namespace[name])


def _by_reference(walk: Walk, function: FunctionType) -> bool:
    """Add a function that can be imported by its name: that name, its code, and what its module's source says of it."""
    if found_under(function.__module__, function.__qualname__) is not function:
        return False
    # A decorated function's own globals may be those of the decorator's module.
    namespace = contents(sys.modules[function.__module__])
    module = plain_name(function.__module__)
    if walk.program.is_near_module(namespace):
        source = walk.program.source_of(namespace)
        root = function.__qualname__.partition(".")[0]
        if source is None or root not in source.bound:
            return False
        walk.program.need(source, {root})
    walk.put("function by name", module, function.__qualname__, version_of(module), *codes_of(function))
    for each in functions_in(function):
        walk.words |= words_in(each.__code__)
    return True


def _single_dispatch(walk: Walk, function: FunctionType) -> None:
    """The wrapper of `functools.singledispatch`, which keeps in its closure what it has found so far."""
    walk.put("singledispatch", plain_name(function.__module__), function.__qualname__)
    walk.unordered("dispatches to", vars(function)["registry"].items())


def _code(walk: Walk, code: CodeType) -> None:
    walk.put("code", code_digest(code))
    walk.words |= words_in(code)


HANDLERS: Handlers = {FunctionType: _function, CodeType: _code}
