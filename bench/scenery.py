"""What a measurement runs in: an agent of its own, a store of its own, a process of its own."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import orjson

from chidori_actors.languages.bundle import Bundle
from chidori_actors.languages.loading import load_bundle
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.outcome import Completed
from chidori_actors.session.program import make_program
from chidori_actors.settings import Settings, load_settings
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Bounds, Machine

AGENTS = Path(__file__).parent / "agents"
_POLICY = {"random": "seeded", "date": "fixed", "maps_sets": "serialize"}

Input = int | float | bool | str
"""What the benchmarks' agents take."""


@cache
def bundle_of(agent: str) -> Bundle:
    """The source of the agent of that name in ``agents``."""
    return load_bundle(_file_of(agent), Settings().runtime_policy)


def _file_of(agent: str) -> Path:
    (file,) = AGENTS.glob(f"{agent}.*")
    return file


def new_vm(agent: str, **options: Input) -> Machine:
    """A VM of that agent that waits for its first call, without any run around it."""
    return begun(bundle_of(agent), **options)


def begun(bundle: Bundle, **options: Input) -> Machine:
    """A VM of the agent of that bundle that waits for its first call."""
    program = make_program(bundle, _POLICY, seed="00", path="", input_json=orjson.dumps(options), epoch_ms=0)
    machine = Machine(load_engine(), Bounds())
    machine.begin(program.config, program.input, program.sources, program.epoch_ms, 10)
    return machine


@contextmanager
def own_store() -> Iterator[Settings]:
    """Settings with a new store, which is removed at the end; its durability is strict."""
    # Beside the project, not in the temporary directory, which may be a memory file system that has nothing to sync.
    folder = tempfile.mkdtemp(prefix=".bench-", dir=Path.cwd())
    try:
        yield load_settings({"CHIDORI_DB_PATH": folder + "/store"})
    finally:
        shutil.rmtree(folder)


async def complete(runtime: Runtime, agent: str, **options: Input) -> RunResult:
    """Run the agent to its end.

    Raises:
        RuntimeError: it failed or paused.
    """
    result = await start(runtime, agent, Attendance(), **options)
    if not isinstance(result.rest, Completed):
        raise RuntimeError(f"the benchmark's agent did not complete: {result.rest}")
    return result


async def start(runtime: Runtime, agent: str, attendance: Attendance, **options: Input) -> RunResult:
    """Run the agent until it rests."""
    return await runtime.run(bundle_of(agent), _file_of(agent), orjson.dumps(options), attendance=attendance)


def own_process(code: str) -> list[tuple[float, ...]]:
    """What ``code`` prints in three processes of its own, by column: memory figures must not see other scenarios."""
    command = [sys.executable, "-c", code]
    outputs = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(3)]
    rows = [[float(figure) for figure in output.split()] for output in outputs]
    return [tuple(row[column] for row in rows) for column in range(len(rows[0]))]
