"""Classes of attrs with cached methods, slots above all."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

import tamis
from helpers.package_tools import as_functools, package

attrs = package("attrs")


class Base:
    __slots__ = ()

    def total(self, count: int) -> int:
        return count


def test_a_slotted_class_may_call_super_in_cached_methods():
    @attrs.frozen
    class Account(Base):
        balance: int

        @tamis.lru_cache(maxsize=8)
        def total(self, count: int) -> int:
            return super().total(count) + self.balance

        @tamis.cached_method
        def own_class(self) -> type:
            return __class__

        @tamis.cached_method
        async def later(self, count: int) -> int:
            return super().total(count) - self.balance

        @classmethod
        @tamis.cache
        def of_class(cls) -> type:
            return __class__

        @staticmethod
        @tamis.cache
        def of_nobody() -> type:
            return __class__

    account = Account(3)
    assert not hasattr(account, "__dict__")
    assert account.total(2) == account.total(2) == 5
    assert account.own_class() is account.of_class() is account.of_nobody() is Account
    assert asyncio.run(account.later(2)) == -1


def test_a_cache_for_each_instance_needs_no_hash_of_it():
    @attrs.define
    class Account:
        balance: int

        @tamis.cached_method
        def total(self, count: int) -> int:
            return self.balance * count

    first, second = Account(3), Account(3)
    assert [first.total(2), second.total(2)] == [6, 6]
    assert Account.total.cache_for(first).cache_info()[:2] == (0, 1)
    with pytest.raises(TypeError):
        hash(first)


@as_functools
def test_what_is_no_field_stays_a_method(caches: ModuleType):
    @attrs.frozen
    class Account:
        balance: int

        @caches.cache
        def total(self, count: int) -> int:
            return self.balance * count

    assert [field.name for field in attrs.fields(Account)] == ["balance"]
    assert Account(3).total(2) == 6
    assert attrs.evolve(Account(3), balance=4).total(2) == 8
    assert attrs.asdict(Account(3)) == {"balance": 3}


@as_functools
def test_caches_convert_and_validate_fields_and_are_their_values(caches: ModuleType):
    @caches.cache
    def positive(instance: object, attribute: Any, value: int) -> None:
        if value < 0:
            raise ValueError("negative")

    @attrs.frozen
    class Account:
        balance: int = attrs.field(converter=caches.cache(int), validator=lambda _i, a, value: positive(None, a, value))
        rule: Any = positive

    assert Account("3") == Account(3)
    assert Account(3).rule is positive
    with pytest.raises(ValueError, match="negative"):
        Account("-3")
