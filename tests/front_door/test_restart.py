"""A server that is killed or stopped, and started again on the same store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from tests.cli.console import command_line, environment
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.examples import asking
from tests.support.gate import gate
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.server import ServerProcess, server_process
from tests.support.sse import Frame, check_stream, frames, texts

SECONDS = 60
ALLOW = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}

MANY = """
export async function agent(input: any, chidori: any) {
  if (input.do === "throw") throw new Error("no such thing");
  if (input.do === "ask") return "Hello " + await chidori.input("Name?");
  if (input.do === "fetch" || input.do === "only fetch") {
    if (input.do === "fetch") await chidori.log("before");
    const first = await chidori.http(input.url);
    if (input.then === undefined) return first.body.through;
    const second = await chidori.http(input.then);
    return [first.body.through, second.body.through];
  }
  return await chidori.prompt(input.text, { type: "final" });
}
"""


@asynccontextmanager
async def _served(folder: Path, *options: str, **environ: str) -> AsyncIterator[tuple[ServerProcess, Client]]:
    agent = write_agent(folder, MANY)
    async with server_process(agent, {**ALLOW, **environ}, *options) as server, ClientSession() as session:
        yield server, Client(server.url, session)


async def _start(client: Client, session: str, **value: Any) -> None:
    body = {"input": value, "session_id": session}
    told = await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
    assert told.status == 202, told.body


async def _rested(client: Client, session: str) -> Any:
    """The session once it has come to rest: its stream ends then."""
    await within(SECONDS, _read(client, session))
    return (await client("GET", f"/sessions/{session}")).json


async def test_what_rested_is_as_it_was_and_what_ran_goes_on(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path) as (server, client):
        before = {}
        for session, value in (("done", {"do": "prompt", "text": "Hi"}), ("paused", {"do": "ask"})):
            body = {"input": value, "session_id": session}
            before[session] = (await client("POST", "/sessions", json=body)).json
        before["failed"] = (
            await client("POST", "/sessions", json={"input": {"do": "throw"}, "session_id": "failed"})
        ).json
        assert [view["status"] for view in before.values()] == ["completed", "paused", "failed"]
        await _start(client, "running", do="fetch", url=f"{target.url}/a", then=f"{target.url}/b")
        target.open("/a")
        await within(SECONDS, target.until_asked("/b"))
        await server.kill()
        await server.start()
        for session, view in before.items():
            assert view.items() <= (await client("GET", f"/sessions/{session}")).json.items()
        await within(SECONDS, target.until_asked("/b", 2))
        target.open("/b")
        assert (await _rested(client, "running"))["output"] == ["/a", "/b"]
        assert target.asked == ["/a", "/b", "/b"]
        told = await client("POST", "/sessions/paused/resume", json={"response": "Ada"})
        assert (told.status, told.json["output"]) == (200, "Hello Ada")


async def test_runs_of_the_command_line_are_left_alone(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path) as (server, client):
        process = await asyncio.create_subprocess_exec(
            *command_line("run", "agent.ts", "--input", f'{{"do": "fetch", "url": "{target.url}/a"}}'),
            cwd=tmp_path,
            env=environment(tmp_path, **ALLOW),
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            assert process.stderr is not None
            run_id = (await within(SECONDS, process.stderr.readline())).split()[1].decode()
            await within(SECONDS, target.until_asked("/a"))
            # It is listed, and another process has it.
            told = await client("POST", f"/sessions/{run_id}/resume", json={"retry": True})
            assert (told.status, "is owned by" in told.json["error"]) == (409, True), told.json
        finally:
            process.kill()
            await process.wait()
        await _start(client, "ours", do="fetch", url=f"{target.url}/ours")
        await within(SECONDS, target.until_asked("/ours"))
        await server.kill()
        await server.start()
        await within(SECONDS, target.until_asked("/ours", 2))
        target.open("/ours")
        assert (await _rested(client, "ours"))["status"] == "completed"
        assert target.asked.count("/a") == 1
        view = (await client("GET", f"/sessions/{run_id}")).json
        assert (view["status"], ["interrupted" in text for text in view["warnings"]]) == ("running", [True])
        told = await client("POST", f"/sessions/{run_id}/replay")
        assert (told.status, "is running" in told.json["error"]) == (409, True), told.json
        target.open("/a")
        told = await client("POST", f"/sessions/{run_id}/resume", json={"retry": True})
        assert (told.status, told.json["output"]) == (200, "/a")


@pytest.mark.parametrize(("does", "lives"), [("only fetch", 3), ("fetch", 4)])
async def test_a_session_that_kills_its_server_each_time_ends_failed(tmp_path: Path, does: str, lives: int) -> None:
    async with gate() as target, _served(tmp_path) as (server, client):
        await _start(client, "s", do=does, url=f"{target.url}/a")
        # One that makes another call first gets on in its first life.
        for life in range(1, lives + 1):
            await within(SECONDS, target.until_asked("/a", life))
            await server.kill()
            await server.start()
        view = await _rested(client, "s")
        assert view["status"] == "failed"
        assert view["error"] == "it was interrupted 3 times, each time before another call had ended"
        assert target.asked == ["/a"] * lives
        target.open("/a")
        told = await client("POST", "/sessions/s/resume", json={"retry": True})
        assert (told.json["status"], told.json["output"]) == ("completed", "/a")


async def test_only_lives_in_which_nothing_ended_are_counted(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, "--grace", "0") as (server, client):
        await _start(client, "s", do="only fetch", url=f"{target.url}/a", then=f"{target.url}/b")
        await within(SECONDS, target.until_asked("/a"))
        assert await server.stop() == 0
        for life in (2, 3):
            await server.start()
            await within(SECONDS, target.until_asked("/a", life))
            await server.kill()
        await server.start()
        # Of its three lives that ended with "/a" under way one was stopped in order.
        await within(SECONDS, target.until_asked("/a", 4))
        target.open("/a")
        for life in (1, 2, 3, 4):
            await within(SECONDS, target.until_asked("/b", life))
            await server.kill()
            await server.start()
        view = await _rested(client, "s")
        assert (view["status"], "interrupted 3 times" in view["error"]) == ("failed", True), view
        assert target.asked == ["/a"] * 4 + ["/b"] * 4


async def test_a_session_that_gets_on_is_taken_up_however_often_its_server_dies(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      for (let n = 0; n < 6; n++) await chidori.http(`${input.url}/${n}`);
      return "done";
    }"""
    agent = write_agent(tmp_path, source)
    async with gate() as target, server_process(agent, ALLOW) as server, ClientSession() as session:
        client = Client(server.url, session)
        await _start(client, "s", url=target.url)
        for step in range(6):
            await within(SECONDS, target.until_asked(f"/{step}"))
            await server.kill()
            target.open(f"/{step}")
            await server.start()
        view = await _rested(client, "s")
        assert (view["status"], view["output"], view["error"]) == ("completed", "done", None)


