"""Times tamis beside functools.lru_cache, dict.get, an empty call and an empty loop: `python bench/timing.py`.

All subjects of a scenario run in one process, in turns, so that they share the machine's moods. A pass takes some
milliseconds; the least of many passes is what the code can do, and the median of the ratios of passes made side by
side says whether that least was luck.
"""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import asdict, dataclass, field
from statistics import mean, median
from typing import Any

import floor
import footprint
import subject
from scenarios import (
    IMPORT_ASKED,
    IMPORT_NAME,
    MEMORY_ASKED,
    MEMORY_NAME,
    Asked,
    Factory,
    NotHits,
    Run,
    Scenario,
    runs,
    selected,
)

ROUNDS = 70
BLOCK = 10  # rounds with one set of objects
COLUMNS = ["loop", "floor", "lru_cache", "ours", "dict.get"]


@dataclass
class Row:
    """One line of the table. Figures are nanoseconds a call, loop included, where the name says nothing else."""

    name: str
    asked: Asked
    least: dict[str, float]  # subject to its best figure
    mean: dict[str, float] = field(default_factory=dict)  # over all rounds, with what happens seldom
    median: dict[str, float] = field(default_factory=dict)
    ratio_median: float | None = None  # of lru_cache / ours, round by round
    miss_ratio: dict[str, float] = field(default_factory=dict)  # the part of all calls that missed, filling included

    @property
    def ratio(self) -> float | None:
        """lru_cache / ours, by the best figures; more is better for us."""
        return self.least["lru_cache"] / self.least["ours"] if "lru_cache" in self.least else None

    @property
    def floors(self) -> float | None:
        """ours / floor; 1 can't be bettered."""
        return self.least["ours"] / self.least["floor"] if "floor" in self.least else None

    @property
    def met(self) -> bool | None:
        """Whether all that is asked holds by the best figures; None when nothing is asked."""
        return self._verdict(self.ratio)

    @property
    def sure(self) -> bool:
        """Whether the median of the ratios says the same as the best figures."""
        return self.ratio_median is None or self._verdict(self.ratio_median) == self.met

    def _verdict(self, ratio: float | None) -> bool | None:
        asked, verdicts = self.asked, []
        if asked.ratio is not None and ratio is not None:
            verdicts.append(ratio >= asked.ratio)
        if asked.floors is not None and self.floors is not None:
            verdicts.append(self.floors <= asked.floors)
        if asked.below is not None:
            verdicts.append(self.least["ours"] < asked.below)
        return all(verdicts) if verdicts else None


def one_pass(run: Run, count: int) -> float:
    """Nanoseconds a call, over one pass of about `count` calls."""
    go, calls = run.ready(count)
    start = time.perf_counter_ns()
    go()
    return (time.perf_counter_ns() - start) / calls


def in_turns(made: dict[str, Run], count: int, rounds: int) -> dict[str, list[float]]:
    """Nanoseconds a call of each subject, one figure a round.

    The order moves on by one each round, and every second round goes backwards, so that nobody always follows the same
    neighbour. The garbage collector is off: it would strike whoever happens to cross its threshold.
    """
    names = list(made)
    taken: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    gc.disable()
    try:
        for name in names:
            one_pass(made[name], count)  # specializes the bytecode, and settles the cache
        for turn in range(rounds):
            shift = turn // 2 % len(names)
            order = names[shift:] + names[:shift]
            for name in reversed(order) if turn % 2 else order:
                taken[name].append(one_pass(made[name], count))
    finally:
        gc.enable()
    return taken


def timed(scenario: Scenario, factories: dict[str, Factory], rounds: int) -> Row:
    """The row of a scenario."""
    taken: dict[str, list[float]] = {}
    for done in range(0, rounds, BLOCK):
        # Made anew: where the tables happen to lie in memory makes a part of the difference between two equal caches.
        made = runs(scenario, factories)
        for name, figures in in_turns(made, scenario.count, min(BLOCK, rounds - done)).items():
            taken.setdefault(name, []).extend(figures)
        misses = {name: run.miss_ratio() for name, run in made.items()}
        del made
    return Row(
        scenario.name,
        scenario.asked,
        {name: min(figures) for name, figures in taken.items()},
        {name: mean(figures) for name, figures in taken.items()},
        {name: median(figures) for name, figures in taken.items()},
        median(theirs / ours for theirs, ours in zip(taken["lru_cache"], taken["ours"], strict=True)),
        {name: ratio for name, ratio in misses.items() if ratio is not None},
    )


def other_rows(only: str, module: str) -> list[Row]:
    """Memory and import; a row that can't be taken here is left out with a word on stderr."""
    rows = []
    if only.lower() in MEMORY_NAME.lower():
        say(MEMORY_NAME)
        try:
            figures = {"lru_cache": footprint.memory_per_entry("functools"), "ours": footprint.memory_per_entry(module)}
            rows.append(Row(MEMORY_NAME, MEMORY_ASKED, figures))
        except RuntimeError as error:
            say(f"  left out: {error}")
    if only.lower() in IMPORT_NAME.lower():
        say(IMPORT_NAME)
        times = footprint.import_times(module)
        rows.append(
            Row(IMPORT_NAME, IMPORT_ASKED, {"ours": min(times)}, {"ours": mean(times)}, {"ours": median(times)})
        )
    return rows


def say(text: str) -> None:
    """Progress, which is not part of the result."""
    print(text, file=sys.stderr, flush=True)


def show(rows: list[Row], name: str) -> str:
    """The table, and the line under it."""
    titles = ["ns per call, loop included", *COLUMNS, "lru/ours", "median", "ours/floor", "asked", "met"]
    lines = []
    for row in rows:
        mark = {None: "", True: "yes", False: "NO"}[row.met] + ("" if row.sure else " ?")
        figures = [subject.number(row.least.get(column)) for column in COLUMNS]
        ratios = [subject.number(value, 2) for value in (row.ratio, row.ratio_median, row.floors)]
        lines.append([row.name, *figures, *ratios, row.asked.text(), mark])
    verdicts = [row.met for row in rows if row.met is not None]
    text = subject.table([title.replace("ours", name) for title in titles], lines)
    return f"{text}\n\nmet: {sum(verdicts)} of {len(verdicts)}"


def as_json(row: Row) -> dict[str, Any]:
    """A row's figures and verdict."""
    return {**asdict(row), "ratio": row.ratio, "floors": row.floors, "met": row.met, "sure": row.sure}


def main() -> None:
    """Prints the table; exit status 2 where nothing worth printing can be measured."""
    parser = subject.parser("Times an lru_cache beside that of functools.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"passes of each subject (default: {ROUNDS})")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds takes a whole number of at least 1")
    try:
        module = subject.load(options.module)
        factories = subject.factories(module, floor.load())
    except (subject.Refused, floor.Missing) as reason:
        say(str(reason))
        sys.exit(2)
    subject.warn_if_plain()
    rows = []
    for scenario in selected(options.only):
        say(scenario.name)
        try:
            rows.append(timed(scenario, factories, options.rounds))
        except NotHits as reason:
            say(str(reason))
            sys.exit(1)
    rows += other_rows(options.only, options.module)
    if not rows:
        say(f"no row's name contains {options.only!r}")
        sys.exit(2)
    described = {**subject.environment(module), "rounds": str(options.rounds)}
    print(subject.header(described), show(rows, options.module), sep="\n\n")
    subject.write_json(options.json, described, [as_json(row) for row in rows])


if __name__ == "__main__":
    main()
