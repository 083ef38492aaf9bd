"""``chidori trace --live``: a run that is followed until it ends, in the store, whoever works on it."""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ..clipping import clip
from ..history import INTERRUPTED, current_status
from ..inspection.call_entries import settled_entry, started_entry
from ..inspection.picture import RunPicture
from ..inspection.pictured import PicturedCall
from ..journal.runs import RunMeta, get_run
from ..journal.store import Store
from ..totals import RunningTotals, Totals
from ..turns import Turns
from .interruption import Interrupted, run_interruptibly
from .live_tree import Line
from .live_view import LiveView, place_text
from .progress import on_terminal
from .screen import printable
from .trace_lines import TracedCall, call_line, outcome_parts, read_trace, render_trace, total_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

_LOOK_S = 0.25
_REST = 4
"""A look may take a fifth of the time: on a cluster it is many messages."""
_SEQ_WIDTH = 6
_PAUSED = ("paused", "awaitingapproval")
_MARKS = {"running": "▸", "waiting": "?", "done": "✓", "failed": "✗", "cancelled": "⊘", None: " "}
_STYLES = {"running": "cyan", "waiting": "bold yellow", "done": "green", "failed": "red", "cancelled": "dim", None: ""}


def follow(store: Store, meta: RunMeta, *, patience_s: float = 0) -> None:
    """Show the run until it ends or is interrupted for longer than ``patience_s``; a run at rest at once.

    On a terminal a paused run is waited for, because somebody may answer elsewhere; a pipe ends there. Ctrl-C ends the
    view and leaves the run alone.

    Raises:
        StoreError: something of the run is missing or damaged.
        RunNotFound: it was removed.
    """
    status = current_status(store, meta)
    live = on_terminal(sys.stdout)
    if status != "running" and not (live and status in _PAUSED):
        for line in render_trace(store, meta):
            click.echo(line)
        return
    picture = RunPicture(store, meta.id)
    try:
        end = End(patience_s, *(_PAUSED if live else ()))
        run_interruptibly(_watch(store, picture, end) if live else _print_calls(store, picture, end))
    except Interrupted:
        return  # whoever looks away has not failed
    for line in total_lines(read_trace(store, get_run(store, meta.id))):
        click.echo(line)


async def _look(picture: RunPicture) -> float:
    """Read what is new; for how many seconds that is enough."""
    began = time.monotonic()
    await picture.refresh(None)
    return max(_LOOK_S, _REST * (time.monotonic() - began))


class End:
    """Tells when nothing more is to be expected of a run; ``waiting`` are what it may be besides running."""

    def __init__(self, patience_s: float, *waiting: str) -> None:
        self._patience_s = patience_s
        self._going = ("running", *waiting)
        self._interrupted: float | None = None

    def has_come(self, status: str) -> bool:
        """Whether a run of that status has come to its end now."""
        now = time.monotonic()
        if status != INTERRUPTED:
            self._interrupted = None
            return status not in self._going
        if self._interrupted is None:
            self._interrupted = now
        return now >= self._interrupted + self._patience_s


# -- on a terminal ---------------------------------------------------------------------------------------------------


async def _watch(store: Store, picture: RunPicture, end: End) -> None:
    pause = await _look(picture)
    figures = _Figures(store, picture.run.lane)
    with _screen(LiveView(store, picture), figures) as draw:
        while True:
            await figures.count(picture)
            draw()
            if end.has_come(picture.status):
                return
            until = time.monotonic() + pause
            while (left := until - time.monotonic()) > 0:
                await asyncio.sleep(min(left, _LOOK_S))
                draw()
            pause = await _look(picture)


class _Figures:
    """Tokens and cost so far. Counting looks at every lane, so it is done now and then."""

    def __init__(self, store: Store, root: int) -> None:
        self._running = RunningTotals(store, root)
        self._version = ""
        self._next = 0.0

    @property
    def totals(self) -> Totals:
        return self._running.totals

    async def count(self, picture: RunPicture) -> None:
        """Count what came, unless that was done only just; at the end always."""
        began, turns = time.monotonic(), Turns()
        if picture.version == self._version or (began < self._next and picture.live):
            return
        self._version = picture.version
        for _ in self._running.count():
            await turns.over()
        took = time.monotonic() - began
        self._next = began + took + max(_LOOK_S, 2 * _REST * took)


class _Draw:
    def __init__(self, view: LiveView, figures: _Figures, console: "Console", live: "Live") -> None:
        self._view = view
        self._figures = figures
        self._console = console
        self._live = live
        self.last: Sequence[Line] = ()

    def __call__(self) -> None:
        from rich.console import Group

        width, height = self._console.size
        now_ms = int(time.time() * 1000)
        self.last = self._view.frame(self._figures.totals, now_ms, width, height)
        self._live.update(Group(*(_text(line) for line in self.last)), refresh=True)


@contextmanager
def _screen(view: LiveView, figures: _Figures) -> Iterator[_Draw]:
    """The terminal's other screen, on which frames are drawn; the last one stays on the usual one."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    # rich's own refreshing would be a thread.
    live = Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    draw = _Draw(view, figures, console, live)
    try:
        with live:
            yield draw
    finally:
        for line in draw.last:
            console.print(_text(line), no_wrap=not line.whole, overflow="fold" if line.whole else "ellipsis")


def _text(line: Line) -> "Text":
    """Never markup: what agents and models wrote is in it."""
    from rich.text import Text

    style = _STYLES[line.state]
    mark = "" if line.state is None else f"{_MARKS[line.state]} "
    text = Text("  " * line.depth, no_wrap=not line.whole, overflow="fold" if line.whole else "ellipsis")
    text.append(mark, style=style)
    text.append(printable(line.text), style=style if line.state in ("waiting", "failed") else "")
    return text


# -- through a pipe --------------------------------------------------------------------------------------------------


async def _print_calls(store: Store, picture: RunPicture, end: End) -> None:
    printed: set[int] = set()
    while True:
        pause = await _look(picture)
        contents, meta = picture.contents, picture.run
        ended = [call for call in contents.listed if call.ended is not None and call.index not in printed]
        for call in sorted(ended, key=lambda call: call.index):
            printed.add(call.index)
            click.echo(_ended_line(store, meta, picture, call))
        sys.stdout.flush()
        if end.has_come(picture.status):
            return
        await asyncio.sleep(pause)


def _ended_line(store: Store, meta: RunMeta, picture: RunPicture, call: PicturedCall) -> str:
    started, settled = started_entry(store, call), settled_entry(store, call)
    assert started is not None
    assert settled is not None
    traced = TracedCall(call.lane, started, settled)
    name = f"{call.lane.path} {call.function}" if call.lane.path else call.function
    place = place_text(picture.places, call, started.site)
    return call_line(meta, traced, clip(name), outcome_parts(settled), place, seq_width=_SEQ_WIDTH)
