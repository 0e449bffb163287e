"""Servers as they are run: with users of few rights, with TLS, behind Sentinel; and each program that there is."""

from __future__ import annotations

import itertools
import shutil
import subprocess

import pytest

import tamis
from helpers.server_tools import PROGRAMS, ServerProcess, eventually, free_port, is_near, running_server, settle
from tamis.remote import Redis, Unreachable
from tamis.remote._help import RIGHTS


def works(tier, other):
    """Whether two tiers of one server are one cache."""
    calls = []

    def function(x):
        calls.append(x)
        return [x]

    f, g = (
        tamis.lru_cache(ttl=60, stale=1, backend=each, name="f", single_flight=True)(function) for each in (tier, other)
    )
    assert f(1) == g(1) == [1]
    assert calls == [1]
    assert f.cache_stats()["errors"] == g.cache_stats()["errors"] == 0
    settle(g, 1)
    f.cache_put([2], 1)
    eventually(lambda: g(1) == [2])
    settle(g, 1)
    assert f.cache_invalidate(1)
    eventually(lambda: g(1) == [1])
    f.cache_refresh(1)
    f.cache_clear()
    eventually(lambda: not g.cache_contains(1))
    tier.ping()
    return True


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program(tmp_path, make_tier, program):
    server = ServerProcess(tmp_path, program=program)
    try:
        assert works(make_tier(server), make_tier(server))
    finally:
        server.stop()


def test_user_with_the_rights_that_the_guide_names(tmp_path, namespace):
    with running_server(tmp_path) as server:
        client = server.client()
        client.execute_command("ACL", "SETUSER", "tamis", "on", ">word", *RIGHTS)
        client.execute_command("ACL", "SETUSER", "default", "off")
        url = f"redis://tamis:word@127.0.0.1:{server.port}/0"
        with Redis(url, namespace=namespace) as tier, Redis(url, namespace=namespace) as other:
            assert works(tier, other)


def test_user_who_may_not_listen_has_the_tier_alone(tmp_path, namespace):
    with running_server(tmp_path) as server:
        rights = [right for right in RIGHTS if "tracking" not in right]
        server.client().execute_command("ACL", "SETUSER", "tamis", "on", ">word", *rights)
        with Redis(f"redis://tamis:word@127.0.0.1:{server.port}/0", namespace=namespace) as tier:
            f = tamis.cache(lambda x: [x], backend=tier, name="f")
            assert f(1) == f(1) == [1]
            assert f.cache_info()[:2] == (1, 1)
            assert not is_near(f, 1)


def test_tls(tmp_path, namespace):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    with running_server(tmp_path, *options, "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"):
        url = f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"
        with (
            Redis(url, namespace=namespace, timeout=1) as tier,
            Redis(url, namespace=namespace, timeout=1) as other,
        ):
            assert works(tier, other)
        with Redis(f"rediss://localhost:{port}/0", namespace=namespace) as unknown:
            f = tamis.cache(lambda x: [x], backend=unknown, name="f")
            assert f(1) == [1]
            with pytest.raises(Unreachable):
                f.cache_put([1], 1)


def test_unix_socket(tmp_path_factory, namespace):
    # The paths of sockets are short.
    folder = tmp_path_factory.mktemp("s")
    with running_server(folder, "--unixsocket", str(folder / "s")):
        url = f"unix://{folder / 's'}?db=0"
        with Redis(url, namespace=namespace) as tier, Redis(url, namespace=namespace) as other:
            assert works(tier, other)


def test_sentinel_with_a_failover(tmp_path, namespace):
    redis = pytest.importorskip("redis")
    (folder := tmp_path / "sentinel").mkdir()
    with (
        running_server(tmp_path) as master,
        running_server(tmp_path, "--replicaof", "127.0.0.1", str(master.port)) as replica,
    ):
        eventually(lambda: replica.client().info("replication")["master_link_status"] == "up", 20)
        configuration = folder / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor one 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds one 300\nsentinel failover-timeout one 2000\n"
        )
        sentinel = ServerProcess.sentinel(folder, configuration)
        try:
            client = redis.sentinel.Sentinel([("127.0.0.1", sentinel.port)], protocol=2).master_for("one")
            with Redis(client=client, namespace=namespace) as tier, Redis(client=client, namespace=namespace) as other:
                assert works(tier, other)
                f = tamis.cache(lambda x: [x], backend=tier, name="f")
                f(1)
                master.freeze()
                other_master = replica.client()
                eventually(lambda: other_master.info("replication")["role"] == "master", 30)
                before, numbers = other_master.dbsize(), itertools.count(2)
                eventually(lambda: (f(next(numbers)), other_master.dbsize() > before)[1], 30)
                eventually(lambda: tier.stats()["listening"], 10)
                settle(f, 1)
        finally:
            sentinel.stop()
            master.thaw()
