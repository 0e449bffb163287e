"""A spelling corrector over the words of the standard library, run with functools.lru_cache and with tamis.lru_cache.

    python examples/demo.py [--words N] [--seed S]

It counts the words of the standard library's source, makes up misspelled ones, common words more often than rare
ones, and gives each the nearest known word, of equally near ones the most frequent. To find it, it walks the tree of
all known words together with an automaton that counts edits. Memoization is what builds the automaton: a step is
computed when first taken, and looked up from then on. Both runs are of the same code, with the decorator passed in.
Exit status: 0; 1 when the two disagree on any answer; 2 when it cannot run.
"""

from __future__ import annotations

import argparse
import functools
import gc
import os
import platform
import random
import re
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_WORDS = 3_000
ROUNDS = 2
REACH = 2  # the most edits between a misspelled word and its correction
FAR = REACH + 1
BAND = 2 * REACH + 1
MIN_LETTERS, MAX_LETTERS, MIN_COUNT = 4, 20, 3
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3"}
# An identifier that is no rest of an escape (\nword) or number; its words, split at _ and at capitals.
IDENTIFIER = re.compile(r"(?<![\\\w])[A-Za-z_]+")
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
KEY_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
BESIDE = {key: row[max(0, at - 1) : at] + row[at + 1 : at + 2] for row in KEY_ROWS for at, key in enumerate(row)}

Memoize = Callable[[int], Callable[[Callable[..., Any]], Any]]


@dataclass
class Node:
    """A place in the tree of the known words: the word that ends here, if one does, and the ways on by letter."""

    word: str = ""
    children: dict[str, Node] = field(default_factory=dict)


@dataclass
class Run:
    """The outcome of correcting the whole stream once."""

    seconds: float
    answers: list[str]
    infos: dict[str, tuple[int, int, int | None, int]]


def slices(items: Sequence[str], label: str) -> Iterator[Sequence[str]]:
    """Cut a sequence into about a hundred slices. Tells on stderr how far it is (no terminal: when it is done)."""
    terminal, step = sys.stderr.isatty(), max(1, len(items) // 100)
    for start in range(0, len(items), step):
        yield items[start : start + step]
        if terminal:
            percent = 100 * min(len(items), start + step) // len(items)
            print(f"\r{label}: {percent:3d} %", end="", file=sys.stderr, flush=True)
    print("" if terminal else f"{label}: done", file=sys.stderr, flush=True)


def source_files(root: str) -> list[str]:
    """List the Python files under a folder in a fixed order, without tests and installed packages."""
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if name not in SKIPPED_FOLDERS]
        found += [os.path.join(folder, name) for name in names if name.endswith(".py")]
    return sorted(found)


def count_words(paths: Sequence[str]) -> Counter[str]:
    """Count the lower-case words that identifiers are made of. What can't be read or decoded is passed over."""
    identifiers: Counter[str] = Counter()
    for some in slices(paths, "reading the standard library"):
        for path in some:
            try:
                text = Path(path).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            identifiers.update(IDENTIFIER.findall(text))
    counts: Counter[str] = Counter()
    for identifier, count in identifiers.items():
        for part in PART.findall(identifier):
            counts[part.lower()] += count
    return Counter({w: n for w, n in sorted(counts.items()) if n >= MIN_COUNT and MIN_LETTERS <= len(w) <= MAX_LETTERS})


def build_tree(words: Iterable[str]) -> Node:
    """Arrange words in a tree by their letters."""
    root = Node()
    for word in words:
        node = root
        for letter in word:
            node = node.children.setdefault(letter, Node())
        node.word = word
    return root


def misspell(word: str, rng: random.Random) -> str:
    """Make one slip of the fingers: a letter dropped, doubled, swapped with the next, or the key beside it hit."""
    at = rng.randrange(len(word))
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    swapped = head + tail[:1] + letter + tail[1:]
    return rng.choice((head + tail, head + letter * 2 + tail, swapped, head + rng.choice(BESIDE[letter]) + tail))


def make_stream(counts: Counter[str], size: int, seed: int) -> list[tuple[str, str]]:
    """Draw words as often as they occur, each with a slip, and with a further one once in five. Pairs: typed, meant."""
    rng = random.Random(seed)
    stream = []
    for meant in rng.choices(list(counts), weights=list(counts.values()), k=size):
        typed = meant
        while typed == meant or (typed and rng.random() < 0.2):
            typed = misspell(typed, rng)
        stream.append((typed, meant))
    return stream


