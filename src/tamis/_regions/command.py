"""The commands of `python -m tamis shared`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tamis import _core
from tamis._console import PROGRAM, fail, parser_for
from tamis._regions.directory import Directory, Region, label_of
from tamis._regions.entries import entry_as_json, left_text
from tamis._regions.help import CLEAR_HELP, LIST_HELP, REMOVE_HELP, SHARED_HELP, SHOW_HELP
from tamis._regions.text import bytes_text, percent_text, printable, several, size_text, span_text
from tamis._table import write_table


def _hit_rate(stats: dict[str, int]) -> float | None:
    calls = stats["hits"] + stats["misses"]
    return stats["hits"] / calls if calls else None


def _region_as_json(region: Region) -> Region:
    rate = {"hit_rate": _hit_rate(region["stats"])} if "stats" in region else {}
    return {"name": None, **region, **rate}


def _print_json(content: object) -> None:
    print(json.dumps(content, indent=1))


def _list(directory: Directory, options: Any) -> None:
    regions = directory.regions
    if options.json:
        _print_json({"directory": directory.path, "regions": [_region_as_json(region) for region in regions]})
        return
    reserved = sum(region.get("file_bytes", 0) for region in regions)
    summary = f"tamis: {several(len(regions), 'region', 'regions')} in {printable(directory.path)}"
    titles = ("region", "state", "entries", "size", "hits", "misses", "hit rate", "processes", "last")
    rows = [[printable(label_of(region)), region["state"], *_list_cells(region)] for region in regions]
    write_table(sys.stdout, f"{summary}, {size_text(reserved)}" if regions else summary, titles, rows, titles[:2])
    for region in regions:
        if region["why"]:
            print(f"refused: {printable(region['why'])}")


def _list_cells(region: Region) -> list[str]:
    if "stats" not in region:
        return [""] * 7
    stats, processes = region["stats"], region["processes"]
    return [
        f"{stats['currsize']:,}",
        f"{size_text(stats['bytes'])} of {size_text(region['file_bytes'])}",
        f"{stats['hits']:,}",
        f"{stats['misses']:,}",
        percent_text(_hit_rate(stats)),
        "?" if processes is None else f"{len(processes):,}",
        span_text(region["last"]),
    ]


def _show(directory: Directory, options: Any) -> None:
    region = directory.find(options.name)
    if "stats" not in region:
        directory.fail_unusable(region)
    values = options.values or options.unpickle
    entries = directory.call(_core._region_entries, directory.path, region["file"], options.entries, values)
    if entries is None:
        directory.fail_gone(region)
    shorten = not options.json
    shown = [entry_as_json(entry, values, options.unpickle, shorten) for entry in entries]
    if options.json:
        _print_json({"directory": directory.path, **_region_as_json(region), "entries": shown})
        return
    facts = _facts(directory, region)
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    print()
    titles = ["call", "size", "form", "age", "left", "read"]
    rows = [
        [
            *(entry["call"], size_text(entry["size"]), entry["form"]),
            *(span_text(entry["age"]), left_text(entry), "yes" if entry["read"] else "no"),
        ]
        for entry in shown
    ]
    if values:
        titles.append("value")
        rows = [[*row, entry["value"]] for row, entry in zip(rows, shown, strict=True)]
    summary = f"the newest of {several(region['stats']['currsize'], 'entry', 'entries')}:"
    if rows:
        write_table(sys.stdout, summary, titles, rows, ("call", "form", "left", "read", "value"))


def _facts(directory: Directory, region: Region) -> dict[str, str]:
    stats, processes = region["stats"], region["processes"] or ()
    state = region["state"]
    if processes:
        numbers = ", ".join(map(str, processes[:20])) + (", …" if len(processes) > 20 else "")
        state += f" by {several(len(processes), 'process', 'processes')}: {numbers}"
    made = region["made"]
    last = region["last"]
    counts = {name.replace("_", " "): f"{count:,}" for name, count in stats.items() if name not in _NOT_COUNTS}
    return {
        "region": printable(region["name"]),
        "file": printable(os.path.join(directory.path, region["file"])),
        "state": state,
        "maxsize": "none" if region["maxsize"] is None else f"{region['maxsize']:,}",
        "max_bytes": bytes_text(region["max_bytes"]),
        "made": "unknown" if made is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made)),
        "last stored": "unknown" if last is None else f"{span_text(last)} ago",
        "entries": f"{stats['currsize']:,}",
        "bytes": bytes_text(stats["bytes"]),
        "hit rate": percent_text(_hit_rate(stats)) or "no calls",
        **counts,
    }


# What is shown under another name, or is always 0 in shared caches.
_NOT_COUNTS = ("currsize", "bytes", "weight")


def _clear(directory: Directory, options: Any) -> None:
    region = directory.find(options.name)
    if region["state"] not in ("in use", "idle", "other namespace"):
        directory.fail_unusable(region)
    cleared = directory.call(_core._region_clear, directory.path, region["file"])
    if cleared is None:
        directory.fail_gone(region)
    if options.json:
        _print_json({"name": region["name"], "file": region["file"], "cleared": cleared})
        return
    print(f"cleared {printable(region['name'])}: {several(cleared, 'entry', 'entries')}")


def _remove(directory: Directory, options: Any) -> None:
    region = directory.find(options.name)
    if not directory.call(_core._region_remove, directory.path, region["file"]):
        directory.fail_gone(region)
    processes = region.get("processes") or []
    if options.json:
        content = {"name": region.get("name"), "file": region["file"], "removed": True, "processes": processes}
        _print_json(content)
        return
    in_use = ""
    if processes:
        count = several(len(processes), "process that has it open goes", "processes that have it open go")
        in_use = f"; {count} on with it"
    print(f"removed {printable(label_of(region))}{in_use}")


# The function of each command, and its help.
COMMANDS: dict[str, tuple[Callable[[Directory, Any], None], str]] = {
    "list": (_list, LIST_HELP),
    "show": (_show, SHOW_HELP),
    "clear": (_clear, CLEAR_HELP),
    "remove": (_remove, REMOVE_HELP),
}


def shared(arguments: list[str]) -> None:
    """Run the command that the arguments name."""
    command = arguments[0] if arguments else ""
    if command in ("-h", "--help"):
        print(SHARED_HELP, end="")
        return
    if command not in COMMANDS:
        what = f"unknown command {command!r}" if command else "a command is missing"
        fail(f"shared: {what}: there are {', '.join(COMMANDS)} (see {PROGRAM} shared --help)")
    run, help_text = COMMANDS[command]
    parser = parser_for(f"shared {command}", help_text)
    if command != "list":
        parser.add_argument("name", metavar="NAME")
    if command == "show":
        parser.add_argument("--entries", type=_number, default=10, metavar="N")
        parser.add_argument("--values", action="store_true")
        parser.add_argument("--unpickle", action="store_true")
    parser.add_argument("--path", metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments[1:])
    # A terminal may not have all characters that keys have.
    reconfigure: Callable[..., None] | None = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
    try:
        run(Directory(command, options.path), options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads the output has closed it. The interpreter would flush once more, and print an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"a number from 0 on, not {text!r}")
    return int(text)
