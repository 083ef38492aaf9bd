"""Servers in processes of their own, and what the system says of these."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chidori_actors.settings import Settings

from .measure import private_mb
from .scenery import AGENTS

_START_SECONDS = 30.0
_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.002
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Served:
    """A server that accepts connections at ``url``."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it has had, of all its threads."""
        # The name of the process, which is in parentheses, may have spaces.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    @property
    def private_mb(self) -> float:
        """Memory that only it has, in MB."""
        return private_mb(self.process.pid)

    @property
    def open_files(self) -> int:
        """How many files and connections it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def kill(self) -> None:
        """End it at once, as ``kill -9`` does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def chidori(settings: Settings, agent: str, *, profile: Path | None = None) -> Iterator[Served]:
    """``chidori serve`` of that benchmark agent and those beside it, on that store; under cProfile when ``profile`` is
    the file to leave the profile in. It is stopped with SIGTERM."""
    profiler = () if profile is None else ("-m", "cProfile", "-o", str(profile))
    command = (sys.executable, *profiler, "-m", "chidori_actors", "serve", str(AGENTS / f"{agent}.ts"), "--port", "0")
    with _running((*command, "--grace", "0"), settings) as served:
        yield served


@contextmanager
def bare(settings: Settings) -> Iterator[Served]:
    """The bare handler; its log goes beside the store, and it uses nothing else of ``settings``."""
    with _running((sys.executable, "-m", "bench.bare"), settings) as served:
        yield served


@contextmanager
def _running(command: Sequence[str], settings: Settings) -> Iterator[Served]:
    # The log goes to a file: a pipe would have to be emptied, by a process that takes processor time from the server.
    log = settings.store.parent / f"{time.monotonic_ns()}.log"
    environment = {**os.environ, "CHIDORI_DB_PATH": str(settings.store)}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr
        )
    try:
        yield Served(_url(process, log), process)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()
            process.wait()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        for line in log.read_text().splitlines(keepends=True):
            if line.startswith("Serving ") and line.endswith("\n"):
                return line.split()[-1]
        time.sleep(_POLL_SECONDS)
    raise RuntimeError("the server did not start: " + log.read_text()[-2000:])
