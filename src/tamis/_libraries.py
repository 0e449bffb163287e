"""Other libraries that do something of their own with functools' caches, and how they are made to do it with these.

Most libraries ask for the class of an object, and that is functools' (see libraries.rs). Those that go by `type()`, or
make a cache anew, get to know ours, once the compiled part has seen that they are imported.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from tamis import _core

_T = TypeVar("_T")

# The decorators of the types of what they return.
_DECORATORS: dict[type, str] = {
    _core.lru_cache_wrapper: "lru_cache",
    _core.async_lru_cache_wrapper: "lru_cache",
    _core.cached_method_wrapper: "cached_method",
    _core.async_cached_method_wrapper: "cached_method",
}


def same(cache: _T) -> _T:
    """Return what is given: how a cache is pickled whose type was registered in that moment."""
    return cache


def rebuild(decorator: str, function: Any, parameters: dict[str, Any]) -> Any:
    """Make a cache from what `cache_parameters()` returns."""
    decorate = getattr(_core, decorator)(**parameters)
    return decorate(function)


def tell(library: str) -> bool:
    """Register our types with a library. False if that can't be done yet: it is being imported."""
    module = sys.modules[library]
    if library == "beartype":
        return _tell_beartype()
    if library == "dill":
        return _tell_dill(module)
    return _tell_cloudpickle(module)


# Libraries that pickle by value what another process can't import: functions and classes of `__main__` and those inside
# of functions. A cache is its function and its parameters then, as with dill and functools' caches. Its entries are not
# pickled.


def _is_importable(cache: Any) -> bool:
    """Tell whether another process finds the cache by its name."""
    module: Any = getattr(cache, "__module__", None)
    found: Any = None if module in (None, "__main__") else sys.modules.get(module)
    for name in getattr(cache, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is cache


def _by_value(cache: Any) -> tuple[Any, ...]:
    function = cache.__wrapped__
    state = dict(vars(cache))
    # The rest is what decorating sets, too, but a function that names its own cache is not whole when that is made.
    state.pop("__wrapped__", None)
    return rebuild, (_DECORATORS[type(cache)], function, cache.cache_parameters()), state


def _tell_dill(dill: Any) -> bool:
    register = getattr(dill, "register", None)
    if register is None:
        return False

    def save(pickler: Any, cache: Any) -> None:
        # A session that is being dumped has its module's functions by value.
        session = getattr(pickler, "_main", None) if getattr(pickler, "_session", False) else None
        if _is_importable(cache) and cache.__module__ != getattr(session, "__name__", None):
            pickler.save_global(cache, cache.__qualname__)
        else:
            pickler.save_reduce(*_by_value(cache), obj=cache)

    for kind in _DECORATORS:
        register(kind)(save)
    return True


def _tell_cloudpickle(cloudpickle: Any) -> bool:
    table = getattr(getattr(cloudpickle, "CloudPickler", None), "dispatch_table", None)
    registry: Any = getattr(cloudpickle, "list_registry_pickle_by_value", set)
    if table is None:
        return False

    def reduce(cache: Any) -> str | tuple[Any, ...]:
        if _is_importable(cache):
            module, by_value = cache.__module__, registry()
            # Of a package that is registered, all modules are.
            while module and module not in by_value:
                module = module.rpartition(".")[0]
            if not module:
                return str(cache.__qualname__)
        return _by_value(cache)

    for kind in _DECORATORS:
        table[kind] = reduce
    return True


# beartype makes a cache of its own with functools' decorator around the function that it has checked.


def _tell_beartype() -> bool:
    for name in ("beartype._decor._nontype.decornontype", "beartype._decor._decornontype"):
        module = sys.modules.get(name)
        if module is None or getattr(module.__spec__, "_initializing", False):
            continue
        for name, value in tuple(vars(module).items()):
            if name.startswith("beartype_") and name.endswith("functools_lru_cache"):
                setattr(module, name, _with_our_caches(value))
        return True
    return False


def _with_our_caches(check: Any) -> Any:
    """Wrap what gives beartype's checks to a cache of functools."""
    from functools import update_wrapper, wraps

    from tamis._info import CacheInfo

    # functools may have been given another one under this name.
    functools_type = sys.modules["_functools"]._lru_cache_wrapper

    @wraps(check)
    def beartype_functools_lru_cache(pseudofunc: Any, **kwargs: Any) -> Any:
        decorator = _DECORATORS.get(type(pseudofunc))
        if decorator is None:
            return check(pseudofunc=pseudofunc, **kwargs)
        function, parameters = pseudofunc.__wrapped__, pseudofunc.cache_parameters()
        stand_in: Any = update_wrapper(functools_type(function, None, False, CacheInfo), function)
        stand_in.cache_parameters = lambda: {"maxsize": None, "typed": False}
        return rebuild(decorator, check(pseudofunc=stand_in, **kwargs).__wrapped__, parameters)

    return beartype_functools_lru_cache
