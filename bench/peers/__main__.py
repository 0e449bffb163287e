"""`python -m peers install | run | report`, from the folder bench/. `make bench-peers` does all three.

install                 pip installs each cache into this interpreter's environment; those that fail are told of
run --out FILE.json     measures all scenarios, each of all caches in turns, in processes of their own
report FILE.json ...    writes Markdown tables; of several interpreters, where several files are given
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import floor  # noqa: F401  (what the scenarios import must be there before anything is measured)
import pyperf
import subject

from peers import adapters, catalog, report
from peers.worker import CANNOT

# Rounds over all peers, processes and values of each round, shortest time of a value in seconds, and the most seconds
# that one scenario of one peer may take in a round.
FULL = {"rounds": 5, "processes": 4, "values": 3, "min_time": 0.1, "longest": 300}
QUICK = {"rounds": 1, "processes": 3, "values": 3, "min_time": 0.02, "longest": 60}

RESULTS = Path(__file__).parent.parent / "results"

Figure = dict[str, Any]


def free_threaded() -> bool:
    """Whether this interpreter was built to run without the GIL; what is imported may switch it on."""
    return bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def say(text: str, end: str = "\n") -> None:
    """Progress, which is not part of the result."""
    print(text, file=sys.stderr, end=end, flush=True)


def run_process(arguments: list[str], longest: float = 60) -> subprocess.CompletedProcess[str]:
    """Run this interpreter, in a process group that ends with it. Raises subprocess.TimeoutExpired."""
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=longest)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


# ---- install --------------------------------------------------------------------------------------------------------


def install(reasons: Path) -> None:
    """Install the newest release of each peer, and write to a file why it can't be done where it can't."""
    failed = {}
    for peer in adapters.PEERS:
        if not peer.package or peer.package == "tamis":
            continue
        say(f"installing {peer.package} … ", end="")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", peer.package],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            failed[peer.name] = f"can't be installed: {report.last_words(done.stdout + done.stderr)}"
        say(failed.get(peer.name, peer.version() if done.returncode == 0 else ""))
    reasons.parent.mkdir(parents=True, exist_ok=True)
    reasons.write_text(json.dumps(failed))


# ---- run ------------------------------------------------------------------------------------------------------------


def looked_at(peer: adapters.Peer, reasons: dict[str, str]) -> dict[str, str]:
    """Version of a peer, or why it is not there; and whether it switches the GIL on."""
    if peer.name in reasons:
        return {"why": reasons[peer.name]}
    code = f"import sys, {peer.module}; print(getattr(sys, '_is_gil_enabled', lambda: True)())"
    done = run_process(["-W", "ignore", "-c", code])
    if done.returncode != 0:
        return {"why": report.last_words(done.stderr)}
    return {"version": peer.version(), "gil": "on" if done.stdout.strip() == "True" else "off"}


def once(peer: adapters.Peer, scenario: catalog.Scenario, settings: dict[str, Any]) -> Figure:
    """The figure of a scenario that is not timed."""
    done = run_process(
        ["-m", "peers.worker", "--once", "--peer", peer.name, "--scenario", scenario.name], settings["longest"]
    )
    if done.returncode != 0:
        return {"why": report.last_words(done.stderr)}
    return {"values": [float(done.stdout)]}


def timed(peer: adapters.Peer, scenario: catalog.Scenario, settings: dict[str, Any]) -> Figure:
    """Nanoseconds a call, or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "pyperf.json")
        options = {
            "--processes": settings["processes"], "--values": settings["values"], "--warmups": 1,
            "--min-time": settings["min_time"], "--output": out, "--peer": peer.name, "--scenario": scenario.name,
        }  # fmt: skip
        arguments = [str(part) for pair in options.items() for part in pair]
        done = run_process(
            ["-m", "peers.worker", "--quiet", "--inherit-environ", "PYTHONPATH", *arguments], settings["longest"]
        )
        if done.returncode != 0:
            failed = "" if done.returncode == CANNOT else "failed: "
            return {"why": failed + report.last_words(done.stderr)}
        bench = pyperf.Benchmark.load(str(out))
    return {"values": [1e9 * value for value in bench.get_values()], "loops": bench.get_total_loops()}


