"""MCP servers as tools, against real servers: over stdio, over HTTP, and ones that break the rules."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chidori_actors.errors import UsageError
from chidori_actors.host.function import HostError
from chidori_actors.host.mcp_config import load_mcp_config
from chidori_actors.host.mcp_servers import McpServers
from chidori_actors.host.secrets import Secrets
from tests.support.http_server import serve
from tests.support.process import run_python

SECONDS = 60
"""Generous: the machine may be busy."""

ROOT = Path(__file__).parents[2]
TOKEN = "s3cret-token-value"


def stdio(module: str, *args: str, **env: str) -> dict[str, Any]:
    """A configured server that is a module of the tests."""
    return {"command": sys.executable, "args": ["-m", module, *args], "env": {"PYTHONPATH": str(ROOT), **env}}


REAL = stdio("tests.support.mcp_server")


@dataclass(frozen=True, slots=True)
class Bench:
    """The servers of one test, the secrets of the run, and what was warned of."""

    servers: McpServers
    secrets: Secrets
    warnings: list[str]

    async def call(self, name: str, /, **arguments: Any) -> Any:
        return json.loads(await self.servers.call(name, arguments))

    async def fault(self, name: str, /, **arguments: Any) -> HostError:
        with pytest.raises(HostError) as caught:
            await self.call(name, **arguments)
        return caught.value


@asynccontextmanager
async def running(
    folder: Path,
    servers: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    hosts: Sequence[str] | None = None,
    start_seconds: float = SECONDS,
) -> AsyncIterator[Bench]:
    """The servers of a configuration; afterwards no process of theirs is left."""
    before = children()
    file = folder / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    variables = {"TOKEN": TOKEN, **(environ or {})}
    secrets = Secrets(variables, "seed", lambda name: None if hosts is None else tuple(hosts))
    warnings: list[str] = []
    mcp = McpServers(load_mcp_config(file, variables), secrets, warnings.append, start_seconds=start_seconds)
    try:
        async with asyncio.timeout(SECONDS):
            yield Bench(mcp, secrets, warnings)
    finally:
        await mcp.aclose()
        assert children() <= before


def children() -> set[str]:
    """Child processes of this one, zombies included."""
    lists = [(task / "children").read_text() for task in Path("/proc/self/task").iterdir()]
    return {pid for pids in lists for pid in pids.split()}


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that only another process can bring about."""
    async with asyncio.timeout(SECONDS):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def starts(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").split()) if file.exists() else 0


async def test_tools_are_named_after_their_server_and_their_schema_arrives_whole(tmp_path: Path) -> None:
    async with running(tmp_path, {"real-1": REAL}) as bench:
        tools = {tool.name: tool for tool in await bench.servers.tools("real-1")}
        assert bench.servers.names == ("real-1",)
        assert tools["real-1__add"].description == "Add two numbers."
        schema = tools["real-1__echo"].input_schema
        assert schema["required"] == ["value"]
        assert schema["$defs"]["Query"]["properties"]["text"]["description"] == "What to look for"
        properties = schema["$defs"]["Filter"]["properties"]
        assert properties["order"]["enum"] == ["up", "down"]
        assert properties["limits"] == {
            "default": [1, 10],
            "items": {"type": "integer"},
            "maxItems": 2,
            "title": "Limits",
            "type": "array",
        }


async def test_results_are_the_structured_content_unwrapped_where_the_library_wrapped_it(tmp_path: Path) -> None:
    async with running(tmp_path, {"real": REAL}) as bench:
        assert await bench.call("real__add", a=20, b=22) == 42
        assert await bench.call("real__echo", value={"text": "é", "filters": [{"field": "x"}]}) == {
            "text": "é",
            "filters": [{"field": "x", "order": "up", "limits": [1, 10]}],
        }
        assert await bench.call("real__count") == {"begun": 2, "cancelled": 0}


async def test_an_error_of_a_tool_carries_its_text(tmp_path: Path) -> None:
    async with running(tmp_path, {"real": REAL}) as bench:
        error = await bench.fault("real__fail", message="no such row")
        assert (error.name, str(error)) == ("ToolError", "Error executing tool fail: no such row")
        assert (await bench.fault("real__add", a="x", b=1)).name == "ToolError"
        assert await bench.call("real__add", a=1, b=1) == 2


async def test_unknown_tools_and_servers_are_answered_with_what_there_is(tmp_path: Path) -> None:
    async with running(tmp_path, {"raw": stdio("tests.support.mcp_raw_server", "good", PID_FILE=os.devnull)}) as bench:
        assert str(await bench.fault("raw__nope")).startswith(
            "Unknown tool: raw__nope (available: raw__pixel, raw__lines, "
        )
        assert "there is no server `other`" in str(await bench.fault("other__x"))


async def test_first_uses_at_once_start_the_server_once(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with running(tmp_path, {"raw": stdio("tests.support.mcp_raw_server", "good", PID_FILE=str(pids))}) as bench:
        assert starts(pids) == 0
        await asyncio.gather(*(bench.call("raw__lines") for _ in range(5)))
        assert starts(pids) == 1


async def test_calls_of_one_server_overlap(tmp_path: Path) -> None:
    async with running(tmp_path, {"real": REAL}) as bench:
        # Each of them waits on the server for all the others.
        assert await asyncio.gather(*(bench.call("real__meet", people=4) for _ in range(4))) == ["met"] * 4


async def test_every_page_of_tools_is_read_and_other_results_keep_their_blocks(tmp_path: Path) -> None:
    async with running(tmp_path, {"raw": stdio("tests.support.mcp_raw_server", "good", PID_FILE=os.devnull)}) as bench:
        names = [tool.name for tool in await bench.servers.tools("raw")]
        assert (names[0], names[-1], len(names)) == ("raw__pixel", "raw__wrong_shape", 7)
        assert await bench.call("raw__lines") == 'one\n{"two": 2}'
        assert await bench.call("raw__pixel") == {
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "data": "AAAA", "mimeType": "image/png"},
            ]
        }


