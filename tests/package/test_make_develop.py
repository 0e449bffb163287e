"""`make develop` takes a profile of Cargo's, and refuses what is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PROFILE", "VENV", "PYTHON"}

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # The tests may be run by make themselves, whose settings would be handed on.
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("profile", ["fast", "", "debug", "Release", "release dev", "dev'"])
def test_make_develop_refuses_a_profile_that_is_none(profile):
    made = make("develop", f"PROFILE={profile}", "VENV=/nonexistent/venv")
    assert made.returncode != 0
    assert "PROFILE is release (as shipped) or dev (fast to build), not" in made.stderr
    assert made.stdout == ""


def test_make_develop_builds_what_ships_if_it_is_told_no_profile():
    told = make("--dry-run", "develop")
    assert told.returncode == 0, told.stderr
    assert "SETUPTOOLS_RUST_CARGO_PROFILE" not in told.stdout
    assert "SETUPTOOLS_RUST_CARGO_PROFILE=dev" in make("--dry-run", "develop", "PROFILE=dev").stdout


def test_other_targets_do_not_build_with_the_fast_profile():
    for target in ("test-python", "wheel", "lint", "demo"):
        assert "CARGO_PROFILE" not in make("--dry-run", target, "PROFILE=dev").stdout
