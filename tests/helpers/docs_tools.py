"""Reads the code blocks of the README and of docs/, and runs a page's Python as one program: `docs_tools.py PAGE`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[a-z]*)$")
# What stands behind an expression: what it gives.
RESULT = re.compile(r"#\s*->\s*(?P<result>.+)$")
# Imports of these may fail: pages about coming from there are skipped where they are not installed.
PEERS = {"cachetools", "async_lru", "cachebox", "moka_py", "warp_cache", "setuptools"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the number of its first line, and its text."""

    language: str
    line: int
    text: str


def pages() -> list[Path]:
    """All pages that have code."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    opened: re.Match[str] | None = None
    lines: list[str] = []
    first = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = FENCE.match(line)
        if opened is None and fence:
            opened, lines, first = fence, [], number + 1
        elif opened is not None and line.strip() == "```":
            yield Block(opened["language"], first, "\n".join(lines) + "\n")
            opened = None
        elif opened is not None:
            lines.append(line[len(opened["indent"]) :])
    assert opened is None, f"{page}: a block of code has no end"


class _Checks(ast.NodeTransformer):
    """Makes of each expression with a result behind it a question whether it gives that."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        assert node.end_lineno is not None
        found = RESULT.search(self.lines[node.end_lineno - 1])
        if not found:
            return node
        call = ast.Call(ast.Name("_gives", ast.Load()), [node.value, ast.Constant(found["result"].strip())], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def gives(value: object, expected: str) -> None:
    """Fail if the value is not what the page says."""
    assert repr(value) == expected, f"gives {value!r}, not {expected}"


def compiled(page: Path, block: Block) -> CodeType:
    """The block's code, with the page's name and line numbers."""
    source = "\n" * (block.line - 1) + block.text
    tree = ast.parse(source, str(page))
    results = sum(bool(RESULT.search(line)) for line in source.splitlines())
    checks = _Checks(source.splitlines())
    tree = checks.visit(tree)
    made = sum(isinstance(node, ast.Name) and node.id == "_gives" for node in ast.walk(tree))
    assert made == results, f"{page}:{block.line}: {results - made} results stand behind no expression"
    return compile(tree, str(page), "exec", dont_inherit=True)


def run_page(page: Path) -> None:
    """Run all Python blocks of a page, one after the other. Exit status 77 and a word, where a peer is missing."""
    # A module of its own, so that what is defined in it can be found by name.
    namespace = sys.modules["__main__"].__dict__
    namespace["_gives"] = gives
    for block in blocks(page):
        if block.language == "python":
            try:
                exec(compiled(page, block), namespace)
            except ModuleNotFoundError as error:
                if error.name not in PEERS:
                    raise
                print(f"{error.name} is not installed")
                sys.exit(77)


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))
