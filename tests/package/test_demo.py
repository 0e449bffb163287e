"""The demo runs to its end on this interpreter, and would not let a wrong answer pass."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

import tamis

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"
FEW_WORDS = ["--words", "200"]


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the demo as a module; its progress lines say nothing of use in a test's report."""
    spec = importlib.util.spec_from_file_location("tamis_demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "tamis_demo", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def rows(output: str) -> dict[str, list[str]]:
    """Split the printed lines into words, by the first word of each."""
    return {line.split()[0]: line.split() for line in output.splitlines() if line.strip()}


def test_demo_prints_both_caches_side_by_side_and_compares_all_answers():
    child = subprocess.run(
        [sys.executable, str(DEMO), *FEW_WORDS, "--seed", "3"], capture_output=True, text=True, timeout=300
    )
    assert child.returncode == 0, child.stderr
    table = rows(child.stdout)
    assert table["functools.lru_cache"] == ["functools.lru_cache", "tamis.lru_cache"]
    assert table["correct"][2] == table["correct"][5] == "200", "each run corrects each word once"
    assert table["matches"][1] == "16,384"
    assert len(table["seconds"]) == 3
    assert table["speed-up"][1].endswith("x")
    assert "Answers compared: all 200 are the same" in child.stdout
    assert " -> " in child.stdout
    assert "correcting with tamis.lru_cache: done" in child.stderr
    assert "\r" not in child.stderr, "no line is rewritten where stderr is no terminal"


def test_demo_exits_with_status_1_when_a_cache_gives_wrong_answers(demo, monkeypatch, capsys):
    class Forgetful:
        """A broken cache around one function: strings come back without their last letter."""

        def __init__(self, function):
            self.function = function

        def __call__(self, *args):
            result = self.function(*args)
            return result[:-1] if isinstance(result, str) else result

        def cache_info(self):
            return 0, 0, 0, 0

    monkeypatch.setattr(tamis, "lru_cache", lambda maxsize: Forgetful)
    assert demo.main(["--words", "20"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "", "no table of caches that disagree"
    assert "demo: the answers differ: " in printed.err
    assert "with tamis.lru_cache" in printed.err


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["self", "name"], None),
        (["self", "same"], "'naem' was corrected to 'name' with functools.lru_cache, to 'same' with tamis.lru_cache"),
    ],
)
def test_any_answer_that_differs_in_any_run_is_told(demo, answers, message):
    good = demo.Run(1.0, ["self", "name"], {})
    runs = {"functools.lru_cache": [good, good], "tamis.lru_cache": [good, demo.Run(1.0, answers, {})]}
    assert demo.find_difference(["slef", "naem"], runs) == message


def test_without_tamis_the_demo_says_in_one_line_how_to_get_it(demo, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tamis", None)
    assert demo.main(FEW_WORDS) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "make demo" in printed.err


def test_source_files_that_are_not_utf8_or_not_readable_are_no_obstacle(demo, tmp_path):
    (tmp_path / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\n# caf\xe9\n" + b"readable_word = 1\n" * 3)
    (tmp_path / "null.py").write_bytes(b"\x00\xff\xfe")
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "other.py").write_text("installed = 1\n" * 5)
    assert demo.count_words(demo.source_files(str(tmp_path))) == {"readable": 3, "word": 3}


def test_a_word_is_corrected_by_the_nearest_and_then_the_most_frequent(demo):
    correct, _ = demo.make_corrector(tamis.lru_cache, Counter(**{"return": 3, "name": 4, "fame": 3}))
    assert correct("retrun") == "return", "a swap is one edit"
    assert correct("rturnn") == "return"
    assert correct("same") == "name", "fame is as near, name more frequent"
    assert correct("fame") == "fame"
    assert correct("zzzzzz") == "zzzzzz", "what is near to nothing stays"
    assert correct("nam") == correct("nname") == correct("naem") == "name"


def edit_distance(a: str, b: str) -> int:
    """Fill the whole table of edits, with swaps of neighbours, as textbooks do."""
    table = [[i + j if not i or not j else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            change = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(change, table[i - 1][j] + 1, table[i][j - 1] + 1)
            if i > 1 and j > 1 and a[i - 2] == b[j - 1] and a[i - 1] == b[j - 2]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


def test_the_automaton_finds_what_a_search_of_all_words_finds(demo):
    rng = random.Random(5)
    counts = Counter({"".join(rng.choices("abc", k=rng.randint(1, 7))): rng.randint(1, 9) for _ in range(60)})
    correct, _ = demo.make_corrector(tamis.lru_cache, counts)
    for _ in range(500):
        typed = "".join(rng.choices("abcd", k=rng.randint(1, 9)))
        distance, _, nearest = min((edit_distance(typed, word), -counts[word], word) for word in counts)
        assert correct(typed) == (nearest if distance <= demo.REACH else typed)
