"""How many calls hit: SIEVE as tamis runs it, beside LRU, FIFO and the optimum: `python bench/hitratio.py TRACES`.

TRACES is a directory of traces (workloads.py tells their format); the synthetic workloads need none. Counts are exact:
the same on every machine and in every run. Exit status 1: libcachesim's SIEVE counted other hits than tamis's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import policies
import subject
import workloads

Row = dict[str, Any]


def measured(workload: workloads.Workload, chosen: dict[str, policies.Policy]) -> list[Row]:
    """A row for each cache size."""
    distinct = len(set(workload.keys))
    return [
        {
            "workload": workload.name,
            "requests": len(workload.keys),
            "distinct": distinct,
            "maxsize": maxsize,
            "hits": {name: policy(workload.keys, maxsize) for name, policy in chosen.items()},
            "asked": workload.asked,
        }
        for maxsize in workload.maxsizes
    ]


def saved(row: Row) -> float:
    """The part of LRU's misses that SIEVE saves, in per cent; below zero where it adds to them."""
    misses = {name: row["requests"] - hits for name, hits in row["hits"].items()}
    return 100 * (misses["LRU"] - misses["SIEVE"]) / misses["LRU"] if misses["LRU"] else 0.0


def differing(rows: list[Row]) -> list[Row]:
    """The rows in which the two SIEVEs differ."""
    return [row for row in rows if row["hits"].get("libcachesim", row["hits"]["SIEVE"]) != row["hits"]["SIEVE"]]


def over_seeds(make: Callable[[int], workloads.Workload], chosen: dict[str, policies.Policy]) -> list[float]:
    """What SIEVE saves under each seed."""
    two = {name: chosen[name] for name in ("LRU", "SIEVE")}
    return [saved(row) for seed in workloads.SEEDS for row in measured(make(seed), two)]


def cells(row: Row, names: list[str]) -> list[str]:
    """A line of the table: hit ratios in per cent, and what SIEVE saves."""
    asked = row["asked"]
    # The asked figures are rounded, too.
    verdict = "" if asked is None else f"{asked:.1f}, {'yes' if round(saved(row), 1) >= asked else 'NO'}"
    ratios = [f"{100 * row['hits'][name] / row['requests']:.2f}" for name in names]
    same = "" if "libcachesim" not in row["hits"] else "no" if differing([row]) else "yes"
    return [row["workload"], f"{row['requests']:,}", f"{row['distinct']:,}", f"{row['maxsize']:,}", *ratios,
            f"{round(saved(row), 1) + 0:.1f}", verdict, same]  # fmt: skip


def main() -> None:
    """Prints the table; exit status 2 where nothing can be measured."""
    parser = subject.parser("Counts the hits of SIEVE, LRU, FIFO and Belady's optimum.")
    parser.add_argument("traces", nargs="?", type=Path, help="a directory of traces, one key a line, packed by gzip")
    parser.add_argument("--markdown", metavar="FILE", help="write the table to this file, as Markdown")
    options = parser.parse_args()
    paths = sorted(options.traces.glob("*.gz")) if options.traces else []
    try:
        module = subject.load(options.module)
        if options.traces and not paths:
            raise subject.Refused(f"{options.traces} has no files *.gz")
    except subject.Refused as reason:
        print(reason, file=sys.stderr)
        sys.exit(2)
    chosen = policies.all_of(module)
    rows: list[Row] = []
    for path in paths:
        if options.only.lower() in path.name.lower():
            rows += measured(workloads.trace(path), chosen)
    of_traces = len(rows)
    for make in workloads.SYNTHETIC:
        if options.only.lower() in make.__name__.replace("_", " "):
            (row,) = measured(make(workloads.SEEDS[0]), chosen)
            rows.append({**row, "saved_by_seed": over_seeds(make, chosen)})
    names = [name for name in chosen if name != "libcachesim"]
    titles = ["workload", "requests", "distinct", "maxsize", *(f"{name} %" for name in names), "misses saved %",
              "asked", "as libcachesim"]  # fmt: skip
    lines = [cells(row, names) for row in rows]
    described = {**subject.environment(module), "libcachesim": subject.version("libcachesim")}
    print(subject.header(described), subject.table(titles, lines), sep="\n\n")
    if of_traces:
        gained = [saved(row) for row in rows[:of_traces]]
        better, worse = sum(value > 0 for value in gained), sum(value < 0 for value in gained)
        print(
            f"\ntraces: SIEVE saves {mean(gained):.1f}% of LRU's misses on average;"
            f" of {of_traces} rows it has fewer misses in {better} and more in {worse}"
        )
    for row in rows[of_traces:]:
        low, high = min(row["saved_by_seed"]), max(row["saved_by_seed"])
        print(f"{row['workload']}: SIEVE saves {low:.1f} to {high:.1f}%, over {len(workloads.SEEDS)} seeds")
    if options.markdown:
        Path(options.markdown).write_text(subject.markdown(titles, lines), encoding="utf-8")
    subject.write_json(options.json, described, rows)
    if different := differing(rows):
        print("libcachesim's SIEVE counts other hits:", *(f"{row['workload']} {row['hits']}" for row in different))
        sys.exit(1)


if __name__ == "__main__":
    main()
