"""The commands of `python -m tamis remote`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from tamis._console import PROGRAM, fail, parser_for
from tamis._regions.text import printable, several
from tamis._table import write_table
from tamis.remote import _names
from tamis.remote._help import REMOTE_HELP
from tamis.remote._leases import Leases

# How many names a SCAN looks at, and an UNLINK takes.
_BATCH = 1000
_UNLINKED = 100


def remote(arguments: list[str]) -> None:
    """`remote`: looks after namespaces."""
    parser = parser_for("remote", REMOTE_HELP)
    parser.add_argument("url", metavar="URL")
    parser.add_argument("command", choices=("list", "show", "clear"))
    parser.add_argument("namespace", metavar="NAMESPACE", nargs="?")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if (options.command == "list") != (options.namespace is None):
        wrong = "takes no NAMESPACE" if options.command == "list" else "takes a NAMESPACE"
        fail(f"remote: {options.command} {wrong} (see {PROGRAM} remote --help)")
    try:
        import redis
    except ImportError:
        fail("remote: needs the package redis: pip install 'tamis[redis]'")
    try:
        client = redis.Redis.from_url(options.url, protocol=2, socket_timeout=10, socket_connect_timeout=10)
    except ValueError as error:
        fail(f"remote: {error}")
    try:
        _COMMANDS[options.command](client, options)
    except redis.RedisError as error:
        fail(f"remote: the server at {options.url} does not answer: {error}")


class _Function:
    """What a function has on the server."""

    def __init__(self) -> None:
        self.epoch: bytes | None = None
        self.entries: Counter[bytes] = Counter()
        self.leases = 0

    @property
    def current(self) -> int:
        return self.entries[self.epoch] if self.epoch is not None else 0

    @property
    def older(self) -> int:
        return self.entries.total() - self.current


def _scan(client: Any, pattern: bytes) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        cursor, names = client.scan(cursor, match=pattern, count=_BATCH)
        yield names
        if cursor == 0:
            return


def _look(client: Any, pattern: bytes) -> dict[tuple[str, str], _Function]:
    """Return the functions whose names begin so, by namespace and name."""
    functions: dict[tuple[str, str], _Function] = {}
    # SCAN may tell a name twice.
    seen: set[bytes] = set()
    for names in _scan(client, pattern):
        for name in set(names) - seen:
            seen.add(name)
            parts = _names.parse(name)
            if parts is None:
                continue
            function = functions.setdefault((unquote(parts.namespace), unquote(parts.function)), _Function())
            if parts.is_lease:
                function.leases += 1
            elif parts.epoch is None:
                function.epoch = client.get(name)
            else:
                function.entries[parts.epoch] += 1
    return functions


def _list(client: Any, options: Any) -> None:
    functions = _look(client, _names.pattern(None))
    namespaces: dict[str, list[_Function]] = {}
    for (namespace, _), function in functions.items():
        namespaces.setdefault(namespace, []).append(function)
    rows = [
        {
            "namespace": namespace,
            "functions": len(own),
            "entries": sum(function.current for function in own),
            "older": sum(function.older for function in own),
            "leases": sum(function.leases for function in own),
        }
        for namespace, own in sorted(namespaces.items())
    ]
    if options.json:
        print(json.dumps({"namespaces": rows}, indent=1))
        return
    _write(f"tamis: {several(len(rows), 'namespace', 'namespaces')}", "namespace", rows)


def _own(client: Any, options: Any) -> dict[str, _Function]:
    functions = _look(client, _names.pattern(options.namespace))
    functions.update(_look(client, _names.pattern(options.namespace, leases=True)))
    own = {name: function for (namespace, name), function in functions.items() if namespace == options.namespace}
    if not own:
        fail(f"remote: there is no namespace {options.namespace!r} on this server")
    return own


def _show(client: Any, options: Any) -> None:
    own = _own(client, options)
    rows = [
        {"function": name, "entries": function.current, "older": function.older, "leases": function.leases}
        for name, function in sorted(own.items())
    ]
    if options.json:
        print(json.dumps({"namespace": options.namespace, "functions": rows}, indent=1))
        return
    summary = f"tamis: {several(len(rows), 'function', 'functions')} in the namespace {printable(options.namespace)}"
    _write(summary, "function", rows)


def _clear(client: Any, options: Any) -> None:
    own = _own(client, options)
    count = sum(function.current for function in own.values())
    epochs = Leases(1.0)
    # First, so that what is unlinked is nobody's any more.
    for name in own:
        client.set(_names.FunctionNames(options.namespace, name).epoch_key, epochs.new_token())
    for pattern in (_names.pattern(options.namespace), _names.pattern(options.namespace, leases=True)):
        for names in _scan(client, pattern):
            old = [name for name in names if (parts := _names.parse(name)) is not None and parts.epoch is not None]
            for start in range(0, len(old), _UNLINKED):
                client.unlink(*old[start : start + _UNLINKED])
    if options.json:
        print(json.dumps({"namespace": options.namespace, "cleared": count}, indent=1))
        return
    print(f"cleared {several(count, 'entry', 'entries')} of {several(len(own), 'function', 'functions')}")


def _write(summary: str, title: str, rows: list[dict[str, Any]]) -> None:
    titles = (title, "entries", "older", "leases") if title == "function" else (title, *list(_TITLES))
    cells = [[printable(row[name]) if name == title else f"{row[name]:,}" for name in titles] for row in rows]
    write_table(sys.stdout, summary, titles, cells, (title,))


_TITLES = "functions", "entries", "older", "leases"
_COMMANDS = {"list": _list, "show": _show, "clear": _clear}
