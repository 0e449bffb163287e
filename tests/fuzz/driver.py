"""What the random drivers of this folder share: rounds from seeds until the time is up."""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import time
import traceback
from collections.abc import Callable

# A round that takes longer hangs: the stacks of all threads are printed, and the process ends.
ROUND_SECONDS = 120.0


def main(description: str, play: Callable[[random.Random], str]) -> None:
    """Play rounds until the time is up. `play` makes all choices from its argument, and returns what the round was."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="of the first round (default: by the clock)")
    parser.add_argument("--rounds", type=int, default=None, help="how many rounds at most")
    given = parser.parse_args()
    seed = time.time_ns() % 1_000_000_000 if given.seed is None else given.seed
    end = time.monotonic() + given.seconds
    rounds = 0
    while rounds == 0 or (time.monotonic() < end and rounds != given.rounds):
        faulthandler.dump_traceback_later(ROUND_SECONDS, exit=True)
        # Before it is played: a crash or a hang says nothing any more.
        print(f"seed {seed}", end=" ", flush=True)
        try:
            print(play(random.Random(seed)), flush=True)
        except BaseException:
            traceback.print_exc()
            sys.stdout.flush()
            sys.exit(f"a round failed: play it again with --rounds 1 --seed {seed}")
        rounds += 1
        seed += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"{rounds} rounds")