async def test_answers_that_the_library_cannot_read_never_leave_a_call_waiting(tmp_path: Path) -> None:
    async with running(tmp_path, {"raw": stdio("tests.support.mcp_raw_server", "good", PID_FILE=os.devnull)}) as bench:
        assert await bench.call("raw__half_emoji") == "\ufffd!"
        assert "NaN is not JSON" in str(await bench.fault("raw__not_a_number"))
        assert "cannot be used" in str(await bench.fault("raw__deep"))
        assert "content: Input should be a valid list" in str(await bench.fault("raw__wrong_shape"))
        assert "a message that cannot be read" in str(await bench.fault("raw__unreadable"))
        assert await bench.call("raw__lines") == 'one\n{"two": 2}'


async def test_a_server_that_knows_no_initialize_is_spoken_to_in_the_newer_protocol(tmp_path: Path) -> None:
    server = stdio("tests.support.mcp_raw_server", "modern", PID_FILE=os.devnull)
    async with running(tmp_path, {"raw": server}) as bench:
        assert await bench.call("raw__lines") == 'one\n{"two": 2}'


async def test_a_server_that_dies_is_restarted_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pids = tmp_path / "pids"
    server = stdio("tests.support.mcp_server", PID_FILE=str(pids))
    async with running(tmp_path, {"real": server}) as bench:
        assert await bench.call("real__add", a=1, b=2) == 3
        died = await bench.fault("real__die")
        assert str(died) == (
            "mcp: server `real` died during `real__die`; the outcome is unknown "
            "(it ended; what it wrote on stderr is in the warnings of the call's record)"
        )
        assert died.notes == {"warnings": ["mcp: server `real` wrote on stderr:\n  about to die"]}
        assert starts(pids) == 1  # the call was not made again

        assert await bench.call("real__add", a=3, b=4) == 7
        assert starts(pids) == 2
        assert bench.warnings == ["mcp: server `real` is started again: it ended", *died.notes["warnings"]]

        await bench.fault("real__die")
        gone = await bench.fault("real__add", a=5, b=6)
        assert "restarted once and is gone again" in str(gone)
        assert "about to die" not in str(gone)
        assert gone.notes == died.notes
        assert starts(pids) == 2
    assert capfd.readouterr() == ("", "")


