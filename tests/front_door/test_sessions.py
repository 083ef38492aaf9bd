"""Sessions over plain requests: created once, listed, cancelled, branched, replayed; slots and manifest checks."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import LOCAL, within, write_agent
from tests.support.examples import asking
from tests.support.gate import gate
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.sse import frames

SECONDS = 60

FETCHES = """
export async function agent(input: any, chidori: any) {
  const answer = await chidori.http(input.url);
  return answer.body;
}
"""

ASKS = """
export async function agent(input: any, chidori: any) {
  const name = await chidori.input("Name?");
  await chidori.log("named", { name });
  return `Hello ${name}`;
}
"""

PROMPTS = """
export async function agent(input: any, chidori: any) {
  const first = await chidori.prompt(input.text);
  const second = await chidori.prompt(`more of ${first}`);
  return { first, second };
}
"""

THROWS = """
export async function agent(input: any, chidori: any) {
  throw new Error("no such thing");
}
"""


async def _post(client: Client, path: str, body: Any = None, expect: int = 200, **headers: str) -> Any:
    told = await client("POST", path, json={} if body is None else body, headers=headers)
    assert told.status == expect, told.body
    return told.json


async def test_a_view_has_every_field_and_a_failed_run_is_201(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, THROWS), tmp_path) as client:
        view = await _post(client, "/sessions", {"input": {"a": [1]}, "session_id": "s.1"}, 201)
        assert view["id"] == view["run_id"] == "s.1"
        assert (view["status"], view["input"], view["output"]) == ("failed", {"a": [1]}, None)
        assert view["error"].startswith("agent.ts:3:")
        assert "no such thing" in view["error"]
        for field in ("pending_seq", "pending_prompt", "pending_details", "pending_approval"):
            assert view[field] is None
        assert (view["pending"], view["call_count"]) == ([], 0)
        assert view.items() <= (await client("GET", "/sessions/s.1")).json.items()
        document = (await client("GET", "/sessions/s.1/checkpoint")).json
        assert (document["id"], document["status"], document["call_log"]) == ("s.1", "failed", [])
        assert document["snapshot_manifest"]["run_id"] == "s.1"
        manifest = (await client("GET", "/sessions/s.1/snapshot")).json
        assert manifest == {"id": "s.1", "run_id": "s.1", "snapshot_manifest": document["snapshot_manifest"]}


async def test_an_id_that_is_taken_is_409(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "mine"}, 201)
        again = await _post(client, "/sessions", {"input": {}, "session_id": "mine"}, 409)
        assert "mine exists already" in again["error"]


async def test_an_idempotency_key_gives_the_same_session_again(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        key = {"Idempotency-Key": "order 7"}
        first = await _post(client, "/sessions", {"input": {"n": 1}}, 201, **key)
        assert await _post(client, "/sessions", {"input": {"n": 2}}, 201, **key) == first
        with_id = await _post(client, "/sessions", {"input": {}, "session_id": "b"}, 201, **{"Idempotency-Key": "k"})
        assert with_id["id"] == "b"
        same = await _post(client, "/sessions", {"input": {}, "session_id": "b"}, 201, **{"Idempotency-Key": "k"})
        assert same == with_id
        # A client that makes up an id for every request, and sends the key of its caller.
        other = await _post(client, "/sessions", {"input": {}, "session_id": "c"}, 201, **{"Idempotency-Key": "k"})
        assert other == with_id
        await _post(client, "/sessions", {"input": {}, "session_id": "b"}, 409, **{"Idempotency-Key": "another"})
        await _post(client, "/sessions", {"input": {}, "session_id": "b"}, 409)
        assert len((await client("GET", "/sessions")).json["sessions"]) == 2


async def test_a_key_is_kept_over_a_restart_and_also_for_sessions_from_records(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, ASKS)
    async with serving(agent, tmp_path) as client:
        first = await _post(client, "/sessions", {"input": {}, "session_id": "a"}, 201, **{"Idempotency-Key": "k"})
        body: dict[str, Any] = {"input": {}, "replay_from": []}
        replayed = await _post(client, "/sessions", body, 201, **{"Idempotency-Key": "r"})
    async with serving(agent, tmp_path) as client:
        again = await _post(client, "/sessions", {"input": {}, "session_id": "z"}, 201, **{"Idempotency-Key": "k"})
        assert again == first
        assert (await _post(client, "/sessions", body, 201, **{"Idempotency-Key": "r"}))["id"] == replayed["id"]


async def test_respond_async_answers_at_once_and_the_session_is_there(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, FETCHES), tmp_path) as client:
        told = await client(
            "POST", "/sessions", json={"input": {"url": f"{target.url}/a"}}, headers={"Prefer": "respond-async"}
        )
        assert (told.status, told.headers["Preference-Applied"], told.json["status"]) == (
            *(202, "respond-async"),
            "running",
        )
        listed = (await client("GET", "/sessions?status=running")).json["sessions"]
        assert [item["id"] for item in listed] == [told.json["id"]]
        document = (await client("GET", f"/sessions/{told.json['id']}/checkpoint")).json
        assert (document["status"], document["call_log"]) == ("running", [])


async def test_a_client_that_goes_away_changes_nothing(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, FETCHES), tmp_path) as client:
        body = {"input": {"url": f"{target.url}/a"}, "session_id": "left"}
        leaving = asyncio.create_task(client("POST", "/sessions", json=body))
        await within(SECONDS, target.until_asked("/a"))
        leaving.cancel()
        await asyncio.wait([leaving])
        target.open("/a")
        view = await _until(client, "left", lambda view: view["status"] != "running")
        assert (view["status"], view["output"]["through"]) == ("completed", "/a")
        assert target.asked == ["/a"]


async def _until(client: Client, session: str, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(SECONDS):
        while not holds(view := (await client("GET", f"/sessions/{session}")).json):
            pass
    return view


async def test_a_replay_that_went_on_by_itself_is_branched_at_its_own_calls(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "parent"}, 201)
        replay = (await _post(client, "/sessions/parent/replay", expect=201))["id"]
        went_on = await _post(client, f"/sessions/{replay}/resume", {"response": "Ada"})
        assert went_on["output"] == "Hello Ada"
        asked = (await client("GET", f"/sessions/{replay}/calls")).json["calls"][0]["seq"]
        view = await _post(client, f"/sessions/{replay}/branch", {"at": asked, "result": "Bob"}, 201)
        assert view["output"] == "Hello Bob"
        assert (await client("GET", f"/sessions/{view['id']}")).json["branch"]["parent_run_id"] == replay
        assert (await client("GET", "/sessions/parent")).json["status"] == "paused"


async def test_a_failed_replay_that_was_tried_again_is_branched_at_the_call_that_was(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, PROMPTS), tmp_path) as client:
        await _post(client, "/sessions", {"input": {"text": "a"}, "session_id": "whole"}, 201)
        fork = (await _post(client, "/sessions/whole/branch", {"at": 2, "error": "away"}, 201))["id"]
        again = (await _post(client, f"/sessions/{fork}/replay", expect=201))["id"]
        assert (await _post(client, f"/sessions/{again}/resume", {"retry": True}))["status"] == "completed"
        calls = (await client("GET", f"/sessions/{again}/calls")).json["calls"]
        view = await _post(client, f"/sessions/{again}/branch", {"at": calls[-1]["seq"], "result": "other"}, 201)
        assert view["output"]["second"] == "other"


async def test_lists_are_paged_and_filtered(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        for number in range(7):
            await _post(client, "/sessions", {"input": {}, "session_id": f"s{number}"}, 201)
        for number in (1, 4):
            await _post(client, f"/sessions/s{number}/resume", {"response": "x"})
        seen: list[str] = []
        query = "/sessions?limit=2"
        while query:
            page = (await client("GET", query)).json
            assert len(page["sessions"]) <= 2
            seen += [item["id"] for item in page["sessions"]]
            query = page["next_cursor"] and f"/sessions?limit=2&cursor={page['next_cursor']}"
        assert seen == [f"s{number}" for number in reversed(range(7))]
        page = (await client("GET", "/sessions?status=completed&limit=500")).json
        assert [item["id"] for item in page["sessions"]] == ["s4", "s1"]
        paused = (await client("GET", "/sessions?status=paused&limit=1")).json["sessions"][0]
        assert (paused["id"], paused["pending_prompt"], paused["error"]) == ("s6", "Name?", None)
        for wrong in ("limit=0", "limit=501", "limit=x", "status=done", "cursor=zz"):
            assert (await client("GET", f"/sessions?{wrong}")).status == 422, wrong


async def test_the_cap_refuses_what_gets_no_slot_in_time(tmp_path: Path) -> None:
    environ = {**LOCAL, "CHIDORI_MAX_CONCURRENT_SESSIONS": "1", "CHIDORI_ACQUIRE_TIMEOUT_MS": "50"}
    (tmp_path / "fetches.ts").write_text(FETCHES, encoding="utf-8")
    async with gate() as target, serving(write_agent(tmp_path, ASKS), tmp_path, environ) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "paused"}, 201)
        busy = {"input": {"url": f"{target.url}/a"}, "agent": "fetches.ts", "session_id": "busy"}
        await _post(client, "/sessions", busy, 202, Prefer="respond-async")
        starting: tuple[tuple[str, Any], ...] = (
            ("/sessions", {"input": {}}),
            ("/sessions/stream", {"input": {}}),
            ("/sessions/paused/resume", {"response": "x"}),
            ("/sessions/paused/replay", {}),
            ("/hook", {"x": 1}),
        )
        for path, body in starting:
            told = await client("POST", path, json=body)
            assert (told.status, told.headers["Retry-After"]) == (503, "1"), path
            assert told.json["error"].startswith("server busy")
            assert told.json["acquire_timeout_ms"] == 50
        # Nobody hangs on what another request with the same key was refused.
        told_all = await within(
            SECONDS,
            asyncio.gather(
                *(client("POST", "/sessions", json={"input": {}}, headers={"Idempotency-Key": "k"}) for _ in range(4))
            ),
        )
        assert [told.status for told in told_all] == [503] * 4
        target.open("/a")
        await _until(client, "busy", lambda view: view["status"] == "completed")
        assert (await _post(client, "/sessions/paused/resume", {"response": "x"}))["status"] == "completed"
        # What was refused has left nothing behind.
        assert len((await client("GET", "/sessions")).json["sessions"]) == 2


async def test_a_cancel_stops_calls_in_flight(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, FETCHES), tmp_path) as client:
        body = {"input": {"url": f"{target.url}/a"}, "session_id": "s", "attempt_number": 3}
        waiting = asyncio.create_task(client("POST", "/sessions", json=body))
        await within(SECONDS, target.until_asked("/a"))
        told = await _post(client, "/sessions/s/cancel", {"reason": "enough"})
        assert told == {"id": "s", "status": "cancelled", "active": True, "attempt_number": 3, "reason": "enough"}
        await within(SECONDS, target.gone.wait())
        view = (await within(SECONDS, waiting)).json
        assert (view["status"], view["error"]) == ("cancelled", "enough")
        [record] = (await client("GET", "/sessions/s/checkpoint")).json["call_log"]
        assert (record["function"], record["error"]) == ("http", "cancelled")
        again = await _post(client, "/sessions/s/cancel", None, 409)
        assert again["error"] == "Session already cancelled"


async def test_a_cancel_stops_a_model_that_is_answering(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        model.script.append(Scripted(hold_after=1))
        async with serving(write_agent(tmp_path, PROMPTS), tmp_path, {**LOCAL_MODEL, **asking(model)}) as client:
            body = {"input": {"text": "Hi"}, "session_id": "s"}
            waiting = asyncio.create_task(client("POST", "/sessions/stream", json=body))
            await within(SECONDS, model.holding.wait())
            assert (await _post(client, "/sessions/s/cancel"))["active"]
            await within(SECONDS, model.disconnected.wait())
            stream = (await within(SECONDS, waiting)).body
            assert stream.rstrip().rsplit(b"\n", 1)[1].startswith(b'data: {"id":"s","status":"cancelled"')


LOCAL_MODEL = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "CHIDORI_MODEL": "test-model"}


async def test_a_paused_session_is_cancelled_and_an_ended_one_is_not(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "s"}, 201)
        assert not (await _post(client, "/sessions/s/cancel"))["active"]
        told = await client("POST", "/sessions/s/resume", json={"response": "x"})
        assert (told.status, told.json["error"]) == (409, "Session is not paused")
        await _post(client, "/sessions", {"input": {}, "session_id": "t"}, 201)
        await _post(client, "/sessions/t/resume", {"response": "x"})
        assert (await _post(client, "/sessions/t/cancel", None, 409))["error"] == "Session already completed"


async def test_what_is_not_at_rest_is_not_replayed(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, FETCHES), tmp_path) as client:
        body = {"input": {"url": f"{target.url}/a"}, "session_id": "live"}
        await _post(client, "/sessions", body, 202, Prefer="respond-async")
        await within(SECONDS, target.until_asked("/a"))
        told = await _post(client, "/sessions/live/replay", None, 409)
        assert "run live is running" in told["error"]
        assert [item["id"] for item in (await client("GET", "/sessions")).json["sessions"]] == ["live"]
        target.open("/a")
        view = await _until(client, "live", lambda view: view["status"] != "running")
        replayed = await _post(client, "/sessions/live/replay", None, 201)
        assert (replayed["status"], replayed["output"]) == ("completed", view["output"])
        assert target.asked == ["/a"]


async def test_an_ended_session_is_not_cancelled_and_the_answer_says_how_it_ended(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, THROWS), tmp_path) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "s"}, 201)
        assert (await _post(client, "/sessions/s/cancel", None, 409))["error"] == "Session already failed"


async def test_call_count_is_the_length_of_the_call_log(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      await chidori.log("one");
      await chidori.log("two");
      const answer = await chidori.http(input.url);
      await chidori.log("four");
      return answer.body.through;
    }"""
    async with gate() as target, serving(write_agent(tmp_path, source), tmp_path) as client:
        body = {"input": {"url": f"{target.url}/a"}, "session_id": "s"}
        await _post(client, "/sessions", body, 202, Prefer="respond-async")
        await within(SECONDS, target.until_asked("/a"))
        assert await _counts(client, "s") == (2, 2, 2)
        target.open("/a")
        await _until(client, "s", lambda view: view["status"] == "completed")
        assert await _counts(client, "s") == (4, 4, 4)
        branch = await _post(client, "/sessions/s/branch", {"at": 2, "result": None}, 201)
        assert (branch["call_count"], await _counts(client, branch["id"])) == (4, (4, 4, 4))


