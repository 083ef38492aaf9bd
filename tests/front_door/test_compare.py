"""``GET /sessions/{id}/compare/{other}``: two runs call by call, and their outputs."""

from pathlib import Path
from typing import Any

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import asking
from tests.support.openai_server import OpenAIServer

AGENT = """
export async function agent(input: any, chidori: any) {
  const first = await chidori.prompt("one");
  const plan = await chidori.prompt("plan");
  const parts = await chidori.parallel(["a", "b"].map((name) => async () => {
    await chidori.log("begins", { name });
    return await chidori.prompt(`${plan} for ${name}`);
  }));
  if (plan.includes("long")) await chidori.log("more");
  return { first, plan, parts };
}
"""


async def _get(client: Client, path: str, expect: int = 200) -> Any:
    told = await client("GET", path)
    assert told.status == expect, told.body
    return told.json


async def test_a_fork_beside_its_parent(tmp_path: Path) -> None:
    async with OpenAIServer() as model, serving(write_agent(tmp_path, AGENT), tmp_path, asking(model)) as client:
        run = (await client("POST", "/sessions", json={"input": {}, "session_id": "s"})).json
        fork = (await client("POST", "/sessions/s/branch", json={"at": 2, "result": "a long\nplan"})).json
        told = await _get(client, f"/sessions/s/compare/{fork['id']}")
        rows = {row["path"]: row for row in told["rows"]}
        assert list(rows) == ["1", "2", "3", "3/b0/1", "3/b0/2", "3/b1/1", "3/b1/2", "4"]
        kinds = {path: (row["kind"], row["differs"]) for path, row in rows.items()}
        assert kinds == {
            "1": ("shared", []),
            "2": ("changed", ["result"]),
            "3": ("changed", ["result"]),
            "3/b0/1": ("same", []),
            "3/b0/2": ("changed", ["args", "result"]),
            "3/b1/1": ("same", []),
            "3/b1/2": ("changed", ["args", "result"]),
            "4": ("right_only", []),
        }
        assert told["shared"] == 1
        assert told["counts"] == {"same": 2, "changed": 4, "left_only": 0, "right_only": 1}
        assert (told["total"], told["offset"]) == (8, 0)
        assert (told["left"]["id"], told["right"]["id"]) == ("s", fork["id"])
        assert (rows["4"]["left"], rows["4"]["right"]["function"]) == (None, "log")
        assert rows["1"]["left"]["label"] == rows["1"]["right"]["label"]

        output = told["output"]
        assert (output["same"], output["left"], output["right"]) == (False, run["output"], fork["output"])
        removed = [line["text"] for line in output["lines"] if line["op"] == "-"]
        assert any(run["output"]["plan"] in text for text in removed)
        assert any(line["op"] == "+" and "a long" in line["text"] for line in output["lines"])
        assert any(line["op"] == " " and run["output"]["first"] in line["text"] for line in output["lines"])

        changed = await _get(client, f"/sessions/s/compare/{fork['id']}?only=changed&offset=1&limit=2")
        assert [row["path"] for row in changed["rows"]] == ["3", "3/b0/2"]
        assert (changed["total"], changed["offset"], changed["counts"]) == (5, 1, told["counts"])

        swapped = await _get(client, f"/sessions/{fork['id']}/compare/s")
        assert (swapped["counts"]["left_only"], swapped["shared"]) == (1, 1)


async def test_one_pair_line_by_line(tmp_path: Path) -> None:
    async with OpenAIServer() as model, serving(write_agent(tmp_path, AGENT), tmp_path, asking(model)) as client:
        run = (await client("POST", "/sessions", json={"input": {}, "session_id": "s"})).json
        edit = {"at": 2, "result": f"{run['output']['plan']}\nbut long", "note": "longer"}
        fork = (await client("POST", "/sessions/s/branch", json=edit)).json["id"]
        pair = await _get(client, f"/sessions/s/compare/{fork}/calls?path=2")
        assert pair["args"] == []
        plan = run["output"]["plan"]
        assert pair["result"] == [{"op": " ", "text": plan}, {"op": "+", "text": "but long"}]
        assert (pair["left"]["edited"], pair["right"]["edited"], pair["right"]["note"]) == (False, True, "longer")
        inner = await _get(client, f"/sessions/s/compare/{fork}/calls?path=3/b1/2")
        assert {line["op"] for line in inner["args"]} == {" ", "-", "+"}
        alone = await _get(client, f"/sessions/s/compare/{fork}/calls?path=4")
        assert (alone["left"], alone["right"]["function"], alone["result"]) == (
            None,
            "log",
            [{"op": "+", "text": "null"}],
        )
        assert {line["op"] for line in alone["args"]} == {"+"}
        assert (
            "neither session has a call"
            in (await _get(client, f"/sessions/s/compare/{fork}/calls?path=9", 404))["error"]
        )
        await _get(client, f"/sessions/s/compare/{fork}/calls", 404)


async def test_runs_that_have_nothing_in_common_and_wrong_requests(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        for session in ("s", "t"):
            await client("POST", "/sessions", json={"input": {"of": session}, "session_id": session})
        told = await _get(client, "/sessions/s/compare/t")
        assert (told["shared"], told["counts"]["same"], told["output"]["same"]) == (0, 7, True)
        assert told["output"]["lines"] == []
        same = await _get(client, "/sessions/s/compare/s")
        assert (same["shared"], same["counts"]) == (7, dict.fromkeys(("same", "changed", "left_only", "right_only"), 0))
        for path, status in (
            ("/sessions/s/compare/nobody", 404),
            ("/sessions/nobody/compare/s", 404),
            ("/sessions/s/compare/t?only=some", 422),
            ("/sessions/s/compare/t?limit=501", 422),
            ("/sessions/s/compare/t?offset=-1", 422),
        ):
            assert (await _get(client, path, status))["error"]


async def test_huge_outputs_are_cut(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      const mark = await chidori.prompt("mark");
      return Array.from({ length: input.lines }, (_, line) => `${mark} ${line}`);
    }"""
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {"lines": 9000}, "session_id": "s"})
        fork = (await client("POST", "/sessions/s/branch", json={"at": 1, "result": "other"})).json["id"]
        output = (await _get(client, f"/sessions/s/compare/{fork}"))["output"]
        assert output["cut"] is True
        assert 100 < len(output["lines"]) <= 2000


async def test_a_run_under_way_is_compared_as_it_stands(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      await chidori.log("one");
      return await chidori.input("Name?");
    }"""
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        fork = (await client("POST", "/sessions/s/branch", json={"at": 1, "result": None})).json["id"]
        before = await _get(client, f"/sessions/s/compare/{fork}")
        assert [row["kind"] for row in before["rows"]] == ["same", "same"]
        await client("POST", f"/sessions/{fork}/resume", json={"response": "Ada"})
        after = await _get(client, f"/sessions/s/compare/{fork}")
        assert [(row["kind"], row["differs"]) for row in after["rows"]] == [
            ("same", []),
            ("changed", ["result", "state"]),
        ]
        assert (after["output"]["left"], after["output"]["right"]) == (None, "Ada")
