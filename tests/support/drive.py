"""A run in a process of its own, to be killed: ``python -m tests.support.drive FOLDER [URL]``.

The first time it runs ``FOLDER/agent.ts``, or ``agent.star``, on the store ``FOLDER/store``, later it resumes. It
prints how the run came to rest as one JSON line.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson

from chidori_actors import exact_json
from chidori_actors.errors import RunNotFound
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import RunResult, Runtime
from chidori_actors.settings import Settings

from .agents import LOCAL, bundle_of, make_settings, start
from .systems import open_runtime

RUN = "killed-run"
IMAGE_EVERY = 5
"""Few calls, so that kills fall before, between and after images."""


def settings_in(folder: Path, url: str) -> Settings:
    """The run's settings."""
    # A prompt that offers this tool is answered with a call of it first.
    asked = orjson.dumps([{"name": "post", "input": {"url": url, "name": "asked"}}]).decode()
    return make_settings(folder / "store", {**LOCAL, "CHIDORI_TEST_LLM_TOOL_CALL": asked})


def ended(result: RunResult) -> dict[str, Any]:
    """How the run came to rest."""
    output = None if result.meta.output is None else exact_json.loads(result.meta.output)
    return {"status": result.meta.status, "output": output, "error": result.meta.error}


async def run_on(runtime: Runtime, folder: Path, url: str) -> RunResult:
    """Run the agent, or resume it."""
    agent = next(folder.glob("agent.*"))
    try:
        get_run(runtime.store, RUN)
    except RunNotFound:
        return await start(runtime, agent, {"url": url}, run_id=RUN)
    return await runtime.resume(RUN, current=bundle_of(agent))


async def drive(folder: Path, url: str) -> None:
    """Run or resume, and say how it ended."""
    async with open_runtime(settings_in(folder, url), image_every=IMAGE_EVERY) as runtime:
        result = await run_on(runtime, folder, url)
        sys.stdout.buffer.write(exact_json.dumps(ended(result)) + b"\n")


if __name__ == "__main__":
    asyncio.run(drive(Path(sys.argv[1]), sys.argv[2]))
