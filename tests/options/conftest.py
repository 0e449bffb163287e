"""What tests of options share."""

from __future__ import annotations

import pytest

from helpers.option_tools import Time


@pytest.fixture
def time():
    return Time()