async def test_a_branch_at_a_container_counts_what_it_shares(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      await chidori.log("before");
      const texts = await chidori.parallel([() => chidori.prompt("one"), () => chidori.prompt("two")]);
      return [...texts, await chidori.input("Name?")];
    }"""
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "s"}, 201)
        branch = await _post(client, "/sessions/s/branch", {"at": 2, "result": ["a", "b"]}, 201)
        session = branch["id"]
        assert (branch["call_count"], await _counts(client, session), await _streamed(client, session)) == (
            2,
            (2,) * 3,
            2,
        )
        await _post(client, f"/sessions/{session}/resume", {"response": "Ada"})
        assert (await _counts(client, session), await _streamed(client, session)) == ((3,) * 3, 3)


async def _streamed(client: Client, session: str) -> int:
    """How many calls the session's stream tells."""
    async with client.session.get(f"{client.url}/sessions/{session}/stream") as response:
        return len([frame async for frame in frames(response) if frame.event == "call"])


async def _counts(client: Client, session: str) -> tuple[int, int, int]:
    view = (await client("GET", f"/sessions/{session}")).json
    document = (await client("GET", f"/sessions/{session}/checkpoint")).json
    return view["call_count"], len(document["call_log"]), document["snapshot_manifest"]["call_log_len"]


