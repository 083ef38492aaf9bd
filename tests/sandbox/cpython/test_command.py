"""CPython as ``chidori run`` uses it: what it says while the interpreter is compiled, and that it says it once."""

import asyncio
import shutil
from pathlib import Path

import pytest

from chidori_actors import exact_json
from tests.cli.console import command_line, environment
from tests.cli.pseudo_terminal import terminal
from tests.support.process import finished

from . import needs_cpython

pytestmark = needs_cpython

COMPILING = "execPython: waiting for CPython; the first time on a machine it has to be compiled"
COMPILE_SECONDS = 900
AGENT = """import { chidori } from "chidori";
const source = "import numpy\\nprint('hi')\\nresult = numpy.arange(input['n']).sum()";
export const agent = (input) => Promise.all([4, 5].map((n) =>
  chidori.execPython(source, { input: { n }, runtime: "cpython", timeoutMs: 60000 })));"""


async def run(folder: Path, **settings: str) -> str:
    """What a run of the agent tells, which must give its output."""
    (folder / "agent.ts").write_text(AGENT)
    code, output, told = await finished(
        *command_line("run", "agent.ts"), cwd=folder, env=environment(folder, **settings), seconds=COMPILE_SECONDS
    )
    assert (code, output and exact_json.loads(output)) == (0, [6, 10]), told
    return told


async def test_nothing_is_said_of_compiling_when_the_interpreter_is_there(tmp_path: Path) -> None:
    await run(tmp_path)  # it is there now
    told = await run(tmp_path)
    assert COMPILING not in told
    assert "exec_python" in told


@pytest.mark.slow
async def test_one_line_says_that_it_is_compiled_and_what_is_cut_off_is_done_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "agent.ts").write_text(AGENT)
    with terminal(tmp_path, "run", "agent.ts", XDG_CACHE_HOME=str(cache)) as screen:
        await asyncio.to_thread(screen.read_until, COMPILING)
        screen.type("\x03")
        assert await asyncio.to_thread(screen.wait) == 130
    assert not list(cache.glob("*/*/*.cwasm"))
    try:
        told = await run(tmp_path, XDG_CACHE_HOME=str(cache))
        assert told.count(COMPILING) == 1
        assert len(list(cache.glob("*/*/*.cwasm"))) == 1
        assert {path.name for path in (cache / "chidori-actors" / "wasi-python").glob("[!0-9a-f]*")} <= {"lock"}
        assert COMPILING not in await run(tmp_path, XDG_CACHE_HOME=str(cache))
    finally:
        shutil.rmtree(cache)  # 300 MB
