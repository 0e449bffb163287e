"""What was built is what this interpreter asks for, and importing it costs the process nothing else."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import sys
import sysconfig

import pytest

import tamis
import tamis._core
from helpers.marks import FREE_THREADED, for_free_threaded_builds
from helpers.subprocess_tools import PACKAGE_FOLDER, run_child


def test_compiled_lock_mode_is_the_interpreters():
    assert tamis._core.BUILD["free_threaded"] is FREE_THREADED


def test_profile_is_release():
    assert tamis._core.BUILD["profile"] == "release"


@for_free_threaded_builds
def test_import_does_not_switch_the_gil_on():
    # Without PYTHON_GIL, which would hide what an import asks for.
    output = run_child(
        """
        import sys, warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import tamis
            tamis.lru_cache(abs)(-1)
        print(sys._is_gil_enabled(), caught)
        """,
        options=["-E"],
    )
    assert output == "False []\n"


def test_version_is_that_of_the_installed_package():
    assert tamis.__version__ == tamis._core.__version__ == importlib.metadata.version("tamis")


@pytest.mark.parametrize("name", ["py.typed", "_core.pyi", "_info.pyi"])
def test_types_are_installed(name):
    assert (importlib.resources.files(tamis) / name).is_file()


def test_import_loads_no_other_module():
    output = run_child(
        f"""
        import sys
        sys.path.insert(0, {PACKAGE_FOLDER!r})
        sys.path_importer_cache.clear()
        before = set(sys.modules)
        import tamis
        print(sorted(set(sys.modules) - before))
        tamis.lru_cache(abs)(-1)
        print("tamis._info" in sys.modules)
        """,
        options=["-S", "-E", "-I"],
    )
    # The class of cache_info() comes with the first cache, and what a named tuple needs with it.
    assert output == "['tamis', 'tamis._core']\nTrue\n"


def test_compiled_part_belongs_to_this_interpreter():
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert tamis._core.__file__.endswith(suffix), (tamis._core.__file__, suffix, sys.version)