def measure(peer: adapters.Peer, scenario: catalog.Scenario, settings: dict[str, Any]) -> Figure:
    """One round of one peer."""
    try:
        return timed(peer, scenario, settings) if scenario.unit == "ns" else once(peer, scenario, settings)
    except subprocess.TimeoutExpired:
        return {"why": f"took more than {settings['longest']} s"}


def row(scenario: catalog.Scenario, peers: list[adapters.Peer], settings: dict[str, Any]) -> dict[str, Any]:
    """One scenario of all peers, in turns."""
    figures: dict[str, Figure] = {}
    rounds = settings["rounds"] if scenario.unit == "ns" else 1
    for turn in range(rounds):
        # Forwards and backwards, so that nobody always comes when the machine is in the same mood.
        for peer in peers if turn % 2 == 0 else peers[::-1]:
            if "why" in figures.get(peer.name, {}):
                continue
            made = measure(peer, scenario, settings)
            if "why" in made:
                figures[peer.name] = made
            else:
                figures.setdefault(peer.name, {"values": []})["values"] += made["values"]
    parts = {key: getattr(scenario, key) for key in ("group", "name", "unit", "series", "number")}
    return {**parts, "figures": {peer.name: figures[peer.name] for peer in peers}}


def run(options: argparse.Namespace) -> None:
    """Measure, and write the file anew after each scenario."""
    settings = QUICK if options.quick else FULL
    reasons = json.loads(options.reasons.read_text()) if options.reasons.exists() else {}
    chosen = [peer for peer in adapters.PEERS if not options.peers or peer.name in options.peers.split(",")]
    seen = {peer.name: looked_at(peer, reasons) for peer in chosen}
    there = [peer for peer in chosen if "version" in seen[peer.name]]
    module = subject.load("tamis")
    environment = {
        **subject.environment(module),
        "pyperf": importlib.metadata.version("pyperf"),
        "processors": str(os.cpu_count()),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "date": datetime.date.today().isoformat(),
        "settings": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in settings.items()),
    }
    subject.warn_if_plain()
    result: dict[str, Any] = {"environment": environment, "free_threaded": free_threaded(), "peers": seen, "rows": []}
    rows: list[dict[str, Any]] = result["rows"]
    for scenario in catalog.SCENARIOS:
        if options.only.lower() not in f"{scenario.group}: {scenario.name}".lower():
            continue
        say(f"{scenario.group}: {scenario.name}")
        rows.append(row(scenario, there, settings))
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m peers", description="Measures caches beside each other.")
    # Each interpreter has files of its own.
    default = RESULTS / f"peers-{sys.implementation.cache_tag}{'t' if free_threaded() else ''}.json"
    reasons = RESULTS / f"{default.stem}.not-installed"
    parser.add_argument("--reasons", type=Path, default=reasons, help="why some peers could not be installed")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install")
    running = commands.add_parser("run")
    running.add_argument("--out", type=Path, default=default, metavar="FILE.json", help=f"default: {default}")
    running.add_argument("--quick", action="store_true", help="some minutes instead of an hour; figures are rough")
    running.add_argument("--only", default="", metavar="SUBSTR", help="rows whose 'group: name' contains this")
    running.add_argument("--peers", default="", metavar="A,B", help="these caches only")
    reporting = commands.add_parser("report")
    reporting.add_argument("files", nargs="+", type=Path, metavar="FILE.json")
    reporting.add_argument("--folder", type=Path, default=RESULTS, help="where the tables go, one file a group")
    options = parser.parse_args()
    if options.command == "install":
        install(options.reasons)
    elif options.command == "run":
        run(options)
    else:
        report.write([json.loads(path.read_text()) for path in options.files], options.folder)


if __name__ == "__main__":
    main()
