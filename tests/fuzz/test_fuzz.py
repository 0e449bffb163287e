"""The random drivers of tests/fuzz, for some seconds each. `make soak` runs them for as long as you like."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent


@pytest.mark.parametrize("driver", ["memory", "coroutines", "codec", "regions"])
def test_random_driver_finds_nothing(driver):
    if driver == "regions" and sys.platform != "linux":
        pytest.skip("shared caches are for Linux")
    command = [sys.executable, "-X", "faulthandler", str(FUZZ / f"{driver}.py"), "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-8000:]
    assert done.stdout.splitlines()[-1].endswith("rounds")


def test_driver_tells_the_seed_of_a_round_that_fails(tmp_path):
    script = tmp_path / "failing.py"
    script.write_text("from driver import main\nmain('', lambda chance: 1 // 0)\n")
    command = [sys.executable, str(script), "--seed", "7", "--seconds", "1"]
    done = subprocess.run(command, env={"PYTHONPATH": str(FUZZ)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "--rounds 1 --seed 7" in done.stderr
