"""Sphinx: pages made from the docstrings of cached functions and methods."""

from __future__ import annotations

from helpers.package_tools import package
from helpers.subprocess_tools import run_child

package("sphinx")

MODULE = '''
"""Caches in a module."""
import LIBRARY as caches

@caches.lru_cache(maxsize=3)
def double(number: int, unit="m") -> str:
    """Return twice the number.

    >>> from documented import double
    >>> double(2)
    '4 m'
    """
    return f"{2 * number} {unit}"

@caches.cache
def nothing_said(number): return number

class Account:
    """An account."""
    @caches.cache
    def total(self, count: int) -> int:
        """Return the total."""

    @classmethod
    @caches.cache
    def of_class(cls, count: int) -> int:
        """Return what the class has."""

    @staticmethod
    @caches.cache
    def of_nobody(count: int) -> int:
        """Return what nobody has."""

    @property
    @caches.cache
    def size(self) -> int:
        """How large it is."""

class Savings(Account):
    @caches.cache
    def total(self, count: int) -> int: ...
'''
PAGE = """
Title
=====

.. automodule:: documented
   :members:
   :undoc-members:
   :inherited-members:
   :member-order: bysource

.. autofunction:: documented.double
   :no-index:

.. automethod:: documented.Account.total
   :no-index:
"""
BUILD = """
import sys, warnings
warnings.simplefilter("ignore")
from sphinx.cmd.build import main
for builder in ("text", "doctest"):
    assert main(["-q", "-W", "-b", builder, sys.argv[1], sys.argv[1] + "/" + builder]) == 0
"""


def page_of(folder, library: str, source: str = MODULE) -> str:
    folder.mkdir()
    (folder / "documented.py").write_text(source.replace("LIBRARY", library))
    (folder / "index.rst").write_text(PAGE)
    extensions = ["sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx.ext.viewcode"]
    (folder / "conf.py").write_text(f"import sys\nsys.path.insert(0, {str(folder)!r})\nextensions = {extensions}\n")
    run_child(f"import sys\nsys.argv[1:] = [{str(folder)!r}]\n{BUILD}", seconds=80)
    return (folder / "text" / "index.txt").read_text()


def test_pages_are_those_of_functools_caches(tmp_path):
    page = page_of(tmp_path / "tamis", "tamis")
    assert page == page_of(tmp_path / "functools", "functools")
    assert "documented.double(number: int, unit='m') -> str" in page
    assert "Return twice the number." in page
    assert "classmethod of_class(count: int) -> int" in page
    assert "static of_nobody(count: int) -> int" in page


def test_pages_of_cached_methods_and_coroutine_functions(tmp_path):
    source = MODULE.replace("    @caches.cache\n    def total", "    @caches.cached_method\n    async def total")
    source += "\n@caches.cache\nasync def later(number: int) -> int:\n    '''Return it later.'''\n"
    page = page_of(tmp_path / "pages", "tamis", source)
    assert "async total(count: int) -> int" in page
    assert "async documented.later(number: int) -> int" in page
    assert "Return it later." in page
