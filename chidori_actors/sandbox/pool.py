"""The processes that run untrusted code: started when they are needed, kept, and replaced when they end."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Literal

from ..wasm import cache_directory
from .execution import MOST_INPUT_BYTES, Execution, Outcome, SandboxFault, overran
from .frames import LENGTH, read_reply, request_frame

Family = Literal["engine", "cpython"]

_GRACE_SECONDS = 10.0
"""A worker ends itself in time; one that cannot even be signalled is given up after so much more."""
_SLOW_START_SECONDS = 5.0
"""Only one that compiles its interpreter takes longer."""
_END_SECONDS = 5.0


class WorkerPool:
    """Runs executions in at most ``size`` processes; the others wait for their turn, first come, first served.

    The time that an execution may take counts from when a process begins with it.
    """

    def __init__(self, family: Family, size: int | None = None) -> None:
        self._family: Family = family
        self._turns = asyncio.Semaphore(size or max(2, os.cpu_count() or 1))
        self._idle: list[_Worker] = []
        self._ended: list[_Worker] = []

    async def execute(self, execution: Execution, slow_start: Callable[[], None] = lambda: None) -> Outcome:
        """What comes of an execution. Cancelling it ends its process. ``slow_start`` is told when a process takes long
        to start.

        Raises:
            SandboxFault: the source failed or went beyond a bound, or there is no process that could run it.
        """
        frame = request_frame(execution)
        if len(frame) > MOST_INPUT_BYTES:
            raise SandboxFault(f"the source and its input are larger than {MOST_INPUT_BYTES >> 20} MB")
        async with self._turns:
            self._reap()
            worker = await self._worker(slow_start)
            try:
                outcome = await worker.exchange(frame, execution.timeout_ms)
            except SandboxFault:
                self._put_back(worker)
                raise
            except BaseException:
                self._end(worker)
                raise
            self._put_back(worker)
            return outcome

    async def aclose(self) -> None:
        """End all processes."""
        while self._idle:
            worker = self._idle.pop()
            if self._family == "cpython":
                await worker.hang_up()
            self._end(worker)
        for worker in self._ended:
            worker.wait()
        self._ended.clear()

    async def _worker(self, slow_start: Callable[[], None]) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            self._end(worker)
        try:
            worker = _Worker(self._family)
        except OSError as error:
            raise SandboxFault(f"the sandbox's process did not start: {error.strerror}") from None
        try:
            await worker.start(slow_start)
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _put_back(self, worker: "_Worker") -> None:
        if worker.is_alive:
            self._idle.append(worker)
        else:
            self._end(worker)

    def _end(self, worker: "_Worker") -> None:
        worker.kill()
        self._ended.append(worker)

    def _reap(self) -> None:
        self._ended = [worker for worker in self._ended if worker.process.poll() is None]


class _Worker:
    """One process. It answers one execution at a time."""

    def __init__(self, family: Family) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _begin(family)],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,  # Ctrl-C is for us; and so it is ended together with what it started
                )
            except OSError:
                ours.close()
                raise
        self._socket = ours
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._killed = False

    @property
    def is_alive(self) -> bool:
        # One that was killed may not have ended yet, and what it said too late may still be there to be read.
        return not self._killed and self._streams is not None and self.process.poll() is None

    async def start(self, slow_start: Callable[[], None]) -> None:
        """Wait until it is ready.

        Raises:
            SandboxFault: it cannot be used.
        """
        self._streams = await asyncio.open_connection(sock=self._socket)
        timer = asyncio.get_running_loop().call_later(_SLOW_START_SECONDS, slow_start)
        try:
            said = await self._receive()
        except EOFError:
            raise SandboxFault(f"the sandbox's process did not start ({self._how_it_ended()})") from None
        finally:
            timer.cancel()
        if said:
            try:
                read_reply(said)
            except SandboxFault as fault:
                self.kill()
                raise SandboxFault(f"the sandbox's process did not start: {fault}") from None

    async def exchange(self, frame: bytes, timeout_ms: int) -> Outcome:
        """Give it an execution and wait for what comes of it.

        Raises:
            SandboxFault: the execution failed. The process may have ended.
        """
        assert self._streams is not None
        # Not a timeout of what waits for the reply: when this process was held up, the reply may have come in time.
        timer = asyncio.get_running_loop().call_later(timeout_ms / 1000 + _GRACE_SECONDS, self.kill)
        try:
            self._streams[1].write(frame)
            return read_reply(await self._receive())
        except (EOFError, ConnectionError):
            ended = self._how_it_ended()
            if self._killed or self.process.returncode == -signal.SIGALRM:
                raise overran(timeout_ms) from None
            raise SandboxFault(f"the sandbox's process ended unexpectedly ({ended})") from None
        finally:
            timer.cancel()

    def kill(self) -> None:
        """End it now, and what it started: Python's interpreter would go on to its own bound."""
        self._killed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        if self._streams is None:
            self._socket.close()
        else:
            self._streams[1].transport.abort()

    async def hang_up(self) -> None:
        """Close the connection while it is idle, and wait: it ends by itself and removes its temporary files."""
        assert self._streams is not None
        self._streams[1].close()
        with contextlib.suppress(ConnectionError):
            await self._streams[1].wait_closed()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait()

    def wait(self) -> None:
        """Wait for its end, which has come or is near."""
        self.process.wait(_END_SECONDS)

    async def _receive(self) -> bytes:
        assert self._streams is not None
        reader = self._streams[0]
        (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        return await reader.readexactly(size)

    def _how_it_ended(self) -> str:
        # Its end of the connection is closed, so its end is a matter of microseconds.
        try:
            code = self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


def _begin(family: Family) -> str:
    """The program of a worker: it finds this package where this process did."""
    path = [os.path.abspath(folder) for folder in sys.path]
    return f"import sys; sys.path[:] = {path!r}; from chidori_actors.sandbox.worker import main; main({family!r})"


def _environment() -> dict[str, str]:
    """All that a worker gets to know: where compiled modules are kept."""
    directory = cache_directory()
    return {} if directory is None else {"XDG_CACHE_HOME": str(directory.parent)}
