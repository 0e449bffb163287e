"""`python -m tamis shared`: looks after the regions of shared caches."""

from __future__ import annotations

import json
import os
import reprlib
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from tamis import _core
from tamis._cli import PROGRAM, fail, parser_for
from tamis._table import write_table

SHARED_HELP = """\
usage: python -m tamis shared list   [--path DIR] [--json]
       python -m tamis shared show   NAME [--entries N] [--values] [--unpickle]
                                     [--path DIR] [--json]
       python -m tamis shared clear  NAME [--path DIR] [--json]
       python -m tamis shared remove NAME [--path DIR] [--json]

Look after regions: the files that hold the entries of caches with
backend="shared", one for each, for all processes of one user.

commands:
  list    a table of all regions
  show    what one is for, its counts, and its newest entries
  clear   drop the entries of one, and zero its counts
  remove  remove the file of one

arguments:
  NAME        a region's name, or its file's, or a beginning of either that no
              other region has. Where a function was given no name, it is its
              module, its qualified name and a number for its code.

options:
  --path DIR  the directory of the regions, as the caches' option `path`.
              Default: the user's own in /dev/shm
  --json      as JSON
  -h, --help  show this help, or that of a command behind its name

states:
  in use           processes that live have it open
  idle             none has; whoever opens it finds its entries
  other namespace  its processes are of another pid namespace (a container),
                   and can't be told from here
  earlier boot     its times are of an earlier boot; it is replaced when it is
                   opened
  other layout     another version of tamis made it; it is replaced
  damaged          its header does not hold; it is replaced
  refused          it belongs to another user, others may write it, or it is a
                   link: caches that want it raise PermissionError

security:
  What a region holds is held against bounds and checks before it is shown.
  Nothing that it holds is run: pickled values are loaded with `show
  --unpickle` only.

exit status:
  0  done
  1  the reader of the output has gone
  2  the command line is wrong, no region or several are meant, or the system
     said no; one line on stderr says why

examples:
  python -m tamis shared list
  python -m tamis shared show shop.price --entries 5 --values
  python -m tamis shared clear shop.price
  python -m tamis shared list --path /var/cache/shop --json
"""

LIST_HELP = """\
usage: python -m tamis shared list [--path DIR] [--json]

List the regions in a directory.

options:
  --path DIR  the directory. Default: the user's own in /dev/shm
  --json      as JSON: {"directory", "regions": [{"name", "file", "state", …}]}
  -h, --help  show this help

columns:
  region     its name, or its file's name if what it holds can't be trusted
  state      see `python -m tamis shared --help`
  entries    how many it holds
  size       bytes of their keys and values, of the bytes of the file
  hits, misses, hit rate
             of all processes, since the region was made or cleared
  processes  how many have it open
  last       how long ago the newest entry was stored (with `tti`: read)

Looking changes nothing, takes no lock, and holds nobody up.

exit status:
  0, or 2 with one line on stderr. A directory that is not there is an error
  where --path names it.
"""

SHOW_HELP = """\
usage: python -m tamis shared show NAME [--entries N] [--values] [--unpickle]
                                   [--path DIR] [--json]

Show a region: what it is for, its counts, and its newest entries.

arguments:
  NAME         its name, or its file's, or a beginning of either that no other
               region has

options:
  --entries N  show so many entries. Default: 10
  --values     show values too. Those that pickle or a serializer has made are
               told by their size alone
  --unpickle   as --values, and load what pickle has made. THIS RUNS CODE THAT
               WHOEVER STORED THE VALUE HAS CHOSEN, and imports its modules
  --path DIR   the directory. Default: the user's own in /dev/shm
  --json       as JSON; calls and values are then not shortened
  -h, --help   show this help

columns of the entries:
  call   the arguments. Those of other than built-in types are told by their
         type, as '<module.type>'
  size   bytes of the value
  form   who has made them: tamis's codec, pickle, or a serializer
  age    since it was stored, or last read where there is a `tti`
  left   how long it stays fresh; or that it is stale, and for how long
  read   whether it was read since the hand of SIEVE last passed it
  value  with --values

Looking changes nothing, takes no lock, and holds nobody up: entries that come
and go meanwhile may be shown or not.

exit status:
  0, or 2 with one line on stderr.
"""

CLEAR_HELP = """\
usage: python -m tamis shared clear NAME [--path DIR] [--json]

Drop all entries of a region and zero its counts, as cache_clear() does. All
processes that have it open see that at once.

arguments:
  NAME        its name, or its file's, or a beginning of either that no other
              region has

options:
  --path DIR  the directory. Default: the user's own in /dev/shm
  --json      as JSON: {"name", "file", "cleared": the number of entries}
  -h, --help  show this help

exit status:
  0, or 2 with one line on stderr: no such region, one that can't be trusted
  (`remove` it), or its lock was held by another process for seconds.
"""

