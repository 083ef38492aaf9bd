"""``POST /sessions/{id}/branch/preview`` says what the branch then does."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import LOCAL, within, write_agent
from tests.support.examples import asking
from tests.support.gate import gate
from tests.support.openai_server import OpenAIServer
from tests.support.sse import frames

CHAIN = """
export async function agent(input: any, chidori: any) {
  const first = await chidori.prompt("one");
  await chidori.memory("set", "seen", first);
  const kept = await chidori.memory("get", "seen");
  const posted = await chidori.http(input.url, { method: "POST", body: kept });
  await chidori.http(input.url);
  const second = await chidori.prompt(`after ${first}`);
  return { first, second, status: posted.status };
}
"""


async def _preview(client: Client, session: str, expect: int = 200, **body: Any) -> Any:
    told = await client("POST", f"/sessions/{session}/branch/preview", json=body)
    assert told.status == expect, told.body
    return told.json


async def test_a_preview_says_what_is_shared_and_what_may_be_done_and_paid_for_again(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        environ = {**LOCAL, **asking(model)}
        del environ["CHIDORI_TEST_LLM_RESPONSE"]
        async with serving(write_agent(tmp_path, CHAIN), tmp_path, environ) as client:
            run = await client("POST", "/sessions", json={"input": {"url": f"{model.url}/count"}, "session_id": "s"})
            assert run.json["status"] == "completed", run.json
            listed, asked = (await client("GET", "/sessions")).json["sessions"], model.chat_requests
            told = await _preview(client, "s", at=1, result="other")
            assert (told["at"], told["shared_calls"], told["in_flight"]) == (1, 1, [])
            assert told["after"]["calls"] == 5
            assert told["after"]["functions"] == {"memory": 2, "http": 2, "prompt": 1}
            assert told["after"]["input_tokens"] > 0
            assert [(each["seq"], each["function"]) for each in told["side_effects"]] == [(2, "memory"), (4, "http")]
            assert told["side_effects"][1]["label"].startswith("POST http://127.0.0.1")
            assert (told["origin_run_id"], told["result_kind"], told["choices"]) == ("s", "text", None)
            assert told["command"].endswith("chidori branch s --at 1 --result '\"other\"'")
            assert (await client("GET", "/sessions")).json["sessions"] == listed
            assert model.chat_requests == asked

            last = await _preview(client, "s", at=5, error="it's down", note="to see")
            assert (last["shared_calls"], last["after"]["functions"], last["side_effects"]) == (5, {"prompt": 1}, [])
            assert last["result_kind"] == "json"
            assert """--at 5 --error 'it'"'"'s down' --note 'to see'""" in last["command"]


async def test_a_preview_refuses_what_the_branch_refuses_with_the_same_words(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      await chidori.prompt("one");
      return await chidori.input("Colour?", { choices: ["red", "blue"] });
    }"""
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        wrong: list[dict[str, Any]] = [
            {"at": 1, "result": 7},
            {"at": 1},
            {"at": 1, "result": "x", "error": "y"},
            {"result": "x"},
            {"at": 2, "result": "red"},
            {"at": 99, "result": "x"},
            {"at": 0, "result": "x"},
        ]
        for body in wrong:
            told, refused = (
                await _preview(client, "s", 422, **body),
                await client("POST", "/sessions/s/branch", json=body),
            )
            assert (refused.status, refused.json) == (422, told), body
        assert (await _preview(client, "nobody", 404, at=1, result="x"))["error"] == "Session not found"
        await client("POST", "/sessions/s/resume", json={"response": "red"})
        told = await _preview(client, "s", at=2, result="blue")
        assert (told["result_kind"], told["choices"]) == ("choice", ["red", "blue"])
        assert "the choices are red, blue" in (await _preview(client, "s", 422, at=2, result="green"))["error"]


