"""`python -m tamis shared`, as a program that runs beside those whose regions it looks after."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from helpers.subprocess_tools import PACKAGE_FOLDER
from tamis import lru_cache

pytestmark = [for_shared_caches, has_two_functions_of_one_name]

# Whether rich is there is for the table alone.
NO_RICH = "import sys; sys.modules['rich'] = None; sys.argv[0] = 'tamis'; from tamis._cli import main; main()"


def run(*arguments: str, rich: bool = False, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": PACKAGE_FOLDER,
        "PYTHON_COLORS": "0",
        "PYTHONIOENCODING": "utf-8",
        **more.pop("environment", {}),
    }
    command = [sys.executable, *(("-m", "tamis") if rich else ("-c", NO_RICH)), "shared", *arguments]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.run(command, env=environment, text=True, encoding="utf-8", timeout=60, check=False, **options)


def shown(*arguments: str, **more: Any) -> str:
    """What it prints, where all is well."""
    done = run(*arguments, **more)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def error(*arguments: str, **more: Any) -> str:
    """The one line that it says where not."""
    done = run(*arguments, **more)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith("tamis: shared")
    assert done.stderr.count("\n") == 1
    return done.stderr.rstrip("\n")


def facts(text: str) -> dict[str, str]:
    """The lines above a table."""
    head = text.partition("\n\n")[0]
    return dict(re.split(r"  +", line, maxsplit=1) for line in head.splitlines())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A directory with two regions that this process has open."""

    def cached(name: str, function: Any, **options: Any) -> Any:
        options = {"maxsize": 10, "max_bytes": 1 << 20, **options}
        return lru_cache(backend="shared", path=tmp_path, name=name, **options)(function)

    price = cached("shop.price", lambda *args, **kwargs: [args, sorted(kwargs.items())], ttl=600)
    stock = cached("shop.stock", lambda item: item * 2, maxsize=None)
    for count in range(20):
        price(count, currency="EUR")
    price(19, currency="EUR")
    stock("apple")
    return SimpleNamespace(path=str(tmp_path), folder=tmp_path, cached=cached, price=price, stock=stock)


def listed(home: SimpleNamespace) -> dict[str, dict[str, Any]]:
    content = json.loads(shown("list", "--path", home.path, "--json"))
    assert content["directory"] == home.path
    return {region["name"] or region["file"]: region for region in content["regions"]}


def file_of(home: SimpleNamespace, name: str) -> Path:
    return home.folder / listed(home)[name]["file"]


# ---- list -----------------------------------------------------------------------------------------------------------


def test_list_tells_of_each_region_what_it_holds_and_who_has_it(home):
    regions = listed(home)
    assert list(regions) == ["shop.price", "shop.stock"]
    price = regions["shop.price"]
    assert price["state"] == "in use"
    assert price["processes"] == [os.getpid()]
    assert price["why"] is None
    assert (price["maxsize"], price["max_bytes"], price["file_bytes"]) == (10, 1 << 20, 1 << 20)
    stats = home.price.cache_stats()
    assert price["stats"] == stats
    assert stats["hits"] == 1
    assert stats["currsize"] == 10
    assert price["hit_rate"] == 1 / 21
    assert 0 <= price["last"] < 600
    assert regions["shop.stock"]["maxsize"] is None


def test_list_is_a_table(home):
    lines = shown("list", "--path", home.path).splitlines()
    assert lines[0] == f"tamis: 2 regions in {home.path}, 2 MiB"
    titles = ["region", "state", "entries", "size", "hits", "misses", "hit rate", "processes", "last"]
    assert re.split(r"  +", lines[1]) == titles
    assert set(lines[2]) == {"-"}
    cells = re.split(r"  +", lines[3])
    assert cells[:3] == ["shop.price", "in use", "10"]
    assert cells[4:8] == ["1", "20", "4.8%", "1"]
    assert re.fullmatch(r"[\d.]+ (B|KiB) of 1 MiB", cells[3])
    assert len(lines) == 5


def test_table_by_rich_has_the_same_cells(home):
    pytest.importorskip("rich", reason="the table is plain without it")
    text = shown("list", "--path", home.path, rich=True)
    assert "shop.price" in text
    assert "4.8%" in text
    assert "─" in text


