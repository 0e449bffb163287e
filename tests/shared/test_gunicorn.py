"""A real web server that forks its workers after the cache was made: they are killed and reloaded under load."""

from __future__ import annotations

import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from helpers.subprocess_tools import environment_with
from tamis import lru_cache

pytest.importorskip("gunicorn", reason="gunicorn is not installed: the extra 'test' has it, for Linux")

SECONDS = 60.0
LOAD_SECONDS = 4.0
PAGES = 300
APPLICATION = """
import os
from helpers.subprocess_tools import environment_with
from tamis import lru_cache

@lru_cache(maxsize=200, backend="shared", path=os.environ["REGION"], name="pages", single_flight=True)
def page(number):
    return {"number": number, "text": f"page {number} " * (number % 50 + 1)}

@lru_cache(maxsize=200, backend="shared", path=os.environ["REGION"], name="titles")
def title(number):
    return f"title {number}"

page(0)  # before the workers are forked

def application(environ, start_response):
    number = int(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()}|{title(number)}|{page(number)['text']}".encode()]
"""


def expected(number):
    return [f"title {number}", f"page {number} " * (number % 50 + 1)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_child(process, parent):
    """Whether the process lives, and is the parent's: a number may be another's by now."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
    return f"PPid:\t{parent}\n" in status


def get(port, number):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", f"/?{number}")
        return connection.getresponse().read().decode().split("|")
    finally:
        connection.close()


class Load:
    """Threads that ask for pages until told to stop."""

    def __init__(self, port, threads=4):
        self.port, self.done, self.wrong = port, threading.Event(), []
        self.answers, self.broken, self.workers = 0, 0, set()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(seed,)) for seed in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        randomly = random.Random(seed)
        while not self.done.is_set():
            number = randomly.randrange(PAGES)
            try:
                worker, *answer = get(self.port, number)
            except (ConnectionError, http.client.HTTPException):
                # Its worker was killed.
                with self.lock:
                    self.broken += 1
                continue
            with self.lock:
                self.answers += 1
                self.workers.add(int(worker))
                if answer != expected(number):
                    self.wrong.append((number, answer))

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(SECONDS)
            assert not thread.is_alive(), "a request hangs"


def test_workers_of_a_preloaded_server_share_a_cache_whatever_happens_to_them(tmp_path):
    region = tmp_path / "region"
    region.mkdir(mode=0o700)
    (tmp_path / "pages.py").write_text(APPLICATION)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "3", "--bind", f"127.0.0.1:{port}"]
    environment = environment_with(str(tmp_path), *sys.path, REGION=str(region))
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(
            [*command, "pages:application"], cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + SECONDS
        while True:
            try:
                assert get(port, 0)[1:] == expected(0)
                break
            except ConnectionError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < end
                time.sleep(0.05)
        load = Load(port)
        randomly = random.Random("gunicorn")
        end = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < end:
            time.sleep(randomly.random() * 0.2)
            with load.lock:
                workers = list(load.workers)
            if randomly.random() < 0.2:
                server.send_signal(signal.SIGHUP)  # new workers
            elif workers and is_child(worker := randomly.choice(workers), server.pid):
                with suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(worker, signal.SIGKILL)
        load.stop()
        assert load.wrong == []
        assert load.answers > 100
        assert len(load.workers) > 3
        server.send_signal(signal.SIGTERM)
        assert server.wait(SECONDS) == 0
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
    # Any other process sees what they have done.
    page = lru_cache(maxsize=200, backend="shared", path=region, name="pages", single_flight=True)(len)
    info = page.cache_info()
    assert load.answers <= info.hits + info.misses
    assert 100 < info.currsize <= 200
    assert info.hits > 0
    if page.cache_contains(7):
        assert page(7)["number"] == 7