async def test_every_call_under_way_learns_that_the_server_died(tmp_path: Path) -> None:
    async with running(tmp_path, {"real": REAL}) as bench:
        slow = asyncio.create_task(bench.fault("real__slow", ms=60_000))
        while (await bench.call("real__count"))["begun"] == 0:
            pass
        await bench.fault("real__die")
        assert "died during `real__slow`; the outcome is unknown" in str(await slow)


async def test_a_cancelled_call_is_cancelled_on_the_server_which_stays_usable(tmp_path: Path) -> None:
    async with running(tmp_path, {"real": REAL}) as bench:
        slow = asyncio.create_task(bench.call("real__slow", ms=60_000))
        while (await bench.call("real__count"))["begun"] == 0:
            pass
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        while (await bench.call("real__count"))["cancelled"] == 0:
            pass
        assert await bench.call("real__add", a=8, b=9) == 17
        assert bench.warnings == []


async def test_cancelling_one_first_use_does_not_disturb_another(tmp_path: Path) -> None:
    before = children()
    async with running(tmp_path, {"real": REAL}) as bench:
        first = asyncio.create_task(bench.call("real__add", a=1, b=1))
        second = asyncio.create_task(bench.call("real__add", a=2, b=2))
        await until(lambda: bool(children() - before))
        first.cancel()
        assert await second == 4


async def test_closing_ends_a_server_that_ignores_everything_but_a_kill(tmp_path: Path) -> None:
    before = children()
    server = stdio("tests.support.mcp_raw_server", "stubborn", PID_FILE=os.devnull)
    async with running(tmp_path, {"raw": server}) as bench:
        assert await bench.call("raw__lines")
        closing = asyncio.create_task(bench.servers.aclose())
        await asyncio.sleep(0)
        closing.cancel()  # as a second Ctrl-C does
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert children() <= before
        assert "was closed with the run" in str(await bench.fault("raw__lines"))


async def test_closing_while_a_server_that_broke_off_is_being_ended(tmp_path: Path) -> None:
    before = children()
    pids = tmp_path / "pids"
    async with running(
        tmp_path, {"raw": stdio("tests.support.mcp_raw_server", "stubborn", PID_FILE=str(pids))}
    ) as bench:
        broken = asyncio.create_task(bench.fault("raw__unreadable"))
        await until(lambda: starts(pids) == 2)  # it has seen the end of its input, and waits to be killed
        await bench.servers.aclose()
        assert children() <= before
        assert "a message that cannot be read" in str(await broken)


async def test_closing_while_a_server_starts(tmp_path: Path) -> None:
    before = children()
    server = stdio("tests.support.mcp_raw_server", "silent", PID_FILE=os.devnull)
    async with running(tmp_path, {"spawned": server, "barely": server}) as bench:
        spawned = asyncio.create_task(bench.fault("spawned__x"))
        await until(lambda: bool(children() - before))
        barely = asyncio.create_task(bench.fault("barely__x"))
        await asyncio.sleep(0)
        await bench.servers.aclose()
        assert "could not be started" in str(await spawned)
        assert "server `barely`" in str(await barely)
        assert children() <= before