async def test_what_is_in_flight_is_what_the_branch_makes_again(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      const get = (name: string) => async () => (await chidori.http(`${input.url}/${name}`)).body;
      const parts = chidori.parallel([get("a"), get("b")]);
      const slow = chidori.http(`${input.url}/slow`);
      const quick = await chidori.http(`${input.url}/quick`);
      return [await parts, (await slow).body, quick.body];
    }"""
    async with (
        gate() as target,
        serving(write_agent(tmp_path, source), tmp_path, LOCAL) as client,
    ):
        body = {"input": {"url": target.url}, "session_id": "s"}
        await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
        for path in ("/a", "/b", "/slow", "/quick"):
            await within(60, target.until_asked(path))
        target.open("/b")
        await _until_calls(client, "s", 1)
        target.open("/quick")
        await _until_calls(client, "s", 2)
        for path in ("/a", "/slow"):
            target.open(path)
        run = await _until_rest(client, "s")
        assert run["status"] == "completed", run
        calls = (await client("GET", "/sessions/s/calls")).json["calls"]
        seqs = {call["label"].rpartition("/")[2] if call["function"] == "http" else "": call["seq"] for call in calls}
        told = await _preview(client, "s", at=seqs["quick"], result={"status": 200, "body": "edited", "headers": {}})
        assert sorted(call["label"].rpartition("/")[2] for call in told["in_flight"]) == ["a", "slow"]
        assert told["shared_calls"] == 2  # of b and quick
        before = Counter(target.asked)
        branch = await client("POST", "/sessions/s/branch", json={"at": seqs["quick"], "result": {"body": "edited"}})
        assert (branch.status, branch.json["output"][2]) == (201, "edited")
        assert Counter(target.asked) - before == Counter({"/a": 1, "/slow": 1})
        view = (await client("GET", f"/sessions/{branch.json['id']}")).json
        assert view["recorded_calls"] == told["shared_calls"]


async def test_a_fork_is_there_at_once_for_a_client_that_does_not_wait(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      const said = await chidori.prompt("one");
      const got = await chidori.http(`${input.url}/held`);
      return [said, got.body, await chidori.input("Well?")];
    }"""
    hurried = {"Prefer": "respond-async"}
    async with gate() as target, serving(write_agent(tmp_path, source), tmp_path, LOCAL) as client:
        body = {"input": {"url": target.url}, "session_id": "s"}
        await client("POST", "/sessions", json=body, headers=hurried)
        await within(60, target.until_asked("/held"))
        fork = await client("POST", "/sessions/s/branch", json={"at": 1, "result": "x"}, headers=hurried)
        assert (fork.status, fork.json["status"]) == (202, "running")
        assert fork.headers["Preference-Applied"] == "respond-async"
        target.open("/held")
        for session in ("s", fork.json["id"]):
            assert (await _until_rest(client, session))["status"] == "paused"
        told = await client("POST", f"/sessions/{fork.json['id']}/resume", json={"response": "y"}, headers=hurried)
        assert (told.status, told.json["id"]) == (202, fork.json["id"])
        assert (await _until_rest(client, fork.json["id"]))["output"][::2] == ["x", "y"]
        replay = await client("POST", f"/sessions/{fork.json['id']}/replay", headers=hurried)
        assert (replay.status, replay.json["id"] != fork.json["id"]) == (202, True)
        assert (await _until_rest(client, replay.json["id"]))["status"] == "completed"


async def _until_calls(client: Client, session: str, count: int) -> None:
    """Wait until so many calls of the session have ended."""
    async with client.session.get(f"{client.url}/sessions/{session}/stream") as response:
        told = (frame async for frame in frames(response) if frame.event == "call")
        async with asyncio.timeout(60):
            for _ in range(count):
                await anext(told)


async def _until_rest(client: Client, session: str) -> Any:
    await within(60, client("GET", f"/sessions/{session}/stream"))
    return (await client("GET", f"/sessions/{session}")).json
