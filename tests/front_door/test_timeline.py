"""The timeline of a session: its actors in the order of the tree, their calls, and what changes while it runs."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.gate import gate
from tests.support.nested_agent import world, write_tree

SECONDS = 30

OVERLAPPING = """
export async function agent(input: any, chidori: any) {
  const held = chidori.http(input.url + "/held");
  const first = await chidori.prompt("first words");
  const second = await chidori.prompt("second words");
  const aborted = new AbortController();
  const given_up = chidori.http(input.url + "/never", { signal: aborted.signal }).catch((error: any) => error.message);
  const free = await held;
  aborted.abort();
  await given_up;
  try { await chidori.tool("missing", {}); } catch (error) { await chidori.log("no such tool"); }
  return [first, second, free.body.through];
}
"""

ONE_BY_ONE = """
export async function agent(input: any, chidori: any) {
  for (const name of input.names) await chidori.http(`${input.url}/${name}`);
  const branches = await chidori.parallel(input.branches.map((name: string) => async () => {
    await chidori.http(`${input.url}/${name}`);
    return name;
  }));
  return branches;
}
"""

FAILING = """
export async function agent(input: any, chidori: any) {
  await chidori.log("before");
  const answer = await chidori.http(input.url + "/answer");
  if (answer.body.times === 1) await chidori.http(input.url.replace("http://", "ftp://"));
  await chidori.log("after");
  return answer.body.times;
}
"""


async def create(client: Client, value: Any) -> str:
    told = await client("POST", "/sessions", json={"input": value}, headers={"Prefer": "respond-async"})
    assert told.status == 202, told.body
    return f"/sessions/{told.json['id']}"


async def timeline(client: Client, session: str, **query: Any) -> Any:
    told = await client("GET", f"{session}/timeline", params={name: str(value) for name, value in query.items()})
    assert told.status == 200, told.body
    return told.json


async def until(client: Client, session: str, fits: Any) -> Any:
    """The first timeline that fits, by long polls alone."""
    shown = await timeline(client, session)
    async with asyncio.timeout(SECONDS):
        while not fits(shown):
            news = await timeline(client, session, after=shown["version"], wait=20)
            shown = shown if news["unchanged"] else news
    return shown


def lanes(shown: Any) -> dict[str, Any]:
    return {lane["path"]: lane for lane in shown["lanes"]}


def bars(lane: Any) -> dict[str, Any]:
    return {bar["path"]: bar for bar in lane["bars"]}


async def test_a_tree_of_actors_is_shown_in_its_order_and_says_what_waits(tmp_path: Path) -> None:
    async with world() as served, serving(write_tree(tmp_path), tmp_path) as client:
        session = await create(client, {"url": served.url})
        shown = await until(client, session, lambda shown: shown["status"] == "paused")
        found = lanes(shown)
        fork = next(bar for bar in found[""]["bars"] if bar["function"] == "parallel")
        container = fork["path"]
        assert list(found) == [
            "",
            f"{container}/b0",
            f"{container}/b1",
            *(path for path in found if path.startswith(f"{container}/b1/")),
            f"{container}/b2",
            *(path for path in found if path.startswith(f"{container}/b2/")),
        ]
        kinds = [(lane["kind"], lane["depth"], lane["state"]) for lane in shown["lanes"]]
        assert kinds == [
            ("root", 0, "waiting"),
            ("branch", 1, "done"),
            ("branch", 1, "waiting"),
            ("sub_agent", 2, "waiting"),
            ("tool", 3, "waiting"),
            ("branch", 1, "waiting"),
            ("branch", 2, "waiting"),
            ("branch", 2, "done"),
        ]
        names = [lane["name"] for lane in shown["lanes"]]
        assert names[0] == "agent.ts"
        assert names[2:5] == [f"branch 1 of #{fork['seq']}", "./child.ts", "ask"]
        assert [lane["parent_seq"] for lane in shown["lanes"]][1:3] == [fork["seq"]] * 2
        asking = [bar for lane in shown["lanes"] for bar in lane["bars"] if bar["open_question"]]
        assert sorted(bar["label"] for bar in asking) == ["In the third?", "In the tool?"]
        assert all(bar["state"] == "waiting" and bar["wait_ms"] > 0 and bar["end_ms"] is None for bar in asking)
        # All that contains a question waits: three containers around the tool's, two around the other.
        assert shown["counts"]["waiting"] == 2 + 4
        assert shown["counts"]["running"] == 0
        calls = (await client("GET", f"{session}/calls?state=waiting")).json
        assert calls["total"] == 6
        assert shown["call_count"] == sum(lane["call_count"] for lane in shown["lanes"])
        questions = (await client("GET", session)).json["pending"]
        for question in questions:
            detail = (await client("GET", f"{session}/calls/{question['seq']}")).json
            assert detail["question"] == question
        for question in questions:
            await client("POST", f"{session}/resume", json={"response": "yes", "seq": question["seq"]})
        shown = await until(client, session, lambda shown: shown["status"] == "completed")
        assert {lane["state"] for lane in shown["lanes"]} == {"done"}
        assert shown["counts"]["waiting"] == shown["counts"]["running"] == 0
        answered = next(
            bar for bar in lanes(shown)[asking[0]["path"].rpartition("/")[0]]["bars"] if bar["seq"] == asking[0]["seq"]
        )
        assert answered["wait_ms"] == answered["end_ms"] - answered["begin_ms"]


async def test_a_part_of_the_lanes_is_what_is_asked_for(tmp_path: Path) -> None:
    async with world() as served, serving(write_tree(tmp_path), tmp_path) as client:
        session = await create(client, {"url": served.url})
        whole = await until(client, session, lambda shown: shown["status"] == "paused")
        part = await timeline(client, session, first=2, count=3)
        assert [lane["path"] for lane in part["lanes"]] == [lane["path"] for lane in whole["lanes"]][2:5]
        assert part["lane_count"] == whole["lane_count"] == 8
        assert (await timeline(client, session, first=100))["lanes"] == []
        fork = next(bar for bar in whole["lanes"][0]["bars"] if bar["function"] == "parallel")
        early = await timeline(client, session, to_ms=fork["begin_ms"] - 1)
        assert all(bar["begin_ms"] < fork["begin_ms"] for lane in early["lanes"] for bar in lane["bars"])
        assert not any(lane["bars"] for lane in early["lanes"][1:])
        late = await timeline(client, session, from_ms=whole["now_ms"] + 1000, to_ms=whole["now_ms"] + 2000)
        open_calls = {bar["path"] for lane in late["lanes"] for bar in lane["bars"]}
        assert len(open_calls) == 6, "what is under way goes on to the end"


async def test_calls_that_overlap_are_on_rows_of_their_own(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, OVERLAPPING), tmp_path) as client:
        session = await create(client, {"url": target.url})
        await within(SECONDS, target.until_asked("/never"))
        target.open("/held")
        shown = await until(client, session, lambda shown: shown["status"] == "completed")
        (root,) = shown["lanes"]
        by_label = {bar["label"].rpartition("/")[2].rpartition(" ")[2]: bar for bar in root["bars"]}
        rows = {name: bar["row"] for name, bar in by_label.items()}
        assert (rows["held"], rows["never"]) == (0, 1)
        prompts = [bar for bar in root["bars"] if bar["function"] == "prompt"]
        assert [bar["row"] for bar in prompts] == [1, 1]
        assert by_label["never"]["state"] == "cancelled"
        failed = next(bar for bar in root["bars"] if bar["function"] == "tool")
        assert failed["state"] == "failed"
        for row in {bar["row"] for bar in root["bars"]}:
            of_row = [bar for bar in root["bars"] if bar["row"] == row]
            for one, next_one in pairwise(of_row):
                assert one["end_ms"] <= next_one["begin_ms"]
        assert shown["counts"] == {
            "running": 0,
            "waiting": 0,
            "done": len(root["bars"]) - 2,
            "failed": 1,
            "cancelled": 1,
            "recorded": 0,
        }


async def test_a_long_poll_answers_as_soon_as_a_call_begins_and_ends(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, ONE_BY_ONE), tmp_path) as client:
        session = await create(client, {"url": target.url, "names": ["one", "two"], "branches": ["three", "four"]})
        await within(SECONDS, target.until_asked("/one"))
        shown = await until(client, session, lambda shown: shown["counts"]["running"] == 1)
        assert (shown["live"], shown["status"]) == (True, "running")
        (bar,) = shown["lanes"][0]["bars"]
        assert (bar["state"], bar["label"], bar["end_ms"]) == ("running", f"GET {target.url}/one", None)
        same = await timeline(client, session, after=shown["version"], wait=1)
        assert same == {"version": shown["version"], "unchanged": True}
        waiting = asyncio.create_task(timeline(client, session, after=shown["version"], wait=25))
        target.open("/one")
        news = await within(20, waiting)
        assert news["counts"]["done"] == 1
        target.open("/two")
        shown = await until(client, session, lambda shown: shown["lane_count"] == 3 and shown["counts"]["running"] == 3)
        assert [lane["state"] for lane in shown["lanes"]] == ["running"] * 3
        target.open("/three")
        await until(client, session, lambda shown: [lane["state"] for lane in shown["lanes"]][1] == "done")
        target.open("/four")
        shown = await until(client, session, lambda shown: shown["status"] == "completed")
        assert shown["live"] is False
        assert shown["counts"]["done"] == 5


async def test_a_call_made_again_takes_the_place_of_the_one_that_failed(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, FAILING), tmp_path) as client:
        target.open("/answer")
        session = await create(client, {"url": target.url})
        shown = await until(client, session, lambda shown: shown["status"] == "failed")
        states = [bar["state"] for bar in shown["lanes"][0]["bars"]]
        assert states == ["done", "done", "failed"]
        before = shown["lanes"][0]["bars"][-1]
        told = await client("POST", f"{session}/resume", json={"retry": True})
        assert told.json["status"] == "failed"
        again = await timeline(client, session, after=shown["version"])
        assert not again["unchanged"]
        (root,) = again["lanes"]
        assert [bar["state"] for bar in root["bars"]] == ["done", "done", "failed"]
        assert again["counts"]["failed"] == 1
        after = root["bars"][-1]
        assert (after["seq"], after["begin_ms"]) == (before["seq"], before["begin_ms"])
        assert after["end_ms"] > before["end_ms"]


async def test_a_branch_from_history_says_what_it_shares(tmp_path: Path) -> None:
    async with world() as served, serving(write_tree(tmp_path), tmp_path) as client:
        served.freed.set()
        session = await create(client, {"url": served.url})
        await until(client, session, lambda shown: shown["status"] == "paused")
        for question in (await client("GET", session)).json["pending"]:
            await client("POST", f"{session}/resume", json={"response": "yes", "seq": question["seq"]})
        parent = await until(client, session, lambda shown: shown["status"] == "completed")
        opening = next(bar for bar in parent["lanes"][0]["bars"] if bar["label"].endswith("/opening"))
        body = {"at": opening["seq"], "result": {"status": 200, "headers": {}, "body": {"answer": "edited"}}}
        told = await client("POST", f"{session}/branch", json={**body, "note": "why not"})
        assert told.status == 201, told.body
        branch = f"/sessions/{told.json['id']}"
        shown = await timeline(client, branch)
        edited = next(bar for bar in shown["lanes"][0]["bars"] if bar["label"].endswith("/opening"))
        detail = (await client("GET", f"{branch}/calls/{edited['seq']}")).json
        assert (detail["edited"], detail["note"], detail["recorded"]) == (True, "why not", False)
        assert detail["result"]["body"] == {"answer": "edited"}
        recorded = [bar for lane in shown["lanes"] for bar in lane["bars"] if bar["recorded"]]
        assert len(recorded) == shown["counts"]["recorded"] <= 1  # the early request, unless it ended later
        replayed = await client("POST", f"{session}/replay")
        assert replayed.status == 201, replayed.body
        shown = await timeline(client, f"/sessions/{replayed.json['id']}")
        assert shown["counts"]["recorded"] == shown["call_count"] == parent["call_count"]
        assert all(bar["recorded"] for lane in shown["lanes"] for bar in lane["bars"])
        assert [lane["path"] for lane in shown["lanes"]] == [lane["path"] for lane in parent["lanes"]]
        call = (await client("GET", f"/sessions/{replayed.json['id']}/calls/{opening['seq']}")).json
        assert call["origin_run_id"] == session.rpartition("/")[2]


async def test_a_run_cancelled_in_the_middle_shows_what_was_cancelled(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, ONE_BY_ONE), tmp_path) as client:
        session = await create(client, {"url": target.url, "names": [], "branches": ["a", "b"]})
        await until(client, session, lambda shown: shown["counts"]["running"] == 3)
        await client("POST", f"{session}/cancel", json={"reason": "enough"})
        shown = await until(client, session, lambda shown: shown["status"] == "cancelled")
        assert {lane["state"] for lane in shown["lanes"]} == {"cancelled"}
        assert shown["counts"]["cancelled"] == shown["call_count"] == 3


async def test_wrong_parameters_and_sessions_are_refused(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, ONE_BY_ONE), tmp_path) as client:
        session = await create(client, {"url": target.url, "names": [], "branches": []})
        await until(client, session, lambda shown: shown["status"] == "completed")
        for query in ("count=201", "first=-1", "width=0", "wait=26", "from_ms=x", "to_ms="):
            told = await client("GET", f"{session}/timeline?{query}")
            assert told.status == 422, query
            assert query.partition("=")[0] in told.json["error"]
        for query in ("limit=0", "state=odd", "offset=1.5"):
            assert (await client("GET", f"{session}/calls?{query}")).status == 422
        for path in ("timeline", "calls", "calls/1"):
            assert (await client("GET", f"/sessions/none/{path}")).status == 404
        for seq in ("99", "x", "0"):
            assert (await client("GET", f"{session}/calls/{seq}")).status == 404
