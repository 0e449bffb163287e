"""Marks of tests that need a kind of system or interpreter, and of those that do on purpose what Python warns of."""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig

import pytest

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

for_shared_caches = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="shared caches are for Linux")
for_systems_with_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
for_systems_with_alarms = pytest.mark.skipif(os.name != "posix", reason="this system has no alarm signal")
for_free_threaded_builds = pytest.mark.skipif(not FREE_THREADED, reason="this interpreter is built with the GIL")
for_interpreters_with_their_own_gil = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="before Python 3.12 all interpreters of a process share one GIL"
)
for_marked_functions = pytest.mark.skipif(
    not hasattr(inspect, "markcoroutinefunction"), reason="inspect.markcoroutinefunction came with 3.12"
)

# Two functions of one name stand for those of two processes.
has_two_functions_of_one_name = pytest.mark.filterwarnings("ignore:two functions have the name:RuntimeWarning")
# Python warns of pytest's own threads, or of those that another test has left.
forks_beside_threads = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
