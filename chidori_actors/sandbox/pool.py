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
from .execution import MOST_INPUT_BYTES, MOST_OUTPUT_BYTES, Execution, Outcome, SandboxFault, overran
from .frames import LENGTH, read_reply, request_frame

Family = Literal["engine", "cpython"]

_GRACE_SECONDS = 10.0
"""A worker ends itself in time; one that cannot even be signalled is given up after so much more."""
_SLOW_START_SECONDS = 5.0
"""Only one that compiles its interpreter takes longer."""
_POLL_SECONDS = 0.001
_END_POLLS = 5000
_NONSENSE = "the sandbox's process said what cannot be understood, and was ended"
_START_SECONDS: dict[Family, float] = {"engine": 60.0, "cpython": 3600.0}
"""CPython's waits until another process has compiled it."""
_MOST_REPLY_BYTES = 4 * MOST_OUTPUT_BYTES
"""What a worker may say at most; it bounds that itself, so that more is not its own any more."""


class WorkerPool:
    """Runs executions in at most ``size`` processes; the others wait for their turn, first come, first served.

    The time that an execution may take counts from when a process begins with it.
    """

    def __init__(self, family: Family, size: int | None = None) -> None:
        self._family: Family = family
        self._turns = asyncio.Semaphore(size or max(2, _cores()))
        self._busy: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._ended: list[_Worker] = []

    async def execute(
        self,
        execution: Execution,
        slow_start: Callable[[], None] = lambda: None,
        its_turn: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """What comes of an execution. Cancelling it ends its process. ``slow_start`` is told when a process takes long
        to start, ``its_turn`` when it need not wait for others any more.

        Raises:
            SandboxFault: the source failed or went beyond a bound, or there is no process that could run it.
        """
        frame = request_frame(execution)
        if len(frame) > MOST_INPUT_BYTES:
            raise SandboxFault(f"the source and its input are larger than {MOST_INPUT_BYTES >> 20} MB")
        async with self._turns:
            its_turn()
            self._reap()
            worker = await self._worker(slow_start)
            try:
                return await worker.exchange(frame, execution.timeout_ms)
            except SandboxFault:
                raise
            except BaseException:
                worker.kill()
                raise
            finally:
                self._put_back(worker)

    async def aclose(self) -> None:
        """End all processes, also those that execute something."""
        for worker in list(self._busy):
            self._end(worker)
        while self._idle:
            worker = self._idle.pop()
            if self._family == "cpython":
                await worker.hang_up()
            self._end(worker)
        for worker in self._ended:
            await worker.ended()
        self._ended.clear()

    async def _worker(self, slow_start: Callable[[], None]) -> "_Worker":
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                self._busy.add(worker)
                return worker
            self._end(worker)
        try:
            worker = _Worker(self._family)
        except OSError as error:
            raise SandboxFault(f"the sandbox's process did not start: {error.strerror}") from None
        self._busy.add(worker)
        try:
            await worker.start(slow_start)
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _put_back(self, worker: "_Worker") -> None:
        if worker.is_alive:
            self._busy.discard(worker)
            self._idle.append(worker)
        else:
            self._end(worker)

    def _end(self, worker: "_Worker") -> None:
        self._busy.discard(worker)
        worker.kill()
        self._ended.append(worker)

    def _reap(self) -> None:
        self._ended = [worker for worker in self._ended if worker.process.poll() is None]


class _Worker:
    """One process. It answers one execution at a time."""

    def __init__(self, family: Family) -> None:
        self._family: Family = family
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
        loop = asyncio.get_running_loop()
        slow = loop.call_later(_SLOW_START_SECONDS, slow_start)
        late = loop.call_later(_START_SECONDS[self._family], self.kill)
        try:
            if said := await self._receive():
                read_reply(said)
        except EOFError:
            how = "it was ended" if self._killed else await self._how_it_ended()
            raise SandboxFault(f"the sandbox's process did not start ({how})") from None
        except SandboxFault as fault:
            raise SandboxFault(f"the sandbox's process did not start: {fault}") from None
        except ValueError:
            raise SandboxFault(_NONSENSE) from None
        finally:
            slow.cancel()
            late.cancel()

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
            ended = await self._how_it_ended()
            if self._killed or self.process.returncode == -signal.SIGALRM:
                raise overran(timeout_ms) from None
            raise SandboxFault(f"the sandbox's process ended unexpectedly ({ended})") from None
        except ValueError:
            self.kill()
            raise SandboxFault(_NONSENSE) from None
        finally:
            timer.cancel()

    def kill(self) -> None:
        """End it now, and what it started: Python's interpreter would go on to its own bound."""
        if self._killed:
            return  # its number may be that of another process by now
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
        await self.ended()

    async def ended(self) -> int | None:
        """Its exit status, once it has ended; its end is near. None when it does not come."""
        for _ in range(_END_POLLS):
            await asyncio.sleep(_POLL_SECONDS)  # also for the connection, whose end comes with the loop's next turn
            if self.process.poll() is not None:
                break
        return self.process.poll()

    async def _receive(self) -> bytes:
        assert self._streams is not None
        reader = self._streams[0]
        (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
        if size > _MOST_REPLY_BYTES:
            self.kill()
            raise SandboxFault(_NONSENSE)
        return await reader.readexactly(size)

    async def _how_it_ended(self) -> str:
        status = await self.ended()
        if status is None:
            return "it closed its connection"
        return f"exit status {status}" if status >= 0 else signal.Signals(-status).name


def _cores() -> int:
    # Those that this process may use, where the system can tell.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin(family: Family) -> str:
    """The program of a worker: it finds this package where this process did."""
    path = [os.path.abspath(folder) for folder in sys.path]
    return f"import sys; sys.path[:] = {path!r}; from chidori_actors.sandbox.worker import main; main({family!r})"


def _environment() -> dict[str, str]:
    """All that a worker gets to know: where compiled modules are kept."""
    directory = cache_directory()
    return {} if directory is None else {"XDG_CACHE_HOME": str(directory.parent)}
