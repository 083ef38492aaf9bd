"""The access log and the run log."""

import asyncio
import io
import sys
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.errors import StoreError
from chidori_actors.front_door.library_log import library_log
from chidori_actors.front_door.log_lines import LogLines
from chidori_actors.front_door.run_log import RunLog
from chidori_actors.journal.runs import RunMeta
from chidori_actors.settings import Settings

from .small_app import bare, routed, served

META = RunMeta(
    id="run-1",
    agent="agents/a.ts",
    status="completed",
    input=b'"secret input"',
    output=b'"secret output"',
    created_at_ms=0,
    updated_at_ms=0,
    seed="00",
    epoch_ms=0,
    lane=1 << 32,
    policy={},
    call_count=4,
    calls=3,
)


def json_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [orjson.loads(line) for line in captured.err.splitlines()]


async def test_a_request_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(routed(Settings(), log_format="json")) as send:
        told = await send("POST", "/sessions?token=secret", data=b"secret", headers={"X-Secret": "secret"})
    (line,) = json_lines(capsys)
    assert {name: line[name] for name in ("event", "method", "path", "status", "bytes", "client")} == {
        "event": "request",
        "method": "POST",
        "path": "/sessions",
        "status": 200,
        "bytes": len(told.body),
        "client": "127.0.0.1",
    }
    assert line["ms"] >= 0
    assert line["time"].endswith("Z")
    assert "secret" not in str(line)


async def test_refused_requests_are_logged_with_their_status(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(routed(Settings(api_key="k"), log_format="json")) as send:
        await send("GET", "/sessions")
        await send("GET", "/sessions/a/b", headers={"Authorization": "Bearer k"})
    lines = json_lines(capsys)
    assert [(line["path"], line["status"]) for line in lines] == [("/sessions", 401), ("/sessions/a/b", 404)]
    assert not any("traceback" in line for line in lines)


async def test_a_fault_is_one_json_object_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    async def fault(request: web.Request) -> web.StreamResponse:
        raise KeyError("what went wrong")

    app = bare(Settings(), log_format="json")
    app.router.add_get("/", fault)
    async with served(app) as send:
        await send("GET", "/")
    (line,) = json_lines(capsys)
    assert line["status"] == 500
    assert "what went wrong" in line["traceback"]
    assert "test_log.py" in line["traceback"]


async def test_a_path_cannot_forge_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(routed(Settings())) as send:
        await send("GET", "/a%0Astatus=200%20x")
    (line,) = capsys.readouterr().err.splitlines()
    assert " path=/a%0Astatus=200%20x " in line or 'path="/a%0Astatus=200%20x"' in line


def test_lines_for_people_keep_what_has_spaces_in_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    LogLines("text").write("run rested", id="a", error='line 1\nline "2"', nothing=None, empty="")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith('Z run rested id=a error="line 1\\nline \\"2\\"" empty=""')


def test_a_log_that_nobody_takes_does_not_end_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Full())
    LogLines("json").write("request")


def test_the_life_of_a_run_is_logged_without_what_it_works_on(capsys: pytest.CaptureFixture[str]) -> None:
    log = RunLog("json")
    log.began("run-1", "agents/a.ts")
    log.rested(META, 0.25)
    log.rested(replace(META, status="failed", error={"message": "no", "location": "a.ts:1:2"}), 0.25)
    log.interrupted("run-1")
    lines = json_lines(capsys)
    assert [line["event"] for line in lines] == ["run began", "run rested", "run rested", "run interrupted"]
    assert {line["id"] for line in lines} == {"run-1"}
    assert lines[0]["agent"] == "agents/a.ts"
    assert {**lines[1], "time": ""} == {
        "time": "",
        "event": "run rested",
        "id": "run-1",
        "agent": "agents/a.ts",
        "status": "completed",
        "calls": 3,
        "ms": 250.0,
    }
    assert (lines[2]["status"], lines[2]["error"]) == ("failed", "a.ts:1:2: no")
    assert "secret" not in str(lines)


def test_only_what_nobody_foresaw_has_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log = RunLog("json")
    log.failed("run-1", StoreError("the disk is full"))
    log.failed("run-1", KeyError("x"))
    foreseen, unforeseen = json_lines(capsys)
    assert foreseen["error"] == "the disk is full"
    assert "traceback" not in foreseen
    assert "KeyError" in unforeseen["traceback"]


async def test_what_is_not_http_takes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(routed(Settings())) as send:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(send.url.rpartition(":")[2]))
        writer.write(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n")
        assert b" 414 " in await asyncio.wait_for(reader.readline(), timeout=30)
        writer.close()
    (line,) = json_lines(capsys)
    assert (line["event"], line["status"]) == ("bad request", 414)
    assert "traceback" not in line


def test_what_the_library_did_wrong_has_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    logger = library_log("json")
    try:
        raise KeyError("what went wrong")
    except KeyError as error:
        logger.error("Error handling request from %s", "127.0.0.1", exc_info=error)
    (line,) = json_lines(capsys)
    assert line["said"] == "Error handling request from 127.0.0.1"
    assert "what went wrong" in line["traceback"]
