"""cached_method on classes of all kinds: what works, and what those are told that can't be weakly referenced."""

from __future__ import annotations

import collections
import copy
import dataclasses
import enum
import functools
import pickle
import sys
import typing
from typing import NamedTuple, Protocol, runtime_checkable

import pytest

from tamis import cache, cached_method, lru_cache


def doubled(self, x):
    return [x, x]


def test_dataclasses():
    @dataclasses.dataclass
    class Account:
        owner: str

        balance = cached_method(doubled)

    account, other = Account("ann"), Account("ann")
    assert account == other
    assert account.balance(1) is account.balance(1)
    assert account.balance(1) is not other.balance(1)
    assert dataclasses.replace(account).balance.cache_info().currsize == 0


@pytest.mark.skipif(sys.version_info < (3, 11), reason="weakref_slot is new in 3.11")
def test_slotted_dataclasses_with_a_slot_for_weak_references():
    @dataclasses.dataclass(slots=True, weakref_slot=True)
    class Account:
        owner: str

        @cached_method
        def balance(self, x):
            return [self.owner, x]

    account = Account("ann")
    assert account.balance(1) is account.balance(1)
    assert account.balance.cache_contains(1)


def test_slotted_dataclasses_are_told_of_that_slot():
    @dataclasses.dataclass(slots=True)
    class Account:
        owner: str

        balance = cached_method(doubled)

    advice = "weakref_slot=True" if sys.version_info >= (3, 11) else "base class with __slots__ = .'__weakref__',."
    with pytest.raises(TypeError, match=f"weakly referenced, not '.*Account': .*{advice}"):
        Account("ann").balance(1)
    with pytest.raises(TypeError, match=advice):
        Account("ann").balance.cache_info()


def test_slotted_dataclasses_can_follow_the_advice_for_old_versions():
    class WithReferences:
        __slots__ = ("__weakref__",)

    @dataclasses.dataclass(slots=True)
    class Account(WithReferences):
        owner: str

        balance = cached_method(doubled)

    account = Account("ann")
    assert account.balance(1) is account.balance(1)


def test_slotted_classes_are_told_of_the_slot():
    class Account:
        __slots__ = ("owner",)

        balance = cached_method(doubled)

    with pytest.raises(TypeError, match=r"__slots__ = \(\.\.\., '__weakref__'\)"):
        Account().balance(1)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2

    own = cached_method(doubled)

    @lru_cache
    def shared(self, x):
        return [self, x]


class Flag(enum.IntFlag):
    A = 1
    B = 2

    own = cached_method(doubled)
    shared = cache(doubled)


class Pair(NamedTuple):
    a: int
    b: int

    own = cached_method(doubled)
    shared = cache(doubled)


class Raw(bytes):
    own = cached_method(doubled)
    shared = cache(doubled)


@pytest.mark.parametrize(
    ("instance", "base"), [(Level.LOW, "int"), (Flag.A | Flag.B, "int"), (Pair(1, 2), "tuple"), (Raw(b"a"), "bytes")]
)
def test_what_can_never_be_weakly_referenced_is_told_of_lru_cache_which_works(instance, base):
    with pytest.raises(TypeError, match=f"no instance of a subclass of {base} ever can; put @lru_cache or @cache"):
        instance.own(1)
    assert instance.shared(1) is instance.shared(1)
    assert instance.shared.cache_contains(1)
    assert instance.shared.cache_invalidate(1)


def test_enum_members_and_str_enums_can_be():
    class Colour(str, enum.Enum):
        RED = "red"

        own = cached_method(doubled)

    class Plain(enum.Enum):
        RED = "red"

        own = cached_method(doubled)

    for member in (Colour.RED, Plain.RED):
        assert member.own(1) is member.own(1)
        assert member.own.cache_contains(1)


def test_collections_subclasses_can_be():
    for base in (dict, list, set, collections.OrderedDict, collections.UserDict, Exception, str, float):
        kind = type("Derived", (base,), {"own": cached_method(doubled)})
        instance = kind()
        assert instance.own(1) is instance.own(1)


def test_function_called_without_an_instance_is_told_of_static_methods():
    class Owner:
        @staticmethod
        @cached_method
        def get(x):
            return x

    for argument in (5, None, "a", (1,)):
        with pytest.raises(TypeError, match="put @cached_method above @staticmethod"):
            Owner.get(argument)


