"""The real server as a process of its own, that a test kills, stops and starts again on the same port and store."""

import asyncio
import re
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.cli.console import command_line, environment

SECONDS = 60
"""Generous: the machine may be busy."""
_SERVING = re.compile(r'^Serving .* at http://\S+$|"event":"serving"')


class ServerProcess:
    """``chidori serve``; ``log`` is what all of its lives wrote on stderr, line by line. The port stays the same.

    Prompts go to the endpoint that ``environ`` names, and otherwise to the test provider.
    """

    def __init__(self, agent: Path, environ: Mapping[str, str], *options: str) -> None:
        self._agent = agent
        self._environ = environment(agent.parent, **environ)
        if "LITELLM_API_URL" in environ:
            del self._environ["CHIDORI_TEST_LLM_RESPONSE"]
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.port = _free_port()
        self.log: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process of its present life."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it accepts connections."""
        await self._spawn()
        serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(serving))
        async with asyncio.timeout(SECONDS):
            await serving

    async def refused(self) -> int:
        """Start it where it cannot run, and wait until it has said why: its exit code."""
        process = await self._spawn()
        self._reading = asyncio.create_task(self._read(asyncio.get_running_loop().create_future()))
        return await self._ended(process)

    async def kill(self) -> None:
        """``kill -9``."""
        assert self._process is not None
        self._process.kill()
        await self.ended()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.terminate()
        return await self.ended()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait until the process has ended: its exit code."""
        assert self._process is not None
        return await self._ended(self._process)

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def _spawn(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *command_line("serve", str(self._agent), "--port", str(self.port), *self._options),
            cwd=self._agent.parent,
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        return self._process

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        async with asyncio.timeout(SECONDS):
            code = await process.wait()
            if self._reading is not None:
                await asyncio.wait([self._reading])
        return code

    async def _read(self, serving: asyncio.Future[None]) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self.log.append(line.decode().rstrip())
            if _SERVING.search(self.log[-1]) and not serving.done():
                serving.set_result(None)
        if not serving.done():
            serving.set_exception(AssertionError("the server ended: " + "\n".join(self.log)))
            serving.exception()


@asynccontextmanager
async def server_process(agent: Path, environ: Mapping[str, str], *options: str) -> AsyncIterator[ServerProcess]:
    """The server of that agent, started; it is killed at the end of the block."""
    server = ServerProcess(agent, environ, *options)
    try:
        await server.start()
        yield server
    finally:
        await server.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