def make_corrector(memoize: Memoize, counts: Counter[str]) -> tuple[Callable[[str], str], dict[str, Any]]:
    """Build the corrector with its three cached functions, and return it with these by name."""
    root = build_tree(counts)
    start = bytes([FAR] * REACH + list(range(FAR)) + [FAR] * BAND)

    @memoize(1 << 14)
    def matches(window: str, letter: str) -> int:
        """Return a word of bits: where in the window the letter is."""
        return sum((other == letter) << at for at, other in enumerate(window))

    @memoize(1 << 11)
    def advance(state: bytes, match: int) -> bytes:
        """Go one letter down the tree, and tell the edits so far for each place in the window. Empty: all are too many.

        A state is a band of a row of the table of edit distances, and then what a swap with the next letter would make.
        """
        row: list[int] = []
        for at in range(BAND):
            changed = state[at] + (not match >> at & 1)
            left_out = state[at + 1] + 1 if at < BAND - 1 else FAR
            put_in = row[-1] + 1 if at else FAR
            swapped = state[BAND + at] if at and match >> (at - 1) & 1 else FAR
            row.append(min(changed, left_out, put_in, swapped, FAR))
        swaps = [min(state[at] + 1, FAR) if match >> (at + 1) & 1 else FAR for at in range(BAND)]
        return bytes(row + swaps) if min(row + swaps) < FAR else b""

    @memoize(1 << 10)
    def correct(typed: str) -> str:
        """Return the nearest known word; of equally near ones the most frequent; the word itself if none is near."""
        padded = " " * REACH + typed + " " * (BAND + REACH)
        windows = [padded[at : at + BAND] for at in range(len(typed) + REACH + 1)]
        best = (FAR, 0, typed)
        places = [(root, start, 0)]
        while places:
            node, state, depth = places.pop()
            end = len(typed) - depth + REACH
            if node.word and 0 <= end < BAND and state[end] < FAR:
                best = min(best, (state[end], -counts[node.word], node.word))
            for letter, child in node.children.items() if end else ():
                if following := advance(state, matches(windows[depth], letter)):
                    places.append((child, following, depth + 1))
        return best[2]

    return correct, {"correct": correct, "advance": advance, "matches": matches}


def correct_all(name: str, memoize: Memoize, counts: Counter[str], typed: Sequence[str]) -> Run:
    """Correct the whole stream with empty caches, and time it."""
    correct, caches = make_corrector(memoize, counts)
    gc.collect()
    start = time.perf_counter()
    answers = [correct(word) for some in slices(typed, f"correcting with {name}") for word in some]
    seconds = time.perf_counter() - start
    return Run(seconds, answers, {function: cached.cache_info() for function, cached in caches.items()})


def find_difference(typed: Sequence[str], runs: dict[str, list[Run]]) -> str | None:
    """Compare the answers of all runs, and tell of the first that differ. None: all are the same."""
    (first_name, first), *others = ((name, run) for name, of_one in runs.items() for run in of_one)
    for name, run in others:
        for word, expected, answer in zip(typed, first.answers, run.answers, strict=True):
            if answer != expected:
                return f"{word!r} was corrected to {expected!r} with {first_name}, to {answer!r} with {name}"
    return None


def print_report(stream: Sequence[tuple[str, str]], best: dict[str, Run]) -> None:
    """Print the better run of each cache side by side, and a few of the corrections."""
    functools_run, tamis_run = best.values()
    print(f"{'':22}" + "".join(f"{name:>34}" for name in best))
    print(f"{'function':12}{'maxsize':>10}" + f"{'calls':>14}{'hit rate':>10}{'entries':>10}" * len(best))
    for function, (_, _, maxsize, _) in functools_run.infos.items():
        line = f"{function:12}{maxsize:>10,}"
        for run in best.values():
            hits, misses, _, entries = run.infos[function]
            line += f"{hits + misses:>14,}{hits / max(1, hits + misses):>10.1%}{entries:>10,}"
        print(line)
    print(f"{'seconds':22}" + "".join(f"{run.seconds:>34.2f}" for run in best.values()))
    print(f"{'speed-up':22}{'':34}{functools_run.seconds / tamis_run.seconds:>33.2f}x\n")
    pairs = [(typed, meant, answer) for (typed, meant), answer in zip(stream, tamis_run.answers, strict=True)]
    right = sum(meant == answer for _, meant, answer in pairs) / len(pairs)
    print(f"Answers compared: all {len(pairs):,} are the same; {right:.0%} are the word that was meant.")
    print("For example: " + ", ".join([f"{typed} -> {answer}" for typed, _, answer in pairs if typed != answer][:4]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(description="Correct spelling with functools.lru_cache and with tamis.lru_cache.")
    parser.add_argument("--words", type=int, default=DEFAULT_WORDS, help="to correct (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the misspellings (default %(default)s)")
    options = parser.parse_args(arguments)
    try:
        import tamis
    except ImportError as error:
        print(f"demo: tamis is not installed here ({error}): run `make demo`", file=sys.stderr)
        return 2
    paths = source_files(sysconfig.get_path("stdlib"))
    counts = count_words(paths)
    if not counts:
        print("demo: this Python has no source of its standard library to read", file=sys.stderr)
        return 2
    stream = make_stream(counts, max(1, options.words), options.seed)
    typed = [word for word, _ in stream]
    decorators: dict[str, Memoize] = {"functools.lru_cache": functools.lru_cache, "tamis.lru_cache": tamis.lru_cache}
    runs: dict[str, list[Run]] = {name: [] for name in decorators}
    for _ in range(ROUNDS):
        for name, memoize in decorators.items():
            runs[name].append(correct_all(name, memoize, counts, typed))
    if difference := find_difference(typed, runs):
        print(f"demo: the answers differ: {difference}", file=sys.stderr)
        return 1
    print(f"{len(stream):,} misspelled words (seed {options.seed}), corrected by the {len(counts):,} known words in")
    print(f"{len(paths):,} source files of the standard library of Python {platform.python_version()}.")
    print(f"Each cache ran {ROUNDS} times, in turns, empty at the start; the faster run of each is shown.\n")
    print_report(stream, {name: min(of_one, key=lambda run: run.seconds) for name, of_one in runs.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
