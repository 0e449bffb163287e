"""SieveCache, the cache as a mapping. Its types are in _mapping.pyi."""

# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

import copyreg
from collections.abc import ItemsView, MutableMapping, ValuesView
from reprlib import recursive_repr

from tamis._core import SieveCacheBase


class _Items(ItemsView):
    __slots__ = ()

    def __contains__(self, item):
        key, value = item
        for stored in self._mapping._peek(key):
            return stored is value or stored == value
        return False

    def __iter__(self):
        return iter(self._mapping._pairs())


class _Values(ValuesView):
    __slots__ = ()

    def __contains__(self, value):
        return any(stored is value or stored == value for stored in self)

    def __iter__(self):
        return iter([value for _, value in self._mapping._pairs()])


class SieveCache(SieveCacheBase, MutableMapping):
    """A mapping of at most maxsize entries; the next victim of SIEVE leaves for a new one.

    maxsize: how many entries at most, 1 or more; None for no bound.
    ttl: for how long an entry stays, in seconds or as a timedelta, or a callable value -> seconds or None.
    tti: after how long without a read an entry is dropped.
    jitter: the part, 0 to 1, of which a random share is taken off each ttl.
    weigher, maxweight: a callable value -> int, and the maximum total weight.
    clock: a callable () -> seconds in the place of the monotonic clock.
    on_evict: called with the key, the value and the cause when an entry has left.

    A ttl or weigher that needs two positional arguments is called with the key and the value.
    Reading a value by get() or [] marks its entry as used; asking with `in`, and iterating, do not.
    Iteration goes over a snapshot, from the oldest entry to the newest.
    """

    __slots__ = ()
    __hash__ = None

    def items(self):
        """D.items() -> a set-like object providing a view on D's items"""
        return _Items(self)

    def values(self):
        """D.values() -> an object providing a view on D's values"""
        return _Values(self)

    @recursive_repr()
    def __repr__(self):
        """Return repr(self), with the entries from the oldest to the newest."""
        name = type(self).__name__
        entries = ", ".join(f"{key!r}: {value!r}" for key, value in self._pairs())
        return f"{name}({{{entries}}}, maxsize={self.maxsize})"

    def copy(self):
        """Return a cache of the same entries, in the same order, with the same marks, deadlines and options."""
        other = SieveCacheBase.__new__(type(self))
        other.__setstate__(self._state())
        return other

    __copy__ = copy

    def _state(self):
        return (*self._snapshot(), getattr(self, "__dict__", None) or None)

    def __setstate__(self, state):
        """Make a new object like the one that __reduce__ has told of."""
        maxsize, options, entries, hand, attributes = state
        SieveCacheBase.__init__(self, maxsize, **options)
        self._restore(entries, hand)
        if attributes:
            self.__dict__.update(attributes)

    def __reduce__(self):
        """Help pickle: deadlines are kept as the time that was left."""
        return copyreg.__newobj__, (type(self),), self._state()


# Where it is found, and where pickle looks for it.
SieveCache.__module__ = "tamis"
SieveCacheBase._lend(SieveCache)