async def test_sigterm_starts_no_new_call_and_ends_as_soon_as_those_under_way_have_settled(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      let n = 0;
      for (; n < 1000 && !(await chidori.http(`${input.url}/${n}`)).body.stop; n++) {
        await new Promise((done) => setTimeout(done, n === 1 ? 3600_000 : 1));
      }
      return n;
    }"""
    agent = write_agent(tmp_path, source)
    async with (
        gate() as target,
        server_process(agent, ALLOW, "--grace", "600") as server,
        ClientSession() as session,
    ):
        client = Client(server.url, session)
        await _start(client, "asks", url=target.url)
        await within(SECONDS, target.until_asked("/0"))
        await _start(client, "sleeps", url=f"{target.url}/x")
        for number in (0, 1):
            target.open(f"/x/{number}")
        await within(SECONDS, target.until_asked("/x/1"))
        server.terminate()
        await _refuses_connections(server)
        target.open("/0")
        assert await server.ended() == 0
        asked = target.asked
        assert asked == ["/0", "/x/0", "/x/1"]
        await server.start()
        await within(SECONDS, target.until_asked("/1"))
        assert asked.count("/0") == 1


async def test_a_second_signal_ends_the_grace(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, "--grace", "600") as (server, client):
        await _start(client, "s", do="fetch", url=f"{target.url}/a")
        await within(SECONDS, target.until_asked("/a"))
        server.terminate()
        await _refuses_connections(server)
        server.terminate()
        assert await server.ended() == 0
        await server.start()
        await within(SECONDS, target.until_asked("/a", 2))


async def test_a_setting_with_a_fault_keeps_the_server_from_starting_and_ends_no_run(tmp_path: Path) -> None:
    config = tmp_path / "mcp.json"
    config.write_text('{"mcpServers": {}}', encoding="utf-8")
    async with gate() as target, _served(tmp_path, CHIDORI_MCP_CONFIG=str(config)) as (server, client):
        await _start(client, "s", do="fetch", url=f"{target.url}/a")
        await within(SECONDS, target.until_asked("/a"))
        await server.kill()
        config.write_text("[]", encoding="utf-8")
        assert await server.refused() == 2
        config.write_text('{"mcpServers": {}}', encoding="utf-8")
        await server.start()
        await within(SECONDS, target.until_asked("/a", 2))
        target.open("/a")
        assert (await _rested(client, "s"))["output"] == "/a"


async def test_a_server_that_is_stopped_in_order_is_no_crash_of_its_sessions(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, "--grace", "0") as (server, client):
        await _start(client, "s", do="fetch", url=f"{target.url}/a")
        for life in range(1, 6):
            await within(SECONDS, target.until_asked("/a", life))
            assert await server.stop() == 0
            await server.start()
        target.open("/a")
        view = await _rested(client, "s")
        assert (view["status"], view["output"]) == ("completed", "/a"), view


async def test_sigterm_lets_calls_settle_and_the_rest_goes_on_after_the_restart(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, "--grace", "3") as (server, client):
        await _start(client, "settles", do="fetch", url=f"{target.url}/a")
        await _start(client, "stays", do="fetch", url=f"{target.url}/b")
        await within(SECONDS, target.until_asked("/a"))
        await within(SECONDS, target.until_asked("/b"))
        stream = asyncio.create_task(_read(client, "settles"))
        waiting = asyncio.create_task(client("POST", "/sessions", json={"input": {"do": "fetch", "url": target.url}}))
        await within(SECONDS, target.until_asked("/"))
        server.terminate()
        await _refuses_connections(server)
        target.open("/a")
        # Its call settles, what comes after that is for the server's next life, and its stream is cut with it.
        with pytest.raises(ClientError):
            await within(SECONDS, stream)
        told = await within(SECONDS, waiting)
        assert (told.status, "goes on when it is started again" in told.json["error"]) == (503, True)
        assert await server.ended() == 0
        assert not [line for line in server.log if "Traceback" in line], "\n".join(server.log)
        await server.start()
        assert (await _rested(client, "settles"))["output"] == "/a"
        await within(SECONDS, target.until_asked("/b", 2))
        target.open("/b")
        assert (await _rested(client, "stays"))["output"] == "/b"
        assert target.asked.count("/a") == 1


async def test_a_connection_that_stays_open_starts_nothing_in_a_server_that_stops(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, "--grace", "30") as (server, client):
        await _start(client, "s", do="fetch", url=f"{target.url}/a")
        await within(SECONDS, target.until_asked("/a"))
        server.terminate()
        await _refuses_connections(server)
        # The client's connection was opened before.
        told = await client("POST", "/sessions", json={"input": {"do": "ask"}})
        assert (told.status, told.headers["Retry-After"]) == (503, "1"), told.json
        assert (await client("GET", "/sessions/s")).json["status"] == "running"
        target.open("/a")
        assert await server.ended() == 0
        await server.start()
        assert (await _rested(client, "s"))["status"] == "completed"
        assert target.asked == ["/a"]
        assert len((await client("GET", "/sessions")).json["sessions"]) == 1


async def _refuses_connections(server: ServerProcess) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.02)


async def _read(client: Client, session: str, after: int = 0) -> list[Frame]:
    headers = {"Last-Event-ID": str(after)}
    async with client.session.get(f"{client.url}/sessions/{session}/stream", headers=headers) as response:
        return [frame async for frame in frames(response)]


async def test_a_prompt_that_a_kill_cut_is_ended_as_interrupted_and_told_anew(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        model.script.append(Scripted(hold_after=6, delta_ms=40, content="a piece of " * 10))
        async with _served(tmp_path, CHIDORI_MODEL="m", **asking(model)) as (server, client):
            await _start(client, "s", do="prompt", text="Hi")
            seen: list[Frame] = []
            async with client.session.get(f"{client.url}/sessions/s/stream") as response:
                async for frame in frames(response):
                    seen.append(frame)
                    if frame.event == "prompt_delta":
                        break
            await within(SECONDS, model.holding.wait())
            await server.kill()
            await server.start()
            seen += await within(SECONDS, _read(client, "s", seen[-1].id))
            check_stream(seen)
            streams = [frame.data["stream_id"] for frame in seen if frame.event == "prompt_start"]
            ends = [frame.data["error"] for frame in seen if frame.event == "prompt_end"]
            assert (len(set(streams)), ends) == (2, ["interrupted", None])
            assert texts(seen)[streams[1]] == seen[-1].data["output"]
            assert "a piece of ".startswith(texts(seen)[streams[0]][:11])
            assert seen == await within(SECONDS, _read(client, "s"))


async def test_two_servers_do_not_share_a_store(tmp_path: Path) -> None:
    async with _served(tmp_path) as (server, client):
        second = ServerProcess(tmp_path / "agent.ts", ALLOW)
        try:
            assert await second.refused() == 1
            said = "\n".join(second.log)
            assert "is served by another server (host " in said, said
            assert "Traceback" not in said
            await server.kill()
            await second.start()
            view = await Client(second.url, client.session)("POST", "/sessions", json={"input": {"do": "ask"}})
            assert view.json["status"] == "paused"
        finally:
            await second.close()


async def test_more_sessions_than_slots_are_all_taken_up(tmp_path: Path) -> None:
    async with gate() as target:
        async with _served(tmp_path) as (server, client):
            for number in range(4):
                await _start(client, f"s{number}", do="fetch", url=f"{target.url}/{number}")
                await within(SECONDS, target.until_asked(f"/{number}"))
            await server.kill()
            for number in range(4):
                target.open(f"/{number}")
        slots = {"CHIDORI_MAX_CONCURRENT_SESSIONS": "1", "CHIDORI_ACQUIRE_TIMEOUT_MS": "1"}
        async with _served(tmp_path, **slots) as (_, client):
            for number in range(4):
                assert (await _rested(client, f"s{number}"))["output"] == f"/{number}"


async def test_one_that_cannot_go_on_says_why_and_holds_no_other_up(tmp_path: Path) -> None:
    async with gate() as target:
        async with _served(tmp_path) as (server, client):
            await _start(client, "older", do="fetch", url=f"{target.url}/a")
            await within(SECONDS, target.until_asked("/a"))
            await server.kill()
        target.open("/a")
        async with _served(tmp_path, CHIDORI_TS_DATE="disabled") as (server, client):
            await _start(client, "newer", do="fetch", url=f"{target.url}/b")
            await within(SECONDS, target.until_asked("/b"))
            view = await _rested(client, "older")
            assert view["status"] == "failed"
            assert "it was interrupted and cannot go on: runtime snapshot policy mismatch" in view["error"]
            await server.kill()
        target.open("/b")
        async with _served(tmp_path) as (_, client):
            assert "policy mismatch" in (await _rested(client, "newer"))["error"]
            told = await client("POST", "/sessions/older/resume", json={"retry": True})
            assert (told.status, told.json["output"]) == (200, "/a"), told.json
