"""Sessions run again from their record alone, to be looked at: nothing is stored, and nobody else is asked."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ReplayDivergence
from ..inspection.source_excerpt import place_view, source_excerpt
from ..journal.lanes import Settled, Started
from ..journal.runs import RunMeta
from ..languages.bundle import Bundle
from ..resumption import recorded_bundle
from ..runtime import Runtime
from ..session.attendance import Attendance
from ..session.failure import Place
from ..session.observer import Unobserved
from ..session.outcome import Completed, Failed, Reached, Rest
from ..verification import replay_fault
from .agents import Agents
from .refusal import Refused
from .slots import Slots
from .views import View, located, raw_json

_AT_ONCE = 4
_MOST_LINES, _LONGEST_LINE = 200, 10_000


@dataclass(slots=True)
class _Watching(Unobserved):
    """Counts what the record answers and keeps what the agent prints."""

    recorded: int = 0
    last_seq: int | None = None
    lines: list[View] = field(default_factory=list)

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        self.recorded += 1
        self.last_seq = call.seq

    def printed(self, level: str, text: str) -> None:
        if len(self.lines) < _MOST_LINES:
            shown = text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + "…"
            self.lines.append({"level": level, "text": shown})


class Verifications:
    """A few at once, each in a slot of ``sessions`` like any other work."""

    def __init__(self, runtime: Runtime, agents: Agents, sessions: Slots) -> None:
        self._runtime = runtime
        self._agents = agents
        self._sessions = sessions
        self._own = Slots(_AT_ONCE, runtime.settings.acquire_timeout_ms)

    async def verify(self, meta: RunMeta, until: int | None, *, current: bool) -> View:
        """How a replay of the session goes: as far as the call ``until``, with the source on disk when it is
        ``current``.

        Raises:
            Refused: there is no slot, or no such source.
            UsageError: there is no call ``until`` that ended.
            NotResumable: the session was imported without its source.
        """
        bundle = self._source_on_disk(meta) if current else recorded_bundle(self._runtime.store, meta)
        watching, rest, diverged = _Watching(), None, None
        async with _taken(self._own), _taken(self._sessions):
            try:
                attendance = Attendance(observer=watching)
                source = bundle if current else None
                result = await self._runtime.replay(meta.id, until=until, current=source, attendance=attendance)
                rest = result.rest
            except ReplayDivergence as error:
                diverged = error
        return {
            **_came_to(meta, rest),
            "recorded": watching.recorded,
            "live": 0,
            "seq": until if isinstance(rest, Reached) else watching.last_seq,
            "printed": watching.lines,
            "divergence": None if diverged is None else _divergence(diverged, bundle),
        }

    def _source_on_disk(self, meta: RunMeta) -> Bundle:
        agent = self._agents.recorded(Path(meta.agent), meta.tool_folders)
        if agent is None:
            hint = "put the agent's file there, or leave `current_source` out to verify with the recorded source"
            raise Refused(409, f"there is no file {meta.agent} here", hint=hint)
        return agent.bundle


@asynccontextmanager
async def _taken(slots: Slots) -> AsyncIterator[None]:
    await slots.take()
    try:
        yield
    finally:
        slots.give_back()


def _came_to(meta: RunMeta, rest: Rest | None) -> View:
    """What the replay came to; None is a divergence."""
    compared = meta.status in ("completed", "failed") and isinstance(rest, Completed | Failed)
    matches = compared and rest is not None and replay_fault(meta, rest) is None
    return {
        "status": _status(rest),
        "output": raw_json(rest.output) if isinstance(rest, Completed) else None,
        "output_matches": matches if compared else None,
        "error": located(rest.error) if isinstance(rest, Failed) else None,
    }


def _status(rest: Rest | None) -> str:
    if rest is None:
        return "diverged"
    if isinstance(rest, Reached):
        return "reached"
    return "completed" if isinstance(rest, Completed) else "failed" if isinstance(rest, Failed) else "record_ended"


def _divergence(error: ReplayDivergence, bundle: Bundle) -> Mapping[str, Any]:
    place = _place(error.place, bundle)
    return {
        "seq": error.seq,
        "message": str(error),
        "place": None if place is None else place_view(place),
        "source": None if place is None else source_excerpt(bundle, place),
        "recorded": error.recorded,
        "attempted": error.attempted,
        "difference": error.difference,
    }


def _place(text: str, bundle: Bundle) -> Place | None:
    """The place, when it is in that source: a sub-agent has another."""
    path, _, position = text.partition(":") if text.count(":") == 2 else ("", "", "")
    if not any(module.path == path for module in bundle.modules):
        return None
    line, _, column = position.partition(":")
    return Place(path, int(line), int(column), "")
