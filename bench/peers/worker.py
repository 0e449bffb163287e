"""One scenario of one peer, by pyperf, in processes of its own: `python -m peers.worker --peer NAME --scenario NAME`.

All options of pyperf's runner work. With `--once` a scenario that is not timed prints its figure; `--memory` is what
the scenario of memory runs. Exit status 3: the peer can't do it, and the last line of stderr says why.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import pyperf
import scenarios

from peers import adapters, catalog, timers

CANNOT = 3


def _forward(command: list[str], options: Any) -> None:
    """Hand our options on to the processes that pyperf makes."""
    command.extend(["--peer", options.peer, "--scenario", options.scenario])


def _timed(runner: pyperf.Runner, options: Any) -> None:
    name = f"{options.scenario}: {options.peer}"
    if not options.worker:
        # The one that measures nothing itself.
        runner.bench_time_func(name, lambda loops: 0.0)
        return
    with timers.directory():
        timed = catalog.find(options.scenario).make(adapters.find(options.peer))
        gc.collect()
        gc.disable()
        runner.bench_time_func(name, timed.run, inner_loops=timed.calls)


def main() -> None:
    """Measures, and writes what pyperf writes."""
    runner = pyperf.Runner(add_cmdline_args=_forward, program_args=("-m", "peers.worker"))
    runner.argparser.add_argument("--peer", required=True)
    runner.argparser.add_argument("--scenario", default="")
    runner.argparser.add_argument("--once", action="store_true")
    runner.argparser.add_argument("--memory", default="")
    options = runner.parse_args()
    try:
        if options.memory:
            print(timers.memory_taken(adapters.find(options.peer), options.memory))
        elif options.once:
            print(catalog.find(options.scenario).make(adapters.find(options.peer)))
        else:
            _timed(runner, options)
    except (adapters.Cannot, ImportError, scenarios.NotHits) as reason:
        print(reason, file=sys.stderr)
        sys.exit(CANNOT)
    except RuntimeError as error:
        # Of pyperf, when one of its processes has failed, and has said why.
        if str(error).endswith(f"exit code {CANNOT}"):
            sys.exit(CANNOT)
        raise


if __name__ == "__main__":
    main()
