"""The load generator, a process of its own: many clients with a connection each, kept alive.

``python -m bench.clients JOB`` prints JSON. ``load`` and ``streams`` start that process and give what it printed.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
import orjson

_JOB_SECONDS = 240.0
_CONNECT_AT_ONCE = 100
"""So many streams are opened at one time: what they cost once open is measured, not a stampede."""

_TAIL_BYTES = 500


@dataclass(frozen=True, slots=True)
class Load:
    """``bodies`` are posted to ``paths``, one after the other by each of ``clients``. Every answer must have ``status``
    and contain ``says``; one that does not ends the measurement with an error."""

    url: str
    clients: int
    paths: Sequence[str]
    body: Mapping[str, Any]
    status: int
    says: str = '"status":"completed"'


@dataclass(frozen=True, slots=True)
class Loaded:
    """How it went: ``latencies`` of every request, ``seconds`` from the first request to the last answer,
    ``connect_seconds`` until every client had its connection, ``cpu_seconds`` of the load generator meanwhile."""

    seconds: float
    connect_seconds: float
    cpu_seconds: float
    latencies: list[float]


@dataclass(frozen=True, slots=True)
class Streams:
    """``count`` streams of one session, or (``path`` is ``/sessions/stream``) of one session each, made of ``body``."""

    url: str
    path: str
    count: int
    body: Mapping[str, Any] | None = None


def load(job: Load) -> Loaded:
    """Let the load generator do it; takes four minutes at the most."""
    result = subprocess.run(_command("load", job), check=False, capture_output=True, timeout=_JOB_SECONDS)
    if result.returncode:
        raise RuntimeError("the load generator failed: " + result.stderr.decode()[-2000:])
    return Loaded(**orjson.loads(result.stdout))


class OpenStreams:
    """Streams that a process holds open and reads."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def all_open(self) -> float:
        """Wait until all are open; seconds that it took."""
        return self._line()

    def all_ended(self) -> float:
        """Wait until the server has ended them all, each with ``done``; ``time.time()`` of that moment."""
        return self._line()

    def _line(self) -> float:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended before its streams did")
        return float(line)


@contextmanager
def streams(job: Streams) -> Iterator[OpenStreams]:
    """Open them; leaving closes those that are still open."""
    process = subprocess.Popen(_command("streams", job), stdout=subprocess.PIPE)
    try:
        yield OpenStreams(process)
    finally:
        process.kill()
        process.communicate()


def _command(kind: str, job: Load | Streams) -> list[str]:
    return [sys.executable, "-m", "bench.clients", orjson.dumps({"kind": kind, **asdict(job)}).decode()]


# -- in the process ----------------------------------------------------------------------------------------------------


async def _load(job: Load) -> Loaded:
    body, says = orjson.dumps(job.body), job.says.encode()
    latencies: list[float] = []
    left = iter(job.paths)

    async def client(session: aiohttp.ClientSession) -> None:
        for path in left:
            began = time.perf_counter()
            async with session.post(path, data=body, headers={"Content-Type": "application/json"}) as response:
                answer = await response.read()
            latencies.append(time.perf_counter() - began)
            if response.status != job.status or says not in answer:
                raise RuntimeError(f"{path} was answered with {response.status}: {answer[:500]!r}")

    async with _session(job.url) as session:
        began = time.perf_counter()
        await _all(_connect(session) for _ in range(job.clients))
        connected, cpu = time.perf_counter(), time.process_time()
        await _all(client(session) for _ in range(job.clients))
        return Loaded(time.perf_counter() - connected, connected - began, time.process_time() - cpu, latencies)


async def _connect(session: aiohttp.ClientSession) -> None:
    # All at once, so that nobody can take the connection of another that has its answer already: one for each client.
    async with session.get("/health") as response:
        await response.read()


async def _streams(job: Streams) -> None:
    opening = asyncio.Semaphore(_CONNECT_AT_ONCE)
    left = job.count
    all_open = asyncio.Event()

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal left
        async with opening:
            method = "GET" if job.body is None else "POST"
            response = await session.request(method, job.path, json=job.body)
        left -= 1
        if not left:
            all_open.set()
        tail = b""
        async for chunk in response.content.iter_any():
            tail = (tail + chunk)[-_TAIL_BYTES:]
        if b"event: done\n" not in tail:
            raise RuntimeError(f"a stream ended with {tail!r}")

    async with _session(job.url) as session, asyncio.TaskGroup() as group:
        began = time.perf_counter()
        for _ in range(job.count):
            group.create_task(client(session))
        await all_open.wait()
        _say(time.perf_counter() - began)
    _say(time.time())


def _session(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        url,
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=_JOB_SECONDS),
        read_bufsize=1 << 12,
    )


async def _all(work: Iterable[Any]) -> None:
    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(each)


def _say(value: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.flush()


def main() -> None:
    """Do the job that the command line names."""
    job = orjson.loads(sys.argv[1])
    if job.pop("kind") == "load":
        _say(asdict(asyncio.run(_load(Load(**job)))))
    else:
        asyncio.run(_streams(Streams(**job)))


if __name__ == "__main__":
    main()
