"""Flask: cached functions as views, filters and loaders."""

from __future__ import annotations

import asyncio
from types import ModuleType

import tamis
from helpers.package_tools import as_functools, package

flask = package("flask")


@as_functools
def test_views_below_and_above_routes(caches: ModuleType):
    app = flask.Flask(__name__)
    calls = []

    @app.route("/double/<int:number>")
    @caches.cache
    def double(number: int) -> str:
        calls.append(number)
        return str(2 * number)

    @caches.cache
    @app.route("/triple/<int:number>")
    def triple(number: int) -> str:
        return str(3 * number)

    client = app.test_client()
    assert [client.get("/double/2").text, client.get("/double/2").text, client.get("/triple/2").text] == ["4", "4", "6"]
    assert calls == [2]
    assert app.view_functions["double"] is double
    double.cache_clear()
    assert client.get("/double/2").text == "4"
    assert calls == [2, 2]


@as_functools
def test_filters_globals_and_handlers(caches: ModuleType):
    app = flask.Flask(__name__)
    app.add_template_filter(caches.cache(lambda text: text.upper()), "loud")
    app.add_template_global(caches.cache(lambda: "global"), "named")

    @app.errorhandler(404)
    @caches.cache
    def missing(error: Exception) -> tuple[str, int]:
        return "nothing here", 404

    @app.context_processor
    @caches.cache
    def context() -> dict[str, str]:
        return {"where": "context"}

    with app.test_request_context():
        shown = flask.render_template_string("{{ 'quiet' | loud }} {{ named() }} {{ where }}")
    assert shown == "QUIET global context"
    assert app.test_client().get("/nowhere").text == "nothing here"


def test_a_cached_coroutine_function_beside_flask():
    app = flask.Flask(__name__)

    @tamis.cache
    async def double(number: int) -> int:
        return 2 * number

    @app.get("/<int:number>")
    def view(number: int) -> str:
        return str(asyncio.run(double(number)))

    client = app.test_client()
    assert [client.get("/2").text, client.get("/2").text] == ["4", "4"]
    assert double.cache_info()[:2] == (1, 1)
