"""The process that runs untrusted code, one execution after the other, and answers on its standard output.

It is begun with an empty environment, in the root folder, without any file but its socket, and it is ended by a signal
when an execution takes too long: nothing inside has to cooperate, neither a compiler nor an endless loop.
"""

import os
import resource
import select
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from .execution import Execution, Kind, Outcome, SandboxFault, bounded, bounded_fault
from .frames import LENGTH, READY, read_request, reply_frame

if TYPE_CHECKING:
    from .monty import Monty

_SPARE_SECONDS = 2.0
"""What ends by its own bound may take this much longer, so that the process need not be ended."""
_ADDRESS_SPACE = 8 << 30
_DESCRIPTORS = 64

Executor = Callable[[Execution], Outcome]


def main(family: str) -> None:
    """Serve executions of one family (``engine`` or ``cpython``) until the other end is closed."""
    connection = socket.socket(fileno=os.dup(0))
    with open(os.devnull, "r+b", buffering=0) as nothing:
        for descriptor in (0, 1):
            os.dup2(nothing.fileno(), descriptor)
    try:
        executors = _load(family)
    except Exception as error:
        connection.sendall(reply_frame(SandboxFault(f"{type(error).__name__}: {error}")))
        return
    _confine(family)
    executing = threading.Event()
    threading.Thread(target=_end_with, args=(connection, executing), name="end of the other end", daemon=True).start()
    connection.sendall(READY)
    while (payload := _receive(connection)) is not None:
        execution = read_request(payload)
        del payload
        executing.set()
        reply = reply_frame(_execute(executors, execution))
        executing.clear()
        connection.sendall(reply)


def _end_with(connection: socket.socket, executing: threading.Event) -> None:
    """End this process and what it started when nobody waits for what it executes: the other end was killed.

    While nothing is executed it ends by itself.
    """
    poll = select.poll()
    poll.register(connection, 0)  # nothing but that it was closed
    poll.poll()
    executing.wait()
    os.killpg(0, signal.SIGKILL)


def _load(family: str) -> Mapping[Kind, tuple[Executor, float]]:
    """The executors, each with the seconds beyond its timeout after which the process is ended."""
    if family == "cpython":
        from .cpython import CPython

        return {"cpython": (CPython().execute, _SPARE_SECONDS)}
    from .javascript import JavaScript
    from .webassembly import WebAssembly

    return {
        "js": (JavaScript().execute, 0.0),
        "python": (_Late().execute, _SPARE_SECONDS),
        "wasm": (WebAssembly().execute, 0.0),
    }


class _Late:
    """Python's interpreter, loaded at its first use: it takes 50 ms."""

    @cached_property
    def _monty(self) -> "Monty":
        from .monty import Monty

        return Monty()

    def execute(self, execution: Execution) -> Outcome:
        return self._monty.execute(execution)


def _confine(family: str) -> None:
    """Take from this process what no execution needs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    # A machine without memory ends this process, and not the largest one, which may be the one that runs the agents.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    if family == "cpython":
        return  # it hands the input over in a file, and maps a module of 300 MB
    # A write to any file ends the process; so does a compiler that wants more memory than this.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))


def _receive(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, LENGTH.size)
    return None if head is None else _exactly(connection, LENGTH.unpack(head)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(min(size - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)


def _execute(executors: Mapping[Kind, tuple[Executor, float]], execution: Execution) -> Outcome | SandboxFault:
    execute, spare = executors[execution.kind]
    # The signal's default action ends the process.
    signal.setitimer(signal.ITIMER_REAL, execution.timeout_ms / 1000 + spare)
    try:
        return bounded(execute(execution))
    except SandboxFault as fault:
        return bounded_fault(fault)
    except Exception as error:  # a fault of ours: without an answer, it would look like the source's
        return SandboxFault(f"the sandbox itself failed ({type(error).__name__})")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
