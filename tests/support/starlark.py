"""Projects of agents in Starlark, and their runs compared as JSON text: 1.0 is not 1 there."""

from collections.abc import Mapping
from pathlib import Path

from chidori_actors.journal.records import Record
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.session.outcome import Completed
from tests.support.agents import (
    records_of,
    write_agent,
)

RUN = "test-run"
LARGE = 2**53 + 1
"""The first whole number that no double holds."""


def project(folder: Path, files: Mapping[str, str]) -> Path:
    """Files by their paths; the first one is the agent."""
    paths = []
    for name, source in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        paths.append(write_agent(folder, source, name))
    return paths[0]


def text_of(result: RunResult) -> str:
    """The output of a run that must have completed, as JSON text."""
    assert isinstance(result.rest, Completed), result.rest
    return result.rest.output.decode()


def calls(runtime: Runtime, function: str, run_id: str = RUN) -> list[Record]:
    return [record for record in records_of(runtime.store, run_id) if record["function"] == function]


async def check_replay(runtime: Runtime, result: RunResult, run_id: str = RUN) -> None:
    assert text_of(await runtime.replay(run_id)) == text_of(result)
