"""One call of a session: what the model got, what came of it, where it was made; and the list of calls."""

from pathlib import Path
from typing import Any

from tests.front_door.serving import serving
from tests.front_door.test_timeline import create, timeline, until
from tests.support.agents import LOCAL, within, write_agent
from tests.support.openai_server import OpenAIServer, Scripted

SECONDS = 30

PROMPTS = """import { chidori } from "chidori";

interface Input { long: string }

export async function agent(input: Input, chidori: any) {
  const said = await chidori.prompt("What is it?", { system: "Be brief.", model: "gpt-4o", maxTokens: 50 });
  const used = await chidori.prompt('Use it [call=look {"at": "sky"}]', { model: "gpt-4o", tools: ["look"] });
  await chidori.log(input.long);
  try {
    await chidori.callAgent("./failing.ts", {});
  } catch (error) {
    return { said, used };
  }
}
"""
FAILING = """
export async function agent(input: any, chidori: any) {
  await chidori.log("about to fail");
  throw new TypeError("the child's own fault");
}
"""
LOOK = """
export const tool = { name: "look", description: "Looks.", parameters: { type: "object" } };
export async function run(args: any, chidori: any) { return `saw the ${args.at}`; }
"""
STREAMING = """
export async function agent(input: any, chidori: any) {
  return await chidori.prompt("Tell me all", { model: "gpt-4o" });
}
"""
UNTRUSTED = """
export async function agent(input: any, chidori: any) {
  const sources = [1, 2, 3, 4, 5, 6].map((n) => `let x = 0; for (let i = 0; i < 3e6; i++) x += i; x + ${n}`);
  return await Promise.all(sources.map((source) => chidori.execJs(source)));
}
"""


def written(folder: Path) -> Path:
    (folder / "tools").mkdir()
    (folder / "tools" / "look.ts").write_text(LOOK, encoding="utf-8")
    write_agent(folder, FAILING, "failing.ts")
    return write_agent(folder, PROMPTS)


async def detail(client: Any, session: str, seq: int, query: str = "") -> Any:
    told = await client("GET", f"{session}/calls/{seq}{query}")
    assert told.status == 200, told.body
    return told.json


