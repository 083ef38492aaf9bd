"""The example agents, run by the real console command at the project's root."""

import asyncio
import re
import signal
import sys
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

import orjson

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.records import Record
from chidori_actors.provider_keys import is_guarded_variable
from tests.support.agents import records_of
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.process import SECONDS, finished

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "chidori_actors")
_RUN = re.compile(r"^run (\S+)$", re.MULTILINE)
_QUESTION = re.compile(r"^  #(\d+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    stdout: bytes
    stderr: str

    @property
    def output(self) -> Any:
        """What the agent returned; fails with the command's own words when it did not."""
        assert self.code == 0, self.stderr
        return orjson.loads(self.stdout)

    @property
    def run_id(self) -> str:
        found = _RUN.search(self.stderr)
        assert found is not None, self.stderr
        return found[1]

    @property
    def questions(self) -> dict[str, str]:
        """What a paused run waits for: by the question's seq, everything that is told about it."""
        assert self.code == 3, self.stderr
        assert self.stdout == b""
        _, *told = _QUESTION.split(self.stderr.rpartition("Paused: ")[2])
        return dict(zip(told[::2], told[1::2], strict=True))

    def asks(self, text: str) -> str:
        """The seq of the one question that holds ``text``."""
        [seq] = [seq for seq, told in self.questions.items() if text in told]
        return seq

    def events(self) -> list[dict[str, Any]]:
        """The lines of ``--stream``."""
        assert self.code == 0, self.stderr
        return [orjson.loads(line) for line in self.stdout.splitlines()]

    def records(self, function: str) -> list[Record]:
        """The streamed call records of one function."""
        calls = [event["record"] for event in self.events() if event["type"] == "call"]
        return [record for record in calls if record["function"] == function]


@dataclass(frozen=True, slots=True)
class Examples:
    """Runs ``chidori`` at the project's root, on the store at ``store``, without this machine's keys."""

    store: Path

    async def __call__(self, *arguments: str, stdin: str = "", script: str = "", **variables: str) -> Finished:
        """``variables`` are of the environment; ``script`` takes the place of ``python -m chidori_actors``."""
        command = (script,) if script else COMMAND
        env = self._environ(variables)
        return Finished(*await finished(*command, *arguments, cwd=ROOT, env=env, stdin=stdin.encode()))

    def _environ(self, variables: dict[str, str]) -> dict[str, str]:
        clean = {name: value for name, value in environ.items() if not is_guarded_variable(name)}
        return {**clean, "CHIDORI_DB_PATH": str(self.store), **variables}

    async def killed_when(self, moment: asyncio.Event, *arguments: str, **variables: str) -> str:
        """SIGKILL the command at that moment; the run's id as it told it."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            cwd=ROOT,
            env=self._environ(variables),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        ended = asyncio.create_task(process.communicate())
        waiting = asyncio.create_task(moment.wait())
        try:
            await asyncio.wait({ended, waiting}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            if process.returncode is None:
                process.kill()
            _, stderr = await ended
        assert moment.is_set(), stderr.decode()
        assert process.returncode == -signal.SIGKILL, stderr.decode()
        return Finished(process.returncode, b"", stderr.decode()).run_id

    async def killed_at(self, server: OpenAIServer, request: int, *arguments: str, **variables: str) -> str:
        """The same while the n-th request that the command makes of the model is under way."""
        server.holding.clear()
        server.script.clear()
        server.script.extend([*[Scripted()] * (request - 1), Scripted(hold_after=0)])
        run_id = await self.killed_when(server.holding, *arguments, **asking(server), **variables)
        server.script.clear()
        return run_id

    def records(self, run_id: str) -> list[Record]:
        """What the store has of the run, in the order in which the calls ended."""
        store = LocalStore.open(self.store, create=False)
        try:
            return records_of(store, run_id)
        finally:
            store.close()


def asking(server: OpenAIServer) -> dict[str, str]:
    """The variables that send every model to ``server``."""
    return {"LITELLM_API_URL": server.url, "LITELLM_API_KEY": "test-key"}
