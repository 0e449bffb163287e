"""What tests of cached functions share."""

from __future__ import annotations

import pytest

from helpers.method_tools import Shop


@pytest.fixture(params=["price", "stock"])
def method_name(request):
    """A method cached for all instances, and one cached for each."""
    yield request.param
    Shop.price.cache_clear()
