"""Questions of a session: at any depth, several at a time, answered by requests while the rest goes on."""

import asyncio
from pathlib import Path
from typing import Any

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import LOCAL, within, write_agent
from tests.support.gate import gate
from tests.support.sse import check_stream, frames

APPROVAL = Path(__file__).parents[2] / "agents" / "approval.ts"
SECONDS = 30

CHOICE = """
export async function agent(input: any, chidori: any) {
  const colour = await chidori.input("Which colour?", { choices: ["red", "blue"] });
  await chidori.log("chosen", { colour });
  return { colour };
}
"""

THREE = """
export async function agent(input: any, chidori: any) {
  const asked = ["a", "b", "c"].map((name) => chidori.input(`Who is ${name}?`));
  return await Promise.all(asked);
}
"""

ASIDE = """
export async function agent(input: any, chidori: any) {
  const work = chidori.http(input.url + "/work");
  const name = await chidori.input("Name?");
  const again = await chidori.input(`Really ${name}?`);
  const done = await work;
  return { name, again, done: done.body.through };
}
"""


async def _create(client: Client, value: Any = None, **headers: str) -> Any:
    told = await client("POST", "/sessions", json={"input": value or {}}, headers=headers)
    assert told.status in (201, 202), told.json
    return told.json


async def test_a_value_that_is_not_among_the_choices_changes_nothing(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, CHOICE), tmp_path) as client:
        paused = await _create(client)
        assert (paused["status"], paused["pending_prompt"]) == ("paused", "Which colour?")
        assert paused["pending"][0]["choices"] == ["red", "blue"]
        wrong = await client("POST", f"/sessions/{paused['id']}/resume", json={"response": "green"})
        assert wrong.status == 422
        assert "red, blue" in wrong.json["error"]
        assert paused.items() <= (await client("GET", f"/sessions/{paused['id']}")).json.items()
        right = await client("POST", f"/sessions/{paused['id']}/resume", json={"response": "blue"})
        assert (right.status, right.json["status"], right.json["output"]) == (200, "completed", {"colour": "blue"})
        assert right.json["id"] == paused["id"]
        assert right.json["pending"] == []


async def test_several_questions_are_answered_by_seq_in_any_order(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, THREE), tmp_path) as client:
        paused = await _create(client)
        by_name = {question["prompt"][-2]: question["seq"] for question in paused["pending"]}
        for name in ("c", "a"):
            told = await client(
                "POST", f"/sessions/{paused['id']}/resume", json={"response": f"answer {name}", "seq": by_name[name]}
            )
            assert (told.status, told.json["status"]) == (200, "paused")
            again = await client(
                "POST", f"/sessions/{paused['id']}/resume", json={"response": "twice", "seq": by_name[name]}
            )
            assert (again.status, again.json["error"]) == (409, f"question {by_name[name]} is not open")
        assert [question["seq"] for question in told.json["pending"]] == [by_name["b"]]
        ended = await client("POST", f"/sessions/{paused['id']}/resume", json={"response": "answer b"})
        assert ended.json["output"] == ["answer a", "answer b", "answer c"]


async def test_several_questions_answered_at_once_are_all_answered(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, THREE), tmp_path) as client:
        paused = await _create(client)
        answered = await asyncio.gather(
            *(
                client("POST", f"/sessions/{paused['id']}/resume", json={"response": f"to {seq}", "seq": seq})
                for seq in (3, 1, 2)
            )
        )
        assert [told.status for told in answered] == [200, 200, 200], [told.json for told in answered]
        assert (await client("GET", f"/sessions/{paused['id']}")).json["output"] == ["to 1", "to 2", "to 3"]


async def test_questions_are_answered_while_the_rest_of_the_run_goes_on(tmp_path: Path) -> None:
    async with gate() as work, serving(write_agent(tmp_path, ASIDE), tmp_path) as client:
        running = await _create(client, {"url": work.url}, Prefer="respond-async")
        path = f"/sessions/{running['id']}"
        await within(SECONDS, work.until_asked("/work"))
        asking = await _until_asks(client, path, "Name?")
        assert asking["status"] == "running"
        first = asyncio.create_task(client("POST", f"{path}/resume", json={"response": "Ada"}))
        await _until_asks(client, path, "Really Ada?")
        second = asyncio.create_task(client("POST", f"{path}/resume", json={"response": "yes"}))
        await _until_asks(client, path, None)
        work.open("/work")
        for told in (await within(SECONDS, first), await within(SECONDS, second)):
            assert told.status == 200
            assert told.json["output"] == {"name": "Ada", "again": "yes", "done": "/work"}


