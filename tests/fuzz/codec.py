"""Values and keys by chance through the codec of shared caches, whole and damaged.

`python tests/fuzz/codec.py --seconds 600` plays for ten minutes.

Checked are: that a value comes back as it was, with its types; that a key's bytes are the same in processes of other
hash seeds, and equal exactly where the calls would share an entry; and that damaged bytes are a value or none, and
crash nothing.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import os
import random
import subprocess
import sys
import uuid
from collections import OrderedDict
from functools import lru_cache
from typing import Any

from driver import main

from tamis import _core

# What pickle or a serializer made: damaged pickles may do anything, and are guarded by the region's checks alone.
NOT_OURS = (b"\x16", b"\x17")


WHOLE = [0, 1, -1, 2, 255, 2**30, 2**53, 2**60, 2**63, 2**64, 2**300]
SPECIAL = [0.0, -0.0, math.inf, 5e-324]


def number(chance: random.Random) -> Any:
    whole = chance.choice(WHOLE) * chance.choice([1, -1]) + chance.choice([0, 0, 1, -1])
    kinds = [lambda: whole, lambda: float(whole), lambda: chance.uniform(-1e9, 1e9), lambda: bool(whole)]
    kinds += [lambda: complex(whole, chance.choice([0.0, -0.0, 1.5])), lambda: chance.choice(SPECIAL)]
    return chance.choice(kinds)()


def text(chance: random.Random) -> str:
    letters = chance.choice(["ab", "aé", "a€", "a😀", "\0\x7f", "\ud800x"])
    return "".join(chance.choice(letters) for _ in range(chance.choice([0, 1, 3, 17, 300])))


def value(chance: random.Random, depth: int = 0, *, hashable: bool = False) -> Any:
    plain = [number, text, lambda c: text(c).encode("utf-8", "surrogatepass"), lambda c: None]
    others = [
        lambda c: decimal.Decimal(c.randrange(10**6)).scaleb(-3),
        lambda c: datetime.datetime(2026, 1, 1) + datetime.timedelta(seconds=c.randrange(10**6)),
        lambda c: uuid.UUID(int=c.getrandbits(128)),
    ]
    containers = [tuple, frozenset] if hashable else [tuple, frozenset, list, set, dict, bytearray, OrderedDict]
    if depth < 4 and chance.random() < 0.5:
        kind = chance.choice(containers)
        count = chance.choice([0, 1, 2, 5])
        inner_hashable = hashable or kind in (frozenset, set)
        if kind in (dict, OrderedDict):
            return kind((value(chance, depth + 1, hashable=True), value(chance, depth + 1)) for _ in range(count))
        if kind is bytearray:
            return bytearray(chance.randbytes(count))
        return kind([value(chance, depth + 1, hashable=inner_hashable) for _ in range(count)])
    return chance.choice(plain * 5 + others)(chance)


def shown(item: Any) -> Any:
    """Return what tells a value with all its types from every other one."""
    kind = type(item).__qualname__
    if isinstance(item, dict | OrderedDict):
        return kind, [(shown(key), shown(inner)) for key, inner in item.items()]
    if isinstance(item, set | frozenset):
        return kind, sorted(map(repr, map(shown, item)))
    if isinstance(item, tuple | list):
        return kind, [shown(inner) for inner in item]
    return kind, repr(item)


def damaged(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5])):
        at = chance.randrange(len(changed) + 1)
        what = chance.randrange(5)
        if what == 0:
            changed[at : at + 1] = chance.randbytes(chance.randrange(3))
        elif what == 1:
            del changed[at : at + chance.randrange(4)]
        elif what == 2 and changed:
            changed[at % len(changed)] ^= 1 << chance.randrange(8)
        elif what == 3:
            changed[at:at] = changed[: chance.randrange(9)]
        else:
            changed = changed[:at]
    return bytes(changed)


def calls_of(seed: int) -> list[tuple[tuple[Any, ...], dict[str, Any], bool]]:
    chance = random.Random(seed)
    calls = []
    for _ in range(40):
        args = tuple(value(chance, 2, hashable=True) for _ in range(chance.choice([0, 1, 1, 1, 2])))
        kwargs = {name: value(chance, 2, hashable=True) for name in chance.sample("abc", chance.choice([0, 0, 1, 2]))}
        calls.append((args, kwargs, chance.random() < 0.2))
    return calls


def keys_of(seed: int) -> list[str]:
    return [_core._key(*call).hex() for call in calls_of(seed)]


def share_an_entry(one: Any, other: Any) -> bool:
    """Tell whether functools would give both calls one entry."""
    (args, kwargs, typed), (other_args, other_kwargs, other_typed) = one, other
    if typed is not other_typed:
        return False

    @lru_cache(None, typed)
    def function(*args: Any, **kwargs: Any) -> None: ...

    function(*args, **kwargs)
    function(*other_args, **other_kwargs)
    return function.cache_info().hits == 1


def are_of_plain_types(call: Any) -> bool:
    args, kwargs, _typed = call
    text_of_all = repr([shown(item) for item in (*args, *kwargs.values())])
    return not any(name in text_of_all for name in ("Decimal", "datetime", "UUID", "nan"))


def play(chance: random.Random) -> str:
    damage = refused = 0
    for _ in range(300):
        item = value(chance)
        content = _core._dumps(item)
        answer = _core._loads(content)
        assert answer is not None, item
        assert shown(answer[0]) == shown(item), (item, answer[0])
        if content[:1] in NOT_OURS:
            continue
        for _ in range(10):
            bad = damaged(chance, content)
            if bad[:1] in NOT_OURS:
                continue
            damage += 1
            back = _core._loads(bad)
            if back is None:
                refused += 1
            else:
                assert _core._loads(_core._dumps(back[0])) is not None
    seed = chance.randrange(10**9)
    calls = calls_of(seed)
    for call in calls:
        for _ in range(5):
            _core._call(damaged(chance, _core._key(*call)))
    plain = [call for call in calls if are_of_plain_types(call)]
    for one in plain:
        for other in plain:
            assert (_core._key(*one) == _core._key(*other)) is share_an_entry(one, other), (one, other)
    if chance.random() < 0.2:
        code = f"import sys, json; sys.path[:0] = {sys.path!r}; import codec; print(json.dumps(codec.keys_of({seed})))"
        environment = {**os.environ, "PYTHONHASHSEED": str(chance.randrange(1000))}
        there = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert json.loads(there.stdout) == keys_of(seed), seed
    return f"{damage} damaged, {refused} of them refused"


if __name__ == "__main__":
    main(__doc__ or "", play)
