"""Puts the tables and plots of bench/results into the README and docs/: `python bench/publish.py`, after the benches.

A table goes between `<!-- figures: NAME -->` and `<!-- end of figures -->`, from bench/results/NAME.md. Plots go into
docs/figures. What was not measured stays as it is.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def filled(text: str) -> str:
    """The text with its tables made anew."""

    def replaced(match: re.Match[str]) -> str:
        path = RESULTS / f"{match[2]}.md"
        return f"{match[1]}\n{path.read_text(encoding='utf-8')}\n{match[3]}" if path.exists() else match[0]

    return BLOCK.sub(replaced, text)


def main() -> None:
    """Says what has changed."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(ROOT))
    figures = ROOT / "docs" / "figures"
    figures.mkdir(exist_ok=True)
    for plot in sorted(RESULTS.glob("*.svg")):
        shutil.copyfile(plot, figures / plot.name)
        print((figures / plot.name).relative_to(ROOT))


if __name__ == "__main__":
    main()
