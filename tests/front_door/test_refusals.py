"""Errors of handlers as clients see them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from chidori_actors.errors import (
    ChidoriError,
    ManifestMismatch,
    NotResumable,
    RunNotFound,
    RunOwned,
    SourceError,
    SourceMismatch,
    StoreError,
    UsageError,
)
from chidori_actors.front_door.refusal import Refused
from chidori_actors.settings import Settings

from .small_app import bare, served

SECRET = "a line of the server's own source"


def app_of(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    app = bare(Settings())
    app.router.add_get("/", handler)
    return app


def raising(error: Exception) -> web.Application:
    async def handler(request: web.Request) -> web.StreamResponse:
        raise error

    return app_of(handler)


async def test_a_refusal_is_json_with_its_headers_and_fields() -> None:
    async with served(raising(Refused(503, "server busy", headers={"Retry-After": "1"}, acquire_timeout_ms=5))) as send:
        told = await send("GET", "/")
    assert (told.status, told.headers["Retry-After"]) == (503, "1")
    assert told.json == {"error": "server busy", "acquire_timeout_ms": 5}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("bad", hint="do it so"), 422),
        (RunNotFound("gone", hint="do it so"), 404),
        (RunOwned("taken", hint="do it so"), 409),
        (NotResumable("it would fail again", hint="do it so"), 409),
        (ManifestMismatch("other policy", hint="do it so"), 409),
        (StoreError("the disk is full", hint="do it so"), 500),
        (ChidoriError("something", hint="do it so"), 500),
    ],
)
async def test_a_known_error_says_what_happened_and_nothing_of_the_command_line(
    error: ChidoriError, status: int
) -> None:
    async with served(raising(error)) as send:
        told = await send("GET", "/")
    assert (told.status, told.json) == (status, {"error": str(error)})


async def test_a_changed_source_says_what_a_request_can_do() -> None:
    async with served(raising(SourceMismatch("other source", hint="pass --allow-source-change"))) as send:
        told = await send("GET", "/")
    assert (told.status, told.json["error"]) == (409, "other source")
    assert "`allow_source_change`" in told.json["hint"]
    assert "--" not in told.json["hint"]


async def test_a_fault_of_the_source_keeps_its_way_out() -> None:
    error = SourceError("the file exports no function agent", path="a.ts", hint="write: export async function agent")
    async with served(raising(error)) as send:
        told = await send("GET", "/")
    assert (told.status, told.json) == (500, {"error": str(error), "hint": error.hint})


async def test_an_error_of_the_library_is_json_too() -> None:
    async with served(raising(web.HTTPUnsupportedMediaType(headers={"X-Kept": "yes"}))) as send:
        told = await send("GET", "/")
        missing = await send("GET", "/nowhere")
    assert (told.status, told.json, told.headers["X-Kept"]) == (415, {"error": "unsupported media type"}, "yes")
    assert (missing.status, missing.json) == (404, {"error": "not found"})


async def test_a_redirect_is_no_error() -> None:
    async with served(raising(web.HTTPFound("/elsewhere"))) as send:
        told = await send("GET", "/")
    assert (told.status, told.headers["Location"]) == (302, "/elsewhere")


@pytest.mark.parametrize("error", [KeyError(SECRET), TimeoutError(SECRET), ExceptionGroup(SECRET, [OSError(SECRET)])])
async def test_what_nobody_foresaw_is_logged_and_not_told(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(raising(error)) as send:
        told = await send("GET", "/")
    assert (told.status, list(told.json)) == (500, ["error"])
    assert SECRET.encode() not in told.body
    assert b"Traceback" not in told.body
    logged = capsys.readouterr().err
    assert SECRET in logged
    assert "Traceback" in logged
    assert "status=500" in logged


@pytest.mark.parametrize("begun", [b"data: half", b""])
async def test_an_answer_that_has_begun_is_cut_off(begun: bytes) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if begun:
            await response.write(begun)
        raise KeyError(SECRET)

    async with served(app_of(handler)) as send:
        with pytest.raises(aiohttp.ClientError):
            await send("GET", "/")


@pytest.mark.parametrize("begun", [True, False])
async def test_a_client_that_went_away_is_not_a_fault(begun: bool, capsys: pytest.CaptureFixture[str]) -> None:
    reached, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
        reached.set()
        try:
            with suppress(ConnectionError):
                await request.read()
            if not begun:
                await response.prepare(request)
            await response.write(b"x")
            raise AssertionError("the write must fail")
        finally:
            ended.set()

    app = app_of(handler)
    async with served(app) as send:
        _, writer = await asyncio.open_connection("127.0.0.1", int(send.url.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        async with asyncio.timeout(30):
            await reached.wait()
            writer.transport.abort()
            await ended.wait()
    logged = capsys.readouterr().err
    assert "traceback" not in logged.lower()
    assert "status=499" in logged
