"""A server that answers as the wire contract says, and misbehaves when its script says so."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from tests.support.http_server import LocalServer, serve

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def view(session_id: str, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A session view with all of its fields."""
    names = ("output", "error", "pending_seq", "pending_prompt", "pending_details", "pending_approval")
    empty: dict[str, Any] = dict.fromkeys(names)
    of_all = {"id": session_id, "run_id": session_id, "status": status, "input": {}, "call_count": 0, "pending": []}
    return empty | of_all | {"created_at": "2026-01-31T12:00:00.000Z"} | fields


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    """Answers with JSON; the underscores of header names become hyphens."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", headers=named)

    return answer


def as_text(text: str, status: int = 200, content_type: str = "text/html") -> Answer:
    """Answers with something that is not JSON."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=content_type)

    return answer


def frame(number: int, event: str, **data: Any) -> bytes:
    """One event as the contract writes it."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, event.encode(), orjson.dumps(data))


def as_stream(*pieces: bytes, drop: bool = False) -> Answer:
    """Answers with a stream in these pieces; with ``drop`` the connection breaks after the last."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            # A turn of the loop: the piece is sent before the next one is there.
            await asyncio.sleep(0)
        if drop:
            break_connection(request)
        return response

    return answer


async def dropped(request: web.Request) -> web.StreamResponse:
    """Takes the request and breaks the connection instead of answering."""
    break_connection(request)
    return web.Response()


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Announces more of a body than it sends."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"id": "s1", ')
    break_connection(request)
    return response


async def silent(request: web.Request) -> web.StreamResponse:
    """Never answers; ends when the client goes."""
    await asyncio.Event().wait()
    return web.Response()


def break_connection(request: web.Request) -> None:
    """What was written is sent, and then the connection ends in the middle."""
    assert request.transport is not None
    request.transport.close()


@asynccontextmanager
async def scripted(*answers: Answer) -> AsyncIterator[LocalServer]:
    """Serve these answers, one for each request in turn; there must be exactly as many requests."""
    left = list(answers)

    async def handler(request: web.Request) -> web.StreamResponse:
        if not left:
            return web.json_response({"error": "the script has ended"}, status=500)
        return await left.pop(0)(request)

    async with serve(handler) as server:
        yield server
    assert len(server.received) == len(answers), lines(server)


def lines(server: LocalServer) -> Sequence[str]:
    """What was asked of the server: ``METHOD path``."""
    return [f"{request.method} {request.path}" for request in server.received]


def body(server: LocalServer, number: int) -> Any:
    """The JSON body of a request."""
    return orjson.loads(server.received[number].body)