async def _until_asks(client: Client, path: str, prompt: str | None) -> Any:
    async with asyncio.timeout(SECONDS):
        while True:
            view = (await client("GET", path)).json
            if view["pending_prompt"] == prompt:
                return view


async def test_questions_and_approvals_below_branches_agents_and_tools(tmp_path: Path) -> None:
    environ = {
        **LOCAL,
        "CHIDORI_POLICY": '{"rules": [{"target": "http", "decision": "ask_before", "reason": "it is public"}]}',
    }
    async with gate() as target, serving(APPROVAL, tmp_path, environ) as client:
        target.open("/hook")
        paused = await _create(client, {"news": "The beta is open", "webhook": f"{target.url}/hook"})
        assert (paused["status"], paused["pending_approval"]) == ("paused", None)
        assert [question["kind"] for question in paused["pending"]] == ["input", "input"]
        session = f"/sessions/{paused['id']}"
        wrong = await client("POST", f"{session}/approve", json={"decision": "allow"})
        assert (wrong.status, wrong.json["error"]) == (409, "Session is not awaiting approval")
        second, first = (question["seq"] for question in reversed(paused["pending"]))
        told = await client("POST", f"{session}/resume", json={"response": "yes", "seq": second})
        kinds = {question["seq"]: question["kind"] for question in told.json["pending"]}
        assert sorted(kinds.values()) == ["approval", "input"]
        told = await client("POST", f"{session}/resume", json={"response": "yes", "seq": first})
        assert told.json["status"] == "awaitingapproval"
        assert told.json["pending_approval"]["target"] == "http"
        assert told.json["pending_approval"]["args"]["url"] == f"{target.url}/hook"
        assert told.json["pending_approval"]["reason"] == "it is public"
        assert "it is public" in told.json["pending_prompt"]
        assert target.asked == []
        told = await client("POST", f"{session}/approve", json={"decision": "allow"})
        told = await client("POST", f"{session}/approve", json={"decision": "no, thank you"})
        assert told.json["status"] == "completed", told.json
        assert target.asked == ["/hook"]
        assert [sorted(outcome) for outcome in told.json["output"]] in (
            [["channel", "result"], ["channel", "error"]],
            [["channel", "error"], ["channel", "result"]],
        )


async def test_a_stream_ends_at_a_pause_and_goes_on_after_the_answer(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, CHOICE), tmp_path) as client:
        async with client.session.post(f"{client.url}/sessions/stream", json={"input": {}}) as response:
            before = [frame async for frame in frames(response)]
        check_stream(before)
        assert before[-1].data["status"] == "paused"
        assert before[-1].data["pending"][0]["prompt"] == before[-1].data["pending_prompt"] == "Which colour?"
        session = f"/sessions/{before[-1].data['id']}"
        await client("POST", f"{session}/resume", json={"response": "red"})
        headers = {"Last-Event-ID": str(before[-1].id)}
        async with client.session.get(f"{client.url}{session}/stream", headers=headers) as response:
            after = [frame async for frame in frames(response)]
        check_stream([*before[:-1], *after])
        assert [frame.data["function"] for frame in after[:-1]] == ["input", "log"]
        assert after[-1].data["output"] == {"colour": "red"}


async def test_a_session_that_has_ended_or_does_not_exist_takes_no_answers(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, CHOICE), tmp_path) as client:
        paused = await _create(client)
        session = f"/sessions/{paused['id']}"
        await client("POST", f"{session}/resume", json={"response": "red"})
        for body, error in (
            ({"response": "red"}, "Session is not paused"),
            ({"response": "red", "seq": 1}, "Session is not paused"),
            ({"retry": True}, "Session is neither failed nor interrupted"),
        ):
            told = await client("POST", f"{session}/resume", json=body)
            assert (told.status, told.json["error"]) == (409, error)
        for action, body in (("resume", {"response": "x"}), ("approve", {"decision": "allow"}), ("cancel", {})):
            told = await client("POST", f"/sessions/none/{action}", json=body)
            assert (told.status, told.json["error"]) == (404, "Session not found")
