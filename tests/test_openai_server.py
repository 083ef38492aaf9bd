"""The test server itself: what other tests rely on when they read its counters from another process."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson

from tests.support.openai_server import OpenAIServer


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
