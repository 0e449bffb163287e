"""Django: migrations, views, templates and the helpers of django.utils."""

from __future__ import annotations

import asyncio
import inspect
from types import ModuleType
from typing import Any

import pytest

import tamis
from helpers.package_tools import as_functools, package

django = package("django")
package("django.test")

from django.conf import settings  # noqa: E402

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, TEMPLATES=[])
    django.setup()

from django.db import models  # noqa: E402
from django.db.migrations.writer import MigrationWriter  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.template import Context, Engine  # noqa: E402
from django.test import AsyncRequestFactory, RequestFactory  # noqa: E402
from django.urls import path, resolve  # noqa: E402
from django.utils.decorators import method_decorator  # noqa: E402
from django.utils.functional import SimpleLazyObject, cached_property, lazy  # noqa: E402
from django.views.decorators.cache import never_cache  # noqa: E402
from django.views.generic import View  # noqa: E402


@tamis.cache
def default_size() -> int:
    return 3


class Sizes:
    @tamis.cached_method
    def default(self) -> int:
        return 3


@tamis.cache
def about(request: Any) -> HttpResponse:
    return HttpResponse("about")


urlpatterns = [path("about/", about, name="about")]


def test_migrations_write_caches_by_name():
    written, imports = MigrationWriter.serialize(models.IntegerField(default=default_size))
    assert written == f"models.IntegerField(default={__name__}.default_size)"
    assert f"import {__name__}" in imports
    assert MigrationWriter.serialize(Sizes.default)[0] == f"{__name__}.Sizes.default"


@as_functools
def test_migrations_refuse_caches_that_have_no_name_to_be_found_by(caches: ModuleType):
    @caches.cache
    def local() -> int:
        return 3

    with pytest.raises(ValueError, match="Could not find function local"):
        MigrationWriter.serialize(local)


@as_functools
def test_views_and_their_decorators(caches: ModuleType):
    @never_cache
    @caches.cache
    def view(request: Any) -> HttpResponse:
        return HttpResponse("text")

    class ClassView(View):
        @method_decorator(never_cache)
        @caches.cache
        def get(self, request: Any) -> HttpResponse:
            return HttpResponse("text")

        @caches.cache
        def put(self, request: Any) -> HttpResponse:
            return HttpResponse("put")

    request = RequestFactory().get("/")
    for called in (view, ClassView.as_view()):
        answer = called(request)
        assert answer.content == b"text"
        assert "no-cache" in answer["Cache-Control"]
    assert ClassView.as_view()(RequestFactory().put("/")).content == b"put"


def test_a_cached_view_is_found_by_its_path():
    assert resolve("/about/").func is about
    assert resolve("/about/").view_name == "about"


def test_cached_coroutine_views():
    @never_cache
    @tamis.cache
    async def view(request: Any) -> HttpResponse:
        return HttpResponse("text")

    assert inspect.iscoroutinefunction(view)
    request = AsyncRequestFactory().get("/")

    async def main() -> list[bytes]:
        return [(await view(request)).content, (await view(request)).content]

    assert asyncio.run(main()) == [b"text", b"text"]


@as_functools
def test_templates_call_caches(caches: ModuleType):
    template = Engine().from_string("{{ size }} {{ account.total }} {{ account.label }}")

    class Account:
        @caches.cache
        def total(self) -> int:
            return 4

        @cached_property
        @caches.cache
        def label(self) -> str:
            return "label"

    assert template.render(Context({"size": caches.cache(lambda: 3), "account": Account()})) == "3 4 label"


@as_functools
def test_lazy_values(caches: ModuleType):
    assert str(lazy(caches.cache(lambda: "text"), str)()) == "text"
    assert SimpleLazyObject(caches.cache(lambda: 4)) == 4
