"""``POST /sessions/{id}/verify``: a session replayed to a point or to its end, from its record alone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.examples import asking
from tests.support.openai_server import OpenAIServer

TREE = """
export async function agent(input: any, chidori: any) {
  console.log("begins");
  const first = await chidori.prompt("one");
  const parts = await chidori.parallel(["a", "b"].map((name) => async () => {
    const text = await chidori.prompt(`in ${name}`);
    console.log(`branch ${name} has ${text}`);
    return [text, await chidori.prompt(`more of ${name}`)];
  }));
  const below = await chidori.callAgent("below.ts", { first });
  console.log("ends");
  return { first, parts, below };
}
"""

BELOW = """
export async function agent(input: any, chidori: any) {
  console.log(`below knows ${input.first}`);
  const both = await chidori.parallel([
    async () => await chidori.prompt("deep"),
    async () => await chidori.prompt("deeper"),
  ]);
  return [...both, await chidori.prompt("below")];
}
"""


async def _verify(client: Client, session: str, expect: int = 200, **body: Any) -> Any:
    told = await client("POST", f"/sessions/{session}/verify", json=body)
    assert told.status == expect, told.body
    return told.json


async def _seqs(client: Client, session: str) -> dict[str, int]:
    calls = (await client("GET", f"/sessions/{session}/calls?limit=500")).json["calls"]
    return {call["label"]: call["seq"] for call in calls} | {call["path"]: call["seq"] for call in calls}


async def test_a_verification_asks_no_provider_and_stops_wherever_it_is_told_to(tmp_path: Path) -> None:
    (tmp_path / "below.ts").write_text(BELOW)
    async with OpenAIServer() as model, serving(write_agent(tmp_path, TREE), tmp_path, asking(model)) as client:
        run = (await client("POST", "/sessions", json={"input": {}, "session_id": "s"})).json
        assert run["status"] == "completed", run
        listed, asked = (await client("GET", "/sessions")).json["sessions"], model.chat_requests
        assert asked == 8

        whole = await _verify(client, "s")
        assert (whole["status"], whole["output"], whole["output_matches"]) == ("completed", run["output"], True)
        assert (whole["live"], whole["divergence"], whole["error"]) == (0, None, None)
        # The containers answer from their own record.
        assert whole["recorded"] == 3
        assert [line["text"] for line in whole["printed"]] == ["begins", "ends"]

        seqs = await _seqs(client, "s")
        calls = {call["seq"]: call for call in (await client("GET", "/sessions/s/calls?limit=500")).json["calls"]}
        first = await _verify(client, "s", until=seqs["1"])
        assert (first["status"], first["recorded"], first["seq"]) == ("reached", 1, seqs["1"])
        assert (first["output"], first["output_matches"]) == (None, None)
        assert [line["text"] for line in first["printed"]] == ["begins"]

        in_branch = await _verify(client, "s", until=seqs["2/b1/1"])
        assert (in_branch["status"], in_branch["recorded"]) == ("reached", 2)
        answer = (await client("GET", f"/sessions/s/calls/{seqs['2/b1/1']}")).json["result"]
        assert [line["text"] for line in in_branch["printed"]] == ["begins", f"branch b has {answer}"]
        last = await _verify(client, "s", until=seqs["2/b0/2"])
        assert (last["status"], last["recorded"]) == ("reached", 3)

        below = await _verify(client, "s", until=seqs["3/1/b1/1"])
        assert (below["status"], below["recorded"]) == ("reached", 3)
        assert [line["text"] for line in below["printed"]] == ["begins", f"below knows {run['output']['first']}"]

        for seq, call in calls.items():
            reached = await _verify(client, "s", until=seq)
            assert (reached["status"], reached["seq"]) == ("reached", seq), call
        assert model.chat_requests == asked
        assert (await client("GET", "/sessions")).json["sessions"] == listed


async def test_there_must_be_such_a_call_and_it_must_have_ended(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      const slow = new AbortController();
      const gone = chidori.http("http://127.0.0.1:9/", { signal: slow.signal }).catch(() => null);
      await chidori.log("one");
      return await chidori.input("Name?");
    }"""
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        seqs = await _seqs(client, "s")
        paused = await _verify(client, "s")
        assert (paused["status"], paused["output"], paused["output_matches"]) == ("record_ended", None, None)
        told = await _verify(client, "s", 422, until=seqs["3"])
        assert told["error"].startswith(f"call #{seqs['3']} (input) of run s has not ended")
        assert (await _verify(client, "s", 422, until=99))["error"] == "run s has no call #99"
        assert (await _verify(client, "s", 422, until=0))["error"] == "run s has no call #0"
        assert (await _verify(client, "nobody", 404))["error"] == "Session not found"
        assert "must be a whole number" in (await _verify(client, "s", 422, until="x"))["error"]


