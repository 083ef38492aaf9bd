"""Prompts on the command line through the real path: litellm and an OpenAI-compatible server."""

import asyncio
import json
from pathlib import Path

from tests.support.openai_server import OpenAIServer, Scripted

from .console import chidori, environment, run_id_of

AGENT = """
export async function agent(input, chidori) {
  const first = await chidori.prompt("first");
  const second = await chidori.prompt("second", { maxTokens: 5 });
  return [first, second];
}
"""


def through(server: OpenAIServer, folder: Path) -> dict[str, str]:
    env = environment(folder, LITELLM_API_URL=server.url, LITELLM_API_KEY="key")
    del env["CHIDORI_TEST_LLM_RESPONSE"]
    return env


async def test_a_run_that_a_provider_failed_is_continued_without_paying_again(tmp_path: Path) -> None:
    (tmp_path / "agent.ts").write_text(AGENT)
    async with OpenAIServer() as server:
        server.script.extend([Scripted(), Scripted(status=400, message="bad luck")])
        env = through(server, tmp_path)
        failed = await asyncio.to_thread(chidori, tmp_path, "run", "agent.ts", "--model", "m1", env=env)
        assert failed.returncode == 1
        assert "Error: agent.ts:4:" in failed.stderr
        assert "400" in failed.stderr
        assert "bad luck" in failed.stderr
        assert "Traceback" not in failed.stderr
        server.script.append(Scripted(finish_reason="length"))
        run_id = run_id_of(failed)
        resumed = await asyncio.to_thread(chidori, tmp_path, "resume", "agent.ts", run_id, "-q", env=env)
        assert resumed.returncode == 0, resumed.stderr
        assert "warning: #2 prompt: the reply was cut at max_tokens=5" in resumed.stderr
        assert json.loads(resumed.stdout)[0] == "answer(first)#1"
        assert server.prompts == {"first": 1, "second": 2}
        assert {request["body"]["model"] for request in server.requests} == {"m1"}


async def test_deltas_are_streamed_as_they_come(tmp_path: Path) -> None:
    (tmp_path / "agent.ts").write_text(AGENT)
    async with OpenAIServer() as server:
        env = through(server, tmp_path)
        result = await asyncio.to_thread(chidori, tmp_path, "run", "agent.ts", "--stream", env=env)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    deltas = [event for event in events if event["type"] == "prompt_delta" and event["seq"] == 1]
    assert len(deltas) > 1
    assert "".join(event["delta"] for event in deltas) == "answer(first)#1"
    calls = [event["record"] for event in events if event["type"] == "call"]
    assert [call["token_usage"].keys() >= {"input_tokens", "output_tokens"} for call in calls] == [True, True]
