"""The front door: sessions/s and latency beside a bare handler, event streams and their memory, resume after kill -9.

With ``BENCH_PROFILE=FILE`` only 64 clients are measured, and the server's profile (cProfile) is left in FILE.
"""

import os
import statistics
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from chidori_actors.settings import Settings

from .clients import Load, Loaded, Streams, load, streams
from .measure import Figure, Rows
from .scenery import own_store
from .served import Served, bare, chidori

_ROUNDS = 3
_TRIVIAL = {"input": {"calls": 1}}
_LARGE = {"input": {"paragraphs": 100}, "agent": "reporting.ts"}
_WAITING = {"input": {"rounds": 1, "side": 1, "ms": 3_600_000}, "agent": "waiting.ts"}
_ASKING = {"input": {}, "agent": "asking.ts"}
_REQUESTS = {1: 300, 64: 1500, 1000: 3000}
"""Sessions by clients."""
_PAUSED = 200
_ANSWER_SECONDS = 60.0
_GONE_SECONDS = 40.0
_COMMENT_SECONDS = 15.0
"""An idle stream says so often that it is there, and so notices that nobody reads."""


def measure() -> list[Figure]:
    """Every figure of this suite; takes four to six minutes."""
    profile = os.environ.get("BENCH_PROFILE")
    if profile:
        return _profiled(Path(profile))
    return [*_sessions(), *_resumes(), *_own_streams(1_000), *_shared_streams(1_000), *_idle_streams(10_000)]


# -- sessions ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Burst:
    """A load, and the processor time that the server had meanwhile."""

    loaded: Loaded
    server_cpu_seconds: float

    @property
    def rate(self) -> float:
        return len(self.loaded.latencies) / self.loaded.seconds


def _sessions() -> list[Figure]:
    """Server and bare handler take turns, so that what else the machine does concerns both."""
    rows = Rows()
    for _ in range(_ROUNDS):
        with own_store() as settings, chidori(settings, "sequential") as served, bare(settings) as plain:
            for server in (served, plain):
                _burst(server, 8, 40, _TRIVIAL)  # what a process does the first time
            for clients, requests in _REQUESTS.items():
                who = f"{clients:,} client{'s' if clients > 1 else ''}"
                _tell(rows, f"{who}: sessions", _burst(served, clients, requests, _TRIVIAL))
                _tell(rows, f"{who}: bare handler", _burst(plain, clients, 2 * requests, _TRIVIAL))
            _tell(rows, "64 clients, outputs of 100 KB: sessions", _burst(served, 64, 500, _LARGE))
    return rows.figures()


def _burst(server: Served, clients: int, requests: int, body: dict[str, Any]) -> _Burst:
    before = server.cpu_seconds
    loaded = load(Load(server.url, clients, ["/sessions"] * requests, body, 201))
    return _Burst(loaded, server.cpu_seconds - before)


def _tell(rows: Rows, name: str, burst: _Burst) -> None:
    loaded = burst.loaded
    percentiles = statistics.quantiles(loaded.latencies, n=100)
    rows.add(name, "/s", burst.rate)
    rows.add("  p50 of " + name, "ms", percentiles[49] * 1e3)
    rows.add("  p99 of " + name, "ms", percentiles[98] * 1e3)
    rows.add(
        "  processor time of the server for one, " + name, "ms", burst.server_cpu_seconds / len(loaded.latencies) * 1e3
    )
    rows.add("  of a core for the load generator, " + name, "%", loaded.cpu_seconds / loaded.seconds * 100)
    rows.add("  until all are connected, " + name, "ms", loaded.connect_seconds * 1e3)


def _profiled(profile: Path) -> list[Figure]:
    rows = Rows()
    with own_store() as settings, chidori(settings, "sequential", profile=profile) as served:
        _burst(served, 8, 40, _TRIVIAL)
        _tell(rows, "64 clients, under cProfile: sessions", _burst(served, 64, 2000, _TRIVIAL))
    return rows.figures()


# -- restart -----------------------------------------------------------------------------------------------------------


def _resumes() -> list[Figure]:
    """kill -9 of a server whose sessions wait for a person, a new one on the same store, answers."""
    rows = Rows()
    for _ in range(_ROUNDS):
        with own_store() as settings:
            paths = [f"/sessions/{each}/resume" for each in _paused(settings)]
            began = time.perf_counter()
            with chidori(settings, "sequential") as served:
                up = time.perf_counter()
                _post(served.url + paths[0], {"response": "yes"})
                answered = time.perf_counter()
                burst = load(Load(served.url, 64, paths[1:], {"response": "yes"}, 200))
            rows.add("kill -9, restart, resume: process start to answer", "s", answered - began)
            rows.add("  the server accepts connections after", "s", up - began)
            rows.add("  the resume alone", "ms", (answered - up) * 1e3)
            rows.add(f"  {_PAUSED - 1} more, 64 clients", "/s", len(burst.latencies) / burst.seconds)
    return rows.figures()


