"""A run in a process of its own, to be killed: ``python -m tests.support.drive FOLDER [URL]``.

The first time it runs ``FOLDER/agent.ts``, or ``agent.star``, on the store ``FOLDER/store``, later it resumes. It
prints how the run came to rest as one JSON line.
"""

import asyncio
import sys
from pathlib import Path

import orjson

from chidori_actors import exact_json
from chidori_actors.errors import RunNotFound
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.settings import load_settings

from .agents import LOCAL, bundle_of, start
from .systems import open_runtime

RUN = "killed-run"


async def _continue(runtime: Runtime, agent: Path, url: str) -> RunResult:
    try:
        get_run(runtime.store, RUN)
    except RunNotFound:
        return await start(runtime, agent, {"url": url}, run_id=RUN)
    return await runtime.resume(RUN, current=bundle_of(agent))


async def drive(folder: Path, url: str) -> None:
    """Run or resume, and say how it ended."""
    # A prompt that offers this tool is answered with a call of it first.
    asked = orjson.dumps([{"name": "post", "input": {"url": url, "name": "asked"}}]).decode()
    environ = {**LOCAL, "CHIDORI_DB_PATH": str(folder / "store"), "CHIDORI_TEST_LLM_TOOL_CALL": asked}
    settings = load_settings(environ)
    # A small distance between images, so that kills fall before, between and after them.
    async with open_runtime(settings, image_every=5) as runtime:
        result = await _continue(runtime, next(folder.glob("agent.*")), url)
        output = None if result.meta.output is None else exact_json.loads(result.meta.output)
        line = {"status": result.meta.status, "output": output, "error": result.meta.error}
        sys.stdout.buffer.write(exact_json.dumps(line) + b"\n")


if __name__ == "__main__":
    asyncio.run(drive(Path(sys.argv[1]), sys.argv[2]))
