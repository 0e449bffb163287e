"""What an option costs a hit: `python bench/options.py`.

Times the same calls of the same function in caches of this module: without options, and with one or two. All run in one
process, in turns; the least of many passes counts, and the ratio to the plain cache.
"""

from __future__ import annotations

import gc
import operator
import time
from statistics import median
from typing import Any

import loops
import subject

ROUNDS = 60
KEYS = 256
REPEATS = 40

# Options, and what is asked: at most so many times a hit without.
CASES: list[tuple[str, dict[str, Any], float | None]] = [
    ("no option", {}, None),
    ("ttl of a minute", {"ttl": 60}, 1.25),
    ("ttl and tti of a minute", {"ttl": 60, "tti": 60}, 1.35),
    ("ttl of half a second (the exact clock)", {"ttl": 0.5}, None),
    ("single_flight", {"single_flight": True}, None),
    ("on_evict", {"on_evict": print}, None),
    ("ignore, of no argument", {"ignore": "rest"}, None),
]

# For a function of two arguments.
PAIRS: list[tuple[str, dict[str, Any], float | None]] = [
    ("no option", {}, None),
    ("ignore the second", {"ignore": "b"}, 1.3),
]

# For arguments that are tuples.
TUPLES: list[tuple[str, dict[str, Any], float | None]] = [
    ("no option", {}, None),
    ("key=itemgetter(0)", {"key": operator.itemgetter(0)}, 2),
]

METHODS: list[tuple[str, float | None]] = [("method, lru_cache", None), ("method, cached_method", 1.3)]


def _one(x: Any, *rest: Any) -> Any:
    return x


Run = tuple[Any, loops.LoopFunction]


def _two(a: Any, b: Any) -> Any:
    return a


def functions(
    module: Any, cases: list[tuple[str, dict[str, Any], float | None]], function: Any, loop: loops.LoopFunction
) -> list[Run]:
    """The function cached in each of these ways, each with a loop of its own."""
    decorators = [module.lru_cache(maxsize=4 * KEYS, **options) for _, options, _ in cases]
    return [(decorate(function), loops.fresh(loop)) for decorate in decorators]


def methods(module: Any) -> list[Run]:
    """The cases of `METHODS`: instances whose method is cached for all of them, and for each."""
    runs = []
    for decorate in (module.lru_cache(maxsize=4 * KEYS), module.cached_method(maxsize=4 * KEYS)):
        # A class of its own: its method is part of what the interpreter notes in the loop.
        owner = type("Owner", (), {"m": decorate(lambda self, x: x)})
        runs.append((owner(), loops.fresh(loops.METHOD.call)))
    return runs


def measured(runs: list[Run], keys: list[Any], rounds: int) -> list[list[float]]:
    """For each case the nanoseconds a call, one figure a round."""
    taken: list[list[float]] = [[] for _ in runs]
    gc.collect()
    gc.disable()
    try:
        for turn in range(-1, rounds):
            for number, (cached, loop) in enumerate(runs):
                # So that nothing expires during a pass.
                loop(cached, keys, 1)
                start = time.perf_counter_ns()
                loop(cached, keys, REPEATS)
                if turn >= 0:
                    taken[number].append((time.perf_counter_ns() - start) / (REPEATS * len(keys)))
    finally:
        gc.enable()
    return taken


def _named(cases: list[tuple[str, dict[str, Any], float | None]]) -> list[tuple[str, float | None]]:
    return [(name, asked) for name, _, asked in cases]


def main() -> None:
    """Prints the table; exit status 2 where nothing worth printing can be measured."""
    parser = subject.parser("Times hits of caches with options beside those of a plain one.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"passes of each case (default: {ROUNDS})")
    options, module = subject.begin(parser)
    rows, as_rows = [], []
    ints, texts = list(range(KEYS)), [f"key {number}" for number in range(KEYS)]
    one, two = loops.POSITIONAL.call, loops.TWO_POSITIONAL.call
    for kind, keys, cases, runs in (
        ("int", ints, _named(CASES), functions(module, CASES, _one, one)),
        ("str", texts, _named(CASES), functions(module, CASES, _one, one)),
        ("two ints", list(zip(ints, ints, strict=True)), _named(PAIRS), functions(module, PAIRS, _two, two)),
        ("tuple", [(number,) for number in ints], _named(TUPLES), functions(module, TUPLES, _one, one)),
        ("int", ints, METHODS, methods(module)),
    ):
        taken = measured(runs, keys, options.rounds)
        for (name, asked), figures in zip(cases, taken, strict=True):
            ratio = min(figures) / min(taken[0])
            middle = median(with_it / plain for with_it, plain in zip(figures, taken[0], strict=True))
            met = "" if asked is None else "yes" if ratio <= asked else "NO"
            cells = [subject.number(value, 2) for value in (ratio, middle, asked)]
            rows.append([f"{kind}, {name}", subject.number(min(figures)), *cells, met])
            as_rows.append({"name": f"{kind}, {name}", "least": min(figures), "ratio": ratio, "asked": asked})
    described = {**subject.environment(module), "rounds": str(options.rounds)}
    titles = ["ns per hit, loop included", "least", "times plain", "median", "asked", "met"]
    print(subject.header(described), subject.table(titles, rows), sep="\n\n")
    subject.write_json(options.json, described, as_rows)


if __name__ == "__main__":
    main()
