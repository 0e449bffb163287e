"""IPython and jedi: completion, help and source of caches, and modules that are loaded again."""

from __future__ import annotations

import inspect
from types import ModuleType

import tamis
from helpers.package_tools import as_functools, package
from helpers.subprocess_tools import run_function

jedi = package("jedi")
package("IPython")


@as_functools
def test_jedi_shows_the_functions_signature_and_doc(caches: ModuleType):
    @caches.lru_cache(maxsize=3)
    def double(number: int, unit="m"):
        """Return twice the number."""

    names = {"double": double}
    (signature,) = jedi.Interpreter("double(", [names]).get_signatures()
    assert signature.to_string().startswith("double(number: 'int', unit='m')")
    (shown,) = jedi.Interpreter("double", [names]).help(1, 0)
    assert "Return twice the number." in shown.docstring()
    (found,) = jedi.Interpreter("double", [names]).goto(1, 0)
    assert found.line == inspect.getsourcelines(double)[1] + 1
    completed = {name.name for name in jedi.Interpreter("double.cache_", [names]).complete()}
    assert {"cache_info", "cache_clear"} <= completed


def test_jedi_completes_what_tamis_has_besides():
    async def later(number): ...

    for cache in (tamis.cache(len), tamis.cache(later)):
        completed = {name.name for name in jedi.Interpreter("cache.cache_", [{"cache": cache}]).complete()}
        assert {"cache_invalidate", "cache_contains", "cache_put", "cache_refresh", "cache_stats"} <= completed


def test_an_ipython_session(tmp_path):
    def session(folder: str) -> None:
        import os
        import sys
        import warnings

        warnings.simplefilter("ignore")
        os.environ["IPYTHONDIR"] = folder
        sys.path.insert(0, folder)
        from IPython.core.completer import provisionalcompleter
        from IPython.core.interactiveshell import InteractiveShell

        shell = InteractiveShell.instance()

        def run(code: str) -> object:
            done = shell.run_cell(code)
            done.raise_error()
            return done.result

        run("import tamis")
        run("@tamis.cache\ndef double(number: int):\n    'Return twice the number.'\n    return 2 * number")
        assert run("double(2)") == 4
        found = shell.object_inspect("double", detail_level=1)
        assert found["definition"].startswith("double(number: int)")
        assert found["source"].startswith("@tamis.cache\ndef double")
        assert "Return twice the number." in shell.object_inspect("double")["docstring"]
        with provisionalcompleter():
            completed = [found.text for found in shell.Completer.completions("double.cache_i", 14)]
        assert completed == ["cache_info", "cache_invalidate"], completed

        # A cell that is run again makes another cache.
        run("first = double")
        run("@tamis.cache\ndef double(number: int):\n    return 3 * number")
        assert run("double(2), first(2)") == (6, 4)

        module = os.path.join(folder, "reloaded.py")
        source = "import tamis\n@tamis.cache\ndef double(n):\n    return FACTOR * n\nclass Account:\n"
        source += "    @tamis.cached_method\n    def total(self):\n        return FACTOR\n"
        with open(module, "w") as file:
            file.write(source.replace("FACTOR", "2"))
        run("%load_ext autoreload")
        run("%autoreload 2")
        run("import reloaded\naccount = reloaded.Account()")
        assert run("reloaded.double(3), account.total()") == (6, 2)
        with open(module, "w") as file:
            file.write(source.replace("FACTOR", "10"))
        os.utime(module, (2_000_000_000, 2_000_000_000))
        assert run("reloaded.double(3), account.total(), reloaded.Account().total()") == (30, 10, 10)

    run_function(session, str(tmp_path))
