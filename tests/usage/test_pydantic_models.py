"""Models of pydantic with cached methods, and caches around what pydantic checks."""

from __future__ import annotations

import asyncio
import functools
from types import ModuleType
from typing import Any

import pytest

import tamis
from helpers.package_tools import as_functools, package

pydantic = package("pydantic")


@as_functools
def test_a_model_may_have_cached_methods(caches: ModuleType):
    class Order(pydantic.BaseModel, frozen=True):
        price: int
        count: int = 1

        @caches.lru_cache(maxsize=4)
        def total(self, rate: int) -> int:
            return self.price * self.count * rate

        @caches.cache
        def _private(self) -> int:
            return self.price

        @classmethod
        @caches.cache
        def names(cls) -> tuple[str, ...]:
            return tuple(cls.model_fields)

        @staticmethod
        @caches.cache
        def twice(number: int) -> int:
            return 2 * number

        @property
        @caches.cache
        def label(self) -> str:
            return f"{self.count} for {self.price}"

    order = Order(price=3, count=2)
    assert order.total(2) == order.total(2) == 12
    assert Order.total.cache_info().hits == 1
    assert order._private() == 3
    assert Order.names() == ("price", "count")
    assert order.twice(4) == 8
    assert order.label == "2 for 3"
    assert order.model_dump() == {"price": 3, "count": 2}
    assert set(Order.model_json_schema()["properties"]) == {"price", "count"}


def test_a_model_that_is_not_hashable_may_have_a_cache_for_each_instance():
    calls = []

    class Order(pydantic.BaseModel):
        price: int

        @tamis.cached_method
        def total(self, count: int) -> int:
            calls.append(count)
            return self.price * count

        @tamis.cached_method(ttl=60)
        async def later(self, count: int) -> int:
            calls.append(count)
            return self.price + count

    first, second = Order(price=3), Order(price=4)
    assert [first.total(2), first.total(2), second.total(2)] == [6, 6, 8]
    assert calls == [2, 2]
    assert asyncio.run(first.later(5)) == asyncio.run(first.later(5)) == 8
    assert calls == [2, 2, 5]
    assert Order.total.cache_for(first).cache_info().hits == 1
    assert first.model_dump() == {"price": 3}
    assert first == Order(price=3)


def test_a_model_that_inherits_and_overrides_cached_methods():
    class Base(pydantic.BaseModel):
        price: int

        @tamis.cached_method
        def total(self) -> int:
            return self.price

    class Discounted(Base):
        @tamis.cached_method
        def total(self) -> int:
            return super().total() - 1

    assert Discounted(price=3).total() == 2
    assert Discounted.model_fields.keys() == {"price"}


@as_functools
def test_a_computed_field_may_be_cached(caches: ModuleType):
    class Order(pydantic.BaseModel, frozen=True):
        price: int

        @pydantic.computed_field(return_type=int)
        @property
        @caches.cache
        def double(self) -> int:
            return 2 * self.price

    assert Order(price=3).model_dump() == {"price": 3, "double": 6}


@as_functools
def test_a_validator_may_be_cached(caches: ModuleType):
    class Order(pydantic.BaseModel):
        price: int

        @pydantic.field_validator("price")
        @classmethod
        @caches.cache
        def positive(cls, price: int) -> int:
            if price < 0:
                raise ValueError("negative")
            return price

    assert Order(price=3).price == 3
    with pytest.raises(pydantic.ValidationError, match="negative"):
        Order(price=-3)


@as_functools
def test_a_cache_may_be_the_value_of_a_field(caches: ModuleType):
    class Rule(pydantic.BaseModel):
        check: Any
        convert: Any = caches.cache(int)

    rule = Rule(check=caches.cache(len))
    assert rule.check("abc") == 3
    assert rule.convert("4") == 4


@as_functools
def test_a_dataclass_of_pydantic_may_have_cached_methods(caches: ModuleType):
    import pydantic.dataclasses

    @pydantic.dataclasses.dataclass(frozen=True)
    class Order:
        price: int

        @caches.cache
        def total(self) -> int:
            return self.price

    assert Order("3").total() == 3


@as_functools
def test_a_cache_around_a_validated_function(caches: ModuleType):
    @caches.cache
    @pydantic.validate_call
    def double(number: int) -> int:
        return 2 * number

    assert double("3") == double("3") == 6
    assert double.cache_info()[:2] == (1, 1)
    with pytest.raises(pydantic.ValidationError):
        double("three")


def test_a_model_with_cached_methods_in_a_patched_program():
    with tamis.patch():

        class Order(pydantic.BaseModel, frozen=True):
            price: int

            @functools.cache  # noqa: B019
            def total(self) -> int:
                return self.price

    assert Order(price=3).total() == 3
    assert isinstance(Order.total.cache_info(), tamis.CacheInfo)
