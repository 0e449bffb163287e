"""Damaged bytes of values and keys: the entry counts as absent, and nothing crashes."""

from __future__ import annotations

import decimal
import os
import random
import struct

import pytest

from helpers.codec_tools import PICKLED, PLAIN, TEXTS, key, round_trip
from tamis import _core


def damaged(random: random.Random, samples: list[bytes]) -> bytes:
    """Bytes of a value that are not what they were, or never were any."""
    what = random.randrange(6)
    if what == 0:
        return random.randbytes(random.randrange(60))
    content = bytearray(random.choice(samples))
    if what == 1:
        return bytes(content[: random.randrange(len(content))])
    if what == 2:
        return bytes(content) + random.randbytes(random.randrange(1, 9))
    for _ in range(random.randrange(1, 4)):
        at = random.randrange(len(content))
        if what == 3:
            content[at] = random.randrange(256)
        elif what == 4:
            content[at] ^= 1 << random.randrange(8)
        else:
            other = random.choice(samples)
            content[at : at + random.randrange(5)] = other[: random.randrange(12)]
    return bytes(content)


def make_samples() -> list[bytes]:
    values = [
        PLAIN[:40],
        {"a": [1, 2.5, (None, True)], 3: {"x", "y"}},
        TEXTS,
        {1: {2: {3: [4]}}},
        frozenset([1, "a", (2,)]),
    ]
    values += [
        bytearray(b"abc"),
        [[[[[]]]]],
        {text: text for text in TEXTS},
        1 << 200,
        ["x" * 100, b"y" * 100, "€" * 100],
    ]
    # Not of pickle: damaged pickles may do anything, and are guarded by the region's checks alone.
    return [_core._dumps(value) for value in values]


def test_damaged_bytes_give_a_value_or_none_and_never_crash():
    randomly = random.Random(os.environ.get("TAMIS_SEED", "codec"))
    samples = make_samples()
    refused = 0
    for _ in range(60_000):
        content = damaged(randomly, samples)
        if content[:1] in (b"\x16", b"\x17"):
            continue
        answer = _core._loads(content)
        if answer is None:
            refused += 1
        else:
            value, immutable = answer
            assert isinstance(immutable, bool)
            # Whatever came of it is a whole value: it can be written again.
            assert round_trip(value) is not None
    assert refused > 10_000


def test_damaged_keys_give_a_call_or_none_and_never_crash():
    randomly = random.Random(os.environ.get("TAMIS_SEED", "codec"))
    samples = [
        key(1, "a", b=2),
        key((1, (2, "é")), frozenset("abc"), typed=True),
        key(decimal.Decimal(3), x=b"y"),
        key(*PLAIN[:30]),
    ]
    refused = sum(_core._call(damaged(randomly, samples)) is None for _ in range(30_000))
    assert 1_000 < refused < 30_000


@pytest.mark.parametrize("tag", [7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21])
def test_hostile_length_allocates_nothing(tag):
    for length in (b"\xff" * 8 + b"\x7f", b"\xff\xff\xff\xff\x0f", b"\x80" * 20, b"\xff\xff\x03"):
        assert _core._loads(bytes([tag]) + length + b"\0" * 10) is None


def test_hostile_counts_in_nested_containers_are_bounded_together():
    lists = b"".join(bytes([18, 200, 1]) for _ in range(60)) + b"\0" * 250
    assert _core._loads(lists) is None
    assert _core._loads(bytes([18, 1]) * 64 + b"\0")[0] is not None
    assert _core._loads(bytes([18, 1]) * 65 + b"\0") is None
    assert _core._loads(bytes([18, 1]) * 100_000 + b"\0") is None


def test_character_beyond_unicode_is_damage():
    assert _core._loads(bytes([14, 4]) + struct.pack("I", 0x110000)) is None
    assert _core._loads(bytes([14, 4]) + struct.pack("I", 0x10FFFF))[0] == "\U0010ffff"
    assert _core._loads(bytes([13, 3, 1, 2, 3])) is None
    assert _core._loads(bytes([11, 2, 0x41, 0x80])) is None


def test_pickle_that_fails_is_damage():
    assert _core._loads(bytes([PICKLED]) + b"no pickle") is None
    assert _core._loads(bytes([PICKLED]) + b"cno_such_module\nname\n.") is None


def test_keyboard_interrupt_leaves_through_pickle():
    class Interrupting:
        def __reduce__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _core._dumps([Interrupting()])
