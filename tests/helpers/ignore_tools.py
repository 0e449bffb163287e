"""Functions and checks for the option `ignore`."""

from __future__ import annotations

import functools

import pytest

from tamis import lru_cache


def injecting(function):
    """Call the function with one argument more, in front."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function("session", *args, **kwargs)

    return wrapper


def passing_on(function):
    """Call the function with the same arguments."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def refused(function, name):
    with pytest.raises(
        ValueError, match=f"ignore can't tell which arguments are for {name!r}.*below that decorator.*key="
    ):
        lru_cache(ignore=name)(function)


def count_keys(function, ignore, *calls):
    """How many entries these calls make, each a call's positional and keyword arguments."""
    cached = lru_cache(ignore=ignore)(function)
    for args, kwargs in calls:
        cached(*args, **kwargs)
    return cached.cache_info().currsize


def call(*args, **kwargs):
    return args, kwargs


@injecting
def profile(session, name):
    return f"{name} by {session}"
