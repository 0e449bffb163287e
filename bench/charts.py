"""Draws what the peers' harness and hitratio.py have measured, as SVG: `python bench/charts.py FOLDER FILE.json …`.

Readable on light and on dark ground: no ground of its own, text and lines in grey, colours of middle brightness. Needs
matplotlib, and so an interpreter of its own, as plot.py does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot

Result = dict[str, Any]

GREY = "#808080"
# Middle brightness, told apart by those who see red and green alike by their order and their marks, too.
COLOURS = {
    "tamis": "#e0552b", "functools": "#3f7fc4", "warp_cache": "#8a63c9", "cachebox": "#2f9e6e", "moka-py": "#c08a1e",
    "cachetools": "#b8578f", "theine": "#4aa3a8", "async-lru": "#7d8b3a", "lru-dict": "#9a7256",
    "SIEVE": "#e0552b", "LRU": "#3f7fc4", "FIFO": "#2f9e6e", "optimum": "#808080",
}  # fmt: skip
MARKS = dict(zip(COLOURS, ["o", "s", "D", "^", "v", "P", "X", "<", ">", "o", "s", "^", ""], strict=True))

pyplot.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "tamis",
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": GREY,
        "axes.labelcolor": GREY,
        "axes.titlecolor": GREY,
        "axes.edgecolor": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": GREY,
        "grid.alpha": 0.25,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "legend.frameon": False,
        "legend.labelcolor": GREY,
        "figure.constrained_layout.use": True,
    }
)


def save(figure: Any, path: Path) -> None:
    """Write it; the same data give the same file."""
    figure.savefig(path, transparent=True, metadata={"Date": None})
    pyplot.close(figure)
    print(f"plot: {path}")


def values(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Peers with their medians."""
    for name, figure in row["figures"].items():
        if "values" in figure:
            yield name, median(figure["values"])


def dots(rows: list[dict[str, Any]], label: str, path: Path) -> None:
    """A line of dots for each scenario, on a logarithmic scale."""
    figure, axis = pyplot.subplots(figsize=(7.6, 1.3 + 0.34 * len(rows)))
    seen: set[str] = set()
    for height, row in enumerate(rows):
        for name, value in values(row):
            axis.plot(
                value, height, MARKS[name], color=COLOURS[name], markersize=8 if name == "tamis" else 6,
                label=None if name in seen else name, zorder=3 if name == "tamis" else 2, linestyle="",
            )  # fmt: skip
            seen.add(name)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axis.set_xlabel(label)
    figure.legend(loc="outside upper center", ncols=5)
    save(figure, path)


def bars(row: dict[str, Any], path: Path) -> None:
    """One scenario, a bar for each peer."""
    shown = sorted(values(row), key=lambda pair: pair[1])
    figure, axis = pyplot.subplots(figsize=(7.6, 0.9 + 0.3 * len(shown)))
    drawn = axis.barh([name for name, _ in shown], [value for _, value in shown], 0.7)
    for bar, (name, _) in zip(drawn, shown, strict=True):
        bar.set_color(COLOURS[name])
    axis.bar_label(drawn, fmt="{:,.0f}", padding=3, color=GREY)
    axis.invert_yaxis()
    axis.grid(axis="y", visible=False)
    axis.set_xlabel(f"{row['unit']}: {row['name']}")
    save(figure, path)


Panel = tuple[str, list[dict[str, Any]]]


def lines(panels: list[list[Panel]], label: str, path: Path) -> None:
    """Calls a second over the number of threads or processes: a row for each interpreter, a panel for each series."""
    columns = max(map(len, panels))
    figure, axes = pyplot.subplots(
        len(panels), columns, figsize=(1.2 + 2.4 * columns, 0.7 + 2.6 * len(panels)), squeeze=False, sharey="row"
    )
    handles: dict[str, Any] = {}
    for line, row_of_axes in zip(panels, axes, strict=True):
        for axis, (title, rows) in zip(row_of_axes, line, strict=False):
            rates: dict[str, list[tuple[int, float]]] = {}
            for row in rows:
                for name, value in values(row):
                    rates.setdefault(name, []).append((row["number"], 1000 / value))
            for name, points in rates.items():
                (handles[name],) = axis.plot(*zip(*points, strict=True), marker=MARKS[name], color=COLOURS[name])
            axis.set_title(title, fontsize=8)
            axis.set_xticks([row["number"] for row in rows])
            axis.set_ylim(bottom=0)
            axis.set_xlabel(label)
    figure.supylabel("million calls a second, all together", fontsize=9)
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=5)
    save(figure, path)


def peers(results: list[Result], folder: Path) -> None:
    """The pictures of the peers' harness; threads of all interpreters beside each other."""
    first = results[0]["rows"]
    for group, label in (
        ("single", "nanoseconds a call"),
        ("async", "nanoseconds an await"),
        ("mapping", "nanoseconds an operation"),
        ("shared", "nanoseconds a call"),
    ):
        if rows := [row for row in first if row["group"] == group and not row["series"]]:
            dots(rows, label, folder / f"{group}.svg")
    for group, label, of in (("threads", "threads", results), ("shared", "processes", results[:1])):
        panels = []
        for result in of:
            kind = "free-threaded" if result["free_threaded"] else "with the GIL"
            rows = [row for row in result["rows"] if row["group"] == group and row["series"]]
            series = dict.fromkeys(row["series"] for row in rows)
            panels.append([(f"{name}\n{kind}", [row for row in rows if row["series"] == name]) for name in series])
        if panels := list(filter(None, panels)):
            lines(panels, label, folder / f"{group}{'' if group == label else '-' + label}.svg")
    for row in first:
        if row["name"] == "an entry, int to None, resident":
            bars(row, folder / "memory.svg")


def hit_ratios(result: Result, folder: Path) -> None:
    """A panel for each trace: hit ratio over cache size."""
    rows = result["rows"]
    by_trace: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["asked"] is None:
            by_trace.setdefault(row["workload"], []).append(row)
    columns = 3
    height = -(-len(by_trace) // columns)
    figure, axes = pyplot.subplots(height, columns, figsize=(7.6, 0.6 + 1.9 * height), squeeze=False)
    handles: dict[str, Any] = {}
    for axis, (trace, some) in zip(axes.flat, by_trace.items(), strict=False):
        shares = [100 * row["maxsize"] / row["distinct"] for row in some]
        for name in ("optimum", "SIEVE", "LRU", "FIFO"):
            ratios = [100 * row["hits"][name] / row["requests"] for row in some]
            (handles[name],) = axis.plot(
                shares, ratios, color=COLOURS[name], marker=MARKS[name], markersize=4,
                linestyle="--" if name == "optimum" else "-", zorder=3 if name == "SIEVE" else 2,
            )  # fmt: skip
        axis.set_title(trace, fontsize=8)
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda x, _: f"{x:g}"))
        axis.set_ylim(0, 100)
    for axis in list(axes.flat)[len(by_trace) :]:
        axis.set_visible(False)
    figure.supxlabel("cache size, % of the distinct keys", fontsize=9)
    figure.supylabel("hit ratio, %", fontsize=9)
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=4)
    save(figure, folder / "hitratio.svg")


def main() -> None:
    """Tells the two kinds of files apart."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    results = [json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[2:]]
    if of_peers := [result for result in results if "peers" in result]:
        peers(of_peers, folder)
    for result in results:
        if "peers" not in result:
            hit_ratios(result, folder)


if __name__ == "__main__":
    main()
