"""What shared caches refuse at decoration: options, functions, files and names."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from tamis import cache, cached_method, lru_cache

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"on_evict": print}, ValueError, "on_evict.*shared"),
        ({"weigher": len, "maxweight": 3}, ValueError, "weigher.*shared"),
        ({"clock": time.monotonic}, ValueError, "clock.*shared"),
        ({"name": 1}, TypeError, "name takes"),
        ({"name": ""}, ValueError, "name takes"),
        ({"path": 1}, TypeError, "path takes"),
        ({"path": b"x"}, TypeError, "path takes"),
        ({"max_bytes": 1.5}, TypeError, "max_bytes takes"),
        ({"max_bytes": True}, TypeError, "max_bytes takes"),
        ({"max_bytes": 0}, ValueError, "max_bytes takes"),
        ({"max_bytes": -1}, ValueError, "max_bytes takes"),
        ({"max_bytes": 1 << 64}, ValueError, "max_bytes takes"),
        ({"serializer": 1}, TypeError, "serializer takes"),
        ({"serializer": object()}, TypeError, "serializer takes"),
    ],
)
def test_wrong_options_are_refused_at_decoration(tmp_path, options, error, text):
    with pytest.raises(error, match=text):
        lru_cache(backend="shared", **{"path": tmp_path, **options})
    with pytest.raises(error, match=text):
        cache(backend="shared", **{"path": tmp_path, **options})(len)


@pytest.mark.parametrize("option", [{"name": "x"}, {"path": "/dev/shm"}, {"max_bytes": 1}, {"serializer": json}])
def test_options_of_shared_caches_need_the_backend(option):
    for backend in ({}, {"backend": "memory"}):
        with pytest.raises(ValueError, match="go with backend='shared'"):
            lru_cache(**option, **backend)


def test_cached_methods_are_refused_and_say_why():
    with pytest.raises(ValueError, match="cached_method.*shared.*instance"):
        cached_method(backend="shared")


def test_methods_may_be_shared_if_their_instance_does_not_count(shared):
    class Table:
        @shared(ignore="self")
        def row(self, number):
            return [number]

    assert Table().row(1) == Table().row(1) == [1]
    assert Table.row.cache_info()[:2] == (1, 1)


def test_errors_of_opening_name_the_file_and_the_reason(tmp_path):
    locked = tmp_path / "others"
    locked.mkdir()
    locked.chmod(0o777)
    with pytest.raises(PermissionError) as caught:
        lru_cache(backend="shared", path=locked, name="x")(len)
    assert caught.value.errno == errno.EACCES
    assert str(locked) in str(caught.value)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(OSError, match="no directory"):
        lru_cache(backend="shared", path=file, name="x")(len)


def test_linked_region_is_refused(tmp_path):
    mine, other = tmp_path / "mine", tmp_path / "other"
    for directory in (mine, other):
        directory.mkdir(mode=0o700)
    lru_cache(backend="shared", path=other, name="x")(len)
    (file,) = [path for path in other.iterdir() if path.is_file()]
    (mine / file.name).symlink_to(file)
    with pytest.raises(PermissionError):
        lru_cache(backend="shared", path=mine, name="x")(len)


def test_linked_directory_is_refused_however_it_is_written(tmp_path):
    link = tmp_path / "link"
    (tmp_path / "directory").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "directory")
    for path in (f"{link}", f"{link}/", f"{link}/.", f"{link}//./"):
        with pytest.raises(PermissionError):
            lru_cache(backend="shared", path=path, name="x")(len)
    assert not list(link.iterdir())


def test_name_that_has_no_utf_8_stands_for_no_other_name(tmp_path):
    for name in ("\ud800", "a\udcff"):
        with pytest.raises(ValueError, match="name takes"):
            lru_cache(backend="shared", path=tmp_path, name=name)
    lru_cache(backend="shared", path=tmp_path, name="\U0001f600 \ufffd?")(len)


def test_user_directory_is_private():
    f = lru_cache(backend="shared", max_bytes=1 << 16, name=f"test of tamis {os.getpid()}")(lambda x: x)
    try:
        assert f(1) == f(1) == 1
        files = list(Path("/dev/shm").glob(f"*/*{os.getpid()}*"))
        (directory,) = {file.parent for file in files}
        assert directory.stat().st_mode & 0o777 == 0o700
        assert [file.stat().st_mode & 0o777 for file in files] == [0o600]
    finally:
        for file in Path("/dev/shm").glob(f"*/*test_of_tamis_{os.getpid()}*"):
            file.unlink()
