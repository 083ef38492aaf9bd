"""A real OpenAI-compatible model server on 127.0.0.1: it counts what it receives and misbehaves when told to.

In a test: ``async with OpenAIServer() as server: … server.url``. As a process of its own:
``python -m tests.support.openai_server --port 0`` prints its URL; ``GET /stats`` gives the counters, ``POST
/script`` takes a JSON list of ``Scripted`` fields. ``POST /count`` stands in for the target of a webhook.

It refuses what OpenAI refuses of a conversation with tools. A prompt that holds ``[call=NAME {…}]`` (JSON without
a ``]``), once or more, gets these tool calls first if it offers tools, however often a killed run asks again.
"""

import argparse
import asyncio
import hashlib
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import orjson
from aiohttp import web

from tests.support.openai_tools import JsonObject, conversation_fault, pieces, tool_call_deltas, tool_calls

LOGGED_REQUESTS = 1000
DELTA_CHARACTERS = 8
_DELAY_IN_PROMPT = re.compile(r"\[delay=(\d+)\]")
_CALL_IN_PROMPT = re.compile(r"\[call=([\w-]+) ({[^\]]*})\]")


@dataclass(frozen=True, slots=True)
class Scripted:
    """How one request is answered. Times are in milliseconds.

    ``reset_after`` resets the connection after that many deltas; ``hold_after`` sends nothing more after that
    many, until the client goes away. ``content`` is the answer instead of the one made from the prompt;
    ``empty`` sends no content at all.

    ``tool_calls`` are ``{name, arguments, id?}``, the arguments an object or the raw text: streamed in pieces, those
    of several calls interleaved, with no content unless ``content`` is given. ``whole_tool_calls`` streams each in
    one piece without an index, as some servers do.
    """

    status: int = 200
    message: str = "scripted failure"
    error_code: str | None = None
    retry_after: str | None = None
    content: str | None = None
    empty: bool = False
    tool_calls: Sequence[JsonObject] = ()
    whole_tool_calls: bool = False
    finish_reason: str | None = None
    usage: bool = True
    cached_tokens: int = 0
    delay_ms: int = 0
    delta_ms: int = 0
    reset_after: int | None = None
    hold_after: int | None = None