def test_looking_changes_nothing(home):
    before = home.price.cache_stats()
    shown("list", "--path", home.path)
    shown("show", "shop.price", "--path", home.path, "--values")
    assert home.price.cache_stats() == before
    assert listed(home)["shop.price"]["processes"] == [os.getpid()]


def test_region_whose_processes_have_ended_is_idle(home):
    options = "backend='shared', path=sys.argv[1], name='left', max_bytes=1 << 20"
    code = f"import tamis, sys; tamis.cache({options})(abs)(-1)"
    environment = {**os.environ, "PYTHONPATH": PACKAGE_FOLDER}
    subprocess.run([sys.executable, "-c", code, home.path], env=environment, check=True, timeout=60)
    left = listed(home)["left"]
    assert (left["state"], left["processes"], left["stats"]["currsize"]) == ("idle", [], 1)
    assert "(-1)" in shown("show", "left", "--path", home.path)


def test_directory_that_is_not_there_is_an_error_only_if_it_is_named(home):
    nowhere = str(home.folder / "nowhere")
    assert error("list", "--path", nowhere) == f"tamis: shared list: there is no directory {nowhere}"
    assert not os.path.exists(nowhere)
    assert shown("list").startswith("tamis: ")


def test_files_that_can_not_be_trusted_are_listed_with_their_states(home):
    price, stock = file_of(home, "shop.price"), file_of(home, "shop.stock")
    content = bytearray(price.read_bytes())
    content[8] ^= 1
    (home.folder / "r-other-1.tamis").write_bytes(content)
    (home.folder / "r-damaged-1.tamis").write_bytes(b"x" * 100_000)
    (home.folder / "r-link\n-1.tamis").symlink_to(stock)
    (home.folder / "note.txt").write_text("not a region")
    for path in home.folder.glob("r-*-1.tamis"):
        if not path.is_symlink():
            path.chmod(0o600)
    stock.chmod(0o622)
    regions = listed(home)
    states = {name: region["state"] for name, region in regions.items()}
    assert states == {
        "r-damaged-1.tamis": "damaged",
        "r-link\n-1.tamis": "refused",
        "r-other-1.tamis": "other layout",
        stock.name: "refused",
        "shop.price": "in use",
    }
    assert regions[stock.name]["why"] == f"{stock} may be written by others"
    text = shown("list", "--path", home.path)
    assert f"refused: {stock} may be written by others\n" in text
    assert "r-link\\n-1.tamis is a link\n" in text
    for name in ("r-damaged", "r-other", "r-link"):
        assert "shared show: " + name in error("show", name, "--path", home.path)
        assert "shared clear: " + name in error("clear", name, "--path", home.path)
        assert shown("remove", name, "--path", home.path).startswith(f"removed {name}")
    assert sorted(listed(home)) == [stock.name, "shop.price"]


# ---- show -----------------------------------------------------------------------------------------------------------


def test_show_tells_what_a_region_is_for_its_counts_and_its_newest_entries(home):
    text = shown("show", "shop.price", "--path", home.path, "--entries", "3")
    about = facts(text)
    assert about["region"] == "shop.price"
    assert about["file"] == str(file_of(home, "shop.price"))
    assert about["state"] == f"in use by 1 process: {os.getpid()}"
    assert (about["maxsize"], about["max_bytes"], about["entries"]) == ("10", "1,048,576 (1 MiB)", "10")
    assert (about["hits"], about["misses"], about["evictions"]) == ("1", "20", "10")
    table = text.partition("\n\n")[2].splitlines()
    assert table[0] == "the newest of 10 entries:"
    assert re.split(r"  +", table[1].strip()) == ["call", "size", "form", "age", "left", "read"]
    rows = [re.split(r"  +", line) for line in table[3:]]
    assert [row[0] for row in rows] == [f"({count}, currency='EUR')" for count in (19, 18, 17)]
    assert [row[5] for row in rows] == ["yes", "no", "no"]
    assert all(row[2] == "codec" and row[4] == "10 min" for row in rows)


