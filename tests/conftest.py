"""Settings that all test files share."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings, strategies

from helpers import capi_tools

# No deadline: how long an example takes tells of the machine, not of the cache.
settings.register_profile("default-for-tamis", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default-for-tamis")


def pytest_collection_finish() -> None:
    """Have later collections leave out what pytest, the test files and their packages hold: tests collect often."""
    # Hypothesis makes its generator of random numbers with the first example, and warns if the collector finds nobody
    # who holds it. The collector does not look at what is frozen.
    given(strategies.none())(lambda _: None)()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def capi_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the modules that use the C API are, built."""
    return capi_tools.build(tmp_path_factory.mktemp("capi") / "capi")


@pytest.fixture(params=capi_tools.LANGUAGES)
def api(request: pytest.FixtureRequest, capi_folder: Path) -> ModuleType:
    """One of these modules."""
    return capi_tools.load(capi_folder, request.param)
