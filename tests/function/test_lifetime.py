"""How wrappers and what they hold are freed: long chains, deep calls, cycles, a last reference dropped meanwhile."""

from __future__ import annotations

import pytest

from helpers.subprocess_tools import run_function


def deep_pile(kind):
    from contextlib import suppress

    from tamis import lru_cache

    pile = abs
    for _ in range(100_000):
        pile = lru_cache(maxsize=0 if kind == "uncached" else 4)(pile)
    operation = pile.cache_refresh if kind == "refresh" else pile
    with suppress(RecursionError):
        assert operation(-1) == 1
    print("no crash")


@pytest.mark.parametrize("kind", ["cached", "uncached", "refresh"])
def test_call_through_many_wrappers_around_each_other_returns_or_raises_recursion_error(kind):
    assert run_function(deep_pile, kind) == "no crash\n"


def dropped_by_its_own_call(part):
    import weakref
    from functools import partial

    from tamis import lru_cache

    class Key:
        armed = None

        def act(self, here):
            if here == part and Key.armed is not None:
                holder, Key.armed = Key.armed, None
                # property calls its getter by a reference that only this takes away.
                holder.__init__(None)

        def __hash__(self):
            self.act("hash")
            return 1

        def __eq__(self, other):
            self.act("eq")
            return False

    class Value(Key):
        def __del__(self):
            self.act("del")

    def function(key):
        key.act("function")
        # The partial object is running, and the wrapper alone holds it.
        assert alive() is not None
        return Value()

    for maxsize in (0, 1, 2, None):
        for _ in range(20):
            cached = lru_cache(maxsize)(partial(function))
            alive = weakref.ref(cached.__wrapped__)
            for _ in range(3):
                cached(Key())
            Owner = type("Owner", (Key,), {"attribute": property(cached)})
            owner = Owner()
            del cached
            Key.armed = vars(Owner)["attribute"]
            assert type(owner.attribute) is Value
            Key.armed = None
    print("done")


@pytest.mark.parametrize("part", ["function", "hash", "eq", "del"])
def test_call_that_drops_the_last_reference_to_its_wrapper_ends_well(part):
    # The debug hooks overwrite what is freed, so that a use of it shows.
    environment = {"PYTHONMALLOC": "debug"}
    assert run_function(dropped_by_its_own_call, part, seconds=10, environment=environment) == "done\n"


def dropped_by_a_hash(shape, part):
    from tamis import lru_cache

    class Key:
        armed = None

        def act(self, here):
            if here == part and Key.armed is not None:
                holder, Key.armed = Key.armed, None
                # property calls its functions by references that only this takes away.
                holder.__init__(None, None)

        def __hash__(self):
            self.act("hash")
            return 1

        def __eq__(self, other):
            self.act("eq")
            return True

    for stored in (True, False):
        for _ in range(20):
            seen = []
            cached = lru_cache(maxsize=4, typed="typed" in shape)(lambda *args, seen=seen: seen.append(len(args)))
            accessors = (None, cached) if "setter" in shape else (cached, None)
            Owner = type("Owner", (Key,), {"attribute": property(*accessors)})
            owner = Owner()
            arguments = (owner, Key()) if "setter" in shape else (owner,)
            if stored:
                cached(*arguments)
            # The property alone holds the wrapper from here on.
            del cached, accessors
            Key.armed = vars(Owner)["attribute"]
            if "setter" in shape:
                owner.attribute = Key()
            else:
                assert owner.attribute is None
            assert seen == [len(arguments)]
            Key.armed = None
    print("done")


@pytest.mark.parametrize("part", ["hash", "eq"])
@pytest.mark.parametrize("shape", ["getter", "typed getter", "setter", "typed setter"])
def test_argument_that_drops_the_last_reference_to_the_called_wrapper_ends_well(shape, part):
    environment = {"PYTHONMALLOC": "debug"}
    assert run_function(dropped_by_a_hash, shape, part, seconds=10, environment=environment) == "done\n"


def cycles():
    import gc
    import weakref

    from tamis import lru_cache

    class Node:
        pass

    for part in ("value", "key", "second key", "keyword", "dict", "function"):
        node = Node()

        def function(*args, node=node if part == "function" else None, **kwargs):
            return args

        f = lru_cache(maxsize=4)(function)
        node.f = f
        if part == "value":
            f.cache_put(node, 1)
        elif part == "key":
            f(node)
        elif part == "second key":
            f(1, node)
        elif part == "keyword":
            f(1, word=node)
        elif part == "dict":
            f.node = node
        gone = weakref.ref(node)
        gone_wrapper = weakref.ref(f)
        del node, f, function
        assert gone() is not None, part
        gc.collect()
        assert gone() is None, part
        assert gone_wrapper() is None, part


def test_cycles_through_every_part_of_a_wrapper_are_collected():
    run_function(cycles)


def finalizers_in_cycles():
    import gc

    from tamis import lru_cache

    seen = []

    class Member:
        """Of a cycle: its finalizer runs while all of the cycle is whole."""

        def __del__(self):
            seen.append(self.f(3))
            self.f.cache_info()

    class Plain:
        """Not seen by the collector: its finalizer runs while the cycle is taken apart."""

        __slots__ = ()

        def __del__(self):
            try:
                seen.append(Plain.f(5))
                Plain.f.cache_put(6, 7)
                Plain.f.cache_info()
                Plain.f.cache_clear()
            except Exception as error:
                seen.append(type(error).__name__)

    for _ in range(20):
        member = Member()
        f = lru_cache(maxsize=2)(lambda x: x)
        member.f = f
        f.cache_put(member, 1)
        f.cache_put(Plain(), 2)
        Plain.f = f
        del member, f
        gc.collect()
    del Plain.f
    gc.collect()
    assert seen.count(3) == 20, seen

    def of_local_class():
        class Local:
            __slots__ = ()

            def __del__(self):
                try:
                    seen.append(type(self).f(9))
                    type(self).f.cache_info()
                    type(self).f.cache_clear()
                except Exception as error:
                    seen.append(type(error).__name__)

        Local.f = lru_cache(maxsize=4)(lambda *args: args)
        for number in range(3):
            Local.f.cache_put(Local(), number)
            Local.f.cache_put(number, Local())

    for _ in range(20):
        seen.clear()
        of_local_class()
        gc.collect()
        assert len(seen) == 6, seen


def test_wrapper_called_from_finalizers_while_its_cycle_is_collected_does_not_crash():
    run_function(finalizers_in_cycles)


def test_wrapper_type_makes_no_half_made_objects():
    import copyreg

    from tamis import lru_cache

    kind = type(lru_cache(abs))
    with pytest.raises(TypeError):
        kind()
    with pytest.raises(TypeError):
        kind(abs, 1)
    with pytest.raises(TypeError):
        object.__new__(kind)
    with pytest.raises(TypeError):
        copyreg._reconstructor(kind, object, None)
    with pytest.raises(TypeError):
        type("Subclass", (kind,), {})
    with pytest.raises(TypeError):
        kind.cache_info(object())
    with pytest.raises(TypeError):
        kind.__call__(object())
    with pytest.raises(TypeError):
        kind.cache_info = None
