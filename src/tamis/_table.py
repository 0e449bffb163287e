"""Tables on a stream: by rich if that is installed, and in plain text otherwise."""

from __future__ import annotations

# As typing.TYPE_CHECKING. Importing typing, and much else, would be before functools is patched for it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO


def write_table(
    stream: TextIO, summary: str, titles: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str]
) -> None:
    """Write a line, and a table below it if there are rows. Columns with a title among ``texts`` begin at the left."""
    if not (rows and _write_by_rich(stream, summary, titles, rows, texts)):
        stream.write(_plain(summary, titles, rows, texts))


def _plain(summary: str, titles: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str]) -> str:
    if not rows:
        return summary + "\n"
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]

    def laid_out(line: Sequence[str]) -> str:
        cells = zip(titles, line, widths, strict=True)
        return "  ".join(
            cell.ljust(width) if title in texts else cell.rjust(width) for title, cell, width in cells
        ).rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([summary, laid_out(titles), rule, *map(laid_out, rows)]) + "\n"


def _write_by_rich(
    stream: TextIO, summary: str, titles: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str]
) -> bool:
    """Write the table by rich. False if rich is not there."""
    try:
        from rich.console import Console  # pyright: ignore[reportMissingImports]
        from rich.table import Table  # pyright: ignore[reportMissingImports]
    except ImportError:
        return False
    table = Table(title=summary, title_justify="left")
    for title in titles:
        table.add_column(title, justify="left" if title in texts else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Where it is not a terminal nothing is to be folded.
    width = None if stream.isatty() else 10_000
    Console(file=stream, width=width, markup=False, highlight=False).print(table)
    return True
