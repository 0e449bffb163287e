"""What tests of coroutine functions share."""

from __future__ import annotations

import gc
import warnings

import pytest


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        gc.collect()
