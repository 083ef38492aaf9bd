"""Questions that a person answers on the terminal, or a pipe on stdin."""

import asyncio
import os
import sys

from .. import exact_json
from ..host.function import Question, Unanswered
from .output import write
from .screen import Screen, printable

_CHUNK = 1 << 16
_SHOWN_ARGS = 1000


class LineReader:
    """Lines of a descriptor, read while the event loop goes on. Its flags are left as they are."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = b""

    async def line(self) -> str | None:
        """The next line without its end, or None at the end of input. Cancelling loses nothing."""
        while b"\n" not in self._buffer:
            data = await self._more()
            if not data:
                break
            self._buffer += data
        if not self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    async def _more(self) -> bytes:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, readable.set)
        except PermissionError:  # epoll refuses what is always readable: regular files, /dev/null
            return self._read()
        except OSError:  # closed
            return b""
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)
        return self._read()

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK)
        except OSError:  # a terminal that hung up
            return b""


class TerminalQuestions:
    """Asks on stderr and reads stdin, one question at a time.

    Approvals and calls in doubt are a person's to decide: only a terminal is asked, a pipe keeps its lines.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._interactive = sys.stdin is not None and sys.stdin.isatty()
        self._lines = LineReader(0)
        self._one_at_a_time = asyncio.Lock()

    async def ask(self, question: Question) -> str:
        """The answer, one of the choices if there are any; an empty line or the end of input is the default.

        Raises:
            Unanswered: input has ended and there is no default, or only a terminal may answer.
        """
        if question.kind != "input" and not self._interactive:
            raise Unanswered(question)
        async with self._one_at_a_time:
            with self._screen.held():
                _show(question)
                return await self._answer(question)

    async def _answer(self, question: Question) -> str:
        while True:
            write("> ", err=True, end=False)
            line = await self._lines.line()
            if line is None:
                write("", err=True)
                if question.default is None:
                    raise Unanswered(question)
                return question.default
            if not self._interactive:
                write(printable(line), err=True)
            if not line and question.default is not None:
                return question.default
            if question.choices is None or line in question.choices:
                return line
            if line.strip() in question.choices:
                return line.strip()
            write(printable(f"{line!r} is not among the choices: {', '.join(question.choices)}"), err=True)


def _show(question: Question) -> None:
    write(printable(f"#{question.seq} {question.prompt}"), err=True)
    if question.kind != "input" and question.args is not None:
        args = exact_json.dumps(question.args).decode()
        write(f"  {args if len(args) <= _SHOWN_ARGS else args[:_SHOWN_ARGS] + '…'}", err=True)
    if question.choices is not None:
        write(printable(f"  choices: {', '.join(question.choices)}"), err=True)
    if question.default is not None:
        write(printable(f"  default: {question.default}"), err=True)
