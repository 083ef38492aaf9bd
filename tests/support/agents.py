"""Agents written in a test, run by a real runtime on a store of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors import assembly
from chidori_actors.agent_source import load_agent
from chidori_actors.history import records
from chidori_actors.host.function import HostCall, HostFunction, HostResult, HostServices, Question
from chidori_actors.host.table import host_functions
from chidori_actors.journal.lanes import Settled, Started
from chidori_actors.journal.records import Record
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.journal.tree import run_tree
from chidori_actors.languages.bundle import Bundle
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.actor_images import IMAGE_EVERY
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Completed, Failed, Paused
from chidori_actors.settings import RuntimePolicy, Settings, load_settings
from chidori_actors.vm.machine import Bounds

from .systems import chosen_system, open_runtime

Run = Callable[[HostCall, HostServices], Awaitable[HostResult]]

LOCAL: Mapping[str, str] = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "CHIDORI_TEST_LLM_RESPONSE": "fine"}
"""Settings of a run that may reach servers of this machine and asks no model."""


@dataclass
class RecordingObserver:
    """Keeps everything that it is told, as tuples that begin with the event's name."""

    seen: list[tuple[Any, ...]] = field(default_factory=list)
    when_started: Callable[[str, Started], None] = lambda path, call: None
    when_ended: Callable[[str], None] = lambda path: None

    def of(self, event: str) -> list[tuple[Any, ...]]:
        """What was told under that name, without the name."""
        return [entry[1:] for entry in self.seen if entry[0] == event]

    def run_started(self, run_id: str) -> None:
        self.seen.append(("run_started", run_id))

    def call_started(self, path: str, call: Started) -> None:
        self.seen.append(("call_started", path, call))
        self.when_started(path, call)

    def call_waits(self, question: Question) -> None:
        self.seen.append(("call_waits", question))

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        self.seen.append(("call_ended", path, call.function, settled, replayed))
        self.when_ended(path)

    def printed(self, level: str, text: str) -> None:
        self.seen.append(("printed", level, text))

    def warned(self, text: str) -> None:
        self.seen.append(("warned", text))

    def noted(self, text: str) -> None:
        self.seen.append(("noted", text))

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        self.seen.append(("prompt_start", seq, prompt_type, model))

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        self.seen.append(("prompt_delta", seq, delta))

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        self.seen.append(("prompt_end", seq, error))


def make_settings(store: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``environ`` alone, with the store at ``store``."""
    return load_settings({**(LOCAL if environ is None else environ), "CHIDORI_DB_PATH": str(store)})


def write_agent(folder: Path, source: str, name: str = "agent.ts") -> Path:
    """``source`` as a file of a project whose root is ``folder``."""
    (folder / "chidori.json").write_text("{}", encoding="utf-8")
    path = folder / name
    path.write_text(source, encoding="utf-8")
    return path


def bundle_of(path: Path, policy: RuntimePolicy | None = None) -> Bundle:
    """The bundle of the agent at ``path``, with the tools beside it."""
    return load_agent(path, policy or RuntimePolicy())


@asynccontextmanager
async def runtime_in(
    folder: Path,
    environ: Mapping[str, str] | None = None,
    *,
    bounds: Bounds | None = None,
    image_every: int = IMAGE_EVERY,
) -> AsyncIterator[Runtime]:
    """A runtime on the chosen system whose store is ``folder/store``; ``environ`` takes the place of ``LOCAL``."""
    settings = make_settings(folder / "store", environ)
    async with open_runtime(settings, bounds=bounds, image_every=image_every) as runtime:
        yield runtime


async def start(
    runtime: Runtime,
    path: Path,
    value: Any = None,
    *,
    run_id: str = "test-run",
    attendance: Attendance | None = None,
) -> RunResult:
    """Run the agent at ``path`` on the input ``value``."""
    return await runtime.run(
        load_agent(path, runtime.settings.runtime_policy),
        path,
        orjson.dumps({} if value is None else value),
        run_id=run_id,
        attendance=attendance or Attendance(),
    )


def output_of(result: RunResult) -> Any:
    """The parsed output of a run that must have completed."""
    assert isinstance(result.rest, Completed), result.rest
    return orjson.loads(result.rest.output)


def failure_of(result: RunResult) -> Failed:
    """The failure of a run that must have failed."""
    assert isinstance(result.rest, Failed), result.rest
    return result.rest


def pause_of(result: RunResult) -> Paused:
    """The pause of a run that must have paused."""
    assert isinstance(result.rest, Paused), result.rest
    return result.rest


def records_of(store: Store, run_id: str = "test-run") -> list[Record]:
    """The call records of all of the run's actors as the store has them."""
    return records(store, get_run(store, run_id))


def calls_of(store: Store, run_id: str = "test-run") -> list[Started]:
    """The calls that the run's actors made, in the order in which they began."""
    calls = (call for actor in run_tree(store, get_run(store, run_id)).actors for call in actor.calls)
    return sorted(calls, key=lambda started: started.seq)


async def within(seconds: float, work: Awaitable[Any]) -> Any:
    """What ``work`` gives; a hang becomes a failure."""
    async with asyncio.timeout(seconds):
        return await work


def functions_with(**runs: Run) -> dict[str, HostFunction]:
    """The real host functions, those named in ``runs`` doing that instead."""
    table = dict(host_functions())
    for name, run in runs.items():
        table[name] = replace(table[name], run=run)
    return table


def use_functions(patch: pytest.MonkeyPatch, functions: dict[str, HostFunction]) -> None:
    """Let the actors of this process have these host functions, on whichever host in it they live."""
    patch.setattr(assembly, "host_functions", lambda: functions)
    if chosen_system() == "hosts":
        from actors import outpost  # imports Ray

        patch.setattr(outpost, "host_functions", lambda: functions)
