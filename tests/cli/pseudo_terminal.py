"""The real console command on a real (pseudo-)terminal."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.process import SECONDS

from .console import command_line, environment

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_HOME, _USUAL_SCREEN = "\x1b[H", "\x1b[?1049l"


class Terminal:
    """The other side of a pseudo-terminal: what the process printed, and a keyboard."""

    def __init__(self, process: int, descriptor: int) -> None:
        self._process = process
        self._descriptor = descriptor
        self.shown = ""

    def read_until(self, text: str) -> None:
        """Read until ``text`` is shown after what was read before."""
        start, deadline = len(self.shown), time.monotonic() + SECONDS
        while text not in self.shown[start:]:
            assert self._more(deadline), f"{text!r} was never shown:\n{self.shown}"

    def frame_with(self, *texts: str) -> list[str]:
        """The lines of the first whole frame from now on, of those that fill the screen, that has all ``texts``."""
        start, deadline = len(self.shown), time.monotonic() + SECONDS
        while True:
            for frame in self.shown[start:].split(_HOME)[1:-1]:
                lines = plain(frame).split("\n")
                if all(any(text in line for line in lines) for text in texts):
                    return lines
            assert self._more(deadline), f"{texts} were never shown together:\n{self.shown[-4000:]}"

    @property
    def left(self) -> str:
        """What stands on the terminal after a view that filled the screen."""
        return plain(self.shown.rpartition(_USUAL_SCREEN)[2])

    def resize(self, columns: int, rows: int) -> None:
        _resize(self._descriptor, columns, rows)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def wait(self) -> int:
        """Read the rest; the exit code."""
        deadline = time.monotonic() + SECONDS
        while self._more(deadline):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])

    def _more(self, deadline: float) -> bool:
        readable, _, _ = select.select([self._descriptor], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self._descriptor, 1 << 16) if readable else b""
        except OSError:  # Linux's way to say that the other side is closed
            data = b""
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


def plain(text: str) -> str:
    """Without what moves the cursor and gives colours."""
    return _ESCAPE.sub("", text)


def _resize(descriptor: int, columns: int, rows: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


@contextmanager
def terminal(folder: Path, *arguments: str, columns: int = 80, rows: int = 24, **settings: str) -> Iterator[Terminal]:
    """``chidori ARGUMENTS`` on a terminal of that size."""
    process, descriptor = pty.fork()
    if process == 0:
        _resize(0, columns, rows)
        os.chdir(folder)
        command = command_line(*arguments)
        os.execve(command[0], command, environment(folder, TERM="xterm", **settings))
    try:
        yield Terminal(process, descriptor)
    finally:
        os.close(descriptor)


def with_stdout_apart(folder: Path, *arguments: str) -> tuple[int, bytes, str]:
    """Exit code, stdout through a pipe, and what was shown on the terminal that all else is on."""
    descriptor, other_side = pty.openpty()
    with subprocess.Popen(
        command_line(*arguments),
        cwd=folder,
        env=environment(folder, TERM="xterm"),
        stdin=other_side,
        stdout=subprocess.PIPE,
        stderr=other_side,
    ) as process:
        os.close(other_side)
        screen = Terminal(process.pid, descriptor)
        try:
            deadline = time.monotonic() + SECONDS
            while screen._more(deadline):
                pass
            stdout, _ = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
            os.close(descriptor)
    return process.returncode, stdout, screen.shown
