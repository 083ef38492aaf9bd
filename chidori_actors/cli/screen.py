"""Where the command line tells people things: stderr, line by line, with live lines below on a terminal."""

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .output import write
from .progress import AFTER_S, Bar

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_TICK_S = 0.125
_MOST_LINES = 8
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """``text`` without control characters, with which an agent could rewrite what the terminal shows."""
    return _CONTROL.sub("�", text)


class Screen(Protocol):
    """Shows lines that stay, and which calls are under way."""

    def write(self, line: str) -> None: ...

    def began(self, seq: int, label: str) -> None:
        """``label`` is under way, or is now called so."""
        ...

    def ended(self, seq: int) -> None: ...

    def replays(self, calls: int, recorded: int | None) -> None:
        """So many calls were answered from the record, of ``recorded`` if that is known; 0: it goes on live."""
        ...

    @contextmanager
    def held(self) -> Iterator[None]:
        """While a question stands on the terminal nothing moves on it."""
        yield

    def close(self) -> None: ...


class PlainScreen:
    """Lines only."""

    def write(self, line: str) -> None:
        write(printable(line), err=True)

    def began(self, seq: int, label: str) -> None: ...

    def ended(self, seq: int) -> None: ...

    def replays(self, calls: int, recorded: int | None) -> None: ...

    @contextmanager
    def held(self) -> Iterator[None]:
        yield

    def close(self) -> None: ...


class LiveScreen:
    """On a terminal: what is under way stands below the lines, with its elapsed time, and so does a long replay.

    The event loop redraws it, and nothing is drawn (nor ``rich`` loaded) for what ends within one tick.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, tuple[str, float]] = {}
        self._replayed: tuple[int, int | None] | None = None
        self._replay_since = 0.0
        self._bar: Bar | None = None
        self._live: Live | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held = False

    def write(self, line: str) -> None:
        if self._live is None:
            write(printable(line), err=True)
        else:
            self._live.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    def began(self, seq: int, label: str) -> None:
        _, since = self._under_way.get(seq, ("", time.monotonic()))
        self._under_way[seq] = (printable(label), since)
        self._wind_up()

    def ended(self, seq: int) -> None:
        self._under_way.pop(seq, None)

    def replays(self, calls: int, recorded: int | None) -> None:
        if not calls:
            self._replayed = None
            return
        if self._replayed is None:
            self._replay_since = time.monotonic()
        self._replayed = calls, recorded
        self._wind_up()

    @contextmanager
    def held(self) -> Iterator[None]:
        self._erase()
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._erase()

    def _wind_up(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        long_replay = self._replayed is not None and time.monotonic() - self._replay_since >= AFTER_S
        if not self._under_way and not long_replay:
            self._erase()
        elif not self._held:
            self._draw(long_replay)
        if self._under_way or self._replayed is not None:
            self._wind_up()

    def _draw(self, long_replay: bool) -> None:
        from rich.console import Console, Group  # 60 ms, for runs that take longer than that
        from rich.text import Text

        if self._live is None:
            from rich.live import Live

            # rich's own refreshing would be a thread.
            self._live = Live(
                console=Console(file=sys.stderr),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        drawn: list[RenderableType] = []
        if long_replay and self._replayed is not None:
            if self._bar is None:
                self._bar = Bar(self._live.console)
            self._bar.show("replaying: calls", *self._replayed, time.monotonic() - self._replay_since)
            drawn.append(self._bar.drawn.get_renderable())
        if self._under_way:
            drawn.append(Text("\n".join(self._lines()), no_wrap=True, overflow="ellipsis"))
        self._live.update(Group(*drawn), refresh=True)

    def _lines(self) -> list[str]:
        now = time.monotonic()
        frame = _FRAMES[int(now / _TICK_S) % len(_FRAMES)]
        calls = list(self._under_way.items())
        lines = [f"{frame} #{seq} {label} {now - began:.0f}s" for seq, (label, began) in calls[:_MOST_LINES]]
        if len(calls) > _MOST_LINES:
            lines.append(f"  … and {len(calls) - _MOST_LINES} more")
        return lines

    def _erase(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._bar = None
