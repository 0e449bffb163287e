"""Functions whose shared caches are given no name."""

from __future__ import annotations

from helpers.marks import for_shared_caches, has_two_functions_of_one_name
from tamis import lru_cache
from tamis._identity.region_name import region_name

pytestmark = [for_shared_caches, has_two_functions_of_one_name]


def compiled(file, source):
    """The function `f` of a program in this file."""
    file.write_text(source)
    scope = {"__name__": "program", "__file__": str(file)}
    exec(compile(source, str(file), "exec"), scope)
    return scope["f"]


def test_name_tells_functions_apart(tmp_path):
    sources = [
        *("def f(x): return x", "def f(x): return x + 1", "def f(x): return x + 2", "def f(y): return y"),
        *("def f(x, z=1): return x", "def f(x, z=2): return x", "def f(x, *, z=2): return x"),
        *("def f(x): return str(x)", "def f(x): return repr(x)", "def g(x): return x\nf = g", "f = lambda x: x"),
        *("def f(x): return [y for y in x]", "def f(x): return [y + 1 for y in x]", "async def f(x): return x"),
        *("def f(x): return x in {1, 2}", "def f(x): return x in {1, 3}"),
        *(
            f"def h(n):\n def f(x): return x + n\n return f\nf = h({n})"
            for n in (1, 2, "print", "__import__('fractions').Fraction")
        ),
        *(f"import functools\nf = functools.partial(int, base={base})" for base in (2, 3)),
        "async def f(x): return x\nf.y = 1",
    ]
    file = tmp_path / "program.py"
    names = [region_name(compiled(file, source)) for source in sources]
    assert len(set(names[:-1])) == len(names) - 1
    assert names[-1] == names[13]
    assert names == [region_name(compiled(file, source)) for source in sources]
    assert names[0].startswith("program.f-")
    assert region_name(compiled(tmp_path / "other.py", sources[0])) != names[0]
    assert region_name(len).startswith("builtins.len-")


def test_function_that_calls_itself_has_a_name(tmp_path):
    @lru_cache(backend="shared", path=tmp_path)
    def factorial(n):
        return n * factorial(n - 1) if n else 1

    assert factorial(5) == 120
    (file,) = [path for path in tmp_path.iterdir() if path.is_file()]
    assert "factorial" in file.name


def test_functions_of_one_source_share_without_a_name(tmp_path):
    regions, file = tmp_path / "regions", tmp_path / "program.py"
    regions.mkdir(mode=0o700)
    shared = lru_cache(backend="shared", path=regions)
    g, h = (shared(compiled(file, "def f(x): return [x]")) for _ in range(2))
    other = shared(compiled(file, "def f(x): return {x}"))
    assert g(1) == h(1) == [1]
    assert other(1) == {1}
    assert h.cache_info()[:2] == (1, 1)