def _paused(settings: Settings) -> Sequence[str]:
    """The ids of sessions that wait for a person; the server that made them was killed."""
    with chidori(settings, "sequential") as served:
        load(Load(served.url, 16, ["/sessions"] * _PAUSED, _ASKING, 201, '"status":"paused"'))
        with urllib.request.urlopen(f"{served.url}/sessions?limit={_PAUSED}", timeout=_ANSWER_SECONDS) as response:
            listed = orjson.loads(response.read())["sessions"]
        served.kill()
    return [session["id"] for session in listed]


def _post(url: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(
        url, orjson.dumps(body), {"Content-Type": "application/json", **(headers or {})}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:
        return orjson.loads(response.read())


# -- streams -----------------------------------------------------------------------------------------------------------


def _own_streams(count: int) -> list[Figure]:
    """Each of a session of its own, whose VM waits for a timer."""

    def once(rows: Rows, served: Served) -> None:
        before = served.private_mb
        with streams(Streams(served.url, "/sessions/stream", count, _WAITING)) as opened:
            rows.add(f"{count:,} sessions begun and streamed: all open after", "s", opened.all_open())
            rows.add("  private memory of session, VM and stream, all of them", "MB", served.private_mb - before)

    return _rounds(once)


def _shared_streams(count: int) -> list[Figure]:
    """All of one session, which ends: how long until everybody knows."""

    def once(rows: Rows, served: Served) -> None:
        path = _waiting_session(served)
        before = served.private_mb
        with streams(Streams(served.url, f"{path}/stream", count)) as opened:
            rows.add(f"{count:,} streams of one session: all open after", "s", opened.all_open())
            rows.add("  private memory of them all", "MB", served.private_mb - before)
            cancelled = time.time()
            _post(f"{served.url}{path}/cancel", {})
            rows.add("  cancel to the last `done` received", "ms", (opened.all_ended() - cancelled) * 1e3)

    return _rounds(once)


def _idle_streams(count: int) -> list[Figure]:
    """All of one session in which nothing happens, gone at once, and the same again: memory must not add up."""

    def once(rows: Rows, served: Served) -> None:
        path = _waiting_session(served)
        before, files = served.private_mb, served.open_files
        for _ in range(2):
            _hold_idle(rows, served, Streams(served.url, f"{path}/stream", count), before)
            _wait_until(lambda: served.open_files <= files + 1)
            time.sleep(_COMMENT_SECONDS + 1)
            rows.add("  private memory once they went away", "MB", served.private_mb - before)

    return _rounds(once, rounds=1)


def _hold_idle(rows: Rows, served: Served, job: Streams, before_mb: float) -> None:
    with streams(job) as opened:
        rows.add(f"{job.count:,} idle streams, twice: all open after", "s", opened.all_open())
        cpu, began = served.cpu_seconds, time.monotonic()
        time.sleep(_COMMENT_SECONDS)
        share = (served.cpu_seconds - cpu) / (time.monotonic() - began)
        rows.add("  private memory with them", "MB", served.private_mb - before_mb)
        rows.add("  of a core while nothing happens", "%", share * 100)
        asked = time.perf_counter()
        _post(f"{served.url}/sessions", _TRIVIAL)
        rows.add("  a session created meanwhile", "ms", (time.perf_counter() - asked) * 1e3)


def _rounds(once: Callable[[Rows, Served], None], rounds: int = _ROUNDS) -> list[Figure]:
    rows = Rows()
    for _ in range(rounds):
        with own_store() as settings, chidori(settings, "sequential") as served:
            _burst(served, 8, 40, _TRIVIAL)  # the first sessions make what later ones share
            once(rows, served)
    return rows.figures()


def _waiting_session(served: Served) -> str:
    """The path of a session under way in which nothing happens."""
    view = _post(f"{served.url}/sessions", _WAITING, {"Prefer": "respond-async"})
    return f"/sessions/{view['id']}"


def _wait_until(reached: Callable[[], bool]) -> None:
    give_up = time.monotonic() + _GONE_SECONDS
    while not reached():
        if time.monotonic() > give_up:
            raise RuntimeError(f"the server kept connections for {_GONE_SECONDS:g} s after their clients went away")
        time.sleep(0.1)