@pytest.mark.parametrize("decorate", [cached_method, cached_method(), lru_cache, lru_cache(), cache, cache(ttl=60)])
def test_descriptors_that_belong_above_are_named(decorate):
    with pytest.raises(TypeError, match="callable.*: put it below @property"):
        decorate(property(lambda self: 1))
    with pytest.raises(TypeError, match="leave one of the two out"):
        decorate(functools.cached_property(lambda self: 1))
    with pytest.raises(TypeError, match="put it on the function that is given to partialmethod"):
        decorate(functools.partialmethod(doubled, 1))
    with pytest.raises(TypeError, match="put it below @singledispatchmethod"):
        decorate(functools.singledispatchmethod(doubled))


@pytest.mark.parametrize("decorate", [lru_cache, lru_cache(), cache, cache(ttl=60)])
def test_caches_for_all_instances_belong_below_classmethod(decorate):
    with pytest.raises(TypeError, match="callable.*: put it below @classmethod"):
        decorate(classmethod(lambda cls: 1))


def test_the_advice_for_properties_works():
    class Circle:
        @property
        @cached_method
        def area(self):
            return [3]

        @property
        @lru_cache
        def shared(self):
            return [3]

    circle = Circle()
    assert circle.area is circle.area
    assert circle.shared is circle.shared
    assert Circle.area.fget.cache_for(circle).cache_info().hits == 1


def test_ignoring_the_instance_is_refused_where_it_is_written():
    with pytest.raises(ValueError, match="ignore names 'self', the instance"):

        class Owner:
            @cached_method(ignore="self")
            def get(self, x):
                return x

    with pytest.raises(ValueError, match="ignore names 'this', the instance"):
        cached_method(ignore=("x", "this"))(lambda this, x: x)
    with pytest.raises(ValueError, match="ignore names 'cls', the instance"):
        cached_method(ignore="cls")(classmethod(lambda cls, x: x))
    with pytest.raises(ValueError, match=r"ignore names 'y', which is no parameter: .*\['x'\]"):
        cached_method(ignore="y")(lambda self, x: x)


def test_parameters_that_are_ignored_are_counted_without_the_instance():
    class Owner:
        @cached_method(ignore=("verbose", "rest"))
        def get(self, x, verbose=False, *rest, y=0):
            return [x, y]

        @cached_method(ignore="verbose")
        @classmethod
        def of_class(cls, x, verbose=False):
            return [cls, x]

    for method in (Owner().get, Owner.of_class):
        assert method(1) is method(1, True) is method(1, verbose=True)
        assert method(2) is not method(1)
    assert Owner().get(1, True, 2, 3) == [1, 0]


@runtime_checkable
class HasBalance(Protocol):
    def balance(self, day: str) -> str: ...


class Account:
    """Known to pickle by name."""

    def __init__(self, owner):
        self.owner = owner

    @cached_method
    def balance(self, day):
        return f"{self.owner} on {day}"

    @cached_method
    @classmethod
    def make(cls, owner):
        return cls(owner)


def test_protocols_are_met():
    assert isinstance(Account("ann"), HasBalance)
    assert typing.get_type_hints(HasBalance.balance) == {"day": str, "return": str}


def test_the_method_of_the_class_is_pickled_by_reference_and_copied_as_itself():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(Account.balance, protocol)) is Account.balance
    assert copy.copy(Account.balance) is copy.deepcopy(Account.balance) is Account.balance
    assert copy.deepcopy({"call": Account.balance})["call"] is Account.balance
    made = pickle.loads(pickle.dumps(Account.make))
    assert made == Account.make
    assert made("ann").owner == "ann"


def test_copies_of_an_instance_have_a_cache_of_their_own():
    account = Account("ann")
    assert account.balance("Monday") == "ann on Monday"
    for twin in (copy.copy(account), copy.deepcopy(account), pickle.loads(pickle.dumps(account))):
        assert twin.balance.cache_info().currsize == 0
        twin.owner = "bob"
        assert twin.balance("Monday") == "bob on Monday"
    assert account.balance("Monday") == "ann on Monday"
    assert account.balance.cache_info().hits == 1


def test_methods_are_sent_to_processes():
    from helpers.subprocess_tools import run_child

    printed = run_child(
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from tamis import cached_method

        class Account:
            def __init__(self, owner):
                self.owner = owner
            @cached_method
            def balance(self, day):
                return f"{self.owner} on {day}"

        if __name__ == "__main__":
            account = Account("ann")
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as pool:
                print(pool.submit(Account.balance, account, "Monday").result())
                print(pool.submit(account.balance, "Tuesday").result())
                print(*pool.map(account.balance, ["Friday"]))
        """,
        options=["-W", "ignore"],
    )
    assert printed.splitlines() == ["ann on Monday", "ann on Tuesday", "ann on Friday"]
