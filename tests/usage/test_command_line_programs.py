"""click and typer: commands made of cached functions, and caches made of commands' functions."""

from __future__ import annotations

from types import ModuleType

from helpers.package_tools import as_functools, package

click = package("click")
clicks = package("click.testing")
typer = package("typer")
typers = package("typer.testing")


@as_functools
def test_a_command_of_click_above_a_cache(caches: ModuleType):
    @click.command()
    @click.option("--count", type=int, default=1)
    @caches.cache
    def show(count: int) -> None:
        """Show a number."""
        click.echo(2 * count)

    run = clicks.CliRunner().invoke
    assert run(show, ["--count", "3"]).output == "6\n"
    assert "Show a number." in run(show, ["--help"]).output
    assert show.name == "show"
    assert show.callback.cache_info().misses == 1


@as_functools
def test_options_with_cached_types_defaults_and_callbacks(caches: ModuleType):
    @caches.cache
    def positive(context: object, parameter: object, count: int) -> int:
        if count < 0:
            raise click.BadParameter("negative")
        return count

    @click.command()
    @click.option("--count", type=caches.cache(int), default=caches.cache(lambda: 5), callback=positive)
    def show(count: int) -> None:
        click.echo(count)

    run = clicks.CliRunner().invoke
    assert [run(show, []).output, run(show, ["--count", "3"]).output] == ["5\n", "3\n"]
    assert "negative" in run(show, ["--count", "-3"]).output


@as_functools
def test_a_command_of_typer_above_a_cache(caches: ModuleType):
    app = typer.Typer()

    @app.command()
    @caches.cache
    def show(count: int, unit: str = "m") -> None:
        """Show a number."""
        print(count, unit)

    run = typers.CliRunner().invoke
    assert run(app, ["3", "--unit", "km"]).output == "3 km\n"
    assert "Show a number." in run(app, ["--help"]).output
    assert run(app, ["three"]).exit_code == 2
