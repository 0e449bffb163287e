"""Draws what `threads.py`, `shared.py` or `remote.py` have written by `--json`: `python bench/plot.py FILE FILE.svg`.

Needs matplotlib.

A script of its own, for an interpreter of its own: matplotlib is not there for every one that is measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot


def draw(measured: dict[str, Any], path: str) -> None:
    """One picture a scenario, side by side, readable on light and on dark ground."""
    rows = measured["rows"]
    figure, axes = pyplot.subplots(1, len(rows), figsize=(3.6 * len(rows), 3.6), layout="constrained", squeeze=False)
    for axis, row in zip(axes[0], rows, strict=True):
        for name, rates in row["calls_per_second"].items():
            threads = [int(count) for count in rates]
            label = {"ours": "tamis", "floor": "empty call"}.get(name, name)
            axis.plot(threads, [rate / 1e6 for rate in rates.values()], marker="o", label=label)
            axis.set_xticks(threads)
        axis.set_title(row["scenario"], fontsize=8)
        axis.set_xlabel("threads")
        axis.set_ylim(bottom=0)
        for part in (axis.title, axis.xaxis.label):
            part.set_color("gray")
        axis.tick_params(colors="gray")
    axes[0][0].set_ylabel("million calls a second, all threads", color="gray")
    axes[0][0].legend(frameon=False, labelcolor="gray")
    save(figure, measured, path)


def draw_bars(measured: dict[str, Any], path: str) -> None:
    """Nanoseconds a call of hits and misses, a bar for each subject."""
    rows = [row for row in measured["rows"] if row["name"].startswith(("hit", "miss")) and ":" not in row["name"]]
    subjects = [who for who in ("memory", "shared", "warp_cache") if any(who in row for row in rows)]
    figure, axis = pyplot.subplots(figsize=(8, 3.6), layout="constrained")
    for at, who in enumerate(subjects):
        places = [row + at / (len(subjects) + 1) for row in range(len(rows))]
        bars = axis.barh(places, [row[who] for row in rows], 1 / (len(subjects) + 1), label=who)
        axis.bar_label(bars, fmt="%.0f", fontsize=7, color="gray", padding=2)
    axis.set_yticks([row + 0.25 for row in range(len(rows))], [row["name"] for row in rows], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("nanoseconds a call, loop included", color="gray")
    axis.tick_params(colors="gray")
    axis.legend(frameon=False, labelcolor="gray")
    save(figure, measured, path)


def draw_tables(measured: dict[str, Any], path: str) -> None:
    """Microseconds a call, a picture for each table and a bar for each row, on a scale of powers of ten."""
    tables = measured["tables"]
    figure, axes = pyplot.subplots(len(tables), 1, figsize=(8, 1.5 * len(tables)), layout="constrained", squeeze=False)
    for axis, table in zip(axes[:, 0], tables, strict=True):
        names = list(table["microseconds"])
        bars = axis.barh(range(len(names)), list(table["microseconds"].values()))
        axis.bar_label(bars, fmt="%.3g", fontsize=7, color="gray", padding=2)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.set_title(table["title"], fontsize=8, color="gray")
        axis.tick_params(colors="gray")
    axes[-1][0].set_xlabel("microseconds a call", color="gray")
    save(figure, measured, path)


def save(figure: Any, measured: dict[str, Any], path: str) -> None:
    """Write the picture, and on it what it was measured on."""
    environment = measured["environment"]
    figure.suptitle(f"{environment['interpreter']}, {environment['cpu']}", color="gray", fontsize=8)
    figure.savefig(path, transparent=True)


if __name__ == "__main__":
    measurements = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if "tables" in measurements:
        draw_tables(measurements, sys.argv[2])
    else:
        (draw if "scenario" in measurements["rows"][0] else draw_bars)(measurements, sys.argv[2])
    print(f"plot: {sys.argv[2]}")