class OpenAIServer:
    """The server. ``answers`` gives the answer to a prompt. Without it, with ``deterministic`` an answer depends on the
    conversation alone; otherwise every request gets an answer of its own: ``answer(<first 40 characters>)#<how often
    this prompt was seen>``."""

    def __init__(
        self,
        *,
        port: int = 0,
        deterministic: bool = False,
        delay_ms: int = 0,
        answers: Callable[[str], str] | None = None,
    ) -> None:
        self.script: deque[Scripted] = deque()
        """Consumed one per chat request; when it is empty a request is answered well."""
        self.prompts: Counter[str] = Counter()
        self.counted_bodies: Counter[str] = Counter()
        self.counted_keys: Counter[str] = Counter()
        self.held_bodies: set[str] = set()
        """What ``/count`` gives no answer to, until the client goes away."""
        self.requests: deque[JsonObject] = deque(maxlen=LOGGED_REQUESTS)
        """The last requests: ``{path, body, authorization}``."""
        self.chat_requests = 0
        self.disconnects = 0
        self.max_in_flight = 0
        self.received = asyncio.Event()
        """Set by the first chat request."""
        self.disconnected = asyncio.Event()
        """Set once a client went away before it had its answer."""
        self.holding = asyncio.Event()
        """Set once a request has reached its ``hold_after``."""
        self.root = ""
        self._in_flight = 0
        self._more = asyncio.Event()
        self._counted = asyncio.Condition()
        self._port = port
        self._deterministic = deterministic
        self._delay_ms = delay_ms
        self._answers = answers
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The base URL for OpenAI clients, with ``/v1``."""
        return f"{self.root}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [
                web.post("/chat/completions", self._chat),
                web.post("/v1/chat/completions", self._chat),
                web.post("/count", self._count),
                web.post("/script", self._extend_script),
                web.get("/stats", self._stats),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.root = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def until_in_flight(self, count: int) -> None:
        """Wait until so many requests wait for their answers at once."""
        while self._in_flight < count:
            self._more.clear()
            await self._more.wait()

    def stats(self) -> JsonObject:
        """Every counter, as ``GET /stats`` gives it."""
        return {
            "chat_requests": self.chat_requests,
            "prompts": dict(self.prompts),
            "counted": self.counted_bodies.total(),
            "counted_bodies": dict(self.counted_bodies),
            "counted_keys": dict(self.counted_keys),
            "disconnects": self.disconnects,
            "max_in_flight": self.max_in_flight,
        }

    async def _stats(self, request: web.Request) -> web.Response:
        return _json(self.stats())

    async def _extend_script(self, request: web.Request) -> web.Response:
        self.script.extend(Scripted(**fields) for fields in orjson.loads(await request.read()))
        return _json({"scripted": len(self.script)})

    async def _count(self, request: web.Request) -> web.Response:
        body = (await request.read()).decode("utf-8", "replace")
        with self._watching():
            if body in self.held_bodies:
                await asyncio.Event().wait()
            await _sleep_ms(self._delay_of(request, body))
            await self._turn_of(request)
        async with self._counted:
            self.counted_bodies[body] += 1
            self._counted.notify_all()
        if key := request.headers.get("Idempotency-Key"):
            self.counted_keys[key] += 1
        return _json({"count": self.counted_bodies[body], "total": self.counted_bodies.total()})

    async def _turn_of(self, request: web.Request) -> None:
        """``?turn=3`` is answered as the third; ``?together=3`` once three have waited at the same time."""
        if turn := request.query.get("turn"):
            async with self._counted:
                await self._counted.wait_for(lambda: self.counted_bodies.total() >= int(turn) - 1)
        if together := request.query.get("together"):
            while self.max_in_flight < int(together):
                self._more.clear()
                await self._more.wait()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        prompt = next((m["content"] for m in reversed(body["messages"]) if m["role"] == "user"), "")
        self.chat_requests += 1
        self.received.set()
        self.prompts[prompt] += 1
        self.requests.append(
            {"path": request.path, "body": body, "authorization": request.headers.get("Authorization")}
        )
        if fault := conversation_fault(body):
            return _error(Scripted(status=400, message=fault))
        step = self._step(body, prompt)
        answer = _content(step, self._answer(prompt, _tool_messages(body)))
        with self._watching():
            await _sleep_ms(step.delay_ms + self._delay_of(request, prompt))
            if step.status != 200:
                return _error(step)
            if body.get("stream"):
                return await self._stream(request, body, step, answer)
            return _json(_completion(body, prompt, step, answer))

    def _step(self, body: JsonObject, prompt: str) -> Scripted:
        """How to answer: what is scripted, else well, with finish reason and the ids of tool calls filled in."""
        step = self.script.popleft() if self.script else Scripted()
        if not step.tool_calls and "tools" in body and not _tool_messages(body):
            asked = [
                {"name": found.group(1), "arguments": orjson.loads(found.group(2))}
                for found in _CALL_IN_PROMPT.finditer(prompt)
            ]
            step = replace(step, tool_calls=asked)
        calls = [
            {"id": f"call-{self.chat_requests}-{number}", **call}
            for number, call in enumerate(step.tool_calls, start=1)
        ]
        return replace(step, tool_calls=calls, finish_reason=step.finish_reason or ("tool_calls" if calls else "stop"))

    def _answer(self, prompt: str, results: list[JsonObject]) -> str:
        if self._answers is not None:
            return self._answers(prompt)
        if self._deterministic:
            return answer_to(prompt, [message["content"] for message in results])
        return f"answer({prompt[:40]})#{self.prompts[prompt]}"

    def _delay_of(self, request: web.Request, text: str) -> int:
        asked = request.query.get("delay") or request.headers.get("X-Delay-Ms")
        in_prompt = _DELAY_IN_PROMPT.search(text)
        return self._delay_ms + int(asked or (in_prompt.group(1) if in_prompt else 0))

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._in_flight += 1
        self._more.set()
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            yield
        except (asyncio.CancelledError, ConnectionResetError):
            self.disconnects += 1
            self.disconnected.set()
            raise
        finally:
            self._in_flight -= 1

    async def _stream(self, request: web.Request, body: JsonObject, step: Scripted, answer: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        chunk = partial(_chunk, body["model"])
        deltas = [{"content": part} for part in pieces(answer, DELTA_CHARACTERS)] + tool_call_deltas(
            step.tool_calls, whole=step.whole_tool_calls
        )
        await response.write(chunk({"role": "assistant", "content": None if step.empty or step.tool_calls else ""}))
        for number, delta in enumerate([*deltas, None]):
            if step.reset_after == number and request.transport is not None:
                request.transport.abort()
                return response
            if step.hold_after == number:
                self.holding.set()
                await asyncio.Event().wait()
            if delta is not None:
                await _sleep_ms(step.delta_ms)
                await response.write(chunk(delta))
        await response.write(chunk({}, step.finish_reason))
        if step.usage and body.get("stream_options", {}).get("include_usage"):
            await response.write(chunk(None, usage=_usage(body, step, answer)))
        await response.write(b"data: [DONE]\n\n")
        return response


def answer_to(prompt: str, tool_results: Sequence[str] = ()) -> str:
    """What a deterministic server answers to that prompt, once tools have given these results."""
    known = "\n".join([prompt, *tool_results])
    return f"answer({prompt[:40]})#{hashlib.sha256(known.encode()).hexdigest()[:8]}"


def _tool_messages(body: JsonObject) -> list[JsonObject]:
    return [message for message in body["messages"] if message["role"] == "tool"]


def _content(step: Scripted, answer: str) -> str:
    if step.empty or (step.tool_calls and step.content is None):
        return ""
    return answer if step.content is None else step.content


def _chunk(
    model: str, delta: JsonObject | None, finish_reason: str | None = None, usage: JsonObject | None = None
) -> bytes:
    """One server-sent event of a streamed completion; the one with the usage has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
    frame = {
        "id": "chatcmpl-test",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
        "choices": choices,
        "usage": usage,
    }
    # Not orjson: a scripted answer may hold half an emoji, as the answers of real models do.
    return b"data: " + json.dumps(frame).encode() + b"\n\n"


