"""The test server itself: what other tests rely on when they read its counters from another process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from tests.support.openai_server import OpenAIServer, Scripted


@asynccontextmanager
async def server_process(*options: str) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.openai_server", *options, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    finally:
        process.kill()
        await process.communicate()


async def post(session: aiohttp.ClientSession, url: str, prompt: str) -> tuple[int, str]:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    async with session.post(url, data=orjson.dumps(body)) as response:
        reply = orjson.loads(await response.read())
        return response.status, reply["choices"][0]["message"]["content"] if response.ok else reply["error"]


async def test_every_answer_is_distinct() -> None:
    async with OpenAIServer() as server, aiohttp.ClientSession() as session:
        url = f"{server.url}/chat/completions"
        answers = [(await post(session, url, prompt))[1] for prompt in ("a", "a", "b")]
        assert answers == ["answer(a)#1", "answer(a)#2", "answer(b)#1"]


async def test_a_deterministic_server_in_another_process_counts_scripts_and_answers() -> None:
    async with server_process("--deterministic") as root, aiohttp.ClientSession() as session:
        url = f"{root}/chat/completions"
        async with session.post(f"{root}/script", data=b'[{"status": 429, "retry_after": "1"}]') as answer:
            assert answer.status == 200
        assert (await post(session, url, "a"))[0] == 429
        same, again, other = [(await post(session, url, prompt))[1] for prompt in ("a", "a", "b")]
        assert same == again != other
        for key in ("k1", "k1", "k2"):
            async with session.post(f"{root}/count", data="body", headers={"Idempotency-Key": key}) as counted:
                assert counted.status == 200
        async with session.get(f"{root}/stats") as answer:
            stats = await answer.json()
        assert stats["prompts"] == {"a": 3, "b": 1}
        assert (stats["chat_requests"], stats["counted"]) == (4, 3)
        assert (stats["counted_bodies"], stats["counted_keys"]) == ({"body": 3}, {"k1": 2, "k2": 1})


TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
PROMPT = {"role": "user", "content": 'sum [call=add {"a": 1}] [call=add {"a": 2}]'}


def asks(*ids: str) -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": "add", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "tool_calls": calls}


def answers(call_id: str, content: str = "") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


async def chat(server: OpenAIServer, *messages: dict[str, Any], tools: Any = TOOLS) -> tuple[int, Any]:
    body = {"model": "m", "messages": list(messages), "tools": tools}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/chat/completions", data=orjson.dumps(body)) as response,
    ):
        reply = await response.json()
        return response.status, reply["choices"][0] if response.ok else reply["error"]["message"]


async def test_scripted_tool_calls_are_a_message_when_nothing_is_streamed() -> None:
    async with OpenAIServer() as server:
        server.script.append(Scripted(content="so", tool_calls=[{"name": "add", "arguments": "{", "id": "x"}]))
        status, choice = await chat(server, {"role": "user", "content": "sum"})
        assert (status, choice["finish_reason"]) == (200, "tool_calls")
        call = {"id": "x", "type": "function", "function": {"name": "add", "arguments": "{"}}
        assert choice["message"] == {"role": "assistant", "content": "so", "tool_calls": [call]}


async def test_a_prompt_asks_for_its_tool_calls_until_they_are_answered() -> None:
    async with OpenAIServer(deterministic=True) as server:
        for _ in range(2):
            _, choice = await chat(server, PROMPT)
            calls = [call["function"] for call in choice["message"]["tool_calls"]]
            assert [orjson.loads(call["arguments"]) for call in calls] == [{"a": 1}, {"a": 2}]
        told = [(await chat(server, PROMPT, asks("x"), answers("x", text)))[1] for text in ("1", "1", "2", "")]
        same, again, other, empty = [choice["message"]["content"] for choice in told]
        assert same == again
        assert len({same, other, empty}) == 3


@pytest.mark.parametrize(
    ("messages", "fault"),
    [
        ([asks("x", "y"), answers("y")], "did not have response messages: x"),
        ([asks("x"), {"role": "user", "content": "and?"}], "did not have response messages: x"),
        ([asks("x"), asks("y"), answers("x"), answers("y")], "did not have response messages: x"),
        ([answers("x")], "must be a response to a preceding message"),
        ([asks("x"), answers("x"), answers("x")], "must be a response to a preceding message"),
        ([asks()], "'tool_calls' must be"),
        ([asks("")], "'tool_calls' must be"),
        ([{"role": "assistant", "content": None}], "'content' must be"),
    ],
)
async def test_a_conversation_that_openai_refuses_is_refused(messages: list[dict[str, Any]], fault: str) -> None:
    async with OpenAIServer() as server:
        server.script.append(Scripted(content="kept"))
        status, error = await chat(server, PROMPT, *messages)
        assert status == 400
        assert fault in error
        assert (await chat(server, PROMPT))[1]["message"]["content"] == "kept"


@pytest.mark.parametrize("tools", [[], TOOLS * 2])
async def test_tools_that_openai_refuses_are_refused(tools: list[Any]) -> None:
    async with OpenAIServer() as server:
        assert await chat(server, PROMPT, tools=tools) == (400, "Invalid 'tools'.")
