"""cached_method: one cache for each instance, which is freed with it."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading
import weakref

import pytest

from helpers.marks import FREE_THREADED
from tamis import cached_method


class Plain:
    """Known to pickle by name."""

    def __init__(self, base):
        self.base = base
        self.calls = []

    @cached_method
    def add(self, x, *, y=0):
        """Adds."""
        self.calls.append((x, y))
        return self.base + x + y


class Slots:
    __slots__ = ("__weakref__", "calls")

    def __init__(self):
        self.calls = []

    @cached_method(maxsize=2)
    def twice(self, x):
        self.calls.append(x)
        return x * 2


class Equal:
    """Instances that are equal, have one hash, and are not the same."""

    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 1

    @cached_method
    def get(self):
        return self.name


class Unhashable(Equal):
    __hash__ = None


def test_each_instance_has_its_own_cache():
    a, b = Plain(10), Plain(20)
    assert [a.add(1), a.add(1), b.add(1), a.add(1, y=2)] == [11, 11, 21, 13]
    assert a.calls == [(1, 0), (1, 2)]
    assert b.calls == [(1, 0)]
    assert Plain.add.cache_for(a).cache_info() == (1, 2, 128, 2)
    assert Plain.add.cache_for(b).cache_info() == (0, 1, 128, 1)
    Plain.add.cache_for(a).cache_clear()
    assert a.add(1) == 11
    assert Plain.add(b, 1) == 21
    assert len(b.calls) == 1


def test_cache_of_an_instance_takes_the_other_arguments():
    a = Plain(1)
    cached = Plain.add.cache_for(a)
    assert Plain.add.cache_for(a) is cached
    cached.cache_put(100, 1)
    assert a.add(1) == 100
    assert cached.cache_contains(1)
    assert cached.cache_invalidate(1) is True
    assert cached.cache_refresh(1) == a.add(1) == 2


def test_instances_are_not_kept_alive_and_take_their_caches_along():
    class Value:
        pass

    class Owner:
        @cached_method
        def get(self, x):
            return Value()

    owner = Owner()
    value = weakref.ref(owner.get(1))
    cached = weakref.ref(Owner.get.cache_for(owner))
    instance = weakref.ref(owner)
    assert value() is owner.get(1)
    del owner
    gc.collect()
    assert instance() is None
    assert cached() is None
    assert value() is None


def test_an_address_that_is_used_again_finds_no_old_cache():
    class Owner:
        def __init__(self, number):
            self.number = number

        @cached_method
        def get(self):
            return self.number

    for number in range(2000):
        assert Owner(number).get() == number


def test_cache_that_outlives_its_instance_says_so():
    a = Plain(1)
    cached = Plain.add.cache_for(a)
    assert cached(1) == 2
    del a
    gc.collect()
    with pytest.raises(ReferenceError, match="instance of this cache no longer exists"):
        cached(2)


def test_slots_with_weakref_work_and_others_are_refused():
    a = Slots()
    assert [a.twice(1), a.twice(1), a.twice(2), a.twice(3)] == [2, 2, 4, 6]
    assert a.calls == [1, 2, 3]
    assert Slots.twice.cache_for(a).cache_info().currsize == 2

    class Bare:
        __slots__ = ()

        @cached_method
        def get(self):
            return 1

    with pytest.raises(TypeError, match="weakly referenced, not .*Bare.*__weakref__"):
        Bare().get()


@pytest.mark.parametrize("kind", [Equal, Unhashable])
def test_instances_need_be_neither_hashable_nor_distinct_by_equality(kind):
    instances = [kind(number) for number in range(20)]
    for _ in range(2):
        assert [instance.get() for instance in instances] == list(range(20))


def test_copies_and_unpickled_instances_start_empty():
    a = Plain(5)
    a.add(1)
    for other in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        other.calls = []
        assert Plain.add.cache_for(other).cache_info().currsize == 0
        assert other.add(1) == 6
        assert other.calls == [(1, 0)]
    assert "add" not in vars(a)


def test_class_methods_have_a_cache_for_each_class():
    calls = []

    class Base:
        @classmethod
        @cached_method
        def make(cls, x):
            calls.append(cls)
            return (cls.__name__, x)

    class Derived(Base):
        pass

    assert [Base.make(1), Base.make(1), Derived.make(1), Derived().make(1)] == [
        ("Base", 1),
        ("Base", 1),
        ("Derived", 1),
        ("Derived", 1),
    ]
    assert calls == [Base, Derived]


@pytest.mark.parametrize("decorate", [cached_method, cached_method(maxsize=4)])
def test_class_and_static_methods_may_be_below_the_decorator(decorate):
    calls = []

    class Owner:
        @decorate
        @classmethod
        def of_class(cls, x):
            calls.append((cls, x))
            return [x]

        @decorate
        @staticmethod
        def of_nobody(x):
            calls.append(x)
            return [x]

    class Derived(Owner):
        pass

    assert Owner.of_class(1) is Owner().of_class(1)
    assert Owner.of_class(1) is not Derived.of_class(1)
    assert Owner.of_nobody(2) is Derived().of_nobody(2)
    assert calls == [(Owner, 1), (Derived, 1), 2]
    assert isinstance(vars(Owner)["of_class"], classmethod)
    assert isinstance(vars(Owner)["of_nobody"], staticmethod)


def test_static_method_above_the_decorator_is_told_what_to_write():
    class Owner:
        @staticmethod
        @cached_method
        def get(x):
            return x

    with pytest.raises(TypeError, match="put @cached_method above @staticmethod"):
        Owner.get(5)


def test_inherited_and_overridden_methods_keep_apart():
    class Base:
        @cached_method
        def get(self):
            return ["base"]

    class Derived(Base):
        @cached_method
        def get(self):
            return [*super().get(), "derived"]

    a = Derived()
    assert a.get() == ["base", "derived"]
    assert a.get() is a.get()
    assert Base.get.cache_for(a).cache_info().currsize == 1


def test_options_work_for_each_instance():
    now = [0.0]
    evicted = []

    class Owner:
        @cached_method(
            maxsize=2,
            ttl=10,
            clock=lambda: now[0],
            ignore="verbose",
            on_evict=lambda key, value, cause: evicted.append((key, cause)),
        )
        def get(self, x, verbose=False):
            return [x]

    a, b = Owner(), Owner()
    first = a.get(1)
    assert a.get(1, verbose=True) is a.get(1, True) is first
    assert b.get(1) is not first
    now[0] = 10.0
    assert a.get(1) is not first
    for key in (2, 3):
        a.get(key)
    # The one that was called again is spared.
    assert evicted == [(1, "expired"), (2, "size")]


@pytest.mark.parametrize(("options", "error"), [({"ttl": 0}, ValueError), ({"foo": 1}, TypeError)])
def test_wrong_options_are_refused_at_once(options, error):
    with pytest.raises(error):
        cached_method(**options)
    with pytest.raises(ValueError, match="ignore"):
        cached_method(ignore="nope")(lambda self, a: a)


def test_it_looks_like_its_function():
    assert Plain.add.__name__ == "add"
    assert Plain.add.__doc__ == "Adds."
    assert Plain.add.__wrapped__.__name__ == "add"
    assert Plain(1).add.__self__.base == 1
    assert Plain.add.cache_for(Plain(1)).__name__ == "add"


def test_call_without_an_instance_is_an_error():
    with pytest.raises(TypeError, match="needs its instance"):
        Plain.add()


@pytest.mark.skipif(
    FREE_THREADED and sys.version_info < (3, 14),
    reason="free-threaded CPython 3.13 itself makes functions immortal once a thread has started",
)
def test_class_with_a_cached_method_is_collected():
    class Owner:
        @cached_method
        def get(self):
            return self

    owner = Owner()
    owner.me = owner
    owner.get()
    Owner.get.cache_for(owner).cache_clear()
    references = [weakref.ref(Owner), weakref.ref(Owner.get), weakref.ref(owner)]
    del Owner, owner
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_errors_of_the_method_leave_through_the_call():
    class Owner:
        @cached_method
        def get(self, x):
            raise LookupError(x)

    for _ in range(2):
        with pytest.raises(LookupError):
            Owner().get(1)


def test_threads_that_meet_a_new_instance_share_one_cache():
    class Owner:
        @cached_method
        def get(self, x):
            return [x]

    errors = []

    def work(instances, start):
        start.wait()
        for instance in instances:
            for x in range(3):
                if instance.get(x) != [x]:
                    errors.append((instance, x))

    for _ in range(20):
        instances = [Owner() for _ in range(50)]
        start = threading.Barrier(4)
        threads = [threading.Thread(target=work, args=(instances, start)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for instance in instances:
            info = Owner.get.cache_for(instance).cache_info()
            assert info.currsize == 3
    assert errors == []


def test_a_method_that_a_finalizer_called_leaves_no_cache_to_the_next_instance():
    class Thing:
        __slots__ = ("__weakref__", "number")

        @cached_method
        def get(self):
            return self.number

    class Last:
        def __init__(self, thing):
            self.thing, self.me = thing, self

        def __del__(self):
            self.thing.get()

    def leave(number):
        thing = Thing()
        thing.number = number
        Last(thing)

    def get(number):
        thing = Thing()
        thing.number = number
        return thing.get()

    for number in range(20):
        leave(-number)
        gc.collect()
        things = []
        for other in range(20):
            thing = Thing()
            thing.number = other
            assert thing.get() == other
            things.append(thing)
    assert [get(number) for number in range(100)] == list(range(100))
