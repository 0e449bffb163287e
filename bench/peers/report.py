"""Markdown tables of what `python -m peers run` has measured."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import subject

from peers.catalog import GROUPS

Result = dict[str, Any]

# Of what there is no figure.
NONE = "\N{EN DASH}"


def middle(figure: dict[str, Any]) -> float | None:
    """The median; None where there is no figure."""
    return median(figure["values"]) if "values" in figure else None


def spread(figure: dict[str, Any]) -> float:
    """Half of what lies between the first and the third quartile: as far as most values are from the median."""
    values = figure["values"]
    if len(values) < 2:
        return 0.0
    first, _, third = quantiles(values, n=4)
    return float(third - first) / 2


def _digits(value: float) -> int:
    return 1 if value < 1000 else 0


def cell(figure: dict[str, Any] | None) -> str:
    """Median and spread, or a dash."""
    value = middle(figure or {})
    if figure is None or value is None:
        return NONE
    if len(figure["values"]) == 1:
        return f"{value:,.1f}"
    digits = _digits(value)
    return f"{value:,.{digits}f} ± {spread(figure):,.{digits}f}"


def rate(figure: dict[str, Any] | None) -> str:
    """Million calls a second, of nanoseconds."""
    value = middle(figure or {})
    return NONE if value is None else f"{1000 / value:.1f}"


def last_words(text: str) -> str:
    """The line of an error's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no word of why"]
    # Of pip's, what the build that it ran says; of pyperf's, what the process that it ran says.
    errors = [line for line in lines if re.match(r"error: (?!subprocess|failed-wheel)", line)]
    raised = [line for line in lines if re.match(r"\w+(Error|Exception): (?!.*failed with exit code)", line)]
    if not errors and not raised and (died := re.search(r"failed with exit code -(\d+)", lines[-1])):
        return f"died of {signal.Signals(int(died[1])).name}"
    return (errors or raised or lines)[-1].removeprefix("error: ").removeprefix("ERROR: ")


def names(result: Result, rows: list[dict[str, Any]]) -> list[str]:
    """The peers that have a figure in these rows."""
    return [name for name in result["peers"] if any("values" in row["figures"].get(name, {}) for row in rows)]


def interpreter(result: Result) -> str:
    """What the tables call the interpreter."""
    kind = "free-threaded" if result["free_threaded"] else "with the GIL"
    return f"{result['environment']['interpreter'].split(',')[0]}, {kind}"


def _plain(result: Result, rows: list[dict[str, Any]]) -> str:
    columns = names(result, rows)
    lines = [[row["name"], *(cell(row["figures"].get(name)) for name in columns)] for row in rows]
    unit = {"ns": "nanoseconds a call, median ± half the interquartile range"}.get(rows[0]["unit"], rows[0]["unit"])
    return subject.markdown([unit, *columns], lines)


def _series(result: Result, rows: list[dict[str, Any]]) -> str:
    numbers = sorted({row["number"] for row in rows})
    lines = []
    for series in dict.fromkeys(row["series"] for row in rows):
        by_number = {row["number"]: row["figures"] for row in rows if row["series"] == series}
        for name in names(result, rows):
            lines.append([series, name, *(rate(by_number.get(number, {}).get(name)) for number in numbers)])
    titles = ["million calls a second, all together", "cache", *(str(number) for number in numbers)]
    return subject.markdown(titles, lines)


def reasons(result: Result, rows: list[dict[str, Any]]) -> str:
    """Who is missing in these rows, and why."""
    told: dict[tuple[str, str], list[str]] = {}
    for name, seen in result["peers"].items():
        if "why" in seen:
            told[name, seen["why"]] = []
    for row in rows:
        for name, figure in row["figures"].items():
            if "why" in figure:
                told.setdefault((name, figure["why"]), []).append(row["name"])
    lines = []
    for (name, why), where in told.items():
        # Of all rows, or of which.
        rest = "" if not where or len(where) == len(rows) else f" ({'; '.join(where)})"
        lines.append(f"- {name}: {why}{rest}\n")
    return "".join(lines)


def group(result: Result, key: str) -> str:
    """The tables of a group, and why some are missing; empty where nothing was measured."""
    rows = [row for row in result["rows"] if row["group"] == key]
    if not rows:
        return ""
    plain, series = ([row for row in rows if bool(row["series"]) is kind] for kind in (False, True))
    tables = [make(result, some) for make, some in ((_plain, plain), (_series, series)) if some]
    missing = reasons(result, rows)
    return "\n".join([*tables, *(["Not in the table:\n", missing] if missing else [])])


def versions(result: Result) -> str:
    """What was measured, on what."""
    environment = "".join(f"- {key}: {value}\n" for key, value in result["environment"].items())
    said = {name: seen.get("version", NONE) for name, seen in result["peers"].items()}
    switched = [name for name, seen in result["peers"].items() if seen.get("gil") == "on"]
    text = environment + f"- versions: {', '.join(f'{name} {version}' for name, version in said.items())}\n"
    if result["free_threaded"]:
        text += f"- switch the GIL on when they are imported: {', '.join(switched) or 'none'}\n"
    return text


# Rows of the short table.
SHORT = {
    "hit, one int": "hit, one `int`",
    "hit, one keyword": "hit, one keyword",
    "hit, one int, ttl of a minute": "hit, with a ttl",
    "miss and evict, new ints, maxsize 1,000": "miss that evicts",
    "await of a hit": "`await` of a hit",
    "hit, int key and value": "hit, shared by processes",
    "an entry, int to None, resident": "memory of an entry, bytes",
    "Zipf over 10,000, maxsize 1,000": "hit ratio, Zipf, %",
}


def short(result: Result) -> str:
    """A few rows, and medians alone."""
    rows = [row for row in result["rows"] if row["name"] in SHORT]
    columns = names(result, rows)
    lines = []
    for row in rows:
        medians = [middle(row["figures"].get(name, {})) for name in columns]
        lines.append([SHORT[row["name"]], *(NONE if value is None else f"{value:,.0f}" for value in medians)])
    return subject.markdown(["nanoseconds, or as said", *columns], lines)


def write(results: list[Result], folder: Path) -> None:
    """A file for each group, a short one of some rows, and one about the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    results = sorted(results, key=lambda result: bool(result["free_threaded"]))
    (folder / "short.md").write_text(short(results[0]), encoding="utf-8")
    for key, heading in GROUPS.items():
        parts = [(interpreter(result), text) for result in results if (text := group(result, key))]
        if parts:
            text = "\n".join(f"**{heading}, {name}**\n\n{text}" for name, text in parts)
            (folder / f"{key}.md").write_text(text, encoding="utf-8")
    text = "\n".join(f"**{interpreter(result)}**\n\n{versions(result)}" for result in results)
    (folder / "machine.md").write_text(text, encoding="utf-8")
