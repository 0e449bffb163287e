"""The contract of the decorators and of what they return, line by line. For keys see test_parity.py."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import sys
import types
import weakref
from typing import Any

import pytest

import tamis
from tamis import cache, lru_cache

EVERY_MAXSIZE = pytest.mark.parametrize("maxsize", [None, 128])


def echo(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """Return what came in."""
    return args, kwargs


def contents(function: Any, *keys: Any) -> list[Any]:
    """Return those of the keys for which there are entries."""
    return [key for key in keys if function.cache_contains(key)]


@lru_cache(maxsize=4)
def module_level(x: int) -> int:
    """Have a name by which it can be pickled."""
    return x


class Holder:
    @lru_cache
    def method(self, x: int) -> tuple[Holder, int]:
        return self, x

    @staticmethod
    @cache
    def static(x: int) -> int:
        return x + 1

    @classmethod
    @lru_cache(maxsize=3)
    def of_class(cls, x: int) -> tuple[type[Holder], int]:
        return cls, x

    same_as_method = method
    built_in_the_body = static.__func__(41)


# ---- making one ----


@pytest.mark.parametrize(
    ("decorator", "parameters"),
    [
        (lru_cache, {"maxsize": 128, "typed": False}),
        (lru_cache(), {"maxsize": 128, "typed": False}),
        (lru_cache(1024), {"maxsize": 1024, "typed": False}),
        (lru_cache(7, True), {"maxsize": 7, "typed": True}),
        (lru_cache(maxsize=None), {"maxsize": None, "typed": False}),
        (lru_cache(maxsize=0), {"maxsize": 0, "typed": False}),
        (lru_cache(maxsize=-5), {"maxsize": 0, "typed": False}),
        (lru_cache(True), {"maxsize": 1, "typed": False}),
        (lru_cache(False), {"maxsize": 0, "typed": False}),
        (lru_cache(sys.maxsize), {"maxsize": sys.maxsize, "typed": False}),
        (lru_cache(typed=True), {"maxsize": 128, "typed": True}),
        (lru_cache(typed="yes"), {"maxsize": 128, "typed": "yes"}),
        (lambda function: lru_cache(function, True), {"maxsize": 128, "typed": True}),
        (lambda function: lru_cache(maxsize=function, typed=False), {"maxsize": 128, "typed": False}),
        (cache, {"maxsize": None, "typed": False}),
        (cache(), {"maxsize": None, "typed": False}),
        (cache(None), {"maxsize": None, "typed": False}),
        (cache(maxsize=5), {"maxsize": 5, "typed": False}),
        (cache(typed=True), {"maxsize": None, "typed": True}),
        (lambda function: cache(function, maxsize=5, typed=True), {"maxsize": 5, "typed": True}),
    ],
)
def test_every_way_to_decorate_makes_a_cache_of_these_parameters(decorator, parameters):
    function = decorator(echo)
    assert function.cache_parameters() == parameters
    assert function.cache_parameters() is not function.cache_parameters()
    assert function.cache_info() == (0, 0, parameters["maxsize"], 0)
    assert function(1, a=2) == function(1, a=2) == ((1,), {"a": 2})
    stores = parameters["maxsize"] != 0
    assert function.cache_info() == ((1, 1) if stores else (0, 2)) + (parameters["maxsize"], int(stores))


def test_one_decorator_makes_a_cache_of_its_own_for_each_function():
    decorator = lru_cache(maxsize=3)
    first, second = decorator(echo), decorator(echo)
    first(1)
    assert (first.cache_info().currsize, second.cache_info().currsize) == (1, 0)


def test_any_negative_maxsize_is_zero():
    for maxsize in (-1, -sys.maxsize, -(1 << 64)):
        assert functools.lru_cache(maxsize)(echo).cache_parameters()["maxsize"] == 0
        assert lru_cache(maxsize)(echo).cache_parameters()["maxsize"] == 0


@pytest.mark.parametrize(
    ("decorate", "named"),
    [
        (lambda module: module.lru_cache(maxsize="x"), "maxsize"),
        (lambda module: module.lru_cache(maxsize=1.5), "maxsize"),
        (lambda module: module.lru_cache([]), "maxsize"),
        (lambda module: module.lru_cache(echo, typed=1), "maxsize"),
        (lambda module: module.lru_cache(size=3), "size"),
        (lambda module: module.lru_cache(1, maxsize=3), "maxsize"),
        (lambda module: module.lru_cache(1, True, typed=True), "typed"),
        (lambda module: module.lru_cache(1, False, None), "positional argument"),
        (lambda module: module.lru_cache()(5), "callable"),
        (lambda module: module.lru_cache(None)("no function"), "callable"),
        (lambda module: module.lru_cache()(echo, echo), "argument"),
        (lambda module: module.lru_cache()(), "argument"),
        (lambda module: module.cache(5), "callable"),
        (lambda module: module.cache(echo, echo), "positional argument"),
        (lambda module: module.cache(echo, size=3), "size"),
        (lambda module: module.lru_cache(1 << 64)(echo), "index-sized"),
        (lambda module: module.lru_cache(sys.maxsize + 1)(echo), "index-sized"),
        (lambda module: module.lru_cache(typed=RaisesWhenAskedForTruth())(echo), "no truth"),
    ],
)
def test_bad_decorations_raise_what_functools_raises_and_name_the_reason(decorate, named):
    with pytest.raises(Exception, match=".") as theirs:
        decorate(functools)
    with pytest.raises(type(theirs.value), match=named) as ours:
        decorate(tamis)
    assert type(ours.value) is type(theirs.value)


@pytest.mark.parametrize("maxsize", ["x", 1.5, echo])
def test_cache_refuses_a_maxsize_that_is_no_number(maxsize):
    with pytest.raises(TypeError, match="maxsize"):
        cache(maxsize=maxsize)


class RaisesWhenAskedForTruth:
    def __bool__(self) -> bool:
        raise LookupError("no truth")


def test_the_type_of_a_wrapper_can_neither_be_called_nor_subclassed():
    kind = type(module_level)
    with pytest.raises(TypeError):
        kind(echo)
    with pytest.raises(TypeError):
        types.new_class("Derived", (kind,))


# ---- the counts and the entries ----


def test_cache_info_is_a_named_tuple_as_in_functools():
    info = lru_cache(maxsize=3)(echo).cache_info()
    theirs = functools.lru_cache(maxsize=3)(echo).cache_info()
    assert type(info) is tamis.CacheInfo
    assert info == theirs
    assert (info._fields, repr(info)) == (theirs._fields, repr(theirs))
    assert (tamis.CacheInfo.__name__, tamis.CacheInfo.__module__) == ("CacheInfo", "tamis")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(info, protocol))
        assert (type(again), again) == (tamis.CacheInfo, info)


def test_contains_invalidate_put_and_refresh_count_nothing():
    function = lru_cache(maxsize=4)(echo)
    function(1)
    function(1)
    function.cache_contains(1)
    function.cache_contains(2)
    function.cache_put("put", 2)
    function.cache_refresh(3)
    function.cache_invalidate(3)
    function.cache_invalidate(4)
    assert function.cache_info() == (1, 1, 4, 2)


def test_contains_tells_whether_there_is_an_entry():
    function = lru_cache(maxsize=4)(echo)
    assert function.cache_contains(1, a=2) is False
    function(1, a=2)
    assert function.cache_contains(1, a=2) is True
    assert function.cache_contains(1, 2) is False


def test_contains_does_not_mark_the_entry_as_used():
    function = lru_cache(maxsize=2)(echo)
    function(1)
    function(2)
    assert function.cache_contains(1)
    function(3)
    assert contents(function, 1, 2, 3) == [2, 3]


def test_invalidate_drops_one_entry_and_tells_whether_it_was_there():
    function = lru_cache(maxsize=4)(echo)
    function(1)
    function(2)
    assert function.cache_invalidate(1) is True
    assert function.cache_invalidate(1) is False
    assert contents(function, 1, 2) == [2]


def test_put_stores_a_value_that_calls_then_return():
    function = lru_cache(maxsize=4)(echo)
    assert function.cache_put("stored", 1, a=2) is None
    assert function(1, a=2) == "stored"
    assert function.cache_info() == (1, 0, 4, 1)


@pytest.mark.parametrize("maxsize", [1, 4, None])
def test_put_on_an_existing_key_replaces_the_value_and_lets_the_old_one_go(maxsize):
    function = lru_cache(maxsize=maxsize)(echo)
    old = CallableWithoutName()
    gone = weakref.ref(old)
    function.cache_put(old, 1)
    del old
    function.cache_put("new", 1)
    gc.collect()
    assert gone() is None
    assert (function(1), function.cache_info().currsize) == ("new", 1)


def test_put_takes_its_value_by_position_alone_so_that_no_keyword_is_taken_away():
    function = lru_cache(maxsize=4)(echo)
    function.cache_put("stored", value=1)
    assert function(value=1) == "stored"
    with pytest.raises(TypeError, match="value"):
        function.cache_put()
    with pytest.raises(TypeError, match="value"):
        function.cache_put(value=1)


@pytest.mark.parametrize("maxsize", [4, None])
def test_refresh_calls_the_function_and_stores_what_it_returns(maxsize):
    results = iter(range(10))
    function = lru_cache(maxsize=maxsize)(lambda _x: next(results))
    assert function("a") == 0
    assert function.cache_refresh("a") == 1
    assert function.cache_refresh("b") == 2
    assert (function("a"), function("b")) == (1, 2)


def test_a_refresh_that_fails_leaves_the_old_entry():
    divisors = [5, 0]
    function = cache(lambda x: x // divisors.pop(0))
    assert function(10) == 2
    with pytest.raises(ZeroDivisionError):
        function.cache_refresh(10)
    assert (function(10), divisors) == (2, [])


def test_maxsize_zero_stores_nothing_and_hashes_nothing():
    function = lru_cache(maxsize=0)(echo)
    function.cache_put("stored", 1)
    assert function.cache_refresh(1) == function(1) == ((1,), {})
    assert function([]) == (([],), {})
    assert not function.cache_contains(1)
    assert function.cache_invalidate(1) is False
    assert function.cache_info() == (0, 2, 0, 0)


def test_clear_drops_everything_and_zeroes_the_counts():
    function = lru_cache(maxsize=4)(echo)
    function(1)
    function(1)
    assert function.cache_clear() is None
    assert (function.cache_info(), contents(function, 1)) == ((0, 0, 4, 0), [])


@EVERY_MAXSIZE
def test_none_is_stored_like_any_value(maxsize):
    calls = []
    function = lru_cache(maxsize=maxsize)(calls.append)
    assert function(1) is None
    assert function(1) is None
    assert calls == [1]


@EVERY_MAXSIZE
@pytest.mark.parametrize("error", [IndexError("x"), StopIteration(3), KeyboardInterrupt(), GeneratorExit()])
def test_exceptions_of_the_function_pass_unchanged_and_are_not_stored(maxsize, error):
    function = lru_cache(maxsize=maxsize)(raising(error))
    for misses in (1, 2):
        with pytest.raises(type(error)) as raised:
            function(1)
        assert raised.value is error
        assert error.__context__ is None
        assert function.cache_info() == (0, misses, maxsize, 0)


@EVERY_MAXSIZE
def test_a_recursion_too_deep_is_a_recursion_error_and_stores_nothing_of_it(maxsize):
    @lru_cache(maxsize=maxsize)
    def down(depth: int) -> int:
        return down(depth - 1) if depth else 0

    with pytest.raises(RecursionError):
        down(1_000_000)
    assert down.cache_info().currsize == 0
    assert down(20) == 0


def raising(error: BaseException) -> Any:
    def function(*_args: Any) -> Any:
        raise error

    return function


# ---- wrapping ----


def documented(a: int, /, b: str = "b", *rest: int, c: bytes = b"", **more: float) -> list[int]:
    """Have everything that a function can have."""
    return []


documented.attribute = ["an attribute"]


class CallableWithoutName:
    """Instances have no __name__."""

    def __init__(self) -> None:
        self.attribute = 1

    def __call__(self, x: int) -> int:
        return x


class CallableWithSlots:
    __slots__ = ()

    def __call__(self, x: int) -> int:
        return x


CALLABLES = {
    "function": documented,
    "lambda": lambda x: x,
    "bound method": CallableWithoutName().__call__,
    "class": CallableWithoutName,
    "builtin class": int,
    "partial": functools.partial(documented, 1),
    "builtin": len,
    "builtin method": "".join,
    "callable": CallableWithoutName(),
    "callable without __dict__": CallableWithSlots(),
}


@pytest.mark.parametrize("function", CALLABLES.values(), ids=CALLABLES.keys())
@pytest.mark.parametrize("decorator", ["lru_cache", "cache"])
def test_the_wrapper_gets_what_update_wrapper_gives(function, decorator):
    ours = vars(getattr(tamis, decorator)(function))
    theirs = vars(getattr(functools, decorator)(function))
    del theirs["cache_parameters"]
    assert list(ours) == list(theirs)
    assert all(ours[name] is theirs[name] or ours[name] == theirs[name] for name in theirs)
    assert ours["__wrapped__"] is function


def test_the_wrapper_gets_exactly_the_names_of_wrapper_assignments():
    asked = []

    class Everything:
        def __call__(self) -> None: ...

        def __getattribute__(self, name: str) -> Any:
            asked.append(name)
            return {} if name == "__dict__" else f"the {name}"

    wrapper = lru_cache(Everything())
    assert vars(wrapper).keys() == {*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"}
    assert all(getattr(wrapper, name) == f"the {name}" for name in functools.WRAPPER_ASSIGNMENTS)
    # Before that, inspect is asked whether it is a coroutine function, and asks for some of them too.
    copied = asked[asked.index("__module__") :]
    assert [name for name in copied if name in functools.WRAPPER_ASSIGNMENTS] == list(functools.WRAPPER_ASSIGNMENTS)


def test_an_error_other_than_attribute_error_while_wrapping_passes_unchanged():
    class Broken:
        def __call__(self) -> None: ...

        @property
        def __name__(self) -> str:
            raise LookupError("no name today")

    for module in (functools, tamis):
        with pytest.raises(LookupError, match="no name today"):
            module.lru_cache(Broken())


def test_the_attributes_of_the_function_are_copied_and_not_shared():
    wrapper = lru_cache(documented)
    assert wrapper.attribute is documented.attribute
    wrapper.attribute = "another"
    assert documented.attribute == ["an attribute"]


def test_the_parameters_of_a_cache_around_a_cache_are_its_own():
    inner = lru_cache(maxsize=3)(documented)
    outer = lru_cache(maxsize=5)(inner)
    assert (outer.cache_parameters()["maxsize"], outer.cache_info().maxsize) == (5, 5)
    assert outer.__wrapped__ is inner


def test_attributes_can_be_set_and_deleted():
    wrapper = lru_cache(documented)
    wrapper.extra = 1
    wrapper.__doc__ = "another"
    assert (wrapper.extra, wrapper.__doc__, vars(wrapper)["extra"]) == (1, "another", 1)
    del wrapper.extra
    assert not hasattr(wrapper, "extra")
    with pytest.raises(AttributeError):
        del wrapper.extra
    wrapper.__dict__ = {"only": 1}
    assert (wrapper.only, hasattr(wrapper, "__wrapped__")) == (1, False)
    with pytest.raises(TypeError):
        wrapper.__dict__ = 5


def test_inspect_sees_the_function():
    wrapper = lru_cache(documented)
    assert inspect.signature(wrapper) == inspect.signature(documented)
    assert inspect.unwrap(wrapper) is documented
    assert inspect.getdoc(wrapper) == documented.__doc__
    assert inspect.getsource(wrapper) == inspect.getsource(documented)
    assert callable(wrapper)


def test_the_decorators_and_methods_have_signatures():
    theirs = inspect.signature(functools.lru_cache).parameters
    assert list(inspect.signature(lru_cache).parameters.items())[: len(theirs)] == list(theirs.items())
    assert str(inspect.signature(cache)).startswith("(user_function=None, /, *, maxsize=None, typed=False")
    for name in ("cache_info", "cache_clear", "cache_parameters"):
        assert str(inspect.signature(getattr(module_level, name))) == "()"
    for name in ("cache_contains", "cache_invalidate", "cache_refresh"):
        assert str(inspect.signature(getattr(module_level, name))) == "(*args, **kwargs)"
    assert str(inspect.signature(module_level.cache_put)) == "(value, /, *args, **kwargs)"


def test_it_binds_as_a_method():
    Holder.method.cache_clear()
    holder, other = Holder(), Holder()
    assert holder.method(1) == (holder, 1)
    assert other.method(1) == (other, 1)
    assert Holder.method(holder, 1) == (holder, 1)
    assert (holder.method.__self__, holder.method.__func__) == (holder, Holder.method)
    assert Holder.method.cache_contains(holder, 1)
    assert Holder.method.cache_info() == holder.method.cache_info() == (1, 2, 128, 2)
    assert Holder.same_as_method is Holder.method


def test_it_is_itself_through_the_class_and_a_bound_method_through_an_instance():
    wrapper, holder = Holder.__dict__["method"], Holder()
    assert Holder.method is wrapper
    assert wrapper.__get__(None, Holder) is wrapper
    assert isinstance(wrapper.__get__(holder, Holder), types.MethodType)
    assert wrapper.__get__(holder) == holder.method
    with pytest.raises(TypeError):
        wrapper.__get__()


def test_calls_on_an_instance_need_no_bound_method():
    method_descriptor = 1 << 17  # Py_TPFLAGS_METHOD_DESCRIPTOR
    assert type(Holder.method).__flags__ & method_descriptor
    assert type(functools.lru_cache(echo)).__flags__ & method_descriptor


def test_it_stacks_with_staticmethod_and_classmethod():
    assert Holder.static(1) == Holder().static(1) == 2
    assert Holder.built_in_the_body == 42
    Holder.of_class.cache_clear()
    assert Holder.of_class(1) == Holder().of_class(1) == (Holder, 1)
    assert (Holder.of_class.cache_info().hits, Holder.of_class.cache_parameters()["maxsize"]) == (1, 3)


@pytest.mark.parametrize("function", [module_level, Holder.method, Holder.static, Holder.__dict__["of_class"].__func__])
def test_copies_are_the_same_object(function):
    assert copy.copy(function) is function
    assert copy.deepcopy(function) is function
    assert copy.deepcopy([function])[0] is function


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_goes_by_reference(protocol):
    for function in (module_level, Holder.method, Holder.static):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(lru_cache(lambda: None), protocol)


def test_it_can_be_weakly_referenced():
    wrapper = lru_cache(CallableWithoutName())
    deaths = []
    reference = weakref.ref(wrapper, deaths.append)
    assert reference() is wrapper
    del wrapper
    gc.collect()
    assert deaths == [reference]


@EVERY_MAXSIZE
@pytest.mark.parametrize("through", ["attribute", "value", "key", "keyword", "function"])
def test_a_cycle_through_the_wrapper_is_collected(maxsize, through):
    function = CallableWithoutName()
    wrapper = lru_cache(maxsize=maxsize)(function)
    knot = CallableWithoutName()
    knot.wrapper = wrapper
    if through == "attribute":
        wrapper.knot = knot
    elif through == "function":
        function.knot = knot
    elif through == "keyword":
        wrapper.cache_put(1, 2, key=knot)
    else:
        wrapper.cache_put(*((knot, 1) if through == "value" else (1, knot)))
    references = [weakref.ref(wrapper), weakref.ref(knot)]
    del wrapper, knot, function
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_the_package_lists_its_names():
    assert {"CacheInfo", "__version__", "cache", "lru_cache"} <= set(tamis.__all__) <= set(dir(tamis))
    assert isinstance(tamis.__version__, str)
    with pytest.raises(AttributeError, match="no_such_name"):
        tamis.no_such_name  # noqa: B018


def test_refresh_of_what_cannot_be_stored_does_not_call_the_function():
    calls = []
    function = tamis.lru_cache(calls.append)
    with pytest.raises(TypeError, match="unhashable"):
        function.cache_refresh([1])
    assert calls == []
    uncached = tamis.lru_cache(maxsize=0)(calls.append)
    uncached.cache_refresh([1])
    assert calls == [[1]]
