"""Servers that refuse, break off, or are not there."""

import asyncio
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from chidori_actors.client import (
    AgentClient,
    AsyncAgentClient,
    ClientError,
    Conflict,
    ConnectionFailed,
    Invalid,
    NotFound,
    Retries,
    ServerBusy,
    Timeouts,
    Unauthorized,
)

from .both import Connect
from .script import as_json, as_text, cut_off, dropped, lines, scripted, silent, view


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Invalid), (401, Unauthorized), (404, NotFound), (409, Conflict), (413, Invalid), (422, Invalid)],
)
async def test_a_status_of_failure_is_an_error_of_its_kind(
    client_of: Connect, status: int, kind: type[ClientError]
) -> None:
    async with scripted(as_json({"error": "says why", "more": [1]}, status)) as server:
        with pytest.raises(ClientError) as caught:
            await client_of(server.url).call("resume", "s1", "x")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.body) == (status, {"error": "says why", "more": [1]})
    assert str(error) == "POST /sessions/s1/resume: says why"


async def test_a_missing_key_says_where_to_give_one(client_of: Connect) -> None:
    async with scripted(as_json({"error": "missing or invalid bearer token"}, 401)) as server:
        with pytest.raises(Unauthorized) as caught:
            await client_of(server.url).call("agents")
    assert "CHIDORI_API_KEY" in str(caught.value.hint)


async def test_another_status_is_a_plain_client_error(client_of: Connect) -> None:
    async with scripted(as_text("", 599), as_text("Internal", 500, "text/plain")) as server:
        client = client_of(server.url)
        with pytest.raises(ClientError, match="status 599"):
            await client.call("get_session", "s1")
        with pytest.raises(ClientError, match="500 Internal Server Error") as caught:
            await client.call("get_session", "s1")
    assert (type(caught.value), caught.value.body) == (ClientError, "Internal")


async def test_a_redirect_is_not_followed_with_the_key(client_of: Connect) -> None:
    async with scripted(as_json({}, 301, Location="https://elsewhere/")) as server:
        with pytest.raises(ClientError) as caught:
            await client_of(server.url, api_key="secret").call("run", {})
    assert "https://elsewhere/" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "args"), [("get_session", ("s1",)), ("run", ({},)), ("agents", ()), ("get_checkpoint", ("s1",))]
)
async def test_a_page_instead_of_json_asks_for_the_address(
    client_of: Connect, name: str, args: tuple[Any, ...]
) -> None:
    async with scripted(as_text("<html>Welcome" + "!" * 500)) as server:
        with pytest.raises(ClientError, match=r"\(text/html; charset=utf-8\): '<html>Welcome!.*…'") as caught:
            await client_of(server.url).call(name, *args)
    assert "chidori serve" in str(caught.value.hint)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "answer", [{}, [], None, {"id": 1, "status": "x"}, {"id": "s1", "status": "x", "pending": [1]}]
)
async def test_json_that_is_no_session_is_an_error(client_of: Connect, answer: Any) -> None:
    async with scripted(as_json(answer)) as server:
        with pytest.raises(ClientError, match="not one of Chidori's"):
            await client_of(server.url).call("get_session", "s1")


@pytest.mark.parametrize("failure", [dropped, cut_off, as_json({}, 503), as_text("<html>", 502), as_text("", 504)])
async def test_what_is_safe_is_asked_again(client_of: Connect, failure: Any) -> None:
    answers = (failure, failure, as_json(view("s1", output=4)), failure, as_json(view("s2", output=5), 201))
    async with scripted(*answers) as server:
        client = client_of(server.url)
        assert (await client.call("get_session", "s1")).output == 4
        assert (await client.call("run", {"a": 1})).output == 5
    first, second = server.received[3:]
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("resume", ("s1", "x")),
        ("retry", ("s1",)),
        ("approve", ("s1", True)),
        ("branch", ("s1", 1)),
        ("replay", ("s1",)),
    ],
)
async def test_what_is_not_safe_is_asked_once(client_of: Connect, name: str, args: tuple[Any, ...]) -> None:
    options = {"result": 1} if name == "branch" else {}
    async with scripted(dropped, as_json({"error": "server busy"}, 503, Retry_After="1")) as server:
        client = client_of(server.url)
        with pytest.raises(ConnectionFailed, match="the connection was lost") as caught:
            await client.call(name, *args, **options)
        with pytest.raises(ServerBusy) as busy:
            await client.call(name, *args, **options)
    assert "look at the session" in str(caught.value.hint)
    assert caught.value.status is None
    assert busy.value.retry_after == 1


async def test_a_server_that_stays_busy_is_given_up(client_of: Connect) -> None:
    busy = as_json({"error": "server busy; try later", "acquire_timeout_ms": 5}, 503)
    async with scripted(*[busy] * 3) as server:
        with pytest.raises(ServerBusy, match="try later") as caught:
            await client_of(server.url, retries=Retries((), (0.01, 0.01))).call("run", {})
    assert caught.value.body["acquire_timeout_ms"] == 5


