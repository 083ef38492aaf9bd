"""The command line and front doors as processes of their own, on a real cluster."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from ray._private.authentication.authentication_utils import is_token_auth_enabled

from actors.cluster import NAMESPACE, ClusterHandles
from tests.cli.console import command_line, environment
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.gate import gate
from tests.support.process import finished
from tests.support.server import ServerProcess, server_process

from .clusters import SECONDS, cluster_in, front_of, home_of, ray_address

AGENT = """
export async function agent(input: any, chidori: any) {
  input = input.event ? input.event.body : input;
  const first = await chidori.prompt("say " + input.number);
  if (input.url) await chidori.http(input.url + "/" + input.number);
  const name = input.ask ? await chidori.input("Name?") : "nobody";
  return { number: input.number, first, name };
}
"""
SESSIONS = 20


@pytest.fixture
async def cluster(tmp_path: Path, ray_cluster: None) -> AsyncIterator[ClusterHandles]:
    """A cluster as commands find it."""
    async with cluster_in(tmp_path, NAMESPACE) as handles:
        yield handles


def _environ() -> dict[str, str]:
    # The token with which this machine's Ray lets clients in lies in the home directory.
    return {"HOME": os.environ["HOME"], "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}


async def _chidori(folder: Path, *arguments: str) -> tuple[int, bytes, str]:
    command = command_line(*arguments, "--address", ray_address())
    return await finished(*command, cwd=folder, env=environment(folder, **_environ()))


async def test_a_wrong_token_is_refused_in_our_words(tmp_path: Path, ray_cluster: None) -> None:
    if not is_token_auth_enabled():
        pytest.skip("the Ray of these tests asks for no token: this user has none")
    command = command_line("cluster", "status", "--address", ray_address())
    environ = environment(tmp_path, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="b" * 64)
    code, _, err = await finished(*command, cwd=tmp_path, env=environ)
    assert code == 1
    assert err.startswith("Error: the cluster at")
    assert "asks for a token, and this machine has another" in err
    assert len(err.splitlines()) == 2, "and none of Ray's own"


async def test_a_run_streams_and_every_command_sees_it(cluster: ClusterHandles, tmp_path: Path) -> None:
    write_agent(tmp_path, AGENT)
    code, out, err = await _chidori(tmp_path, "run", "agent.ts", "-i", '{"number": 7}', "--stream")
    assert code == 0, err
    events = [orjson.loads(line) for line in out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds == ["prompt_start", *["prompt_delta"] * (len(kinds) - 4), "prompt_end", "call", "done"]
    assert events[-1]["output"] == {"number": 7, "first": "a fixed reply", "name": "nobody"}
    run_id = events[-1]["id"]
    code, out, err = await _chidori(tmp_path, "runs", "--json")
    assert [run["id"] for run in orjson.loads(out)["runs"]] == [run_id], err
    assert (await _chidori(tmp_path, "verify", run_id))[:2] == (0, f"OK: {run_id}\n".encode())
    code, out, err = await _chidori(tmp_path, "branch", run_id, "--at", "1", "--result", '"other"')
    assert (code, orjson.loads(out)["first"]) == (0, "other"), err
    code, _, err = await _chidori(tmp_path, "gc", "--compact")
    assert code == 2
    assert "--compact needs the store to itself" in err


async def test_an_interrupted_command_leaves_its_run_resumable(cluster: ClusterHandles, tmp_path: Path) -> None:
    write_agent(tmp_path, AGENT)
    async with gate() as target:
        given = orjson.dumps({"number": 1, "url": target.url}).decode()
        process = await asyncio.create_subprocess_exec(
            *command_line("run", "agent.ts", "-i", given, "--address", ray_address()),
            cwd=tmp_path,
            env=environment(tmp_path, **_environ()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        await within(SECONDS, target.until_asked("/1"))
        process.send_signal(signal.SIGINT)
        _, told = await within(SECONDS, process.communicate())
        assert process.returncode == 130, told
        assert b"Interrupted. Continue with: chidori resume agent.ts" in told
        run_id = told.decode().split("chidori resume agent.ts ")[1].split()[0]
        target.open("/1")
        code, out, err = await _chidori(tmp_path, "resume", "agent.ts", run_id)
        assert (code, orjson.loads(out)["number"]) == (0, 1), err
        assert target.asked == ["/1", "/1"]


@pytest.mark.slow
async def test_sessions_go_on_while_their_front_door_is_killed_and_started_again(
    cluster: ClusterHandles, tmp_path: Path
) -> None:
    agent = write_agent(tmp_path, AGENT)
    options = ("--address", ray_address())
    async with gate() as target, server_process(agent, _environ(), *options) as server, ClientSession() as session:
        client = Client(server.url, session)
        for number in range(SESSIONS):
            body = {"number": number, "url": target.url, "ask": number % 2 == 0}
            told = await client(
                "POST",
                "/sessions",
                json={"input": body, "session_id": f"session-{number}"},
                headers={"Prefer": "respond-async"},
            )
            assert told.status == 202, told.body
        for number in range(SESSIONS):
            await within(SECONDS, target.until_asked(f"/{number}"))
        await server.kill()
        for number in range(SESSIONS):
            target.open(f"/{number}")
        await server.start()
        for number in range(SESSIONS):
            view = await _rested(client, number, "Ada")
            assert view["status"] == "completed", view
            assert view["output"]["name"] == ("Ada" if number % 2 == 0 else "nobody")
        assert sorted(target.asked) == sorted(f"/{number}" for number in range(SESSIONS)), "a call was made twice"


async def _rested(client: Client, number: int, answer: str) -> Any:
    """The session once it has completed, its question answered."""
    async with asyncio.timeout(SECONDS):
        while True:
            view = (await client("GET", f"/sessions/session-{number}")).json
            if view["pending"]:
                told = await client("POST", f"/sessions/session-{number}/resume", json={"response": answer})
                assert told.status == 200, told.body
            elif view["status"] != "running":
                return view
            await asyncio.sleep(0.05)  # there is nothing here to wait for that both front doors have


async def test_every_front_door_serves_every_session(cluster: ClusterHandles, tmp_path: Path) -> None:
    agent = write_agent(tmp_path, AGENT)
    one, two = (ServerProcess(agent, _environ(), "--address", ray_address()) for _ in range(2))
    async with gate() as target, ClientSession() as session:
        try:
            await asyncio.gather(one.start(), two.start())
            here, there = Client(one.url, session), Client(two.url, session)
            body = {"input": {"number": 1, "url": target.url}, "session_id": "shared"}
            begun = asyncio.create_task(here("POST", "/sessions", json=body))
            await within(SECONDS, target.until_asked("/1"))
            assert (await there("GET", "/sessions/shared")).json["status"] == "running"
            assert (await there("POST", "/sessions", json=body)).status == 409
            told = await there("POST", "/sessions/shared/cancel", json={"reason": "enough"})
            assert (told.status, told.json["status"]) == (200, "cancelled")
            assert (await within(SECONDS, begun)).json["status"] == "cancelled"
            headers = {"Idempotency-Key": "delivery-1"}
            target.open("/2")
            event = {"number": 2, "url": target.url}
            deliveries = [each("POST", "/hook", json=event, headers=headers) for each in (here, there) * 3]
            answers = [answer.json for answer in await within(SECONDS, asyncio.gather(*deliveries))]
            assert answers == [answers[0]] * len(answers)
            assert target.asked.count("/2") == 1
        finally:
            await asyncio.gather(one.close(), two.close())


async def test_a_front_door_leaves_its_sessions_to_the_cluster(cluster: ClusterHandles, tmp_path: Path) -> None:
    agent = write_agent(tmp_path, AGENT)
    async with gate() as target, front_of(cluster) as other:
        async with server_process(agent, _environ(), "--address", ray_address()) as server, ClientSession() as session:
            body = {"input": {"number": 1, "url": target.url}, "session_id": "left"}
            await Client(server.url, session)("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
            await within(SECONDS, target.until_asked("/1"))
            assert await server.stop() == 0
        assert await other.is_attendable("left")
        assert await home_of(cluster, "left") is not None
        target.open("/1")
        assert target.asked == ["/1"]