async def test_failed_runs_fail_again(tmp_path: Path) -> None:
    source = """export async function agent(input: any, chidori: any) {
      const said = await chidori.prompt("one");
      throw new Error(`no use for ${said}`);
    }"""
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        run = (await client("POST", "/sessions", json={"input": {}, "session_id": "s"})).json
        told = await _verify(client, "s")
        assert (told["status"], told["error"], told["output_matches"]) == ("failed", run["error"], True)


PLAIN = """
export async function agent(input: any, chidori: any) {
  const one = await chidori.prompt("one");
  const two = await chidori.prompt("two", { temperature: 0.5 });
  await chidori.log("done");
  return [one, two];
}
"""


async def test_a_changed_source_diverges_with_both_sides_and_its_place(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, PLAIN)
    async with serving(agent, tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        unchanged = await _verify(client, "s", current_source=True)
        assert (unchanged["status"], unchanged["output_matches"]) == ("completed", True)

        agent.write_text(PLAIN.replace("0.5", "0.75"))
        told = await _verify(client, "s", current_source=True)
        assert (told["status"], told["recorded"], told["output_matches"]) == ("diverged", 1, None)
        found = told["divergence"]
        assert found["seq"] == 2
        assert found["message"].startswith(
            "Replay divergence at seq 2: checkpoint has `prompt` with `temperature` = 0.5"
        )
        assert found["difference"] == {"path": "temperature", "recorded": 0.5, "attempted": 0.75}
        assert [found[side]["function"] for side in ("recorded", "attempted")] == ["prompt", "prompt"]
        assert [found[side]["args"]["temperature"] for side in ("recorded", "attempted")] == [0.5, 0.75]
        assert (found["place"]["path"], found["place"]["line"]) == ("agent.ts", 4)
        assert "0.75" in found["source"]["lines"][4 - found["source"]["first_line"]]
        # What comes behind the call that it was to be replayed to is not compared.
        assert (await _verify(client, "s", current_source=True, until=1))["status"] == "reached"
        assert (await _verify(client, "s"))["output_matches"] is True

        agent.write_text(PLAIN.replace('await chidori.log("done")', 'await chidori.template("x")'))
        other = (await _verify(client, "s", current_source=True))["divergence"]
        assert (other["recorded"]["function"], other["attempted"]["function"]) == ("log", "template")
        assert other["difference"] is None

        agent.write_text(PLAIN.replace('await chidori.log("done");', ""))
        missing = (await _verify(client, "s", current_source=True))["divergence"]
        assert (missing["seq"], missing["recorded"]["function"], missing["attempted"]) == (3, "log", None)

        agent.write_text(PLAIN.replace('"done");', '"done"); await chidori.log("more");'))
        more = (await _verify(client, "s", current_source=True))["divergence"]
        assert (more["recorded"], more["attempted"]["args"]["message"]) == (None, "more")


async def test_a_source_that_is_gone_or_broken_is_409_and_one_that_hangs_fails(tmp_path: Path) -> None:
    agent = write_agent(tmp_path, PLAIN)
    async with serving(agent, tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        agent.write_text(PLAIN.replace("return", "while (true) {} return"))
        hanging = await _verify(client, "s", current_source=True)
        assert (hanging["status"], hanging["output_matches"]) == ("failed", False)
        assert "without waiting for anything" in hanging["error"]
        agent.write_text("export const agent = (")
        assert "agent.ts" in (await _verify(client, "s", 409, current_source=True))["error"]
        agent.unlink()
        gone = await _verify(client, "s", 409, current_source=True)
        assert gone["error"] == f"there is no file {agent} here"
        assert "current_source" in gone["hint"]
        assert (await _verify(client, "s"))["output_matches"] is True


async def test_a_changed_sub_agent_is_found_on_disk(tmp_path: Path) -> None:
    (tmp_path / "below.ts").write_text(BELOW)
    async with serving(write_agent(tmp_path, TREE), tmp_path) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        seq = (await _seqs(client, "s"))["3/2"]
        (tmp_path / "below.ts").write_text(BELOW.replace('"below")', '"another")'))
        assert (await _verify(client, "s", until=seq))["status"] == "reached"
        told = (await _verify(client, "s", until=seq, current_source=True))["divergence"]
        assert (told["seq"], told["difference"]["attempted"]) == (seq, "another")
        (tmp_path / "below.ts").unlink()
        assert (
            "there is no agent below.ts" in (await _verify(client, "s", 409, until=seq, current_source=True))["error"]
        )


async def test_a_verification_needs_a_slot_as_any_other_work(tmp_path: Path) -> None:
    environ = {
        "CHIDORI_MAX_CONCURRENT_SESSIONS": "1",
        "CHIDORI_ACQUIRE_TIMEOUT_MS": "50",
        "CHIDORI_TEST_LLM_RESPONSE": "x",
    }
    waits = (
        "export async function agent(i: any) { if (i.wait) await new Promise((r) => setTimeout(r, 600000)); return 1; }"
    )
    async with serving(write_agent(tmp_path, waits), tmp_path, environ) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        held = {"input": {"wait": True}, "session_id": "held"}
        assert (await client("POST", "/sessions", json=held, headers={"Prefer": "respond-async"})).status == 202
        told = await client("POST", "/sessions/s/verify", json={})
        assert (told.status, told.headers["Retry-After"]) == (503, "1")
        assert (await client("POST", "/sessions/held/cancel", json={})).status == 200
        assert (await _verify(client, "s"))["status"] == "completed"


async def test_a_verification_whose_client_is_gone_is_given_up(tmp_path: Path) -> None:
    steps = """export async function agent(input: any, chidori: any) {
      for (let step = 0; step < 60; step++) {
        /* busy */
        await chidori.log("step", { step });
      }
    }"""
    environ = {"CHIDORI_MAX_CONCURRENT_SESSIONS": "1", "CHIDORI_ACQUIRE_TIMEOUT_MS": "12000"}
    agent = write_agent(tmp_path, steps)
    async with serving(agent, tmp_path, environ) as client:
        await client("POST", "/sessions", json={"input": {}, "session_id": "s"})
        # All of its steps take longer than the next one waits for its slot, a single one does not.
        agent.write_text(steps.replace("/* busy */", "for (let i = 0; i < 1e7; i++);"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await _verify(client, "s", current_source=True)
        agent.write_text(steps)
        assert (await within(60, _verify(client, "s")))["status"] == "completed"


async def test_what_an_agent_prints_at_length_is_cut(tmp_path: Path) -> None:
    source = 'export async function agent(input: any, chidori: any) { console.log("x".repeat(100_000)); return 1; }'
    async with serving(write_agent(tmp_path, source), tmp_path) as client:
        assert (await client("POST", "/sessions", json={"input": {}, "session_id": "s"})).json["output"] == 1
        (line,) = (await _verify(client, "s"))["printed"]
        assert line["text"] == "x" * 10_000 + "…"