def _completion(body: JsonObject, prompt: str, step: Scripted, answer: str) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": answer or None}
    if step.tool_calls:
        message["tool_calls"] = tool_calls(step.tool_calls)
    return {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": step.finish_reason}],
        "usage": _usage(body, step, answer) if step.usage else None,
    }


def _usage(body: JsonObject, step: Scripted, answer: str) -> JsonObject:
    sent = sum(len((message.get("content") or "").split()) for message in body["messages"])
    received = len(answer.split()) + len(step.tool_calls)
    return {
        "prompt_tokens": sent,
        "completion_tokens": received,
        "total_tokens": sent + received,
        "prompt_tokens_details": {"cached_tokens": step.cached_tokens},
    }


def _json(value: JsonObject) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _error(step: Scripted) -> web.Response:
    error = {"message": step.message, "type": "scripted_error", "param": None, "code": step.error_code}
    return web.Response(
        status=step.status,
        body=orjson.dumps({"error": error}),
        content_type="application/json",
        headers={} if step.retry_after is None else {"Retry-After": step.retry_after},
    )


async def _sleep_ms(milliseconds: int) -> None:
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)


async def _serve(port: int, *, deterministic: bool, delay_ms: int) -> None:
    async with OpenAIServer(port=port, deterministic=deterministic, delay_ms=delay_ms) as server:
        sys.stdout.write(f"{server.root}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until killed; the first line on stdout is the root URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--delay-ms", type=int, default=0)
    options = parser.parse_args()
    try:
        asyncio.run(_serve(options.port, deterministic=options.deterministic, delay_ms=options.delay_ms))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
