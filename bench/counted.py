"""What runs under callgrind: all scenarios with one subject, each counted for one stretch of calls and for two.

Started by instructions.py as `counted.py SUBJECT MODULE ONLY`. The k-th scenario's dumps are named `k:1` and `k:2`;
a line `k calls` on stdout says how many calls one stretch has.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import floor
import scenarios
import subject

LONGEST = 20_000  # calls; callgrind runs some fifty times slower than the processor
SHORTEST = 4_096


def count(run: scenarios.Run, number: int, floor_module: Any) -> int:
    """Dumps the counts of one stretch and of two; the number of calls in one."""
    run.keep(LONGEST)
    calls = run.ready(SHORTEST)[1]
    run.ready(2 * calls)[0]()  # not counted: the interpreter specializes, and a bounded cache settles
    for stretches in (1, 2):
        go, made = run.ready(stretches * calls)
        assert made == stretches * calls
        floor_module.count(go, f"{number}:{stretches}")
    return calls


def main() -> None:
    """Counts; see the module's docstring."""
    name, module, only = sys.argv[1].strip(), *sys.argv[2:]
    floor_module = floor.load()
    factories = subject.factories(subject.load(module), floor_module)
    chosen = {name: factories[name]} if name in factories else {}
    gc.disable()
    for number, scenario in enumerate(scenarios.selected(only)):
        if scenario.counted:
            run = scenarios.runs(scenario, chosen).get(name)
            if run is not None:
                print(number, count(run, number, floor_module), flush=True)
                run.miss_ratio()


if __name__ == "__main__":
    main()
