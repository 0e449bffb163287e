"""`python -m tamis remote`."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import tamis
from helpers.server_tools import eventually, free_port


def run(*arguments, status=0):
    done = subprocess.run(
        [sys.executable, "-m", "tamis", "remote", *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture
def filled(server, make_tier):
    """Two namespaces with a few entries."""
    first, second = make_tier(server, namespace="shop: [EU]"), make_tier(server, namespace="shop")
    f = tamis.cache(lambda x: [x], backend=first, name="prices of {all}")
    g = tamis.cache(lambda x: [x], backend=second, name="g")
    for x in range(5):
        f(x), g(x)
    g.cache_clear()
    g(1)
    return f, g


def test_list(server, filled):
    content = json.loads(run(server.url, "list", "--json"))
    assert content == {
        "namespaces": [
            {"namespace": "shop", "functions": 1, "entries": 1, "older": 5, "leases": 0},
            {"namespace": "shop: [EU]", "functions": 1, "entries": 5, "older": 0, "leases": 0},
        ]
    }
    text = run(server.url, "list")
    assert "2 namespaces" in text
    assert "shop: [EU]" in text


def test_list_of_an_empty_server(server):
    assert run(server.url, "list") == "tamis: 0 namespaces\n"


def test_show(server, filled):
    content = json.loads(run(server.url, "show", "shop: [EU]", "--json"))
    assert content["functions"] == [{"function": "prices of {all}", "entries": 5, "older": 0, "leases": 0}]
    assert "prices of {all}" in run(server.url, "show", "shop: [EU]")


def test_clear_is_heard_everywhere(server, filled):
    f, g = filled
    assert f.cache_contains(1)
    assert run(server.url, "clear", "shop: [EU]") == "cleared 5 entries of 1 function\n"
    eventually(lambda: not f.cache_contains(1))
    assert g.cache_contains(1)
    left = [name for name in server.client().scan_iter("*EU*") if not name.endswith(b":epoch")]
    assert left == []
    assert json.loads(run(server.url, "clear", "shop", "--json")) == {"namespace": "shop", "cleared": 1}
    eventually(lambda: not g.cache_contains(1))


def test_wrong_command_lines(server):
    assert "no namespace 'x'" in run(server.url, "show", "x", status=2)
    assert "no namespace 'x'" in run(server.url, "clear", "x", status=2)
    assert "takes a NAMESPACE" in run(server.url, "show", status=2)
    assert "takes no NAMESPACE" in run(server.url, "list", "x", status=2)
    assert "invalid choice" in run(server.url, "drop", status=2)
    assert "does not answer" in run(f"redis://127.0.0.1:{free_port()}/0", "list", status=2)
    assert run("http://x", "list", status=2).startswith("tamis: remote: ")
    assert "usage: python -m tamis remote" in run("--help")