async def test_a_server_that_never_answers_initialize(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    server = stdio("tests.support.mcp_raw_server", "silent", PID_FILE=str(pids))
    async with running(tmp_path, {"raw": server}, start_seconds=2) as bench:
        faults = await asyncio.gather(bench.fault("raw__lines"), bench.fault("raw__pixel"))
        assert {str(fault).split(";")[0] for fault in faults} == {
            "mcp: server `raw` could not be started: it did not answer `initialize` within 2 s"
        }
        assert "ready for work" not in str(faults[0])
        assert faults[0].notes == {"warnings": ["mcp: server `raw` wrote on stderr:\n  ready for work"]}
        assert starts(pids) == 1


async def test_commands_that_cannot_be_started(tmp_path: Path) -> None:
    servers = {
        "missing": {"command": "no-such-command-anywhere"},
        "brief": {"command": sys.executable, "args": ["-c", "import sys; sys.exit('no key given')"]},
    }
    async with running(tmp_path, servers) as bench:
        assert "No such file or directory: 'no-such-command-anywhere'" in str(await bench.fault("missing__x"))
        error = await bench.fault("brief__x")
        assert "it ended before it had answered `initialize`; what it wrote on stderr is in" in str(error)
        assert "no key given" not in str(error)
        assert error.notes == {"warnings": ["mcp: server `brief` wrote on stderr:\n  no key given"]}


async def test_what_a_server_wrote_on_stderr_is_told_without_the_secrets_in_it(tmp_path: Path) -> None:
    code = "import os, sys; sys.exit('refused: ' + os.environ['KEY'])"
    server = {"command": sys.executable, "args": ["-c", code], "env": {"KEY": "${TOKEN}"}}
    async with running(tmp_path, {"brief": server}) as bench:
        error = await bench.fault("brief__x")
        assert error.notes == {"warnings": ["mcp: server `brief` wrote on stderr:\n  refused: ${TOKEN}"]}


async def test_a_secret_is_filled_in_as_it_is_sent_and_redacted_from_what_comes_back(tmp_path: Path) -> None:
    async with running(tmp_path, {"real": REAL}) as bench:
        placeholder = bench.secrets.placeholder("TOKEN")
        assert await bench.call("real__size", text=placeholder) == len(TOKEN)
        assert (await bench.call("real__echo", value={"text": f"Bearer {placeholder}"}))["text"] == (
            f"Bearer {placeholder}"
        )
        assert TOKEN not in str(await bench.fault("real__fail", message=placeholder))


@pytest.mark.parametrize(("hosts", "sent"), [((), False), (("mcp",), False), (("mcp:Real",), True), (("*",), True)])
async def test_a_bound_secret_goes_only_to_the_servers_that_its_rule_names(
    tmp_path: Path, hosts: tuple[str, ...], sent: bool
) -> None:
    async with running(tmp_path, {"Real": REAL}, hosts=hosts) as bench:
        placeholder = bench.secrets.placeholder("TOKEN")
        if sent:
            assert await bench.call("Real__size", text=placeholder) == len(TOKEN)
        else:
            assert "TOKEN may be sent only to" in str(await bench.fault("Real__size", text=placeholder))


async def test_a_stdio_server_sees_only_its_own_environment_and_its_values_are_redacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVATE_TO_US", "must not be seen")
    server = stdio("tests.support.mcp_server", API_KEY="key=${TOKEN}", FOLDER="${FOLDER}")
    async with running(tmp_path, {"real": server}, environ={"FOLDER": str(tmp_path)}) as bench:
        assert await bench.call("real__environment", name="PRIVATE_TO_US") == ""
        assert await bench.call("real__environment", name="API_KEY") == "key=${TOKEN}"
        assert await bench.call("real__environment", name="FOLDER") == str(tmp_path)


async def test_arguments_nested_too_deeply_are_refused_before_they_are_sent(tmp_path: Path) -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = [deep]
    async with running(tmp_path, {"real": REAL}) as bench:
        assert "nested more than 100 deep" in str(await bench.fault("real__echo", value=deep))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def http_server(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The real server over HTTP; killed at the end, if it still lives."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.mcp_server", "--http", str(port)),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(lambda: process.returncode is not None or listens(port))
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_a_server_over_http(tmp_path: Path) -> None:
    port = free_port()
    config = {"web": {"url": f"http://127.0.0.1:{port}/mcp"}}
    async with http_server(port), running(tmp_path, config, hosts=(f"127.0.0.1:{port}",)) as bench:
        assert "web__echo" in {tool.name for tool in await bench.servers.tools("web")}
        assert await bench.call("web__add", a=100, b=1) == 101
        assert await asyncio.gather(*(bench.call("web__meet", people=3) for _ in range(3))) == ["met"] * 3
        assert (await bench.fault("web__fail", message="row 7")).name == "ToolError"
        assert await bench.call("web__size", text=bench.secrets.placeholder("TOKEN")) == len(TOKEN)

        slow = asyncio.create_task(bench.call("web__slow", ms=60_000))
        while (await bench.call("web__count"))["begun"] < 6:
            pass
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        while (await bench.call("web__count"))["cancelled"] == 0:
            pass
        assert bench.warnings == []


async def test_a_server_over_http_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    port = free_port()
    async with running(tmp_path, {"web": {"url": f"http://127.0.0.1:{port}/mcp"}}) as bench:
        for attempt in range(2):
            assert "server `web` could not be reached" in str(await bench.fault("web__add", a=1, b=1))
            async with http_server(port) as process:
                assert await bench.call("web__add", a=attempt, b=1) == attempt + 1
                slow = asyncio.create_task(bench.fault("web__slow", ms=60_000))
                while (await bench.call("web__count"))["begun"] < 2:
                    pass
                process.kill()
                assert "was lost during `web__slow`; the outcome is unknown" in str(await slow)


async def test_a_session_that_the_server_forgot_is_begun_again_and_the_call_made_once_more(tmp_path: Path) -> None:
    sessions: list[str] = []

    async def speak(request: web.Request) -> web.StreamResponse:
        if request.method != "POST":
            return web.Response(status=405 if request.method == "GET" else 200)
        asked = await request.json()
        if asked["method"] == "server/discover":
            return web.Response(status=404)
        if asked["method"] == "initialize":
            sessions.append(f"session-{len(sessions)}")
            about = {"capabilities": {"tools": {}}, "serverInfo": {"name": "web", "version": "1"}}
            result: Any = {**about, "protocolVersion": asked["params"]["protocolVersion"]}
            return answer(asked, result, {"mcp-session-id": sessions[-1]})
        if "id" not in asked:
            return web.Response(status=202)
        if asked["method"] == "tools/list":
            return answer(asked, {"tools": [{"name": "whoami", "inputSchema": {"type": "object"}}]})
        if request.headers["mcp-session-id"] == "session-0":
            return web.Response(status=404)
        return answer(asked, {"content": [{"type": "text", "text": request.headers["authorization"]}]})

    def answer(asked: Any, result: Any, headers: Mapping[str, str] | None = None) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result}, headers=headers)

    async with serve(speak) as server:
        config = {"web": {"url": f"{server.url}/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}}
        async with running(tmp_path, config) as bench:
            assert await bench.call("web__whoami") == "Bearer ${TOKEN}"
            assert bench.warnings == ["mcp: server `web` is connected to again: it ended the session"]
    assert sessions == ["session-0", "session-1"]
    assert {request.headers["authorization"] for request in server.received} == {f"Bearer {TOKEN}"}


async def test_a_server_that_refuses_us_is_shown_with_its_status(tmp_path: Path) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text="who are you?")

    async with serve(refuse) as server, running(tmp_path, {"web": {"url": f"{server.url}/mcp"}}) as bench:
        assert "HTTP 401" in str(await bench.fault("web__x"))


async def test_closing_does_not_wait_for_a_server_that_never_answers_the_goodbye(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chidori_actors.host.mcp_connection._HTTP_GOODBYE_S", 0.1)

    async def speak(request: web.Request) -> web.StreamResponse:
        if request.method == "DELETE":
            await asyncio.Event().wait()
        asked = await request.json() if request.method == "POST" else {}
        if asked.get("method") == "initialize":
            about = {"capabilities": {"tools": {}}, "serverInfo": {"name": "web", "version": "1"}}
            result = {**about, "protocolVersion": asked["params"]["protocolVersion"]}
            headers = {"mcp-session-id": "1"}
            return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": result}, headers=headers)
        if asked.get("method") == "tools/list":
            return web.json_response({"jsonrpc": "2.0", "id": asked["id"], "result": {"tools": []}})
        return web.Response(status=202 if asked.get("method") == "notifications/initialized" else 404)

    async with serve(speak) as server:
        async with running(tmp_path, {"web": {"url": f"{server.url}/mcp"}}) as bench:
            assert await bench.servers.tools("web") == ()
        assert "DELETE" in {request.method for request in server.received}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "the MCP configuration is not valid JSON"),
        ("[]", "`mcpServers` must be an object"),
        ('{"mcpServers": {"a__b": {"command": "x"}}}', "`mcpServers.a__b` is not a name"),
        ('{"mcpServers": {"a_": {"command": "x"}}}', "`mcpServers.a_` is not a name"),
        ('{"mcpServers": {"a b": {"command": "x"}}}', "`mcpServers.a b` is not a name"),
        ('{"mcpServers": {"Ab": {"command": "x"}, "aB": {"command": "x"}}}', "differs from `Ab`"),
        ('{"mcpServers": {"a": 1}}', "`mcpServers.a` must be an object"),
        ('{"mcpServers": {"a": {}}}', "`mcpServers.a` must have one of `command` and `url`"),
        ('{"mcpServers": {"a": {"command": "x", "url": "http://x"}}}', "must have only one of"),
        ('{"mcpServers": {"a": {"command": "x", "envs": {}}}}', "unknown field `envs`"),
        ('{"mcpServers": {"a": {"url": "http://x", "type": "sse"}}}', '`mcpServers.a.type` is "sse"'),
        ('{"mcpServers": {"a": {"command": ""}}}', "`mcpServers.a.command` must be a string"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y"}}}', "`mcpServers.a.args` must be an array"),
        ('{"mcpServers": {"a": {"command": "x", "args": ["y", 1]}}}', "`mcpServers.a.args[1]` must be a string"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"A=B": "y"}}}}', "not the name of a variable"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"K": "${NOT_SET}"}}}}', "variable NOT_SET, which is not set"),
        ('{"mcpServers": {"a": {"command": "x", "args": ["${A:-b}"]}}}', "`mcpServers.a.args[0]` has `${A:-b}`"),
        ('{"mcpServers": {"a": {"url": "ftp://x"}}}', "`mcpServers.a.url` cannot be used"),
        ('{"mcpServers": {"a": {"url": "http://x", "headers": {"A B": "y"}}}}', "not the name of a header"),
        ('{"mcpServers": {"a": {"url": "http://x", "headers": {"A": "${LINES}"}}}}', "that a header cannot hold"),
    ],
)
def test_faults_in_the_configuration_name_the_file_and_the_place(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "servers.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_mcp_config(file, {"LINES": "two\nlines"})
    assert str(caught.value).startswith(f"{file}: ")
    assert fault in str(caught.value)
    assert caught.value.hint


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file or directory"):
        load_mcp_config(tmp_path / "nowhere.json", {})


def test_the_library_is_not_imported_before_a_server_is_used() -> None:
    program = (
        "import sys, asyncio\nfrom pathlib import Path\n"
        "from chidori_actors.host.mcp_config import McpConfig\nfrom chidori_actors.host.mcp_servers import McpServers\n"
        "from chidori_actors.host.secrets import Secrets\n"
        "servers = McpServers(McpConfig(Path(), {}), Secrets({}, '', lambda name: None), print)\n"
        "asyncio.run(servers.aclose())\n"
        "print([name for name in ('mcp', 'mcp_types', 'httpx2', 'anyio', 'pydantic') if name in sys.modules])"
    )
    finished = run_python(program)
    assert (finished.stdout, finished.stderr) == ("[]\n", "")
