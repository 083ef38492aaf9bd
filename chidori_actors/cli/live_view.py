"""A run that goes on as the lines of a terminal: how it stands, its tree, the questions that are open."""

import textwrap
from collections.abc import Iterator
from pathlib import PurePath

from ..call_places import CallPlaces
from ..clipping import clip
from ..history import INTERRUPTED
from ..inspection.call_entries import started_entry
from ..inspection.labels import read_labels
from ..inspection.picture import RunPicture
from ..inspection.pictured import PicturedCall, State
from ..journal.store import Store
from ..totals import Totals
from .conclusion import answer_command, asked, error_line, resume_command
from .live_tree import Line, LiveTree
from .plain_text import counted, elapsed_text

_LONGEST_OUTPUT = 200
_STATES: dict[str, State] = {
    "running": "running",
    "paused": "waiting",
    "awaitingapproval": "waiting",
    "completed": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    INTERRUPTED: "failed",
}
"""The marks of the run's own line."""


class LiveView:
    """Makes frames of a picture of a run."""

    def __init__(self, store: Store, picture: RunPicture) -> None:
        self._store = store
        self._picture = picture
        self._places: dict[tuple[int, int], str] = {}

    def frame(self, totals: Totals, now_ms: int, width: int, height: int) -> list[Line]:
        """At most ``height`` lines for ``width`` columns; ``now_ms`` is the time of day, since 1970.

        Raises:
            StoreError: something of the run is missing or damaged.
        """
        picture = self._picture
        at_rest = picture.status in _STATES and not picture.live and _STATES[picture.status] != "waiting"
        until_ms = picture.now_ms if at_rest else now_ms
        top = [*self._head(totals, until_ms, width)]
        bottom = [*self._bottom(width, max(2, (height - len(top)) // 2))]
        tree = LiveTree(picture, self.place)
        chosen = tree.choose(max(0, height - len(top) - len(bottom)))
        read_labels(self._store, (item for item in chosen if isinstance(item, PicturedCall)))
        return [*top, *tree.lines(chosen, until_ms), *bottom][:height]

    def place(self, call: PicturedCall) -> str:
        """``file:line:column`` of the call in its agent's source; empty when it is not known.

        Raises:
            StoreError: the entry or the source is missing or damaged.
        """
        if call.started is None:
            return ""
        key = call.lane.number, call.started
        if key not in self._places:
            started = started_entry(self._store, call, blobs=False)
            site = None if started is None else started.site
            self._places[key] = place_text(self._picture.places, call, site)
        return self._places[key]

    def _head(self, totals: Totals, until_ms: int, width: int) -> Iterator[Line]:
        picture = self._picture
        elapsed = elapsed_text(until_ms - picture.started_ms)
        agent = clip(PurePath(picture.run.agent).name)
        yield Line(f"{agent}  {picture.status} {elapsed}  run {picture.run.id}", _STATES.get(picture.status))
        counts = picture.counts()
        states = ", ".join(f"{counts[state]} {state}" for state in ("running", "waiting", "failed") if counts[state])
        parts = [counted(picture.call_count, "call") + (f": {states}" if states else "")]
        if totals.models:
            parts.append(f"{totals.input_tokens} in/{totals.output_tokens} out, cost {totals.cost_text()}")
        yield from (Line(line, depth=1) for line in _filled(parts, width - 2))

    def _bottom(self, width: int, room: int) -> Iterator[Line]:
        run = self._picture.run
        if self._picture.status == INTERRUPTED:
            yield Line("no process works on it any more; it goes on with:")
            yield from _command(resume_command(run.agent, run.id), width)
        elif self._picture.status == "failed" and run.error is not None:
            yield Line(f"error: {clip(error_line(run.error), _LONGEST_OUTPUT)}", "failed")
        elif self._picture.status == "completed" and run.output is not None:
            yield Line(f"output {clip(run.output.decode('utf-8', 'replace'), _LONGEST_OUTPUT)}")
        elif self._picture.questions:
            yield from self._questions(width, room)

    def _questions(self, width: int, room: int) -> Iterator[Line]:
        questions = self._picture.questions
        for number, question in enumerate(questions):
            command = answer_command(self._picture.run, question)
            lines = [Line(asked(question), "waiting"), *_command(command, width)]
            room -= len(lines)
            if number and room < 1:
                yield Line(f"… and {counted(len(questions) - number, 'question')} more")
                return
            yield from lines


def place_text(places: CallPlaces, call: PicturedCall, site: str | None) -> str:
    """``file:line:column`` of a call whose entry has that ``site``.

    Raises:
        StoreError: the source is missing or damaged.
    """
    return str(places.find(call.lane.source, site) or "")


def _filled(parts: list[str], width: int) -> Iterator[str]:
    """The parts on one line, or each on its own where it is too narrow for that."""
    line = ", ".join(parts)
    yield from [line] if len(line) <= width else parts


def _command(command: str, width: int) -> Iterator[Line]:
    """A command that can be copied: what does not fit goes on behind a backslash."""
    lines = textwrap.wrap(command, max(20, width - 4), break_long_words=False, break_on_hyphens=False)
    for number, line in enumerate(lines, start=1):
        yield Line(line + (" \\" if number < len(lines) else ""), depth=1, whole=True)
