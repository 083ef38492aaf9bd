"""Progress of long work where a person waits: one line at the foot of the terminal, gone when the work ends."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

import click

from .plain_text import elapsed_text

if TYPE_CHECKING:
    from rich import progress as rich_progress
    from rich.console import Console

AFTER_S = 1.0
"""What ends sooner shows none."""
_EVERY_S = 0.1
_BAR_WIDTH = 20


def on_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees what is written there, on something that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def quiet_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``-q``, which comes as ``quiet``."""
    return click.option("-q", "--quiet", is_flag=True, help="Show no progress.")(command)


class Bar:
    """How far a piece of work is, as ``rich`` draws it; ``drawn`` can be part of something else that is drawn."""

    def __init__(self, console: "Console") -> None:
        from rich import progress  # 60 ms, for work that takes longer than that

        self.drawn: rich_progress.Progress = progress.Progress(
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(_BAR_WIDTH),
            progress.TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            auto_refresh=False,  # that would be a thread
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self.drawn.add_task("", total=None, figures="")

    def show(self, what: str, done: int | None, total: int | None, seconds: float) -> None:
        """``what`` has come to ``done`` of ``total`` in so many seconds; None is not known."""
        count = "" if done is None else f"{done}" if total is None else f"{done} of {total}"
        figures = " ".join(part for part in (count, elapsed_text(1000 * seconds)) if part)
        self.drawn.update(self._task, description=what, completed=done or 0, total=total, figures=figures)


class Progress:
    """Shown on stderr when that is a terminal, once the work has taken a second. Whoever works tells how far it is: it
    moves when it is told of something, and while it is ``ticking``. Its block ends with a clean terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._shown = not quiet and on_terminal(sys.stderr)
        self._told: tuple[str, int | None, int | None] | None = None
        self._since = 0.0
        self._next = 0.0
        self._bar: Bar | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def tell(self, what: str, done: int | None = None, total: int | None = None, *, at_once: bool = False) -> None:
        """What is being done, and how far that is. ``at_once`` is for what leaves no time for anything else."""
        if not self._shown:
            return
        now = time.monotonic()
        if self._told is None:
            self._since = now
        self._told = what, done, total
        if at_once or now >= max(self._since + AFTER_S, self._next):
            self._draw(now)

    def erase(self) -> None:
        """Leave the line to something that is to be written; it comes back when there is more to tell."""
        if self._bar is not None:
            self._bar.drawn.stop()
            self._bar = None

    def end(self) -> None:
        """The work is done."""
        self.erase()
        self._told = None

    @asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """While the event loop has turns the time goes on, also when nobody tells anything."""
        ticker = asyncio.create_task(self._tick()) if self._shown else None
        try:
            yield
        finally:
            if ticker is not None:
                ticker.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            if self._told is not None:
                self.tell(*self._told)

    def _draw(self, now: float) -> None:
        assert self._told is not None
        self._next = now + _EVERY_S
        bar = self._bar
        if bar is None:
            from rich.console import Console

            bar = Bar(Console(file=sys.stderr, highlight=False))
        bar.show(*self._told, now - self._since)
        if self._bar is None:
            self._bar = bar
            bar.drawn.start()  # which draws it, too
        else:
            bar.drawn.refresh()
