"""Where the command line tells people things: stderr, line by line, with live lines below on a terminal."""

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from .output import write

if TYPE_CHECKING:
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

    @contextmanager
    def held(self) -> Iterator[None]:
        yield

    def close(self) -> None: ...


class LiveScreen:
    """On a terminal: what is under way stands below the lines, with its elapsed time.

    The event loop redraws it, and nothing is drawn (nor ``rich`` loaded) for what ends within one tick.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, tuple[str, float]] = {}
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
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def ended(self, seq: int) -> None:
        self._under_way.pop(seq, None)

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

    def _tick(self) -> None:
        self._timer = None
        if not self._under_way:
            self._erase()
            return
        if not self._held:
            self._draw()
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _draw(self) -> None:
        from rich.text import Text  # 60 ms, for runs that take longer than that

        if self._live is None:
            from rich.console import Console
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
        self._live.update(Text("\n".join(self._lines()), no_wrap=True, overflow="ellipsis"), refresh=True)

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