async def test_the_log_names_no_run_that_there_never_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async with serving(write_agent(tmp_path, THROWS), tmp_path) as client:
        await _post(client, "/sessions", {"input": {}, "session_id": "s"}, 201)
        await _post(client, "/sessions", {"input": {}, "session_id": "garbled", "replay_from": [{}]}, 422)
        for at in (0, 9):
            told = await _post(client, "/sessions/s/branch", {"at": at, "result": 1}, 422)
            assert told["error"].startswith(f"run s has no call #{at}"), told
    runs = [line.split(" run ")[1] for line in capfd.readouterr().err.splitlines() if " run " in line]
    assert [line.split(" ms=")[0] for line in runs] == [
        f"began id=s agent={tmp_path / 'agent.ts'}",
        f"rested id=s agent={tmp_path / 'agent.ts'} status=failed calls=0",
    ]
    assert 'error="agent.ts:3:' in runs[1]


async def test_replay_and_branch_make_sessions_of_their_own(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        agent = write_agent(tmp_path, PROMPTS)
        async with serving(agent, tmp_path, {**LOCAL_MODEL, **asking(model)}) as client:
            view = await _post(client, "/sessions", {"input": {"text": "Hi"}}, 201)
            asked = model.chat_requests
            replayed = await _post(client, f"/sessions/{view['id']}/replay", None, 201)
            assert replayed["replayed_from"] == view["id"] != replayed["id"]
            assert (replayed["status"], replayed["output"]) == ("completed", view["output"])
            assert model.chat_requests == asked == 2
            branch = await _post(client, f"/sessions/{view['id']}/branch", {"at": 1, "result": "other"}, 201)
            assert branch["output"]["first"] == "other"
            assert "more of other" in branch["output"]["second"]
            assert model.chat_requests == 3
            failed = await _post(client, f"/sessions/{view['id']}/branch", {"at": 1, "error": "no model"}, 201)
            assert (failed["status"], "no model" in failed["error"]) == ("failed", True)
            for wrong in ({"at": 1}, {"result": 1}, {"at": 1, "result": 1, "error": "x"}, {"at": 99, "result": 1}):
                await _post(client, f"/sessions/{view['id']}/branch", wrong, 422)
            assert view.items() <= (await client("GET", f"/sessions/{view['id']}")).json.items()
            assert len((await client("GET", "/sessions")).json["sessions"]) == 4


async def test_a_session_from_records_calls_no_model_and_goes_on_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "asks.ts").write_text(ASKS, encoding="utf-8")
    async with OpenAIServer() as model:
        agent = write_agent(tmp_path, PROMPTS)
        async with serving(agent, tmp_path, {**LOCAL_MODEL, **asking(model)}) as client:
            view = await _post(client, "/sessions", {"input": {"text": "Hi"}}, 201)
            document = (await client("GET", f"/sessions/{view['id']}/checkpoint")).json
            body = {"input": document["input"], "replay_from": document["call_log"], "session_id": "copy"}
            copy = await _post(client, "/sessions", body, 201)
            assert (copy["status"], copy["output"], model.chat_requests) == ("completed", view["output"], 2)
            listed = (await client("GET", "/sessions")).json["sessions"]
            assert [item["id"] for item in listed] == ["copy", view["id"]]
            # Half of the record: the rest is live.
            half = {**body, "replay_from": document["call_log"][:1], "session_id": "half"}
            assert (await _post(client, "/sessions", half, 201))["output"]["first"] == view["output"]["first"]
            assert model.chat_requests == 3
            paused = {"input": {}, "replay_from": [], "agent": "asks.ts", "session_id": "asks"}
            assert (await _post(client, "/sessions", paused, 201))["status"] == "paused"
            told = await _post(client, "/sessions/asks/resume", {"response": "Ada"})
            assert told["output"] == "Hello Ada"
            await _post(client, "/sessions", {"input": {}, "replay_from": {}}, 422)


