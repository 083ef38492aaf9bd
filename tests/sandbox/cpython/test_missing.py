"""Without the extra, an agent that asks for CPython is told how to get it."""

from pathlib import Path

import pytest

from tests.sandbox.executions import workers
from tests.support.agents import output_of, runtime_in, start, write_agent

from . import INSTALLED

AGENT = """import { chidori } from "chidori";
export async function agent() {
  const missing = await chidori.execPython("1 + 1", { runtime: "cpython" }).catch((error) => error.message);
  return [missing, await chidori.execPython("1 + 1")];
}"""


@pytest.mark.skipif(INSTALLED, reason="chidori-actors[cpython] is installed: `make test` runs this")
async def test_the_error_has_the_command_that_installs_it_and_no_process_is_started(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT)
    async with runtime_in(tmp_path) as runtime:
        before = workers()
        missing, other = output_of(await start(runtime, path))
        assert len(workers() - before) == 1  # the one of the other runtime
    assert missing == (
        "execPython: runtime \"cpython\" is not installed; install it with: pip install 'chidori-actors[cpython]'"
    )
    assert other == 2
