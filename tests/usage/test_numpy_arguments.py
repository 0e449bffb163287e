"""NumPy's scalars and arrays as arguments and results."""

from __future__ import annotations

from types import ModuleType

import pytest

import tamis
from helpers.package_tools import as_functools, package

numpy = package("numpy")


@as_functools
def test_an_array_is_no_argument(caches: ModuleType):
    @caches.cache
    def total(array: object) -> int:
        return 1

    with pytest.raises(TypeError, match=r"unhashable type: 'numpy\.ndarray'"):
        total(numpy.zeros(3))


def test_a_key_of_an_arrays_bytes():
    calls = []

    @tamis.cache(key=lambda array: (array.shape, array.dtype.str, array.tobytes()))
    def total(array: object) -> float:
        calls.append(1)
        return float(numpy.sum(array))

    assert [total(numpy.ones(3)), total(numpy.ones(3)), total(numpy.ones(4))] == [3.0, 3.0, 4.0]
    assert len(calls) == 2


def test_copies_of_arrays_are_the_callers_own():
    @tamis.cache(copy=True)
    def zeros(size: int) -> object:
        return numpy.zeros(size)

    for _ in range(2):
        array = zeros(3)
        assert array.tolist() == [0, 0, 0]
        array[0] = 1


@as_functools
def test_scalars_meet_as_with_functools(caches: ModuleType):
    calls = []

    @caches.cache
    def double(number: object) -> object:
        calls.append(type(number).__name__)
        return number

    for number in (
        3,
        numpy.int64(3),
        numpy.int32(3),
        3.0,
        numpy.float64(3),
        True,
        numpy.bool_(True),
        numpy.str_("a"),
        "a",
    ):
        double(number)
    assert calls == ["int", "int64", "bool", "str_", "str"]


@as_functools
def test_numpy_calls_caches(caches: ModuleType):
    double = caches.cache(lambda number: 2 * int(number))
    assert numpy.vectorize(double)([1, 2]).tolist() == [2, 4]
    assert numpy.frompyfunc(double, 1, 1)(numpy.array([1, 2])).tolist() == [2, 4]


def test_options_take_numbers_of_numpy():
    cache = tamis.lru_cache(maxsize=numpy.int64(3), ttl=numpy.float64(60))(abs)
    assert cache(numpy.float64(-2)) == 2
    assert cache.cache_info().maxsize == 3
