"""The policies that hit ratios are measured with are what they are called."""

from __future__ import annotations

import functools
import gzip
import os
import sys
from collections.abc import Hashable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tamis
from models.sieve import Sieve

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))
try:
    import hitratio
    import policies
    import workloads
finally:
    sys.path.remove(str(BENCH))

short_traces = st.lists(st.integers(0, 4), max_size=9)


def most_hits(keys: tuple[Hashable, ...], maxsize: int) -> int:
    """The most hits that any choice of victims gives, by trying all of them."""

    @functools.cache
    def best(at: int, entries: frozenset[Hashable]) -> int:
        if at == len(keys):
            return 0
        key = keys[at]
        if key in entries:
            return 1 + best(at + 1, entries)
        if len(entries) < maxsize:
            return best(at + 1, entries | {key})
        return max(best(at + 1, entries - {victim} | {key}) for victim in entries)

    return best(0, frozenset())


@given(short_traces, st.integers(1, 3))
def test_no_choice_of_victims_hits_more_often_than_the_optimum(keys: list[int], maxsize: int) -> None:
    assert policies.optimum(keys, maxsize) == most_hits(tuple(keys), maxsize)


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_sieve_is_what_the_model_says(keys: list[int], maxsize: int) -> None:
    model = Sieve(maxsize)
    for key in keys:
        model.call(key)
    assert policies.decorated(tamis.lru_cache)(keys, maxsize) == model.hits


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_libcachesim_counts_the_same_hits(keys: list[int], maxsize: int) -> None:
    if not os.environ.get("TAMIS_REQUIRE_PEERS"):
        pytest.importorskip("libcachesim", reason="libcachesim is not installed")
    assert policies.independent(keys, maxsize) == policies.decorated(tamis.lru_cache)(keys, maxsize)


def test_fifo_evicts_the_oldest_even_if_it_was_just_asked_for() -> None:
    assert policies.fifo([1, 2, 1, 3, 1], 2) == 1
    assert policies.fifo([1, 2, 1, 3, 2, 3], 2) == 3


def test_traces_have_numbers_or_strings_as_keys(tmp_path: Path) -> None:
    numbers, texts = tmp_path / "numbers.txt.gz", tmp_path / "texts.gz"
    numbers.write_bytes(gzip.compress(b"7\n8\n7\n"))
    texts.write_bytes(gzip.compress(b"7\nseven\n"))
    assert workloads.read(numbers) == [7, 8, 7]
    assert workloads.read(texts) == ["7", "seven"]
    assert workloads.trace(numbers).maxsizes == (1,)
    assert workloads.trace(numbers).name == "numbers"


def test_an_empty_trace_is_an_error_that_names_it(tmp_path: Path) -> None:
    empty = tmp_path / "empty.gz"
    empty.write_bytes(gzip.compress(b"\n"))
    with pytest.raises(ValueError, match=r"empty\.gz has no requests"):
        workloads.read(empty)


def test_what_sieve_saves_is_a_part_of_the_misses_of_lru() -> None:
    row = {"requests": 100, "hits": {"LRU": 50, "SIEVE": 60}}
    assert hitratio.saved(row) == 20
