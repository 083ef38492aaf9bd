"""The real server as a process, killed and started again under each of the clients that there are."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.client import AsyncAgentClient, Conflict, Invalid, Retries
from chidori_actors.client.event_stream import Event
from tests.sdk.test_typescript import PACKAGE, builds_in_place, needs_node, node
from tests.support.agents import within, write_agent
from tests.support.examples import asking
from tests.support.gate import Gate, gate
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.process import finished
from tests.support.server import ServerProcess, server_process

SECONDS = 90
DRIVER = Path(__file__).with_name("typescript_client.mjs")
PATIENT = Retries(reattach=(0.1,) * 300)

AGENT = """
export async function agent(input: any, chidori: any) {
  const draft = await chidori.prompt(input.text, { type: "draft" });
  const work = input.url === undefined ? null : (await chidori.http(input.url)).body.through;
  const colour = await chidori.input("Which colour?", { choices: ["red", "blue"] });
  const last = await chidori.prompt(`${draft} in ${colour}`, { type: "final" });
  return { draft, work, colour, last };
}
"""


@dataclass(frozen=True)
class World:
    """A server and what its agents talk to."""

    server: ServerProcess
    model: OpenAIServer
    gate: Gate

    async def restart(self) -> None:
        await self.server.kill()
        await self.server.start()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    agent = write_agent(tmp_path, AGENT)
    async with OpenAIServer() as model, gate() as target:
        environ = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "CHIDORI_MODEL": "m", **asking(model)}
        async with server_process(agent, environ) as server:
            yield World(server, model, target)


def _slowly() -> Scripted:
    """An answer that takes long enough for a client to go away in the middle of it."""
    return Scripted(delta_ms=40, content="word " * 30)


def _check_events(events: Sequence[Any], session: str) -> None:
    """The whole stream of a session from its beginning to its question, each event once."""
    kinds = [event["type"] for event in events if event["type"] != "prompt_delta"]
    assert kinds[:3] == ["prompt_start", "prompt_end", "call"]
    assert kinds[-1] == "done"
    said = "".join(event["delta"] for event in events if event["type"] == "prompt_delta")
    assert said == "word " * 30
    done = events[-1]
    assert (done["id"], done["status"], done["pending_prompt"]) == (session, "paused", "Which colour?")


def _check_output(output: Any, work: str | None = None) -> None:
    assert output["draft"] == "word " * 30
    assert (output["colour"], output["work"]) == ("red", work)
    assert output["last"].startswith("answer(word word")


async def test_the_python_client(world: World) -> None:
    async with _python(world) as client:
        world.model.script.append(_slowly())
        events = await _begin_and_drop(client, "s")
        _check_events(events, "s")
        assert [event["event_id"] for event in events[:-1]] == list(range(1, len(events)))
        await world.restart()
        paused = await client.get_session("s")
        assert (paused.status, paused.pending_prompt) == ("paused", "Which colour?")
        assert [item.id async for item in client.list_sessions(status="paused")] == ["s"]
        with pytest.raises(Invalid):
            await client.resume("s", "green")
        done = await paused.resume("red")
        assert done.status == "completed"
        _check_output(done.output)
        with pytest.raises(Conflict):
            await client.resume("s", "red")
        asked = world.model.chat_requests
        replayed = await client.replay("s")
        assert (replayed.id != "s", replayed.output) == (True, done.output)
        checkpoint = await client.get_checkpoint("s")
        assert (await client.replay(checkpoint)).output == done.output
        assert world.model.chat_requests == asked
        branch = await client.branch("s", 1, result="other")
        assert (branch.status, branch.pending_prompt) == ("paused", "Which colour?")
        cancelled = await branch.cancel("enough")
        assert cancelled.status == "cancelled"
        assert (await client.get_session(branch.id)).error == "enough"
        assert (await client.get_snapshot_manifest("s"))["run_id"] == "s"
        assert world.model.chat_requests == asked


@pytest.mark.slow
async def test_a_stream_of_the_python_client_outlives_the_server(world: World) -> None:
    async with _python(world) as client:
        world.model.script.append(_slowly())
        reading = asyncio.create_task(_all(client.stream({"text": "Hi", "url": f"{world.gate.url}/a"}, session_id="s")))
        await within(SECONDS, world.gate.until_asked("/a"))
        await world.restart()
        await within(SECONDS, world.gate.until_asked("/a", 2))
        world.gate.open("/a")
        _check_events(await within(SECONDS, reading), "s")
        _check_output((await client.resume("s", "red")).output, "/a")
        assert world.model.prompts["Hi"] == 1


@asynccontextmanager
async def _python(world: World) -> AsyncIterator[AsyncAgentClient]:
    async with AsyncAgentClient(world.server.url, retries=PATIENT) as client:
        yield client


async def _begin_and_drop(client: AsyncAgentClient, session: str) -> list[Event]:
    events: list[Event] = []
    stream = client.stream({"text": "Hi"}, session_id=session)
    async for event in stream:
        events.append(event)
        if event["type"] == "prompt_delta":
            break
    await stream.aclose()
    return events + await _all(client.attach(session, after=int(events[-1]["event_id"])))


async def _all(stream: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in stream]


@needs_node
@builds_in_place
async def test_the_typescript_client(world: World) -> None:
    await node("npm", "run", "--silent", "build")
    world.model.script.append(_slowly())
    begun = await _typescript(world, "begin", "s")
    _check_events(begun["events"], "s")
    await world.restart()
    asked = world.model.chat_requests
    told = await _typescript(world, "finish", "s")
    assert told["listed"] == ["s"]
    assert told["wrong"][1] == 422
    assert (told["done"]["status"], told["done"]["id"]) == ("completed", "s")
    _check_output(told["done"]["output"])
    assert told["replayed"] == told["fromRecord"] == told["done"]["output"]
    assert told["branch"]["status"] == "paused"
    assert told["cancelled"]["status"] == "cancelled"
    assert (told["records"], told["manifest"]) == (3, True)
    assert world.model.chat_requests == asked + 1


@needs_node
@builds_in_place
@pytest.mark.slow
async def test_a_stream_of_the_typescript_client_outlives_the_server(world: World) -> None:
    await node("npm", "run", "--silent", "build")
    world.model.script.append(_slowly())
    reading = asyncio.create_task(_typescript(world, "across", "s"))
    await within(SECONDS, world.gate.until_asked("/a"))
    await world.restart()
    await within(SECONDS, world.gate.until_asked("/a", 2))
    world.gate.open("/a")
    _check_events((await within(SECONDS, reading))["events"], "s")


async def _typescript(world: World, phase: str, session: str) -> Any:
    entry = str(PACKAGE / "dist" / "index.js")
    env = {"PATH": os.environ["PATH"], "GATE": f"{world.gate.url}/a"}
    code, printed, errors = await finished(
        "node", str(DRIVER), entry, world.server.url, phase, session, cwd=PACKAGE, env=env, seconds=SECONDS
    )
    assert code == 0, errors + "\n".join(world.server.log[-20:])
    return orjson.loads(printed)


async def test_the_client_from_pypi(world: World, tmp_path: Path) -> None:
    chidori: Any = pytest.importorskip("chidori", reason="`make setup` installs the package `chidori`")
    client = chidori.AgentClient(world.server.url, timeout_seconds=60)
    world.model.script.append(_slowly())
    assert await asyncio.to_thread(client.health) == {"status": "ok"}
    events = await asyncio.to_thread(lambda: list(client.stream({"text": "Hi"})))
    kinds = [event["type"] for event in events if event["type"] != "prompt_delta"]
    assert (kinds[:3], kinds[-1]) == (["prompt_start", "prompt_end", "call"], "done")
    session = events[-1]["id"]
    await world.restart()
    paused = await asyncio.to_thread(client.get_session, session)
    assert (paused.status, paused.pending_prompt, paused.pending_seq) == ("paused", "Which colour?", 2)
    with pytest.raises(chidori.HttpError):
        await asyncio.to_thread(client.resume, session, "green")
    done = await asyncio.to_thread(client.resume, session, "red")
    assert (done.id, done.ok) == (session, True)
    _check_output(done.output)
    asked = world.model.chat_requests
    checkpoint = await asyncio.to_thread(done.checkpoint)
    assert [record["function"] for record in checkpoint.call_log] == ["prompt", "input", "prompt"]
    file = tmp_path / "session.json"
    await asyncio.to_thread(checkpoint.save, str(file))
    replayed = await asyncio.to_thread(lambda: client.replay(chidori.Checkpoint.load(str(file))))
    assert (replayed.ok, replayed.output) == (True, done.output)
    assert world.model.chat_requests == asked
    manifest = await asyncio.to_thread(client.get_snapshot_manifest, session)
    assert "pending" in orjson.dumps(manifest).decode()
    listed = await asyncio.to_thread(client.list_sessions)
    assert session in {item["id"] for item in listed}
    ran = await asyncio.to_thread(client.run, {"text": "Hi"})
    assert (ran.status, ran.ok) == ("paused", False)
    with pytest.raises(chidori.HttpError, match="404"):
        await asyncio.to_thread(client.signal, session, "name")
