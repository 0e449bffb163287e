"""What options refuse, and what they say."""

from __future__ import annotations

import datetime

import pytest

from tamis import cache, lru_cache

NOT_SECONDS = ["1", True, [], b"1", 1j]
SPANS = ("tti", "stale", "stale_if_error", "retry")
WRONG = [
    *[("ttl", value, TypeError) for value in NOT_SECONDS],
    *[(name, value, TypeError) for name in SPANS for value in [*NOT_SECONDS, len]],
    *[(name, value, ValueError) for name in ("ttl", *SPANS) for value in (0, -1, -0.5, float("nan"))],
    *[(name, datetime.timedelta(seconds=-1), ValueError) for name in ("ttl", *SPANS)],
    *[("jitter", value, TypeError) for value in ("0.5", True, len)],
    *[("jitter", value, ValueError) for value in (-0.1, 1.1, 2, float("nan"))],
    *[(name, value, TypeError) for name in ("key", "weigher", "on_evict", "clock") for value in (1, "len")],
    *[("ignore", value, TypeError) for value in (1, [1], ["a", None])],
    *[("maxweight", value, TypeError) for value in (1.5, float("inf"), float("nan"), "1", True)],
    *[("maxweight", value, ValueError) for value in (-1, 1 << 70, -1.0, 1e30)],
    *[("copy", value, TypeError) for value in (1, "deep")],
    *[("single_flight", value, TypeError) for value in (0, 1, "yes")],
    *[("backend", value, ValueError) for value in ("disk", 1)],
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG, ids=[f"{name}-{value!r}" for name, value, _ in WRONG])
@pytest.mark.parametrize("decorator", [lru_cache, cache])
def test_wrong_value_is_refused_at_once_and_the_option_is_named(decorator, name, value, error):
    with pytest.raises(error, match=name):
        decorator(**{name: value})
    if decorator is cache:
        with pytest.raises(error, match=name):
            cache(len, **{name: value})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"stale": 1}, "stale"),
        ({"jitter": 0.1}, "jitter"),
        ({"weigher": len}, "maxweight"),
        ({"maxweight": 3}, "weigher"),
        ({"key": len, "ignore": "x"}, "ignore"),
    ],
)
def test_options_that_need_or_exclude_others_say_so(options, named):
    with pytest.raises(ValueError, match=named):
        lru_cache(**options)


def test_unknown_option_is_named_with_those_there_are():
    with pytest.raises(TypeError, match=r"'tll'.*ttl.*on_evict"):
        lru_cache(tll=3)
