"""Shared caches where there is little shared memory, or none: as in containers."""

from __future__ import annotations

import errno
import json

import pytest

from helpers.marks import for_shared_caches
from helpers.subprocess_tools import run_function

pytestmark = for_shared_caches


def run_mounted(child, *arguments):
    """Run the child, and skip the test if nothing can be mounted here. What it printed is JSON."""
    printed = json.loads(run_function(child, *arguments))
    if printed is None:
        pytest.skip("no file system can be mounted here")
    return printed


def test_error_names_max_bytes_and_path_and_what_is_free(tmp_path):
    def child(path):
        import json
        import os

        from helpers.mount_tools import mounted
        from tamis import cache

        if not mounted(path, "size=1m,mode=700"):
            return print("null")
        errors = []
        for options in ({}, {"max_bytes": 2 << 20}):
            try:
                cache(backend="shared", path=path, name="large", **options)(len)
            except OSError as error:
                errors.append((error.errno, str(error), os.listdir(path)))
        f = cache(backend="shared", path=path, name="small", max_bytes=1 << 19)(len)
        print(json.dumps([errors, f("ab"), f("ab"), f.cache_info().hits]))

    errors, *results = run_mounted(child, str(tmp_path))
    for (number, text, left), size in zip(errors, (8 << 20, 2 << 20), strict=True):
        assert number == errno.ENOSPC
        assert left == []
        for part in (f"{size} bytes", "1048576 are free", "max_bytes", "path", str(tmp_path)):
            assert part in text
    assert results == [2, 2, 1]


def test_functions_of_a_program_fit_into_what_containers_have_and_leave_room(tmp_path):
    def child(path):
        import os

        from helpers.mount_tools import mounted
        from tamis import cache

        if not mounted(path, "size=64m,mode=700"):
            return print("null")
        functions = [cache(backend="shared", path=path, name=str(number))(len) for number in range(4)]
        assert [f("ab") for f in functions] == [2] * 4
        free = os.statvfs(path)
        print(free.f_bavail * free.f_frsize >> 20)

    assert run_mounted(child, str(tmp_path)) >= 24


@pytest.mark.parametrize(("options", "flags"), [("size=16k,mode=777", 0), ("size=1m", 1)], ids=["full", "read-only"])
def test_error_of_the_default_place_names_path(tmp_path, options, flags):
    def child(options, flags, path):
        import json

        from helpers.mount_tools import mounted
        from tamis import cache

        if not mounted("/dev/shm", options, flags):
            return print("null")
        text = ""
        try:
            cache(backend="shared", name="any")(len)
        except OSError as error:
            text = str(error)
        f = cache(backend="shared", name="any", path=path, max_bytes=1 << 18)(len)
        print(json.dumps([text, f("ab")]))

    text, result = run_mounted(child, options, flags, str(tmp_path))
    assert "/dev/shm" in text
    assert "as path" in text
    assert result == 2


def test_error_of_a_limit_on_files_names_the_options(tmp_path):
    def child(path):
        import errno
        import resource

        from tamis import cache

        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            cache(backend="shared", path=path, name="large")(len)
        except OSError as error:
            print(errno.errorcode[error.errno], "max_bytes" in str(error), "path" in str(error))

    assert run_function(child, str(tmp_path)) == "EFBIG True True\n"