async def test_prompts_are_shown_as_the_model_got_them(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        model.script.append(Scripted(status=503, message="not now", retry_after="0"))
        environ = {"LITELLM_API_URL": model.url, "LITELLM_API_KEY": "very-secret"}
        async with serving(written(tmp_path), tmp_path, environ) as client:
            session = await create(client, {"long": "x" * 300_000})
            shown = await until(client, session, lambda shown: shown["status"] == "completed")
            calls = (await client("GET", f"{session}/calls")).json
            assert [call["seq"] for call in calls["calls"]] == sorted(call["seq"] for call in calls["calls"])
            assert calls["total"] == shown["call_count"]
            prompts = [call for call in calls["calls"] if call["function"] == "prompt"]
            assert [call["model"] for call in prompts] == ["gpt-4o"] * 3
            first = await detail(client, session, prompts[0]["seq"])
            sent = [each["body"]["messages"] for each in model.requests if each["path"].endswith("/chat/completions")]
            assert first["prompt"]["messages"] == sent[0] == sent[1]
            assert first["prompt"]["messages"][0] == {"role": "system", "content": "Be brief."}
            assert first["prompt"]["answer"] == first["result"]
            assert first["prompt"]["options"]["max_tokens"] == 50
            assert [(each["number"], each["error"] is None) for each in first["attempts"]] == [(1, False), (2, True)]
            assert "not now" in first["attempts"][0]["error"]
            usage = first["prompt"]
            assert usage["input_tokens"] == prompts[0]["input_tokens"] > 0
            assert usage["cost_usd"] > 0
            assert usage["cost"].startswith("$")
            assert usage["provider"].startswith("openai")
            turns = [await detail(client, session, call["seq"]) for call in prompts[1:]]
            assert turns[0]["prompt"]["tool_calls"][0]["name"] == "look"
            assert turns[0]["prompt"]["tools"][0]["description"] == "Looks."
            # litellm leaves out a content that is null.
            shown_to = [
                [{name: value for name, value in message.items() if value is not None} for message in messages]
                for messages in (each["prompt"]["messages"] for each in turns)
            ]
            assert shown_to == sent[2:]
            assert "saw the sky" in turns[1]["prompt"]["messages"][-1]["content"]
            assert "very-secret" not in str([first, *turns])


async def test_a_call_says_where_it_was_made_and_where_it_failed(tmp_path: Path) -> None:
    async with serving(written(tmp_path), tmp_path) as client:
        session = await create(client, {"long": "y" * 300_000})
        await until(client, session, lambda shown: shown["status"] == "completed")
        calls = {call["path"]: call for call in (await client("GET", f"{session}/calls")).json["calls"]}
        agent = next(call for call in calls.values() if call["function"] == "call_agent")
        view = await detail(client, session, agent["seq"])
        assert (view["state"], view["error"]["name"]) == ("failed", "TypeError")
        assert view["error"]["message"] == "the child's own fault"
        assert view["error"]["location"].startswith("failing.ts:4:")
        assert view["error"]["source_line"] == 'throw new TypeError("the child\'s own fault");'
        line = PROMPTS.splitlines().index('    await chidori.callAgent("./failing.ts", {});') + 1
        assert view["place"]["path"] == "agent.ts"
        assert view["place"]["line"] == line
        source = view["source"]
        assert source["lines"][line - source["first_line"]] == '    await chidori.callAgent("./failing.ts", {});'
        assert source["lines"] == PROMPTS.split("\n")[source["first_line"] - 1 :][:8]
        assert view["children"] == {"lanes": [agent["path"]], "calls": 1}
        inside = await detail(client, session, calls[f"{agent['path']}/1"]["seq"])
        assert inside["place"]["path"] == "failing.ts"
        assert inside["parent_seq"] == agent["seq"]


async def test_long_values_are_cut_unless_they_are_wanted_whole(tmp_path: Path) -> None:
    async with serving(written(tmp_path), tmp_path) as client:
        session = await create(client, {"long": "z" * 300_000})
        shown = await until(client, session, lambda shown: shown["status"] == "completed")
        long = next(bar for bar in shown["lanes"][0]["bars"] if bar["function"] == "log")
        assert long["label"].startswith("zzz")
        assert len(long["label"]) <= 80
        cut = await detail(client, session, long["seq"])
        assert cut["truncated"] == {"args": True, "result": False}
        assert len(cut["args"]["$truncated"]) == 256 << 10
        whole = await detail(client, session, long["seq"], "?whole=1")
        assert whole["args"]["message"] == "z" * 300_000
        assert whole["truncated"] == {"args": False, "result": False}


async def test_calls_are_found_by_what_is_known_of_them(tmp_path: Path) -> None:
    async with serving(written(tmp_path), tmp_path) as client:
        session = await create(client, {"long": "q" * 5_000 + "needle"})
        await until(client, session, lambda shown: shown["status"] == "completed")

        async def found(query: str) -> list[str]:
            page = (await client("GET", f"{session}/calls?{query}")).json
            assert page["total"] >= len(page["calls"])
            return [call["function"] for call in page["calls"]]

        assert await found("search=NEEDLE") == ["log"], "in args that lie in a blob"
        assert await found("search=what is") == ["prompt"]
        assert await found("search=own fault") == ["call_agent"]
        assert await found("search=be brief") == ["prompt"], "in args"
        assert await found("function=log&actor=") == ["log"]
        assert await found("state=failed") == ["call_agent"]
        assert await found("search=nowhere") == []
        everything = await found("limit=500")
        assert await found("offset=1&limit=2") == everything[1:3]


async def test_a_prompt_that_streams_shows_what_came_so_far(tmp_path: Path) -> None:
    async with OpenAIServer() as model:
        model.script.append(Scripted(content="word " * 40, hold_after=3))
        environ = {"LITELLM_API_URL": model.url, "LITELLM_API_KEY": "key"}
        async with serving(write_agent(tmp_path, STREAMING), tmp_path, environ) as client:
            session = await create(client, {})
            await within(SECONDS, model.holding.wait())
            shown = await until(client, session, lambda shown: shown["counts"]["running"] == 1)
            seq = shown["lanes"][0]["bars"][0]["seq"]
            view = await detail(client, session, seq)
            async with client.session.get(f"{client.url}{session}/stream") as stream:
                # The texts are told when they are in the store.
                async for line in stream.content:
                    if line.startswith(b"event: prompt_delta"):
                        break
            view = await detail(client, session, seq)
            assert view["stream"]["live"] is True
            assert ("word " * 40).startswith(view["stream"]["text"])
            assert len(view["stream"]["text"]) > 0
            assert view["prompt"]["messages"] == [{"role": "user", "content": "Tell me all"}]
            assert (view["state"], view["result"], view["prompt"]["answer"]) == ("running", None, None)


async def test_untrusted_code_that_waits_for_a_process_says_so(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, UNTRUSTED), tmp_path, {**LOCAL}) as client:
        session = await create(client, {})
        await until(client, session, lambda shown: shown["status"] == "completed")
        bars = (await timeline(client, session))["lanes"][0]["bars"]
        waited = [bar for bar in bars if bar["wait_ms"] > 0]
        assert waited, "more executions than processes"
        view = await detail(client, session, waited[-1]["seq"])
        assert view["queue"] == {
            "wait_ms": waited[-1]["wait_ms"],
            "run_ms": view["end_ms"] - view["begin_ms"] - waited[-1]["wait_ms"],
        }