async def test_a_server_that_wants_a_long_wait_is_not_waited_for(client_of: Connect) -> None:
    async with scripted(as_json({"error": "maintenance"}, 503, Retry_After="3600")) as server:
        with pytest.raises(ServerBusy) as caught:
            await client_of(server.url).call("get_session", "s1")
    assert caught.value.retry_after == 3600


async def test_a_connection_that_keeps_breaking_is_given_up(client_of: Connect) -> None:
    async with scripted(*[dropped] * 9) as server:
        with pytest.raises(ConnectionFailed, match="POST /sessions: the connection was lost"):
            await client_of(server.url).call("run", {})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_no_server_says_where_it_was_looked_for(client_of: Connect) -> None:
    url = f"http://127.0.0.1:{_free_port()}"
    with pytest.raises(ConnectionFailed, match=f"{url} cannot be reached") as caught:
        await client_of(url).call("resume", "s1", "x")
    assert "chidori serve" in str(caught.value.hint)


async def test_a_name_that_does_not_exist_cannot_be_reached(client_of: Connect) -> None:
    with pytest.raises(ConnectionFailed, match="cannot be reached"):
        await client_of("http://no-such-host.invalid", retries=Retries((), ())).call("health")


async def test_what_never_arrived_is_sent_again_even_if_it_is_not_safe_twice(client_of: Connect) -> None:
    port = _free_port()
    client = client_of(f"http://127.0.0.1:{port}", retries=Retries(connect=(0.05,) * 200, reattach=()))
    asked = asyncio.create_task(client.call("resume", "s1", "x"))
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done, "nobody listens yet"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = b'{"id": "s1", "status": "completed"}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(text), text))
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        assert (await asked).status == "completed"


async def test_silence_ends_a_request_that_waits_for_no_run(client_of: Connect) -> None:
    async with scripted(silent) as server:
        client = client_of(server.url, timeouts=Timeouts(idle=0.05), retries=Retries((), ()))
        with pytest.raises(ConnectionFailed, match="silent for too long"):
            await client.call("get_session", "s1")


async def test_a_run_is_waited_for_however_long_the_server_is_silent(client_of: Connect) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        arrived.set()
        await go.wait()
        return await as_json(view("s1", output=1), 201)(request)

    async with scripted(slow, silent) as server:
        client = client_of(server.url, timeouts=Timeouts(idle=0.05), retries=Retries((), ()))
        waiting = asyncio.create_task(client.call("run", {}))
        await asyncio.wait_for(arrived.wait(), 10)
        with pytest.raises(ConnectionFailed, match="silent for too long"):
            # It began after the run and its limit is over: the run's would be too, if it had one.
            await client.call("get_session", "s1")
        go.set()
        assert (await waiting).output == 1
    assert lines(server) == ["POST /sessions", "GET /sessions/s1"]


async def test_a_cancelled_call_leaves_its_client_usable() -> None:
    arrived = asyncio.Event()

    async def never(request: Any) -> Any:
        arrived.set()
        return await silent(request)

    async with scripted(never, as_json({"status": "ok"})) as server, AsyncAgentClient(server.url) as client:
        call = asyncio.create_task(client.run({}))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await client.health() == {"status": "ok"}


def test_a_client_of_another_event_loop_says_so() -> None:
    client = AsyncAgentClient(f"http://127.0.0.1:{_free_port()}", retries=Retries((), ()))

    async def ask() -> None:
        with pytest.raises(ConnectionFailed):
            await client.health()

    async def ask_elsewhere() -> None:
        with pytest.raises(ClientError, match="another event loop"):
            await client.health()

    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(ask())
        second.run(ask_elsewhere())
        first.run(client.close())


@pytest.fixture
def helpless_server() -> Iterator[int]:
    """The port of a server in another process, which can do nothing and says so once."""
    code = "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.BaseHTTPRequestHandler)\n"
    code += "print(s.server_port, flush=True); s.handle_request()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.terminate()


async def test_the_blocking_client_works_where_a_loop_is_running(helpless_server: int) -> None:
    """As in a notebook: the loop stands still meanwhile, so the server is not on it."""
    with pytest.raises(ClientError) as caught:
        AgentClient(f"http://127.0.0.1:{helpless_server}").agents()
    assert caught.value.status == 501


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ServerBusy("busy", retry_after=2.5, status=503, body={"a": 1}, hint="later")))
    assert (str(error), error.retry_after, error.status, error.body, error.hint) == (
        "busy",
        2.5,
        503,
        {"a": 1},
        "later",
    )


def test_importing_the_client_loads_neither_the_runtime_nor_aiohttp() -> None:
    code = "import sys, chidori_actors.client; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "chidori_actors" in loaded
    assert not {"aiohttp", "lmdb", "litellm", "wasmtime", "numpy", "jsonschema", "mcp"} & set(loaded)