REMOVE_HELP = """\
usage: python -m tamis shared remove NAME [--path DIR] [--json]

Remove the file of a region, whatever its state. Processes that have it open go
on with theirs, together, until they end; the memory is given back then. Who
opens it from now on gets a new one, and the two know nothing of each other: to
have all processes forget entries, use `clear`.

arguments:
  NAME        its name, or its file's, or a beginning of either that no other
              region has

options:
  --path DIR  the directory. Default: the user's own in /dev/shm
  --json      as JSON: {"name", "file", "removed", "processes"}
  -h, --help  show this help

exit status:
  0, or 2 with one line on stderr.
"""

# The sizes of what is shown of a call or a value.
MOST_OF_ONE, MOST_OF_ALL = 60, 100

Region = dict[str, Any]


class Directory:
    """The regions of one directory, and the name of the command for its errors."""

    def __init__(self, command: str, path: str | None) -> None:
        self.command = command
        self.path, regions = self.call(_core._regions, path)
        if regions is None and path is not None:
            self.fail(f"there is no directory {_printable(self.path)}")
        self.regions: list[Region] = sorted(regions or (), key=_label)

    def fail(self, message: str) -> NoReturn:
        fail(f"shared {self.command}: {message}")

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the core whose errors are for the user."""
        try:
            return function(*arguments)
        except OSError as error:
            self.fail(_printable(str(error.strerror or error)))
        except ValueError as error:
            self.fail(_printable(str(error)))

    def find(self, name: str) -> Region:
        """Return the one region that is meant."""
        labels = [(label, region) for region in self.regions for label in (region.get("name"), region["file"])]
        for label, region in labels:
            if label == name:
                return region
        meant = {region["file"]: region for label, region in labels if label is not None and label.startswith(name)}
        if not meant:
            self.fail(f"no region in {_printable(self.path)} has a name that begins with {name!r}")
        if len(meant) > 1:
            some = [_printable(_label(region)) for region in list(meant.values())[:4]]
            more = ", …" if len(meant) > len(some) else ""
            self.fail(f"{name!r} is the beginning of {len(meant)} names: {', '.join(some)}{more}")
        return next(iter(meant.values()))

    def fail_unusable(self, region: Region) -> NoReturn:
        """Say why nothing can be done with a region."""
        why = region["why"] or f"its state is: {region['state']} (see {PROGRAM} shared --help)"
        self.fail(f"{_printable(_label(region))}: {_printable(why)}")

    def fail_gone(self, region: Region) -> NoReturn:
        self.fail(f"{_printable(_label(region))} has just gone, or was replaced")


def _label(region: Region) -> str:
    name: str = region.get("name") or region["file"]
    return name


def _printable(text: str) -> str:
    """The text on one line, whatever is in it: files may be named by anyone."""
    return text if text.isprintable() else repr(text)[1:-1]


def _size(count: int) -> str:
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.3g} {units[0]}" if size < 1000 else f"{size:.0f} {units[0]}"


def _bytes(count: int) -> str:
    return f"{count:,} ({_size(count)})" if count >= 1024 else f"{count:,}"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def _rate(stats: dict[str, int]) -> float | None:
    calls = stats["hits"] + stats["misses"]
    return stats["hits"] / calls if calls else None


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.1%}"


def _several(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _as_json(region: Region) -> Region:
    rate = {"hit_rate": _rate(region["stats"])} if "stats" in region else {}
    return {"name": None, **region, **rate}


def _print_json(content: object) -> None:
    print(json.dumps(content, indent=1))


def _list(directory: Directory, options: Any) -> None:
    regions = directory.regions
    if options.json:
        _print_json({"directory": directory.path, "regions": [_as_json(region) for region in regions]})
        return
    reserved = sum(region.get("file_bytes", 0) for region in regions)
    summary = f"tamis: {_several(len(regions), 'region', 'regions')} in {_printable(directory.path)}"
    titles = ("region", "state", "entries", "size", "hits", "misses", "hit rate", "processes", "last")
    rows = [[_printable(_label(region)), region["state"], *_list_cells(region)] for region in regions]
    write_table(sys.stdout, f"{summary}, {_size(reserved)}" if regions else summary, titles, rows, titles[:2])
    for region in regions:
        if region["why"]:
            print(f"refused: {_printable(region['why'])}")


def _list_cells(region: Region) -> list[str]:
    if "stats" not in region:
        return [""] * 7
    stats, processes = region["stats"], region["processes"]
    return [
        f"{stats['currsize']:,}",
        f"{_size(stats['bytes'])} of {_size(region['file_bytes'])}",
        f"{stats['hits']:,}",
        f"{stats['misses']:,}",
        _percent(_rate(stats)),
        "?" if processes is None else f"{len(processes):,}",
        _span(region["last"]),
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
    shown = [_entry(entry, values, options.unpickle, shorten) for entry in entries]
    if options.json:
        _print_json({"directory": directory.path, **_as_json(region), "entries": shown})
        return
    facts = _facts(directory, region)
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    print()
    titles = ["call", "size", "form", "age", "left", "read"]
    rows = [
        [entry["call"], _size(entry["size"]), entry["form"], _span(entry["age"]), _left(entry), _yes(entry["read"])]
        for entry in shown
    ]
    if values:
        titles.append("value")
        rows = [[*row, entry["value"]] for row, entry in zip(rows, shown, strict=True)]
    summary = f"the newest of {_several(region['stats']['currsize'], 'entry', 'entries')}:"
    if rows:
        write_table(sys.stdout, summary, titles, rows, ("call", "form", "left", "read", "value"))


def _facts(directory: Directory, region: Region) -> dict[str, str]:
    stats, processes = region["stats"], region["processes"] or ()
    state = region["state"]
    if processes:
        numbers = ", ".join(map(str, processes[:20])) + (", …" if len(processes) > 20 else "")
        state += f" by {_several(len(processes), 'process', 'processes')}: {numbers}"
    made = region["made"]
    last = region["last"]
    counts = {name.replace("_", " "): f"{count:,}" for name, count in stats.items() if name not in _ELSEWHERE}
    return {
        "region": _printable(region["name"]),
        "file": _printable(os.path.join(directory.path, region["file"])),
        "state": state,
        "maxsize": "none" if region["maxsize"] is None else f"{region['maxsize']:,}",
        "max_bytes": _bytes(region["max_bytes"]),
        "made": "unknown" if made is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made)),
        "last stored": "unknown" if last is None else f"{_span(last)} ago",
        "entries": f"{stats['currsize']:,}",
        "bytes": _bytes(stats["bytes"]),
        "hit rate": _percent(_rate(stats)) or "no calls",
        **counts,
    }


# What is told under another name, or is always 0 in shared caches.
_ELSEWHERE = ("currsize", "bytes", "weight")


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _entry(entry: dict[str, Any], values: bool, unpickle: bool, shorten: bool) -> dict[str, Any]:
    """An entry as it is shown, and as JSON has it."""
    value = {"value": _value(entry, unpickle, shorten)} if values else {}
    return {
        "call": _call(entry["key"], shorten),
        "size": entry["size"],
        "form": entry["maker"],
        "age": entry["age"],
        "fresh_for": entry["fresh"],
        "stale_for": entry["stale"],
        "idle_at_most": entry["idle"],
        "read": entry["visited"],
        **value,
    }


def _left(entry: dict[str, Any]) -> str:
    fresh, stale, idle, age = entry["fresh_for"], entry["stale_for"], entry["idle_at_most"], entry["age"]
    spans = [span for span in (fresh, None if idle is None or age is None else idle - age) if span is not None]
    if not spans:
        return ""
    if min(spans) > 0:
        return _span(min(spans))
    if idle is not None and age is not None and age > idle:
        return "idle for too long"
    return f"stale, {_span(stale)}" if stale is not None and stale > 0 else "expired"


def _call(key: bytes, shorten: bool) -> str:
    call = _core._call(key)
    if call is None:
        return f"<{_several(len(key), 'byte', 'bytes')}>"
    positional, named = call
    arguments = [_text(value, shorten) for value in positional]
    arguments += [f"{_printable(str(name))}={_text(value, shorten)}" for name, value in named]
    return _cut(f"({', '.join(arguments)})", shorten)


def _value(entry: dict[str, Any], unpickle: bool, shorten: bool) -> str:
    size = _several(entry["size"], "byte", "bytes")
    if entry["maker"] == "serializer":
        return f"<{size} of a serializer>"
    if entry["maker"] == "pickle" and not unpickle:
        return f"<{size} of pickle>"
    decoded = _core._loads(entry["value"])
    if decoded is None:
        return f"<{size} that can't be loaded>"
    return _cut(_text(decoded[0], shorten), shorten)


def _cut(text: str, shorten: bool) -> str:
    text = _printable(text)
    return text if len(text) <= MOST_OF_ALL or not shorten else text[: MOST_OF_ALL - 1] + "…"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = MOST_OF_ONE


def _text(value: object, shorten: bool) -> str:
    try:
        return _SHORT.repr(value) if shorten else repr(value)
    except Exception as error:
        # An int of too many digits, or an object's own __repr__.
        return f"<{type(value).__name__}: {type(error).__name__}>"


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
    print(f"cleared {_printable(region['name'])}: {_several(cleared, 'entry', 'entries')}")


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
        count = _several(len(processes), "process that has it open goes", "processes that have it open go")
        in_use = f"; {count} on with it"
    print(f"removed {_printable(_label(region))}{in_use}")


# What does it, and its help.
COMMANDS: dict[str, tuple[Callable[[Directory, Any], None], str]] = {
    "list": (_list, LIST_HELP),
    "show": (_show, SHOW_HELP),
    "clear": (_clear, CLEAR_HELP),
    "remove": (_remove, REMOVE_HELP),
}


def shared(arguments: list[str]) -> None:
    """Run `shared COMMAND`."""
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
        # Who read the output has gone. The interpreter would flush once more, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        from argparse import ArgumentTypeError

        raise ArgumentTypeError(f"a number from 0 on, not {text!r}")
    return int(text)
