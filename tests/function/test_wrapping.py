"""A cached function as an object: attributes, signature, binding, copies, pickles and references."""

from __future__ import annotations

import copy
import functools
import gc
import inspect
import pickle
import types
import weakref
from typing import Any

import pytest

import tamis
from helpers.key_tools import EVERY_MAXSIZE, echo
from helpers.method_tools import CallableWithoutName
from tamis import cache, lru_cache


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


def test_the_type_of_a_wrapper_can_neither_be_called_nor_subclassed():
    kind = type(module_level)
    with pytest.raises(TypeError):
        kind(echo)
    with pytest.raises(TypeError):
        types.new_class("Derived", (kind,))


def documented(a: int, /, b: str = "b", *rest: int, c: bytes = b"", **more: float) -> list[int]:
    """Have everything that a function can have."""
    return []


documented.attribute = ["an attribute"]


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