async def test_what_diverges_from_the_given_records_says_so(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        view = await _post(client, "/sessions", {"input": {}}, 201)
        await _post(client, f"/sessions/{view['id']}/resume", {"response": "x"})
        records = (await client("GET", f"/sessions/{view['id']}/checkpoint")).json["call_log"]
        records[0]["args"]["prompt"] = "Another?"
        failed = await _post(client, "/sessions", {"input": {}, "replay_from": records}, 201)
        assert failed["status"] == "failed"
        assert "divergence at seq 1" in failed["error"]
        garbled = await client("POST", "/sessions", json={"input": {}, "replay_from": [1, "x"]})
        assert (garbled.status, "record 1 of `call_log`" in garbled.json["error"]) == (422, True), garbled.json
        assert len((await client("GET", "/sessions")).json["sessions"]) == 2


@pytest.mark.parametrize("action", ["resume", "approve"])
async def test_a_changed_source_is_refused_until_it_is_allowed(tmp_path: Path, action: str) -> None:
    (tmp_path / "sends.ts").write_text(FETCHES.replace("input.url", "input.url + '/a'"), encoding="utf-8")
    agent = write_agent(tmp_path, ASKS if action == "resume" else FETCHES)
    body = {"response": "Ada"} if action == "resume" else {"decision": "allow"}
    environ = {**LOCAL, "CHIDORI_POLICY": '{"rules": [{"target": "http", "decision": "ask_before"}]}'}
    async with gate() as target, serving(agent, tmp_path, environ) as client:
        target.open("/a")
        view = await _post(client, "/sessions", {"input": {"url": f"{target.url}/a"}, "session_id": "s"}, 201)
        agent.write_text(agent.read_text(encoding="utf-8") + "// changed\n", encoding="utf-8")
        told = await client("POST", f"/sessions/s/{action}", json=body)
        assert told.status == 409
        assert "source mismatch: snapshot has agent.ts sha256:" in told.json["error"], told.json
        assert view.items() <= (await client("GET", "/sessions/s")).json.items()
        allowed = await _post(client, f"/sessions/s/{action}", {**body, "allow_source_change": True})
        assert allowed["status"] == "completed", allowed


async def test_another_runtime_policy_is_refused_on_resume_branch_and_retry(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, ASKS)
    (tmp_path / "throws.ts").write_text(THROWS, encoding="utf-8")
    async with serving(agent, tmp_path) as client:
        view = await _post(client, "/sessions", {"input": {}, "session_id": "s"}, 201)
        await _post(client, "/sessions", {"input": {}, "session_id": "t"}, 201)
        await _post(client, "/sessions/t/resume", {"response": "x"})
        await _post(client, "/sessions", {"input": {}, "session_id": "f", "agent": "throws.ts"}, 201)
    async with serving(agent, tmp_path, {**LOCAL, "CHIDORI_TS_DATE": "disabled"}) as client:
        for path, body in (
            ("s/resume", {"response": "x"}),
            ("t/branch", {"at": 1, "result": "y"}),
            ("f/resume", {"retry": True}),
        ):
            told = await client("POST", f"/sessions/{path}", json=body)
            assert told.status == 409, told.json
            assert "runtime snapshot policy mismatch: snapshot has" in told.json["error"]
        assert view.items() <= (await client("GET", "/sessions/s")).json.items()
        assert len((await client("GET", "/sessions")).json["sessions"]) == 3
        cancelled = await _post(client, "/sessions/s/cancel", {"reason": "it cannot go on here"})
        assert cancelled["status"] == "cancelled"
        view = (await client("GET", "/sessions/s")).json
        assert (view["status"], view["error"], view["pending"]) == ("cancelled", "it cannot go on here", [])


async def test_a_failed_call_is_made_again_by_retry(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, PROMPTS)
    async with OpenAIServer() as model:
        model.script += [Scripted(), Scripted(status=400, message="not today")]
        async with serving(agent, tmp_path, {**LOCAL_MODEL, **asking(model)}) as client:
            view = await _post(client, "/sessions", {"input": {"text": "Hi"}, "session_id": "s"}, 201)
            assert (view["status"], "not today" in view["error"]) == ("failed", True)
            told = await _post(client, "/sessions/s/resume", {"response": "x"}, 409)
            assert told["error"] == "Session is not paused"
            retried = await _post(client, "/sessions/s/resume", {"retry": True})
            assert (retried["status"], retried["error"], retried["id"]) == ("completed", None, "s")
            assert model.prompts["Hi"] == 1


async def test_other_agents_are_served_by_their_bare_names(tmp_path: Path) -> None:
    (tmp_path / "fetches.ts").write_text(FETCHES, encoding="utf-8")
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        agents = (await client("GET", "/agents")).json["agents"]
        assert agents == [{"name": "agent.ts", "default": True}, {"name": "fetches.ts", "default": False}]
        for name, status in (("../agent.ts", 400), ("a/b.ts", 400), ("agent.js", 400), ("other.ts", 404)):
            await _post(client, "/sessions", {"input": {}, "agent": name}, status)
