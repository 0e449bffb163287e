"""What tests of shared caches share."""

from __future__ import annotations

import multiprocessing
from functools import partial

import pytest

from tamis import lru_cache


@pytest.fixture
def shared(tmp_path):
    """lru_cache over a region of the test's own."""
    return partial(lru_cache, backend="shared", path=tmp_path, name="test", max_bytes=1 << 20)


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def context(request):
    return multiprocessing.get_context(request.param)
