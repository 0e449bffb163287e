"""The harness that compares caches: its scenarios do what they say, and its tables tell who is missing and why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tamis

BENCH = Path(__file__).parents[2] / "bench"
sys.path.insert(0, str(BENCH))
try:
    import publish
    import scenarios
    from peers import adapters, catalog, report, timers
finally:
    sys.path.remove(str(BENCH))

TIMED = [scenario for scenario in catalog.SCENARIOS if scenario.unit == "ns"]


@pytest.fixture(autouse=True)
def directory():
    with timers.directory():
        yield


def test_names_are_unique_and_groups_known():
    names = [scenario.name for scenario in catalog.SCENARIOS]
    assert len(set(names)) == len(names)
    assert {scenario.group for scenario in catalog.SCENARIOS} == set(catalog.GROUPS)
    assert len({peer.name for peer in adapters.PEERS}) == len(adapters.PEERS)


@pytest.mark.parametrize("scenario", TIMED, ids=lambda scenario: f"{scenario.group}-{scenario.name}")
def test_tamis_runs_every_scenario(scenario):
    if scenario.group == "shared" and sys.platform != "linux":
        pytest.skip("the shared backend is for Linux")
    if scenario.series and scenario.group == "shared" and sys.version_info >= (3, 12):
        pytest.skip("forks, which Python warns of where pytest has threads")
    timed = scenario.make(adapters.find("tamis"))
    assert timed.calls > 0
    assert timed.run(1) > 0


def test_scenario_that_others_are_measured_by_counts_its_hits():
    timed = catalog.find("hit, one int").make(adapters.find("functools"))
    assert timed.run(2) > 0


class Forgetful(adapters.Peer):
    """Keeps nothing."""

    name = "forgetful"

    def decorate(self, function, maxsize, ttl=None):
        return function


@pytest.mark.parametrize("name", ["hit, one int", "hit, one keyword"])
def test_cache_that_loses_entries_gets_no_figure(name):
    with pytest.raises(scenarios.NotHits, match="misses, where 256 keys were stored"):
        catalog.find(name).make(Forgetful()).run(1)


def test_cache_without_a_capability_says_so():
    with pytest.raises(adapters.Cannot, match="has no cache that processes share"):
        catalog.find("hit, int key and value").make(adapters.find("functools"))
    with pytest.raises(adapters.Cannot, match="has no ttl"):
        catalog.find("hit, one int, ttl of a minute").make(adapters.find("functools"))


def test_hit_ratio_is_that_of_the_cache_itself(monkeypatch):
    workload = timers.workloads.Workload("small", [1, 2, 1, 1], (2,))
    monkeypatch.setattr(timers.workloads, "SYNTHETIC", [lambda seed: workload])
    assert timers.hit_ratio("small", adapters.find("tamis")) == 50


def result(*rows):
    return {
        "environment": {"interpreter": "CPython 3.13.0, GCC"},
        "free_threaded": False,
        "peers": {
            "tamis": {"version": "1"},
            "functools": {"version": "3"},
            "gone": {"why": "can't be installed: no wheel"},
        },
        "rows": list(rows),
    }


def row(name, group="single", series="", number=0, **figures):
    parts = {"group": group, "name": name, "unit": "ns", "series": series, "number": number}
    return {**parts, "figures": figures}


def test_table_has_medians_and_tells_who_is_missing_and_why():
    hits = row("hits", tamis={"values": [10.0, 11.0, 12.0, 13.0, 30.0]}, functools={"why": "has no ttl"})
    others = row("others", tamis={"values": [2000.0, 2000.0]}, functools={"values": [4000.0, 4000.0]})
    text = report.group(result(hits, others), "single")
    assert "| hits | 12.0 ± 5.5 | \N{EN DASH} |" in text
    assert "| others | 2,000 ± 0 | 4,000 ± 0 |" in text
    assert "- gone: can't be installed: no wheel\n" in text
    assert "- functools: has no ttl (hits)\n" in text


def test_series_become_columns_of_rates():
    rows = [
        row(f"h{n}", "threads", "hits", n, tamis={"values": [100.0 / n]}, functools={"values": [200.0]}) for n in (1, 2)
    ]
    text = report.group(result(*rows), "threads")
    assert "| hits | tamis | 10.0 | 20.0 |" in text
    assert "| hits | functools | 5.0 | 5.0 |" in text


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("Traceback:\nValueError: bad\nRuntimeError: python failed with exit code 1\n", "ValueError: bad"),
        ("Traceback:\nRuntimeError: /usr/bin/python failed with exit code -11\n", "died of SIGSEGV"),
        ("  error: this compiler is too old\nerror: failed-wheel-build-for-install\n", "this compiler is too old"),
        ("ERROR: No matching distribution found for x\n", "No matching distribution found for x"),
        ("has no ttl\n", "has no ttl"),
        ("", "no word of why"),
    ],
)
def test_reason_is_the_line_that_says_what_is_wrong(output, words):
    assert report.last_words(output) == words


def test_publishing_replaces_what_lies_between_the_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "RESULTS", tmp_path)
    (tmp_path / "short.md").write_text("| new |\n")
    end = "<!-- end of figures -->"
    page = f"a\n<!-- figures: short -->\nold\n{end}\nb\n<!-- figures: other -->\nkept\n{end}\n"
    assert publish.filled(page) == page.replace("\nold\n", "\n\n| new |\n\n")


def test_every_page_names_tables_that_are_made():
    made = {*catalog.GROUPS, "machine", "short", "hitratio"}
    for page in (publish.ROOT / "README.md", *(publish.ROOT / "docs").rglob("*.md")):
        named = {match[2] for match in publish.BLOCK.finditer(page.read_text(encoding="utf-8"))}
        assert named <= made, page


def test_tamis_is_the_one_under_test():
    assert adapters.find("tamis").version() == tamis.__version__
