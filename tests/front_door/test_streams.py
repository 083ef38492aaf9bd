"""Event streams: whole, in order, each event once, whoever attaches and whenever."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.examples import asking
from tests.support.gate import gate
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.sse import Frame, check_stream, frames, texts

SECONDS = 120
MODEL = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "CHIDORI_MODEL": "test-model"}

PROMPTS = """
export async function agent(input: any, chidori: any) {
  const thunks = [1, 2, 3].map((n) => () => chidori.prompt(`${input.text} ${n}`, { type: "draft" }));
  const said = await chidori.parallel(thunks);
  await chidori.log("said", { said });
  const last = await chidori.prompt("and last", { type: "final" });
  return [...said, last];
}
"""

LOGS = """
export async function agent(input: any, chidori: any) {
  for (let n = 0; n < input.before; n++) await chidori.log("before", { n, padding: "x".repeat(input.bytes ?? 0) });
  if (input.url !== undefined) await chidori.http(input.url);
  for (let n = 0; n < input.after; n++) await chidori.log("after", { n });
  return "done";
}
"""


async def _stream(client: Client, path: str, after: int | None = None) -> list[Frame]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with client.session.get(client.url + path, headers=headers) as response:
        return [frame async for frame in frames(response)]


async def _start(client: Client, session: str, value: Any) -> None:
    body = {"input": value, "session_id": session}
    told = await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
    assert told.status == 202, told.json


def _numbers(seen: Sequence[Frame]) -> list[Any]:
    return [frame.data["args"]["fields"]["n"] for frame in seen if frame.data.get("function") == "log"]


async def test_prompts_side_by_side_are_streamed_in_order(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        model.script += [Scripted(delta_ms=15, content=f"{letter} " * 60) for letter in "abc"]
        async with serving(write_agent(tmp_path, PROMPTS), tmp_path, {**MODEL, **asking(model)}) as client:
            async with client.session.post(f"{client.url}/sessions/stream", json={"input": {"text": "Hi"}}) as response:
                seen = [frame async for frame in frames(response)]
            check_stream(seen)
            done = seen[-1].data
            assert done["status"] == "completed"
            assert sorted(texts(seen).values()) == sorted(done["output"])
            kinds = [frame.data["prompt_type"] for frame in seen if frame.event == "prompt_start"]
            assert kinds == ["draft", "draft", "draft", "final"]
            functions = [frame.data["function"] for frame in seen if frame.event == "call"]
            assert functions == ["prompt", "prompt", "prompt", "parallel", "log", "prompt"]
            records = (await client("GET", f"/sessions/{done['id']}/checkpoint")).json["call_log"]
            streamed = [frame.data for frame in seen if frame.event == "call"]
            # The checkpoint says more of a call, for whoever imports it.
            assert [record | told for record, told in zip(records, streamed, strict=True)] == records
            # The same again for whoever comes later, from any event on, by header or by query.
            assert await _stream(client, f"/sessions/{done['id']}/stream") == seen
            for place in range(0, len(seen) - 1, 3):
                assert await _stream(client, f"/sessions/{done['id']}/stream", seen[place].id) == seen[place + 1 :]
            assert await _stream(client, f"/sessions/{done['id']}/stream?after={seen[2].id}") == seen[3:]
            assert await _stream(client, f"/sessions/{done['id']}/stream?after=999") == [
                Frame(999, "done", seen[-1].data)
            ]


async def test_a_stream_that_drops_again_and_again_misses_nothing(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        model.script += [Scripted(delta_ms=10, content=f"{letter} " * 80) for letter in "abcd"]
        async with serving(write_agent(tmp_path, PROMPTS), tmp_path, {**MODEL, **asking(model)}) as client:
            await _start(client, "s", {"text": "Hi"})
            seen: list[Frame] = []
            drops = 0
            while not seen or seen[-1].event != "done":
                headers = {"Last-Event-ID": str(seen[-1].id)} if seen else {}
                async with client.session.get(f"{client.url}/sessions/s/stream", headers=headers) as response:
                    taken = 0
                    async for frame in frames(response):
                        seen.append(frame)
                        taken += 1
                        if taken == 2 and frame.event != "done":
                            drops += 1
                            response.close()
                            break
            check_stream(seen)
            assert drops > 10
            assert seen == await _stream(client, "/sessions/s/stream")


async def test_a_stream_of_a_running_session_gives_the_past_and_what_comes(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, LOGS), tmp_path) as client:
        await _start(client, "s", {"before": 20, "after": 20, "url": f"{target.url}/a"})
        await within(SECONDS, target.until_asked("/a"))
        streams = [asyncio.create_task(_stream(client, "/sessions/s/stream")) for _ in range(20)]
        late = asyncio.create_task(_stream(client, "/sessions/s/stream", 25))
        target.open("/a")
        everything = [await within(SECONDS, stream) for stream in streams]
        check_stream(everything[0])
        assert _numbers(everything[0]) == [*range(20), *range(20)]
        assert all(seen == everything[0] for seen in everything)
        assert await within(SECONDS, late) == everything[0][25:]


async def test_a_reader_that_takes_nothing_holds_nobody_up(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, LOGS), tmp_path) as client:
        await _start(client, "s", {"before": 300, "bytes": 20_000, "after": 3, "url": f"{target.url}/a"})
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = int(client.url.rpartition(":")[2])
        with slow:
            slow.connect(("127.0.0.1", port))
            slow.sendall(b"GET /sessions/s/stream HTTP/1.1\r\nHost: x\r\n\r\n")
            await within(SECONDS, target.until_asked("/a"))
            target.open("/a")
            seen = await within(SECONDS, _stream(client, "/sessions/s/stream"))
            assert _numbers(seen) == [*range(300), *range(3)]


async def test_a_client_that_breaks_off_leaves_the_run_alone(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, LOGS), tmp_path) as client:
        value = {"before": 1, "after": 1, "url": f"{target.url}/a"}
        async with client.session.post(
            f"{client.url}/sessions/stream", json={"input": value, "session_id": "s"}
        ) as response:
            async for frame in frames(response):
                assert frame.data["function"] == "log"
                break
            response.close()
        await within(SECONDS, target.until_asked("/a"))
        target.open("/a")
        seen = await within(SECONDS, _stream(client, "/sessions/s/stream", frame.id))
        assert [frame.event for frame in seen] == ["call", "call", "done"]
        assert target.asked == ["/a"]


@pytest.mark.parametrize("sessions", [1, 50])
async def test_a_thousand_idle_streams_all_hear_the_end(tmp_path: Path, sessions: int) -> None:
    async with (
        gate() as target,
        serving(write_agent(tmp_path, LOGS), tmp_path) as client,
        ClientSession(connector=TCPConnector(limit=0)) as many,
        AsyncExitStack() as stack,
    ):
        for number in range(sessions):
            await _start(client, f"s{number}", {"before": 1, "after": 1, "url": f"{target.url}/a"})
        await within(SECONDS, target.until_asked("/a", sessions))
        streams = []
        for number in range(1000):
            url = f"{client.url}/sessions/s{number % sessions}/stream"
            response = await stack.enter_async_context(many.get(url))
            reading = frames(response)
            assert (await anext(reading)).event == "call"
            streams.append(reading)
        assert (await within(SECONDS, client("GET", "/health"))).status == 200
        target.open("/a")
        for reading in streams:
            events = [frame.event async for frame in reading]
            assert events == ["call", "call", "done"]


async def test_a_place_in_a_stream_is_a_number(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, LOGS), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {"before": 1, "after": 0}, "session_id": "s"})
        for place in ("x", "-1", "1.5", "1" * 16):
            assert (await client("GET", f"/sessions/s/stream?after={place}")).status == 422, place
        told = await client("GET", "/sessions/none/stream")
        assert (told.status, told.json["error"]) == (404, "Session not found")


async def test_the_streams_of_a_branch_and_of_a_replay_begin_with_the_calls_of_the_record(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, LOGS)
    async with serving(agent, tmp_path, MODEL) as client:
        await client("POST", "/sessions", json={"input": {"before": 2, "after": 2}, "session_id": "first"})
        branch = (await client("POST", "/sessions/first/branch", json={"at": 2, "result": None})).json["id"]
        replay = (await client("POST", "/sessions/first/replay")).json["id"]
        seen = await _stream(client, f"/sessions/{branch}/stream")
        check_stream(seen)
        calls = [frame.data for frame in seen if frame.event == "call"]
        assert [call["seq"] for call in calls[:2]] == [1, 2]
        assert len(calls) == 4
        assert [call.get("replayed") for call in calls] == [True, True, None, None]
        assert calls[1]["edited"] is True
        assert await _stream(client, f"/sessions/{branch}/stream", after=1) == seen[1:]
        told = await _stream(client, f"/sessions/{replay}/stream")
        check_stream(told)
        assert [frame.data.get("replayed") for frame in told if frame.event == "call"] == [True] * 4