def test_show_as_json_has_the_deadlines(home):
    home.cached("idle", abs, tti=50)(-3)
    content = json.loads(shown("show", "shop.price", "--path", home.path, "--json"))
    assert content["stats"] == home.price.cache_stats()
    assert len(content["entries"]) == 10
    entry = content["entries"][0]
    assert entry["call"] == "(19, currency='EUR')"
    assert entry["form"] == "codec"
    assert entry["read"] is True
    assert 0 < entry["fresh_for"] == entry["stale_for"] <= 600
    assert entry["idle_at_most"] is None
    assert entry["age"] + entry["fresh_for"] == pytest.approx(600, abs=0.1)
    assert "value" not in entry
    idle = json.loads(shown("show", "idle", "--path", home.path, "--json"))["entries"][0]
    assert (idle["idle_at_most"], idle["fresh_for"], idle["call"]) == (50.0, None, "(-3)")


def test_values_are_shown_on_request_only(home):
    home.stock("pear")
    assert "pearpear" not in shown("show", "shop.stock", "--path", home.path)
    text = shown("show", "shop.stock", "--path", home.path, "--values")
    assert re.search(r"\('pear'\) .* 'pearpear'\n", text)
    assert re.search(r"\('apple'\) .* 'appleapple'\n", text)


class Trap:
    """Whoever unpickles it leaves a trace."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_nothing_is_unpickled_without_being_asked(home):
    trace = home.folder / "trace"
    trapped = home.cached("trapped", lambda _argument: Trap(str(trace)))
    trapped(Trap(str(home.folder / "trace of a key")))
    for options in ([], ["--values"], ["--values", "--json"]):
        text = shown("show", "trapped", "--path", home.path, *options)
        assert f"<{__name__}.Trap>" in text
        assert not options or "bytes of pickle>" in text
    assert not trace.exists()
    shown("show", "trapped", "--path", home.path, "--unpickle")
    assert trace.exists()
    assert not (home.folder / "trace of a key").exists()


def test_values_of_pickle_serializers_and_broken_types_are_told_apart(home):
    home.cached("fraction", lambda: Fraction(1, 3))()
    home.cached("serialized", lambda: "secret", serializer=pickle)()
    home.cached("big", lambda: 10**10_000)()
    home.cached("missing", lambda: Trap("/nowhere/at/all"))()
    show = partial(shown, "show", "--path", home.path)
    assert re.search(r"pickle .*<\d+ bytes of pickle>", show("fraction", "--values"))
    assert "Fraction(1, 3)" in show("fraction", "--unpickle")
    assert re.search(r"serializer .*<\d+ bytes of a serializer>", show("serialized", "--unpickle"))
    assert "can't be loaded>" in show("missing", "--unpickle")
    # Newer interpreters' reprlib tells how long it is, older ones fail, and those of no limit write it out.
    assert re.search(r"codec .*(<int\b|10000)", show("big", "--values"))


def test_no_line_is_longer_than_a_terminal_can_show_and_no_control_character_leaves(home):
    odd = home.cached("odd\n\x1b[31m\u202e", lambda *values: values, max_bytes=8 << 20)
    odd("\x1b[2J" + "x" * 100_000, ["y"] * 1000, {"a\n": "\u202e"}, frozenset(range(100)))
    for command in (["list"], ["show", "odd", "--values"]):
        text = shown(*command, "--path", home.path)
        assert all(character.isprintable() or character == "\n" for character in text)
        assert max(map(len, text.splitlines())) < 400
    assert "odd\\n\\x1b[31m\\u202e" in shown("list", "--path", home.path)
    call = json.loads(shown("show", "odd", "--path", home.path, "--json"))["entries"][0]["call"]
    assert call.count("x") > 100_000


def test_characters_that_the_output_lacks_are_escaped(home):
    home.stock("caf\u00e9 \u2603")
    text = shown("show", "shop.stock", "--path", home.path, environment={"PYTHONIOENCODING": "ascii"})
    assert "caf\\xe9 \\u2603" in text


# ---- clear and remove -----------------------------------------------------------------------------------------------


def test_clear_drops_the_entries_for_those_who_have_the_region_open(home):
    assert shown("clear", "shop.price", "--path", home.path) == "cleared shop.price: 10 entries\n"
    assert home.price.cache_info() == (0, 0, 10, 0)
    assert home.stock.cache_contains("apple")
    home.price(1)
    assert json.loads(shown("clear", "shop.p", "--path", home.path, "--json"))["cleared"] == 1
    assert listed(home)["shop.price"]["processes"] == [os.getpid()]


def test_remove_says_who_goes_on_with_the_region(home):
    text = shown("remove", "shop.price", "--path", home.path)
    assert text == "removed shop.price; 1 process that has it open goes on with it\n"
    assert home.price.cache_contains(19, currency="EUR"), "it goes on"
    assert list(listed(home)) == ["shop.stock"]
    again = home.cached("shop.price", lambda: "new", ttl=600)
    assert again.cache_info().currsize == 0
    content = json.loads(shown("remove", "shop.price", "--path", home.path, "--json"))
    assert content["removed"] is True
    assert content["name"] == "shop.price"


# ---- names, errors, help --------------------------------------------------------------------------------------------


def test_a_beginning_that_only_one_name_has_will_do(home):
    assert facts(shown("show", "shop.s", "--path", home.path))["region"] == "shop.stock"
    file = file_of(home, "shop.stock").name
    assert facts(shown("show", file, "--path", home.path))["region"] == "shop.stock"
    assert facts(shown("show", "r-shop.s", "--path", home.path))["region"] == "shop.stock"
    home.cached("shop", abs)
    assert facts(shown("show", "shop", "--path", home.path))["region"] == "shop", "a whole name comes first"


@pytest.mark.parametrize("command", ["show", "clear", "remove"])
def test_names_that_are_unknown_or_of_several_are_errors(home, command):
    where = ("--path", home.path)
    said = error(command, "shop", *where)
    assert said == f"tamis: shared {command}: 'shop' is the beginning of 2 names: shop.price, shop.stock"
    said = error(command, "nothing\n", *where)
    assert said == f"tamis: shared {command}: no region in {home.path} has a name that begins with 'nothing\\n'"
    assert list(listed(home)) == ["shop.price", "shop.stock"]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "a command is missing: there are list, show, clear, remove"),
        (["drop"], "unknown command 'drop'"),
        (["show"], "required: NAME"),
        (["list", "x"], "unrecognized arguments: x"),
        (["list", "--values"], "unrecognized arguments: --values"),
        (["show", "x", "--entries", "-1"], "a number from 0 on, not '-1'"),
        (["show", "x", "--entries", "many"], "a number from 0 on, not 'many'"),
        (["clear", "x", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_wrong_command_lines_are_one_line(arguments, part):
    assert part in error(*arguments)


def test_directories_of_others_are_refused(home):
    home.folder.chmod(0o777)
    assert error("list", "--path", home.path).endswith(f": {home.path} may be written by others")
    home.folder.chmod(0o700)
    link = home.folder / "link"
    link.symlink_to(home.folder)
    assert "is a link, or no directory" in error("list", "--path", str(link))


def test_reader_that_goes_is_no_error(home):
    end, begin = os.pipe()
    os.close(end)
    with os.fdopen(begin, "w") as stdout:
        done = run("list", "--path", home.path, stdout=stdout)
    assert (done.stderr, done.returncode) == ("", 1)


def test_help_tells_every_option_and_state():
    whole = shown("--help")
    for command in ("list", "show", "clear", "remove"):
        assert f"usage: python -m tamis shared {command}" in whole or f"shared {command} " in whole
        text = shown(command, "--help")
        assert text.startswith(f"usage: python -m tamis shared {command}")
        assert all(part in text for part in ("--path DIR", "--json", "-h, --help", "exit status:"))
        assert max(map(len, text.splitlines())) < 80
    for state in ("in use", "idle", "other namespace", "earlier boot", "other layout", "damaged", "refused"):
        assert f"\n  {state} " in whole
    assert "RUNS CODE" in shown("show", "--help")
    assert max(map(len, whole.splitlines())) < 80
